//! Looking up the embedding of each token: rows of a quantised table, decoded to f32.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | weights\[0\] table, canonical blocks | u8 | vocab × `format.bytes(width)` |
//! | weights\[1\] tensor scale, nvfp4 only | f32 | 1 |
//! | weights\[1\] scales of the rows, fp8 only | f32 | vocab |
//! | inputs\[0\] tokens | u32 | rows |
//! | outputs\[0\] x | f32 | rows × width |
//!
//! With a `multiplier` (Gemma, Granite) every element is multiplied with it. A token of `vocab` or more is a fault that names it, and nothing is written.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cuda;
#[cfg(target_arch = "aarch64")]
mod neon;
mod reference;
mod scalar;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vector;

use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::cpu::variant::{CpuOp, Entry, fits, operands, rows_in_use};
use crate::format::Format;
use crate::format::splitmix::SplitMix64;
use crate::format::synth::synth;
use crate::{
    Arithmetic, AxisValue, Buffer, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live, Op, Placement,
    Shape, Type,
};

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Embed {
    /// Tokens at most.
    pub rows: usize,
    /// Rows of the table.
    pub vocab: usize,
    /// Elements a row.
    pub width: usize,
    /// How the table is stored.
    pub format: Format,
    /// What every element is multiplied with; 1 in most models.
    pub multiplier: f32,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Embed>] = &[
    #[cfg(target_arch = "x86_64")]
    &vector::avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    &vector::avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    &vector::neon::KERNEL,
    &scalar::SCALAR,
    &cuda::NAIVE,
];

impl Op for Embed {
    const NAME: &'static str = "embed";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, vocab, width, format, multiplier } = *self;
        if rows == 0 || vocab == 0 || width == 0 {
            return Err(Invalid(format!("embed: rows {rows}, vocab {vocab} and width {width} have to be at least 1")));
        }
        if vocab > u32::MAX as usize {
            return Err(Invalid(format!("embed: vocab {vocab} has to be below 2^32: tokens are u32")));
        }
        if !format.divides(width) {
            let block = format.block();
            return Err(Invalid(format!(
                "embed: width {width} has to be a multiple of {block}, the block of {format}"
            )));
        }
        if !(multiplier.is_finite() && multiplier != 0.0) {
            return Err(Invalid(format!("embed: multiplier {multiplier} has to be finite and not 0")));
        }
        fits(Self::NAME, &[rows, width])?;
        fits(Self::NAME, &[vocab, width])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes = vec![
            ("rows", self.rows.into()),
            ("vocab", self.vocab.into()),
            ("width", self.width.into()),
            ("format", self.format.name().into()),
        ];
        if self.multiplier != 1.0 {
            axes.push(("multiplier", AxisValue::Text(self.multiplier.to_string())));
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// One product for each scale an element has, and for the multiplier.
    fn flops(&self, live: &Live) -> u64 {
        let scales = match self.format {
            Format::Nvfp4 => 2,
            Format::Mxfp4 | Format::Q8_0 | Format::Q4_0 | Format::Fp8 => 1,
            // The addition of the offset counts as the product does.
            Format::Q4_1 | Format::Q5_0 | Format::Q5_1 | Format::Q4K | Format::Q5K | Format::Q6K => 2,
            Format::Bf16 | Format::F16 | Format::F32 => 0,
        };
        (live.rows() * self.width * (scales + usize::from(self.multiplier != 1.0))) as u64
    }
    fn bytes(&self, live: &Live) -> u64 {
        let scale = if self.format == Format::Fp8 { 4 } else { 0 };
        (live.rows() * (4 + self.format.bytes(self.width) + scale + 4 * self.width)) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        vec![Shape { of: Type::F32, len: self.rows * self.width }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.vocab * self.format.bytes(self.width) + 4 * (self.format.scales(self.vocab) + self.rows)) as u64
    }
    fn live(&self) -> Live {
        Live::one(self.rows, 0)
    }
    fn example(&self, seed: u64) -> Example {
        let (table, scales) = synth(self.format, self.vocab, self.width, seed);
        let mut weights = vec![table.into()];
        if !scales.is_empty() {
            weights.push(scales.into());
        }
        let mut random = SplitMix64::stream(seed, 1);
        let mut tokens: Vec<u32> = (0..self.rows).map(|_| (random.next() % self.vocab as u64) as u32).collect();
        tokens[self.rows - 1] = (self.vocab - 1) as u32;
        let x = vec![0.0_f32; self.rows * self.width];
        Example { weights, inputs: vec![tokens.into()], outputs: vec![x.into()], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        reference::reference(self, example, indices)
    }
    /// A value is rounded to f32 once at most, and once more with a multiplier; that both are relative to the product adds a
    /// term of second order.
    fn tolerance(&self) -> f64 {
        if self.multiplier == 1.0 { 2f64.powi(-24) } else { 2.01 * 2f64.powi(-24) }
    }
    fn nasty() -> Vec<Self> {
        let mut all = Vec::new();
        for format in Format::ALL {
            for (rows, vocab, blocks) in [(1, 1, 1), (3, 5, 3), (2, 17, 7), (5, 9, 2), (33, 50, 32), (70, 300, 129)] {
                // √2560, as Gemma has it, for every other shape.
                let multiplier = if blocks % 2 == 0 { 50.596_443 } else { 1.0 };
                all.push(Self { rows, vocab, width: blocks * format.block(), format, multiplier });
            }
        }
        all
    }
}

/// One worker's tokens.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    format: Format,
    /// The table's bytes and the scales beside them.
    table: (&'a [u8], &'a [f32]),
    tokens: &'a [u32],
    multiplier: f32,
    x: &'a mut [f32],
}

impl Args<'_> {
    /// Runs `decode` on each token: its row's bytes, the scale of the tensor or the row, its x.
    #[inline]
    fn each_token(&mut self, mut decode: impl FnMut(&[u8], f32, &mut [f32])) {
        let width = self.x.len() / self.tokens.len().max(1);
        let bytes = self.format.bytes(width);
        for (&token, x) in self.tokens.iter().zip(self.x.chunks_exact_mut(width.max(1))) {
            let scale = self.format.scale_of(self.table.1, token as usize);
            decode(&self.table.0[token as usize * bytes..][..bytes], scale, x);
            if self.multiplier != 1.0 {
                x.iter_mut().for_each(|x| *x *= self.multiplier);
            }
        }
    }
}

/// The table as it came, and the scales beside it.
#[derive(Debug)]
pub(crate) struct Ready {
    table: Buffer,
    scales: Vec<f32>,
}

impl CpuOp for Embed {
    type Args<'a> = Args<'a>;
    type Ready = Ready;

    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<Ready, Fault> {
        let count = self.format.scales(self.vocab);
        let (table, scales) = match (count, weights) {
            (0, [table]) => (table, Vec::new()),
            (1.., [table, scales]) if scales.len() == count => (table, scales.slice::<f32>().to_vec()),
            (1.., _) => return Err(operands(Self::NAME, "the table and its f32 scales")),
            _ => return Err(operands(Self::NAME, "one weight, the table")),
        };
        let bytes = self.vocab * self.format.bytes(self.width);
        if table.len() != bytes {
            return Err(Fault::Device(format!(
                "embed: the table has {} bytes, {} × {} in {} take {bytes}",
                table.len(),
                self.vocab,
                self.width,
                self.format
            )));
        }
        let mut copy = Buffer::host(Type::U8, bytes, Placement::Fast)?;
        copy.slice_mut::<u8>().copy_from_slice(table.slice());
        Ok(Ready { table: copy, scales })
    }
    fn resident(ready: &Ready) -> u64 {
        ready.table.bytes() as u64
    }
    fn run(&self, ready: &mut Ready, pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let rows = rows_in_use(Self::NAME, io.live, self.rows)?;
        let ([tokens], [x]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Self::NAME, "one input, the tokens, and one output"));
        };
        let tokens = &tokens.slice::<u32>()[..rows];
        if let Some((row, token)) = tokens.iter().enumerate().find(|(_, token)| **token as usize >= self.vocab) {
            return Err(Fault::Device(format!(
                "embed: token {token} in row {row} is not below the vocabulary of {}; check the tokenizer against the model",
                self.vocab
            )));
        }
        let Self { width, format, multiplier, .. } = *self;
        let table = (ready.table.slice::<u8>(), &ready.scales[..]);
        let grain = ((16 << 10) / width).max(1);
        share(pool, (rows, grain), (x.slice_mut(), nothing()), (width, 0), &|range, x, _| {
            kernel.call(&mut Args { format, table, tokens: &tokens[range], multiplier, x });
        });
        Ok(())
    }
}
