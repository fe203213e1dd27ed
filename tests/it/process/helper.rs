//! Helper programs: `process::output` and `process::Helper`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use git_crew::world::process::{HELPER_MARK, Output, ProcessError, output};

const MINUTE: Duration = Duration::from_secs(60);

fn sh(script: &str, stdin: &[u8], deadline: Duration) -> Result<Output, ProcessError> {
    let args = [OsString::from("-c"), script.into()];
    let env = [(OsString::from("PATH"), std::env::var_os("PATH").unwrap())];
    output(OsStr::new("sh"), &args, &env, Path::new("/"), stdin, deadline)
}

#[test]
fn bytes_go_through_whole_and_a_code_is_no_error() {
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    let out = sh("cat; echo no >&2; exit 7", &bytes, MINUTE).unwrap();
    assert_eq!((out.code, out.signal), (Some(7), None));
    assert!(out.stdout == bytes, "{} bytes came back", out.stdout.len());
    assert_eq!(out.stderr, b"no\n");
}

#[test]
fn unread_input_is_no_error() {
    let out = sh("echo done", &vec![0; 1 << 20], MINUTE).unwrap();
    assert_eq!(out.stdout, b"done\n");
    let out = sh("exec 0<&-; sleep 0.2; echo done", &vec![0; 1 << 20], MINUTE).unwrap();
    assert_eq!(out.stdout, b"done\n");
}

#[test]
fn a_helper_is_killed_at_its_deadline_with_its_group() {
    for script in
        ["sleep 1000 & sleep 1000", "exec >&- 2>&-; sleep 1000", "trap '' TERM; sleep 1000"]
    {
        let late = sh(script, b"", Duration::from_millis(300));
        assert!(matches!(late, Err(ProcessError::Deadline { .. })), "{late:?}");
    }
}

#[test]
fn a_child_that_holds_the_output_does_not_hold_us() {
    let out = sh("sleep 1000 & echo $!", b"", MINUTE).unwrap();
    let pid = String::from_utf8(out.stdout).unwrap();
    let gone = || !Path::new("/proc").join(pid.trim()).join("exe").exists();
    assert!(super::poll(gone), "{pid} is alive");
}

#[test]
fn the_environment_is_the_given_one_and_the_mark() {
    let env =
        [(OsString::from("PATH"), OsString::from("/usr/bin:/bin")), ("A".into(), "b c".into())];
    let out = output(OsStr::new("env"), &[], &env, Path::new("/"), b"", MINUTE).unwrap();
    let mut lines: Vec<String> =
        String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    let mark = format!("{HELPER_MARK}={}", std::process::id());
    assert_eq!(lines, ["A=b c".to_owned(), mark, "PATH=/usr/bin:/bin".to_owned()]);
}

#[test]
fn a_missing_program_is_named() {
    let error = output(OsStr::new("no-such-program"), &[], &[], Path::new("/"), b"", MINUTE);
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "cannot start 'no-such-program'");
}

#[test]
fn a_flood_is_an_error_not_a_cut() {
    let error = sh("yes", b"", MINUTE).unwrap_err();
    assert!(matches!(error, ProcessError::TooMuch { .. }), "{error:?}");
}
