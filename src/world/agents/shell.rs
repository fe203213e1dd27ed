//! The embedded agent `sh`: for demonstrations, tests, and steps that are a
//! script and need no model.

use crate::domain::fence::last_sh_block;
use crate::world::process::Stdin;

use super::{AgentError, Invocation, Telling};

/// The last `sh` block, with `-e`: a script whose first half failed has failed.
pub(super) fn invocation(telling: &Telling<'_>) -> Result<Invocation, AgentError> {
    let script = last_sh_block(telling.text).ok_or(AgentError::NoBlock)?;
    Ok(Invocation {
        program: "sh".into(),
        args: vec!["-e".into(), "-c".into(), script.into()],
        stdin: Stdin::Bytes(telling.packet.as_bytes().to_vec()),
    })
}
