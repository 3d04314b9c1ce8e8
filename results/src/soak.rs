//! What minutes at full load showed: how fast at first, how fast in the end, when it fell, how long a pause brings it back.

use crate::change::{self, Search};
use crate::conditions::Energy;
use crate::record::{Measurement, Phase};
use crate::stats;
use crate::telemetry::{Line, Reading};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The part before the load, in which nothing is done.
pub const REST: &str = "rest";
/// The load, in slices: `load 1`, `load 2`, …
pub const LOAD: &str = "load";
/// A pause after it, numbered alike.
pub const PAUSE: &str = "pause";
/// A short load after a pause, by which it is seen whether the pause was long enough.
pub const PROBE: &str = "probe";
/// Below this share of the best a machine counts as slower; above it, as recovered.
pub const SLOWER: f64 = 0.97;
/// A level that has lasted so long, and a third of the whole, counts as the one that stays.
const STEADY_S: f64 = 60.0;

/// What a soak showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Soak {
    /// What is counted: `token`, or `FLOP` where nothing is produced.
    pub item: String,
    /// Stretches of the load at one level each, in order.
    pub stretches: Vec<Stretch>,
    /// Items a second in the fastest stretch.
    pub burst: f64,
    /// Items a second in the last stretch.
    pub sustained: f64,
    /// The second over the first.
    pub ratio: f64,
    /// Seconds of load until the fastest stretch ended, where the last is slower by more than 3 %; null where it is not.
    pub throttled_after_s: Option<f64>,
    /// Seconds of pause, in all, after which the rate was back at 97 % of the fastest; null where nothing had to come back, and where
    /// it did not.
    pub recovered_after_s: Option<f64>,
    /// Seconds of pause that were tried in all.
    pub paused_s: f64,
    /// Items a joule in the first slice of the load, one value a scope that contains the device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<PerJoule>,
    /// The same in the last slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late: Vec<PerJoule>,
}

/// A stretch at one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stretch {
    /// When it began, in seconds since the load did.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
    /// The median of its windows, in items a second.
    pub per_s: f64,
    /// What the sensors said meanwhile, and the core clock as it was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

/// The mean of one sensor over a stretch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// What: `power`, `temperature`, `clock`, `frequency`.
    pub quantity: String,
    /// Of what.
    pub scope: String,
    /// The mean of its readings.
    pub mean: f64,
    /// Their unit.
    pub unit: String,
}

/// Items a joule in one scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerJoule {
    /// The scope; it contains the device that did the work.
    pub scope: String,
    /// Items a joule: numerically also items a second and watt.
    pub items_per_joule: f64,
    /// Its uncertainty, as a share.
    pub plus_minus: f64,
}

/// How finely a soak is searched for changes of level.
pub const SEARCH: Search = Search { shortest: 5, significance: 0.01, smallest: 1.0 - SLOWER };

/// Whether a load whose windows began `at_s` seconds after it and had these rates has found the level it stays at.
pub fn steady(at_s: &[f64], rates: &[f64]) -> bool {
    let (Some(end), Some(last)) = (at_s.last(), change::stretches(rates, &SEARCH).pop()) else { return false };
    let lasted = end - at_s.get(last.start).copied().unwrap_or(*end);
    // A level may also creep, without any step: its halves then differ.
    let (first, second) = rates[last.clone()].split_at(last.len() / 2);
    let creeps = (stats::median(second) / stats::median(first) - 1.0).abs() > (1.0 - SLOWER) / 2.0;
    lasted >= STEADY_S.max(end / 3.0) && !creeps
}

/// Rates of the fastest and of the last stretch, and where in `rates` the fastest ended. `None` of nothing.
pub fn levels(rates: &[f64]) -> Option<(f64, f64, usize)> {
    let stretches = change::stretches(rates, &SEARCH);
    let levels: Vec<f64> = stretches.iter().map(|s| stats::median(&rates[s.clone()])).collect();
    let fastest = (0..levels.len()).max_by(|a, b| levels[*a].total_cmp(&levels[*b]))?;
    Some((levels[fastest], *levels.last()?, stretches[fastest].end))
}

impl Soak {
    /// From what was stored. `None` for what is no soak: nothing says when its samples began.
    pub fn of(m: &Measurement) -> Option<Self> {
        let load_began = m.phases.iter().find(|p| p.name.starts_with(LOAD))?.began_ns;
        if m.at_ns.len() != m.samples_ns.len() || m.samples_ns.is_empty() {
            return None;
        }
        let item = if m.work.items > 0 { m.work.item.as_str() } else { "FLOP" };
        let rates: Vec<f64> = windows(m).into_iter().map(|(_, rate)| rate).collect();
        let (burst, sustained, fallen) = levels(&rates)?;
        let since = |ns: u64| ns.saturating_sub(load_began) as f64 * 1e-9;
        let ends = |at: usize| m.at_ns[at].saturating_add(m.samples_ns[at]);
        let stretches = change::stretches(&rates, &SEARCH).into_iter().map(|s| Stretch {
            from_s: since(m.at_ns[s.start]),
            to_s: since(ends(s.end - 1)),
            per_s: stats::median(&rates[s.clone()]),
            beside: beside(m, &[], m.at_ns[s.start], ends(s.end - 1)),
        });
        let slower = sustained < SLOWER * burst;
        let (recovered_after_s, paused_s) = recovery(m, burst);
        let loads: Vec<&Phase> = m.phases.iter().filter(|p| p.name.starts_with(LOAD)).collect();
        Some(Self {
            item: item.to_owned(),
            stretches: stretches.collect(),
            burst,
            sustained,
            ratio: sustained / burst,
            throttled_after_s: slower.then(|| since(ends(fallen - 1))),
            recovered_after_s: recovered_after_s.filter(|_| slower),
            paused_s,
            early: loads.first().map(|p| per_joule(p)).unwrap_or_default(),
            late: loads.last().filter(|_| loads.len() > 1).map(|p| per_joule(p)).unwrap_or_default(),
        })
    }

    /// Adds to each stretch what the sensors said meanwhile.
    pub fn look_beside(&mut self, m: &Measurement, telemetry: &[Line]) {
        let load_began = m.phases.iter().find(|p| p.name.starts_with(LOAD)).map_or(0, |p| p.began_ns);
        let ns = |seconds: f64| load_began.saturating_add((seconds * 1e9) as u64);
        for stretch in &mut self.stretches {
            stretch.beside = beside(m, telemetry, ns(stretch.from_s), ns(stretch.to_s));
        }
    }
}

/// Each window of a soak: when it began, in nanoseconds since the run's start, and its rate in items (or operations) a second.
pub fn windows(m: &Measurement) -> Vec<(u64, f64)> {
    let amount = if m.work.items > 0 { m.work.items } else { m.work.flops } as f64 * m.iterations as f64;
    m.at_ns.iter().zip(&m.samples_ns).map(|(at, ns)| (*at, amount / ((*ns).max(1) as f64 * 1e-9))).collect()
}

/// Which of its samples belong to each level of a soak, in order.
pub fn spans(m: &Measurement) -> Vec<std::ops::Range<usize>> {
    let rates: Vec<f64> = windows(m).into_iter().map(|(_, rate)| rate).collect();
    change::stretches(&rates, &SEARCH)
}

/// What a phase produced, as the rates count it.
fn produced(phase: &Phase) -> f64 {
    if phase.work.items > 0 { phase.work.items as f64 } else { phase.work.flops as f64 }
}

/// Seconds of pause until a probe was as fast as `burst`, and seconds paused in all.
fn recovery(m: &Measurement, burst: f64) -> (Option<f64>, f64) {
    let seconds = |p: &Phase| p.ended_ns.saturating_sub(p.began_ns) as f64 * 1e-9;
    let (mut paused, mut back) = (0.0, None);
    for phase in &m.phases {
        if phase.name.starts_with(PAUSE) {
            paused += seconds(phase);
        } else if phase.name.starts_with(PROBE) && back.is_none() && produced(phase) / seconds(phase) >= SLOWER * burst
        {
            back = Some(paused);
        }
    }
    (back, paused)
}

fn per_joule(phase: &Phase) -> Vec<PerJoule> {
    let Some(Energy::Measured { readings, .. }) = &phase.energy else { return Vec::new() };
    let covering = readings.iter().filter(|r| r.covers_device && !r.simulated && r.joules > 0.0);
    let of = |r: &crate::conditions::EnergyReading| PerJoule {
        scope: r.scope.clone(),
        items_per_joule: produced(phase) / r.joules,
        plus_minus: r.plus_minus,
    };
    covering.map(of).collect()
}

/// The means over a time of everything that may explain a rate.
fn beside(m: &Measurement, telemetry: &[Line], from_ns: u64, to_ns: u64) -> Vec<Beside> {
    let mut sums: BTreeMap<(&str, &str, &str), (f64, f64)> = BTreeMap::new();
    let mut add = |quantity, scope, unit, value: f64| {
        let (sum, count) = sums.entry((quantity, scope, unit)).or_default();
        *sum += value;
        *count += 1.0;
    };
    for clocks in m.core_clocks_between(from_ns, to_ns) {
        for hz in &clocks.hz {
            add("clock", "cores, measured", "Hz", *hz);
        }
    }
    for line in telemetry {
        let Line::Sample(sample) = line else { continue };
        let wanted = |r: &&Reading| matches!(r.quantity.as_str(), "power" | "temperature" | "clock" | "frequency");
        for r in sample.readings.iter().filter(wanted).filter(|_| (from_ns..=to_ns).contains(&sample.t_ns)) {
            add(&r.quantity, &r.scope, &r.unit, r.value);
        }
    }
    let of = |((quantity, scope, unit), (sum, count)): ((&str, &str, &str), (f64, f64))| Beside {
        quantity: quantity.to_owned(),
        scope: scope.to_owned(),
        mean: sum / count,
        unit: unit.to_owned(),
    };
    sums.into_iter().map(of).collect()
}

impl Measurement {
    /// The readings of the core clock taken within that time.
    fn core_clocks_between(&self, from_ns: u64, to_ns: u64) -> impl Iterator<Item = &crate::conditions::CoreClock> {
        self.conditions.core_clocks.iter().filter(move |c| (from_ns..=to_ns).contains(&c.at_ns))
    }
}
