//! Doing the plan: task after task, each record on disk before the next begins; then the table, the report, the end.

use crate::plan::Task;
use crate::session::Session;
use crate::task;
use spark_results::run::Ended;
use spark_results::store::{self, StoreError};
use spark_results::{Document, Outcome, Record, Run, sums, table};
use std::time::{Duration, Instant};

/// Whoever shows how far it is.
pub trait Progress {
    /// Task `index` of `total` begins; `left` is a guess of the time until all are done.
    fn begin(&mut self, index: usize, total: usize, task: &Task, left: Duration);
    /// It is done.
    fn done(&mut self, record: &Record, simulated: bool);
}

/// Why a run ended before all its tasks were done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All done.
    Complete,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// The time was up.
    Budget,
    /// Memory was about to run out.
    Memory,
    /// A device was lost to an error, and tasks on it are left.
    Lost,
}

impl End {
    fn reason(self) -> Option<String> {
        match self {
            End::Complete => None,
            End::Interrupted => Some("interrupted".into()),
            End::Lost => Some("a device was lost to an error of the task before".into()),
            End::Budget => Some("the time asked for with --budget was up".into()),
            End::Memory => Some("memory was about to run out".into()),
        }
    }
}

/// Does every task that has no record yet, in order, until `stop` or the budget ends it. `low` is asked where a task is declined: it looks whether
/// memory is about to run out, which ends it too.
///
/// Errors: the run folder cannot be written. What was recorded before stays.
pub fn each(
    session: &mut Session,
    tasks: &[Task],
    done: &[Record],
    budget: Option<Duration>,
    progress: &mut dyn Progress,
    stop: &dyn Fn() -> bool,
    low: &dyn Fn() -> bool,
) -> Result<End, StoreError> {
    let began = Instant::now();
    let open: Vec<&Task> = tasks.iter().filter(|t| !done.iter().any(|r| r.id == t.id)).collect();
    let estimates: Vec<Duration> = open.iter().map(|t| t.estimate(&session.policy)).collect();
    let mut left = false;
    let (mut guessed, mut taken) = (Duration::ZERO, Duration::ZERO);
    for (index, task) in open.iter().enumerate() {
        if stop() {
            return Ok(End::Interrupted);
        }
        if budget.is_some_and(|budget| began.elapsed() >= budget) {
            return Ok(End::Budget);
        }
        let ahead: Duration = estimates[index..].iter().sum();
        // What is behind corrects the guess of what is ahead.
        let pace = if guessed.is_zero() { 1.0 } else { taken.as_secs_f64() / guessed.as_secs_f64() };
        progress.begin(tasks.len() - open.len() + index, tasks.len(), task, ahead.mul_f64(pace.clamp(0.2, 10.0)));
        let started = Instant::now();
        if session.devices.get(&task.id.device).is_some_and(|device| device.lost().is_some()) {
            // A GPU's error that its context does not survive is this process's alone: the task is left to a fresh one.
            left = true;
            continue;
        }
        let record = match task.declined(session.available(&task.id.device)) {
            // What is too little for a task may be too little for the system: a run that ends for it has lost no task.
            Some(_) if low() => return Ok(End::Memory),
            Some(decline) => declined(session, task, decline),
            None => match task::record(session, &task.id, stop) {
                Some(record) => record,
                None => return Ok(End::Interrupted),
            },
        };
        session.append(&record)?;
        progress.done(&record, session.simulated(&task.id.device));
        guessed += estimates[index];
        taken += started.elapsed();
    }
    Ok(if left { End::Lost } else { End::Complete })
}

fn declined(session: &Session, task: &Task, decline: spark_workloads::Decline) -> Record {
    use spark_workloads::Decline;
    let outcome = match decline {
        Decline::Skip(reason) => Outcome::Skipped { reason },
        Decline::Fail(error) => Outcome::Failed { error },
    };
    let now = session.now_ns();
    Record { id: task.id.clone(), began_ns: now, ended_ns: now, outcome }
}

/// Ends the sensors, notes how the run ended, and writes what people read. Returns the run as it is on disk.
pub fn finish(session: &mut Session, end: End) -> Result<Run, StoreError> {
    session.manifest.telemetry_cost = session.stop_sensors();
    let ended = Ended { at: now(), complete: end == End::Complete, reason: end.reason() };
    session.manifest.ended = Some(ended);
    session.store.manifest(&session.manifest)?;
    let run = store::read(session.store.folder())?;
    write(session.store.folder(), &run)?;
    // Last of all: from here on whoever changes a file is found out.
    sums::write(session.store.folder())?;
    Ok(run)
}

/// Writes the table and the report beside the run.
pub fn write(folder: &std::path::Path, run: &Run) -> Result<(), StoreError> {
    let path = folder.join(store::TABLE);
    let table = table::csv(&Document::of(run)).map_err(|e| StoreError::Content {
        path: path.clone(),
        what: e.to_string(),
        mend: "this is a bug: please report it",
    })?;
    store::replace(&path, table.as_bytes())?;
    let page = spark_reports::html(std::slice::from_ref(run));
    store::replace(&folder.join(store::REPORT), page.as_bytes())
}

/// Now, as RFC 3339 in UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
