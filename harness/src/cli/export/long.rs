//! A run as one row a number: measured ones with their intervals, other programs' with their origin, and a row for what has none.

use super::numbers;
use spark_results::record::Better;
use spark_results::reported::Origin;
use spark_results::{Document, Entry, Run};

/// The columns, in order.
pub(super) const COLUMNS: [&str; 13] = [
    "id",
    "workload",
    "device",
    "implementation",
    "status",
    "reason",
    "quantity",
    "scope",
    "unit",
    "better",
    "value",
    "low",
    "high",
];
/// The first so many hold text, the others numbers.
pub(super) const TEXTS: usize = 10;

/// One row; a missing text is empty and a missing number absent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) texts: [String; TEXTS],
    pub(super) numbers: [Option<f64>; COLUMNS.len() - TEXTS],
}

/// The rows of a run.
pub(super) fn rows(run: &Run, document: &Document) -> Vec<Row> {
    let numbers = numbers::of(run);
    let mut rows = Vec::new();
    for e in &document.records {
        let before = rows.len();
        for n in numbers.iter().filter(|n| n.id == e.id) {
            let scope = n.scope.clone().unwrap_or_default();
            let ends = [Some(n.value), n.interval.map(|i| i[0]), n.interval.map(|i| i[1])];
            rows.push(Row { texts: texts(e, [&n.quantity, &scope, &n.unit, direction(n.better)]), numbers: ends });
        }
        for m in e.metrics.iter().filter(|_| e.origin.is_some()) {
            let texts = texts(e, [&m.name, "", &m.unit, direction(m.better)]);
            rows.push(Row { texts, numbers: [Some(m.value), None, None] });
        }
        if rows.len() == before {
            rows.push(Row { texts: texts(e, [""; 4]), numbers: [None; 3] });
        }
    }
    rows
}

fn texts(e: &Entry, number: [&str; 4]) -> [String; TEXTS] {
    let status = if e.simulated { "simulated" } else { &e.status };
    let reason = e.reason.clone().or_else(|| e.origin.as_ref().map(Origin::words)).unwrap_or_default();
    let [quantity, scope, unit, better] = number;
    [&e.id, &e.workload, &e.device, &e.implementation, status, &reason, quantity, scope, unit, better]
        .map(str::to_owned)
}

fn direction(better: Better) -> &'static str {
    match better {
        Better::Higher => "higher",
        Better::Lower => "lower",
        Better::Neither => "",
    }
}

/// The rows as CSV; a missing value is an empty cell.
pub(super) fn csv(rows: &[Row]) -> anyhow::Result<String> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        let numbers = row.numbers.iter().map(|n| n.map(|n| n.to_string()).unwrap_or_default());
        writer.write_record(row.texts.iter().cloned().chain(numbers))?;
    }
    Ok(String::from_utf8(writer.into_inner().map_err(::csv::IntoInnerError::into_error)?)?)
}
