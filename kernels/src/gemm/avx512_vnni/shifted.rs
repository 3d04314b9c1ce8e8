//! E2M1 codes to unsigned bytes, each block of each output shifted left by its own 0 … 3 bits.
#![expect(unsafe_code, reason = "vector stores, and instructions that not every core with this path has")]

use super::UNSIGNED_E2M1;
use super::layout::{CODES, offset};
use crate::cpu::isa::Feature;
use crate::format::{E2M1_TWICE, Format};
use crate::gemm::lanes512::load;
use crate::gemm::packed::{LANES, LINE};
use std::arch::x86_64::*;

/// How bytes are looked up: 16 at a time and then shifted, or 64 at a time, shifts included, where there is AVX-512 VBMI.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookUp {
    wide: bool,
}

impl LookUp {
    /// What this core can do.
    pub(super) fn here() -> Self {
        Self { wide: Feature::Avx512vbmi.present() }
    }
    /// One span of codes, whose blocks are shifted by `shifts` in each lane.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) fn decode(self, codes: &[[u8; LINE]], shifts: &[__m128i; 4], out: &mut [[u8; LINE]]) {
        if self.wide {
            // SAFETY: only `here` makes a `LookUp`, and it has asked the core for VBMI.
            unsafe { by_64(codes, shifts, out) }
        } else {
            by_16(codes, shifts, out);
        }
    }
}

/// Twice each E2M1 value, shifted by 0 … 3, plus the offset of mxfp4.
static SHIFTED_E2M1: [u8; LINE] = {
    let mut table = [0; LINE];
    let mut i = 0;
    while i < LINE {
        table[i] = ((E2M1_TWICE[i % 16] as i32) * (1 << (i / 16)) + offset(Format::Mxfp4)) as u8;
        i += 1;
    }
    table
};

/// Four copies of each of the lowest 16 bytes.
static EACH_BY_FOUR: [u8; LINE] = {
    let mut table = [0; LINE];
    let mut i = 0;
    while i < LINE {
        table[i] = (i / 4) as u8;
        i += 1;
    }
    table
};

/// 5 instructions for two lines.
#[target_feature(enable = "avx512vbmi,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn by_64(codes: &[[u8; LINE]], shifts: &[__m128i; 4], out: &mut [[u8; LINE]]) {
    let (low, table, by_four) = (_mm512_set1_epi8(15), load(&SHIFTED_E2M1), load(&EACH_BY_FOUR));
    let out = out[..CODES].as_chunks_mut::<8>().0;
    for ((codes, shift), out) in codes.as_chunks::<4>().0.iter().zip(shifts).zip(out) {
        // A shift is below 4: nothing crosses into the next byte.
        let row = _mm512_permutexvar_epi8(by_four, _mm512_castsi128_si512(_mm_slli_epi16::<4>(*shift)));
        for (line, out) in codes.iter().zip(out.as_chunks_mut::<2>().0) {
            let both = load(line);
            for (nibbles, out) in [both, _mm512_srli_epi16::<4>(both)].into_iter().zip(out) {
                // (nibbles & low) | row
                let at = _mm512_ternarylogic_epi32::<0xea>(nibbles, low, row);
                store(out, _mm512_permutexvar_epi8(at, table));
            }
        }
    }
}

/// 11 instructions for two lines.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn by_16(codes: &[[u8; LINE]], shifts: &[__m128i; 4], out: &mut [[u8; LINE]]) {
    let (low, table) = (_mm512_set1_epi8(15), load(&UNSIGNED_E2M1));
    let out = out[..CODES].as_chunks_mut::<8>().0;
    for ((codes, shift), out) in codes.as_chunks::<4>().0.iter().zip(shifts).zip(out) {
        let shift = _mm512_cvtepu8_epi32(*shift);
        // A code plus 12, shifted, stays inside its byte; then 12 · 2^shift is made 96.
        let rest = _mm512_sub_epi8(_mm512_set1_epi8(96), _mm512_sllv_epi32(_mm512_set1_epi8(12), shift));
        for (line, out) in codes.iter().zip(out.as_chunks_mut::<2>().0) {
            let both = load(line);
            for (nibbles, out) in [both, _mm512_srli_epi16::<4>(both)].into_iter().zip(out) {
                let plus_12 = _mm512_shuffle_epi8(table, _mm512_and_si512(nibbles, low));
                store(out, _mm512_add_epi8(_mm512_sllv_epi32(plus_12, shift), rest));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn store(line: &mut [u8; LINE], v: __m512i) {
    // SAFETY: a line is 64 bytes.
    unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn lanes(bytes: &[u8; LANES]) -> __m128i {
    // SAFETY: 16 bytes are there.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[cfg(test)]
#[expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]
mod tests {
    use super::*;
    use crate::cpu::isa::{AVX512_VNNI, require};
    use crate::cpu::kernel::Kernel;

    struct Both {
        codes: [[u8; LINE]; 16],
        shifts: [[u8; LANES]; 4],
        out: [[u8; LINE]; CODES],
        wide: bool,
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn run(both: &mut Both) {
        let mut shifts = [_mm_setzero_si128(); 4];
        for b in 0..4 {
            shifts[b] = lanes(&both.shifts[b]);
        }
        LookUp { wide: both.wide }.decode(&both.codes, &shifts, &mut both.out);
    }

    #[test]
    fn both_look_ups_shift_every_code_by_every_shift() {
        // SAFETY: `run` asks for nothing but these features, and for VBMI only where it was found.
        let kernel = unsafe { Kernel::new(AVX512_VNNI, run) };
        let kernel = match kernel.here() {
            Ok(kernel) => kernel,
            Err(reason) => return println!("not run: {reason}"),
        };
        for wide in [false, true] {
            if wide && let Err(reason) = require(&[Feature::Avx512vbmi]) {
                println!("not run: {reason}");
                continue;
            }
            for seed in 0..4_usize {
                let code = |line: usize, byte: usize, high: usize| (line * 7 + byte * 3 + high * 5 + seed) % 16;
                let shift = |block: usize, lane: usize| (block + lane + seed) % 4;
                let mut both = Both { codes: [[0; LINE]; 16], shifts: [[0; LANES]; 4], out: [[0; LINE]; CODES], wide };
                for (l, line) in both.codes.iter_mut().enumerate() {
                    for (b, byte) in line.iter_mut().enumerate() {
                        *byte = (code(l, b, 0) | code(l, b, 1) << 4) as u8;
                    }
                }
                for (b, shifts) in both.shifts.iter_mut().enumerate() {
                    for (lane, out) in shifts.iter_mut().enumerate() {
                        *out = shift(b, lane) as u8;
                    }
                }
                kernel.call(&mut both);
                for (l, line) in both.out.iter().enumerate() {
                    for (b, got) in line.iter().enumerate() {
                        let value = i32::from(E2M1_TWICE[code(l / 2, b, l % 2)]);
                        let want = (value << shift(l / 8, b / 4)) + offset(Format::Mxfp4);
                        assert_eq!(i32::from(*got), want, "line {l}, byte {b}, wide: {wide}");
                    }
                }
            }
        }
    }
}
