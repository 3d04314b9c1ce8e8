//! The integer loops that AVX2 with and without VNNI run: panels of one tile, so that sums fit 16 registers.

use super::tiled::{SETS, TILES};

/// Rows a pass: their activations of one panel are 128 × 2,176 bytes, which stay in an L2 of 512 KiB …
pub(super) const PASS: usize = 128;
/// … while so many tiles are multiplied with them; from L3 they would come as slowly as they are used.
pub(super) const SET: usize = TILES * SETS;

/// `quantise` and `panels` for one set of features, over two items of the module that calls this: `products::<R, STEPS, WIDE>(codes,
/// word, start)` multiplies one block with R rows, WIDE saying that unsigned codes reach 255, and `AT_ONCE` is what R is here.
macro_rules! integer_kernels {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        fn quantise(call: &mut Quantise<'_>) {
            integer::blank_missing_rows(call);
            for row in call.rows.clone() {
                let x = &call.x[row * call.op.k..][..call.op.k];
                let scale = call.op.activations.quantize(x, call.op.block(), call.codes, call.scales, call.bytes);
                integer::put_words(call, row, scale);
            }
        }

        /// Adds the products of one panel with R rows to `total`; word s of row r is `block[s * R + r]`.
        #[inline]
        #[target_feature(enable = $features)]
        fn micro<const R: usize, const STEPS: usize, const SCALED: bool, const WIDE: bool>(
            panel: &[[u8; LINE]],
            acts: &[i32],
            total: &mut [[f32; LANES]],
        ) {
            const { assert!(R.is_multiple_of(AT_ONCE)) };
            let total = &mut total[..R];
            for (lines, block) in panel.chunks_exact(STEPS + 1).zip(acts.chunks_exact((STEPS + 2) * R)) {
                let (codes, scales) = (|s: usize| load(&lines[s]), load_f32(&lines[STEPS]));
                for from in (0..R).step_by(AT_ONCE) {
                    let word = |s: usize, r: usize| block[s * R + from + r];
                    let exact = products::<AT_ONCE, STEPS, WIDE>(codes, word, |r| word(STEPS, r));
                    for r in 0..AT_ONCE {
                        add_scaled::<SCALED>(&mut total[from + r], exact[r], scales, word(STEPS + 1, r));
                    }
                }
            }
        }

        /// Adds the sums of one block, scaled, to the values of a row.
        #[inline]
        #[target_feature(enable = $features)]
        fn add_scaled<const SCALED: bool>(
            total: &mut [f32; LANES],
            exact: [__m256i; 2],
            scales: [__m256; 2],
            row: i32,
        ) {
            let sum = scaled_sum::<SCALED>(load_values(total), exact, scales, row);
            store_values(total, sum);
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn tiles_of<const R: usize, const STEPS: usize, const SCALED: bool, const WIDE: bool>(call: &mut Multiply<'_>) {
            let (blocks, a_panel) = (call.packed.layout().blocks, PANEL_K / (4 * STEPS));
            let (rows, a_group) = (call.rows, blocks * (STEPS + 2) * R);
            for first in call.tiles.clone().step_by(SET) {
                let tiles = first..call.tiles.end.min(first + SET);
                for pass in (0..rows).step_by(PASS) {
                    let live = (rows - pass).min(PASS);
                    let a_tile = live.next_multiple_of(R);
                    call.sums.as_chunks_mut::<LANES>().0[..tiles.len() * a_tile].fill([0.0; LANES]);
                    for from in (0..blocks).step_by(a_panel) {
                        let some = a_panel.min(blocks - from);
                        for (t, sums) in
                            tiles.clone().zip(call.sums.as_chunks_mut::<LANES>().0.chunks_exact_mut(a_tile))
                        {
                            let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some * (STEPS + 1)];
                            unpack_codes(call.op.weights, call.packed.tile(t), from, STEPS, panel);
                            for (group, sums) in sums.chunks_exact_mut(R).enumerate() {
                                let acts = &call.acts[(pass / R + group) * a_group..][..a_group];
                                let acts = &acts[from * (STEPS + 2) * R..][..some * (STEPS + 2) * R];
                                micro::<R, STEPS, SCALED, WIDE>(panel, acts, sums);
                            }
                        }
                    }
                    for (t, sums) in tiles.clone().zip(call.sums.as_chunks::<LANES>().0.chunks_exact(a_tile)) {
                        for (row, sums) in sums[..live].iter().enumerate() {
                            finish(call, call.y, t, pass + row, load_values(sums));
                        }
                    }
                }
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn any<const R: usize>(call: &mut Multiply<'_>) {
            match (call.op.weights, call.op.activations.grouped()) {
                (Format::Nvfp4, false) => tiles_of::<R, 4, false, false>(call),
                (Format::Nvfp4, true) => tiles_of::<R, 4, true, false>(call),
                (Format::Q8_0, false) => tiles_of::<R, 8, false, true>(call),
                (Format::Q8_0, true) => tiles_of::<R, 8, true, true>(call),
                (_, false) => tiles_of::<R, 8, false, false>(call),
                (_, true) => tiles_of::<R, 8, true, false>(call),
            }
        }

        #[target_feature(enable = $features)]
        fn panels(call: &mut Multiply<'_>) {
            any::<GROUP>(call);
        }
    };
}
pub(super) use integer_kernels;
