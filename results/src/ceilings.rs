//! The machine's ceilings as a run measured them by themselves: its read of memory, its arithmetic by number type.

use crate::document::Entry;

/// Entries with numbers that may be used: measured, and by no test double.
fn real(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|e| e.status == "measured" && !e.simulated)
}

/// Bytes a second of the largest read, the fastest way of it, and its id.
pub fn read(entries: &[Entry]) -> Option<(f64, &str)> {
    let reads = || real(entries).filter(|e| e.workload == "read");
    let largest = reads().filter_map(|e| e.int("bytes")).max()?;
    let rates = reads().filter(|e| e.int("bytes") == Some(largest));
    rates.filter_map(|e| Some((e.rates?.bytes_per_s?, e.id.as_str()))).max_by(|a, b| a.0.total_cmp(&b.0))
}

/// Operations a second of the fastest peak of one of these types, and its id.
pub fn peak<'e>(entries: &'e [Entry], types: &[&str]) -> Option<(f64, &'e str)> {
    real(entries)
        .filter(|e| e.workload == "peak" && e.axis("type").is_some_and(|of| types.contains(&of.as_str())))
        .filter_map(|e| Some((e.rates?.flops_per_s?, e.id.as_str())))
        .max_by(|a, b| a.0.total_cmp(&b.0))
}
