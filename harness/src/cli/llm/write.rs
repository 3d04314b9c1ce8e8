//! Rows in the formats that llama-bench writes: the same fields, quoting and types.

use super::fields::{Field, Kind, columns};
use super::markdown;
use super::row::Row;
use serde_json::{Map, Value, json};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Output {
    /// A table in Markdown
    Md,
    /// An array of objects
    Json,
    /// An object a line
    Jsonl,
    /// A header and a quoted line a row
    Csv,
    /// A table `llama_bench` for SQLite
    Sql,
}

/// All rows, ending with a line break. Only Markdown and `extended` outputs hold rows that were not measured: llama-bench's
/// readers expect a rate in each.
pub(super) fn text(output: Output, rows: &[Row<'_>], extended: bool) -> String {
    if output == Output::Md {
        return markdown::table(rows, extended);
    }
    let rows: Vec<&Row<'_>> = rows.iter().filter(|row| extended || !row.samples_ns().is_empty()).collect();
    match output {
        Output::Md => String::new(),
        Output::Json => pretty(&rows, extended),
        Output::Jsonl => rows.iter().map(|row| format!("{}\n", Value::Object(object(row, extended)))).collect(),
        Output::Csv => csv(&rows, extended),
        Output::Sql => sql(&rows, extended),
    }
}

fn pretty(rows: &[&Row<'_>], extended: bool) -> String {
    let all: Vec<_> = rows.iter().map(|row| Value::Object(object(row, extended))).collect();
    format!("{:#}\n", Value::Array(all))
}

/// A row with every field, and its samples.
fn object(row: &Row<'_>, extended: bool) -> Map<String, Value> {
    let mut object: Map<_, _> = columns(extended).map(|f| (f.name.to_owned(), (f.value)(row))).collect();
    object.insert("samples_ns".to_owned(), json!(row.samples_ns()));
    object.insert("samples_ts".to_owned(), json!(row.samples_ts()));
    object
}

/// A value as llama-bench prints it in a cell: truths are 1 and 0. `None` for what is missing.
fn cell(field: &Field, row: &Row<'_>) -> Option<String> {
    match (field.value)(row) {
        Value::Null => None,
        Value::Bool(truth) => Some(u8::from(truth).to_string()),
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    }
}

fn csv(rows: &[&Row<'_>], extended: bool) -> String {
    let header: Vec<_> = columns(extended).map(|f| f.name).collect();
    let mut out = format!("{}\n", header.join(","));
    for row in rows {
        let quoted = |f: &Field| format!("\"{}\"", cell(f, row).unwrap_or_default().replace('"', "\"\""));
        out.push_str(&columns(extended).map(quoted).collect::<Vec<_>>().join(","));
        out.push('\n');
    }
    out
}

fn sql(rows: &[&Row<'_>], extended: bool) -> String {
    let kind = |f: &Field| match f.kind {
        Kind::Int | Kind::Bool => "INTEGER",
        Kind::Float => "REAL",
        Kind::Text => "TEXT",
    };
    let typed: Vec<_> = columns(extended).map(|f| format!("  {} {}", f.name, kind(f))).collect();
    let mut out = format!("CREATE TABLE IF NOT EXISTS llama_bench (\n{}\n);\n\n", typed.join(",\n"));
    let names: Vec<_> = columns(extended).map(|f| f.name).collect();
    for row in rows {
        let quoted =
            |f: &Field| cell(f, row).map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")));
        let values: Vec<_> = columns(extended).map(quoted).collect();
        out.push_str(&format!("INSERT INTO llama_bench ({}) VALUES ({});\n", names.join(", "), values.join(", ")));
    }
    out
}
