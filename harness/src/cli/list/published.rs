//! `spark-bench list published`: figures that others published, each with its source.

use crate::cli::ui;
use serde_json::{Value, json};
use spark_results::published::{self, Confidence, Figure};
use spark_results::quantity::digits;

/// Every figure as JSON: one array.
pub(super) fn json() -> anyhow::Result<Value> {
    published::all()?.iter().map(row).collect()
}

fn row(figure: &Figure) -> anyhow::Result<Value> {
    let mut row = serde_json::to_value(figure)?;
    // The name people know stands for the system; its short name is that of its file.
    row["system"] = json!(figure.name);
    row["file"] = json!(figure.system);
    Ok(row)
}

/// The figures by system, as lines.
pub(super) fn tell() -> anyhow::Result<()> {
    let all = published::all()?;
    let mut machine = "";
    for figure in all {
        if figure.machine != machine {
            machine = figure.machine;
            ui::line(format!("{machine}:"));
        }
        ui::line(format!("  {}", line(figure)));
    }
    let sources: std::collections::BTreeSet<_> = all.iter().map(|f| f.source).collect();
    let own = all.iter().filter(|f| f.confidence == Confidence::MeasuredByThisProject).count();
    let said = match own {
        0 => "this project measured none of them".to_owned(),
        own => format!("this project measured {own} of them, the others it did not"),
    };
    ui::line(format!("{} figures from {} sources; {said}", all.len(), sources.len()));
    Ok(())
}

fn line(figure: &Figure) -> String {
    let what = figure.work.map_or_else(|| figure.workload.to_owned(), ToString::to_string);
    let number = if figure.value.fract() == 0.0 { format!("{}", figure.value) } else { digits(figure.value) };
    let doubt = if figure.confidence == Confidence::Secondary { ", secondary" } else { "" };
    format!("{:<26} {number:>9} {:<8} {what}  [{}, {}{doubt}]", figure.metric, figure.unit, figure.source, figure.date)
}
