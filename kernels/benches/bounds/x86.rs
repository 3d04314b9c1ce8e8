//! The loops, in AVX-512 instructions.
//!
//! Register-only loops have 24 sums in zmm0 … 23 (eight rows with three tiles), or 12 of a block there and 12 of a span behind
//! them (four rows with three tiles), operands in zmm28 … 31. What a loop computes is thrown away; what it starts with are
//! bytes that are neither NaN nor subnormal in any type.
#![expect(unsafe_code, reason = "loops in assembler")]

use crate::roof::Roof;
use spark_kernels::Arithmetic;
use spark_kernels::cpu::Cpu;
use spark_kernels::cpu::isa::{AVX512_BF16, AVX512_VNNI, Feature, require};
use std::arch::asm;

/// A loop and what it is worth.
pub(crate) struct Mix {
    pub(crate) name: &'static str,
    pub(crate) of: Arithmetic,
    needs: &'static [Feature],
    /// Multiply-adds that count, and all instructions of the two ports for 512-bit arithmetic, a turn.
    useful: u64,
    all: u64,
    /// Operations of one that counts.
    operations: u64,
    /// Turns that take about a millisecond.
    turns: u64,
    body: unsafe fn(u64, *mut Memory),
}

/// What a worker loads from and stores to.
#[repr(align(4096))]
pub(crate) struct Memory(#[expect(dead_code, reason = "read by assembler alone")] [u8; 16384]);

impl Mix {
    /// The share of the roof by counting.
    pub(crate) fn counted(&self) -> f64 {
        self.useful as f64 / self.all as f64
    }
    /// The share of the roof measured right before and after `times` milliseconds of it, and that roof. Errors: what this CPU lacks.
    pub(crate) fn share(&self, cpu: &Cpu, rounds: usize, times: u64) -> Result<(f64, f64), String> {
        require(self.needs).map_err(|lacking| lacking.0)?;
        let threads = cpu.pool().threads() as u64;
        let turns = self.turns * times;
        let work = (self.useful * self.operations * turns * threads) as f64;
        let share = Roof::peak(self.of, cpu).share(work, rounds, || {
            cpu.pool().run(&|_| {
                let mut memory = Memory([0x3c; 16384]);
                // SAFETY: the CPU was just found to have what the loop needs, and the loop stays inside the memory.
                unsafe { (self.body)(turns, &raw mut memory) };
            });
        });
        Ok(share)
    }
}

/// A line of text: the pieces with one number, or two in turn, between them.
macro_rules! line {
    ([$first:literal $($piece:literal)+] $i:literal) => { concat!($first, $($i, $piece,)+ "\n") };
    ([$a:literal $b:literal $c:literal] $i:literal $j:literal) => { concat!($a, $i, $b, $j, $c, "\n") };
}

/// A line of text for each sum, or each pair of sums.
macro_rules! each {
    (@ $pieces:tt $($i:literal)+) => { concat!($(line!($pieces $i)),+) };
    (@ $pieces:tt $($i:literal-$j:literal),+) => { concat!($(line!($pieces $i $j)),+) };
    (12: $pieces:tt) => { each!(@ $pieces 0 1 2 3 4 5 6 7 8 9 10 11) };
    (16: $pieces:tt) => { each!(@ $pieces 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) };
    (24: $pieces:tt) => { each!(@ $pieces 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23) };
    (spans: $pieces:tt) => { each!(@ $pieces 12 13 14 15 16 17 18 19 20 21 22 23) };
    (span and block: $pieces:tt) => {
        each!(@ $pieces 12-0, 13-1, 14-2, 15-3, 16-4, 17-5, 18-6, 19-7, 20-8, 21-9, 22-10, 23-11)
    };
    (block and span: $pieces:tt) => {
        each!(@ $pieces 0-12, 1-13, 2-14, 3-15, 4-16, 5-17, 6-18, 7-19, 8-20, 9-21, 10-22, 11-23)
    };
    // Three tiles of each of eight rows, or of four: a row's word is broadcast once.
    (8 rows: $op:literal) => {
        each!(@rows $op; 0: 0 1 2, 4: 3 4 5, 8: 6 7 8, 12: 9 10 11, 16: 12 13 14, 20: 15 16 17, 24: 18 19 20, 28: 21 22 23)
    };
    (4 rows: $op:literal) => { each!(@rows $op; 0: 0 1 2, 4: 3 4 5, 8: 6 7 8, 12: 9 10 11) };
    (@rows $op:literal; $($at:literal: $i:literal $j:literal $k:literal),+) => {
        concat!($(
            "vpbroadcastd zmm27, dword ptr [{m} + 4096 + ", $at, "]\n",
            $op, " zmm", $i, ", zmm24, zmm27\n", $op, " zmm", $j, ", zmm25, zmm27\n", $op, " zmm", $k, ", zmm26, zmm27\n"
        ),+)
    };
}

/// A loop of these lines, which may use `{m}`, the memory, and ecx.
macro_rules! mix {
    ($name:ident: $($text:tt)+) => {
        /// # Safety
        /// The CPU has the instructions, and `memory` is a worker's own.
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512bf16,avx512vl")]
        unsafe fn $name(turns: u64, memory: *mut Memory) {
            // SAFETY: reads and writes nothing but `memory`, whose 16 KiB hold every offset written here, and names what it changes.
            unsafe {
                asm!(
                    each!(24: ["vpxord zmm" ", zmm28, zmm28"]),
                    "vmovdqu64 zmm28, [{m}]", "vmovdqu64 zmm29, [{m}]", "vmovdqu64 zmm30, [{m}]", "vmovdqu64 zmm31, [{m}]",
                    "2:", $($text)+ "dec {n}", "jnz 2b",
                    n = inout(reg) turns => _, m = in(reg) memory, out("ecx") _, options(nostack),
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
                    out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                    out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _,
                    out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                    out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
                    out("zmm30") _, out("zmm31") _,
                );
            }
        }
    };
}

mix!(dots: each!(24: ["vpdpbusd zmm" ", zmm30, zmm31"]),);
mix!(multiply_adds: each!(24: ["vfmadd231ps zmm" ", zmm30, zmm31"]),);
mix!(bf16_dots: each!(24: ["vdpbf16ps zmm" ", zmm30, zmm31"]),);
mix!(bf16_dots_256: each!(24: ["vdpbf16ps ymm" ", ymm30, ymm31"]),);

// A span of 128 along k: 32 dots a sum, then a conversion and a multiply-add.
mix!(aligned:
    ".rept 32", each!(24: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(24: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, zmm31"]), each!(24: ["vpxord zmm" ", zmm28, zmm28"]),
);
mix!(aligned_loads:
    ".rept 32",
    "vmovdqu64 zmm24, [{m}]", "vmovdqu64 zmm25, [{m} + 64]", "vmovdqu64 zmm26, [{m} + 128]", each!(8 rows: "vpdpbusd"),
    ".endr",
    each!(24: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, [{m} + 8192 + 64 * " "]\nvmovups [{m} + 8192 + 64 * " "], zmm24"]),
    each!(24: ["vpbroadcastd zmm" ", dword ptr [{m} + 4096]"]),
);
mix!(aligned_multiplied:
    ".rept 32", each!(24: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(24: ["vmulps zmm25, zmm30, zmm31\nvcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm25, zmm31"]),
    each!(24: ["vpxord zmm" ", zmm28, zmm28"]),
);
// Blocks of 32, each with a conversion and a multiply-add.
mix!(plain:
    ".rept 4", ".rept 8", each!(12: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(block and span: ["vcvtdq2ps zmm24, zmm" "\nvfmadd231ps zmm" ", zmm24, zmm30"]),
    each!(12: ["vpxord zmm" ", zmm28, zmm28"]), ".endr",
);
// Eight blocks of 16: 4 dots and a product with 16-bit scales each, then what a span takes.
mix!(integer:
    ".rept 8", ".rept 4", each!(12: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(span and block: ["vpdpwssd zmm" ", zmm" ", zmm29"]), each!(12: ["vpxord zmm" ", zmm28, zmm28"]), ".endr",
    each!(spans: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, zmm31"]),
);
mix!(table:
    ".rept 8", ".rept 4", each!(12: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(span and block: ["vpdpwssd zmm" ", zmm" ", zmm29"]), each!(12: ["vpxord zmm" ", zmm28, zmm28"]), ".endr",
    each!(spans: ["vmulps zmm25, zmm30, zmm31\nvcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm25, zmm31"]),
);
mix!(table_loads:
    ".rept 8", ".rept 4",
    "vmovdqu64 zmm24, [{m}]", "vmovdqu64 zmm25, [{m} + 64]", "vmovdqu64 zmm26, [{m} + 128]", each!(4 rows: "vpdpbusd"),
    ".endr",
    each!(span and block: ["vpdpwssd zmm" ", zmm" ", [{m} + 2048]"]),
    each!(12: ["vpbroadcastd zmm" ", dword ptr [{m} + 4096]"]), ".endr",
    each!(spans: ["vmulps zmm25, zmm30, dword ptr [{m} + 4096]{{1to16}}\nvcvtdq2ps zmm24, zmm"
        "\nvfmadd213ps zmm24, zmm25, [{m} + 8192 + 64 * " "]\nvmovups [{m} + 8192 + 64 * " "], zmm24\nvpxord zmm" ", zmm28, zmm28"]),
);
// f32: a step is three lines of weights and eight words; after 128 of them sums are added to those in memory.
mix!(f32_loads:
    "mov ecx, 32", "3:", ".rept 4",
    "vmovups zmm24, [{m}]", "vmovups zmm25, [{m} + 64]", "vmovups zmm26, [{m} + 128]", each!(8 rows: "vfmadd231ps"),
    ".endr", "dec ecx", "jnz 3b",
    each!(24: ["vaddps zmm27, zmm" ", [{m} + 8192 + 64 * " "]\nvmovups [{m} + 8192 + 64 * " "], zmm27\nvpxord zmm" ", zmm28, zmm28"]),
);
// Sixteen rows and one tile, a block of 32 along k: four lines decoded, 8 dots a row, a conversion and a multiply-add a row.
mix!(sixteen:
    ".rept 4",
    "vpandd zmm25, zmm30, zmm31", "vpsrlw zmm26, zmm30, 4", "vpandd zmm26, zmm26, zmm31", "vpshufb zmm25, zmm28, zmm25",
    "vpshufb zmm26, zmm28, zmm26",
    each!(16: ["vpdpbusd zmm" ", zmm25, zmm31"]), each!(16: ["vpdpbusd zmm" ", zmm26, zmm31"]), ".endr",
    each!(16: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, zmm31"]), each!(16: ["vpxord zmm" ", zmm28, zmm28"]),
);
// A span of mxfp4 into a panel, 32 lines a tile, and sixteen rows that pass by it.
mix!(sixteen_by_panels:
    ".rept 48",
    "vpandd zmm25, zmm30, zmm31", "vpsrlw zmm26, zmm30, 4", "vpandd zmm26, zmm26, zmm31", "vpshufb zmm25, zmm28, zmm25",
    "vpshufb zmm26, zmm28, zmm26", "vpsllvd zmm25, zmm25, zmm29", "vpsllvd zmm26, zmm26, zmm29",
    "vpaddb zmm25, zmm25, zmm30", "vpaddb zmm26, zmm26, zmm30", ".endr",
    ".rept 2", ".rept 32", each!(24: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(24: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, zmm31"]), each!(24: ["vpxord zmm" ", zmm28, zmm28"]), ".endr",
);
// The same of nvfp4, whose lines are decoded but not shifted, with 16-bit scales.
mix!(sixteen_nvfp4:
    ".rept 48",
    "vpandd zmm25, zmm30, zmm31", "vpsrlw zmm26, zmm30, 4", "vpandd zmm26, zmm26, zmm31", "vpshufb zmm25, zmm28, zmm25",
    "vpshufb zmm26, zmm28, zmm26", ".endr",
    ".rept 4", ".rept 8", ".rept 4", each!(12: ["vpdpbusd zmm" ", zmm30, zmm31"]), ".endr",
    each!(span and block: ["vpdpwssd zmm" ", zmm" ", zmm29"]), each!(12: ["vpxord zmm" ", zmm28, zmm28"]), ".endr",
    each!(spans: ["vcvtdq2ps zmm24, zmm" "\nvfmadd213ps zmm24, zmm30, zmm31"]), ".endr",
);

const fn of(name: &'static str, arithmetic: Arithmetic, (useful, all, turns): (u64, u64, u64), body: Body) -> Mix {
    let operations = match arithmetic {
        Arithmetic::Int8 => 128,
        Arithmetic::Bf16 => 64,
        Arithmetic::F32 => 32,
        Arithmetic::Fp8 | Arithmetic::Mxfp4 | Arithmetic::Nvfp4 => panic!("x86 has no such instruction"),
    };
    Mix { name, of: arithmetic, needs: AVX512_VNNI, useful, all, operations, turns, body }
}
type Body = unsafe fn(u64, *mut Memory);

/// Every loop. After the name: instructions that count, all that go through the two ports, turns.
pub(crate) static MIXES: &[Mix] = &{
    use Arithmetic::{Bf16, F32, Int8};
    [
        of("vpdpbusd", Int8, (24, 24, 250_000), dots),
        of("vfmadd231ps", F32, (24, 24, 250_000), multiply_adds),
        Mix { needs: AVX512_BF16, ..of("vdpbf16ps, of what stands for bf16", Bf16, (24, 24, 60_000), bf16_dots) },
        Mix {
            needs: AVX512_BF16,
            operations: 32,
            ..of("vdpbf16ps of 256 bits", Bf16, (24, 24, 60_000), bf16_dots_256)
        },
        of("f32 × f32, loads, 128 steps a sum", F32, (3072, 3096, 2000), f32_loads),
        of("mxfp4 × int8", Int8, (768, 816, 8000), aligned),
        of("mxfp4 × int8, loads", Int8, (768, 816, 8000), aligned_loads),
        of("mxfp4 × mxfp4", Int8, (768, 840, 8000), aligned_multiplied),
        of("q8_0 × int8", Int8, (384, 480, 12000), plain),
        of("nvfp4 × int8", Int8, (384, 504, 12000), integer),
        of("nvfp4 × nvfp4", Int8, (384, 516, 12000), table),
        of("nvfp4 × nvfp4, loads", Int8, (384, 516, 12000), table_loads),
        of("mxfp4 × int8, 16 rows, decoded in registers", Int8, (128, 180, 35000), sixteen),
        of("mxfp4 × int8, 16 rows, by panels", Int8, (1536, 2064, 3000), sixteen_by_panels),
        of("nvfp4 × int8, 16 rows, by panels", Int8, (1536, 2256, 3000), sixteen_nvfp4),
    ]
};
