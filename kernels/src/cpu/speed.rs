//! How fast the workers of a machine with several kinds of core are, measured once, so that shares can be cut to it.
//!
//! The measure is arithmetic: multiply-adds in registers, on all workers at once. What is bound by memory instead would be
//! cut more evenly, but loses less by this cut than arithmetic does by that one: fast cores alone come near the memory's roof.
#![expect(unsafe_code, reason = "kernels are declared for the instructions they are compiled with")]

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::cpu::f32x16::on_vectors;
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::Pool;
use crate::cpu::variant::portable;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Weight of the fastest kind. Coarse enough that two measurements of one machine mostly cut alike: a step is 3 % of a share.
const FASTEST: f64 = 32.0;
/// Long enough for a clock to come up.
const WARM_UP: Duration = Duration::from_millis(2);
/// How long is measured, in pieces of which the best counts: the others were disturbed.
const MEASURED: Duration = Duration::from_millis(3);
/// Rounds of a piece, 20 to 200 µs.
const ROUNDS: usize = 1 << 14;

/// Rounds of multiply-adds, as many to go.
struct Burn(usize);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! body {
    ($isa:ident, $features:literal) => {
        // SAFETY: `burn` asks of its caller only the features of its attribute, which FEATURES contains.
        pub(super) const KERNEL: Kernel<Burn> = unsafe { Kernel::new(FEATURES, burn) };

        #[target_feature(enable = $features)]
        fn burn(rounds: &mut Burn) {
            let (a, b) = (splat(black_box(1.0)), splat(black_box(1e-9)));
            // 24 registers of NEON: latency × pipes of the widest core, 4 × 6.
            let mut sums = [a; 6];
            for _ in 0..rounds.0 {
                for sum in &mut sums {
                    *sum = multiply_add(a, b, *sum);
                }
            }
            for x in sums {
                black_box(sum(x));
            }
        }
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
on_vectors!(body);

/// The same for other architectures.
fn scalar(rounds: &mut Burn) {
    let (a, b, mut sums) = (black_box(1.0_f32), black_box(1e-9_f32), [1.0_f32; 16]);
    for _ in 0..rounds.0 {
        for sum in &mut sums {
            *sum += a * b;
        }
    }
    black_box(sums);
}

/// Kernels by preference; all workers run the same one.
const KERNELS: &[Kernel<Burn>] = &[
    #[cfg(target_arch = "x86_64")]
    avx512::KERNEL,
    #[cfg(target_arch = "x86_64")]
    avx2::KERNEL,
    #[cfg(target_arch = "aarch64")]
    neon::KERNEL,
    portable(scalar),
];

/// Rounds a second of each of `pool`'s workers, all at once; 0 for one that could not be asked.
pub(super) fn measure(pool: &Pool) -> Vec<f64> {
    let slots: Vec<_> = (0..pool.threads()).map(|_| Mutex::new(0.0)).collect();
    let Some(kernel) = KERNELS.iter().find_map(|kernel| kernel.here().ok()) else { return vec![0.0; slots.len()] };
    pool.run(&|worker| {
        let piece = || {
            let start = Instant::now();
            kernel.call(&mut Burn(ROUNDS));
            start.elapsed().as_secs_f64()
        };
        let start = Instant::now();
        while start.elapsed() < WARM_UP {
            piece();
        }
        worker.wait();
        let start = Instant::now();
        let mut best = piece();
        while start.elapsed() < MEASURED {
            best = best.min(piece());
        }
        if let Ok(mut slot) = slots[worker.index].lock() {
            *slot = ROUNDS as f64 / best;
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().unwrap_or(0.0)).collect()
}

/// Weights of workers, each on a core of one of `kinds` and with one of `speeds`: the median of its kind, so that equal cores get
/// equal shares; the fastest 32, none below 1.
pub(super) fn weights(kinds: &[u64], speeds: &[f64]) -> Vec<u32> {
    let median = |kind: &u64| {
        let mut of_kind: Vec<f64> = kinds.iter().zip(speeds).filter(|(k, _)| *k == kind).map(|(_, s)| *s).collect();
        of_kind.sort_by(f64::total_cmp);
        of_kind[of_kind.len() / 2]
    };
    let medians: Vec<f64> = kinds.iter().map(median).collect();
    let fastest = medians.iter().copied().fold(0.0, f64::max);
    // Of speeds that were not measured nothing is known but that the cores take part.
    medians
        .iter()
        .map(|speed| if fastest > 0.0 { (FASTEST * speed / fastest).round().max(1.0) as u32 } else { 1 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::pool::allowed_cpus;

    #[test]
    fn cores_of_a_kind_weigh_the_same_and_kinds_by_their_speed() {
        assert_eq!(weights(&[7, 9, 7, 9, 7], &[4.0, 1.1, 3.9, 0.9, 0.1]), [32, 9, 32, 9, 32]);
        assert_eq!(weights(&[1, 2], &[1.0, 1e-6]), [32, 1]);
        assert_eq!(weights(&[1, 2], &[0.0, 0.0]), [1, 1]);
    }

    #[test]
    fn every_worker_is_measured() {
        let cpus = allowed_cpus();
        let pool = Pool::new(&[cpus[0], cpus[cpus.len() - 1]]);
        assert!(measure(&pool).iter().all(|speed| *speed > 0.0));
    }
}
