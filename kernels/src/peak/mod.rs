//! `peak`: how many multiply-adds a second the cores can do with everything in registers.
//!
//! Each worker owns 24 × 16 accumulators and adds to each of them the same product `iterations` times:
//!
//! | type | one addition to accumulator `i`, lane `l = i mod 16` |
//! |---|---|
//! | f32 | `a[l] · b[l]` |
//! | bf16 | `a[2l] · b[2l] + a[2l+1] · b[2l+1]`, summed in f32 |
//! | int8 | `Σ a[4l+j] · b[4l+j]` for `j` in 0..4, unsigned × signed, summed in wrapping i32 |
//!
//! Operands are small integers, so every sum is exact and the result is known in closed form: a kernel that the compiler has
//! shortened by an iteration is found out. That the loop is really executed is seen in the rate, which no closed form reaches.
//!
//! | operand | type | elements |
//! |---|---|---|
//! | inputs\[0\] a | F32, Bf16, U8 | 16, 32, 64 |
//! | inputs\[1\] b | F32, Bf16, I8 | 16, 32, 64 |
//! | inputs\[2\] what the accumulators start with | F32, F32, I32 | 384 |
//! | outputs\[0\] the accumulators of each worker | F32, F32, I32 | 384 × threads |
//!
//! On a GPU a worker is an SM, its accumulators are tiles as tensor cores have them, and there are more types: see [`Form::Tiles`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod cuda;
#[cfg(target_arch = "aarch64")]
mod neon;
mod reference;
mod scalar;
mod tiles;

use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::cpu::variant::{CpuOp, Entry, no_weights};
use crate::working_set::noise;
use crate::{
    Arithmetic, AxisValue, Backend, Buffer, Device, Example, Expected, Fault, Host, Implementation, Index, Invalid, Io,
    Live, Op, Shape, Type, Unsupported,
};
use half::bf16;

/// 32-bit lanes of a 512-bit vector.
const LANES: usize = 16;
/// Enough 512-bit chains for every core made: latency × ports is 4 × 2 on Intel, 4 × 2 on Zen 5, 6 × 1 for `vdpbf16ps`. They and
/// the operands fit the 32 registers; narrower vectors go through them in several rounds.
const CHAINS: usize = 24;
/// Accumulators of a worker.
const ACCUMULATORS: usize = CHAINS * LANES;
/// bf16 accumulators stay integers below 2^24 if 2^20 + 18 · iterations does, and others need less.
const MOST_ITERATIONS: usize = 1 << 19;

/// What a worker's accumulators are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 24 vectors of 16 lanes: a CPU's.
    Vectors,
    /// 256 tiles of 16 × 8 sums, to each of which the product A·B is added: a GPU's.
    ///
    /// | operand | type | elements |
    /// |---|---|---|
    /// | inputs\[0\] A, 16 rows | U8 | 16 × 32 bytes; of f32 16 × 4 |
    /// | inputs\[1\] B, 8 columns | U8 | 8 × 32 bytes, sparse 8 × 64; of f32 8 × 4 |
    /// | inputs\[2\] the scales of FP4, a word for each row of A and column of B | U32 | 24 |
    /// | inputs\[3\] what each tile starts with | F32, of int8 I32 | 128 |
    /// | outputs\[0\] the tiles of each SM | F32, of int8 I32 | 256 × 128 × threads |
    Tiles,
}

/// Register-only multiply-adds of one arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// The arithmetic.
    pub of: Arithmetic,
    /// Workers that take part.
    pub threads: usize,
    /// Whether `threads` is fewer than the device has: then the id says how many. All of them is the default.
    pub partial: bool,
    /// Additions to each accumulator in one run.
    pub iterations: usize,
    /// What the accumulators are.
    pub form: Form,
    /// Whether two of four elements of A along k (of FP4, pairs of them) are zeros that are not stored; operations are counted as if
    /// they were. Tiles only, and left out of ids where it is not so.
    pub sparse: bool,
}

impl Peak {
    /// On all `threads` of a device, long enough (0.5 to 1 ms at 3 GHz) that starting a run does not count.
    pub const fn new(of: Arithmetic, threads: usize) -> Self {
        let iterations = match of {
            Arithmetic::F32 | Arithmetic::Int8 => 1 << 17,
            _ => 1 << 16,
        };
        Self { of, threads, partial: false, iterations, form: Form::Vectors, sparse: false }
    }
    /// On `threads` of a device that has more.
    pub const fn on_some(of: Arithmetic, threads: usize) -> Self {
        let mut peak = Self::new(of, threads);
        peak.partial = true;
        peak
    }
    /// Operations of one multiply-add instruction of an implementation, so that a rate can be told as instructions a cycle:
    /// rate ÷ (threads · clock · this). `None` where one result takes several kinds of instruction; 1 on a GPU, whose makers and readers
    /// count operations a cycle and SM.
    pub fn per_instruction(&self, implementation: &str) -> Option<u64> {
        Some(match (implementation, self.of) {
            ("avx512-vnni", Arithmetic::Int8) => 128,
            ("avx512-bf16", Arithmetic::Bf16) | ("avx2-vnni", Arithmetic::Int8) => 64,
            ("avx512", Arithmetic::F32 | Arithmetic::Bf16) => 32,
            ("avx2", Arithmetic::F32 | Arithmetic::Bf16) => 16,
            ("neon-i8mm", Arithmetic::Int8) => 64,
            ("neon-dotprod", Arithmetic::Int8) | ("neon-bf16", Arithmetic::Bf16) => 32,
            ("neon", Arithmetic::F32 | Arithmetic::Bf16) => 8,
            ("mma-8-warps" | "mma-16-warps" | "wgmma", _) => 1,
            _ => return None,
        })
    }
    /// Products added to an accumulator at once.
    const fn products(&self) -> usize {
        match (self.form, self.of) {
            (Form::Tiles, of) => tiles::depth(of, self.sparse),
            (_, Arithmetic::F32) => 1,
            (_, Arithmetic::Bf16) => 2,
            _ => 4,
        }
    }
    /// Accumulators of a worker.
    const fn accumulators(&self) -> usize {
        match self.form {
            Form::Vectors => ACCUMULATORS,
            Form::Tiles => tiles::TILES * tiles::SUMS,
        }
    }
}

/// What one worker adds up, `iterations` times.
pub(crate) struct Part<'a> {
    operands: Operands<'a>,
    iterations: usize,
}

/// One vector of each operand, and the worker's accumulators.
enum Operands<'a> {
    F32 { a: &'a [f32; 16], b: &'a [f32; 16], sums: &'a mut [f32] },
    Bf16 { a: &'a [bf16; 32], b: &'a [bf16; 32], sums: &'a mut [f32] },
    Int8 { a: &'a [u8; 64], b: &'a [i8; 64], sums: &'a mut [i32] },
}

static IMPLEMENTATIONS: &[&dyn Implementation<Peak>] = &[
    #[cfg(target_arch = "x86_64")]
    &avx512::VNNI,
    #[cfg(target_arch = "x86_64")]
    &avx512::BF16,
    #[cfg(target_arch = "x86_64")]
    &avx512::PLAIN,
    #[cfg(target_arch = "x86_64")]
    &avx2::VNNI,
    #[cfg(target_arch = "x86_64")]
    &avx2::PLAIN,
    #[cfg(target_arch = "aarch64")]
    &neon::I8MM,
    #[cfg(target_arch = "aarch64")]
    &neon::BF16,
    #[cfg(target_arch = "aarch64")]
    &neon::DOTPROD,
    #[cfg(target_arch = "aarch64")]
    &neon::PLAIN,
    &scalar::SCALAR,
    &cuda::WGMMA,
    &cuda::WARPS8,
    &cuda::WARPS16,
];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn only_int8(op: &Peak) -> Result<(), crate::Unsupported> {
    only(Arithmetic::Int8, op)
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn only_bf16(op: &Peak) -> Result<(), crate::Unsupported> {
    only(Arithmetic::Bf16, op)
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn only(of: Arithmetic, op: &Peak) -> Result<(), crate::Unsupported> {
    let (has, asked) = (of.name(), op.of.name());
    if of == op.of { Ok(()) } else { Err(crate::Unsupported(format!("multiplies {has}, and the op asks for {asked}"))) }
}

/// ±1, ±2 or ±3.
fn digit(noise: u64) -> i8 {
    let size = (noise % 3) as i8 + 1;
    if noise >> 63 == 0 { size } else { -size }
}

impl Op for Peak {
    const NAME: &'static str = "peak";
    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let iterations = self.iterations;
        let (most, power) = match self.form {
            Form::Vectors => (MOST_ITERATIONS, 19),
            Form::Tiles => (tiles::ITERATIONS, 12),
        };
        if iterations == 0 || iterations > most {
            return Err(Invalid(format!("iterations = {iterations} is not in 1..=2^{power}, where sums are exact")));
        }
        if self.sparse && (self.form == Form::Vectors || matches!(self.of, Arithmetic::F32 | Arithmetic::Mxfp4)) {
            let of = self.of.name();
            return Err(Invalid(format!("{of} has no sparse products here; bf16, int8, fp8, nvfp4 have, on a GPU")));
        }
        if self.threads == 0 {
            return Err(Invalid("threads = 0 computes nothing; ask for at least 1".to_owned()));
        }
        Ok(())
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let sparse = self.sparse.then(|| ("sparse", "yes".into()));
        let threads = self.partial.then(|| ("threads", self.threads.into()));
        sparse.into_iter().chain(threads).chain([("type", self.of.name().into())]).collect()
    }
    fn on(mut self, device: &dyn Device) -> Self {
        if device.backend() == Backend::Cuda && self.form == Form::Vectors {
            (self.form, self.iterations) = (Form::Tiles, tiles::iterations_on(device));
        }
        self
    }
    fn arithmetic(&self) -> Arithmetic {
        self.of
    }
    fn flops(&self, _live: &Live) -> u64 {
        (2 * self.products() * self.accumulators()) as u64 * (self.iterations * self.threads) as u64
    }
    fn bytes(&self, _live: &Live) -> u64 {
        0
    }
    fn outputs(&self) -> Vec<Shape> {
        let of = if self.of == Arithmetic::Int8 { Type::I32 } else { Type::F32 };
        vec![Shape { of, len: self.accumulators() * self.threads }]
    }
    fn operand_bytes(&self) -> u64 {
        64 + 64 + 4 * ACCUMULATORS as u64
    }
    fn live(&self) -> Live {
        Live::one(1, 0)
    }
    fn example(&self, seed: u64) -> Example {
        if self.form == Form::Tiles {
            return tiles::example(self, seed);
        }
        let len = LANES * self.products();
        let digits = |stream: u64| (0..len).map(move |at| digit(noise(seed ^ stream << 32, at)));
        let start = (0..ACCUMULATORS).map(|at| (noise(seed ^ 3 << 32, at) >> 44) as i32 | 1);
        let zeros = ACCUMULATORS * self.threads;
        let floats = || (start.clone().map(|x| x as f32).collect::<Vec<_>>(), vec![0f32; zeros]);
        let (a, b, start, sums): (Host, Host, Host, Host) = match self.of {
            Arithmetic::F32 => {
                let (start, sums) = floats();
                let [a, b] = [1, 2].map(|i| digits(i).map(f32::from).collect::<Vec<_>>());
                (a.into(), b.into(), start.into(), sums.into())
            }
            Arithmetic::Bf16 | Arithmetic::Fp8 | Arithmetic::Mxfp4 | Arithmetic::Nvfp4 => {
                let (start, sums) = floats();
                let [a, b] = [1, 2].map(|i| digits(i).map(|x| bf16::from_f32(x.into())).collect::<Vec<_>>());
                (a.into(), b.into(), start.into(), sums.into())
            }
            Arithmetic::Int8 => {
                // At most 24, as the codes of FP4 are in the gemm: eight products fit the 16 bits in which AVX2 adds them.
                let a: Vec<_> = (0..len).map(|at| (noise(seed ^ 1 << 32, at) % 24) as u8 + 1).collect();
                let b: Vec<_> = (0..len).map(|at| noise(seed ^ 2 << 32, at) as i8 | 1).collect();
                (a.into(), b.into(), start.collect::<Vec<_>>().into(), vec![0i32; zeros].into())
            }
        };
        Example { weights: Vec::new(), inputs: vec![a, b, start], outputs: vec![sums], live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        match self.form {
            Form::Vectors => reference::expected(self, example, indices),
            Form::Tiles => tiles::expected(self, example, indices),
        }
    }
    // f32 and bf16: integers, start ≤ 2^20 and each addition ≤ 18, so that every partial sum stays below 2^24 and is exact.
    // int8: wrapping integers. Tiles: sums stay below 2^13 in steps of 1, since a row of A meets columns of B that all but cancel it: some
    // tensor cores keep 14 bits of a sum of fp8. Nothing but equality will do.
    fn tolerance(&self) -> f64 {
        0.0
    }
    fn nasty() -> Vec<Self> {
        let mut peaks = Vec::new();
        for of in [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8] {
            for (threads, iterations) in [(1, 1), (1, 2), (2, 7), (3, 1000), (1, MOST_ITERATIONS / 8)] {
                peaks.push(Self { threads, partial: true, iterations, ..Self::new(of, 1) });
            }
        }
        peaks.extend(tiles::nasty());
        peaks
    }
}

impl CpuOp for Peak {
    type Args<'a> = Part<'a>;
    type Ready = ();
    fn threads(&self) -> usize {
        self.threads
    }
    fn on_a_cpu(&self) -> Result<(), Unsupported> {
        match (self.form, self.of) {
            (Form::Vectors, Arithmetic::F32 | Arithmetic::Bf16 | Arithmetic::Int8) => Ok(()),
            (Form::Tiles, _) => Err(Unsupported::because("multiplies vectors, and the op asks for tiles")),
            (_, of) => Err(Unsupported(format!("a CPU has no products of {}", of.name()))),
        }
    }
    fn ready(&self, weights: &[Buffer], _pool: &Pool) -> Result<(), Fault> {
        no_weights(Self::NAME, weights)
    }
    #[expect(unsafe_code, reason = "each worker writes its own accumulators")]
    fn run(&self, (): &mut (), pool: &Pool, kernel: Entry<Self>, io: &mut Io<'_>) -> Result<(), Fault> {
        let kernel = kernel.here()?;
        let [a, b, start] = [0, 1, 2].map(|i| io.inputs[i]);
        let (threads, iterations) = (self.threads, self.iterations);
        /// The first vector of an operand.
        macro_rules! vector {
            ($operand:ident, $of:ty) => {
                $operand.slice::<$of>().first_chunk().expect("operands are one vector long")
            };
        }
        macro_rules! drive {
            ($variant:ident, $a:ty, $b:ty, $sum:ty) => {{
                let (a, b, start) = (vector!(a, $a), vector!(b, $b), start.slice::<$sum>());
                let all = Split::new(io.outputs[0].slice_mut::<$sum>());
                pool.run(&|worker| {
                    if worker.index >= threads {
                        return;
                    }
                    let first = worker.index * ACCUMULATORS;
                    // SAFETY: worker indices differ, so no two workers take the same accumulators.
                    let sums = unsafe { all.part(first..first + ACCUMULATORS) };
                    sums.copy_from_slice(start);
                    kernel.call(&mut Part { operands: Operands::$variant { a, b, sums }, iterations });
                });
            }};
        }
        match self.of {
            Arithmetic::F32 => drive!(F32, f32, f32, f32),
            Arithmetic::Bf16 => drive!(Bf16, bf16, bf16, f32),
            Arithmetic::Int8 => drive!(Int8, u8, i8, i32),
            // `on_a_cpu` lets no other through.
            of => return Err(Fault::Device(format!("peak: a CPU has no products of {}", of.name()))),
        }
        Ok(())
    }
}
