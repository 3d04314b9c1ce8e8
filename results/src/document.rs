//! The whole run as one document: records with everything that is derived from them. `export`, the table and the report read this.

use crate::conditions::{Conditions, Energy};
use crate::id::{Axes, AxisValue};
use crate::record::{Better, Cache, Measurement, Metric, OpTime, Outcome, Phase, Record, Work};
use crate::reported::{Origin, Reported};
use crate::roofline::{self, RoofShare};
use crate::run::{Manifest, Run, SCHEMA};
use crate::serving::Serving;
use crate::soak::{self, Soak};
use crate::stats::{self, Estimate, Sampling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod remarks;

/// By which rules what is derived follows from the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those of this version: ranks, and as many samples as they are worth.
    Ranks,
    /// Those of the first version: a bootstrap of samples taken for independent. The tables and pages of older folders follow them,
    /// and nothing else should.
    Bootstrap,
}

/// A run as one document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was asked for, and where.
    pub manifest: Manifest,
    /// One entry a record.
    pub records: Vec<Entry>,
}

/// One record with what follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its full id.
    pub id: String,
    /// The workload's name.
    pub workload: String,
    /// The device's id.
    pub device: String,
    /// The implementation's name.
    pub implementation: String,
    /// The shape.
    pub axes: Axes,
    /// `measured`, `reported`, `skipped` or `failed`.
    pub status: String,
    /// Why there is no measurement, or null.
    pub reason: Option<String>,
    /// Time of one iteration.
    pub time: Option<Time>,
    /// What the samples of that time say about trusting them; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// What was done a second; a rate without work of its kind is null.
    pub rates: Option<Rates>,
    /// The binding roof and the share of it, or null where no roof was measured.
    pub roof: Option<RoofShare>,
    /// Why there is no share of a roof although one was measured, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roof_reason: Option<String>,
    /// Energy over the window.
    pub energy: Option<Energy>,
    /// Items a joule, one value a scope that contains the device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub efficiency: Vec<Efficiency>,
    /// Work of one iteration.
    pub work: Option<Work>,
    /// State of the caches.
    pub cache: Option<Cache>,
    /// Named parts of the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Where the time of an iteration goes, op by op, where it consists of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<OpTime>,
    /// Values the workload timed by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// What minutes at full load showed, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Soak>,
    /// What requests to a server showed, where they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Serving>,
    /// Who says so, where these are another program's numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Samples taken that do not count, as those taken while the machine was held back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: usize,
    /// Largest error against the reference, relative to Σ|a·b|.
    pub max_error: Option<f64>,
    /// What was allowed.
    pub tolerance: Option<f64>,
    /// Whether a test double did the work: then no number here is a measurement.
    pub simulated: bool,
    /// The machine's state beside it.
    pub conditions: Option<Conditions>,
    /// What a reader must know beside the numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// What bears on trust.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Time of one iteration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Time {
    /// The median of the samples, in nanoseconds an iteration.
    pub median_ns: f64,
    /// 95 % interval of the median, counted with as many samples as they are worth; their range where that is fewer than six, null for
    /// a single one.
    pub ci95_ns: Option<[f64; 2]>,
    /// How many samples.
    pub samples: usize,
    /// Median absolute deviation.
    pub mad_ns: f64,
}

/// What was done a second, from the median time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// Operations a second.
    pub flops_per_s: Option<f64>,
    /// Bytes a second.
    pub bytes_per_s: Option<f64>,
    /// Items a second.
    pub items_per_s: Option<f64>,
}

/// Items a joule in one scope: numerically also items a second and watt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Efficiency {
    /// The scope; it contains the device that did the work.
    pub scope: String,
    /// Items a joule.
    pub items_per_joule: f64,
    /// The sensor behind it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Uncertainty, as a share: the energy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plus_minus: Option<f64>,
    /// Items a joule above idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_items_per_joule: Option<f64>,
}

impl Document {
    /// Derives everything from a stored run.
    pub fn of(run: &Run) -> Self {
        Self::by(run, Rules::Ranks)
    }
    /// The same by other rules.
    pub fn by(run: &Run, rules: Rules) -> Self {
        Self {
            schema: SCHEMA.into(),
            manifest: run.manifest.clone(),
            records: run.records.iter().map(|r| Entry::within(run, r, rules)).collect(),
        }
    }
}

impl Entry {
    /// Derives everything from one record of `run` and from what the sensors said meanwhile.
    fn within(run: &Run, record: &Record, rules: Rules) -> Self {
        let mut entry = Self::by(record, run.simulated(&record.id.device), rules);
        if let (Some(soak), Some(m)) = (&mut entry.soak, record.measured()) {
            soak.look_beside(m, &run.telemetry);
        }
        entry
    }
    /// Derives everything from one record.
    pub fn of(record: &Record, simulated: bool) -> Self {
        Self::by(record, simulated, Rules::Ranks)
    }
    /// The same by other rules.
    pub fn by(record: &Record, simulated: bool, rules: Rules) -> Self {
        let id = &record.id;
        let mut entry = Self {
            id: id.to_string(),
            workload: id.workload.clone(),
            device: id.device.clone(),
            implementation: id.implementation.clone(),
            axes: id.axes.clone(),
            status: record.status().into(),
            reason: record.reason().map(str::to_owned),
            time: None,
            sampling: None,
            rates: None,
            roof: None,
            roof_reason: None,
            energy: None,
            efficiency: Vec::new(),
            work: None,
            cache: None,
            phases: Vec::new(),
            ops: Vec::new(),
            metrics: Vec::new(),
            soak: None,
            serving: None,
            origin: None,
            dropped: 0,
            max_error: None,
            tolerance: None,
            simulated,
            conditions: None,
            facts: BTreeMap::new(),
            notes: Vec::new(),
        };
        match &record.outcome {
            Outcome::Measured(measurement) => entry.measured(measurement, rules),
            Outcome::Reported(reported) => entry.reported(reported),
            Outcome::Skipped { .. } | Outcome::Failed { .. } => {}
        }
        entry
    }
    /// Another program's numbers stay its own: nothing is derived from them.
    fn reported(&mut self, reported: &Reported) {
        self.origin = Some(reported.origin.clone());
        self.metrics.clone_from(&reported.metrics);
        self.facts.clone_from(&reported.facts);
        self.notes.clone_from(&reported.notes);
    }
    fn measured(&mut self, m: &Measurement, rules: Rules) {
        let each: Vec<f64> = m.samples_ns.iter().map(|&ns| ns as f64 / m.iterations.max(1) as f64).collect();
        let time = iteration_time(&each, rules);
        // A soak is looked through for levels, which are what it found.
        let spans = if self.workload == "soak" { soak::spans(m) } else { Vec::new() };
        self.sampling = (rules == Rules::Ranks && !each.is_empty()).then(|| Sampling::of_levels(&each, &spans));
        if let Some(t) = &time {
            let seconds = t.median_ns * 1e-9;
            let rate = |amount: u64| (amount > 0 && seconds > 0.0).then(|| amount as f64 / seconds);
            self.rates = Some(Rates {
                flops_per_s: rate(m.work.flops),
                bytes_per_s: rate(m.work.bytes),
                items_per_s: rate(m.work.items),
            });
            self.roof_reason = (rules == Rules::Ranks).then(|| roofline::one_sided(&m.roofs, &m.work)).flatten();
            self.roof = roofline::share(&m.roofs, &m.work, seconds).filter(|_| self.roof_reason.is_none());
        }
        if let Energy::Measured { readings, .. } = &m.conditions.energy {
            // In floating point: a stored run may hold counts whose product no integer holds.
            // What was dropped took its energy all the same.
            let samples = (m.samples_ns.len() + m.dropped.len()) as f64;
            let items = m.work.items as f64 * m.iterations as f64 * samples;
            self.efficiency = readings
                .iter()
                .filter(|r| r.covers_device && !r.simulated && r.joules > 0.0 && items > 0.0)
                .map(|r| Efficiency {
                    scope: r.scope.clone(),
                    items_per_joule: items / r.joules,
                    source: r.source.clone(),
                    plus_minus: Some(r.plus_minus),
                    net_items_per_joule: r.net.as_ref().filter(|n| n.joules > 0.0).map(|n| items / n.joules),
                })
                .collect();
        }
        self.time = time;
        self.soak = (self.workload == "soak").then(|| Soak::of(m)).flatten();
        self.serving = Serving::of(m);
        self.dropped = m.dropped.len();
        self.energy = Some(m.conditions.energy.clone());
        self.work = Some(m.work.clone());
        self.cache = Some(m.cache);
        self.phases.clone_from(&m.phases);
        self.ops.clone_from(&m.ops);
        self.metrics.clone_from(&m.metrics);
        self.metrics.extend(per_cycle(m, self.rates.as_ref()));
        self.max_error = m.check.map(|c| c.max_error);
        self.tolerance = m.check.map(|c| c.tolerance);
        self.conditions = Some(m.conditions.clone());
        self.facts.clone_from(&m.facts);
        self.notes.clone_from(&m.notes);
        self.notes.extend(match &self.sampling {
            Some(sampling) => sampling.remarks(each.len()),
            None if rules == Rules::Bootstrap => remarks::first(&each),
            None => Vec::new(),
        });
        self.notes.extend(remarks::dropped(m));
        self.notes.extend(remarks::roofs(m));
    }
    /// The number on `axis`.
    pub fn int(&self, axis: &str) -> Option<u64> {
        self.axes.get(axis).and_then(AxisValue::int)
    }
    /// The value on `axis`, as text.
    pub fn axis(&self, axis: &str) -> Option<String> {
        self.axes.get(axis).map(ToString::to_string)
    }
    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|m| m.name == name)
    }
}

/// The fact that holds how many operations one instruction of a peak's kernel does.
pub const OPERATIONS_AN_INSTRUCTION: &str = "operations_an_instruction";

/// Instructions a cycle and worker: the rate over the core clocks measured in the same window. Close to a whole number of ports,
/// the ports are full; well below one, the peak is not the machine's. Where an instruction counts as one operation, which is a GPU's
/// way, it is operations a cycle and SM.
fn per_cycle(m: &Measurement, rates: Option<&Rates>) -> Option<Metric> {
    let operations: f64 = m.facts.get(OPERATIONS_AN_INSTRUCTION)?.parse().ok()?;
    let cycles_per_s: Vec<f64> = m.conditions.core_clocks.iter().map(|c| c.hz.iter().sum()).collect();
    let cycles_per_s = Some(stats::median(&cycles_per_s)).filter(|hz| *hz > 0.0)?;
    let value = rates?.flops_per_s? / (operations * cycles_per_s);
    let unit = if operations == 1.0 { "operations a cycle and SM" } else { "instructions a cycle" };
    Some(Metric { name: "per_cycle".into(), value, unit: unit.into(), better: Better::Higher })
}

/// Median time of one iteration with its interval, from that of each sample. `None` where a workload timed itself.
fn iteration_time(each: &[f64], rules: Rules) -> Option<Time> {
    let estimate = match rules {
        Rules::Ranks => stats::estimate(each),
        Rules::Bootstrap => stats::bootstrap::estimate(each),
    };
    let Estimate { median, ci95, samples, .. } = estimate?;
    Some(Time { median_ns: median, ci95_ns: ci95, samples, mad_ns: stats::mad(each) })
}
