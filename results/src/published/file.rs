//! The files of published figures: what one may hold, and what makes it refused.

use super::{Confidence, Figure, Kind, Point, PowerScope, Sheet};
use serde::Deserialize;

/// A file of figures that is refused: which, where, and the mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {what}")]
pub struct Invalid {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
}

/// One file: a system's data sheets, or what others measured on it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The system's short name.
    pub system: String,
    /// The system as people call it.
    pub name: String,
    /// What kind of machine it is.
    pub kind: Kind,
    /// Data sheets or measurements.
    pub sheet: Sheet,
    /// Words by which a machine is known to be one of these: of its product name, processor or accelerator.
    #[serde(default)]
    pub recognised_by: Vec<String>,
    /// Figures that share a source and settings.
    pub series: Vec<Series>,
}

/// Figures of one source, machine, build and setting.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    machine: String,
    source: String,
    reference: String,
    date: String,
    confidence: Confidence,
    #[serde(default)]
    licence: Option<String>,
    #[serde(default)]
    software: String,
    #[serde(default)]
    settings: String,
    #[serde(default)]
    note: String,
    figures: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    metric: String,
    value: f64,
    unit: String,
    #[serde(default)]
    workload: String,
    #[serde(default)]
    plus_minus: Option<f64>,
    #[serde(default)]
    power_scope: Option<PowerScope>,
    #[serde(default)]
    work: Option<Point>,
}

/// What a data sheet's figure says of the work it is of.
const SPEC: &str = "spec";

impl File {
    /// Reads a file. Errors: no TOML, an unknown or missing field (a source, above all), an empty one, a date that is none, a number
    /// that cannot be, a power without its scope, a typed work that is not the metric's.
    pub fn read(name: &str, text: &str) -> Result<Self, Invalid> {
        let invalid = |what: String| Invalid { file: name.to_owned(), what };
        let file: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|span| text[..span.start.min(text.len())].lines().count().max(1));
            invalid(format!("line {}: {}", line.unwrap_or(1), e.message()))
        })?;
        if file.kind == Kind::Own || file.series.iter().any(|of| of.confidence == Confidence::MeasuredByThisProject) {
            return Err(invalid("what this project measured is a run under results/baselines, no row here".to_owned()));
        }
        for series in &file.series {
            series
                .check(file.sheet)
                .map_err(|what| invalid(format!("'{}' of '{}': {what}", series.source, series.machine)))?;
        }
        Ok(file)
    }
    /// Its figures.
    pub fn figures(&'static self) -> impl Iterator<Item = Figure> {
        self.series.iter().flat_map(move |series| {
            series.figures.iter().map(move |row| Figure {
                system: &self.system,
                name: &self.name,
                kind: self.kind,
                sheet: self.sheet,
                machine: &series.machine,
                metric: &row.metric,
                workload: if self.sheet == Sheet::Spec { SPEC } else { &row.workload },
                work: row.work.as_ref(),
                value: row.value,
                unit: &row.unit,
                plus_minus: row.plus_minus,
                power_scope: row.power_scope,
                software: &series.software,
                settings: &series.settings,
                source: &series.source,
                reference: &series.reference,
                licence: series.licence.as_deref(),
                date: &series.date,
                confidence: series.confidence,
                note: &series.note,
            })
        })
    }
}

impl Series {
    fn check(&self, sheet: Sheet) -> Result<(), String> {
        for (field, text) in [("machine", &self.machine), ("source", &self.source), ("reference", &self.reference)] {
            if text.trim().is_empty() {
                return Err(format!("{field} is empty; a figure that nobody can look up is no figure"));
            }
        }
        if !dated(&self.date) {
            return Err(format!(
                "date '{}' is none; write 2026-02-05, 2026-02, a range of them, or unknown",
                self.date
            ));
        }
        if sheet == Sheet::Measured && self.software.trim().is_empty() {
            return Err("software is empty; name the build, or say that it is not stated".to_owned());
        }
        self.figures.iter().try_for_each(|row| row.check(sheet).map_err(|what| format!("{}: {what}", row.metric)))
    }
}

impl Row {
    fn check(&self, sheet: Sheet) -> Result<(), String> {
        if !(self.value.is_finite() && self.value > 0.0)
            || self.plus_minus.is_some_and(|s| !(s.is_finite() && s >= 0.0))
        {
            return Err(format!("{} is no figure; leave out what is not known", self.value));
        }
        if self.metric.is_empty() || self.unit.is_empty() {
            return Err("metric or unit is empty; a number without a unit says nothing".to_owned());
        }
        if (sheet == Sheet::Measured) == self.workload.is_empty() {
            return Err("a measurement says its workload, and a data sheet has none".to_owned());
        }
        if self.metric.starts_with("power_") && self.power_scope.is_none() {
            return Err("a power without its scope compares with nothing; add power_scope".to_owned());
        }
        let fits = match &self.work {
            None => true,
            Some(Point::Prefill(_)) => self.metric.starts_with("prefill_tps"),
            Some(Point::Decode(_)) => self.metric.starts_with("decode_tps"),
            Some(Point::Gemm(_)) => self.metric.starts_with("gemm_"),
            Some(Point::Stream(_)) => self.metric.starts_with("mem_bw_measured"),
        };
        fits.then_some(()).ok_or_else(|| "its work is of another metric".to_owned())
    }
}

/// Whether `text` is a day, a month or a year, a range of them, or `unknown`.
fn dated(text: &str) -> bool {
    let text = text.strip_prefix("observed ").unwrap_or(text);
    let part = |part: &str, years: bool| {
        let mut numbers = part.split('-');
        let digits =
            |n: Option<&str>, len: usize| n.is_none_or(|n| n.len() == len && n.bytes().all(|b| b.is_ascii_digit()));
        let first = numbers.next();
        digits(first, if years { 4 } else { 2 })
            && digits(numbers.next(), 2)
            && digits(numbers.next(), 2)
            && numbers.next().is_none()
            && first.is_some_and(|n| !n.is_empty())
    };
    match text.split_once("..") {
        _ if text == "unknown" => true,
        Some((from, to)) => part(from, true) && (part(to, true) || part(to, false)),
        None => part(text, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "system = \"x\"\nname = \"X\"\nkind = \"mac\"\nsheet = \"measured\"\n[[series]]\n";
    const SERIES: &str = "machine = \"X 1\"\nsource = \"S\"\nreference = \"R\"\ndate = \"2026-02\"\nconfidence = \"secondary\"\nsoftware = \"b1\"\n";
    const ROW: &str = "figures = [{ metric = \"decode_tps\", value = 2, unit = \"tok/s\", workload = \"w\" }]\n";

    fn read(text: &str) -> Result<File, Invalid> {
        File::read("x.toml", text)
    }

    #[test]
    fn a_row_without_its_source_or_scope_does_not_load() {
        assert!(read(&format!("{HEAD}{SERIES}{ROW}")).is_ok());
        for field in ["machine", "source", "reference", "date", "confidence"] {
            let line = SERIES.lines().find(|line| line.starts_with(field)).unwrap();
            let without = read(&format!("{HEAD}{}{ROW}", SERIES.replace(&format!("{line}\n"), ""))).unwrap_err();
            assert!(without.what.contains(field), "{without}");
        }
        for (from, to, said) in [
            ("source = \"S\"", "source = \" \"", "source is empty"),
            ("2026-02", "soon", "date 'soon' is none"),
            ("software = \"b1\"", "software = \"\"", "software is empty"),
            ("value = 2", "value = 0", "no figure"),
            ("value = 2", "value = nan", "no figure"),
            ("workload = \"w\"", "workload = \"\"", "its workload"),
            ("decode_tps", "power_w", "power_scope"),
            ("workload = \"w\"", "workload = \"w\", colour = 1", "unknown field"),
            ("\"w\"", "\"w\", work = { prefill = { model = \"m\", format = \"f\", n_prompt = 1 } }", "another metric"),
        ] {
            let spoiled = format!("{HEAD}{SERIES}{ROW}").replace(from, to);
            let refused = read(&spoiled).unwrap_err().to_string();
            assert!(refused.contains(said) && refused.starts_with("x.toml: "), "{refused}");
        }
    }

    #[test]
    fn dates_are_as_precise_as_their_sources() {
        for text in
            ["2026-02-05", "2026-02", "2026", "unknown", "2023-11..2026-03", "2025-10..11", "observed 2026-08-12"]
        {
            assert!(dated(text), "{text}");
        }
        for text in ["", "soon", "2026-2", "26-02-05", "2026-02-05-01", ".."] {
            assert!(!dated(text), "{text}");
        }
    }
}
