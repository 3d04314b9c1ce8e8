//! `transfer`: copies between a host and a GPU, by allocator, engine, direction and size; and between GPUs.

use super::contention::worst;
use super::full;
use super::gpu::{self, metric, needed, right};
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::cuda::{self, Gpu};
use spark_kernels::link::Allocator;
use spark_kernels::link::peer::Peers;
use spark_kernels::link::transfers::{Direction, Engine, Transfers};
use spark_kernels::{Device, Fault};
use spark_results::record::{Cache, Check, Metric};
use spark_results::{BenchmarkId, Work, stats, transfer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `transfer`.
pub static TRANSFER: Transfer = Transfer;

/// Copies between a host and a GPU.
#[derive(Clone, Copy, Debug)]
pub struct Transfer;

const AXES: &[Axis] = &[Axis {
    name: "bytes",
    about: "size of one copy, in bytes; small ones are made many at a time",
    default: "4096,65536,1048576,67108864,1073741824",
}];

/// Bytes that stand behind each other in one run, and copies at most: a storm of small ones is a thousand.
const RUN: usize = 64 << 20;
const COPIES: usize = 1024;
/// The same of a test double, which is a CPU.
const SIMULATED: usize = 4;
/// Runs of each way that count, after one that does not.
const ROUNDS: usize = 9;
/// Guesses for the time it takes.
const BYTES_PER_S: f64 = 5e9;
const WAYS: u64 = (Allocator::ALL.len() * Engine::ALL.len() * Direction::ALL.len()) as u64;

fn bytes(id: &BenchmarkId) -> Result<usize, BadRequest> {
    match axis::size(&full(id, AXES)?, "bytes")? {
        bytes if bytes % 64 == 0 => Ok(bytes),
        bytes => Err(BadRequest(format!("bytes = {bytes} is no multiple of 64; round it up"))),
    }
}

/// Copies of that size in one run.
fn copies(bytes: usize, simulated: bool) -> usize {
    (RUN / bytes.max(1)).clamp(1, if simulated { SIMULATED } else { COPIES })
}

impl Workload for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }
    fn about(&self) -> &'static str {
        "copies between host and GPU: by copy engine and by kernel, each allocator, each direction and both at once"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("driver".to_owned(), needed(self.name(), device).err().map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids = Vec::new();
        for axes in axis::combinations(self.name(), AXES, request)? {
            let mut id = BenchmarkId::new(self.name(), device.id(), "driver");
            id.axes = axes;
            bytes(&id)?;
            ids.push(id);
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let simulated = needed(self.name(), device)?.simulated();
        let bytes = bytes(id)?;
        Ok(Footprint { bytes: Transfers::footprint(bytes, copies(bytes, simulated)), ..Footprint::default() })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, id: &BenchmarkId) -> Option<Duration> {
        let bytes = bytes(id).ok()?;
        let run = bytes as f64 * copies(bytes, false) as f64 / BYTES_PER_S;
        // Each way is verified, which takes the time of many copies, and run.
        Some(Duration::from_secs_f64(run * WAYS as f64 * (ROUNDS + 10) as f64))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, _: u64) -> Result<Body, Decline> {
        let gpu = needed(self.name(), &**device)?.clone();
        let bytes = bytes(id)?;
        let count = copies(bytes, gpu.simulated());
        let (allocators, absent) = gpu::allocators(|allocator| allocator.available(gpu.properties()));
        let copies = Copies { gpu, bytes, count, seed, allocators, checks: Vec::new(), notes: absent };
        Ok(Body::Trial(Box::new(copies)))
    }
}

struct Copies {
    gpu: Gpu,
    bytes: usize,
    count: usize,
    seed: u64,
    allocators: Vec<Allocator>,
    checks: Vec<Check>,
    notes: Vec<String>,
}

/// What was seen of all ways.
#[derive(Default)]
struct Seen {
    metrics: Vec<Metric>,
    /// The runs of the way that stands for the record.
    first: Vec<(u64, u64)>,
}

impl Copies {
    fn transfers(&self, allocator: Allocator) -> Result<Transfers, Fault> {
        Transfers::new(&self.gpu, allocator, self.bytes, self.count, self.seed)
    }
    /// Verifies all ways of one allocator.
    fn verify(&mut self, allocator: Allocator) -> Result<(), Fault> {
        let mut transfers = self.transfers(allocator)?;
        for engine in Engine::ALL {
            if let Err(why) = transfers.possible(engine) {
                self.notes.push(format!("by kernel: {why}"));
                continue;
            }
            for direction in Direction::ALL {
                let way = transfer::name(allocator.name(), engine.name(), direction.name());
                self.checks.push(right(transfers.verify(engine, direction)?, &way)?);
            }
        }
        Ok(())
    }
    fn time(&self, allocator: Allocator, lab: &mut dyn Lab, seen: &mut Seen) -> Result<(), Fault> {
        let mut transfers = self.transfers(allocator)?;
        for engine in Engine::ALL {
            if transfers.possible(engine).is_err() {
                continue;
            }
            for direction in Direction::ALL {
                let name = transfer::name(allocator.name(), engine.name(), direction.name());
                let (moved, mut rates, mut runs) = (transfers.moved(direction) as f64, Vec::new(), Vec::new());
                for round in 0..=ROUNDS {
                    if lab.stopped() {
                        return Ok(());
                    }
                    let at_ns = lab.now().as_nanos() as u64;
                    let took = transfers.run(engine, direction)?;
                    if round > 0 && !took.is_zero() {
                        rates.push(moved / took.as_secs_f64());
                        runs.push((at_ns, took.as_nanos() as u64));
                    }
                }
                if !rates.is_empty() {
                    seen.metrics.push(metric(name, stats::median(&rates), "B/s"));
                }
                if (allocator, engine, direction) == (Allocator::Pinned, Engine::Copy, Direction::In) {
                    seen.first = runs;
                }
            }
        }
        Ok(())
    }
    /// The other GPUs of this machine, each from this one.
    fn peers(&self, lab: &mut dyn Lab, seen: &mut Seen) -> Result<Vec<String>, Fault> {
        let mut notes = Vec::new();
        for ordinal in 0..cuda::count().unwrap_or(1) {
            let name = format!("cuda:{ordinal}");
            if name == self.gpu.id() || lab.stopped() {
                continue;
            }
            let there = match Gpu::open(ordinal) {
                Ok(there) => there,
                Err(why) => {
                    notes.push(format!("{name}: {why}"));
                    continue;
                }
            };
            for (from, to, direction) in [(&self.gpu, &there, "out"), (&there, &self.gpu, "in")] {
                let mut peers = Peers::new(from, to, self.bytes, self.count, self.seed)?;
                right(peers.verify()?, &name)?;
                let mut rates = Vec::new();
                for _ in 0..ROUNDS {
                    let took = peers.run()?;
                    rates.push(peers.moved() as f64 / took.as_secs_f64().max(1e-9));
                }
                seen.metrics.push(metric(transfer::name(&name, "peer", direction), stats::median(&rates), "B/s"));
                if !peers.direct() {
                    notes.push(format!("{name}: the two do not reach each other's memory: copies pass the host"));
                }
            }
        }
        Ok(notes)
    }
}

impl Trial for Copies {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        for allocator in self.allocators.clone() {
            match self.verify(allocator) {
                Ok(()) => {}
                // What a driver says it can and then cannot is a finding, not the end of the others.
                Err(why @ (Fault::Unsupported(_) | Fault::OutOfMemory { .. })) => {
                    self.notes.push(format!("{}: {why}", allocator.name()));
                    self.allocators.retain(|one| *one != allocator);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(worst(&self.checks))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Seen::default();
        for allocator in &self.allocators {
            lab.tell(&Beat { doing: format!("copies, {}", allocator.name()), ..Beat::default() });
            self.time(*allocator, lab, &mut seen)?;
            if lab.stopped() {
                return Ok(None);
            }
        }
        let mut notes = self.peers(lab, &mut seen)?;
        notes.extend(self.notes.iter().cloned());
        Ok(Some(Observed {
            at_ns: seen.first.iter().map(|(at, _)| *at).collect(),
            samples_ns: seen.first.iter().map(|(_, ns)| *ns).collect(),
            iterations: 1,
            metrics: seen.metrics,
            notes,
            ..Observed::default()
        }))
    }
    fn work(&self) -> Work {
        let bytes = (self.bytes * self.count) as u64;
        Work { bytes, items: self.count as u64, item: "copy".into(), ..Work::default() }
    }
    fn cache(&self) -> Cache {
        // What was copied before may stand in a cache of either side, as far as it fits there.
        Cache::Warm
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = gpu::facts(&self.gpu);
        let held = "the stream waits until all copies are enqueued; pageable and managed memory cannot, and its calls are in the time";
        let counted = "each byte once, both directions together; within the device it is read and written";
        for (name, said) in [
            ("samples", "pinned memory to the GPU by copy engine"),
            ("held", held),
            ("counted", counted),
            ("managed", "each run begins with its pages at the host"),
            ("copies_of_a_run", &self.count.to_string()),
        ] {
            facts.insert(name.into(), said.into());
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_copies_come_in_storms_and_large_ones_alone() {
        assert_eq!([4096, 1 << 20, 64 << 20, 1 << 30].map(|bytes| copies(bytes, false)), [1024, 64, 1, 1]);
        assert_eq!(copies(4096, true), SIMULATED);
        let id = BenchmarkId::new("transfer", "cuda:0", "driver").with("bytes", 100_u64);
        assert!(bytes(&id).is_err_and(|why| why.0.contains("multiple of 64")));
    }
}
