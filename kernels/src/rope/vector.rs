//! Rotary embedding sixteen pairs at a time, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, Rope, Turn};
use crate::cpu::f32x16::on_vectors;
use crate::cpu::variant::Variant;
use crate::rmsnorm::inverse_root;

macro_rules! body {
    ($isa:ident, $features:literal) => {
        use crate::rmsnorm::vector::$isa::sum_of_squares;

        // SAFETY: `rows` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<Rope> = unsafe { Variant::<Rope>::new(NAME, FEATURES, rows) };

        #[target_feature(enable = $features)]
        fn rows(args: &mut Args<'_>) {
            let eps = args.op.eps;
            args.each_head(|head, Turn { cos, sin, gain }| {
                if let Some(gain) = gain {
                    let inverse = inverse_root(sum_of_squares(head), head.len(), eps);
                    scale(head, inverse, gain);
                }
                turn(head, cos, sin);
            });
        }

        #[target_feature(enable = $features)]
        fn scale(x: &mut [f32], inverse: f32, gain: &[f32]) {
            let inverse = splat(inverse);
            let ((x, x_rest), (gain, gain_rest)) = (x.as_chunks_mut(), gain.as_chunks());
            for (x, gain) in x.iter_mut().zip(gain) {
                store(x, times(times(load(x), inverse), load(gain)));
            }
            if !x_rest.is_empty() {
                let rest = times(times(load_part(x_rest), inverse), load_part(gain_rest));
                store_part(x_rest, rest);
            }
        }

        #[target_feature(enable = $features)]
        fn turn(head: &mut [f32], cos: &[f32], sin: &[f32]) {
            let (a, b) = head[..2 * cos.len()].split_at_mut(cos.len());
            let ((a, a_rest), (b, b_rest)) = (a.as_chunks_mut(), b.as_chunks_mut());
            let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks(), sin.as_chunks());
            for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                let [new_a, new_b] = pair(load(a), load(b), load(cos), load(sin));
                store(a, new_a);
                store(b, new_b);
            }
            if !a_rest.is_empty() {
                let [new_a, new_b] =
                    pair(load_part(a_rest), load_part(b_rest), load_part(cos_rest), load_part(sin_rest));
                store_part(a_rest, new_a);
                store_part(b_rest, new_b);
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn pair(a: Lanes, b: Lanes, cos: Lanes, sin: Lanes) -> [Lanes; 2] {
            [multiply_subtract(a, cos, times(b, sin)), multiply_add(b, cos, times(a, sin))]
        }
    };
}
on_vectors!(body);
