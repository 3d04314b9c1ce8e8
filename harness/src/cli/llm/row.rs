//! One test as a row: its shape, its samples, and what llama-bench derives from them.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use spark_kernels::format::Format;
use spark_results::conditions::{Energy, EnergyReading};
use spark_results::stats::median;
use spark_results::{AxisValue, BenchmarkId, Entry, Manifest, Measurement, Record};
use spark_workloads::llm::source::{self, Found};
use spark_workloads::llm::{Config, Preset, Settings};
use std::path::Path;

/// What a test ran.
#[derive(Debug)]
pub(super) struct Shape {
    /// A preset's name, or the path given.
    pub(super) model: String,
    pub(super) config: Config,
    /// Bytes of the weights in files, and the formats of their layers, most bytes first; `None` where weights are made up.
    stored: Option<(u64, Vec<Format>)>,
    /// Of the layers' weights.
    pub(super) format: Format,
    /// Of embedding and head.
    pub(super) head: Format,
    /// Type of cached keys and values.
    pub(super) kv: String,
    /// What activations are rounded to; `None` for what usually goes with the format.
    pub(super) activations: Option<String>,
    pub(super) n_prompt: u64,
    pub(super) n_gen: u64,
    pub(super) depth: u64,
    /// Sequences together.
    pub(super) batch: u64,
    /// Whether each sequence has a depth of its own, up to `depth`.
    pub(super) ragged: bool,
    /// Which experts tokens are given to.
    pub(super) routing: String,
    pub(super) threads: u64,
}

impl Shape {
    /// From an id, what it leaves out at its default. Errors: no model of that name any more, a format unknown.
    fn of(id: &BenchmarkId, manifest: &Manifest) -> anyhow::Result<Self> {
        let workload = spark_workloads::find(&id.workload).with_context(|| format!("{id}: no such workload"))?;
        let text = |axis: &str| match id.axes.get(axis) {
            Some(AxisValue::Text(text)) => text.clone(),
            Some(AxisValue::Int(number)) => number.to_string(),
            None => workload.axes().iter().find(|a| a.name == axis).map_or("0", |a| a.default).to_owned(),
        };
        let number = |axis: &str| text(axis).parse::<u64>().with_context(|| format!("{id}: {axis} is no number"));
        let threads = match number("threads")? {
            0 => manifest.settings.threads.unwrap_or_default(),
            threads => threads,
        };
        let model = text("model");
        let Found { config, weights } = source::open(&model)?;
        let stored = weights.as_ref().map(|weights| (weights.bytes(), weights.formats()));
        let (format, head) = match (&weights, &stored) {
            (Some(weights), Some((_, formats))) => (formats.first().copied().unwrap_or(Format::F32), weights.head()),
            _ => (text("format").parse()?, text("head").parse()?),
        };
        Ok(Self {
            config,
            stored,
            model,
            format,
            head,
            kv: text("kv"),
            activations: Some(text("activations")).filter(|a| a != "usual"),
            n_prompt: number("n_prompt")?,
            n_gen: number("n_gen")?,
            depth: number("depth")?,
            batch: number("batch")?,
            ragged: text("depths") == "ragged",
            routing: text("routing"),
            threads,
        })
    }
    /// `pp512`, `tg128`, `pp512+tg128`, with ` @ d4096` where tokens stand before, `@ d0-4096` where not as many in each
    /// sequence, and `@ b8` where there are several.
    pub(super) fn test(&self) -> String {
        let test = match (self.n_prompt, self.n_gen) {
            (prompt, 0) => format!("pp{prompt}"),
            (0, answer) => format!("tg{answer}"),
            (prompt, answer) => format!("pp{prompt}+tg{answer}"),
        };
        let depth = match (self.depth, self.ragged) {
            (0, _) => None,
            (depth, false) => Some(format!("d{depth}")),
            (depth, true) => Some(format!("d0-{depth}")),
        };
        let batch = (self.batch > 1).then(|| format!("b{}", self.batch));
        let more: Vec<_> = [depth, batch].into_iter().flatten().collect();
        if more.is_empty() { test } else { format!("{test} @ {}", more.join(" ")) }
    }
    /// Name and format; in parentheses whatever llama-bench's fields cannot tell, so that every row of every output says it.
    pub(super) fn model_type(&self) -> String {
        let mut more = Vec::new();
        match &self.stored {
            None => more.push("synthetic".to_owned()),
            Some((_, formats)) if formats.len() > 1 => {
                let others: Vec<_> = formats[1..].iter().map(|format| format.name()).collect();
                more.push(format!("and {}", others.join(", ")));
            }
            Some(_) => {}
        }
        if self.head != if self.stored.is_some() { self.format } else { Format::Q8_0 } {
            more.push(format!("head {}", self.head));
        }
        if let Some(activations) = &self.activations {
            more.push(format!("activations {activations}"));
        }
        if self.batch > 1 {
            more.push(format!("{} sequences", self.batch));
        }
        if self.depth > 0 {
            more.push("seeded kv".to_owned());
        }
        if self.ragged {
            more.push("ragged depths".to_owned());
        }
        if self.routing != "router" {
            more.push(format!("routing {}", self.routing));
        }
        let name = format!("{} {}", self.name(), self.format);
        if more.is_empty() { name } else { format!("{name} ({})", more.join(", ")) }
    }
    /// The preset, the folder of a `config.json`, or the name of a file.
    fn name(&self) -> String {
        if Preset::find(&self.model).is_ok() {
            return self.model.clone();
        }
        let path = Path::new(&self.model);
        let of = |part: Option<&std::ffi::OsStr>| part.map(|p| spark_results::machine::clean(&p.to_string_lossy()));
        let folder = || of(path.parent().and_then(Path::file_name));
        let own = || of(path.file_stem());
        let name = if path.file_name().is_some_and(|f| f == "config.json") { folder() } else { own() };
        name.unwrap_or_else(|| self.config.family.name().to_owned())
    }
    /// What activations are rounded to.
    pub(super) fn activations(&self) -> String {
        self.activations.clone().unwrap_or_else(|| Settings::usual_activations(self.format).name().to_owned())
    }
    /// Bytes of the weights at rest.
    pub(super) fn weight_bytes(&self) -> u64 {
        self.stored.as_ref().map_or_else(|| self.config.weight_bytes(self.format, self.head), |(bytes, _)| *bytes)
    }
}

/// A test with what came of it.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) shape: Shape,
    pub(super) record: &'a Record,
    pub(super) manifest: &'a Manifest,
    /// The record with what follows from it.
    pub(super) entry: Entry,
}

impl<'a> Row<'a> {
    /// Of a record of `prefill` or `decode`. Errors: as [`Shape`]'s.
    pub(super) fn of(record: &'a Record, manifest: &'a Manifest) -> anyhow::Result<Self> {
        let simulated = manifest.devices.iter().any(|d| d.id == record.id.device && d.simulated);
        let shape = Shape::of(&record.id, manifest)?;
        Ok(Self { shape, record, manifest, entry: Entry::of(record, simulated) })
    }
    fn measured(&self) -> Option<&Measurement> {
        self.record.measured()
    }
    /// What was timed; a test double's times are nobody's.
    fn timed(&self) -> Option<&Measurement> {
        self.measured().filter(|_| !self.entry.simulated)
    }
    /// Why there is no rate.
    pub(super) fn silence(&self) -> String {
        if self.entry.simulated && self.measured().is_some() {
            return "simulated: a test double has no speed".to_owned();
        }
        format!("{}: {}", self.record.status(), self.record.reason().unwrap_or_default().replace('\n', " "))
    }
    /// Nanoseconds of each repetition; none where nothing was timed.
    pub(super) fn samples_ns(&self) -> &[u64] {
        self.timed().map_or(&[], |m| &m.samples_ns)
    }
    /// Tokens a second of each repetition.
    pub(super) fn samples_ts(&self) -> Vec<f64> {
        let Some(m) = self.timed() else { return Vec::new() };
        let tokens = (m.work.items * m.iterations) as f64;
        m.samples_ns.iter().map(|ns| tokens * 1e9 / *ns as f64).collect()
    }
    /// Bytes that one token of this test touches: what one iteration moves, over its tokens.
    pub(super) fn bytes_per_token(&self) -> Option<f64> {
        let work = &self.measured()?.work;
        (work.items > 0).then(|| work.bytes as f64 / work.items as f64)
    }
    /// The median, in tokens a second.
    pub(super) fn median_ts(&self) -> Option<f64> {
        self.timed().and(self.entry.rates).and_then(|rates| rates.items_per_s)
    }
    /// 95 % interval of the median, in tokens a second.
    pub(super) fn interval_ts(&self) -> Option<[f64; 2]> {
        let (time, items) = (self.entry.time?, self.timed()?.work.items as f64);
        let [low, high] = time.ci95_ns?;
        Some([items * 1e9 / high, items * 1e9 / low])
    }
    /// When the test began, `2026-11-21T10:00:00Z`; `None` where the run does not say when it started.
    pub(super) fn test_time(&self) -> Option<String> {
        let started: Timestamp = self.manifest.started_at.parse().ok()?;
        let passed = SignedDuration::from_nanos(i64::try_from(self.record.began_ns).ok()?);
        Some(started.checked_add(passed).ok()?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
    /// The reading of the narrowest scope that contains the device; or why there is none.
    pub(super) fn energy(&self) -> Result<&EnergyReading, String> {
        narrowest(&self.entry)
    }
    /// Tokens a joule in that scope.
    pub(super) fn tokens_per_joule(&self) -> Option<f64> {
        tokens_per_joule(&self.entry).ok()
    }
    /// The median core clock between samples, in Hz.
    pub(super) fn clock_hz(&self) -> Option<f64> {
        let clocks = &self.entry.conditions.as_ref()?.core_clocks;
        let all: Vec<f64> = clocks.iter().flat_map(|c| c.hz.iter().copied()).collect();
        (!all.is_empty()).then(|| median(&all))
    }
}

/// The reading of the narrowest scope that contains the device; or why there is none.
fn narrowest(entry: &Entry) -> Result<&EnergyReading, String> {
    match &entry.energy {
        Some(Energy::Measured { readings, .. }) => readings
            .iter()
            .filter(|r| r.covers_device && !r.simulated)
            .min_by(|a, b| a.joules.total_cmp(&b.joules))
            .ok_or_else(|| "no scope that spoke contains the device".to_owned()),
        Some(Energy::Unavailable { reason }) => Err(reason.clone()),
        None => Err("nothing was measured".to_owned()),
    }
}

/// Tokens a joule in that scope; or why not.
pub(super) fn tokens_per_joule(entry: &Entry) -> Result<f64, String> {
    let scope = &narrowest(entry)?.scope;
    let found = entry.efficiency.iter().find(|e| e.scope == *scope);
    found.map(|e| e.items_per_joule).ok_or_else(|| "it counted no joules".to_owned())
}

/// The mean. `None` of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation of a sample. `None` below two values: one says nothing about a spread.
pub(super) fn deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_deviations_of_known_values() {
        assert_eq!((mean(&[]), mean(&[2.0, 4.0])), (None, Some(3.0)));
        assert_eq!(
            (deviation(&[5.0]), deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])),
            (None, Some((32.0_f64 / 7.0).sqrt()))
        );
    }
}
