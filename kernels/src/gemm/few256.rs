//! Few rows on 256-bit vectors: codes are multiplied as they are decoded, and no panel is written.
//!
//! Decoding a block of 32 × 16 four-bit codes takes 16 shuffles, 16 masks and 8 shifts; through a panel it would take 16 stores more, and
//! loads for every row. Rows go in pairs: the sums, sums of pairs, codes and words of two fit 16 registers. Only `for` loops stand in the
//! body: a closure compiled for more features than the library's `map` or `from_fn` cannot be merged into it, and is called.

/// Codes of FP4, looked up in a table.
pub(super) const E2M1: u8 = 0;
/// Four-bit codes that stand for themselves.
pub(super) const NIBBLE: u8 = 1;
/// Codes of eight bits.
pub(super) const BYTE: u8 = 2;

/// `few` for one set of features, over its `products` (see `integer_kernels!`).
macro_rules! few_kernels {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        fn few(call: &mut Multiply<'_>) {
            if call.rows == 1 { decoded::<1>(call) } else { decoded::<2>(call) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn decoded<const R: usize>(call: &Multiply<'_>) {
            match (call.op.weights, call.op.activations.grouped()) {
                (Format::Nvfp4, false) => rows_of::<R, 4, false, E2M1, false>(call),
                (Format::Nvfp4, true) => rows_of::<R, 4, true, E2M1, false>(call),
                (Format::Q8_0, false) => rows_of::<R, 8, false, BYTE, true>(call),
                (Format::Q8_0, true) => rows_of::<R, 8, true, BYTE, true>(call),
                (Format::Q4_0, false) => rows_of::<R, 8, false, NIBBLE, false>(call),
                (Format::Q4_0, true) => rows_of::<R, 8, true, NIBBLE, false>(call),
                (_, false) => rows_of::<R, 8, false, E2M1, false>(call),
                (_, true) => rows_of::<R, 8, true, E2M1, false>(call),
            }
        }

        /// All tiles with R rows, whose words each stand by themselves.
        #[target_feature(enable = $features)]
        fn rows_of<const R: usize, const STEPS: usize, const SCALED: bool, const CODES: u8, const WIDE: bool>(
            call: &Multiply<'_>,
        ) {
            let format = const {
                match (CODES, STEPS) {
                    (BYTE, _) => Format::Q8_0,
                    (NIBBLE, _) => Format::Q4_0,
                    (_, 4) => Format::Nvfp4,
                    _ => Format::Mxfp4,
                }
            };
            let (lines_a_block, scale_bytes) = stored(format);
            let a_row = call.packed.layout().blocks * (STEPS + 2);
            for t in call.tiles.clone() {
                let tile = call.packed.tile(t);
                for first in (0..call.rows).step_by(R) {
                    // Of an odd number the last row is multiplied twice.
                    let (mut rows, mut acts, mut words): ([usize; R], [&[i32]; R], [&[i32]; R]) =
                        ([0; R], [&[]; R], [&[]; R]);
                    for r in 0..R {
                        rows[r] = (first + r).min(call.rows - 1);
                        acts[r] = &call.acts[rows[r] * a_row..][..a_row];
                    }
                    // The first rows bring the tile from memory, the others the next tile into L2.
                    let ahead = if first == 0 { AHEAD } else { call.packed.tile_bytes() };
                    let mut total = [[_mm256_setzero_ps(); 2]; R];
                    let lines = tile.codes.as_chunks::<LINE>().0.chunks_exact(lines_a_block);
                    for (b, (lines, scales)) in lines.zip(tile.scales.chunks_exact(scale_bytes)).enumerate() {
                        for line in lines {
                            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(ahead).cast());
                        }
                        for r in 0..R {
                            words[r] = &acts[r][b * (STEPS + 2)..][..STEPS + 2];
                        }
                        let codes = |s| decode::<CODES>(lines, s);
                        let exact = products::<R, STEPS, WIDE>(codes, |s, r| words[r][s], |r| words[r][STEPS]);
                        let scales = scales_of(format, scales);
                        for r in 0..R {
                            total[r] = scaled_sum::<SCALED>(total[r], exact[r], scales, words[r][STEPS + 1]);
                        }
                    }
                    for (row, total) in rows.into_iter().zip(total) {
                        finish(call, call.y, t, row, total);
                    }
                }
            }
        }
    };
}
pub(super) use few_kernels;
