//! `unified`: one buffer for CPU and GPU: who allocates, who touches first, who reads; without a copy and with one.

use super::full;
use super::gpu::{self, metric, needed, right};
use super::groups::host;
use super::reader::Reader;
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::cuda::Gpu;
use spark_kernels::link::faults::Walk;
use spark_kernels::link::transfers::{Direction, Engine, Transfers};
use spark_kernels::link::{Allocator, Region};
use spark_kernels::{Device, Fault, Type};
use spark_results::quantity::size;
use spark_results::record::{Cache, Check, Metric};
use spark_results::{BenchmarkId, Work, stats, unified};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `unified`.
pub static UNIFIED: Unified = Unified;

/// One buffer for both.
#[derive(Clone, Copy, Debug)]
pub struct Unified;

const AXES: &[Axis] = &[
    Axis { name: "bytes", about: "size of the buffer, in bytes", default: "268435456" },
    Axis {
        name: "oversubscribe",
        about: "managed memory in hundredths of what the GPU has, 101 to 200, to see what paging costs; 0: no more than is free",
        default: "0",
    },
];

/// Fresh buffers of each kind; what is told is the median.
const ROUNDS: usize = 3;
/// Passes that count once the pages stand where they stay.
const PASSES: usize = 5;
/// Pages of the host; with larger ones what is told is for 4 KiB of them.
const PAGE: f64 = 4096.0;
/// Between two places of a walk over faults: what a driver moves at most for one of them.
const STRIDE: usize = 2 << 20;
/// Kept free on the host beside what is paged out to it.
const HOST_MARGIN: u64 = 4 << 30;
/// Guess of the time.
const BYTES_PER_S: f64 = 2e9;

/// Bytes of the buffer, and of managed memory that is more than the GPU has.
fn asked(id: &BenchmarkId) -> Result<(usize, usize), BadRequest> {
    let axes = full(id, AXES)?;
    let bytes = match axis::size(&axes, "bytes")? {
        bytes if bytes % 4096 == 0 => bytes,
        bytes => return Err(BadRequest(format!("bytes = {bytes} is no multiple of 4096; round it up"))),
    };
    match axis::count(&axes, "oversubscribe")? {
        percent @ (0 | 101..=200) => Ok((bytes, percent)),
        percent => Err(BadRequest(format!("oversubscribe = {percent}; it is 0 (not at all) or 101 to 200"))),
    }
}

/// Whether so many hundredths may be asked of `gpu`. Errors: why not.
fn may_exceed(gpu: &Gpu, percent: usize) -> Result<u64, Decline> {
    let (properties, skip) = (gpu.properties(), |why: String| Err(Decline::Skip(why)));
    if properties.integrated {
        return skip(format!(
            "{} has no memory but the host's: with more than that the whole machine stands still",
            gpu.id()
        ));
    }
    if !properties.sharing.concurrent {
        return skip(format!("{} does not page managed memory out: it cannot hold more than there is", gpu.id()));
    }
    let bytes = properties.memory_bytes / 100 * percent as u64;
    let beyond = bytes - properties.memory_bytes;
    match spark_kernels::available_memory() {
        Some(available) if available >= beyond + HOST_MARGIN => Ok(bytes),
        Some(available) => skip(format!(
            "{} would be paged out to the host, which has {} and keeps {}",
            size(beyond),
            size(available),
            size(HOST_MARGIN)
        )),
        None => skip("the system does not tell how much memory the host has for what is paged out".to_owned()),
    }
}

impl Workload for Unified {
    fn name(&self) -> &'static str {
        "unified"
    }
    fn about(&self) -> &'static str {
        "one buffer for CPU and GPU: who allocates, who touches first, who reads; without a copy and with one"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("fastest".to_owned(), needed(self.name(), device).err().map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids = Vec::new();
        for axes in axis::combinations(self.name(), AXES, request)? {
            let mut id = BenchmarkId::new(self.name(), device.id(), "fastest");
            let left_out = |name: &str, value: Option<u64>| name == "oversubscribe" && value == Some(0);
            id.axes = axes.into_iter().filter(|(name, value)| !left_out(name, value.int())).collect();
            asked(&id)?;
            ids.push(id);
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let gpu = needed(self.name(), device)?;
        let (bytes, percent) = asked(id)?;
        if percent > 0 {
            may_exceed(gpu, percent)?;
        }
        // A buffer, the memory on which ways to read are tried, and on an integrated GPU both ends of a copy, twice.
        Ok(Footprint { bytes: 5 * bytes as u64, traffic: bytes as u64, ..Footprint::default() })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, id: &BenchmarkId) -> Option<Duration> {
        let passes = Allocator::ALL.len() * 4 * ROUNDS * (PASSES + 3);
        Some(Duration::from_secs_f64(asked(id).ok()?.0 as f64 * passes as f64 / BYTES_PER_S))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, _: u64) -> Result<Body, Decline> {
        let gpu = needed(self.name(), &**device)?.clone();
        let (bytes, percent) = asked(id)?;
        let exceeding = if percent > 0 { Some(may_exceed(&gpu, percent)?) } else { None };
        let cpu: Arc<dyn Device> = Arc::new(host(None));
        let sides = [Reader::new(cpu, bytes)?, Reader::new(device.clone(), bytes)?];
        let (allocators, notes) = gpu::allocators(|allocator| allocator.seen_by_gpu(gpu.properties()));
        let device = device.clone();
        Ok(Body::Trial(Box::new(Buffers { gpu, device, bytes, exceeding, seed, sides, allocators, notes })))
    }
}

struct Buffers {
    gpu: Gpu,
    device: Arc<dyn Device>,
    bytes: usize,
    exceeding: Option<u64>,
    seed: u64,
    /// The CPU and the GPU.
    sides: [Reader; 2],
    allocators: Vec<Allocator>,
    notes: Vec<String>,
}

/// Times of one allocator, maker and reader, in nanoseconds.
#[derive(Default)]
struct Times {
    touch: Vec<f64>,
    first: Vec<f64>,
    later: Vec<f64>,
}

fn ns(time: Duration) -> f64 {
    (time.as_nanos() as f64).max(1.0)
}

impl Buffers {
    fn region(&self, allocator: Allocator) -> Result<Region, Fault> {
        Region::new(&self.gpu, allocator, Type::U32, self.bytes / 4)
    }
    /// Who reaches memory of `allocator`, by number.
    fn reach(allocator: Allocator) -> &'static [usize] {
        if allocator.seen_by_host() { &[0, 1] } else { &[1] }
    }
    /// A fresh buffer, written by `maker` and read by `reader`.
    fn once(&mut self, allocator: Allocator, maker: usize, reader: usize, times: &mut Times) -> Result<(), Fault> {
        let mut region = self.region(allocator)?;
        let sum = self.sides[maker].sum;
        let fresh = ns(self.sides[maker].write(&mut region)?);
        let again = ns(self.sides[maker].write(&mut region)?);
        times.touch.push((fresh - again).max(0.0) / (self.bytes as f64 / PAGE));
        times.first.push(ns(self.sides[reader].read(&mut region, sum)?));
        for _ in 0..PASSES {
            times.later.push(ns(self.sides[reader].read(&mut region, sum)?));
        }
        Ok(())
    }
    fn of(&mut self, allocator: Allocator, lab: &mut dyn Lab, seen: &mut Observed) -> Result<(), Fault> {
        let per_s = |bytes: usize, times: &[f64]| bytes as f64 / (stats::median(times) * 1e-9);
        for maker in Self::reach(allocator) {
            for reader in Self::reach(allocator) {
                let mut times = Times::default();
                for _ in 0..ROUNDS {
                    if lab.stopped() {
                        return Ok(());
                    }
                    self.once(allocator, *maker, *reader, &mut times)?;
                }
                let (maker, reader) = (self.sides[*maker].name, self.sides[*reader].name);
                let rate = |times: &[f64]| per_s(self.bytes, times);
                seen.metrics.push(metric(unified::read(reader, allocator.name(), maker), rate(&times.later), "B/s"));
                if maker == reader {
                    seen.metrics.push(metric(
                        unified::touch(maker, allocator.name()),
                        stats::median(&times.touch),
                        "ns",
                    ));
                } else {
                    seen.metrics.push(metric(
                        unified::first(reader, allocator.name(), maker),
                        rate(&times.first),
                        "B/s",
                    ));
                }
                // What a copy in the reader's own memory is read at.
                let own = [("cpu", Allocator::Pageable), ("gpu", Allocator::Device)];
                if maker == reader && own.contains(&(reader, allocator)) {
                    seen.metrics.push(metric(unified::read(reader, unified::COPY, maker), rate(&times.later), "B/s"));
                }
            }
        }
        Ok(())
    }
    /// The CPU's own memory where the GPU does not reach it.
    fn own_of_cpu(&mut self, seen: &mut Observed) -> Result<(), Fault> {
        let mut region = self.region(Allocator::Pageable)?;
        let sum = self.sides[0].sum;
        self.sides[0].write(&mut region)?;
        let mut times = Vec::new();
        for _ in 0..PASSES {
            times.push(ns(self.sides[0].read(&mut region, sum)?));
        }
        let rate = self.bytes as f64 / (stats::median(&times) * 1e-9);
        seen.metrics.push(metric(unified::read("cpu", unified::COPY, "cpu"), rate, "B/s"));
        Ok(())
    }
    /// What a copy takes, by copy engine from and to pinned memory.
    fn copies(&self) -> Result<Vec<Metric>, Fault> {
        let mut transfers = Transfers::new(&self.gpu, Allocator::Pinned, self.bytes, 1, self.seed)?;
        let mut metrics = Vec::new();
        for (direction, to) in [(Direction::In, "gpu"), (Direction::Out, "cpu")] {
            right(transfers.verify(Engine::Copy, direction)?, unified::COPY)?;
            let mut rates = Vec::new();
            for _ in 0..PASSES {
                rates.push(self.bytes as f64 / (ns(transfers.run(Engine::Copy, direction)?) * 1e-9));
            }
            metrics.push(metric(unified::copied(to), stats::median(&rates), "B/s"));
        }
        Ok(metrics)
    }
    /// How long one thread of the GPU waits for a page that stands with the host, beside one that stands where it was read before.
    fn faults(&self, allocator: Allocator) -> Result<f64, Fault> {
        let mut region = self.region(allocator)?;
        let mut walk = Walk::new(&self.gpu)?;
        let stride = STRIDE.min((self.bytes / 16).next_multiple_of(4096)).max(4096);
        let mut waits = Vec::new();
        for _ in 0..PASSES {
            let pages = Walk::bring_home(&mut region, stride)? as f64;
            let (first, later) = (walk.run(&self.gpu, &mut region, stride)?, walk.run(&self.gpu, &mut region, stride)?);
            waits.push((ns(first) - ns(later)).max(0.0) / pages);
        }
        Ok(stats::median(&waits))
    }
    /// Managed memory of more than the GPU has, written and read by the GPU from end to end.
    fn exceed(&mut self, all: u64, lab: &mut dyn Lab) -> Result<Vec<Metric>, Fault> {
        let pieces = (all as usize).div_ceil(self.bytes);
        let mut held = Vec::new();
        for _ in 0..pieces {
            held.push(self.region(Allocator::Managed)?);
        }
        let (mut wrote, mut read) = (Duration::ZERO, Duration::ZERO);
        let sum = self.sides[1].sum;
        for pass in 0..2 {
            for region in &mut held {
                if lab.stopped() {
                    return Ok(Vec::new());
                }
                if pass == 0 {
                    wrote += self.sides[1].write(region)?;
                } else {
                    read += self.sides[1].read(region, sum)?;
                }
            }
        }
        let rate = |time: Duration| (pieces * self.bytes) as f64 / (ns(time) * 1e-9);
        Ok(vec![
            metric(unified::exceeding("writes"), rate(wrote), "B/s"),
            metric(unified::exceeding("reads"), rate(read), "B/s"),
        ])
    }
}

impl Trial for Buffers {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        // What each side reads of what each side wrote: exact sums, of every allocator.
        let mut compared = 0;
        for allocator in self.allocators.clone() {
            for maker in Self::reach(allocator) {
                let mut region = self.region(allocator)?;
                self.sides[*maker].write(&mut region)?;
                let sum = self.sides[*maker].sum;
                for reader in Self::reach(allocator) {
                    self.sides[*reader].read(&mut region, sum)?;
                    compared += 1;
                }
            }
        }
        Ok(Some(Check { max_error: 0.0, tolerance: 0.0, compared }))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let mut seen = Observed { iterations: 1, notes: self.notes.clone(), ..Observed::default() };
        if let Some(all) = self.exceeding {
            seen.metrics = self.exceed(all, lab)?;
        } else {
            for allocator in self.allocators.clone() {
                lab.tell(&Beat { doing: format!("one buffer for both, {}", allocator.name()), ..Beat::default() });
                self.of(allocator, lab, &mut seen)?;
            }
            if !self.allocators.contains(&Allocator::Pageable) {
                self.own_of_cpu(&mut seen)?;
            }
            if lab.stopped() {
                return Ok(None);
            }
            seen.metrics.extend(self.copies()?);
            let faults = self.gpu.properties().sharing.concurrent;
            for allocator in [Allocator::Managed, Allocator::Pageable] {
                if faults && self.allocators.contains(&allocator) {
                    seen.metrics.push(metric(unified::fault(allocator.name()), self.faults(allocator)?, "ns"));
                }
            }
        }
        if lab.stopped() {
            return Ok(None);
        }
        // The samples of the record: the GPU reads what it wrote into its own memory.
        let mut region = self.region(Allocator::Device)?;
        let sum = self.sides[1].sum;
        self.sides[1].write(&mut region)?;
        for _ in 0..PASSES {
            seen.at_ns.push(lab.now().as_nanos() as u64);
            seen.samples_ns.push(self.sides[1].read(&mut region, sum)?.as_nanos() as u64);
        }
        self.device.wait()?;
        Ok(Some(seen))
    }
    fn work(&self) -> Work {
        Work { bytes: self.bytes as u64, ..Work::default() }
    }
    fn cache(&self) -> Cache {
        Cache::Warm
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = gpu::facts(&self.gpu);
        let page = "the first write of a page less a later one, for 4 KiB; the wait for a page is that of one GPU thread, a page every 2 MiB";
        for (name, said) in [
            ("samples", "the GPU reads what it wrote into its own memory"),
            ("page", page),
            ("copy", "by copy engine from and to pinned memory; what is read then is the reader's own memory"),
        ] {
            facts.insert(name.into(), said.into());
        }
        facts
    }
}
