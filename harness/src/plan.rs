//! What a command would run: ids in order, each with its memory and a guess of its time. Pure and printable.

use crate::headroom::MARGIN;
use spark_results::BenchmarkId;
use spark_workloads::suite::{Entry, Policy};
use spark_workloads::{Decline, Devices, Footprint, Request, Workload, axis::BadRequest};
use std::time::Duration;

/// One thing to measure.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which.
    pub id: BenchmarkId,
    /// What it takes, or why it cannot be.
    pub footprint: Result<Footprint, Decline>,
}

/// A guess of how fast operands are generated, in bytes a second: only the time left depends on it.
const SETUP_PER_S: f64 = 0.4e9;
/// A guess of the time its roofs take before and after.
const ROOFS_S: f64 = 0.3;
/// Guesses of what a machine moves and computes in a second.
const BYTES_PER_S: f64 = 20e9;
const FLOPS_PER_S: f64 = 100e9;

impl Task {
    /// A guess of the time it takes under `policy`.
    pub fn estimate(&self, policy: &Policy) -> Duration {
        let setup = self.footprint.as_ref().map_or(0.0, |f| f.setup as f64 / SETUP_PER_S);
        if let ("soak", Ok(_)) = (self.id.workload.as_str(), &self.footprint) {
            let seconds = self.id.int("seconds").filter(|s| *s > 0).unwrap_or(spark_workloads::soak::LONGEST_S);
            return Duration::from_secs_f64(setup + seconds as f64);
        }
        if let (Some(lasts), Ok(_)) =
            (spark_workloads::find(&self.id.workload).and_then(|w| w.lasts(&self.id)), &self.footprint)
        {
            return Duration::from_secs_f64(setup) + lasts;
        }
        // Sampling ends at the policy's time or at its count, whatever comes first.
        let by_count = policy.samples_max as f64 * self.sample_s().max(policy.sample_us as f64 * 1e-6);
        let sampling = (0.7 * policy.time_ms as f64 * 1e-3).min(by_count) + policy.warmup_ms as f64 * 1e-3;
        Duration::from_secs_f64(setup + if self.footprint.is_ok() { sampling + ROOFS_S } else { 0.0 })
    }
    /// A guess of the time of one sample, in seconds.
    fn sample_s(&self) -> f64 {
        let Ok(footprint) = &self.footprint else { return 0.0 };
        let iteration = (footprint.traffic as f64 / BYTES_PER_S).max(footprint.flops as f64 / FLOPS_PER_S);
        // A sample of `decode` is all its tokens, one an iteration; with a prompt it is one iteration.
        match (self.id.workload.as_str(), self.id.int("n_prompt")) {
            ("decode", None) => iteration * self.id.int("n_gen").unwrap_or(1) as f64,
            _ => iteration,
        }
    }
    /// Why it will not be run with `available` bytes of memory, if so.
    pub fn declined(&self, available: u64) -> Option<Decline> {
        match &self.footprint {
            Err(decline) => Some(decline.clone()),
            Ok(footprint) => {
                let usable = usable(available);
                (footprint.bytes > usable).then(|| {
                    Decline::Skip(format!(
                        "needs {} of memory, and {} may be used ({} available); choose a smaller shape or model",
                        spark_results::quantity::size(footprint.bytes),
                        spark_results::quantity::size(usable),
                        spark_results::quantity::size(available),
                    ))
                })
            }
        }
    }
}

/// How much of the available memory a task may use.
pub fn usable(available: u64) -> u64 {
    available.saturating_sub(MARGIN)
}

/// The tasks that `entries` multiply out to on `devices`, each id once, narrowed by `filters`.
///
/// Errors: an unknown workload or axis, a value that cannot be.
pub fn tasks(entries: &[Entry], devices: &Devices, filters: &[String]) -> Result<Vec<Task>, BadRequest> {
    let mut tasks: Vec<Task> = Vec::new();
    for entry in entries {
        let workload = spark_workloads::find(&entry.workload)
            .ok_or_else(|| BadRequest(format!("there is no workload '{}'; see spark-bench list", entry.workload)))?;
        add(&mut tasks, workload, &entry.request()?, devices, filters)?;
    }
    Ok(tasks)
}

/// The tasks of a run that was planned before, from their ids: what a continued run has to do is what it set out to do.
pub fn again(planned: &[String], devices: &Devices) -> Result<Vec<Task>, BadRequest> {
    let task = |text: &String| {
        let id: BenchmarkId = text.parse().map_err(|e: spark_results::id::ParseIdError| BadRequest(e.to_string()))?;
        let footprint = match (spark_workloads::find(&id.workload), devices.get(&id.device)) {
            (Some(workload), Some(device)) => workload.footprint(&id, &**device),
            (None, _) => Err(Decline::Skip(format!("this version has no workload '{}'", id.workload))),
            (_, None) => Err(Decline::Skip(format!("device {} is not here", id.device))),
        };
        Ok(Task { id, footprint })
    };
    planned.iter().map(task).collect()
}

/// Adds the cases of one request.
pub fn add(
    tasks: &mut Vec<Task>,
    workload: &dyn Workload,
    request: &Request,
    devices: &Devices,
    filters: &[String],
) -> Result<(), BadRequest> {
    for device in devices.iter() {
        for id in workload.cases(request, &**device)? {
            let wanted = filters.is_empty() || filters.iter().any(|glob| id.matches(glob));
            if wanted && !tasks.iter().any(|t| t.id == id) {
                let footprint = workload.footprint(&id, &**device);
                tasks.push(Task { id, footprint });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_kernels::cpu::Cpu;
    use spark_workloads::suite;
    use std::sync::Arc;

    fn devices() -> Devices {
        Devices::new(vec![Arc::new(Cpu::new(Some(1), 1 << 20))])
    }

    fn entry(workload: &str, axes: &[(&str, u64)]) -> Entry {
        let axes = axes.iter().map(|(name, value)| ((*name).to_owned(), suite::Values::Number(*value))).collect();
        Entry { workload: workload.into(), implementation: String::new(), axes }
    }

    #[test]
    fn each_id_is_planned_once_and_filters_narrow() {
        let twice = [entry("rmsnorm", &[("width", 64)]), entry("rmsnorm", &[("width", 64)]), entry("sample", &[])];
        let all = tasks(&twice, &devices(), &[]).unwrap();
        assert_eq!(all.len(), 2);
        let some = tasks(&twice, &devices(), &["sample*".into()]).unwrap();
        assert_eq!(some.iter().map(|t| t.id.workload.as_str()).collect::<Vec<_>>(), ["sample"]);
        assert!(tasks(&twice, &devices(), &["nothing".into()]).unwrap().is_empty());
    }

    #[test]
    fn what_is_unknown_is_refused_by_name() {
        let unknown = |entry| tasks(&[entry], &devices(), &[]).unwrap_err().0;
        assert!(unknown(entry("wibble", &[])).contains("'wibble'"));
        assert!(unknown(entry("gemm", &[("q", 1)])).contains("no axis 'q'"));
        assert!(unknown(entry("gemm", &[("k", 33)])).contains("k = 33"));
    }

    #[test]
    fn what_does_not_fit_is_declined_with_both_sizes() {
        let gemm = entry("gemm", &[("m", 1 << 20), ("n", 1 << 20), ("k", 1 << 20)]);
        let task = tasks(&[gemm], &devices(), &[]).unwrap().remove(0);
        let Some(Decline::Skip(why)) = task.declined(16 << 30) else { panic!("it does not fit") };
        assert!(why.contains("needs") && why.contains("15.2 GiB may be used") && why.contains("16 GiB"), "{why}");
        let small = tasks(&[entry("rmsnorm", &[("width", 64)])], &devices(), &[]).unwrap().remove(0);
        assert_eq!(small.declined(16 << 30), None);
        // Exactly what it needs beside the margin is enough, a byte less is not.
        let needs = small.footprint.clone().unwrap().bytes;
        assert_eq!(small.declined(needs + MARGIN), None);
        assert!(small.declined(needs + MARGIN - 1).is_some() && small.declined(0).is_some());
    }

    #[test]
    fn a_plan_reads_back_from_its_ids() {
        let smoke = suite::named("smoke").unwrap();
        let all = tasks(&smoke.tasks, &devices(), &[]).unwrap();
        let ids: Vec<_> = all.iter().map(|t| t.id.to_string()).collect();
        let again = again(&ids, &devices()).unwrap();
        assert_eq!(again.len(), all.len());
        for (old, new) in all.iter().zip(&again) {
            assert_eq!((&old.id, &old.footprint), (&new.id, &new.footprint));
        }
        let strange = super::again(&["wibble/cpu/x".into(), "gemm/cuda:7/x".into()], &devices()).unwrap();
        assert!(strange.iter().all(|t| t.declined(u64::MAX).is_some()));
        assert!(super::again(&["no id".into()], &devices()).is_err());
    }

    #[test]
    fn more_operands_take_longer_and_what_cannot_be_takes_no_time() {
        let policy = suite::named("smoke").unwrap().measure;
        let of = |rows| tasks(&[entry("rmsnorm", &[("rows", rows)])], &devices(), &[]).unwrap().remove(0);
        assert!(of(1 << 20).estimate(&policy) > of(1).estimate(&policy));
        let never = Task { footprint: Err(Decline::Skip("no".into())), ..of(1) };
        assert_eq!(never.estimate(&policy), Duration::ZERO);
    }

    #[test]
    fn the_largest_shapes_are_refused_or_declined_and_nothing_overflows() {
        let largest = 1 << 40;
        for workload in spark_workloads::ALL {
            for axis in workload.axes() {
                // One axis as large as it may be, then all of them that take numbers.
                let mut every = vec![(axis.name, largest)];
                let numbers = workload.axes().iter().filter(|a| a.default.parse::<u64>().is_ok());
                for axes in [every.clone(), {
                    every.extend(numbers.map(|a| (a.name, largest)));
                    every
                }] {
                    if let Ok(tasks) = tasks(&[entry(workload.name(), &axes)], &devices(), &[]) {
                        for task in tasks {
                            let small =
                                workload.name() == "chase" || task.footprint.as_ref().is_ok_and(|f| f.bytes < 1 << 34);
                            assert!(small || task.declined(16 << 30).is_some(), "{}", task.id);
                        }
                    }
                }
            }
        }
    }
}
