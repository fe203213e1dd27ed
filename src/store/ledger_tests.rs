//! The ledger on chains in memory: races, zombies, unknown outcomes.

use super::*;
use crate::domain::fold;
use crate::domain::lease::{LeaseRefusal, Life};
use crate::domain::run::{Outline, OutlineTask, Request, RunEnd, RunStatus};
use crate::store::error::StoreError;
use crate::store::memory::MemoryStore;
use crate::store::names::RefName;
use crate::store::runs;

struct Counter(u64, u8);

impl Stamps for Counter {
    fn now(&mut self) -> Timestamp {
        self.0 += 1;
        Timestamp(1_700_000_000_000 + i64::try_from(self.0).expect("small"))
    }
    fn op(&mut self) -> Op {
        let mut bytes = [self.1; 16];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        Op::new(bytes)
    }
}

fn id() -> RunId {
    RunId::new(1, "goal")
}

fn ledger(chains: &Arc<MemoryStore>, who: u8) -> Ledger {
    let chains: Arc<dyn Chains> = Arc::clone(chains) as _;
    Ledger::new(chains, id(), HolderId::new([who; 16]), Box::new(Counter(0, who)))
}

fn facts(who: u8, life: Life, force: bool) -> Facts {
    Facts {
        holder: HolderId::new([who; 16]),
        machine: "m".into(),
        boot: "b".into(),
        life,
        watched_ms: 0,
        force,
    }
}

fn created() -> EventKind {
    EventKind::RunCreated {
        goal: "goal".into(),
        base: "a".repeat(40).parse().expect("an id"),
        request: Request::default(),
    }
}

fn planned() -> EventKind {
    let task = OutlineTask {
        id: "one".parse().expect("a slug"),
        title: "one".into(),
        role: "r".into(),
        needs: vec![],
    };
    EventKind::RunPlanned { outline: Outline { jobs: 1, tasks: vec![task] } }
}

fn held(chains: &Arc<MemoryStore>) -> Ledger {
    let mut ledger = ledger(chains, 1);
    ledger.write(vec![created()], Files::new()).expect("creates");
    ledger.claim(&mut |_| Ok(facts(1, Life::Unknown, false))).expect("takes the lease");
    ledger
}

#[test]
fn a_batch_is_one_swap_and_every_commit_holds_its_state() {
    let chains = Arc::new(MemoryStore::new());
    let mut ledger = held(&chains);
    let files = Files::from([("plan.json".to_owned(), Some(b"{}".to_vec()))]);
    let note = EventKind::Noted { text: "n".into() };
    ledger.write(vec![planned(), note], files).expect("writes");
    let tip = ledger.tip().cloned().expect("a tip");
    let (mut story, id) = (Vec::new(), id());
    for item in runs::history(chains.as_ref(), &id, tip.clone()) {
        let (commit, event) = item.expect("reads");
        story.insert(0, event);
        let (state, _) = runs::state_at(chains.as_ref(), &id, &commit).expect("has a state");
        assert_eq!(state.seq, story[0].seq, "the state in a commit is the state after it");
    }
    let folded = fold::fold(&id, &story).expect("folds");
    assert_eq!(runs::load(chains.as_ref(), &id).expect("loads").run, folded);
    assert_eq!(folded.status, RunStatus::Running);
    assert_eq!(chains.file(&tip, "plan.json").expect("reads"), Some(b"{}".to_vec()));
}

#[test]
fn a_refused_batch_writes_nothing() {
    let chains = Arc::new(MemoryStore::new());
    let mut ledger = held(&chains);
    let before = ledger.tip().cloned();
    let end = EventKind::RunEnded { end: RunEnd::Completed, why: "w".into() };
    let error = ledger.write(vec![planned(), end], Files::new()).expect_err("a task is open");
    assert!(matches!(error, LedgerError::Refused(Refusal::Unfinished(_))), "{error}");
    assert_eq!(chains.tip(&RefName::run(&id())).expect("reads"), before);
}

/// Between the look at a holder and the claim another process may have taken the
/// run over: what was seen of the dead one says nothing of the living.
#[test]
fn a_claim_looks_at_the_holder_that_it_would_dispossess() {
    let chains = Arc::new(MemoryStore::new());
    held(&chains);
    let (mut second, mut third) = (ledger(&chains, 2), ledger(&chains, 3));
    let mut looks = 0;
    let error = third.claim(&mut |run| {
        looks += 1;
        if looks == 1 {
            second.claim(&mut |_| Ok(facts(2, Life::Dead, false))).expect("the first is dead");
        }
        let of_first = run.lease.token == Token(1);
        Ok(facts(3, if of_first { Life::Dead } else { Life::Alive }, false))
    });
    let error = error.expect_err("the second lives").to_string();
    assert!(error.contains("token 2") && error.contains("is alive"), "{error}");
    assert_eq!(looks, 2, "it was not looked at again");
}

#[test]
fn a_zombies_next_write_is_refused() {
    let chains = Arc::new(MemoryStore::new());
    let mut zombie = held(&chains);
    let mut second = ledger(&chains, 2);
    let error =
        second.claim(&mut |_| Ok(facts(2, Life::Alive, false))).expect_err("the first one lives");
    let LedgerError::Refused(Refusal::Lease(LeaseRefusal::Held { token, .. })) = error else {
        panic!("{error}")
    };
    assert_eq!(token, Token(1));
    second.claim(&mut |_| Ok(facts(2, Life::Alive, true))).expect("a person forces it");
    assert_eq!(second.token(), Some(Token(2)));
    let error = zombie.write(vec![planned()], Files::new()).expect_err("it was fenced off");
    assert!(
        matches!(
            error,
            LedgerError::Refused(Refusal::Fenced { mine: Token(1), current: Token(2) })
        ),
        "{error}"
    );
    second.write(vec![planned()], Files::new()).expect("the new holder writes");
}

#[test]
fn a_control_event_of_another_is_taken_up_and_built_upon() {
    let chains = Arc::new(MemoryStore::new());
    let mut holder = held(&chains);
    let cancel = EventKind::CancelRequested { why: "enough".into() };
    ledger(&chains, 3).write(vec![cancel], Files::new()).expect("anyone may ask");
    holder.write(vec![planned()], Files::new()).expect("loses the race once, then wins");
    let run = holder.run().expect("a state");
    assert_eq!((run.cancel.as_deref(), run.status), (Some("enough"), RunStatus::Running));
}

#[test]
fn somebody_who_writes_in_our_name_is_found_out() {
    let chains = Arc::new(MemoryStore::new());
    let mut holder = held(&chains);
    let mut twin = ledger(&chains, 1);
    twin.refresh().expect("reads");
    twin.token = Some(Token(1));
    twin.stamps = Box::new(Counter(1000, 9));
    twin.write(vec![planned()], Files::new()).expect("nothing tells it apart");
    let error = holder.refresh().expect_err("but it was not we");
    assert!(matches!(error, LedgerError::Compromised { .. }), "{error}");
}

#[test]
fn an_owner_event_without_a_lease_is_refused() {
    let chains = Arc::new(MemoryStore::new());
    held(&chains);
    let error = ledger(&chains, 4).write(vec![planned()], Files::new()).expect_err("no lease");
    assert!(matches!(error, LedgerError::Refused(Refusal::NotHolder { .. })), "{error}");
}

/// A store whose appends have an outcome that nobody knows, as after a failed
/// sync: they happened, or they did not.
struct Doubtful {
    inner: Arc<MemoryStore>,
    happens: bool,
    doubts: std::sync::atomic::AtomicU32,
}

impl Chains for Doubtful {
    fn tip(&self, name: &RefName) -> Result<Option<Oid>, StoreError> {
        self.inner.tip(name)
    }
    fn entry(&self, id: &Oid) -> Result<crate::store::Entry, StoreError> {
        self.inner.entry(id)
    }
    fn file(&self, commit: &Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.file(commit, path)
    }
    fn files(&self, commit: &Oid, folder: &str) -> Result<Vec<String>, StoreError> {
        self.inner.files(commit, folder)
    }
    fn append(
        &self,
        name: &RefName,
        expected: Option<&Oid>,
        entries: &[crate::store::NewEntry],
    ) -> Result<crate::store::Swap, StoreError> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.doubts.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_err() {
            return self.inner.append(name, expected, entries);
        }
        if self.happens {
            let _ = self.inner.append(name, expected, entries)?;
        }
        let source = Box::new(std::io::Error::other("sync failed"));
        Err(StoreError::Unsettled { name: name.clone(), source })
    }
    fn point(
        &self,
        name: &RefName,
        expected: Option<&Oid>,
        new: &Oid,
    ) -> Result<crate::store::Swap, StoreError> {
        self.inner.point(name, expected, new)
    }
    fn remove(&self, name: &RefName, expected: &Oid) -> Result<crate::store::Swap, StoreError> {
        self.inner.remove(name, expected)
    }
    fn list(&self, prefix: &str) -> Result<Vec<(RefName, Oid)>, StoreError> {
        self.inner.list(prefix)
    }
    fn make_alias(&self) -> Result<(), StoreError> {
        self.inner.make_alias()
    }
}

#[test]
fn an_unknown_outcome_is_settled_by_looking_for_the_op() {
    for happens in [true, false] {
        let inner = Arc::new(MemoryStore::new());
        let doubts = std::sync::atomic::AtomicU32::new(0);
        let store = Arc::new(Doubtful { inner: Arc::clone(&inner), happens, doubts });
        let chains: Arc<dyn Chains> = Arc::clone(&store) as _;
        let me = HolderId::new([1; 16]);
        let mut ledger = Ledger::new(chains, id(), me, Box::new(Counter(0, 1)));
        ledger.write(vec![created()], Files::new()).expect("creates");
        ledger.claim(&mut |_| Ok(facts(1, Life::Unknown, false))).expect("takes the lease");
        store.doubts.store(2, std::sync::atomic::Ordering::SeqCst);
        ledger.write(vec![planned()], Files::new()).expect("settles");
        let id = id();
        let tip = ledger.tip().cloned().expect("a tip");
        let story: Vec<_> = runs::history(inner.as_ref(), &id, tip)
            .map(|item| item.expect("reads").1.kind.word())
            .collect();
        assert_eq!(story, ["run-planned", "lease-granted", "run-created"], "once, {happens}");
        ledger.write(vec![EventKind::LeaseReleased], Files::new()).expect("and goes on");
    }
}
