//! Runs whose work is done by other programs: a folder, sensors and records like any run's, tasks of their own making.

use super::common::{self, Common, Place};
use super::{Verdict, stop, ui};
use crate::plan::Task;
use crate::run::{self, End, Progress};
use crate::session::Session;
use crate::trial::Live;
use anyhow::{Context, bail};
use spark_results::{BenchmarkId, Record, Run};
use spark_workloads::Footprint;
use spark_workloads::suite::Policy;
use std::path::PathBuf;
use std::time::Instant;

/// Makes the records of one experiment; `None`: it was stopped before there was anything to tell.
pub(super) type Experiment<'a> = Box<dyn FnMut(&mut Session, &dyn Fn() -> bool) -> Option<Vec<Record>> + 'a>;

/// Does the experiments in order, each with the ids that it makes records of, and writes what people read.
pub(super) fn measured(
    common: &Common,
    policy: Policy,
    place: Place,
    experiments: Vec<(Vec<BenchmarkId>, Experiment<'_>)>,
) -> anyhow::Result<(Verdict, Run, PathBuf)> {
    if common.resume.is_some() {
        bail!("--resume: what another program did cannot be gone on with; start a new run without it");
    }
    let voice = common.voice();
    let task = |id: &BenchmarkId| Task { id: id.clone(), footprint: Ok(Footprint::default()) };
    let tasks: Vec<Task> = experiments.iter().flat_map(|(ids, _)| ids.iter().map(task)).collect();
    if tasks.is_empty() {
        bail!("nothing to run: no experiment is asked for; leave a flag out to get its default");
    }
    stop::listen().context("Ctrl-C cannot be listened for")?;
    let (mut session, _) = common::open(common, None, policy, place, &tasks)?;
    let folder = session.store.folder().to_owned();
    voice.say(format!("run folder: {}", folder.display()));
    let mut bar = ui::Bar::new(voice, tasks.len());
    session.live = Live(Some(bar.live()));
    let (began, mut end, mut done) = (Instant::now(), End::Complete, 0);
    for (ids, mut experiment) in experiments {
        if stop::asked() {
            end = End::Interrupted;
            break;
        }
        if common.budget.is_some_and(|budget| began.elapsed() >= budget) {
            end = End::Budget;
            break;
        }
        bar.begin(done, tasks.len(), &tasks[done], std::time::Duration::ZERO);
        done += ids.len();
        let Some(records) = experiment(&mut session, &stop::asked) else {
            end = End::Interrupted;
            break;
        };
        for record in &records {
            let appended = session.append(record);
            appended.with_context(|| format!("the run in {} ends here", folder.display()))?;
            bar.done(record, false);
        }
    }
    bar.clear();
    let run = run::finish(&mut session, end)?;
    let verdict = match end {
        End::Interrupted => Verdict::Interrupted,
        _ if stop::asked() => Verdict::Interrupted,
        _ if run.records.iter().any(|r| r.status() == "failed") => Verdict::Broken,
        _ => Verdict::Fine,
    };
    Ok((verdict, run, folder))
}
