//! Recomputing every summary of a stored run from its raw samples, and naming each that does not agree.

use spark_reports::Drawn;
use spark_results::document::Rules;
use spark_results::store::{self, StoreError};
use spark_results::{Document, Run, sums, table};
use std::path::Path;

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What was compared, in a line each.
    pub compared: Vec<String>,
    /// What does not agree.
    pub mismatches: Vec<String>,
    /// What could not be compared, and why; no fault in itself.
    pub remarks: Vec<String>,
}

/// Verifies the run in `folder`. Errors: it cannot be read at all.
pub fn run(folder: &Path) -> Result<Findings, StoreError> {
    let run = store::read(folder)?;
    let sums = sums(folder)?;
    let mut now = by(Rules::Ranks, folder, &run);
    now.add(&sums);
    if now.mismatches.is_empty() {
        return Ok(now);
    }
    // A table or page that an older version wrote follows from the samples, too, by the rules of its day.
    let mut first = by(Rules::Bootstrap, folder, &run);
    first.add(&sums);
    if first.mismatches.len() >= now.mismatches.len() {
        return Ok(now);
    }
    first.remarks.push(
        "table or page follow the statistics of the first version, whose intervals take samples for independent; \
         `spark-bench report` writes them anew"
            .to_owned(),
    );
    Ok(first)
}

impl Findings {
    fn add(&mut self, other: &Self) {
        self.compared.extend_from_slice(&other.compared);
        self.mismatches.extend_from_slice(&other.mismatches);
        self.remarks.extend_from_slice(&other.remarks);
    }
}

/// Compares the files with the sums that were written when the run ended.
fn sums(folder: &Path) -> Result<Findings, StoreError> {
    let mut findings = Findings::default();
    let Some(checked) = sums::check(folder)? else {
        findings.remarks.push(format!(
            "no {}: the run has not ended, or an older version wrote it; whether a file was changed cannot be told",
            sums::SUMS
        ));
        return Ok(findings);
    };
    findings.compared.push(format!("{} files by their SHA-256", checked.same.len()));
    findings.mismatches.extend(
        checked.changed.iter().map(|name| format!("{name} was changed since the run ended: its SHA-256 is another")),
    );
    for name in &checked.missing {
        // What follows from the rest may be thrown away.
        let derived = [store::TABLE, store::REPORT].contains(&name.as_str());
        let into = if derived { &mut findings.remarks } else { &mut findings.mismatches };
        into.push(format!("{name} stands in {} and is missing", sums::SUMS));
    }
    findings.remarks.extend(checked.odd.iter().map(|what| format!("{}: {what} is not summed up there", sums::SUMS)));
    Ok(findings)
}

/// Compares what is stored with what follows by `rules`.
fn by(rules: Rules, folder: &Path, run: &Run) -> Findings {
    let mut findings = Findings { remarks: run.remarks.clone(), ..Findings::default() };
    consistent(run, &mut findings);
    let document = Document::by(run, rules);
    match std::fs::read_to_string(folder.join(store::TABLE)) {
        Ok(stored) => {
            let fresh = table::csv(&document).unwrap_or_default();
            let (old, new): (Vec<_>, Vec<_>) = (stored.lines().collect(), fresh.lines().collect());
            findings.compared.push(format!("{} rows of {}", new.len().saturating_sub(1), store::TABLE));
            for at in 0..old.len().max(new.len()) {
                if old.get(at) != new.get(at) {
                    findings.mismatches.push(format!(
                        "{} line {} does not follow from the samples",
                        store::TABLE,
                        at + 1
                    ));
                }
            }
        }
        Err(e) => findings.remarks.push(format!("{}: {e}; `spark-bench report` writes it", store::TABLE)),
    }
    match std::fs::read_to_string(folder.join(store::REPORT)) {
        Ok(page) => {
            embedded(&page, &document, &mut findings);
            drawn(&page, run, &mut findings);
        }
        Err(e) => findings.remarks.push(format!("{}: {e}; `spark-bench report` writes it", store::REPORT)),
    }
    findings
}

/// Verifies what a reader of the report sees: the page is drawn again.
fn drawn(page: &str, run: &Run, findings: &mut Findings) {
    match spark_reports::drawn(page, run) {
        Drawn::Same => findings.compared.push(format!("every number shown by {}, drawn again", store::REPORT)),
        Drawn::Changed(near) => {
            let near = spark_results::machine::clean(&near);
            findings.mismatches.push(format!(
                "{} shows something else than what follows from the samples, first near '{near}'",
                store::REPORT
            ));
        }
        Drawn::Unknown(why) => findings.remarks.push(format!(
            "{}: its text was not drawn again, because {why}; `spark-bench report` writes it anew",
            store::REPORT
        )),
    }
}

/// Verifies the document that the report carries.
fn embedded(page: &str, document: &Document, findings: &mut Findings) {
    let Some(text) = spark_reports::embedded(page) else {
        findings.mismatches.push(format!("{} holds no run", store::REPORT));
        return;
    };
    match serde_json::from_str::<Document>(&text) {
        Ok(shown) => {
            findings.compared.push(format!("{} records of {}", shown.records.len(), store::REPORT));
            if shown.records.len() != document.records.len() {
                let (shown, stored) = (shown.records.len(), document.records.len());
                findings.mismatches.push(format!("{} shows {shown} records, the run has {stored}", store::REPORT));
            }
            for (shown, stored) in shown.records.iter().zip(&document.records) {
                if shown != stored {
                    findings.mismatches.push(format!(
                        "{}: {} does not follow from the samples",
                        store::REPORT,
                        stored.id
                    ));
                }
            }
        }
        Err(e) => findings.mismatches.push(format!("{} holds a run that cannot be read: {e}", store::REPORT)),
    }
}

/// What must hold of the records themselves.
fn consistent(run: &Run, findings: &mut Findings) {
    let mut seen = std::collections::HashSet::new();
    for record in &run.records {
        let id = record.id.to_string();
        if !run.manifest.planned.is_empty() && !run.manifest.planned.contains(&id) {
            findings.mismatches.push(format!("{id} was never planned"));
        }
        if record.ended_ns < record.began_ns {
            findings.mismatches.push(format!("{id} ended before it began"));
        }
        if let Some(m) = record.measured() {
            if m.samples_ns.is_empty() && m.metrics.is_empty() && m.requests.is_empty() {
                findings.mismatches.push(format!("{id} is measured and has no sample"));
            }
            if m.check.is_some_and(|check| !check.passed()) {
                findings.mismatches.push(format!("{id} was timed although it was found wrong"));
            }
        }
        if !seen.insert(id.clone()) {
            findings.mismatches.push(format!("{id} has more than one record"));
        }
    }
    findings.compared.push(format!("{} records of {}", run.records.len(), store::RECORDS));
}
