//! How often the 95 % interval of the median covers it, in kinds of noise that shared machines make: fixed seeds, counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use spark_results::stats::{self, Estimate, Random, Sampling};

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
    /// A third of the time the machine is 40 % slower, for some three samples. A state that outlasts the window cannot be seen from
    /// within it, by anybody.
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
                let leave = if self.slow { 3 } else { 6 };
                self.slow ^= self.random.below(leave) == 0;
                log += if self.slow { 0.34 } else { 0.0 };
            }
        }
        self.taken += 1;
        1e6 * log.exp()
    }
}

/// The median that the machine has in the long run.
fn truth(noise: Noise) -> f64 {
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

type Rule = fn(&[f64]) -> Option<Estimate>;

fn count(noise: Noise, window: usize, rule: Rule, mut sampled: impl FnMut(u64) -> Vec<f64>) -> Count {
    let truth = truth(noise);
    let mut count = Count::default();
    for trial in 0..TRIALS {
        let values = sampled(trial);
        let [low, high] = rule(&values).unwrap().ci95.unwrap();
        // Of a drift, the middle of the way that was sampled.
        let middle = 1e6 * (0.04 * (0.5 * values.len() as f64 / window as f64 - 0.5)).exp();
        let covered = (low..=high).contains(if noise == Noise::Drift { &middle } else { &truth });
        let sampling = Sampling::of(&values);
        let told = sampling.doubtful(values.len()) || sampling.drift.is_some_and(|d| d.matters());
        count.covered += usize::from(covered);
        count.told += usize::from(told);
        count.either += usize::from(covered || told);
        count.samples += values.len();
    }
    count
}

fn of_length(noise: Noise, n: usize, rule: Rule) -> Count {
    count(noise, n, rule, |trial| {
        let mut machine = Machine::new(noise, 1000 * trial + 17, n);
        (0..n).map(|_| machine.sample()).collect()
    })
}

/// The whole rule: at least 10 samples, at most 400, until the interval is within ± `share`.
fn stopped(noise: Noise, share: f64) -> Count {
    count(noise, 400, stats::estimate, |trial| {
        let mut machine = Machine::new(noise, 1000 * trial + 29, 400);
        let (mut values, mut stopping) = (Vec::new(), stats::Stopping::new(10, share));
        while values.len() < 400 && !stopping.enough(&values) {
            values.push(machine.sample());
        }
        values
    })
}

const TRIALS: u64 = 500;
/// Nine of ten.
const WANTED: usize = 450;

#[test]
fn the_interval_covers_or_says_that_it_may_not() {
    for noise in ALL {
        for n in [15, 40, 200] {
            let c = of_length(noise, n, stats::estimate);
            assert!(c.either >= WANTED, "{noise:?}, {n} samples: {c:?}");
            // Where there is enough to see, it covers by itself.
            assert!(n < 200 || c.covered >= WANTED, "{noise:?}, {n} samples: {c:?}");
        }
    }
}

#[test]
fn it_is_not_bought_by_warning_of_everything() {
    for (n, most) in [(15, 100), (40, 10), (200, 5)] {
        let c = of_length(Noise::Independent, n, stats::estimate);
        assert!(c.told <= most && c.covered >= 465, "{n} samples: {c:?}");
    }
    let c = of_length(Noise::Bursts, 200, stats::estimate);
    assert!(c.told <= 10, "bursts are outliers, no reason to give up the interval: {c:?}");
}

#[test]
fn stopping_at_a_narrow_interval_does_not_spoil_it() {
    for noise in ALL {
        for share in [0.003, 0.01, 0.03] {
            let c = stopped(noise, share);
            assert!(c.either >= WANTED, "{noise:?}, until ± {share}: {c:?}");
        }
    }
    // It is worth stopping: a tenth of the samples where they tell enough.
    assert!(stopped(Noise::Independent, 0.03).samples < 40 * TRIALS as usize);
}

#[test]
fn a_bootstrap_of_samples_taken_for_independent_covers_half_the_time_where_they_are_not() {
    let c = of_length(Noise::Follows, 200, stats::bootstrap::estimate);
    assert!(c.covered < 300, "{c:?}");
}
