//! The integer loops that AVX2 with and without VNNI run: panels of one tile, so that sums fit 16 registers.

/// `quantise`, `few` and `panels` for one set of features, over `dot::<WIDE>(sum, unsigned, signed)` of the module that calls
/// this; WIDE says that unsigned codes reach 255.
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
            let total = &mut total[..R];
            for (lines, block) in panel.chunks_exact(STEPS + 1).zip(acts.chunks_exact((STEPS + 2) * R)) {
                let mut exact = [[_mm256_setzero_si256(); 2]; R];
                for r in 0..R {
                    exact[r] = [_mm256_set1_epi32(block[STEPS * R + r]); 2];
                }
                for s in 0..STEPS {
                    let codes = load(&lines[s]);
                    for r in 0..R {
                        let a = _mm256_set1_epi32(block[s * R + r]);
                        exact[r] = [dot::<WIDE>(exact[r][0], codes[0], a), dot::<WIDE>(exact[r][1], codes[1], a)];
                    }
                }
                let scales = load_f32(&lines[STEPS]);
                for r in 0..R {
                    let mut scales = scales;
                    if SCALED {
                        let a = _mm256_set1_ps(f32::from_bits(block[(STEPS + 1) * R + r].cast_unsigned()));
                        scales = [_mm256_mul_ps(scales[0], a), _mm256_mul_ps(scales[1], a)];
                    }
                    let sums = load_values(&total[r]);
                    let add =
                        |half: usize| _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact[r][half]), scales[half], sums[half]);
                    store_values(&mut total[r], [add(0), add(1)]);
                }
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn tiles_of<const R: usize, const STEPS: usize, const SCALED: bool, const WIDE: bool>(call: &mut Multiply<'_>) {
            let (blocks, a_panel) = (call.packed.layout().blocks, PANEL_K / (4 * STEPS));
            let (rows, a_group) = (call.rows, blocks * (STEPS + 2) * R);
            for t in call.tiles.clone() {
                for pass in (0..rows).step_by(PASS) {
                    let groups = (rows - pass).min(PASS).div_ceil(R);
                    let sums = &mut call.sums.as_chunks_mut::<LANES>().0[..groups * R];
                    sums.fill([0.0; LANES]);
                    for from in (0..blocks).step_by(a_panel) {
                        let some = a_panel.min(blocks - from);
                        let panel = &mut call.panel.as_chunks_mut::<LINE>().0[..some * (STEPS + 1)];
                        unpack_codes(call.op.weights, call.packed.tile(t), from, STEPS, panel);
                        for (group, sums) in sums.chunks_exact_mut(R).enumerate() {
                            let acts = &call.acts[(pass / R + group) * a_group..][..a_group];
                            let acts = &acts[from * (STEPS + 2) * R..][..some * (STEPS + 2) * R];
                            micro::<R, STEPS, SCALED, WIDE>(panel, acts, sums);
                        }
                    }
                    for row in pass..(pass + PASS).min(rows) {
                        let sum = load_values(&call.sums.as_chunks::<LANES>().0[row - pass]);
                        finish(call, call.y, t, row, sum);
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
        fn few(call: &mut Multiply<'_>) {
            any::<1>(call);
        }

        #[target_feature(enable = $features)]
        fn panels(call: &mut Multiply<'_>) {
            any::<GROUP>(call);
        }
    };
}
pub(super) use integer_kernels;
