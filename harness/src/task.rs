//! One task from its id to its record: prepare, check, roofs, warm up, sample, roofs again, sensors.

use crate::session::Session;
use crate::{energy, handicap, measure};
use spark_results::conditions::{Conditions, Energy, PageUse};
use spark_results::{BenchmarkId, Measurement, Outcome, Record};
use spark_workloads::workload::Roofs as Needs;
use spark_workloads::{Body, Decline, Workload};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Least window for energy, where a sensor speaks: shorter ones are lost between two of its updates.
const ENERGY_WINDOW_MS: u64 = 2_000;

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
    let began_ns = session.now_ns();
    // A kernel that panics is a failed record, not the end of the run.
    let outcome = match catch_unwind(AssertUnwindSafe(|| measured(session, workload, id, stop))) {
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
    let usable = crate::plan::usable(crate::session::available());
    let footprint = workload.footprint(id, &*device)?;
    if footprint.bytes > usable {
        let size = spark_results::quantity::size;
        return Err(Decline::Skip(format!(
            "needs {}, and {} of memory may be used",
            size(footprint.bytes),
            size(usable)
        )));
    }
    let Body::Step(mut step) = workload.prepare(id, &device, session.manifest.settings.seed, usable)?;
    let check = step.check()?;
    if let Some(check) = check
        && !check.passed()
    {
        return Err(Decline::Fail(format!(
            "wrong result: largest error {:e} relative to the sum of magnitudes, allowed {:e}, {} elements compared; it was not timed",
            check.max_error, check.tolerance, check.compared
        )));
    }
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
    if session.has_power() && matches!(id.workload.as_str(), "prefill" | "decode" | "gemm") {
        policy.time_ms = policy.time_ms.max(ENERGY_WINDOW_MS);
        policy.interval = 0.0;
    }
    let now_ns = session.now_ns();
    let before = session.watch.state(session.sampler.as_ref(), now_ns);
    let _ = session.watch.throttling();
    let from_ns = session.now_ns();
    let start = session.start;
    let Some(samples) = measure::samples(step, &*device, &policy, &|| start.elapsed(), stop)? else {
        return Ok(None);
    };
    let to_ns = session.now_ns();
    let throttling = session.watch.throttling();
    let after = session.watch.state(session.sampler.as_ref(), to_ns);
    if let Some(ours) = session.roofs(&id.device, Needs::default()) {
        ours.after(&mut roofs)?;
    }
    let pages = step.pages().map(|(bytes, huge)| PageUse { bytes, huge });
    let conditions = Conditions {
        energy: energy_of(session, &id.device, from_ns, to_ns),
        core_clocks: samples.clocks,
        throttling,
        before,
        after,
        pages,
    };
    Ok(Some(Measurement {
        clock: device.clock().to_owned(),
        samples_ns: samples.ns,
        iterations: samples.iterations,
        cache: step.cache(),
        work: step.work(),
        phases: Vec::new(),
        metrics: Vec::new(),
        roofs,
        conditions,
        check,
        facts: step.facts(),
        notes: samples.notes,
    }))
}

fn energy_of(session: &Session, device: &str, from_ns: u64, to_ns: u64) -> Energy {
    match &session.sampler {
        Some(sampler) => {
            // One update beyond each end, so that the ends can be interpolated.
            let margin = 1_500_000_000;
            let samples = sampler.between(from_ns.saturating_sub(margin), to_ns.saturating_add(margin));
            energy::over(sampler.header(), &samples, device, from_ns, to_ns)
        }
        None => Energy::Unavailable { reason: "the sensors could not be started; see the manifest".into() },
    }
}
