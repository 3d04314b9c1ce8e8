//! Sixteen f32 at a time, under the same names for every instruction set, so that a kernel is written once for all of them.
//!
//! AVX-512 holds them in one register, AVX2 in two, NEON in four: narrower vectors get the more chains that they need anyway.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
mod exponential;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;

/// Elements of a vector.
pub(crate) const LANES: usize = 16;

/// Writes what `$body` makes once for each instruction set, in a module of its name: `$body!(name, "features")` finds the
/// operations of that set in scope, with its NAME and FEATURES. The file that uses it lists the kernels under their `cfg`.
macro_rules! on_vectors {
    ($body:ident) => {
        #[cfg(target_arch = "x86_64")]
        pub(crate) mod avx512 {
            use super::*;
            use crate::cpu::f32x16::avx512::*;
            $body!(avx512, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c");
        }
        #[cfg(target_arch = "x86_64")]
        pub(crate) mod avx2 {
            use super::*;
            use crate::cpu::f32x16::avx2::*;
            $body!(avx2, "avx2,fma,f16c");
        }
        #[cfg(target_arch = "aarch64")]
        pub(crate) mod neon {
            use super::*;
            use crate::cpu::f32x16::neon::*;
            $body!(neon, "neon");
        }
    };
}
pub(crate) use on_vectors;

#[cfg(test)]
mod tests {
    #![expect(unsafe_code, reason = "functions compiled for optional instructions are called where those were found")]

    use super::LANES;
    use crate::cpu::isa;
    use crate::math::exp_f32;

    macro_rules! body {
        ($isa:ident, $features:literal) => {
            #[target_feature(enable = $features)]
            fn exps(x: &[f32; LANES]) -> [f32; LANES] {
                let mut y = [0.0; LANES];
                store(&mut y, exp(load(x)));
                y
            }

            #[test]
            fn the_exponential_has_the_scalar_bits_in_every_lane() {
                if isa::require(FEATURES).is_err() {
                    return;
                }
                let odd = [
                    0.0,
                    -0.0,
                    f32::NAN,
                    f32::INFINITY,
                    f32::NEG_INFINITY,
                    88.72,
                    88.73,
                    88.74,
                    -87.4,
                    -103.97,
                    -104.0,
                ];
                let values: Vec<f32> = (0..100_000).map(|i| -110.0 + 0.002 * i as f32).chain(odd).collect();
                for x in values.as_chunks().0.iter().chain(values.last_chunk()) {
                    // SAFETY: the features were just found.
                    for (x, y) in x.iter().zip(unsafe { exps(x) }) {
                        assert_eq!(y.to_bits(), exp_f32(*x).to_bits(), "exp({x})");
                    }
                }
            }

            #[target_feature(enable = $features)]
            fn copy(x: &[f32], y: &mut [f32]) {
                store_part(y, load_part(x));
            }

            #[test]
            fn parts_read_and_write_nothing_beyond_their_end() {
                if isa::require(FEATURES).is_err() {
                    return;
                }
                for len in 0..=LANES {
                    let x: Vec<f32> = (1..=len).map(|i| i as f32).collect();
                    let mut y = vec![0.0; len];
                    // SAFETY: the features were just found.
                    unsafe { copy(&x, &mut y) };
                    assert_eq!(x, y);
                }
            }

            /// larger, smaller and truncated of each lane; first_equal; sum and largest of `b`.
            #[target_feature(enable = $features)]
            fn others(a: &[f32; LANES], b: &[f32; LANES]) -> ([[f32; LANES]; 2], [u32; LANES], [u32; 3], [f32; 2]) {
                let (mut floats, mut whole) = ([[0.0; LANES]; 2], [0; LANES]);
                let (x, y) = (load(a), load(b));
                for (to, value) in floats.iter_mut().zip([larger(x, y), smaller(x, y)]) {
                    store(to, value);
                }
                truncate(&mut whole, x);
                let places = [first_equal(x, splat(b[3])), first_equal(x, splat(a[11])), first_equal(x, x)];
                (floats, whole, places, [sum(y), largest(y)])
            }

            #[test]
            fn operations_are_those_of_the_scalar_code_also_where_there_is_no_order() {
                if isa::require(FEATURES).is_err() {
                    return;
                }
                let mut a: [f32; LANES] =
                    std::array::from_fn(|i| (i as f32 * 1.7) * if i % 3 == 0 { -1.0 } else { 1.0 });
                let b: [f32; LANES] = std::array::from_fn(|i| 11.5 - i as f32);
                (a[0], a[5], a[8]) = (f32::NAN, 1.5e9, -0.0);
                // SAFETY: the features were just found.
                let ([more, less], whole, places, total) = unsafe { others(&a, &b) };
                for i in 0..LANES {
                    assert_eq!(more[i], if a[i] > b[i] { a[i] } else { b[i] });
                    assert_eq!(less[i], if a[i] < b[i] { a[i] } else { b[i] });
                    assert!(a[i] < 0.0 || whole[i] == a[i] as u32, "{} is not {}", whole[i], a[i]);
                }
                assert_eq!((places, total), ([LANES as u32, 11, 1], [b.iter().sum(), b[0]]));
            }
        };
    }
    super::on_vectors!(body);
}
