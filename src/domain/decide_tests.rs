//! What `decide` lets through and what it refuses, event by event.

use crate::domain::attempt::FailureClass;
use crate::domain::given::*;

use super::*;
use RunStatus as R;
use TaskStatus as T;

fn a() -> Actor {
    by("a", 1)
}

fn finished() -> EventKind {
    ended("one", 1, Ending::Finished)
}

#[test]
fn a_run_is_created_once() {
    Story::default().when(anyone("u"), created()).then_run(R::Queued);
    asked_for().when(anyone("u"), created()).refused(Refusal::Exists);
    Story::default().when(anyone("u"), noted()).refused(Refusal::Absent);
}

#[test]
fn owner_events_need_the_lease() {
    let start = || started("one", 1);
    one([]).when(a(), start()).then("one", T::Running);
    let not_holder = Refusal::NotHolder { event: "attempt-started" };
    one([]).when(anyone("a"), start()).refused(not_holder.clone());
    one([]).when(by("b", 1), start()).refused(not_holder.clone());
    one([]).when(by("a", 2), start()).refused(not_holder.clone());
    let released = one([EventKind::LeaseReleased]);
    released.clone().when(a(), start()).refused(not_holder);
    let fenced = Refusal::Fenced { mine: Token(1), current: Token(2) };
    released.clone().held_by("b").when(a(), start()).refused(fenced.clone());
    released.held_by("a").when(a(), start()).refused(fenced);
}

#[test]
fn control_events_need_no_lease_but_a_run_that_is_not_over() {
    one([]).when(anyone("u"), noted()).then_run(R::Running);
    one([]).when(anyone("u"), cancel_asked()).then_run(R::Running);
    asked_for().when(anyone("u"), cancel_asked()).then_run(R::Queued);
    one([cancel_asked()]).when(anyone("u"), cancel_asked()).refused(Refusal::AlreadyAsked);
    let over = || one([over("one", TaskEnd::Failed), run_over(RunEnd::Failed)]);
    let refusal = Refusal::RunOver { status: R::Failed };
    over().when(anyone("u"), cancel_asked()).refused(refusal.clone());
    over().when(anyone("u"), noted()).refused(refusal);
}

#[test]
fn a_grant_names_its_writer_and_a_true_reason() {
    let free = one([EventKind::LeaseReleased]);
    let grant = claim(free.run(), &facts("b"), Binding::Local).expect("it is free");
    free.clone().when(anyone("b"), grant.clone()).then_run(R::Running);
    free.when(anyone("c"), grant.clone()).refused(Refusal::BadGrant(Token(1)));
    let stale = Refusal::Fenced { mine: Token(2), current: Token(2) };
    one([EventKind::LeaseReleased]).held_by("c").when(anyone("b"), grant.clone()).refused(stale);
    one([]).when(anyone("b"), grant).refused(Refusal::BadGrant(Token(1)));
}

#[test]
fn a_plan_is_made_once_and_can_be_worked_off() {
    let fresh = || asked_for().held_by("a");
    let bad = |tasks: &[(&str, &[&str])], which: &str| {
        fresh().when(a(), planned(tasks)).refused(Refusal::BadPlan(task(which)));
    };
    bad(&[("x", &[]), ("x", &[])], "x");
    bad(&[("x", &["y"])], "x");
    bad(&[("x", &[]), ("y", &["z"]), ("z", &["y"])], "y");
    fresh().when(a(), planned(&[])).refused(Refusal::EmptyPlan);
    fresh().when(a(), planned(&[("y", &["x"]), ("x", &[])])).then_run(R::Running);
    let again = || planned(&[("other", &[])]);
    one([]).when(a(), again()).refused(Refusal::RunMove { from: R::Running, to: R::Running });
    let failed = one([over("one", TaskEnd::Failed), run_over(RunEnd::Failed)]);
    failed.when(a(), again()).refused(Refusal::RunMove { from: R::Failed, to: R::Running });
}

#[test]
fn an_attempt_starts_in_order_and_when_its_needs_are_complete() {
    let two = || given(&[("one", &[]), ("two", &["one"])]);
    let waits = Refusal::NotReady { task: task("two"), needs: task("one") };
    two().when(a(), started("two", 1)).refused(waits.clone());
    let failed = two().and([over("one", TaskEnd::Failed)]);
    failed.when(a(), started("two", 1)).refused(waits);
    two().and(done("one")).when(a(), started("two", 1)).then("two", T::Running);
    let wrong = Refusal::WrongAttempt { task: task("one"), attempt: 2 };
    two().when(a(), started("one", 2)).refused(wrong);
    two().when(a(), started("none", 1)).refused(Refusal::NoTask(task("none")));
    let running = Refusal::TaskMove { task: task("one"), from: T::Running, to: T::Running };
    one([started("one", 1)]).when(a(), started("one", 2)).refused(running);
}

#[test]
fn an_attempt_ends_once_and_by_its_number() {
    let open = || one([started("one", 1)]);
    open().when(a(), finished()).then("one", T::Verifying);
    let failed = ended("one", 1, failure(FailureClass::Exit));
    open().when(a(), failed).then("one", T::Verifying);
    open().when(a(), ended("one", 1, Ending::Interrupted)).then("one", T::Queued);
    open().when(a(), ended("one", 1, Ending::Cancelled)).then("one", T::Queued);
    let wrong = Refusal::WrongAttempt { task: task("one"), attempt: 2 };
    open().when(a(), ended("one", 2, Ending::Finished)).refused(wrong);
    let twice = Refusal::TaskMove { task: task("one"), from: T::Verifying, to: T::Verifying };
    open().and([finished()]).when(a(), finished()).refused(twice);
}

#[test]
fn an_attempt_of_an_earlier_holder_only_ends_as_stopped() {
    let taken = || one([started("one", 1), EventKind::LeaseReleased]).held_by("b");
    let foreign = Refusal::Foreign { task: task("one"), attempt: 1 };
    taken().when(by("b", 2), finished()).refused(foreign.clone());
    let failed = ended("one", 1, failure(FailureClass::Exit));
    taken().when(by("b", 2), failed).refused(foreign);
    taken().when(by("b", 2), ended("one", 1, Ending::Interrupted)).then("one", T::Queued);
}

#[test]
fn a_verdict_rests_on_the_tree_and_on_checks() {
    let left = || one([started("one", 1), finished()]);
    left().when(a(), judged("one", 1, Judgement::Passed)).then("one", T::Verifying);
    let unfounded = Refusal::Unfounded(task("one"));
    let change = |change: &dyn Fn(&mut Verdict)| {
        let mut kind = judged("one", 1, Judgement::Passed);
        let EventKind::VerdictReached { verdict, .. } = &mut kind else { panic!("a verdict") };
        change(verdict);
        kind
    };
    left().when(a(), change(&|v| v.tree = tree(9))).refused(unfounded.clone());
    left().when(a(), change(&|v| v.checks.clear())).refused(unfounded.clone());
    left().when(a(), change(&|v| v.checks[0].code = None)).refused(unfounded);
    let judged_once = left().and([judged("one", 1, Judgement::Failed)]);
    let wrong = Refusal::WrongAttempt { task: task("one"), attempt: 1 };
    judged_once.when(a(), judged("one", 1, Judgement::Passed)).refused(wrong);
}

#[test]
fn a_task_completes_only_with_a_result_that_no_check_failed() {
    let with = |result| one([started("one", 1), finished(), judged("one", 1, result)]);
    let complete = || over("one", TaskEnd::Completed);
    let no_result = Refusal::NoResult(task("one"));
    let passed = with(Judgement::Passed).when(a(), complete()).then("one", T::Completed);
    assert!(passed.run().verified());
    let unverified = with(Judgement::Unverified).when(a(), complete()).then("one", T::Completed);
    assert!(!unverified.run().verified());
    with(Judgement::Failed).when(a(), complete()).refused(no_result.clone());
    one([started("one", 1), finished()]).when(a(), complete()).refused(no_result.clone());
    let failed = [started("one", 1), ended("one", 1, failure(FailureClass::Exit))];
    let judged_anyway = judged("one", 1, Judgement::Passed);
    one(failed).and([judged_anyway]).when(a(), complete()).refused(no_result);
}

#[test]
fn a_completed_run_has_a_result_that_holds_every_task() {
    let all = || one(done("one"));
    let complete = || run_over(RunEnd::Completed);
    all().when(a(), complete()).refused(Refusal::NoRunResult);
    all().and([result_made()]).when(a(), complete()).then_run(R::Completed);
    let left = EventKind::ResultMade {
        commit: oid(5),
        merged: Vec::new(),
        left: vec![crate::domain::event::Unmerged { task: task("one"), paths: vec!["f".into()] }],
    };
    all().and([left.clone()]).when(a(), complete()).refused(Refusal::NoRunResult);
    all().and([left]).when(a(), run_over(RunEnd::Blocked)).then_run(R::Blocked);
    one([]).when(a(), result_made()).refused(Refusal::Unfinished(task("one")));
    one([]).when(a(), run_over(RunEnd::Failed)).refused(Refusal::Unfinished(task("one")));
    let failed = one([over("one", TaskEnd::Failed), result_made()]);
    failed.when(a(), complete()).refused(Refusal::Unfinished(task("one")));
}

#[test]
fn a_result_is_void_when_a_task_is_reopened() {
    let story = given(&[("one", &[]), ("two", &[])])
        .and(done("one"))
        .and([over("two", TaskEnd::Failed), result_made(), reopened("two")])
        .and(done("two"));
    assert_eq!(story.run().result, None);
    story.when(a(), run_over(RunEnd::Completed)).refused(Refusal::NoRunResult);
}

#[test]
fn a_run_is_reopened_where_it_stopped() {
    let failed = || one([over("one", TaskEnd::Failed), run_over(RunEnd::Failed)]);
    failed().when(a(), EventKind::RunReopened).then_run(R::Running);
    failed().when(a(), reopened("one")).refused(Refusal::RunOver { status: R::Failed });
    let unplanned = || asked_for().held_by("a");
    let cancelled = unplanned().and([run_over(RunEnd::Cancelled)]);
    cancelled.when(a(), EventKind::RunReopened).then_run(R::Planning);
    let not_over = Refusal::RunMove { from: R::Planning, to: R::Planning };
    unplanned().when(a(), EventKind::RunReopened).refused(not_over);
    let completed = one(done("one")).and([result_made(), run_over(RunEnd::Completed)]);
    let last = Refusal::RunMove { from: R::Completed, to: R::Running };
    completed.when(a(), EventKind::RunReopened).refused(last);
}

#[test]
fn a_task_is_reopened_with_its_attempts_forgiven() {
    let failed = one([
        started("one", 1),
        finished(),
        judged("one", 1, Judgement::Failed),
        over("one", TaskEnd::Failed),
    ]);
    let story = failed.when(a(), reopened("one")).then("one", T::Queued);
    let found = story.run().task(&task("one")).expect("it exists");
    assert_eq!((found.forgiven, found.attempts.len(), found.next_attempt()), (1, 1, 2));
    let completed = Refusal::TaskMove { task: task("one"), from: T::Completed, to: T::Queued };
    one(done("one")).when(a(), reopened("one")).refused(completed);
    let running = Refusal::TaskMove { task: task("one"), from: T::Running, to: T::Queued };
    one([started("one", 1)]).when(a(), reopened("one")).refused(running);
}

#[test]
fn cancelling_is_forgotten_when_the_run_has_answered_it() {
    let story = one([cancel_asked(), over("one", TaskEnd::Cancelled)]);
    let story = story.and([run_over(RunEnd::Cancelled), EventKind::RunReopened]);
    assert_eq!(story.run().cancel, None);
    assert_eq!(story.run().ended, None);
}

fn judged_well() -> [EventKind; 3] {
    [started("one", 1), finished(), judged("one", 1, Judgement::Unverified)]
}

#[test]
fn a_plan_comes_behind_a_judged_task_once() {
    let story = || given(&[("one", &[]), ("last", &["one"])]).and(judged_well());
    let plan = || revised("one", &[("more", &["one"]), ("most", &["more"])]);
    let after = story().when(a(), plan()).then("more", T::Queued);
    let needs = |story: &Story, id: &str| -> Vec<String> {
        story.run().task(&task(id)).expect("a task").needs.iter().map(ToString::to_string).collect()
    };
    assert_eq!(needs(&after, "last"), ["one", "most"], "it waits for the whole plan");
    let order: Vec<&str> = after.run().tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(order, ["one", "more", "most", "last"]);
    assert_eq!(after.run().tasks[1].planned_by, Some(task("one")));
    let again = revised("one", &[("other", &["one"])]);
    after.clone().when(a(), again).refused(Refusal::NoRevision(task("one")));
    let after = after.and([over("one", TaskEnd::Completed)]);
    let not_ready = Refusal::NotReady { task: task("last"), needs: task("most") };
    after.when(a(), started("last", 1)).refused(not_ready);
    let twice = revised("one", &[("last", &["one"])]);
    story().when(a(), twice).refused(Refusal::BadPlan(task("last")));
    let circle = revised("one", &[("more", &["last"])]);
    assert!(matches!(story().when(a(), circle).why(), Refusal::BadPlan(_)));
    story().when(a(), revised("one", &[])).refused(Refusal::NoRevision(task("one")));
    let bad = one([started("one", 1), finished(), judged("one", 1, Judgement::Failed)]);
    bad.when(a(), plan()).refused(Refusal::NoRevision(task("one")));
    one([])
        .and(judged_well())
        .when(anyone("u"), plan())
        .refused(Refusal::NotHolder { event: "plan-revised" });
}

#[test]
fn a_list_takes_the_place_of_its_task() {
    let tasks: &[(&str, &[&str])] = &[("one", &[]), ("each", &["one"]), ("last", &["each"])];
    let early = revised("each", &[("each-1", &["one"])]);
    let waits = Refusal::NotReady { task: task("each"), needs: task("one") };
    given(tasks).when(a(), early.clone()).refused(waits);
    let story = || given(tasks).and(done("one"));
    let both = revised("each", &[("each-1", &["one"]), ("each-2", &["one"])]);
    let after = story().when(a(), both).then("each-2", T::Queued);
    assert_eq!(after.run().task(&task("each")), None);
    assert_eq!(
        after.run().task(&task("last")).expect("there").needs,
        [task("each-1"), task("each-2")]
    );
    let begun = story().and([started("each", 1), ended("each", 1, Ending::Interrupted)]);
    begun.when(a(), early).refused(Refusal::NoRevision(task("each")));
}

#[test]
fn a_list_without_lines_is_skipped_and_nothing_is_missing() {
    let tasks: &[(&str, &[&str])] = &[("one", &[]), ("each", &["one"]), ("last", &["each"])];
    let story = given(tasks).and(done("one"));
    let story = story.when(a(), revised("each", &[])).then("each", T::Skipped);
    assert_eq!(story.run().task(&task("last")).expect("there").needs, [task("one")]);
    let story = story.and(done("last")).and([result_made()]);
    let story = story.when(a(), run_over(RunEnd::Completed)).then_run(R::Completed);
    assert!(story.run().verified(), "what was skipped needs no check");
    // skipped because of what it needs is another thing
    let dead = given(tasks).and([over("one", TaskEnd::Failed), over("each", TaskEnd::Skipped)]);
    let dead = dead.and([over("last", TaskEnd::Skipped), result_made()]);
    dead.when(a(), run_over(RunEnd::Completed)).refused(Refusal::Unfinished(task("one")));
}

#[test]
fn checks_that_a_plan_brought_verify_nothing() {
    let mut verdict = judged("one", 1, Judgement::Passed);
    if let EventKind::VerdictReached { verdict, .. } = &mut verdict {
        verdict.checks[0].from_plan = true;
    }
    let story = one([started("one", 1), finished()]);
    story.when(a(), verdict).refused(Refusal::Unfounded(task("one")));
}
