//! Bent logits sixteen at a time, for every instruction set.
#![expect(unsafe_code, reason = "a kernel is declared for the instructions it is compiled with")]

use super::{Args, Softcap};
use crate::cpu::f32x16::on_vectors;
use crate::cpu::variant::Variant;

macro_rules! body {
    ($isa:ident, $features:literal) => {
        // SAFETY: `bend` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(crate) static KERNEL: Variant<Softcap> = unsafe { Variant::<Softcap>::new(NAME, FEATURES, bend) };

        #[target_feature(enable = $features)]
        fn bend(args: &mut Args<'_>) {
            let cap = args.cap;
            let (x, rest) = args.x.as_chunks_mut();
            for x in x {
                let y = bent(load(x), cap);
                store(x, y);
            }
            if !rest.is_empty() {
                let y = bent(load_part(rest), cap);
                store_part(rest, y);
            }
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn bent(x: Lanes, cap: f32) -> Lanes {
            let t = exp(times(x, splat(-2.0 / cap)));
            let tanh = minus(divide(splat(2.0), plus(splat(1.0), t)), splat(1.0));
            times(splat(cap), tanh)
        }
    };
}
on_vectors!(body);
