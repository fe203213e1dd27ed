//! What holds in every reachable state.

use std::collections::BTreeSet;

use git_crew::domain::decide;
use git_crew::domain::lease::{Because, Binding, Facts, Life};
use stateright::Property;

use super::chain::{Entry, What, holder};
use super::world::{Protocol, World};

pub(crate) const TOKENS: &str = "every grant raises the token by one";
pub(crate) const FENCE: &str = "only the holder writes owner events, under its token";
pub(crate) const ONCE: &str = "an operation is in the chain at most once";
pub(crate) const KEPT: &str = "what was acknowledged is in the chain and can be read";
pub(crate) const HONEST: &str = "what was refused or lost is not in the chain";
pub(crate) const ALIVE: &str = "only the dead are dispossessed without force";
pub(crate) const OPEN: &str = "somebody can always be granted the run";
pub(crate) const FOLDS: &str = "what decide allows apply accepts";

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(TOKENS, |_, world| tokens(world)),
        Property::always(FENCE, |_, world| fence(world)),
        Property::always(ONCE, |_, world| once(world)),
        Property::always(KEPT, |_, world| kept(world)),
        Property::always(HONEST, |_, world| honest(world)),
        Property::always(ALIVE, |_, world| alive(world)),
        Property::always(OPEN, |_, world| open(world)),
        Property::always(FOLDS, |_, world: &World| !world.misfolded),
    ]
}

fn chain(world: &World) -> &[Entry] {
    world.disk.tip.entries()
}

fn tokens(world: &World) -> bool {
    let granted = chain(world).iter().filter_map(|entry| match entry.what {
        What::Grant { token, .. } => Some(token),
        What::Create | What::Release | What::Plan | What::Start(_) | What::Stop(_) | What::Note => {
            None
        }
    });
    granted.zip(1..).all(|(token, due)| token == due)
}

/// Looks at the events alone, not at what the fold makes of them.
fn fence(world: &World) -> bool {
    let mut held = None;
    chain(world).iter().all(|entry| match entry.what {
        What::Create | What::Note => true,
        What::Grant { token, .. } => {
            held = Some((entry.by, token));
            true
        }
        What::Release | What::Plan | What::Start(_) | What::Stop(_) => {
            let right = entry.token.is_some_and(|token| held == Some((entry.by, token)));
            if entry.what == What::Release {
                held = None;
            }
            right
        }
    })
}

fn once(world: &World) -> bool {
    let ops: BTreeSet<_> = chain(world).iter().map(|entry| entry.op).collect();
    ops.len() == chain(world).len()
}

fn kept(world: &World) -> bool {
    let there = world.acked.iter().all(|op| world.disk.tip.holds(*op));
    there && (world.acked.is_empty() || world.disk.readable())
}

fn honest(world: &World) -> bool {
    !world.denied.iter().any(|op| world.disk.tip.holds(*op))
}

/// An incarnation that died never lives again, so this can be asked afterwards.
fn alive(world: &World) -> bool {
    let mut held = None;
    chain(world).iter().all(|entry| match entry.what {
        What::Grant { because, .. } => {
            let unforced = !matches!(because, Because::Free | Because::Forced);
            let before = held.replace(entry.by);
            let lives = world.procs.iter().any(|proc| proc.alive && Some(proc.id) == before);
            !(unforced && lives)
        }
        What::Create | What::Release | What::Plan | What::Start(_) | What::Stop(_) | What::Note => {
            true
        }
    })
}

fn open(world: &World) -> bool {
    let run = world.disk.tip.run();
    let held = run.lease.held.as_ref();
    let dead = held.is_none_or(|grant| {
        !world.procs.iter().any(|proc| proc.alive && holder(proc.id) == grant.holder)
    });
    let facts = |force| Facts {
        holder: holder(200),
        machine: "m".into(),
        boot: format!("b{}", world.boot),
        life: if dead { Life::Dead } else { Life::Alive },
        watched_ms: 0,
        force,
    };
    let granted = |force| decide::claim(run, &facts(force), Binding::Local).is_ok();
    world.disk.readable() && granted(true) && granted(false) == dead
}
