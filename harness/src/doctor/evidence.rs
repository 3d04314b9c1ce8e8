//! What is known of a GPU's state, now or while a stored run was made: the material of a diagnosis.

use super::faults::BUSY;
use crate::detect::State;
use crate::throttled::{BY, REASONS, concerns};
use spark_results::change;
use spark_results::soak::SEARCH;
use spark_results::stats;
use spark_results::telemetry::{Line, Reading, Sample};
use spark_results::{Record, Run};
use std::collections::BTreeMap;

/// What was seen of one GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Which: `gpu 0`.
    pub scope: String,
    /// When: `now`, or under which task.
    pub when: String,
    /// The median SM clock, in Hz.
    pub clock_hz: Option<f64>,
    /// The highest clock it can have, in Hz.
    pub max_clock_hz: Option<f64>,
    /// Its mean power, in watts.
    pub watts: Option<f64>,
    /// The whole machine's mean power, in watts.
    pub system_watts: Option<f64>,
    /// Share of the time it was busy.
    pub busy: Option<f64>,
    /// Whether a kernel that is known to fill it was running.
    pub known_load: bool,
    /// All reasons that were seen in force; absent where the driver does not tell.
    pub reasons: Option<u64>,
    /// Whether a counter of time held back by heat grew.
    pub heat_counted: bool,
    /// The hottest sensor of the machine, in °C.
    pub hottest_c: Option<f64>,
    /// Levels of the clock: how many seconds at how many Hz.
    pub levels: Vec<(f64, f64)>,
}

impl Evidence {
    /// Whether it did enough for its clock to mean anything.
    pub(super) fn working(&self) -> bool {
        self.known_load && self.busy.is_none_or(|b| b >= BUSY)
    }
}

/// Of every GPU that `samples` tell of.
#[must_use]
pub fn of_samples(samples: &[Sample], when: &str, known_load: bool) -> Vec<Evidence> {
    let mut series: BTreeMap<(&str, &str), Vec<(u64, f64)>> = BTreeMap::new();
    for sample in samples {
        for Reading { quantity, scope, value, .. } in &sample.readings {
            series.entry((scope, quantity)).or_default().push((sample.t_ns, *value));
        }
    }
    let of = |scope: &str, quantity: &str| -> Vec<f64> {
        series.get(&(scope, quantity)).map(|points| points.iter().map(|p| p.1).collect()).unwrap_or_default()
    };
    let some = |values: Vec<f64>| Some(stats::median(&values)).filter(|v| v.is_finite());
    let whole = ["sys_total", "wall"];
    let system =
        series.keys().find(|(scope, quantity)| *quantity == "power" && whole.iter().any(|w| scope.contains(w)));
    let hottest =
        series.iter().filter(|((_, q), _)| *q == "temperature").flat_map(|(_, points)| points.iter().map(|p| p.1));
    let hottest = hottest.reduce(f64::max);
    let gpus: std::collections::BTreeSet<&str> = series.keys().map(|k| k.0).filter(|s| s.starts_with("gpu ")).collect();
    let one = |scope: &str| Evidence {
        scope: scope.to_owned(),
        when: when.to_owned(),
        clock_hz: some(of(scope, "clock")),
        max_clock_hz: some(of(scope, "max_clock")),
        watts: some(of(scope, "power")),
        system_watts: system.and_then(|(scope, quantity)| some(of(scope, quantity))),
        busy: some(of(scope, "load")),
        known_load,
        reasons: Some(of(scope, REASONS)).filter(|b| !b.is_empty()).map(|b| b.iter().fold(0, |all, b| all | *b as u64)),
        heat_counted: series.iter().any(|((at, quantity), points)| {
            let heat = quantity.strip_prefix(BY).is_some_and(|by| by.starts_with("heat"));
            *at == scope && heat && points.last().zip(points.first()).is_some_and(|(last, first)| last.1 > first.1)
        }),
        hottest_c: hottest,
        levels: levels(series.get(&(scope, "clock")).map_or(&[][..], Vec::as_slice)),
    };
    gpus.into_iter().map(one).collect()
}

/// What `state` says of its GPUs now, under whatever runs.
#[must_use]
pub fn now(state: &State) -> Vec<Evidence> {
    of_samples(&[Sample { readings: state.readings.clone(), ..Sample::default() }], "now", false)
}

/// Stretches of a clock at one level: seconds and Hz.
fn levels(points: &[(u64, f64)]) -> Vec<(f64, f64)> {
    let hz: Vec<f64> = points.iter().map(|p| p.1).collect();
    let level = |s: std::ops::Range<usize>| {
        let seconds = points[s.end - 1].0.saturating_sub(points[s.start].0) as f64 * 1e-9;
        (seconds, stats::median(&hz[s]))
    };
    change::stretches(&hz, &SEARCH).into_iter().map(level).collect()
}

/// What `run` shows of its GPUs while tasks ran on them: one for each device, over all its tasks.
#[must_use]
pub fn of_run(run: &Run) -> Vec<Evidence> {
    let samples: Vec<&Sample> = run
        .telemetry
        .iter()
        .filter_map(|line| match line {
            Line::Sample(sample) => Some(sample),
            _ => None,
        })
        .collect();
    let devices: std::collections::BTreeSet<&str> = run.records.iter().map(|r| r.id.device.as_str()).collect();
    let mut found = Vec::new();
    for device in devices.into_iter().filter(|d| d.starts_with("cuda:")) {
        let windows: Vec<(u64, u64)> =
            run.records.iter().filter(|r| r.id.device == device).filter_map(sampled).collect();
        let inside = |t: u64| windows.iter().any(|(from, to)| (*from..=*to).contains(&t));
        let during: Vec<Sample> = samples.iter().filter(|s| inside(s.t_ns)).map(|s| (*s).clone()).collect();
        let all = of_samples(&during, &format!("in run {}", run.manifest.id), true);
        found.extend(all.into_iter().filter(|e| concerns(&e.scope, device)));
    }
    found
}

/// When the samples of a record were taken.
fn sampled(record: &Record) -> Option<(u64, u64)> {
    let m = record.measured()?;
    let last = m.at_ns.last().zip(m.samples_ns.last()).map(|(at, ns)| at.saturating_add(*ns));
    Some((m.at_ns.first().copied().unwrap_or(record.began_ns), last.unwrap_or(record.ended_ns)))
}
