//! The body of the vector kernels, written once over sixteen-lane vectors: a tile's strips of a few query vectors against 64 keys.
//!
//! Both products have one shape: a number of the left side times a vector of the right side, kept in registers over the whole
//! sum. For scores the vector is one element of 16 keys, for outputs 16 elements of one value; neither needs a horizontal sum.
//! Few query vectors read a block as it is stored, for many it is converted to f32 once.

/// Makes `attend` for one instruction set. The file that uses it brings `Lanes` and its operations into scope; they are compiled for `$features`.
///
/// `$wide` is the most vectors side by side, `$rows` the most query vectors: wide · rows sums, wide operands and one more fit the registers.
macro_rules! strips {
    ($features:literal, wide: [$($wide:literal)*], rows: [$($rows:literal)*]) => {
        const WIDE: usize = { let mut most = 0; $(if $wide > most { most = $wide; })* most };
        const ROWS: usize = { let mut most = 0; $(if $rows > most { most = $rows; })* most };

        /// Adds the part's blocks of keys to its sums.
        #[target_feature(enable = $features)]
        pub(super) fn attend<T: Stored>(part: &mut Part<'_, T>) {
            let (dim, len) = (part.queries.dim, BLOCK / LANES * T::block(part.queries.dim));
            let all = 0..part.queries.vectors;
            // From the third strip on, converting a block once is cheaper than in every strip; integers have no other way.
            let widened = all.len() > 2 * ROWS || size_of::<T>() == 1;
            let (wide_keys, wide_values) = part.panel.split_at_mut(BLOCK * dim);
            for block in part.blocks.clone() {
                let slots = block * len..part.keys.len().min((block + 1) * len);
                let (keys, values) = (&part.keys[slots.clone()], &part.values[slots]);
                if widened {
                    let seen = part.queries.sees.shared(&all, block);
                    widen_keys(keys, dim, &seen, wide_keys);
                    scores::<f32, true>(&mut part.queries, block, wide_keys);
                    widen_values(values, dim, &seen, wide_values);
                    outputs(&mut part.queries, block, wide_values, 0);
                } else {
                    scores::<T, false>(&mut part.queries, block, keys);
                    outputs(&mut part.queries, block, values, len);
                }
            }
        }

        /// The probabilities of one block of keys, with all that a larger score changes. Keys are a panel \[dim\]\[64\], or as stored.
        #[inline]
        #[target_feature(enable = $features)]
        fn scores<T: Stored, const PANEL: bool>(queries: &mut Queries<'_>, block: usize, keys: &[T]) {
            let (dim, strips) = (queries.dim, queries.vectors.div_ceil(ROWS));
            for s in 0..strips {
                let rows = queries.vectors * s / strips..queries.vectors * (s + 1) / strips;
                let seen = queries.sees.shared(&rows, block);
                if seen.is_empty() {
                    continue;
                }
                let q = &queries.q[rows.start * dim..rows.end * dim];
                // The first strip asks for the next block while it works on this one.
                let ahead = if s == 0 && !PANEL { BLOCK * dim } else { 0 };
                for lane in seen.clone().step_by(WIDE * LANES) {
                    let wide = (seen.end - lane).div_ceil(LANES).min(WIDE);
                    let keys = if PANEL { &keys[lane..] } else { &keys[lane * dim..][..wide * LANES * dim] };
                    let p = &mut queries.p[rows.start * BLOCK + lane..rows.end * BLOCK];
                    match rows.len() {
                        $($rows => score_wide::<T, $rows, PANEL>(wide, q, keys, dim, p, ahead),)*
                        _ => unreachable!("at most {ROWS} rows"),
                    }
                }
                for row in rows {
                    let visible = queries.sees.visible(row, block);
                    let visible = visible.start.saturating_sub(seen.start)..visible.end.saturating_sub(seen.start);
                    let p = &mut queries.p[row * BLOCK..][seen.start..seen.end.next_multiple_of(LANES)];
                    let sums = &mut queries.state.sums[row * dim..][..dim];
                    let weights = &mut queries.state.weights[row * LANES..][..LANES];
                    soften(p, visible, queries.cap, sums, weights, &mut queries.state.max[row]);
                }
            }
        }

        /// Adds the values of one block, \[64\]\[dim\], by their probabilities.
        #[inline]
        #[target_feature(enable = $features)]
        fn outputs<T: Stored>(queries: &mut Queries<'_>, block: usize, values: &[T], ahead: usize) {
            let (dim, strips) = (queries.dim, queries.vectors.div_ceil(ROWS));
            for s in 0..strips {
                let rows = queries.vectors * s / strips..queries.vectors * (s + 1) / strips;
                let seen = queries.sees.shared(&rows, block);
                if seen.is_empty() {
                    continue;
                }
                let values = &values[..seen.end * dim];
                let p = &queries.p[rows.start * BLOCK..rows.end * BLOCK];
                let ahead = if s == 0 { ahead } else { 0 };
                for d in (0..dim).step_by(WIDE * LANES) {
                    let wide = ((dim - d) / LANES).min(WIDE);
                    let sums = &mut queries.state.sums[rows.start * dim + d..rows.end * dim];
                    match rows.len() {
                        $($rows => weigh_wide::<T, $rows>(wide, p, &seen, values, d, dim, sums, ahead),)*
                        _ => unreachable!("at most {ROWS} rows"),
                    }
                }
            }
        }

        /// [`score`] for `wide` vectors of keys.
        #[inline]
        #[target_feature(enable = $features)]
        fn score_wide<T: Stored, const M: usize, const PANEL: bool>(
            wide: usize, q: &[f32], keys: &[T], dim: usize, p: &mut [f32], ahead: usize,
        ) {
            match wide {
                $($wide => score::<T, M, $wide, PANEL>(q, keys, dim, p, ahead),)*
                _ => unreachable!("at most {WIDE} vectors"),
            }
        }

        /// [`weigh`] for `wide` vectors of values.
        #[inline]
        #[target_feature(enable = $features)]
        #[expect(clippy::too_many_arguments, reason = "two matrices, a place in each, and what to fetch next")]
        fn weigh_wide<T: Stored, const M: usize>(
            wide: usize, p: &[f32], keys: &Range<usize>, values: &[T], d: usize, dim: usize, sums: &mut [f32], ahead: usize,
        ) {
            match wide {
                $($wide => weigh::<T, M, $wide>(p, keys, values, d, dim, sums, ahead),)*
                _ => unreachable!("at most {WIDE} vectors"),
            }
        }

        /// p\[row\]\[key\] = q\[row\] · key for `M` rows and 16 · `N` keys, in a panel those at its first columns.
        #[inline]
        #[target_feature(enable = $features)]
        fn score<T: Stored, const M: usize, const N: usize, const PANEL: bool>(
            q: &[f32], keys: &[T], dim: usize, p: &mut [f32], ahead: usize,
        ) {
            let len = if PANEL { (dim - 1) * BLOCK + N * LANES } else { N * LANES * dim };
            assert!(q.len() == M * dim && keys.len() >= len && p.len() > (M - 1) * BLOCK + N * LANES - 1);
            assert!(dim.is_multiple_of(2) && (!PANEL || size_of::<T>() == 4));
            let (q, keys) = (q.as_ptr(), keys.as_ptr());
            let mut sums = [[zero(); N]; M];
            for pair in (0..dim).step_by(2) {
                for half in 0..2 {
                    let mut key = [zero(); N];
                    for n in 0..N {
                        if PANEL {
                            let line = keys.wrapping_add((pair + half) * BLOCK + n * LANES);
                            // SAFETY: the row of element pair + half < dim (dim is even) and 16 · (n + 1) of its columns are inside `keys`.
                            key[n] = unsafe { key_lanes(line, 0, zero()) };
                            continue;
                        }
                        let line = keys.wrapping_add(n * LANES * dim + pair * LANES);
                        // SAFETY: elements `pair` and `pair + 1` < dim of the 16 keys of block n < N are inside `keys`.
                        key[n] = unsafe { key_lanes(line, half, zero()) };
                        if ahead > 0 && (half == 0 || size_of::<T>() == 4) {
                            prefetch(line.wrapping_add(half * LANES + ahead));
                        }
                    }
                    for m in 0..M {
                        // SAFETY: m < M and pair + half < dim, and `q` holds M · dim.
                        let q = splat(unsafe { *q.wrapping_add(m * dim + pair + half) });
                        for n in 0..N {
                            sums[m][n] = multiply_add(q, key[n], sums[m][n]);
                        }
                    }
                }
            }
            for m in 0..M {
                for n in 0..N {
                    put(sums[m][n], p, m * BLOCK + n * LANES);
                }
            }
        }

        /// sums\[row\] += Σ p\[row\]\[key\] · value\[key\] for `M` rows and elements `d .. d + 16 · N`; `sums` begins at element d of the first row.
        #[inline]
        #[target_feature(enable = $features)]
        fn weigh<T: Stored, const M: usize, const N: usize>(
            p: &[f32], keys: &Range<usize>, values: &[T], d: usize, dim: usize, sums: &mut [f32], ahead: usize,
        ) {
            assert!(size_of::<T>() > 1 && p.len() == M * BLOCK && keys.end <= BLOCK && values.len() == keys.end * dim && d + N * LANES <= dim);
            let (p, values) = (p.as_ptr(), values.as_ptr());
            let mut running = [[zero(); N]; M];
            for m in 0..M {
                for n in 0..N {
                    running[m][n] = get(sums, m * dim + n * LANES);
                }
            }
            for key in keys.clone() {
                let mut value = [zero(); N];
                for n in 0..N {
                    let line = values.wrapping_add(key * dim + d + n * LANES);
                    // SAFETY: key < keys.end and d + 16 · (n + 1) <= dim, and `values` holds keys.end · dim.
                    value[n] = unsafe { value_lanes(line, 0, zero()) };
                    if ahead > 0 && (size_of::<T>() == 4 || n % 2 == 0) {
                        prefetch(line.wrapping_add(ahead));
                    }
                }
                for m in 0..M {
                    // SAFETY: m < M and key < 64, and `p` holds M · 64.
                    let p = splat(unsafe { *p.wrapping_add(m * BLOCK + key) });
                    for n in 0..N {
                        running[m][n] = multiply_add(p, value[n], running[m][n]);
                    }
                }
            }
            for m in 0..M {
                for n in 0..N {
                    put(running[m][n], sums, m * dim + n * LANES);
                }
            }
        }

        /// cap·tanh(score/cap) in powers of two, from x = 2·log2(e)·score/cap: tanh = (1 − t)/(1 + t) with t = e^(−2·|score|/cap) = 2^−|x|.
        #[inline]
        #[target_feature(enable = $features)]
        fn softcapped(x: Lanes, cap: f32) -> Lanes {
            let t = power_of_two(minus(zero(), magnitude(x)));
            let tanh = divide(minus(splat(1.0), t), plus(splat(1.0), t));
            times(splat(cap), signed_as(tanh, x))
        }

        /// Scores of one row to probabilities relative to the largest score so far; keys that are not `visible` get 0.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn soften(p: &mut [f32], visible: Range<usize>, cap: f32, sums: &mut [f32], weights: &mut [f32], max: &mut f32) {
            let mut top = splat(*max);
            for at in (0..p.len()).step_by(LANES) {
                let mut score = get(p, at);
                if cap > 0.0 {
                    score = softcapped(score, cap);
                }
                let kept = visible.start.saturating_sub(at)..visible.end.saturating_sub(at);
                if kept.start > 0 || kept.end < LANES {
                    score = only(score, kept.clone());
                }
                if cap > 0.0 || kept.start > 0 || kept.end < LANES {
                    put(score, p, at);
                }
                top = larger(score, top);
            }
            let top = largest(top);
            if top > *max {
                // f32::MIN less any score is far below the smallest power: the sums, still 0, stay 0.
                let factor = power_of_two(splat(*max - top));
                for at in (0..sums.len()).step_by(LANES) {
                    put(times(get(sums, at), factor), sums, at);
                }
                put(times(get(weights, 0), factor), weights, 0);
                *max = top;
            }
            let mut weight = get(weights, 0);
            for at in (0..p.len()).step_by(LANES) {
                let power = power_of_two(minus(get(p, at), splat(*max)));
                put(power, p, at);
                weight = plus(weight, power);
            }
            put(weight, weights, 0);
        }
    };
}
pub(super) use strips;

/// 2^f on |f| ≤ 1/2 as its Taylor series: coefficient k is ln(2)^k / k!; the first left out, f^7, is below 1.3e-7.
pub(super) const POWERS: [f32; 7] = {
    let (mut powers, mut term, mut k) = ([1.0; 7], 1.0, 1);
    while k < 7 {
        term *= std::f64::consts::LN_2 / k as f64;
        powers[k] = term as f32;
        k += 1;
    }
    powers
};
