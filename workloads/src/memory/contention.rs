//! `contention`: what two groups of cores, or the cores and a GPU, leave each other of memory, and what a busy neighbour leaves of
//! tokens a second.

use super::cell::{Cells, alone};
use super::groups::{Groups, Split, host};
use super::load::{Load, Running, With};
use super::{beyond, full};
use crate::axis::{self, Axis, BadRequest, Request};
use crate::trial::{Beat, Lab, Observed, Trial};
use crate::workload::{Body, Decline, Footprint, Workload};
use spark_kernels::{Backend, Device, Fault};
use spark_results::contention::{ALONE, Side};
use spark_results::quantity::size;
use spark_results::record::{Cache, Check};
use spark_results::{Axes, BenchmarkId, Work};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The workload `contention`.
pub static CONTENTION: Contention = Contention;

/// Two groups of cores beside each other.
#[derive(Clone, Copy, Debug)]
pub struct Contention;

const AXES: &[Axis] = &[
    Axis {
        name: "bytes",
        about: "arrays of each stream together, in bytes; 0: past the last-level cache",
        default: "0",
    },
    Axis { name: "format", about: "weights of the model that decodes", default: "mxfp4" },
    Axis {
        name: "model",
        about: "the model that decodes: a preset, a config.json or a folder with one",
        default: "llama-3.2-1b",
    },
    Axis {
        name: "one",
        about: "what one group does (beside a GPU: the host's cores): streams (each in turn), read, write, copy, random, gemv or decode",
        default: "streams",
    },
    Axis {
        name: "other",
        about: "what the other group, or the GPU, does, alike; a GPU's streams are read, write and gemv",
        default: "streams",
    },
    Axis {
        name: "split",
        about: "half: every other core; kinds: the fastest kind of core, and the others",
        default: "half",
    },
];
/// Axes that mean nothing where nobody decodes, and where nothing streams.
const OF_DECODE: [&str; 2] = ["format", "model"];
const OF_STREAMS: [&str; 1] = ["bytes"];

/// How long each cell takes in each round: long against a run, which is some 50 ms of a copy and up to a second of tokens.
const CELL: Duration = Duration::from_millis(200);
const CELL_DECODING: Duration = Duration::from_millis(1200);
/// All cells are measured so often, one round after the other, so that a drift meets them alike.
const ROUNDS: u64 = 2;

/// What an id asks for.
struct Asked {
    one: Vec<Load>,
    other: Vec<Load>,
    split: Split,
    with: With,
}

impl Asked {
    fn of(axes: &Axes, device: &dyn Device) -> Result<Self, BadRequest> {
        let on_gpu = device.backend() == Backend::Cuda;
        // Beside a GPU both sides walk as many bytes, past the larger of two caches.
        let hosts = if on_gpu { host(Some(1)).last_level_cache() } else { 0 };
        let last_level_cache = device.last_level_cache().max(hosts);
        let text = |axis: &str| axis::name(axes, axis);
        let split = match text("split")?.as_str() {
            "half" => Split::Half,
            "kinds" => Split::Kinds,
            other => {
                let other = spark_results::machine::clean(other);
                return Err(BadRequest(format!("split is '{other}'; it is half or kinds")));
            }
        };
        let bytes = match axis::count(axes, "bytes")? {
            0 => beyond(last_level_cache),
            bytes if bytes % 128 == 0 => bytes as u64,
            bytes => return Err(BadRequest(format!("bytes = {bytes} is no multiple of 128; round it up"))),
        };
        Ok(Self {
            one: Load::of(&text("one")?, false)?,
            other: Load::of(&text("other")?, on_gpu)?,
            split,
            with: With { bytes, model: text("model")?, format: text("format")? },
        })
    }
    fn has(&self, decoding: bool) -> bool {
        self.one.iter().chain(&self.other).any(|load| (*load == Load::Decode) == decoding)
    }
    /// What both sides take beside a GPU: each from its own memory, and on an integrated one from the same.
    fn beside_gpu(&self, gpu: &dyn Device) -> Result<Footprint, Decline> {
        let (mut all, mut most) = (Footprint::default(), 0);
        for load in &self.other {
            let one = load.workload().footprint(&load.id(gpu, &self.with)?, gpu)?;
            let held = if *load == Load::Decode { one.bytes } else { one.bytes.min(2 * self.with.bytes) };
            all.bytes = all.bytes.saturating_add(held);
            most = most.max(one.bytes.saturating_sub(held));
            all.setup = all.setup.saturating_add(one.setup);
            all.traffic = all.traffic.max(one.traffic);
        }
        let host = self.with.bytes.saturating_mul(2 + self.one.len() as u64);
        all.bytes = all.bytes.saturating_add(most).saturating_add(if gpu.integrated() { host } else { 0 });
        match spark_kernels::available_memory() {
            Some(available) if host > available => Err(Decline::Skip(format!(
                "the host's side needs {} and {} are available; give fewer --bytes",
                size(host),
                size(available)
            ))),
            _ => Ok(all),
        }
    }
    fn cell(&self) -> Duration {
        if self.has(true) { CELL_DECODING } else { CELL }
    }
    /// Cells of one round: each load alone on its side, and each pair.
    fn cells(&self) -> u64 {
        let (one, other) = (self.one.len() as u64, self.other.len() as u64);
        one + other + one * other
    }
}

impl Workload for Contention {
    fn name(&self) -> &'static str {
        "contention"
    }
    fn about(&self) -> &'static str {
        "what two groups of cores, or cores and GPU, leave each other: GB/s of each beside each, tokens a second beside a neighbour"
    }
    fn axes(&self) -> &'static [Axis] {
        AXES
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        let why = match device.backend() {
            Backend::Cuda => None,
            Backend::Cpu => Groups::of(device, Split::Half).err().map(|why| why.to_string()),
        };
        vec![("fastest".to_owned(), why)]
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids: Vec<BenchmarkId> = Vec::new();
        for axes in axis::combinations(self.name(), AXES, request)? {
            let asked = Asked::of(&axes, device)?;
            let host = host(Some(1));
            let one: &dyn Device = if device.backend() == Backend::Cuda { &host } else { device };
            for (loads, side) in [(&asked.one, one), (&asked.other, device)] {
                for load in loads {
                    load.id(side, &asked.with)?;
                }
            }
            let meant = |name: &str| {
                (asked.has(true) || !OF_DECODE.contains(&name)) && (asked.has(false) || !OF_STREAMS.contains(&name))
            };
            let left_out =
                |name: &str, value: &str| (name, value) == ("bytes", "0") || (name, value) == ("split", "half");
            let id = axes
                .iter()
                .filter(|(name, value)| meant(name) && !left_out(name, &value.to_string()))
                .fold(BenchmarkId::new(self.name(), device.id(), "fastest"), |id, (name, value)| {
                    id.with(name, value.clone())
                });
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let asked = Asked::of(&full(id, AXES)?, device)?;
        if device.backend() == Backend::Cuda {
            return asked.beside_gpu(device);
        }
        let groups = Groups::of(device, asked.split)?;
        let (mut all, mut most) = (Footprint::default(), 0);
        for (loads, group) in [(&asked.one, &groups.one), (&asked.other, &groups.other)] {
            for load in loads {
                let one = load.workload().footprint(&load.id(&**group, &asked.with)?, &**group)?;
                // A stream's example stands beside its operands only while it is prepared and checked.
                let held = if *load == Load::Decode { one.bytes } else { asked.with.bytes };
                all.bytes = all.bytes.saturating_add(held);
                most = most.max(one.bytes.saturating_sub(held));
                all.setup = all.setup.saturating_add(one.setup);
                all.traffic = all.traffic.max(one.traffic);
            }
        }
        all.bytes = all.bytes.saturating_add(most);
        Ok(all)
    }
    fn needs_memory_roof(&self, _: &BenchmarkId, _: &dyn Device) -> bool {
        // Each side is compared with itself alone.
        false
    }
    fn lasts(&self, id: &BenchmarkId) -> Option<Duration> {
        // On a GPU a word may stand for fewer loads: a guess need not know.
        let asked = Asked::of(&full(id, AXES).ok()?, &host(Some(1))).ok()?;
        Some(asked.cell() * (ROUNDS * asked.cells()) as u32)
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let asked = Asked::of(&full(id, AXES)?, &**device)?;
        let groups = match device.backend() {
            Backend::Cuda => Groups::with_gpu(device),
            Backend::Cpu => Groups::of(&**device, asked.split)?,
        };
        let mut checks = Vec::new();
        let mut ready = |loads: &[Load], group: &Arc<dyn Device>| {
            let each = loads.iter().map(|load| {
                let mut running = Running::new(*load, group, &asked.with, (seed, memory))?;
                // Checked at once: a stream keeps its example until then, and so many of them would not fit.
                checks.extend(running.step.check()?);
                Ok(running)
            });
            each.collect::<Result<Vec<_>, Decline>>()
        };
        let (one, other) = (ready(&asked.one, &groups.one)?, ready(&asked.other, &groups.other)?);
        let cell = asked.cell();
        Ok(Body::Trial(Box::new(Matrix { one, other, cell, checks, said: groups.said, bytes: asked.with.bytes })))
    }
}

/// Two groups, each load of each beside each of the other's.
struct Matrix {
    one: Vec<Running>,
    other: Vec<Running>,
    cell: Duration,
    checks: Vec<Check>,
    said: String,
    bytes: u64,
}

impl Matrix {
    fn round(&mut self, lab: &mut dyn Lab, cells: &mut Cells, done: &mut u64) -> Result<(), Fault> {
        let all = (self.one.len() + self.other.len() + self.one.len() * self.other.len()) as u64 * ROUNDS;
        let (began, cell) = (lab.now(), self.cell);
        let mut tell = |lab: &mut dyn Lab, doing: String| {
            *done += 1;
            let elapsed = lab.now().saturating_sub(began);
            lab.tell(&Beat { doing: format!("{doing} ({done} of {all})"), elapsed, ..Beat::default() });
        };
        for (side, loads) in [(Side::One, &mut self.one), (Side::Other, &mut self.other)] {
            for running in loads {
                tell(lab, format!("{} alone", running.load.name()));
                let what = running.load.name();
                cells.add(side, what, ALONE, alone(lab, &mut || running.once(), cell)?);
            }
        }
        for one in &mut self.one {
            for other in &mut self.other {
                if lab.stopped() {
                    return Ok(());
                }
                let (a, b) = (one.load.name(), other.load.name());
                tell(lab, format!("{a} beside {b}"));
                let began = lab.now();
                let [ours, theirs] = lab.both(&mut || one.once(), &mut || other.once(), cell)?;
                let (x, y) = (one.work(), other.work());
                let times = |work: u64, runs: usize| work.saturating_mul(runs as u64);
                let bytes = times(x.bytes, ours.len()).saturating_add(times(y.bytes, theirs.len()));
                lab.phase(&format!("{a} beside {b}"), began, Work { bytes, ..Work::default() });
                cells.add(Side::One, a, b, ours);
                cells.add(Side::Other, b, a, theirs);
            }
        }
        Ok(())
    }
}

impl Trial for Matrix {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(worst(&self.checks))
    }
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        let (mut cells, mut done) = (Cells::default(), 0);
        for _ in 0..ROUNDS {
            self.round(lab, &mut cells, &mut done)?;
            if lab.stopped() {
                return Ok(None);
            }
        }
        let find = |side: Side, what: &str| {
            let loads = if side == Side::One { &self.one } else { &self.other };
            loads.iter().find(|running| running.load.name() == what).map(Running::amount)
        };
        let metrics = cells.metrics(find);
        let first = cells.alone(self.one.first().map_or("", |running| running.load.name()));
        let notes = cells.empty().map(|cell| format!("{cell}: no run was wholly beside the other side")).collect();
        Ok(Some(Observed {
            at_ns: first.iter().map(|ran| ran.at_ns).collect(),
            samples_ns: first.iter().map(|ran| ran.ns).collect(),
            requests: Vec::new(),
            iterations: 1,
            clocks: Vec::new(),
            metrics,
            notes,
        }))
    }
    fn work(&self) -> Work {
        self.one.first().map(Running::work).unwrap_or_default()
    }
    fn cache(&self) -> Cache {
        Cache::Cold
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        let all: Vec<_> = self.one.iter().chain(&self.other).filter_map(|running| running.step.pages()).collect();
        (!all.is_empty()).then(|| (all.iter().map(|(bytes, _)| bytes).sum(), all.iter().map(|(_, huge)| *huge).sum()))
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let first = self.one.first().map_or("", |running| running.load.name());
        let mut facts = BTreeMap::new();
        facts.insert("groups".into(), self.said.clone());
        facts.insert("samples".into(), format!("{first} alone, on side one"));
        facts.insert("bytes_of_each_stream".into(), self.bytes.to_string());
        facts.insert("counted".into(), "a copy as read and written; written lines that are read first are not".into());
        for running in self.one.iter().chain(&self.other).filter(|running| running.load == Load::Decode) {
            facts.extend(running.step.facts());
        }
        facts
    }
}

/// The check that is furthest off, with everything that was compared. A wrong one is not hidden by a right one.
pub(super) fn worst(checks: &[Check]) -> Option<Check> {
    let further = |c: &Check| if c.passed() { c.max_error / c.tolerance.max(f64::MIN_POSITIVE) } else { f64::INFINITY };
    let worst = checks.iter().max_by(|a, b| further(a).total_cmp(&further(b)))?;
    let compared = checks.iter().map(|c| c.compared).sum();
    Some(Check { compared: if worst.compared == 0 { 0 } else { compared }, ..*worst })
}
