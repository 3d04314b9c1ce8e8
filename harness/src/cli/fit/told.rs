//! The table of `fit`, as a terminal shows it.

use super::room::Offer;
use super::row::Row;
use spark_results::quantity::{digits, duration, si};
use std::collections::BTreeSet;

/// Parameters as people write them: `70B`.
pub(super) fn parameters(count: u64) -> String {
    let (value, unit) = match count as f64 {
        n if n >= 1e12 => (n / 1e12, "T"),
        n if n >= 1e9 => (n / 1e9, "B"),
        n if n >= 1e6 => (n / 1e6, "M"),
        n => (n, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

const TITLES: [&str; 9] = [
    "model",
    "format",
    "weights",
    "KV a token",
    "with KV",
    "fits",
    "most context",
    "decode at most",
    "first token after",
];

/// The machine, the rows, and why numbers are missing.
pub(super) fn table(offer: &Offer, rows: &[Row]) -> String {
    let mut cells: Vec<[String; 9]> = vec![TITLES.map(str::to_owned)];
    cells.extend(rows.iter().map(row));
    let widths: Vec<usize> =
        (0..TITLES.len()).map(|at| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = format!("{offer}\n");
    for row in &cells {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| if at < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") })
            .collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    let context = rows.first().map_or(0, |row| row.context);
    text += &format!(
        "\nwith KV, decode and first token: one sequence of {context} tokens ({} cache), a prompt as long; bounds are what memory and \
         arithmetic allow, not what anything reaches\n",
        rows.first().map_or("", |row| row.kv)
    );
    let why: BTreeSet<String> =
        rows.iter().flat_map(|row| row.unavailable.iter().map(|(name, why)| format!("{name}: {why}"))).collect();
    for why in why {
        text += &format!("–  {why}\n");
    }
    text
}

fn row(row: &Row) -> [String; 9] {
    let bytes = |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |bytes| si(bytes as f64, "B"));
    let together = row.kv_bytes.map(|kv| row.weights_bytes + kv);
    [
        row.model.clone(),
        row.format.clone(),
        bytes(Some(row.weights_bytes)),
        bytes(row.kv_bytes_per_token),
        bytes(together),
        row.fits.map_or("–", |fits| if fits { "yes" } else { "no" }).to_owned(),
        row.max_context
            .map_or_else(|| "–".to_owned(), |tokens| if tokens == 0 { "none".to_owned() } else { tokens.to_string() }),
        row.decode_tok_s_bound.map_or_else(|| "–".to_owned(), |rate| format!("{} tok/s", digits(rate))),
        row.ttft_s_bound.map_or_else(|| "–".to_owned(), |s| duration(s * 1e9)),
    ]
}
