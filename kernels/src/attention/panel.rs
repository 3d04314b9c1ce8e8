//! A block of 64 keys or values as stored, converted to f32 once for all query vectors of a tile.

/// Makes `widen_keys` and `widen_values` for one instruction set; what [`strips`](super::strip::strips) brings into scope is used here too.
macro_rules! panels {
    ($features:literal) => {
        /// The keys `seen` of a block to \[dim\]\[64\].
        #[inline]
        #[target_feature(enable = $features)]
        fn widen_keys<T: Stored>(keys: &[T], dim: usize, seen: &Range<usize>, to: &mut [f32]) {
            assert!(to.len() == BLOCK * dim && dim.is_multiple_of(LANES));
            for lane in seen.clone().step_by(LANES) {
                let block = &keys[lane / LANES * T::block(dim)..][..T::block(dim)];
                let scales = scales(block, dim);
                for d in (0..dim).step_by(T::PAIR) {
                    let line = block.as_ptr().wrapping_add(d * LANES);
                    prefetch(line.wrapping_add(BLOCK / LANES * T::block(dim)));
                    for part in 0..T::PAIR {
                        // SAFETY: the elements d .. d + pair of 16 keys, pair · 16 elements from d · 16 < dim · 16 on, are in the block.
                        let key = unsafe { key_lanes(line, part, scales) };
                        put(key, to, (d + part) * BLOCK + lane);
                    }
                }
            }
        }

        /// The values `seen` of a block to \[64\]\[dim\].
        #[inline]
        #[target_feature(enable = $features)]
        fn widen_values<T: Stored>(values: &[T], dim: usize, seen: &Range<usize>, to: &mut [f32]) {
            assert!(to.len() == BLOCK * dim && dim.is_multiple_of(LANES));
            for lane in seen.clone().step_by(LANES) {
                let block = &values[lane / LANES * T::block(dim)..][..T::block(dim)];
                let mut all = [0.0; LANES];
                put(scales(block, dim), &mut all, 0);
                for first in (0..LANES).step_by(T::TOKENS) {
                    for d in (0..dim).step_by(LANES) {
                        let line = block.as_ptr().wrapping_add(first * dim + d * T::TOKENS);
                        prefetch(line.wrapping_add(BLOCK / LANES * T::block(dim)));
                        for token in 0..T::TOKENS {
                            // SAFETY: 16 elements from d of the tokens that stand together from `first` on are in the block.
                            let value = unsafe { value_lanes(line, token, splat(all[first + token])) };
                            put(value, to, (lane + first + token) * dim + d);
                        }
                    }
                }
            }
        }

        /// The 16 scales behind the codes of a block; zeros where there are none.
        #[inline]
        #[target_feature(enable = $features)]
        pub(super) fn scales<T: Stored>(block: &[T], dim: usize) -> Lanes {
            if T::TAIL == 0 {
                return zero();
            }
            let tail = &block[LANES * dim..][..T::TAIL];
            const { assert!(T::TAIL == 0 || T::TAIL * size_of::<T>() == LANES * size_of::<f32>()) };
            // SAFETY: the 64 bytes behind the codes are 16 floats; loads need no alignment.
            unsafe { key_lanes(tail.as_ptr().cast::<f32>(), 0, zero()) }
        }
    };
}
pub(super) use panels;
