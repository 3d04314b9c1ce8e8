//! The projections of many experts: one packed tensor, rows sorted by expert, and one scratch for all layers.
//!
//! A call rounds the rows of x in the order of the experts, waits once, and then each worker takes its tiles of every expert
//! that was chosen. So a worker owns the same outputs of every expert, and sums the choices of a token without waiting again.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::Gemm;
use super::canonical::{Canonical, scratch};
use super::channels::Channels;
use super::packed::{LANES, Packed};
use super::tiled::{FEW, Kernels, Multiply, Plan, Quantise};
use super::way::{self, Packs, Way};
use crate::cpu::Cpu;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::cpu::variant::{operands, rows_in_use};
use crate::moe::Experts;
use crate::moe::grouping::{Grouping, Segment};
use crate::{Backend, Buffer, Device, Element, Fault, Implementation, Io, Op, Prepared, Unsupported};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

struct Many<'a> {
    op: &'a Experts,
    weights: &'a [Buffer],
    device: &'a dyn Device,
}

impl Packs for Many<'_> {
    fn with<K: Kernels>(self, plan: Plan) -> Result<Box<dyn Prepared>, Fault> {
        prepare::<K>(self.op, self.weights, self.device, plan)
    }
}

/// Whether `op` can go the way `W` on this machine.
fn supports<W: Way>(op: &Experts, device: &dyn Device) -> Result<(), Unsupported> {
    op.validate().map_err(|invalid| Unsupported(invalid.0))?;
    if !op.n.is_multiple_of(LANES) {
        let n = op.n;
        return Err(Unsupported(format!("experts of {n} outputs do not end with a tile of {LANES}; scalar does it")));
    }
    way::supports::<W>(&op.gemm(), device)
}

impl<W: Way> Implementation<Experts> for W {
    fn name(&self) -> &'static str {
        W::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Experts, device: &dyn Device) -> Result<(), Unsupported> {
        supports::<W>(op, device)
    }
    fn prepare(&self, op: &Experts, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        supports::<W>(op, device)?;
        W::pack(&op.gemm(), Many { op, weights, device })
    }
}

/// What the calls of all prepared experts of one pool work in, one call after another.
#[derive(Debug, Default)]
struct Scratch(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    grouping: Grouping,
    /// Rounded rows in the order of the experts, groups padded.
    acts: Option<Buffer>,
    row_scales: Option<Buffer>,
    /// rows × active × n: what each choice says, before it is summed.
    said: Option<Buffer>,
    /// Of each worker: a panel, sums of a pass, codes, block scales and scale bytes of a row, one group of rows of x.
    panel: Option<Buffer>,
    sums: Option<Buffer>,
    codes: Option<Buffer>,
    scales: Option<Buffer>,
    bytes: Option<Buffer>,
    gathered: Option<Buffer>,
}

/// Makes room for `len` elements, if there is less. Errors: no memory left.
fn grow<T: Element>(part: &mut Option<Buffer>, len: usize) -> Result<(), Fault> {
    if part.as_ref().is_none_or(|buffer| buffer.len() < len) {
        // The old one goes first: both together may not fit.
        *part = None;
        *part = Some(scratch::<T>(len)?);
    }
    Ok(())
}

/// The elements of a part that `prepare` made room in.
fn part<T: Element>(part: &mut Option<Buffer>) -> &mut [T] {
    part.as_mut().map_or(&mut [], |buffer| buffer.slice_mut())
}

/// Experts packed for the kernels `I`.
#[derive(Debug)]
struct Ready<I> {
    op: Experts,
    gemm: Gemm,
    pool: Arc<Pool>,
    /// All tiles; then the same tiles, expert by expert.
    packed: Packed,
    each: Vec<Packed>,
    plan: Plan,
    tensor_scale: f32,
    /// experts × n; zeros where `channels` has the biases.
    bias: Buffer,
    channels: Option<Channels>,
    scratch: Arc<Scratch>,
    kernels: PhantomData<I>,
}

fn prepare<I: Kernels>(
    op: &Experts,
    weights: &[Buffer],
    device: &dyn Device,
    plan: Plan,
) -> Result<Box<dyn Prepared>, Fault> {
    let pool = Cpu::of(device)?.pool().clone();
    let (gemm, all) = (op.gemm(), op.all());
    let given = Canonical::of(&all, weights)?;
    let packed = Packed::new(&all, &given, &pool)?;
    let tiles = op.n / LANES;
    let each = (0..op.experts).map(|expert| packed.part(expert * tiles..(expert + 1) * tiles)).collect();
    let mut bias = scratch::<f32>(all.n)?;
    let channels = Channels::of(&all, &given)?;
    if let (Some(given), None) = (given.bias, &channels) {
        bias.slice_mut::<f32>().copy_from_slice(given);
    }
    let scratch = pool.shared::<Scratch>();
    let (choices, threads) = (op.rows * op.active, pool.threads());
    let mut parts = scratch.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Parts { grouping, acts, row_scales, said, panel, sums, codes, scales, bytes, gathered } = &mut *parts;
    grouping.reserve(choices, op.experts);
    grow::<i32>(acts, rows_with_padding(choices, plan) * plan.row_words.max(plan.grouped_words))?;
    grow::<f32>(row_scales, choices)?;
    grow::<f32>(said, if op.combine { choices * op.n } else { 0 })?;
    grow::<u8>(panel, threads * plan.panel)?;
    grow::<f32>(sums, threads * plan.sums(op.rows))?;
    grow::<i8>(codes, threads * plan.codes)?;
    grow::<f32>(scales, threads * plan.scales)?;
    grow::<u8>(bytes, threads * plan.scales)?;
    grow::<f32>(gathered, if op.combine { 0 } else { threads * plan.group * op.k })?;
    drop(parts);
    Ok(Box::new(Ready::<I> {
        tensor_scale: given.tensor_scale,
        op: op.clone(),
        gemm,
        pool,
        packed,
        each,
        plan,
        bias,
        channels,
        scratch,
        kernels: PhantomData,
    }))
}

/// Rows of rounded activations that so many choices take at most: only experts whose rows are interleaved pad their last group.
fn rows_with_padding(choices: usize, plan: Plan) -> usize {
    choices + choices / (plan.apart + 1) * (plan.group - 1)
}

/// Rows of one expert that are rounded at once: a group where they are interleaved, else one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    segment: Segment,
    /// Where the segment's rounded rows begin, in words.
    acts: usize,
    /// The first of these rows, counted in the segment.
    first: usize,
    rows: usize,
    grouped: bool,
}

/// The pieces of a call in order.
fn pieces(segments: &[Segment], plan: Plan) -> impl Iterator<Item = Piece> + '_ {
    let starts = segments.iter().scan(0, move |next, segment| {
        let acts = *next;
        *next += words_of(segment.rows, plan);
        Some((acts, *segment))
    });
    starts.flat_map(move |(acts, segment)| {
        let grouped = segment.rows > FEW;
        let step = plan.grain(segment.rows);
        (0..segment.rows).step_by(step).map(move |first| Piece {
            segment,
            acts,
            first,
            rows: step.min(segment.rows - first),
            grouped,
        })
    })
}

/// Words that the rounded rows of one expert take.
fn words_of(rows: usize, plan: Plan) -> usize {
    rows.next_multiple_of(plan.grain(rows)) * if rows > FEW { plan.grouped_words } else { plan.row_words }
}

impl<I: Kernels> Prepared for Ready<I> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let quantise = I::quantise().here()?;
        I::few().here()?;
        I::panels().here()?;
        let Self { op, gemm, plan, each, .. } = self;
        let tokens = rows_in_use(Experts::NAME, io.live, op.rows)?;
        let (n, k, active, group) = (op.n, op.k, op.active, plan.group);
        let wrong = || operands(Experts::NAME, "x, ids and, to combine, weights, and one output");
        let (x, ids, weights, y) = match (op.combine, io.inputs, &mut *io.outputs) {
            (false, [x, ids], [y]) => (x, ids, &[][..], y),
            (true, [x, ids, weights], [y]) => (x, ids, &weights.slice::<f32>()[..tokens * active], y),
            _ => return Err(wrong()),
        };
        let x = &x.slice::<f32>()[..op.rows_in(tokens) * k];
        let y = &mut y.slice_mut::<f32>()[..op.rows_out(tokens) * n];
        let mut parts = self.scratch.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Parts { grouping, acts, row_scales, said, panel, sums, codes, scales, bytes, gathered } = &mut *parts;
        grouping.sort(&ids.slice::<u32>()[..tokens * active], op.experts)?;
        let grouping = &*grouping;
        // A single token's row is rounded once for all its experts.
        let alone = tokens == 1 && !op.combine;
        let (factor, stretch) = (self.tensor_scale * plan.factor, plan.sums(op.rows));
        let (bias, channels) = (self.bias.slice::<f32>(), &self.channels);
        let (acts, row_scales) = (Split::new(part::<i32>(acts)), Split::new(part::<f32>(row_scales)));
        let (panel, sums) = (Split::new(part::<u8>(panel)), Split::new(part::<f32>(sums)));
        let (codes, scales) = (Split::new(part::<i8>(codes)), Split::new(part::<f32>(scales)));
        let (bytes, gathered) = (Split::new(part::<u8>(bytes)), Split::new(part::<f32>(gathered)));
        let y = Split::new(y);
        let said = if op.combine { Some(Split::new(part::<f32>(said))) } else { None };
        let products = said.as_ref().unwrap_or(&y);
        let whole = || pieces(&grouping.segments, *plan);
        let count = if alone { 1 } else { whole().count() };
        self.pool.run(&|worker| {
            let me = worker.index;
            let mine = worker.share(count, 1);
            for piece in whole().take(count).skip(mine.start).take(mine.len()) {
                let Piece { segment, first, rows, grouped, .. } = piece;
                let start = segment.start + first;
                let from = if op.combine {
                    &x[start * k..(start + rows) * k]
                } else if rows == 1 {
                    &x[grouping.choices[start] as usize / active * k..][..k]
                } else {
                    // SAFETY: each worker takes its own stretch of scratch, here and below.
                    let own = unsafe { gathered.part(me * group * k..(me * group + rows) * k) };
                    for (out, choice) in own.chunks_exact_mut(k).zip(&grouping.choices[start..]) {
                        out.copy_from_slice(&x[*choice as usize / active * k..][..k]);
                    }
                    &*own
                };
                let (a_row, grain) =
                    (if grouped { plan.grouped_words } else { plan.row_words }, plan.grain(segment.rows));
                let at = piece.acts + first * a_row;
                let words = at..at + grain * a_row;
                quantise.call(&mut Quantise {
                    op: gemm,
                    x: from,
                    rows: 0..rows,
                    grouped,
                    grain,
                    factor,
                    // SAFETY: pieces are disjoint, padded ones by whole groups, and each is one worker's.
                    out: unsafe { acts.part(words) },
                    // SAFETY: as above.
                    row_scales: unsafe { row_scales.part(start..start + rows) },
                    // SAFETY: own stretch.
                    codes: unsafe { codes.part(me * plan.codes..(me + 1) * plan.codes) },
                    // SAFETY: own stretch.
                    scales: unsafe { scales.part(me * plan.scales..(me + 1) * plan.scales) },
                    // SAFETY: own stretch.
                    bytes: unsafe { bytes.part(me * plan.scales..(me + 1) * plan.scales) },
                });
            }
            worker.wait();
            let tiles = worker.share(n / LANES, 1);
            let mut acts_start = 0;
            for Segment { expert, start, rows } in grouping.segments.iter().copied() {
                let taken = words_of(rows, *plan);
                let (acts_at, scale_at) = if alone { (0, 0) } else { (acts_start, start) };
                acts_start += taken;
                // Declared for one call's operands, so asked for anew; a few flags are read.
                let Ok(kernel) = (if rows > FEW { I::panels() } else { I::few() }).here() else {
                    unreachable!("the instructions were found above")
                };
                let products = products.within(start * n..(start + rows) * n);
                kernel.call(&mut Multiply {
                    op: gemm,
                    packed: &each[expert],
                    tiles: tiles.clone(),
                    rows,
                    // SAFETY: behind the barrier activations and their scales are only read.
                    acts: unsafe { acts.read(acts_at..acts_at + taken) },
                    // SAFETY: as above.
                    row_scales: unsafe { row_scales.read(scale_at..scale_at + rows) },
                    bias: &bias[expert * n..(expert + 1) * n],
                    y: &products,
                    // SAFETY: own stretch.
                    panel: unsafe { panel.part(me * plan.panel..(me + 1) * plan.panel) },
                    // SAFETY: own stretch.
                    sums: unsafe { sums.part(me * stretch..(me + 1) * stretch) },
                });
                if let Some(channels) = channels {
                    channels.apply(&products, rows, n, tiles.start * LANES..tiles.end * LANES, expert * n);
                }
            }
            if let Some(said) = &said {
                combine(grouping, weights, (active, n), tiles, said, &y);
            }
        });
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        vec![self.packed.buffer()]
    }
    fn resident(&self) -> u64 {
        self.packed.bytes() as u64
    }
}

/// y of every token at the outputs of `tiles`: the sum of what its choices said.
fn combine(
    grouping: &Grouping,
    weights: &[f32],
    (active, n): (usize, usize),
    tiles: Range<usize>,
    said: &Split<'_, f32>,
    y: &Split<'_, f32>,
) {
    let (from, to) = (tiles.start * LANES, tiles.end * LANES);
    let tokens = grouping.places.chunks_exact(active).zip(weights.chunks_exact(active));
    for (token, (places, weights)) in tokens.enumerate() {
        // SAFETY: tiles are in one worker's share only, so these outputs of the token are this worker's.
        let out = unsafe { y.part(token * n + from..token * n + to) };
        for (which, (place, weight)) in places.iter().zip(weights).enumerate() {
            let at = *place as usize * n;
            // SAFETY: this worker wrote these outputs of every choice itself.
            let said = unsafe { said.read(at + from..at + to) };
            if which == 0 {
                out.iter_mut().zip(said).for_each(|(y, said)| *y = weight * said);
            } else {
                out.iter_mut().zip(said).for_each(|(y, said)| *y += weight * said);
            }
        }
    }
}
