//! The experiments on memory, on the machine's own cores with arrays of a few hundred KiB: what they measure, name and prove.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use spark_kernels::cpu::{Cpu, pool};
use spark_kernels::{Device, Fault};
use spark_results::contention::{ALONE, Matrix, Side};
use spark_results::handover::Handovers;
use spark_results::{AxisValue, Work, loaded};
use spark_workloads::trial::Side as Doing;
use spark_workloads::{Beat, Body, Lab, Observed, Ran, Request, Workload, memory};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A lab whose time stands still while anybody works for longer than a moment: each cell is measured once.
struct Quick {
    start: Instant,
    skipped: Duration,
    phases: Vec<String>,
}

impl Lab for Quick {
    fn now(&self) -> Duration {
        self.start.elapsed() + self.skipped
    }
    fn stopped(&self) -> bool {
        false
    }
    fn wait(&mut self, time: Duration) {
        self.skipped += time;
    }
    fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let start = Instant::now();
        work()?;
        let took = start.elapsed();
        // Whoever measures for some time has now done so.
        self.skipped += Duration::from_secs(2);
        Ok(took)
    }
    fn both(&mut self, one: Doing<'_>, other: Doing<'_>, _: Duration) -> Result<[Vec<Ran>; 2], Fault> {
        let ran = |work: Doing<'_>| {
            let start = Instant::now();
            work().map(|()| vec![Ran { at_ns: 0, ns: start.elapsed().as_nanos() as u64 }])
        };
        // Really at once: the two sides may share nothing but memory.
        std::thread::scope(|scope| {
            let one = scope.spawn(|| ran(one));
            let other = ran(other)?;
            Ok([one.join().unwrap()?, other])
        })
    }
    fn clocks(&mut self) -> Vec<f64> {
        Vec::new()
    }
    fn hottest(&self) -> Option<f64> {
        None
    }
    fn phase(&mut self, name: &str, _: Duration, _: Work) {
        self.phases.push(name.to_owned());
    }
    fn tell(&mut self, _: &Beat) {}
}

/// What `workload` observes with `axes`; `None` on a machine with one core, where it has to be declined with the reason.
fn observed(workload: &dyn Workload, axes: &[(&str, &str)]) -> Option<Observed> {
    let cpus = pool::allowed_cpus();
    let device: Arc<dyn Device> = Arc::new(Cpu::on(&cpus[..cpus.len().min(3)], 1 << 16));
    let axes = axes.iter().map(|(name, value)| ((*name).to_owned(), vec![AxisValue::from(*value)])).collect();
    let ids = workload.cases(&Request { axes, implementation: String::new() }, &*device).unwrap();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0].to_string().parse(), Ok(ids[0].clone()));
    if cpus.len() < 2 {
        let why = workload.footprint(&ids[0], &*device).unwrap_err().to_string();
        assert!(why.contains("core"), "{why}");
        return None;
    }
    let footprint = workload.footprint(&ids[0], &*device).unwrap();
    assert!(footprint.bytes > 0 && footprint.bytes < 1 << 30, "{footprint:?}");
    let Body::Trial(mut trial) = workload.prepare(&ids[0], &device, 1, 1 << 30).unwrap() else {
        panic!("an experiment of its own");
    };
    let check = trial.check().unwrap().unwrap();
    assert!(check.passed(), "{check:?}");
    let mut lab = Quick { start: Instant::now(), skipped: Duration::ZERO, phases: Vec::new() };
    let seen = trial.run(&mut lab).unwrap().unwrap();
    assert!(!seen.samples_ns.is_empty() && seen.samples_ns.len() == seen.at_ns.len() && seen.notes.is_empty());
    assert!(trial.work().items > 0 || trial.work().bytes > 0);
    assert!(seen.metrics.iter().all(|m| m.value.is_finite() && m.value > 0.0), "{:?}", seen.metrics);
    Some(seen)
}

#[test]
fn a_matrix_has_every_load_alone_and_beside_every_other_on_both_sides() {
    let Some(seen) = observed(&memory::CONTENTION, &[("bytes", "524288")]) else { return };
    let matrix = Matrix::of(&seen.metrics).unwrap();
    let loads = ["read", "write", "copy", "random"];
    for side in [Side::One, Side::Other] {
        assert_eq!(matrix.loads(side), loads);
        for what in loads {
            for beside in loads.into_iter().chain([ALONE]) {
                assert!(matrix.kept(side, what, beside).is_some(), "{side:?} {what} beside {beside}");
            }
        }
    }
    assert_eq!(seen.metrics.len(), 2 * (4 + 16));
}

#[test]
fn two_models_decode_beside_each_other_in_tokens() {
    let axes = [("one", "decode"), ("other", "decode"), ("model", "tiny")];
    let Some(seen) = observed(&memory::CONTENTION, &axes) else { return };
    let matrix = Matrix::of(&seen.metrics).unwrap();
    for side in [Side::One, Side::Other] {
        assert_eq!(matrix.cell(side, "decode", "decode").unwrap().unit, "tok/s");
    }
    assert_eq!(seen.metrics.len(), 4);
}

#[test]
fn a_curve_of_latency_has_a_point_for_each_share() {
    let Some(seen) = observed(&memory::LOADED, &[("bytes", "1048576")]) else { return };
    let points = loaded::points(&seen.metrics);
    assert_eq!(points.len(), 8);
    assert_eq!(points[0].injected, 0.0);
    assert!(points[1..].iter().all(|p| p.injected > 0.0 && p.latency_ns > 0.0));
}

#[test]
fn every_pair_of_cores_hands_over() {
    let Some(seen) = observed(&memory::PINGPONG, &[]) else { return };
    let found = Handovers::of(&seen.metrics).unwrap();
    let cores = found.cpus.len();
    assert_eq!(found.pairs.len(), cores * (cores - 1) / 2);
    assert!(cores >= 2);
}

#[test]
fn a_file_is_read_in_every_way_there_is_and_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_str().unwrap();
    let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 0));
    let axes = [("bytes", "5242880"), ("folder", at)].map(|(n, v)| (n.to_owned(), vec![AxisValue::from(v)])).into();
    let id = memory::STORAGE.cases(&Request { axes, implementation: String::new() }, &*device).unwrap().remove(0);
    match memory::STORAGE.footprint(&id, &*device) {
        // Where temporary files stand in memory, or the disk is full, it says so.
        Err(why) => assert!(why.to_string().contains("in memory") || why.to_string().contains("free"), "{why}"),
        Ok(_) => {
            let Body::Trial(mut trial) = memory::STORAGE.prepare(&id, &device, 1, 1 << 30).unwrap() else {
                panic!("an experiment of its own");
            };
            let mut lab = Quick { start: Instant::now(), skipped: Duration::ZERO, phases: Vec::new() };
            let seen = trial.run(&mut lab).unwrap().unwrap();
            let told = spark_results::storage::ways(&seen.metrics).len() + seen.notes.len();
            assert_eq!(told, 5, "each way has a speed or a reason: {seen:?}");
            assert!(spark_results::storage::ways(&seen.metrics).iter().any(|(way, _)| *way == "buffered, warm"));
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let none = [("file".to_owned(), vec![AxisValue::from("no/such/file")])].into();
    let id = memory::STORAGE.cases(&Request { axes: none, implementation: String::new() }, &*device).unwrap().remove(0);
    assert!(memory::STORAGE.prepare(&id, &device, 1, 1 << 30).is_err());
}

#[test]
fn what_is_no_load_and_no_split_is_refused() {
    let device = Cpu::new(Some(2), 0);
    for (axis, value) in [("one", "idle"), ("split", "thirds"), ("bytes", "100"), ("model", "no-such-model")] {
        let axes = [("one", "decode"), (axis, value)]
            .map(|(name, value)| (name.to_owned(), vec![AxisValue::from(value)]))
            .into();
        let refused = memory::CONTENTION.cases(&Request { axes, implementation: String::new() }, &device);
        assert!(refused.is_err(), "{axis} = {value}");
    }
}
