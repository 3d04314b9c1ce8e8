//! The whole gate against simulated machines: how often it cries wolf and how often it sees a wolf, in six kinds of noise.

use spark_gate::Verdict;
use spark_gate::paired::{Block, CONFIRMATION, Order, Rules, Side, confirmed, standing, verdicts};
use spark_results::stats::Random;

/// Quads a block, executions of one millisecond: as few as what takes long gets, and as many as a kernel gets.
const QUADS: [usize; 2] = [3, 12];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    /// Independent, 2 %.
    Independent,
    /// A slow drift and an autocorrelated part.
    Drift,
    /// Now and then something else runs for some executions.
    Bursts,
    /// The second of two is slower by 2.5 %, beside bursts.
    Position,
    /// The machine is 40 % slower for long stretches.
    Hidden,
    /// Two processes differ by some 3 % for as long as they live.
    Placement,
}

const ALL: [Noise; 6] =
    [Noise::Independent, Noise::Drift, Noise::Bursts, Noise::Position, Noise::Hidden, Noise::Placement];

/// A machine that runs executions of either side.
struct Machine {
    noise: Noise,
    quads: usize,
    random: Random,
    drift: f64,
    correlated: f64,
    burst: usize,
    slow: bool,
    last: Option<Side>,
    /// By how much the candidate's process is slower than the baseline's, whatever they run.
    placed: f64,
}

impl Machine {
    fn new(noise: Noise, quads: usize, seed: u64) -> Self {
        Self {
            noise,
            quads,
            random: Random::new(seed),
            drift: 0.0,
            correlated: 0.0,
            burst: 0,
            slow: false,
            last: None,
            placed: 0.0,
        }
    }
    /// Twelve uniforms: close enough to a normal, deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.random.unit()).sum::<f64>() - 6.0
    }
    /// Starts both builds anew.
    fn start(&mut self) {
        if self.noise == Noise::Placement {
            self.placed = 0.03 * self.normal();
        }
    }
    fn run(&mut self, side: Side, slowdown: f64) -> f64 {
        let mut log = 0.02 * self.normal();
        if self.noise != Noise::Independent {
            self.drift += 0.0005 * (self.random.unit() - 0.45);
            self.correlated = 0.9 * self.correlated + 0.01 * self.normal();
            log += self.drift + self.correlated;
        }
        if matches!(self.noise, Noise::Bursts | Noise::Position) {
            if self.burst == 0 && self.random.below(50) == 0 {
                self.burst = 1 + self.random.below(8);
            }
            if self.burst > 0 {
                self.burst -= 1;
                log += 0.3 + 0.3 * self.random.unit();
            }
        }
        if self.noise == Noise::Position && self.last.is_some_and(|last| last != side) {
            log += 0.025;
        }
        if self.noise == Noise::Hidden {
            self.slow ^= self.random.below(60) == 0;
            log += if self.slow { 0.34 } else { 0.0 };
        }
        self.last = Some(side);
        let side = if side == Side::Candidate { slowdown.ln_1p() + self.placed } else { 0.0 };
        1e6 * (log + side).exp()
    }
    fn block(&mut self, order: &mut Order, slowdown: f64) -> f64 {
        let mut block = Block::default();
        for _ in 0..self.quads {
            for side in order.quad() {
                let ns = self.run(side, slowdown);
                block.push(side, ns);
            }
        }
        block.log_ratio()
    }
}

/// `count` blocks more on `machine`, whose processes live for `life` of them.
fn measure(machine: &mut Machine, order: &mut Order, slowdown: f64, life: usize, d: &mut Vec<f64>, count: usize) {
    while d.len() < count {
        if d.len().is_multiple_of(life) {
            machine.start();
        }
        d.push(machine.block(order, slowdown));
    }
}

/// One gate over one benchmark, confirmation included; the real one's processes live for one block.
fn gate(noise: Noise, quads: usize, slowdown: f64, life: usize, seed: u64) -> Verdict {
    let rules = Rules { floor: 0.02, alpha: 0.01, benchmarks: 1, seed };
    let (mut machine, mut order) = (Machine::new(noise, quads, seed), Order::new(seed ^ 0xabc));
    let mut d = Vec::new();
    let verdict = loop {
        let standing = standing(&d, &rules);
        match standing.next {
            Some(blocks) => measure(&mut machine, &mut order, slowdown, life, &mut d, blocks),
            None => break verdicts(&[standing], &rules).remove(0),
        }
    };
    if verdict != Verdict::Regression {
        return verdict;
    }
    let (mut machine, mut order) = (Machine::new(noise, quads, !seed), Order::new(seed ^ 0xdef));
    let mut fresh = Vec::new();
    measure(&mut machine, &mut order, slowdown, life, &mut fresh, CONFIRMATION);
    if confirmed(&fresh, &verdict, &rules) { verdict } else { Verdict::Inconclusive("not confirmed".to_owned()) }
}

fn count(noise: Noise, quads: usize, slowdown: f64, trials: u64, wanted: &Verdict) -> u64 {
    (0..trials).filter(|trial| gate(noise, quads, slowdown, 1, 1000 * trial + 17) == *wanted).count() as u64
}

fn cases() -> impl Iterator<Item = (Noise, usize)> {
    ALL.into_iter().flat_map(|noise| QUADS.map(|quads| (noise, quads)))
}

#[test]
fn equal_builds_raise_no_alarm_in_any_noise() {
    for (noise, quads) in cases() {
        let alarms = count(noise, quads, 0.0, 400, &Verdict::Regression);
        assert!(alarms <= 8, "{noise:?}, {quads} quads: {alarms} of 400, more than 2 %");
    }
}

#[test]
fn a_slowdown_of_five_percent_is_found_in_any_noise() {
    for (noise, quads) in cases() {
        let found = count(noise, quads, 0.05, 200, &Verdict::Regression);
        assert!(found >= 180, "{noise:?}, {quads} quads: {found} of 200, less than 90 %");
    }
}

#[test]
fn a_slowdown_of_exactly_the_floor_seldom_passes() {
    for quads in QUADS {
        let passed = count(Noise::Bursts, quads, 0.02, 200, &Verdict::Pass);
        assert!(passed <= 20, "{quads} quads: {passed} of 200: 5 % and some chance");
    }
}

#[test]
fn blocks_that_share_their_processes_would_cry_wolf() {
    let alarm = |life| {
        (0..200).filter(|seed| gate(Noise::Placement, QUADS[0], 0.0, life, *seed) == Verdict::Regression).count()
    };
    let (shared, own) = (alarm(10), alarm(1));
    assert!(shared > 4 && own == 0, "{shared} and {own} of 200");
}
