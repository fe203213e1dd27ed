//! Who may take a lease over, and who may not.

use crate::domain::given::*;

use super::*;

fn lease(binding: Binding) -> Lease {
    let grant = Grant { holder: holder("a"), machine: "m1".into(), boot: "b1".into(), binding };
    Lease { token: Token(7), held: Some(grant) }
}

fn asks(change: impl Fn(&mut Facts)) -> Facts {
    let mut facts = facts("b");
    change(&mut facts);
    facts
}

fn unproved() -> LeaseRefusal {
    LeaseRefusal::Unproved { holder: holder("a"), machine: "m1".into(), token: Token(7) }
}

#[test]
fn the_table_of_local_claims() {
    let local = lease(Binding::Local);
    let claim = |change: &dyn Fn(&mut Facts)| local.claim(&asks(change));
    let held = LeaseRefusal::Held { holder: holder("a"), token: Token(7) };
    assert_eq!(Lease::default().claim(&facts("b")), Ok(Because::Free));
    assert_eq!(claim(&|_| ()), Err(held.clone()));
    assert_eq!(claim(&|f| f.watched_ms = u64::MAX), Err(held), "a local lease has no time");
    assert_eq!(claim(&|f| f.life = Life::Dead), Ok(Because::HolderDied));
    assert_eq!(claim(&|f| f.life = Life::Unknown), Err(unproved()));
    assert_eq!(claim(&|f| f.boot = "b2".into()), Ok(Because::Rebooted));
    assert_eq!(claim(&|f| f.machine = "m2".into()), Err(unproved()));
    let far = |f: &mut Facts| {
        f.machine = "m2".into();
        f.life = Life::Dead;
    };
    assert_eq!(claim(&far), Err(unproved()), "a lock that is free elsewhere proves nothing");
    assert_eq!(claim(&|f| f.force = true), Ok(Because::Forced));
    let own = asks(|f| f.holder = holder("a"));
    assert_eq!(local.claim(&own), Err(LeaseRefusal::AlreadyYours(Token(7))));
}

#[test]
fn machines_without_an_id_are_not_one_machine() {
    let mut nameless = lease(Binding::Local);
    if let Some(grant) = &mut nameless.held {
        grant.machine = String::new();
    }
    let other = asks(|f| {
        f.machine = String::new();
        f.boot = "b2".into();
    });
    let refused = nameless.claim(&other);
    assert!(matches!(refused, Err(LeaseRefusal::Unproved { .. })), "{refused:?}");
    let no_boot = lease(Binding::Local).claim(&asks(|f| f.boot = String::new()));
    assert_eq!(no_boot, Err(unproved()));
}

#[test]
fn a_renewing_lease_is_taken_after_the_patience_only() {
    let renews = lease(Binding::Renews { ttl_ms: 120_000 });
    let claim = |change: &dyn Fn(&mut Facts)| renews.claim(&asks(change));
    assert_eq!(patience_ms(120_000), 155_000);
    assert_eq!(claim(&|f| f.watched_ms = 154_999), Err(unproved()));
    assert_eq!(claim(&|f| f.watched_ms = 155_000), Ok(Because::Silent));
    assert_eq!(claim(&|f| f.life = Life::Dead), Err(unproved()));
    assert_eq!(claim(&|f| f.boot = "b2".into()), Err(unproved()));
    assert_eq!(claim(&|f| f.force = true), Ok(Because::Forced));
    assert_eq!(patience_ms(u64::MAX), u64::MAX);
}

#[test]
fn whatever_a_claim_allows_the_lease_admits() {
    let text = |n: u8| ["", "m1", "m2"][usize::from(n)].to_owned();
    let mut allowed = 0;
    for bits in 0..(3 * 3 * 3 * 2 * 2 * 2 * 2_u32) {
        let digit = |at: u32, base: u32| ((bits / at) % base) as u8;
        let binding =
            if digit(27, 2) == 0 { Binding::Local } else { Binding::Renews { ttl_ms: 1 } };
        let lease = lease(binding);
        let facts = asks(|f| {
            f.machine = text(digit(1, 3));
            f.boot = text(digit(3, 3)).replace('m', "b");
            f.life = [Life::Alive, Life::Dead, Life::Unknown][usize::from(digit(9, 3))];
            f.force = digit(54, 2) == 1;
            f.watched_ms = u64::from(digit(108, 2)) * 10_000;
        });
        let Ok(because) = lease.claim(&facts) else { continue };
        allowed += 1;
        let grant = Grant {
            holder: facts.holder.clone(),
            machine: facts.machine.clone(),
            boot: facts.boot.clone(),
            binding,
        };
        assert!(lease.admits(&grant, because), "{facts:?}: {because:?}");
        assert!(!lease.admits(&grant, Because::Free), "a held lease is not free");
    }
    assert!(allowed > 100, "{allowed}");
}
