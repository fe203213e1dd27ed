//! The wire form of what an agent told of itself. Since 1.1.

use serde::{Deserialize, Serialize};

use crate::domain::account::Account;
use crate::domain::usage::Usage;

#[derive(Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireAccount {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct WireUsage {
    input: u64,
    output: u64,
    cached: u64,
    /// Absent when nobody told the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost_micro: Option<u64>,
}

impl WireAccount {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Account> for WireAccount {
    fn from(account: Account) -> Self {
        let Account { version, model, session, usage } = account;
        let usage = usage.map(|usage| {
            let Usage { input, output, cached, cost_micro } = usage;
            WireUsage { input, output, cached, cost_micro }
        });
        Self { version, model, session, usage }
    }
}

impl From<WireAccount> for Account {
    fn from(wire: WireAccount) -> Self {
        let WireAccount { version, model, session, usage } = wire;
        let usage = usage.map(|wire| {
            let WireUsage { input, output, cached, cost_micro } = wire;
            Usage { input, output, cached, cost_micro }
        });
        Self { version, model, session, usage }
    }
}
