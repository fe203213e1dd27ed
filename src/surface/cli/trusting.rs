//! The gate before a plan that is made of the repository's own files.

use crate::domain::id::{Oid, RunId};
use crate::domain::plan::Plan;
use crate::domain::trust::{File, stops};
use crate::engine::place::Place;
use crate::engine::trust;
use crate::surface::exit::Exit;
use crate::surface::fault::Fault;
use crate::view::text::{Label, Line};
use crate::view::trust::TrustView;

use super::ctx::Ctx;

/// Lets the plan through when a person has trusted what it would run, now or
/// before.
///
/// # Errors
/// [`Exit::Blocked`] when nobody has and nobody is there to be asked, or the
/// answer is no.
pub fn settle(ctx: &mut Ctx<'_>, place: &Place, base: &Oid, plan: &Plan) -> Result<(), Fault> {
    let files = trust::of_plan(place, base, plan)?;
    if !stops(&files) {
        return Ok(());
    }
    show(ctx, &files);
    if ctx.host.confirm("Trust these files of the repository, as they are now?")? == Some(true) {
        return Ok(trust::grant(place, &files)?);
    }
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let what = "files of the repository would run commands here, and are not trusted";
    Err(Fault::new(Exit::Blocked, what).hint(format!(
        "read them, then: git crew trust --from {} {}",
        base.short(),
        names.join(" ")
    )))
}

/// The same for a run that is to go on: what it would run may come from a clone,
/// or have been trusted no more.
///
/// # Errors
/// As [`settle`]; a run or a plan that can't be read is for the caller to meet.
pub fn settle_run(ctx: &mut Ctx<'_>, place: &Place, id: &RunId) -> Result<(), Fault> {
    let reads = ctx.reads()?;
    let (Ok(run), Ok(Some(bytes))) = (reads.run(id), reads.file(id, "plan.json")) else {
        return Ok(());
    };
    match serde_json::from_slice(&bytes) {
        Ok(plan) => settle(ctx, place, &run.base, &plan),
        Err(_) => Ok(()),
    }
}

/// Says of a plan that is only looked at whether it would be stopped.
///
/// # Errors
/// The commit can't be read.
pub fn warn(ctx: &mut Ctx<'_>, place: &Place, base: &Oid, plan: &Plan) -> Result<(), Fault> {
    if stops(&trust::of_plan(place, base, plan)?) {
        let words = "not trusted: a run would stop and ask (git crew trust)";
        ctx.out.story(&Line::new().with(Label::Warn, "warning: ").with(Label::Plain, words));
    }
    Ok(())
}

/// Tells what the files would run.
pub fn show(ctx: &mut Ctx<'_>, files: &[File]) {
    for line in TrustView::new(files).text().lines() {
        ctx.out.story(line);
    }
}
