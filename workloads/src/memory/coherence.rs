//! `coherence`: a line between CPU and GPU: handed to and fro, added to by both, shared falsely, and data passed on through caches.

use super::gpu::{self, metric, needed};
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::cuda::Gpu;
use spark_kernels::link::Allocator;
use spark_kernels::link::coherence::{Both, Coherence as Link, Did, Neighbour, Scope, Who};
use spark_kernels::{Device, Fault};
use spark_results::coherence::{What, name};
use spark_results::record::{Cache, Check, Metric};
use spark_results::{BenchmarkId, Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `coherence`.
pub static COHERENCE: Coherence = Coherence;

/// A line between CPU and GPU.
#[derive(Clone, Copy, Debug)]
pub struct Coherence;

/// Each is done so often; what is told is the median.
const ROUNDS: usize = 7;
/// Handovers, additions of each of the GPU's threads, countings, and rounds of passing on, in one run.
const REAL: [u32; 4] = [10_000, 4_000, 100_000, 50];
/// The same on a test double.
const SIMULATED: [u32; 4] = [32, 64, 256, 2];
/// Bytes that are passed on at a time: within a first-level cache, a second-level one, and a last-level one.
const SIZES: [usize; 3] = [16 << 10, 256 << 10, 4 << 20];

impl Workload for Coherence {
    fn name(&self) -> &'static str {
        "coherence"
    }
    fn about(&self) -> &'static str {
        "a line that CPU and GPU hand to each other, atomics of both, false sharing, data passed on through caches"
    }
    fn axes(&self) -> &'static [Axis] {
        &[]
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("scalar".to_owned(), needed(self.name(), device).err().map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        axis::combinations(self.name(), &[], request)?;
        Ok(vec![BenchmarkId::new(self.name(), device.id(), "scalar")])
    }
    fn footprint(&self, _: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        needed(self.name(), device).map(|_| Footprint { bytes: 2 * SIZES[2] as u64, ..Footprint::default() })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, _: &BenchmarkId) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }
    fn prepare(&self, _: &BenchmarkId, device: &Arc<dyn Device>, _: u64, _: u64) -> Result<Body, Decline> {
        let gpu = needed(self.name(), &**device)?.clone();
        let (allocators, notes) = gpu::allocators(|allocator| allocator.seen_by_both_at_once(gpu.properties()));
        // Advice places pages, and a line has one place; write-combined and registered memory are pinned memory to a line.
        let lines = [Allocator::Pinned, Allocator::Managed, Allocator::Pageable];
        let allocators: Vec<_> = allocators.into_iter().filter(|one| lines.contains(one)).collect();
        Ok(Body::Trial(Box::new(Lines { gpu, allocators, notes, compared: 0 })))
    }
}

struct Lines {
    gpu: Gpu,
    allocators: Vec<Allocator>,
    notes: Vec<String>,
    compared: u64,
}

/// The median of what `run` tells in so many rounds. Errors: its own.
fn median(rounds: usize, mut run: impl FnMut() -> Result<f64, Fault>) -> Result<f64, Fault> {
    let all = (0..rounds).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    Ok(stats::median(&all))
}

fn ns_each(did: Did) -> f64 {
    did.time.as_nanos() as f64 / did.times.max(1) as f64
}

impl Lines {
    fn amounts(&self) -> ([u32; 4], usize) {
        if self.gpu.simulated() { (SIMULATED, 1) } else { (REAL, ROUNDS) }
    }
    fn atomics(&self, link: &mut Link, on: &str, metrics: &mut Vec<Metric>) -> Result<(), Fault> {
        let ([_, times, ..], rounds) = self.amounts();
        let per_s = |did: Did| did.times as f64 / did.time.as_secs_f64().max(1e-9);
        let mut add = |scope, who, side: &str, how: &str, of: fn(Both) -> Did| -> Result<(), Fault> {
            // One core adds a hundred times faster than a run of the GPU lasts.
            let times = if who == Who::Cpu { times.saturating_mul(64) } else { times };
            let rate = median(rounds, || link.atomics(scope, who, times).map(|both| per_s(of(both))))?;
            let what = What::Atomics { side: side.into(), how: how.into() };
            metrics.push(metric(name(&what, on), rate, "op/s"));
            Ok(())
        };
        add(Scope::System, Who::Cpu, "cpu", "alone", |both| both.cpu)?;
        add(Scope::System, Who::Gpu, "gpu", "alone", |both| both.gpu)?;
        add(Scope::Gpu, Who::Gpu, "gpu", "alone with the GPU's scope", |both| both.gpu)?;
        if self.gpu.properties().sharing.native_atomics {
            add(Scope::System, Who::Both, "cpu", "both", |both| both.cpu)?;
            add(Scope::System, Who::Both, "gpu", "both", |both| both.gpu)?;
        }
        Ok(())
    }
    fn sharing(&self, link: &mut Link, on: &str, metrics: &mut Vec<Metric>) -> Result<(), Fault> {
        let ([_, _, times, _], rounds) = self.amounts();
        let ways = [
            ("alone", Neighbour::OtherLine, Who::Cpu),
            ("alone", Neighbour::OtherLine, Who::Gpu),
            ("other line", Neighbour::OtherLine, Who::Both),
            ("same line", Neighbour::SameLine, Who::Both),
        ];
        for (how, neighbour, who) in ways {
            let (mut cpu, mut gpu) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let did = link.false_sharing(neighbour, who, times)?;
                cpu.push(ns_each(did.cpu));
                gpu.push(ns_each(did.gpu));
            }
            for (side, times, part) in [("cpu", &cpu, who != Who::Gpu), ("gpu", &gpu, who != Who::Cpu)] {
                if part {
                    let what = What::Sharing { side: side.into(), how: how.into() };
                    metrics.push(metric(name(&what, on), stats::median(times), "ns"));
                }
            }
        }
        Ok(())
    }
    fn passed_on(&self, link: &mut Link, on: &str, metrics: &mut Vec<Metric>) -> Result<(), Fault> {
        let ([.., rounds], _) = self.amounts();
        for bytes in SIZES {
            for to in ["gpu", "cpu"] {
                let times = if to == "gpu" { link.consume(bytes, rounds)? } else { link.produce(bytes, rounds)? };
                let rates: Vec<f64> = times.iter().map(|time| bytes as f64 / time.as_secs_f64().max(1e-9)).collect();
                let what = What::PassedOn { to: to.into(), bytes: bytes as u64 };
                metrics.push(metric(name(&what, on), stats::median(&rates), "B/s"));
            }
        }
        Ok(())
    }
}

impl Trial for Lines {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        // Every run below fails where a number that was handed over, added or passed on is another; here each once, and small.
        let mut kept = Vec::new();
        for allocator in self.allocators.clone() {
            let tried = || {
                let mut link = Link::new(&self.gpu, allocator)?;
                link.handover(16)?;
                link.atomics(Scope::System, Who::Gpu, 16)?;
                link.consume(4096, 2)?;
                link.produce(4096, 2).map(drop)
            };
            match tried() {
                Ok(()) => kept.push(allocator),
                Err(Fault::Unsupported(why)) => self.notes.push(why.to_string()),
                Err(fault) => return Err(fault),
            }
        }
        self.compared = 4 * kept.len() as u64;
        self.allocators = kept;
        Ok(Some(Check { max_error: 0.0, tolerance: 0.0, compared: self.compared }))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, notes: self.notes.clone(), ..Observed::default() };
        let ([handovers, ..], rounds) = self.amounts();
        for allocator in &self.allocators {
            let on = allocator.name();
            lab.tell(&Beat { doing: format!("a line between CPU and GPU, {on}"), ..Beat::default() });
            let mut link = Link::new(&self.gpu, *allocator)?;
            let mut each = Vec::new();
            for _ in 0..rounds {
                if lab.stopped() {
                    return Ok(None);
                }
                let at_ns = lab.now().as_nanos() as u64;
                let took = link.handover(handovers)?.as_nanos() as u64;
                each.push(took as f64 / f64::from(handovers));
                if self.allocators.first() == Some(allocator) {
                    seen.at_ns.push(at_ns);
                    seen.samples_ns.push(took);
                }
            }
            seen.metrics.push(metric(name(&What::Handover, on), stats::median(&each), "ns"));
            self.atomics(&mut link, on, &mut seen.metrics)?;
            self.sharing(&mut link, on, &mut seen.metrics)?;
            self.passed_on(&mut link, on, &mut seen.metrics)?;
        }
        Ok(Some(seen))
    }
    fn work(&self) -> Work {
        Work { items: u64::from(self.amounts().0[0]), item: "handover".into(), ..Work::default() }
    }
    fn cache(&self) -> Cache {
        Cache::Warm
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = gpu::facts(&self.gpu);
        for (name, said) in [
            (
                "handover",
                "one side's store until the other's load sees it: half a round trip, release and acquire for the system",
            ),
            ("atomics", "additions to one word; the GPU's by one thread an SM, each waiting for what comes back"),
            (
                "passed_on",
                "one core writes or reads; the GPU's part ends when all its blocks have read. What is told holds the handover too",
            ),
        ] {
            facts.insert(name.into(), said.into());
        }
        facts
    }
}
