//! Any op alone: prepared, checked, and run with its operands cold or warm.

use crate::axis::{self, Axis, BadRequest, Request};
use crate::workload::{Body, Decline, Footprint, Roofs, Step, Workload};
use spark_kernels::{
    AxisValue, Buffer, Device, Example, Host, Implementation, Io, Live, Op, Prepared, best, named, parity,
};
use spark_results::record::{Cache, Check};
use spark_results::{Axes, BenchmarkId, Work, id};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many elements of the outputs are compared with the reference.
const COMPARED: usize = 512;
/// An op that does fewer operations a byte than this is shown with cold operands: its time is that of its memory.
const COLD_BELOW: u64 = 100;

/// The implementation of a roof that stands for whichever variant is fastest when tried.
pub const FASTEST: &str = "fastest";
/// The fact from which a rate becomes instructions a cycle.
const OPERATIONS_AN_INSTRUCTION: &str = spark_results::document::OPERATIONS_AN_INSTRUCTION;
/// Rounds in which the variants of a roof are tried.
const ROUNDS: usize = 4;
/// Runs shorter than this are tried three times a round.
const SHORT_NS: f64 = 1e7;
/// Variants that stay to the last round.
const FINALISTS: usize = 3;

/// An op as a workload: how its shape is read from axes, and what is special about timing it.
pub struct Micro<O: Op> {
    /// What it shows, in one sentence.
    pub about: &'static str,
    /// The axes of its shape.
    pub axes: &'static [Axis],
    /// The op at a shape, on a device of so many threads.
    pub parse: fn(&Axes, usize) -> Result<O, BadRequest>,
    /// Whether operands count as cold, or `None` to decide by its intensity.
    pub cold: Option<bool>,
    /// Whether it is itself a roof, so that none stands over it.
    pub roof: bool,
    /// Operations of one instruction of the variant of that name, where a rate is told in instructions a cycle.
    pub instruction: Option<fn(&O, &str) -> Option<u64>>,
    /// Things one call produces, and what one is.
    pub items: Option<Items<O>>,
}

/// Things one call produces.
pub struct Items<O> {
    /// How many.
    pub count: fn(&O) -> u64,
    /// What one is, in the singular.
    pub item: &'static str,
}

/// Variants by name with the least time each took, in nanoseconds, the fastest first.
type Tried = Vec<(&'static str, f64)>;

impl<O: Op> Micro<O> {
    fn op(&self, axes: &Axes, device: &dyn Device) -> Result<O, BadRequest> {
        // An axis that an id leaves out stands at its first default.
        let mut full = axes.clone();
        for axis in self.axes.iter().filter(|a| !axes.contains_key(a.name)) {
            let first = axis::list(axis.name, axis.default)?.swap_remove(0);
            full.insert(axis.name.to_owned(), first);
        }
        let op = (self.parse)(&full, device.threads())?.on(device);
        op.validate().map_err(|e| BadRequest(e.to_string()))?;
        Ok(op)
    }
    fn is_cold(&self, op: &O, live: &Live) -> bool {
        self.cold.unwrap_or_else(|| op.flops(live) / COLD_BELOW < op.bytes(live))
    }
}

/// The id of `op` done by `implementation` on `device`.
fn id_of<O: Op>(op: &O, device: &dyn Device, implementation: &str) -> BenchmarkId {
    op.axes().into_iter().fold(
        BenchmarkId::new(O::NAME, device.id(), implementation),
        |id, (axis, value)| match value {
            AxisValue::Int(value) => id.with(axis, value),
            AxisValue::Text(value) => id.with(axis, value.as_str()),
        },
    )
}

fn bytes_of(hosts: &[Host]) -> u64 {
    hosts.iter().map(|h| h.bytes().len() as u64).sum()
}

impl<O: Op> Workload for Micro<O> {
    fn name(&self) -> &'static str {
        O::NAME
    }
    fn about(&self) -> &'static str {
        self.about
    }
    fn axes(&self) -> &'static [Axis] {
        self.axes
    }
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)> {
        let op = self.op(&Axes::new(), device);
        let here = O::implementations().iter().filter(|i| i.backend() == device.backend());
        here.map(|i| {
            let why = match &op {
                Ok(op) => i.supports(op, device).err().map(|u| u.to_string()),
                Err(bad) => Some(bad.to_string()),
            };
            (i.name().to_owned(), why)
        })
        .collect()
    }
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest> {
        let mut ids: Vec<BenchmarkId> = Vec::new();
        for axes in axis::combinations(O::NAME, self.axes, &crate::spread::on(request, device))? {
            let op = self.op(&axes, device)?;
            let mut add = |name: &str| {
                let id = id_of(&op, device, name);
                if !ids.contains(&id) {
                    ids.push(id);
                }
            };
            match request.implementation.as_str() {
                // Which variant of a roof is fastest no list can know: all are tried when it is prepared.
                "" | "best" | FASTEST if self.roof => add(FASTEST),
                // Where nothing supports the op, the last in the list stands for it: its record will say why.
                "" | "best" => match best(&op, device) {
                    Ok(implementation) => add(implementation.name()),
                    Err(_) => {
                        let here = O::implementations().iter().rfind(|i| i.backend() == device.backend());
                        here.or(O::implementations().first()).into_iter().for_each(|i| add(i.name()));
                    }
                },
                glob => {
                    let glob = if glob == "all" { "*" } else { glob };
                    let named = O::implementations().iter().filter(|i| i.backend() == device.backend());
                    let mut names = named.map(|i| i.name()).filter(|name| id::matches(glob, name)).peekable();
                    if names.peek().is_none() {
                        let all: Vec<_> = O::implementations().iter().map(|i| i.name()).collect();
                        let glob = spark_results::machine::clean(glob);
                        let text =
                            format!("{}: no implementation matches '{glob}'; there are: {}", O::NAME, all.join(", "));
                        return Err(BadRequest(text));
                    }
                    names.for_each(&mut add);
                }
            }
        }
        Ok(ids)
    }
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline> {
        let op = self.op(&id.axes, device)?;
        let live = op.live();
        let traffic = op.bytes(&live);
        let state = op.outputs().iter().map(|s| s.len as u64 * s.of.size() as u64).fold(0, u64::saturating_add);
        let once = op.operand_bytes().saturating_add(state);
        let sets = if self.is_cold(&op, &live) { sets(device, once) } else { 1 };
        // While the first set is prepared the example stands beside it, and canonical weights beside the packed ones.
        let times = |count: u64| once.saturating_mul(count);
        Ok(Footprint { bytes: times(sets + 2), flops: op.flops(&live), traffic, setup: times(1 + sets) })
    }
    fn needs_memory_roof(&self, id: &BenchmarkId, device: &dyn Device) -> bool {
        !self.roof && self.op(&id.axes, device).is_ok_and(|op| self.is_cold(&op, &op.live()))
    }
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline> {
        let op = self.op(&id.axes, &**device)?;
        let candidates = candidates(&op, &id.implementation, &**device)?;
        let example = op.example(seed);
        let once = bytes_of(&example.weights) + bytes_of(&example.inputs) + bytes_of(&example.outputs);
        let cold = self.is_cold(&op, &example.live);
        let wanted = if cold { sets(&**device, once) } else { 1 };
        let sets = wanted.min((memory / 2 / once.max(1)).max(1));
        let (sets, how, tried) = match candidates[..] {
            [one] => {
                let new = || Set::new(&op, one, &example, &**device);
                ((0..sets).map(|_| new()).collect::<Result<Vec<_>, _>>()?, one, Vec::new())
            }
            _ => {
                let (set, how, tried) = fastest(&op, &candidates, &example, &**device)?;
                (vec![set], how, tried)
            }
        };
        // What calls in turn really read: of many experts' weights a few. Padding may make it a little less than all there is.
        let span = sets.len() as u64 * op.bytes(&example.live).min(once);
        let enough = sets.len() as u64 == wanted && span >= 3 * device.last_level_cache();
        Ok(Body::Step(Box::new(Alone {
            items: self.items.as_ref().map_or((0, ""), |i| ((i.count)(&op), i.item)),
            roof: self.roof,
            cold: cold && enough,
            short: (cold && !enough).then_some((span, device.last_level_cache())),
            device: device.clone(),
            how,
            tried,
            instruction: self.instruction,
            next: 0,
            op,
            live: example.live.clone(),
            example: Some(example),
            sets,
            seed,
        })))
    }
}

/// The implementations that `name` stands for on `device`. Errors: it is unknown or unsupported, with the reason.
fn candidates<O: Op>(op: &O, name: &str, device: &dyn Device) -> Result<Vec<&'static dyn Implementation<O>>, Decline> {
    if name != FASTEST {
        let one = named::<O>(name).map_err(|u| Decline::Skip(u.to_string()))?;
        one.supports(op, device).map_err(|u| Decline::Skip(u.to_string()))?;
        return Ok(vec![one]);
    }
    // The slow portable variant is tried only where it is the only one.
    best(op, device).map_err(|u| Decline::Skip(u.to_string()))?;
    let mut all: Vec<_> = O::implementations().iter().copied().filter(|i| i.supports(op, device).is_ok()).collect();
    if all.len() > 1 {
        all.retain(|i| !matches!(i.name(), "scalar" | "naive"));
    }
    Ok(all)
}

/// Tries every candidate on one set of operands and keeps the fastest (the harness checks it before it counts), with all times, best first.
///
/// The rounds go through all candidates in turn, so that a disturbance meets them alike, and each round leaves out the slower
/// half of those that are still in it, down to [`FINALISTS`]: an array of memory's size takes long to walk.
fn fastest<O: Op>(
    op: &O,
    candidates: &[&'static dyn Implementation<O>],
    example: &Example,
    device: &dyn Device,
) -> Result<(Set, &'static dyn Implementation<O>, Tried), Decline> {
    let mut set = Set::new(op, candidates[0], example, device)?;
    let upload =
        |hosts: &[Host]| hosts.iter().map(|h| device.upload_to(h, op.placement())).collect::<Result<Vec<_>, _>>();
    let weights = upload(&example.weights)?;
    let live = &example.live;
    let mut tried: Vec<_> = candidates.iter().map(|candidate| (*candidate, f64::INFINITY)).collect();
    // The first touch of the operands is nobody's.
    set.run(live)?;
    let mut left = tried.len();
    for _ in 0..ROUNDS {
        for (candidate, least) in &mut tried[..left] {
            set.prepared = candidate.prepare(op, &weights, device)?;
            let mut once = || Ok::<_, Decline>(device.time(&mut || set.run(live))?.as_nanos() as f64);
            let first = once()?;
            // A short run is mostly its beginning, and costs nothing to repeat.
            let again = if first < SHORT_NS { once()?.min(once()?) } else { first };
            *least = least.min(first).min(again);
        }
        tried[..left].sort_by(|a, b| a.1.total_cmp(&b.1));
        left = left.div_ceil(2).max(FINALISTS).min(left);
    }
    // Those left out early have one try, and stand behind none that they beat in it.
    tried.sort_by(|a, b| a.1.total_cmp(&b.1));
    set.prepared = tried[0].0.prepare(op, &weights, device)?;
    // State that the trials changed is brought back, so that the check compares one call with the reference.
    for (buffer, host) in set.outputs.iter_mut().zip(&example.outputs) {
        device.write_bytes(buffer, 0, host.bytes())?;
    }
    Ok((set, tried[0].0, tried.into_iter().map(|(i, ns)| (i.name(), ns)).collect()))
}

/// How many sets of operands, used in turn, exceed four times the last-level cache: then each is cold when its turn comes.
fn sets(device: &dyn Device, once: u64) -> u64 {
    (4 * device.last_level_cache()).div_ceil(once.max(1)).clamp(1, 4096) + 1
}

/// One set of operands.
struct Set {
    prepared: Box<dyn Prepared>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Set {
    fn new<O: Op>(
        op: &O,
        how: &dyn Implementation<O>,
        example: &Example,
        device: &dyn Device,
    ) -> Result<Self, Decline> {
        let upload =
            |hosts: &[Host]| hosts.iter().map(|h| device.upload_to(h, op.placement())).collect::<Result<Vec<_>, _>>();
        let weights = upload(&example.weights)?;
        Ok(Self {
            prepared: how.prepare(op, &weights, device)?,
            inputs: upload(&example.inputs)?,
            outputs: upload(&example.outputs)?,
        })
    }
    fn run(&mut self, live: &Live) -> Result<(), spark_kernels::Fault> {
        // Vectors of references, not of data: a few dozen bytes, and the kernels' own time dwarfs them.
        let inputs: Vec<_> = self.inputs.iter().collect();
        let mut outputs: Vec<_> = self.outputs.iter_mut().collect();
        self.prepared.run(&mut Io { inputs: &inputs, outputs: &mut outputs, live })
    }
}

struct Alone<O: Op> {
    device: Arc<dyn Device>,
    op: O,
    live: Live,
    /// The operands as they were made, until the check has compared with them: a roof of memory is as large again.
    example: Option<Example>,
    sets: Vec<Set>,
    next: usize,
    cold: bool,
    short: Option<(u64, u64)>,
    /// What runs it.
    how: &'static dyn Implementation<O>,
    tried: Tried,
    instruction: Option<fn(&O, &str) -> Option<u64>>,
    roof: bool,
    items: (u64, &'static str),
    seed: u64,
}

impl<O: Op> Step for Alone<O> {
    fn run(&mut self) -> Result<(), spark_kernels::Fault> {
        let now = self.next;
        self.next = if now + 1 == self.sets.len() { 0 } else { now + 1 };
        self.sets[now].run(&self.live)
    }
    fn work(&self) -> Work {
        let live = &self.live;
        Work {
            flops: self.op.flops(live),
            bytes: self.op.bytes(live),
            items: self.items.0,
            item: self.items.1.to_owned(),
        }
    }
    fn check(&mut self) -> Result<Option<Check>, spark_kernels::Fault> {
        let example = self.example.take().unwrap_or_else(|| self.op.example(self.seed));
        let set = &mut self.sets[0];
        set.run(&self.live)?;
        let got = set.outputs.iter().map(|b| self.device.download(b)).collect::<Result<Vec<_>, _>>()?;
        let check = parity::compare(&self.op, self.how.rounding(&self.op), &example, &got, self.seed, COMPARED);
        Ok(Some(Check { max_error: check.max_error, tolerance: check.tolerance, compared: check.compared as u64 }))
    }
    fn digest(&mut self) -> Result<Option<u64>, spark_kernels::Fault> {
        // The set that was run last: all sets hold the same operands.
        let set = &self.sets[(self.next + self.sets.len() - 1) % self.sets.len()];
        let mut sum = crate::soak::Digest::default();
        for output in &set.outputs {
            sum.add(self.device.download(output)?.bytes());
        }
        Ok(Some(sum.value()))
    }
    fn roofs(&self) -> Roofs {
        if self.roof {
            return Roofs::default();
        }
        // Warm operands come from a cache: the roof of memory does not stand over them, and where few operations are done on each
        // byte, neither does that of compute. The roof there is the cache's own bandwidth, which no single figure tells.
        let (flops, bytes) = (self.op.flops(&self.live), self.op.bytes(&self.live));
        let dense = flops >= bytes.saturating_mul(COLD_BELOW);
        Roofs { memory: self.cold, compute: (flops > 0 && (self.cold || dense)).then(|| self.how.arithmetic(&self.op)) }
    }
    fn cache(&self) -> Cache {
        if self.cold { Cache::Cold } else { Cache::Warm }
    }
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        let operands = self.sets.iter().flat_map(|s| s.inputs.iter().chain(&s.outputs).chain(s.prepared.buffers()));
        let mut pages = operands.filter_map(Buffer::pages).peekable();
        // What a GPU holds stands on no pages of the host.
        pages.peek()?;
        let used = spark_kernels::cpu::pages::usage(pages);
        Some((used.bytes, used.huge))
    }
    fn facts(&self) -> BTreeMap<String, String> {
        let resident: u64 = self.sets.iter().map(|s| s.prepared.resident()).sum();
        let mut facts = BTreeMap::new();
        if resident > 0 {
            facts.insert("packed_weight_bytes".into(), (resident / self.sets.len() as u64).to_string());
        }
        if let Some((fastest, _)) = self.tried.first() {
            facts.insert("variant".into(), (*fastest).into());
            if let Some(operations) = self.instruction.and_then(|of| of(&self.op, fastest)) {
                facts.insert(OPERATIONS_AN_INSTRUCTION.into(), operations.to_string());
            }
            let rates: Vec<_> = self.tried.iter().map(|(name, ns)| format!("{name} {ns:.0} ns")).collect();
            facts.insert("variants_tried".into(), rates.join(", "));
        }
        if !self.roof && self.op.bytes(&self.live) > 0 && self.roofs() == Roofs::default() {
            let why = "none: the operands stay in a cache, whose bandwidth at this size `read` shows";
            facts.insert("roof".into(), why.into());
        }
        if self.cold {
            facts.insert("operand_sets".into(), self.sets.len().to_string());
        }
        if let Some((bytes, cache)) = self.short {
            let text =
                format!("operands in turn span {bytes} bytes, less than 4 × the last-level cache of {cache} bytes");
            facts.insert("not_cold".into(), text);
        }
        facts
    }
}
