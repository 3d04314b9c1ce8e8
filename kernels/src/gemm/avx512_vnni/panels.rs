//! Many rows: weights are decoded into panels that stay in L1 while group after group of rows passes.
#![expect(unsafe_code, reason = "vector stores")]

use super::decode;
use crate::format::Format;
use crate::gemm::integer::{GROUP, PANEL_K};
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE, Tile};
use crate::gemm::tiled::{Multiply, PASS, SETS, TILES};
use std::arch::x86_64::*;

/// Decodes blocks `from ..` of one tile into every T-th slot of the panel: STEPS lines of codes and one of f32 scales.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn unpack<const F: u8, const STEPS: usize>(
    tile: Tile<'_>,
    from: usize,
    blocks: usize,
    slot: usize,
    slots: usize,
    panel: &mut [[u8; LINE]],
) {
    let lines_a_block = if F == Q8_0 { STEPS } else { STEPS / 2 };
    let scale_bytes = if F == MXFP4 || F == NVFP4 { LANES } else { 2 * LANES };
    let lines = &tile.codes.as_chunks::<LINE>().0[from * lines_a_block..][..blocks * lines_a_block];
    let scales = &tile.scales[from * scale_bytes..][..blocks * scale_bytes];
    let out = panel.chunks_exact_mut((STEPS + 1) * slots);
    for ((lines, scales), out) in lines.chunks_exact(lines_a_block).zip(scales.chunks_exact(scale_bytes)).zip(out) {
        for line in lines {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
        }
        let out = &mut out[slot * (STEPS + 1)..][..STEPS + 1];
        let (codes, scale) = (decode::<F, STEPS>(lines), scales_of::<F>(scales));
        for s in 0..STEPS {
            // SAFETY: a line is 64 bytes.
            unsafe { _mm512_storeu_si512(out[s].as_mut_ptr().cast(), codes[s]) };
        }
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(out[STEPS].as_mut_ptr().cast(), scale) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn unpack_any(
    format: Format,
    tile: Tile<'_>,
    from: usize,
    blocks: usize,
    slot: usize,
    slots: usize,
    panel: &mut [[u8; LINE]],
) {
    match format {
        Format::Mxfp4 => unpack::<MXFP4, 8>(tile, from, blocks, slot, slots, panel),
        Format::Nvfp4 => unpack::<NVFP4, 4>(tile, from, blocks, slot, slots, panel),
        Format::Q8_0 => unpack::<Q8_0, 8>(tile, from, blocks, slot, slots, panel),
        Format::Q4_0 => unpack::<Q4_0, 8>(tile, from, blocks, slot, slots, panel),
        _ => unreachable!("{format} has no blocks"),
    }
}

/// Adds the products of one panel (T tiles) with one group of rows to `sums`. W4 = 4 (STEPS + 2) words a block.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn micro<const T: usize, const STEPS: usize, const W4: usize, const SCALED: bool>(
    panel: &[[u8; LINE]],
    acts: &[[i32; W4]],
    sums: &mut [[f32; LANES]],
) {
    let sums = &mut sums[..GROUP * T];
    let mut total = [[_mm512_setzero_ps(); T]; GROUP];
    for r in 0..GROUP {
        for t in 0..T {
            total[r][t] = load_f32(&sums[r * T + t]);
        }
    }
    for (lines, block) in panel.chunks_exact((STEPS + 1) * T).zip(acts) {
        let mut exact = [[_mm512_setzero_si512(); T]; GROUP];
        for r in 0..GROUP {
            let start = _mm512_set1_epi32(block[STEPS * GROUP + r]);
            exact[r] = [start; T];
        }
        for s in 0..STEPS {
            let mut codes = [_mm512_setzero_si512(); T];
            for t in 0..T {
                codes[t] = load(&lines[t * (STEPS + 1) + s]);
            }
            for r in 0..GROUP {
                let a = _mm512_set1_epi32(block[s * GROUP + r]);
                for t in 0..T {
                    exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
                }
            }
        }
        for t in 0..T {
            let scale = _mm512_castsi512_ps(load(&lines[t * (STEPS + 1) + STEPS]));
            for r in 0..GROUP {
                let mut scale = scale;
                if SCALED {
                    let a = f32::from_bits(block[(STEPS + 1) * GROUP + r].cast_unsigned());
                    scale = _mm512_mul_ps(scale, _mm512_set1_ps(a));
                }
                total[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][t]), scale, total[r][t]);
            }
        }
    }
    for r in 0..GROUP {
        for t in 0..T {
            store_f32(&mut sums[r * T + t], total[r][t]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn micro_any<const STEPS: usize, const W4: usize, const SCALED: bool>(
    tiles: usize,
    panel: &[[u8; LINE]],
    acts: &[[i32; W4]],
    sums: &mut [[f32; LANES]],
) {
    match tiles {
        1 => micro::<1, STEPS, W4, SCALED>(panel, acts, sums),
        2 => micro::<2, STEPS, W4, SCALED>(panel, acts, sums),
        TILES => micro::<TILES, STEPS, W4, SCALED>(panel, acts, sums),
        _ => unreachable!("a panel has {tiles} tiles"),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn panels_of<const STEPS: usize, const W4: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let blocks = call.packed.layout().blocks;
    let a_panel = PANEL_K / (4 * STEPS);
    let acts = call.acts.as_chunks::<W4>().0;
    let (tiles, rows) = (call.tiles.clone(), call.rows);
    for pass in (0..rows).step_by(PASS) {
        let groups = (rows - pass).min(PASS).div_ceil(GROUP);
        for first in tiles.clone().step_by(SETS * TILES) {
            let last = (first + SETS * TILES).min(tiles.end);
            let sums = call.sums.as_chunks_mut::<LANES>().0;
            sums[..groups * GROUP * SETS * TILES].fill([0.0; LANES]);
            for from in (0..blocks).step_by(a_panel) {
                let some = a_panel.min(blocks - from);
                for (set, at) in (first..last).step_by(TILES).enumerate() {
                    let width = TILES.min(last - at);
                    let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some * width * (STEPS + 1)];
                    for t in 0..width {
                        unpack_any(call.op.weights, call.packed.tile(at + t), from, some, t, width, panel);
                    }
                    let sums = &mut sums[set * groups * GROUP * TILES..];
                    for group in 0..groups {
                        let acts = &acts[(pass / GROUP + group) * blocks + from..][..some];
                        micro_any::<STEPS, W4, SCALED>(width, panel, acts, &mut sums[group * GROUP * width..]);
                    }
                }
            }
            for (set, at) in (first..last).step_by(TILES).enumerate() {
                let width = TILES.min(last - at);
                for (group, row) in (pass..(pass + PASS).min(rows)).step_by(GROUP).enumerate() {
                    let sums = call.sums.as_chunks::<LANES>().0;
                    let sums = &sums[set * groups * GROUP * TILES + group * GROUP * width..];
                    for t in 0..width {
                        let column: [__m512; GROUP] = [
                            load_f32(&sums[t]),
                            load_f32(&sums[width + t]),
                            load_f32(&sums[2 * width + t]),
                            load_f32(&sums[3 * width + t]),
                        ];
                        finish(call.op.n, rows, call.bias, call.row_scales, call.y, at + t, row, &column);
                    }
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn panels(call: &mut Multiply<'_>) {
    match (call.op.block(), call.op.activations.grouped()) {
        (32, false) => panels_of::<8, 40, false>(call),
        (32, true) => panels_of::<8, 40, true>(call),
        (16, false) => panels_of::<4, 24, false>(call),
        (16, true) => panels_of::<4, 24, true>(call),
        (block, _) => unreachable!("blocks of {block}"),
    }
}
