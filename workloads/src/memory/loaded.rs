//! `loaded`: the latency of one core's reads while the others read as much as they can, or less.

use super::contention::worst;
use super::groups::{Groups, Split};
use super::operands::Operands;
use super::{beyond, full};
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Ran, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::chase::Chase;
use spark_kernels::read::Read;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::{Device, Fault, Live, Op, best};
use spark_results::loaded::{injected, latency};
use spark_results::record::{Better, Cache, Check, Metric};
use spark_results::{BenchmarkId, Work, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `loaded`.
pub static LOADED: Loaded = Loaded;

/// Latency under load.
#[derive(Clone, Copy, Debug)]
pub struct Loaded;

const AXES: &[Axis] = &[Axis {
    name: "bytes",
    about: "size of the set that is wandered through and of the array that is read, in bytes; 0: past the last-level cache",
    default: "0",
}];

/// Shares of what the injecting cores can read at most; none comes first.
const SHARES: [f64; 8] = [0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0];
/// How long each share takes, in each of the rounds.
const POINT: Duration = Duration::from_millis(200);
const ROUNDS: usize = 2;
/// Idling rounds by which a round's time is found.
const TRIED: u32 = 400;
/// Bytes between two pauses.
const BETWEEN: f64 = 4096.0;

fn bytes(id: &BenchmarkId, device: &dyn Device) -> Result<usize, BadRequest> {
    match axis::count(&full(id, AXES)?, "bytes")? {
        0 => Ok(beyond(device.last_level_cache()) as usize),
        bytes if bytes % 64 == 0 => Ok(bytes),
        bytes => Err(BadRequest(format!("bytes = {bytes} is no multiple of 64; round it up"))),
    }
}

impl Workload for Loaded {
    fn name(&self) -> &'static str {
        "loaded"
    }
    fn about(&self) -> &'static str {
        "the latency of one core's dependent reads against the bandwidth that the others take meanwhile"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        vec![("scalar".to_owned(), Groups::of(device, Split::First).err().map(|why| why.to_string()))]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids = Vec::new();
        for axes in axis::combinations(self.name(), AXES, request)? {
            let mut id = BenchmarkId::new(self.name(), device.id(), "scalar");
            id.axes = axes.into_iter().filter(|(_, value)| value.int() != Some(0)).collect();
            bytes(&id, device)?;
            ids.push(id);
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let bytes = bytes(id, device)? as u64;
        Groups::of(device, Split::First)?;
        // Both arrays, and the example of the one that is made last, twice over while it is copied.
        Ok(Footprint { bytes: bytes.saturating_mul(4), flops: 0, traffic: 64 << 20, setup: bytes.saturating_mul(2) })
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        false
    }
    fn lasts(&self, _: &BenchmarkId) -> Option<Duration> {
        Some(POINT * (ROUNDS * SHARES.len()) as u32)
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, _: u64) -> Result<Body, Decline> {
        let bytes = bytes(id, &**device)?;
        let groups = Groups::of(&**device, Split::First)?;
        let chase = Chase::new(bytes);
        let read = Read(WorkingSet::new(bytes, groups.other.threads()));
        let unsupported = |u: spark_kernels::Unsupported| Decline::Skip(u.to_string());
        let how = best(&chase, &*groups.one).map_err(unsupported)?;
        let (walker, walked) = Operands::new(&chase, how, &groups.one, seed)?;
        let how = best(&read, &*groups.other).map_err(unsupported)?;
        let (reader, right) = Operands::new(&read, how, &groups.other, seed)?;
        let checks = vec![walked, right];
        Ok(Body::Trial(Box::new(Curve { groups, chase, read, walker, reader, checks })))
    }
}

struct Curve {
    groups: Groups,
    chase: Chase,
    read: Read,
    walker: Operands,
    reader: Operands,
    checks: Vec<Check>,
}

impl Curve {
    /// The reader, idling `pause` rounds after each 4 KiB.
    fn pausing(&mut self, pause: u32) -> Result<(), Fault> {
        let op = Read(self.read.0.paused(pause));
        let how = best(&op, &*self.groups.other)?;
        self.reader.prepare(&op, how, &*self.groups.other)
    }
    /// The least time of a few runs of the reader alone, in nanoseconds between two pauses of one worker.
    fn between(&mut self, lab: &mut dyn Lab, pause: u32) -> Result<f64, Fault> {
        self.pausing(pause)?;
        let mut least = f64::INFINITY;
        for _ in 0..5 {
            least = least.min(lab.time(&mut || self.reader.run())?.as_nanos() as f64);
        }
        let pieces = self.read.bytes(&Live::one(1, 0)) as f64 / BETWEEN;
        Ok(least * self.groups.other.threads() as f64 / pieces)
    }
    /// The pause that brings the reader down to each share of what it can do; none for nothing and for all.
    fn pauses(&mut self, lab: &mut dyn Lab) -> Result<Vec<u32>, Fault> {
        let (full, paused) = (self.between(lab, 0)?, self.between(lab, TRIED)?);
        let round = ((paused - full) / f64::from(TRIED)).max(0.1);
        let pause = |share: &f64| {
            if *share > 0.0 && *share < 1.0 { (full * (1.0 / share - 1.0) / round).max(1.0) as u32 } else { 0 }
        };
        Ok(SHARES.iter().map(pause).collect())
    }
}

impl Trial for Curve {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(worst(&self.checks))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let pauses = self.pauses(lab)?;
        let (mut walks, mut reads) = (vec![Vec::<Ran>::new(); SHARES.len()], vec![Vec::<Ran>::new(); SHARES.len()]);
        for _ in 0..ROUNDS {
            for (at, share) in SHARES.iter().enumerate() {
                if lab.stopped() {
                    return Ok(None);
                }
                let began = lab.now();
                let doing = format!("latency beside {:.0} % of the others' reading", share * 100.0);
                lab.tell(&Beat { doing, of: Some(POINT), ..Beat::default() });
                if *share == 0.0 {
                    walks[at].extend(super::cell::alone(lab, &mut || self.walker.run(), POINT)?);
                    continue;
                }
                self.pausing(pauses[at])?;
                let [walked, read] = lab.both(&mut || self.walker.run(), &mut || self.reader.run(), POINT)?;
                let bytes = self.read.bytes(&Live::one(1, 0)).saturating_mul(read.len() as u64);
                lab.phase(&format!("injected {:.0} %", share * 100.0), began, Work { bytes, ..Work::default() });
                walks[at].extend(walked);
                reads[at].extend(read);
            }
        }
        let (hops, bytes) = (self.chase.hops() as f64, self.read.bytes(&Live::one(1, 0)) as f64);
        let median = |runs: &[Ran]| stats::median(&runs.iter().map(|ran| ran.ns as f64).collect::<Vec<_>>());
        let metric = |name: String, value: f64, unit: &str, better| Metric { name, value, unit: unit.into(), better };
        let (mut metrics, mut notes) = (Vec::new(), Vec::new());
        for (at, (walked, read)) in walks.iter().zip(&reads).enumerate() {
            if walked.is_empty() || (at > 0 && read.is_empty()) {
                notes.push(format!("{:.0} % of the others' reading: no run was wholly beside it", SHARES[at] * 100.0));
                continue;
            }
            metrics.push(metric(latency(at), median(walked) / hops, "ns", Better::Lower));
            if at > 0 {
                metrics.push(metric(injected(at), bytes / (median(read) * 1e-9), "B/s", Better::Neither));
            }
        }
        Ok(Some(Observed {
            at_ns: walks[0].iter().map(|ran| ran.at_ns).collect(),
            samples_ns: walks[0].iter().map(|ran| ran.ns).collect(),
            requests: Vec::new(),
            iterations: 1,
            clocks: Vec::new(),
            metrics,
            notes,
        }))
    }
    fn work(&self) -> Work {
        let hops = self.chase.hops() as u64;
        Work { flops: 0, bytes: hops * 64, items: hops, item: "hop".into() }
    }
    fn cache(&self) -> Cache {
        Cache::Cold
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        let (walker, reader) = (self.walker.pages(), self.reader.pages());
        Some((walker.0 + reader.0, walker.1.zip(reader.1).map(|(a, b)| a + b)))
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        facts.insert("groups".into(), format!("{} (one wanders, other reads)", self.groups.said));
        facts.insert("samples".into(), "the walk while the others are idle".into());
        let said = "the other cores read an array in order, idling between pieces of 4 KiB; measured, not asked for";
        facts.insert("injected".into(), said.into());
        facts
    }
}
