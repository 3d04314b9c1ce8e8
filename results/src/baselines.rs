//! Committed runs of our own machines, embedded: what a run is compared with by name, and what stands among published figures as
//! measured by this project.

use crate::store::{self, StoreError};
use crate::{Record, Run};
use std::path::Path;
use std::sync::LazyLock;

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../baselines/", $name, "/run.json")),
            include_str!(concat!("../baselines/", $name, "/records.jsonl")),
        )),*]
    };
}

/// Every committed run: its folder below `results/baselines`, its manifest, its records. To add one: its folder, and a line here.
pub static STORED: &[(&str, &str, &str)] = embedded!["64d910814dbc4d05/2026-12-01"];

/// A committed run.
#[derive(Debug)]
pub struct Baseline {
    /// Its folder: the machine's fingerprint, a slash, the run's date.
    pub name: &'static str,
    /// The run; its telemetry is not kept.
    pub run: Run,
}

static READ: LazyLock<Result<Vec<Baseline>, StoreError>> =
    LazyLock::new(|| STORED.iter().map(|(name, run, records)| read(name, run, records)).collect());

/// Every committed run. Errors: one of them cannot be read, which a test holds to be never so.
pub fn all() -> Result<&'static [Baseline], &'static StoreError> {
    READ.as_deref()
}

/// The committed run that `name` means.
pub fn find(name: &str) -> Option<&'static Baseline> {
    named(all().unwrap_or_default(), name)
}

/// The run of `all` that `name` means: by its folder, or by the fingerprint of its machine, of whose runs the newest.
pub fn named<'b>(all: &'b [Baseline], name: &str) -> Option<&'b Baseline> {
    let of = |b: &&Baseline| b.name == name || b.name.split_once('/').is_some_and(|(machine, _)| machine == name);
    all.iter().filter(of).max_by_key(|b| &b.run.manifest.started_at)
}

/// Reads a run from its two files. Errors: as of a folder.
pub fn read(name: &'static str, manifest: &str, records: &str) -> Result<Baseline, StoreError> {
    let folder = Path::new("results/baselines").join(name);
    let manifest = store::manifest(&folder.join(store::MANIFEST), manifest)?;
    let parsed = records.lines().enumerate().map(|(line, text)| {
        serde_json::from_str::<Record>(text).map_err(|e| StoreError::Content {
            path: folder.join(store::RECORDS),
            what: format!("line {}: {e}", line + 1),
            mend: "commit the file as it was written",
        })
    });
    let records = parsed.collect::<Result<_, _>>()?;
    Ok(Baseline { name, run: Run { manifest, records, telemetry: Vec::new(), remarks: Vec::new() } })
}
