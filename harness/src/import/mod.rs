//! Other programs' result files, read into records that say whose they are. To add a format: a file, and a line in [`FORMATS`].

mod aiperf;
mod backend_ops;
mod batched_bench;
mod criterion;
mod fields;
mod hyperfine;
mod llama_bench;
mod llama_benchy;
mod localscore;
mod mlx_lm;
mod nvbandwidth;
mod rows;
mod source;
mod vllm;

pub use source::{LARGEST, Source};

use spark_results::machine::clean;
use spark_results::record::Metric;
use spark_results::reported::{Origin, Reported};
use spark_results::{AxisValue, BenchmarkId, Outcome, Record};
use std::collections::BTreeMap;

/// A format that can be read.
pub struct Format {
    /// Its name, as `--from` takes it.
    pub name: &'static str,
    /// What writes it, and how.
    pub about: &'static str,
    looks: fn(&Source) -> bool,
    read: fn(&Source) -> Result<Vec<Row>, String>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every format. The first that a file looks like is taken.
pub static FORMATS: &[Format] = &[
    llama_bench::FORMAT,
    batched_bench::FORMAT,
    backend_ops::FORMAT,
    llama_benchy::FORMAT,
    nvbandwidth::FORMAT,
    vllm::FORMAT,
    aiperf::FORMAT,
    localscore::FORMAT,
    mlx_lm::FORMAT,
    hyperfine::FORMAT,
    criterion::FORMAT,
];

/// One result of a file.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    /// Where it was measured, as the file says.
    device: Option<String>,
    /// The program's version or build.
    version: Option<String>,
    /// What was measured.
    axes: BTreeMap<String, AxisValue>,
    metrics: Vec<Metric>,
    samples_ns: Vec<u64>,
    facts: BTreeMap<String, String>,
    notes: Vec<String>,
    measured_at: Option<String>,
}

/// The records of a file in the format called `from`, or in the one that it looks like. `hash` is the file's.
///
/// # Errors
/// In one line: no such format, a file that looks like none, or one that its format does not hold.
pub fn read(source: &Source, from: Option<&str>, hash: &str) -> Result<Vec<Record>, String> {
    let names = || FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ");
    let format = match from {
        Some(name) => FORMATS
            .iter()
            .find(|format| format.name == name)
            .ok_or_else(|| format!("there is no format '{}'; there are: {}", clean(name), names()))?,
        None => FORMATS.iter().find(|format| (format.looks)(source)).ok_or_else(|| {
            format!("{}: no format that is known; name it with --from: {}", clean(&source.name), names())
        })?,
    };
    let wrong = |what: String| {
        format!("{}: no results of {}: {what}; give the file as it wrote it", clean(&source.name), format.name)
    };
    let rows = (format.read)(source).map_err(wrong)?;
    let rows: Vec<Row> = rows.into_iter().filter(|row| !row.metrics.is_empty() || !row.notes.is_empty()).collect();
    if rows.is_empty() {
        return Err(wrong("there is no number in it".to_owned()));
    }
    let mut taken = BTreeMap::new();
    Ok(rows.into_iter().map(|row| record(row, format.name, source, hash, &mut taken)).collect())
}

/// A row as a record of its own id: two that are the same work are told apart by a number. `taken` holds how many there are of each.
fn record(row: Row, tool: &str, source: &Source, hash: &str, taken: &mut BTreeMap<BenchmarkId, u64>) -> Record {
    let or = |text: &Option<String>| text.as_deref().filter(|t| !t.is_empty()).map_or_else(|| "unstated".into(), short);
    let mut id = BenchmarkId::new(tool, &or(&row.device), &or(&row.version));
    id.axes.clone_from(&row.axes);
    // Counted on from the last one: a file may hold the same row many thousand times.
    let mut number = *taken.entry(id.clone()).and_modify(|number| *number += 1).or_insert(1);
    let same = id.clone();
    while number > 1 {
        id = same.clone().with("row", number);
        match taken.contains_key(&id) {
            true => number += 1,
            false => break,
        }
    }
    taken.insert(same, number);
    taken.entry(id.clone()).or_insert(1);
    let reported = Reported {
        origin: Origin {
            tool: tool.to_owned(),
            version: row.version.as_deref().map(short),
            file: clean(&source.name),
            hash: hash.to_owned(),
            measured_at: row.measured_at.as_deref().map(short),
        },
        metrics: row.metrics.into_iter().filter(|metric| metric.value.is_finite()).collect(),
        samples_ns: row.samples_ns,
        facts: row.facts,
        notes: row.notes,
    };
    Record { id, began_ns: 0, ended_ns: 0, outcome: Outcome::Reported(Box::new(reported)) }
}

/// The longest text that is taken from outside into an id or a fact.
const LONGEST: usize = 200;

/// A text from outside: cleaned, and cut where it would fill a page.
fn short(text: &str) -> String {
    clean(text).chars().take(LONGEST).collect()
}
