//! Any command line as an agent. It is a shell's, as git's own aliases are.

use std::ffi::OsString;

use crate::world::process::Stdin;

use super::{AgentError, Invocation, PromptBy, Telling};

/// The most bytes of one argument; the kernel takes 128 KiB with its end.
const ARGUMENT: usize = 120 << 10;

/// `sh -c 'LINE "$@"'`: what is added stands behind the user's own words and is
/// never read by the shell.
pub(super) fn invocation(
    line: &str,
    prompt: PromptBy,
    telling: &Telling<'_>,
) -> Result<Invocation, AgentError> {
    if prompt == PromptBy::Argument && telling.packet.len() > ARGUMENT {
        return Err(AgentError::TooLong(telling.packet.len()));
    }
    let extra: Option<OsString> = match prompt {
        PromptBy::Stdin => None,
        PromptBy::Argument => Some(telling.packet.into()),
        PromptBy::File => Some(telling.file.into()),
    };
    let script = match extra {
        Some(_) => format!("{line} \"$@\""),
        None => line.to_owned(),
    };
    let mut args: Vec<OsString> = vec!["-c".into(), script.into(), "crew-agent".into()];
    args.extend(extra);
    let stdin = match prompt {
        PromptBy::Stdin => Stdin::Bytes(telling.packet.as_bytes().to_vec()),
        PromptBy::Argument | PromptBy::File => Stdin::Null,
    };
    Ok(Invocation { program: "sh".into(), args, stdin })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_prompt_is_never_read_by_the_shell() {
        let file = Path::new("/in/prompt.md");
        let telling = Telling { packet: "'; rm -rf / #", text: "", file, session: None };
        let made = |line, by| invocation(line, by, &telling).expect("it can be told");
        let by_argument = made("tool -p", PromptBy::Argument);
        assert_eq!(by_argument.args[1], "tool -p \"$@\"");
        assert_eq!(by_argument.args[3], "'; rm -rf / #");
        assert_eq!(by_argument.stdin, Stdin::Null);
        let by_file = made("tool", PromptBy::File);
        assert_eq!(by_file.args[3], "/in/prompt.md");
        let by_stdin = made("tool", PromptBy::Stdin);
        assert_eq!(by_stdin.args.len(), 3);
        assert_eq!(by_stdin.stdin, Stdin::Bytes(b"'; rm -rf / #".to_vec()));
        let long = "x".repeat(ARGUMENT + 1);
        let telling = Telling { packet: &long, ..telling };
        let refused = invocation("tool", PromptBy::Argument, &telling);
        assert_eq!(refused, Err(AgentError::TooLong(ARGUMENT + 1)));
        assert!(invocation("tool", PromptBy::Stdin, &telling).is_ok());
    }
}
