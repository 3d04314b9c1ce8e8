//! Suites: what runs, how hard, for how long. They are TOML files, embedded, so that the binary needs no file beside it.

use crate::axis::{BadRequest, Request, list};
use serde::Deserialize;
use spark_results::AxisValue;
use std::collections::BTreeMap;

/// A named list of tasks with the policy they are measured by.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// What it is for, in one sentence.
    pub about: String,
    /// How hard each task is measured.
    pub measure: Policy,
    /// What runs, in order.
    #[serde(rename = "task")]
    pub tasks: Vec<Entry>,
}

/// How hard a task is measured.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Warm-up takes at least this long …
    pub warmup_ms: u64,
    /// … and at least this many iterations, and goes on until its times have settled or it has taken four times as long.
    pub warmup_iterations: u64,
    /// Samples at least.
    pub samples_min: u64,
    /// Samples at most.
    pub samples_max: u64,
    /// A sample that would be shorter runs the step several times.
    pub sample_us: u64,
    /// Sampling ends when the 95 % interval of the median is within ± this share of it …
    pub interval: f64,
    /// … or after this long.
    pub time_ms: u64,
}

/// One line of a suite: a workload, lists of axis values, which implementations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The workload's name.
    pub workload: String,
    /// `best`, `all` or a glob.
    #[serde(default)]
    pub implementation: String,
    /// Values by axis: a number, a comma list, or an array of them.
    #[serde(default)]
    pub axes: BTreeMap<String, Values>,
}

/// One value or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Values {
    /// A number.
    Number(u64),
    /// A comma list.
    Text(String),
    /// Several.
    List(Vec<Values>),
}

impl Values {
    fn flat(&self, axis: &str) -> Result<Vec<AxisValue>, BadRequest> {
        match self {
            Values::Number(value) => Ok(vec![AxisValue::Int(*value)]),
            Values::Text(text) => list(axis, text),
            Values::List(all) => {
                Ok(all.iter().map(|v| v.flat(axis)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
            }
        }
    }
}

impl Entry {
    /// As a request of its workload.
    pub fn request(&self) -> Result<Request, BadRequest> {
        let axes = self.axes.iter().map(|(name, values)| Ok((name.clone(), values.flat(name)?)));
        Ok(Request { axes: axes.collect::<Result<_, BadRequest>>()?, implementation: self.implementation.clone() })
    }
}

/// Every embedded suite: name and text.
pub static ALL: &[(&str, &str)] = &[
    ("smoke", include_str!("../suites/smoke.toml")),
    ("standard", include_str!("../suites/standard.toml")),
    ("full", include_str!("../suites/full.toml")),
    ("gate", include_str!("../suites/gate.toml")),
];

/// Reads a suite. Errors: no TOML, a field unknown or missing, a policy that cannot be met.
pub fn parse(text: &str) -> Result<Suite, BadRequest> {
    let suite: Suite = toml::from_str(text).map_err(|e| BadRequest(format!("not a suite: {}", e.message())))?;
    let p = &suite.measure;
    if p.samples_min == 0 || p.samples_max < p.samples_min {
        let text = format!(
            "samples_min = {} and samples_max = {}; 1 ≤ samples_min ≤ samples_max",
            p.samples_min, p.samples_max
        );
        return Err(BadRequest(text));
    }
    if !(p.interval > 0.0 && p.interval < 1.0) {
        return Err(BadRequest(format!("interval = {}; it is a share, above 0 and below 1", p.interval)));
    }
    for entry in &suite.tasks {
        if crate::find(&entry.workload).is_none() {
            let name = spark_results::machine::clean(&entry.workload);
            return Err(BadRequest(format!("there is no workload '{name}'; see spark-bench list")));
        }
    }
    Ok(suite)
}

/// The embedded suite of that name. Errors: the names there are.
pub fn named(name: &str) -> Result<Suite, BadRequest> {
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => parse(text),
        None => {
            let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
            let name = spark_results::machine::clean(name);
            Err(BadRequest(format!("there is no suite '{name}'; there are: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_embedded_suite_reads_and_is_named_as_it_says() {
        for (name, _) in ALL {
            let suite = named(name).unwrap();
            assert_eq!(suite.name, *name);
            for entry in &suite.tasks {
                let request = entry.request().unwrap();
                let axes = crate::find(&entry.workload).unwrap().axes();
                crate::axis::combinations(&entry.workload, axes, &request).unwrap();
            }
        }
        assert!(named("none").unwrap_err().0.contains("smoke, standard, full, gate"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }
    }
}
