//! The table that people read and paste, in llama-bench's columns.

use super::fields::backend;
use super::row::{Row, deviation, mean};
use spark_results::quantity::{digits, percent};

/// A column of the table.
struct Column {
    title: &'static str,
    /// Numbers stand at the right.
    right: bool,
    cell: fn(&Row<'_>) -> String,
}

const fn column(title: &'static str, right: bool, cell: fn(&Row<'_>) -> String) -> Column {
    Column { title, right, cell }
}

/// What stands where a number is not to be had; the run folder says why.
const MISSING: &str = "n/a";

const LEADING: &[Column] = &[
    column("model", false, |r| r.shape.model_type()),
    column("size", true, |r| size(r.shape.weight_bytes())),
    column("params", true, |r| parameters(r.shape.config.param_count())),
    column("backend", false, |r| backend(r).to_owned()),
    column("threads", true, |r| r.shape.threads.to_string()),
];
const KV: &[Column] =
    &[column("type_k", false, |r| r.shape.kv.clone()), column("type_v", false, |r| r.shape.kv.clone())];
const BYTES: &[Column] =
    &[column("MB/token", true, |r| r.bytes_per_token().map_or(MISSING.to_owned(), |bytes| digits(bytes / 1e6)))];
const EXTENDED: &[Column] = &[
    column("of roof", true, |r| {
        let roof = r.entry.roof.as_ref();
        roof.map_or(MISSING.to_owned(), |roof| format!("{} {}", percent(roof.fraction), roof.bound.name()))
    }),
    column("W", true, |r| r.energy().map_or(MISSING.to_owned(), |e| format!("{:.1} {}", e.watts, e.scope))),
    column("tok/J", true, |r| r.tokens_per_joule().map_or(MISSING.to_owned(), digits)),
    column("GHz", true, |r| r.clock_hz().map_or(MISSING.to_owned(), |hz| format!("{:.2}", hz * 1e-9))),
    column("95 % of median", true, |r| {
        r.interval_ts().map_or(MISSING.to_owned(), |[low, high]| format!("{low:.2} … {high:.2}"))
    }),
];
const LAST: &[Column] = &[column("test", true, |r| r.shape.test()), column("t/s", true, rate)];

/// The table, with a row for what was not measured and why.
pub(super) fn table(rows: &[Row<'_>], extended: bool) -> String {
    let kv: &[Column] = if rows.iter().any(|r| r.shape.kv != "bf16") { KV } else { &[] };
    let more: &[Column] = if extended { EXTENDED } else { &[] };
    let columns: Vec<&Column> = [LEADING, kv, BYTES, more, LAST].into_iter().flatten().collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|c| (c.cell)(row).replace('|', "\\|")).collect()).collect();
    let width = |i: usize| {
        let all = cells.iter().map(|row| row[i].chars().count());
        all.chain([columns[i].title.chars().count(), 3]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&columns).zip(&widths).map(|((cell, column), width)| {
            if column.right { format!(" {cell:>width$} |") } else { format!(" {cell:<width$} |") }
        });
        format!("|{}\n", padded.collect::<String>())
    };
    let mut out = line(&columns.iter().map(|c| c.title).collect::<Vec<_>>());
    let rules = columns.iter().zip(&widths).map(|(c, width)| {
        let rule = "-".repeat(width - usize::from(c.right));
        if c.right { format!(" {rule}: |") } else { format!(" {rule} |") }
    });
    out.push_str(&format!("|{}\n", rules.collect::<String>()));
    for row in &cells {
        out.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    out
}

/// `12.34 ± 0.56`; without a spread where there is one repetition; the reason where there is none.
fn rate(row: &Row<'_>) -> String {
    let rates = row.samples_ts();
    match (mean(&rates), deviation(&rates)) {
        (Some(mean), Some(spread)) => format!("{mean:.2} ± {spread:.2}"),
        (Some(mean), None) => format!("{mean:.2}"),
        _ => row.silence(),
    }
}

/// As llama-bench writes sizes: `1.23 GiB`.
fn size(bytes: u64) -> String {
    const MIB: f64 = 1048576.0;
    let mib = bytes as f64 / MIB;
    if mib >= 1024.0 { format!("{:.2} GiB", mib / 1024.0) } else { format!("{mib:.2} MiB") }
}

/// As llama-bench writes them: `1.24 B`.
fn parameters(count: u64) -> String {
    let millions = count as f64 * 1e-6;
    if millions >= 1000.0 { format!("{:.2} B", millions * 1e-3) } else { format!("{millions:.2} M") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_in_llama_bench() {
        assert_eq!((size(1 << 30), size(5 << 19)), ("1.00 GiB".into(), "2.50 MiB".into()));
        assert_eq!((parameters(1_235_814_400), parameters(5_000_000)), ("1.24 B".into(), "5.00 M".into()));
    }
}
