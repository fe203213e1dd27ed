//! Streams: what was recorded with the real programs, and what no program should
//! print.

use std::fmt::Write as _;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::world::agents::table;

const NOW: Timestamp = Timestamp(1_000_000);

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams").join(name)
}

/// A recorded stream of an agent.
fn recorded(agent: &str, case: &str) -> Vec<u8> {
    let path = folder(agent).join(format!("{case}.jsonl"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn stream(agent: &str) -> Stream {
    table::find(agent).expect("a row").stream()
}

fn read(agent: &str, bytes: &[u8]) -> Finding {
    let mut stream = stream(agent);
    stream.push(bytes, NOW);
    stream.finish()
}

fn cases(agent: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder(agent))
        .expect("recorded streams")
        .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// One line of what a stream came to.
fn line(finding: &Finding) -> String {
    let Finding { account, text, failure, earlier, ended, strays, .. } = finding;
    let usage = account.usage.unwrap_or_default();
    let mut out = format!(
        "{}+{}/{} {}",
        usage.input,
        usage.cached,
        usage.output,
        usage.cost_micro.map_or("-".to_owned(), |cost| cost.to_string()),
    );
    let said = text.as_deref().map(activity::short).unwrap_or_default();
    write!(out, " {:?}", said.chars().take(24).collect::<String>()).expect("a string takes it");
    if let Some((class, _)) = failure {
        write!(out, " {}", class.word()).expect("a string takes it");
    } else if let Some((class, _)) = earlier {
        write!(out, " (mended {})", class.word()).expect("a string takes it");
    }
    if !ended {
        out.push_str(" NO END");
    }
    if !strays.is_empty() {
        write!(out, " {} strays", strays.len()).expect("a string takes it");
    }
    out
}

fn table_of(agent: &str) -> String {
    let mut out = String::new();
    for case in cases(agent) {
        let finding = read(agent, &recorded(agent, &case));
        writeln!(out, "{case:22} {}", line(&finding)).expect("a string takes it");
    }
    out
}

#[test]
fn what_claude_was_recorded_saying() {
    insta::assert_snapshot!(table_of("claude"), @r#"
    broken                 0+0/0 0 "" overloaded
    broken_then_fine       0+0/0 0 "" overloaded
    edit                   5000+1000/250 19050 "All done."
    failing_tool           3000+600/150 11430 "All done."
    filtered               1000+200/50 3810 "I can't help with that." refused
    hang                   0+0/0 - "" NO END
    internal               0+0/0 0 "" overloaded
    large_prompt           1000+200/50 3810 "All done."
    no_login               0+0/0 0 "" auth
    overloaded             0+0/0 0 "" overloaded
    quota                  0+0/0 0 "" rate-limit
    rate_limited           0+0/0 0 "" rate-limit
    rate_limited_then_fine 1000+200/50 3810 "All done." (mended rate-limit)
    refused                1000+200/50 3810 "I can't help with that." refused
    resumed                1000+200/50 3810 "All done."
    slow                   1000+200/50 3810 "All done."
    too_long               0+0/0 0 "" context
    unauthorized           0+0/0 0 "" auth
    unknown_flag           0+0/0 - "" NO END
    unknown_session        0+0/0 0 "" crash
    "#);
}

#[test]
fn what_codex_was_recorded_saying() {
    insta::assert_snapshot!(table_of("codex"), @r#"
    broken                 0+0/0 - "" overloaded
    broken_then_fine       1000+200/50 - "All done." (mended overloaded)
    edit                   5000+1000/250 - "All done."
    failing_tool           3000+600/150 - "All done."
    filtered               0+0/0 - "I can't help with that." refused
    hang                   0+0/0 - "" NO END
    internal               0+0/0 - "" overloaded
    large_prompt           1000+200/50 - "All done."
    no_login               0+0/0 - "" auth
    overloaded             0+0/0 - "" overloaded
    quota                  0+0/0 - "" rate-limit
    rate_limited           0+0/0 - "" rate-limit
    rate_limited_then_fine 1000+200/50 - "All done." (mended rate-limit)
    refused                0+0/0 - "" refused
    resumed                2000+400/100 - "All done."
    slow                   1000+200/50 - "All done."
    too_long               0+0/0 - "" context
    unauthorized           0+0/0 - "" auth
    unknown_flag           0+0/0 - "" NO END
    unknown_session        0+0/0 - "" NO END
    "#);
}

#[test]
fn what_pi_was_recorded_saying() {
    insta::assert_snapshot!(table_of("pi"), @r#"
    broken                 0+0/0 0 "" overloaded
    broken_then_fine       1000+200/50 3810 "All done." (mended overloaded)
    edit                   5000+1000/250 19050 "All done."
    failing_tool           3000+600/150 11430 "All done."
    filtered               1000+200/50 3810 "" refused
    hang                   0+0/0 - "" NO END
    internal               0+0/0 0 "" overloaded
    large_prompt           1000+200/50 3810 "All done."
    no_login               0+0/0 - "" NO END
    overloaded             0+0/0 0 "" overloaded
    quota                  0+0/0 0 "" rate-limit
    rate_limited           0+0/0 0 "" rate-limit
    rate_limited_then_fine 1000+200/50 3810 "All done."
    refused                1000+200/50 3810 "" refused
    resumed                1000+200/50 3810 "All done."
    slow                   1000+200/50 3810 "All done."
    too_long               0+0/0 0 "" context NO END
    unauthorized           0+0/0 0 "" auth
    unknown_flag           0+0/0 - "" NO END
    unknown_session        0+0/0 - "" NO END
    "#);
}

#[test]
fn what_opencode_was_recorded_saying() {
    insta::assert_snapshot!(table_of("opencode"), @r#"
    broken                 0+0/0 - "" overloaded
    broken_then_fine       1000+200/50 3810 "All done."
    edit                   5000+1000/250 19050 "All done."
    failing_tool           3000+600/150 11430 "All done."
    filtered               1000+200/50 3810 "I can't help with that." refused
    hang                   0+0/0 - "" NO END
    internal               0+0/0 - "" overloaded
    large_prompt           1000+200/50 3810 "All done."
    no_login               0+0/0 - "" crash
    overloaded             0+0/0 - "" overloaded
    quota                  0+0/0 - "" rate-limit
    rate_limited           0+0/0 - "" rate-limit
    rate_limited_then_fine 1000+200/50 3810 "All done."
    refused                1000+200/50 3810 "I can't help with that." refused
    resumed                1000+200/50 3810 "All done."
    slow                   1000+200/50 3810 "All done."
    too_long               1007+200/53 3876 "Nothing is left to do." (mended context)
    unauthorized           0+0/0 - "" auth
    unknown_flag           0+0/0 - "" NO END
    unknown_session        0+0/0 - "" NO END
    "#);
}

/// What somebody who watches sees, line by line.
fn watched(agent: &str, case: &str) -> String {
    let mut stream = stream(agent);
    let mut seen: Vec<String> = Vec::new();
    for line in recorded(agent, case).split_inclusive(|byte| *byte == b'\n') {
        stream.push(line, NOW);
        let now = match &stream.activity().doing {
            Doing::Tool { label } => format!("tool {label}"),
            Doing::Waiting { until, why } => format!("waiting {} ms: {why}", until.since_ms(NOW)),
            other => other.word().to_owned(),
        };
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    seen.join("\n")
}

#[test]
fn what_is_done_is_seen_while_it_is_done() {
    insta::assert_snapshot!(watched("claude", "edit"), @r"
    thinking
    tool Read: greeting.txt
    thinking
    tool Edit: greeting.txt
    thinking
    tool Bash: echo made >made.txt && cat greeting.txt
    thinking
    tool Write: sub/new.txt
    thinking
    done
    ");
    insta::assert_snapshot!(watched("codex", "edit"), @r#"
    starting
    thinking
    tool shell: /bin/bash -lc "cat 'greeting.txt'"
    thinking
    tool edit: /place/tree/greeting.txt
    thinking
    tool shell: /bin/bash -lc 'echo made >made.txt && cat greeting.txt'
    thinking
    tool edit: /place/tree/sub/new.txt
    thinking
    done
    "#);
    insta::assert_snapshot!(watched("pi", "edit"), @r"
    starting
    thinking
    tool read: greeting.txt
    thinking
    tool edit: greeting.txt
    thinking
    tool bash: echo made >made.txt && cat greeting.txt
    thinking
    tool write: sub/new.txt
    thinking
    done
    ");
    insta::assert_snapshot!(watched("opencode", "edit"), @r"
    thinking
    done
    ");
}

#[test]
fn a_programs_own_tries_are_seen_as_waiting() {
    insta::assert_snapshot!(watched("claude", "rate_limited_then_fine"), @r"
    thinking
    waiting 1000 ms: rate_limit
    thinking
    done
    ");
    insta::assert_snapshot!(watched("codex", "rate_limited_then_fine"), @r"
    starting
    thinking
    waiting 0 ms: Reconnecting... 1/2 (exceeded retry limit, last status: 429 Too Many Requests)
    waiting 0 ms: Reconnecting... 2/2 (exceeded retry limit, last status: 429 Too Many Requests)
    thinking
    done
    ");
    insta::assert_snapshot!(watched("pi", "broken_then_fine"), @r"
    starting
    thinking
    done
    waiting 1000 ms: terminated
    thinking
    done
    waiting 1000 ms: terminated
    thinking
    done
    ");
}

#[test]
fn an_account_is_whole() {
    for (agent, version, model) in [
        ("claude", Some("2.1.197"), true),
        ("codex", None, false),
        ("pi", None, true),
        ("opencode", None, false),
    ] {
        let account = read(agent, &recorded(agent, "edit")).account;
        assert_eq!(account.version.as_deref(), version, "{agent}");
        assert_eq!(account.model.is_some(), model, "{agent}");
        assert_eq!(account.session.as_deref(), Some("id-0001-of-the-program"), "{agent}");
    }
}

#[test]
fn banners_and_unknown_events_cost_nothing() {
    for adapter in table::ALL {
        let agent = adapter.name;
        let plain = recorded(agent, "edit");
        let mut noisy = b"Welcome!\n\xff\xfe\n{\n[1]\n{\"type\":\"news\",\"a\":[{}]}\n".to_vec();
        for line in plain.split_inclusive(|byte| *byte == b'\n') {
            noisy.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
            noisy.extend_from_slice(b"\r\n\n{\"type\":5}\n{\"no\":\"type\"}\nnpm notice\n");
        }
        let (plain, noisy) = (read(agent, &plain), read(agent, &noisy));
        assert_eq!((&plain.account, &plain.text), (&noisy.account, &noisy.text), "{agent}");
        assert!(noisy.ended && noisy.failure.is_none(), "{agent}");
        assert_eq!(noisy.strays.len(), 2 * STRAYS, "{agent}");
        assert_eq!(noisy.strays[0], "Welcome!");
    }
}

#[test]
fn fields_of_another_type_cost_no_event() {
    let odd = br#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":7,"usage":"none","errors":{},"modelUsage":[],"total_cost_usd":"1"}"#;
    let finding = read("claude", odd);
    assert_eq!((finding.text.as_deref(), finding.ended), (Some("done"), true));
    let odd = br#"{"type":"turn.completed","usage":[1]}"#;
    assert!(read("codex", odd).ended);
    let odd = br#"{"type":"message_end","message":{"role":"assistant","content":"x","usage":{"input":"5","cost":1}}}"#;
    assert_eq!(read("pi", odd).events, 1);
    let odd = br#"{"type":"step_finish","part":{"reason":"stop","tokens":{"input":1.5,"cache":null},"cost":{}}}"#;
    let finding = read("opencode", odd);
    assert_eq!(finding.account.usage.map(|usage| usage.input), Some(1));
}

#[test]
fn a_line_of_ten_megabytes_is_left_out() {
    for adapter in table::ALL {
        let mut bytes = b"{\"type\":\"tool_use\",\"part\":{\"text\":\"".to_vec();
        bytes.resize(10 << 20, b'x');
        bytes.extend_from_slice(b"\"}}\n");
        bytes.extend(recorded(adapter.name, "edit"));
        let finding = read(adapter.name, &bytes);
        assert_eq!((finding.skipped, finding.ended), (1, true), "{}", adapter.name);
        assert_eq!(finding.account, read(adapter.name, &recorded(adapter.name, "edit")).account);
    }
}

fn agent_and_case() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let of = |agent: &'static str| {
        let all = cases(agent);
        (0..all.len()).prop_map(move |at| (agent, recorded(agent, &all[at])))
    };
    prop_oneof![of("claude"), of("codex"), of("pi"), of("opencode")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_tells_the_same((agent, bytes) in agent_and_case(), size in 1_usize..5000) {
        let mut stream = stream(agent);
        for chunk in bytes.chunks(size) {
            stream.push(chunk, NOW);
        }
        prop_assert_eq!(stream.finish(), read(agent, &bytes));
    }

    #[test]
    fn what_is_damaged_is_no_panic(
        (agent, mut bytes) in agent_and_case(),
        hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..20),
        end in any::<usize>(),
    ) {
        for (at, byte) in hits {
            if let Some(place) = at.checked_rem(bytes.len()) {
                bytes[place] = byte;
            }
        }
        bytes.truncate(end.checked_rem(bytes.len()).unwrap_or(0));
        let finding = read(agent, &bytes);
        prop_assert!(finding.strays.iter().all(|stray| stray.len() <= STRAY));
    }

    #[test]
    fn two_streams_in_one_are_no_panic(
        (agent, one) in agent_and_case(),
        (_, two) in agent_and_case(),
        cut in 1_usize..400,
    ) {
        let mut stream = stream(agent);
        for (first, second) in one.chunks(cut).zip(two.chunks(cut * 2 + 1)) {
            stream.push(first, NOW);
            stream.push(second, NOW);
        }
        let _ = stream.finish();
    }

    #[test]
    fn garbage_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4000), text in any::<String>()) {
        for adapter in table::ALL {
            let mut stream = adapter.stream();
            stream.push(&bytes, NOW);
            stream.push(format!("\n{{\"type\":\"{text}\"}}\n{{{text}\n").as_bytes(), NOW);
            prop_assert!(!stream.finish().ended);
        }
    }
}
