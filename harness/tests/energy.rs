//! A thousand windows of machines whose power is known at every moment, read by sensors as bad as real ones: the true joules lie
//! within what is printed in at least nineteen of twenty.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use spark_bench::energy;
use spark_results::conditions::{Energy, EnergyReading, Method};
use spark_results::telemetry::{Channel, Header, Reading, Sample};

/// A generator that anybody can run again (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[(self.next() * list.len() as f64) as usize]
    }
}

const STEP_S: f64 = 1e-3;
const LENGTH_S: f64 = 18.0;

/// A machine's power each millisecond, and the joules up to each.
struct Machine {
    watts: Vec<f64>,
    joules: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Curve {
    Steady,
    Steps,
    Ramp,
    Bursts,
}

impl Machine {
    /// Idle, then load in each of `loads`, of a kind of curve; with the flicker that every real power has.
    fn new(curve: Curve, loads: &[(f64, f64)], random: &mut Random) -> Self {
        let idle = random.within(5.0, 40.0);
        let load = idle + random.within(10.0, 150.0);
        let (low, slope) = (random.within(0.3, 0.9), random.within(-0.08, 0.08));
        let (period, share) = (random.within(0.03, 1.2), random.within(0.2, 0.8));
        let steps: Vec<(f64, f64)> = (0..8).map(|_| (random.within(0.0, 8.0), random.within(0.5, 1.0))).collect();
        let flicker: Vec<(f64, f64)> = (0..4).map(|_| (random.within(3.0, 60.0), random.within(0.0, 6.3))).collect();
        let at = |t: f64| {
            let Some((from, _)) = loads.iter().find(|(a, b)| (*a..*b).contains(&t)) else { return idle };
            // Work that is repeated begins anew each time.
            let t = t - from;
            load * match curve {
                Curve::Steady => 1.0,
                Curve::Steps => {
                    let done = steps.iter().filter(|(s, _)| *s <= t).max_by(|a, b| a.0.total_cmp(&b.0));
                    done.map_or(0.8, |(_, w)| *w)
                }
                Curve::Ramp => (1.0 + slope * t).max(0.4),
                Curve::Bursts => {
                    if (t / period).fract() < share {
                        1.0
                    } else {
                        low
                    }
                }
            }
        };
        let watts: Vec<f64> = (0..(LENGTH_S / STEP_S) as usize)
            .map(|i| {
                let t = i as f64 * STEP_S;
                at(t) * (1.0 + flicker.iter().map(|(f, p)| 0.003 * (f * t + p).sin()).sum::<f64>())
            })
            .collect();
        let mut sum = 0.0;
        let joules = std::iter::once(0.0)
            .chain(watts.iter().map(|w| {
                sum += w * STEP_S;
                sum
            }))
            .collect();
        Self { watts, joules }
    }
    fn watts(&self, t: f64) -> f64 {
        self.watts[((t / STEP_S) as usize).min(self.watts.len() - 1)]
    }
    fn joules(&self, t: f64) -> f64 {
        let at = (t / STEP_S).clamp(0.0, (self.joules.len() - 1) as f64);
        let i = (at as usize).min(self.joules.len() - 2);
        self.joules[i] + (at - i as f64) * (self.joules[i + 1] - self.joules[i])
    }
    fn mean(&self, from: f64, to: f64) -> f64 {
        (self.joules(to) - self.joules(from.max(0.0))) / (to - from.max(0.0))
    }
}

/// A kind of sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A counter that is added to each millisecond and says so.
    Rapl,
    /// A counter alone, added to at any period.
    Counter,
    /// Power of the moment, updated at any period.
    Instant,
    /// Power as the mean of the last second.
    Mean,
    /// A counter and the power of the moment.
    Both,
    /// A counter and a power that see a quarter of the time.
    Sleeping,
    /// A meter at the wall: once a second, in tenths of a watt.
    Wall,
}

/// What the sensor says at `t` of power and energy.
fn said(kind: Kind, machine: &Machine, t: f64, update: f64, phase: f64) -> (Option<f64>, Option<f64>) {
    let updated = |period: f64| ((t - phase) / period).floor() * period + phase;
    let milli = |v: f64| (v * 1e3).floor() / 1e3;
    match kind {
        Kind::Rapl => (None, Some((machine.joules(updated(1e-3)) * 1e6 / 61.0).floor() * 61.0 / 1e6)),
        Kind::Counter => (None, Some(milli(machine.joules(updated(update).max(0.0))))),
        Kind::Instant => (Some(milli(machine.watts(updated(update).max(0.0)))), None),
        Kind::Mean => {
            let now = updated(0.1).max(0.01);
            (Some(milli(machine.mean(now - 1.0, now))), None)
        }
        Kind::Both => {
            let now = updated(update).max(0.0);
            (Some(milli(machine.watts(now))), Some(milli(machine.joules(now))))
        }
        Kind::Sleeping => {
            // Each tenth of a second one look of 25 ms, which is held, and which the counter adds.
            let (period, look) = (0.1, 0.025);
            let looks = ((t - phase) / period).floor().max(0.0) as usize;
            let seen = |i: usize| machine.mean(phase + i as f64 * period, phase + i as f64 * period + look);
            let counted: f64 = (0..looks).map(|i| seen(i) * period).sum();
            (Some(milli(seen(looks.saturating_sub(1)))), Some(milli(counted)))
        }
        Kind::Wall => {
            let now = updated(1.0).max(0.01);
            (Some((machine.mean(now - 1.0, now) * 10.0).round() / 10.0), None)
        }
    }
}

fn header(kind: Kind, scope: &str) -> Header {
    let channel = |quantity: &str| Channel {
        averages_ms: matches!(kind, Kind::Mean | Kind::Wall).then_some(1000.0),
        updates_ms: (kind == Kind::Rapl).then_some(1.0),
        duty: (kind == Kind::Sleeping).then_some(0.25),
        ..Channel::ok("sim", quantity, scope, quantity, "", Some(50))
    };
    Header { sensors: vec![channel("power"), channel("energy")], ..Header::default() }
}

/// Readings every 50 ms, some of them late; and some that waited for a processor, before they looked or after: of them it is known when
/// they were asked and when they answered.
fn samples(kind: Kind, scope: &str, machine: &Machine, random: &mut Random) -> Vec<Sample> {
    let (update, mut t) = (random.one_of(&[0.01, 0.02, 0.05, 0.1, 0.1, 0.13]), random.within(0.0, 0.05));
    let phase = random.within(0.0, 1.0);
    let mut samples = Vec::new();
    while t < LENGTH_S - 0.1 {
        let took = if random.next() < 0.05 { random.within(0.0, 0.25) } else { random.within(0.0, 0.002) };
        let (power, energy) = said(kind, machine, t + random.within(0.0, took), update, phase);
        let reading = |quantity: &str, value| Reading {
            quantity: quantity.into(),
            scope: scope.into(),
            source: quantity.into(),
            value,
            unit: String::new(),
        };
        let readings = power.map(|w| reading("power", w)).into_iter().chain(energy.map(|j| reading("energy", j)));
        samples.push(Sample { t_ns: ns(t + took / 2.0), slack_ns: ns(took / 2.0), readings: readings.collect() });
        t +=
            took + 0.048 + random.within(0.0, 0.004) + if random.next() < 0.02 { random.within(0.0, 0.2) } else { 0.0 };
    }
    samples
}

fn ns(t: f64) -> u64 {
    (t * 1e9) as u64
}

/// One window of one machine: its true joules, and what was printed, if anything was.
fn window(kind: Kind, curve: Curve, random: &mut Random) -> (f64, Option<EnergyReading>) {
    let warm = random.within(0.05, 0.6);
    let begin = random.within(2.5, 4.0);
    let (windows, loads): (Vec<[f64; 2]>, Vec<(f64, f64)>) = if kind == Kind::Sleeping {
        let (mut at, mut windows) = (begin, Vec::new());
        for _ in 0..9 {
            windows.push([at, at + 0.9]);
            at += 0.9 + random.within(0.0, 0.1);
        }
        let loads = windows.iter().enumerate().map(|(i, [a, b])| (if i == 0 { a - warm } else { *a }, *b)).collect();
        (windows, loads)
    } else {
        // What answers once a second is asked for longer.
        let length = match kind {
            Kind::Wall => random.within(8.0, 12.0),
            Kind::Mean => random.within(4.0, 8.0),
            _ => random.within(2.0, 6.0),
        };
        // Some work goes on behind the window, some ends with it.
        let after = if random.next() < 0.5 { random.within(0.0, 1.0) } else { 0.0 };
        (vec![[begin, begin + length]], vec![(begin - warm, begin + length + after)])
    };
    let machine = Machine::new(curve, &loads, random);
    let scope = if kind == Kind::Wall { "wall" } else { "cpu" };
    let samples = samples(kind, scope, &machine, random);
    let truth = windows.iter().map(|[a, b]| machine.joules(*b) - machine.joules(*a)).sum();
    let windows: Vec<[u64; 2]> = windows.iter().map(|w| w.map(ns)).collect();
    match energy::over_windows(&header(kind, scope), &samples, "cpu", &windows) {
        Energy::Measured { mut readings, .. } => (truth, readings.pop()),
        Energy::Unavailable { reason } => {
            assert!(reason.contains("too short"), "{kind:?} {curve:?}: {reason}");
            (truth, None)
        }
    }
}

#[test]
fn the_true_joules_lie_within_what_is_printed() {
    let kinds = [Kind::Rapl, Kind::Counter, Kind::Instant, Kind::Mean, Kind::Both, Kind::Sleeping, Kind::Wall];
    let curves = [Curve::Steady, Curve::Steps, Curve::Ramp, Curve::Bursts];
    let mut table = String::new();
    let (mut printed, mut within, mut refused) = (0u32, 0u32, 0u32);
    let mut random = Random(20_261_121);
    for kind in kinds {
        for curve in curves {
            let (mut here, mut good, mut wide) = (0u32, 0u32, Vec::new());
            let (mut errors, mut not) = (Vec::new(), 0);
            while here < 36 && not < 200 {
                match window(kind, curve, &mut random) {
                    (truth, Some(r)) => {
                        let error = (r.joules - truth).abs() / r.joules;
                        here += 1;
                        good += u32::from(error <= r.plus_minus);
                        wide.push(r.plus_minus);
                        errors.push(error);
                        let method =
                            if matches!(kind, Kind::Rapl | Kind::Counter) { Method::Counter } else { Method::Integral };
                        assert!(
                            r.method == Some(method) || matches!(kind, Kind::Both | Kind::Sleeping),
                            "{kind:?}: {r:?}"
                        );
                    }
                    (_, None) => not += 1,
                }
            }
            let median = spark_results::stats::median;
            table += &format!(
                "{kind:?} {curve:?}: {good} of {here} within, {not} refused, median ± {:.2} %, median error {:.2} %\n",
                100.0 * median(&wide),
                100.0 * median(&errors)
            );
            (printed, within, refused) = (printed + here, within + good, refused + not);
        }
    }
    assert!(printed >= 1000, "{printed} windows were printed and {refused} refused\n{table}");
    let share = f64::from(within) / f64::from(printed);
    assert!(share >= 0.95, "{within} of {printed} within\n{table}");
    // What is always within because it is always wide would say nothing.
    assert!(refused < printed / 2, "{refused} refused\n{table}");
    if std::env::var_os("SPARK_BENCH_TABLE").is_some() {
        panic!("{within} of {printed} within, {refused} refused\n{table}");
    }
}
