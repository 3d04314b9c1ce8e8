//! One task from its id to its record: prepare, check, roofs, warm up, sample, roofs again, sensors.

use crate::session::Session;
use crate::{handicap, measure, throttled, trial};
use spark_results::conditions::{Conditions, PageUse};
use spark_results::record::{Check, OpTime};
use spark_results::{BenchmarkId, Measurement, Outcome, Record};
use spark_workloads::workload::Roofs as Needs;
use spark_workloads::{Body, Decline, Workload};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a sensor of power sleeps most of the time, the work is interrupted so often, by pauses of any length up to its period.
const PAUSES: u64 = 8;
const SLEEPING_PERIOD_MS: f64 = 100.0;

/// Does the task `id`. `None`: `stop` said so before it was done, and nothing is recorded.
pub fn record(session: &mut Session, id: &BenchmarkId, stop: &dyn Fn() -> bool) -> Option<Record> {
    record_of(session, spark_workloads::find(&id.workload), id, stop)
}

/// The same with the workload that `id` is of; `None` stands for one that this version has not.
pub fn record_of(
    session: &mut Session,
    workload: Option<&dyn Workload>,
    id: &BenchmarkId,
    stop: &dyn Fn() -> bool,
) -> Option<Record> {
    recorded(session, id, &mut |session| measured(session, workload, id, stop))
}

/// What `work` comes to, as the record of `id`. `None`: it was stopped before it was done.
pub(crate) fn recorded(
    session: &mut Session,
    id: &BenchmarkId,
    work: &mut dyn FnMut(&mut Session) -> Result<Option<Measurement>, Decline>,
) -> Option<Record> {
    let began_ns = session.now_ns();
    // A kernel that panics is a failed record, not the end of the run.
    let outcome = match catch_unwind(AssertUnwindSafe(|| work(session))) {
        Ok(Ok(Some(measurement))) => Outcome::Measured(Box::new(measurement)),
        Ok(Ok(None)) => return None,
        Ok(Err(Decline::Skip(reason))) => Outcome::Skipped { reason },
        Ok(Err(Decline::Fail(error))) => Outcome::Failed { error },
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Outcome::Failed { error: format!("panicked: {}", spark_results::machine::clean(text)) }
        }
    };
    Some(Record { id: id.clone(), began_ns, ended_ns: session.now_ns(), outcome })
}

fn measured(
    session: &mut Session,
    workload: Option<&dyn Workload>,
    id: &BenchmarkId,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Measurement>, Decline> {
    let workload = workload.ok_or_else(|| Decline::Skip(format!("this version has no workload '{}'", id.workload)))?;
    let device = session.devices.get(&id.device).cloned();
    let device = device.ok_or_else(|| Decline::Skip(format!("device {} is not here", id.device)))?;
    // Prepared before the task's own operands: what is left of the memory is then known.
    let early = Needs { memory: workload.needs_memory_roof(id, &*device), compute: None };
    let _ = session.roofs(&id.device, early);
    let usable = crate::plan::usable(session.available(&id.device));
    let footprint = workload.footprint(id, &*device)?;
    if footprint.bytes > usable {
        let size = spark_results::quantity::size;
        return Err(Decline::Skip(format!(
            "needs {}, and {} of memory may be used",
            size(footprint.bytes),
            size(usable)
        )));
    }
    let mut step = match workload.prepare(id, &device, session.manifest.settings.seed, usable)? {
        Body::Step(step) => step,
        Body::Trial(trial) => return trial::measured(session, trial, &device, stop),
    };
    let check = step.check()?;
    right(check)?;
    if stop() {
        return Ok(None);
    }
    let mut step = handicap::put_on(id, step, &*device)?;
    let step = &mut *step;
    let needs = step.roofs();
    let mut roofs = match session.roofs(&id.device, needs) {
        Some(roofs) => roofs.before(needs)?,
        None => Vec::new(),
    };
    let mut policy = session.policy;
    let mut pauses = Vec::new();
    if session.has_power() && matches!(id.workload.as_str(), "prefill" | "decode" | "gemm") {
        policy.time_ms = policy.time_ms.max(session.energy_window_ms());
        policy.interval = 0.0;
        // The samples have to fill the window: each is longer, and more of them may be taken where they turn out shorter.
        policy.sample_us = policy.sample_us.max(policy.time_ms * 1000 / policy.samples_max.max(1));
        policy.samples_max = policy.samples_max.saturating_mul(20);
        if session.sensor_sleeps() {
            pauses = phases(session.manifest.settings.seed).map(|pause| session.paced(pause)).collect();
        }
    }
    let now_ns = session.now_ns();
    let before = session.watch.state(session.sampler.as_ref(), now_ns);
    let _ = session.watch.throttling();
    let start = session.start;
    let Some(mut samples) = measure::samples_apart(step, &*device, &policy, &pauses, &|| start.elapsed(), stop)? else {
        return Ok(None);
    };
    let to_ns = session.now_ns();
    let from_ns = samples.windows.first().map_or(now_ns, |window| window[0]);
    let throttling = session.watch.throttling();
    let after = session.watch.state(session.sampler.as_ref(), to_ns);
    let during = session.watch.during(session.sampler.as_ref(), from_ns, to_ns);
    let told =
        session.sampler.as_ref().map(|s| s.between(from_ns.saturating_sub(AROUND_NS), to_ns)).unwrap_or_default();
    let (dropped, note) = throttled::drop(&mut samples.ns, &mut samples.at_ns, &throttled::spans(&told, &id.device));
    samples.notes.extend(note);
    if let Some(ours) = session.roofs(&id.device, Needs::default()) {
        ours.after(&mut roofs)?;
    }
    let ops = parts(step, &samples.ns, samples.iterations)?;
    let pages = step.pages().map(|(bytes, huge)| PageUse { bytes, huge });
    let conditions = Conditions {
        energy: session.energy(&id.device, &samples.windows),
        core_clocks: samples.clocks,
        throttling,
        before,
        after,
        during: Some(during),
        pages,
    };
    Ok(Some(Measurement {
        clock: device.clock().to_owned(),
        samples_ns: samples.ns,
        at_ns: samples.at_ns,
        dropped,
        iterations: samples.iterations,
        cache: step.cache(),
        work: step.work(),
        phases: Vec::new(),
        ops,
        metrics: Vec::new(),
        requests: Vec::new(),
        roofs,
        conditions,
        check,
        facts: step.facts(),
        notes: samples.notes,
    }))
}

/// Of so many iterations each op is timed, in no more time than that; a single iteration may take longer.
const PARTS: (u128, u128) = (9, 500_000_000);
/// What takes longer than this is not run once more for its parts.
const PARTED_NS: u128 = 5_000_000_000;

/// Where the time of an iteration goes, when one more costs little.
fn parts(step: &mut dyn spark_workloads::Step, samples_ns: &[u64], iterations: u64) -> Result<Vec<OpTime>, Decline> {
    let fastest = samples_ns.iter().min().map_or(u128::MAX, |ns| u128::from(*ns) / u128::from(iterations.max(1)));
    if fastest > PARTED_NS {
        return Ok(Vec::new());
    }
    Ok(step.parts((PARTS.1 / fastest.max(1)).clamp(1, PARTS.0) as usize)?)
}

/// Errors: what was compared with the reference is wrong.
pub(crate) fn right(check: Option<Check>) -> Result<(), Decline> {
    let Some(check) = check.filter(|check| !check.passed()) else { return Ok(()) };
    Err(Decline::Fail(format!(
        "wrong result: largest error {:e} relative to the sum of magnitudes, allowed {:e}, {} elements compared; it was not timed",
        check.max_error, check.tolerance, check.compared
    )))
}

/// What a sensor read before a window may say of its beginning.
const AROUND_NS: u64 = 1_500_000_000;

/// Pauses between 0 and a sensor's period, so that each stretch of the work begins at another phase of it.
fn phases(seed: u64) -> impl Iterator<Item = std::time::Duration> {
    let mut state = seed | 1;
    let mut next = move || {
        // A multiplicative congruential generator (Lehmer, 2^64, L'Ecuyer 1999) is enough to miss a sensor's beat.
        state = state.wrapping_mul(3_935_559_000_370_003_845);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..PAUSES).map(move |_| std::time::Duration::from_secs_f64(next() * SLEEPING_PERIOD_MS * 1e-3))
}
