//! Apple's `mlx_lm.benchmark`, which prints `name=value` in lines of text.

use super::fields::{DOWN, TOLD, UP, metric};
use super::{Format, Row, Source};
use spark_results::AxisValue;
use spark_results::record::Better;

pub(super) const FORMAT: Format = Format { name: "mlx-lm", about: "mlx_lm.benchmark, its text", looks, read };

const NUMBERS: [(&str, &str, Better); 4] = [
    ("prompt_tps", "tok/s", UP),
    ("generation_tps", "tok/s", UP),
    ("peak_memory", "GB", TOLD),
    ("total_time", "s", DOWN),
];
const AXES: [&str; 3] = ["prompt_tokens", "generation_tokens", "batch_size"];

fn looks(source: &Source) -> bool {
    source.text.contains("prompt_tps=") && source.text.contains("generation_tps=")
}

/// `name=value` pairs of a line.
fn pairs(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let words = line.split([' ', ',', '\t']).filter_map(|word| word.split_once('='));
    words.map(|(name, value)| (name, value.trim_end_matches('.')))
}

fn read(source: &Source) -> Result<Vec<Row>, String> {
    if !looks(source) {
        return Err("no line has prompt_tps= and generation_tps=".to_owned());
    }
    let mut shape = Vec::new();
    let mut rows = Vec::new();
    for line in source.text.lines() {
        let stated = pairs(line).filter(|(name, _)| AXES.contains(name));
        shape.extend(stated.map(|(name, value)| (name.to_owned(), AxisValue::from(value))));
        let mut row = Row { axes: shape.iter().cloned().collect(), ..Row::default() };
        for (name, unit, better) in NUMBERS {
            let value = pairs(line).find(|(of, _)| *of == name).and_then(|(_, value)| value.parse::<f64>().ok());
            row.metrics.extend(value.map(|value| metric(name, value, unit, better)));
        }
        if !row.metrics.is_empty() {
            let of = line.split(':').next().unwrap_or_default().trim();
            row.axes.insert("of".to_owned(), super::short(of).as_str().into());
            rows.push(row);
        }
    }
    Ok(rows)
}
