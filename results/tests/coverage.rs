//! How often the 95 % interval of the median covers it, in kinds of noise that shared machines make: fixed seeds, counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use spark_results::stats::{self, Random};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    /// Independent, 2 %.
    Independent,
    /// Each sample takes 0.9 of the deviation of the one before.
    Follows,
    /// Now and then something else runs for up to eight samples.
    Bursts,
    /// 4 % slower at the end than at the start, beside independent noise.
    Drift,
    /// A third of the time the machine is 40 % slower, for some 20 samples.
    TwoStates,
}

const ALL: [Noise; 5] = [Noise::Independent, Noise::Follows, Noise::Bursts, Noise::Drift, Noise::TwoStates];

/// A machine that is sampled.
struct Machine {
    noise: Noise,
    random: Random,
    follows: f64,
    burst: usize,
    slow: bool,
    taken: usize,
    /// Samples over which the drift goes its way.
    window: usize,
}

impl Machine {
    fn new(noise: Noise, seed: u64, window: usize) -> Self {
        let mut random = Random::new(seed);
        let slow = random.below(3) == 0;
        let mut new = Self { noise, random, follows: 0.0, burst: 0, slow, taken: 0, window };
        // A start from the middle of its life, not from a quiet beginning.
        for _ in 0..60 {
            let _ = new.sample();
        }
        new.taken = 0;
        new
    }
    /// Twelve uniforms: close enough to a normal, deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.random.unit()).sum::<f64>() - 6.0
    }
    fn sample(&mut self) -> f64 {
        let mut log = 0.02 * self.normal();
        match self.noise {
            Noise::Independent => {}
            Noise::Follows => {
                self.follows = 0.9 * self.follows + (1.0_f64 - 0.81).sqrt() * self.normal();
                log = 0.02 * self.follows;
            }
            Noise::Bursts => {
                if self.burst == 0 && self.random.below(50) == 0 {
                    self.burst = 1 + self.random.below(8);
                }
                if self.burst > 0 {
                    self.burst -= 1;
                    log += 0.3 + 0.3 * self.random.unit();
                }
            }
            Noise::Drift => log = 0.5 * log + 0.04 * (self.taken as f64 / self.window as f64 - 0.5),
            Noise::TwoStates => {
                let leave = if self.slow { 20 } else { 40 };
                self.slow ^= self.random.below(leave) == 0;
                log += if self.slow { 0.34 } else { 0.0 };
            }
        }
        self.taken += 1;
        1e6 * log.exp()
    }
}

/// The median that the machine has in the long run; of a drift, the middle of its way.
fn truth(noise: Noise) -> f64 {
    if noise == Noise::Drift {
        return 1e6;
    }
    let mut machine = Machine::new(noise, 99, 1);
    stats::median(&(0..400_000).map(|_| machine.sample()).collect::<Vec<_>>())
}

/// Of `trials`: how often the interval covered, how often it was said to be none or the samples to drift, and how often either.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    covered: usize,
    told: usize,
    either: usize,
    /// Samples taken, over all.
    samples: usize,
}

fn count(noise: Noise, trials: u64, mut sampled: impl FnMut(u64) -> Vec<f64>) -> Count {
    let truth = truth(noise);
    let mut count = Count::default();
    for trial in 0..trials {
        let values = sampled(trial);
        let estimate = stats::estimate(&values).unwrap();
        let [low, high] = estimate.ci95.unwrap();
        let covered = (low..=high).contains(&truth);
        let told = !estimate.covers() || stats::drift(&values).is_some_and(|d| d.matters());
        count.covered += usize::from(covered);
        count.told += usize::from(told);
        count.either += usize::from(covered || told);
        count.samples += values.len();
    }
    count
}

fn of_length(noise: Noise, n: usize, trials: u64) -> Count {
    count(noise, trials, |trial| {
        let mut machine = Machine::new(noise, 1000 * trial + 17, n);
        (0..n).map(|_| machine.sample()).collect()
    })
}

/// The whole rule: at least 10 samples, at most 400, until the interval is within ± `share`.
fn stopped(noise: Noise, share: f64, trials: u64) -> Count {
    count(noise, trials, |trial| {
        let mut machine = Machine::new(noise, 1000 * trial + 29, 400);
        let (mut values, mut look) = (Vec::new(), 10);
        while values.len() < 400 {
            values.push(machine.sample());
            if values.len() == look {
                if stats::narrow(&values, share) {
                    break;
                }
                look = stats::next_look(look);
            }
        }
        values
    })
}

const TRIALS: u64 = 500;

#[test]
fn the_interval_covers_or_says_that_it_cannot() {
    for noise in ALL {
        for n in [15, 40, 200] {
            let c = of_length(noise, n, TRIALS);
            println!("{noise:?} n={n} {c:?}");
        }
        for share in [0.003, 0.01, 0.03] {
            let c = stopped(noise, share, TRIALS);
            println!("{noise:?} share={share} {c:?}");
        }
    }
}
