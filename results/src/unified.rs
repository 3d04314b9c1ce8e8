//! One buffer for CPU and GPU: how the metrics are named, and the answer they come to.

use crate::record::Metric;

/// What stands in place of an allocator for a copy in the reader's own memory.
pub const COPY: &str = "copy";

/// The name of the metric that holds how fast `reader` reads what `maker` wrote into memory of `allocator`: `gpu reads managed by cpu`.
pub fn read(reader: &str, allocator: &str, maker: &str) -> String {
    format!("{reader} reads {allocator} by {maker}")
}

/// The same of the first pass, in which pages may have to move.
pub fn first(reader: &str, allocator: &str, maker: &str) -> String {
    format!("{reader} first reads {allocator} by {maker}")
}

/// The name of the metric that holds what the first write of a page takes beside a later one, in nanoseconds.
pub fn touch(maker: &str, allocator: &str) -> String {
    format!("{maker} touches {allocator}")
}

/// The name of the metric that holds how long one GPU thread waits for a page that stands with the host, in nanoseconds.
pub fn fault(allocator: &str) -> String {
    format!("gpu waits for a page of {allocator}")
}

/// The name of the metric that holds how fast a buffer is copied to `reader`.
pub fn copied(reader: &str) -> String {
    format!("copied to {reader}")
}

/// The name of the metric that holds how fast a GPU writes or reads managed memory that is more than it has: `writes`, `reads`.
pub fn exceeding(how: &str) -> String {
    format!("gpu {how} more than it has")
}

/// One reading of one buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// `cpu` or `gpu`.
    pub reader: String,
    /// Who gave the memory; [`COPY`] for a copy.
    pub allocator: String,
    /// Who wrote it first.
    pub maker: String,
    /// Bytes a second once the pages stand where they stay.
    pub bytes_per_s: f64,
    /// Bytes a second of the first pass.
    pub first_per_s: Option<f64>,
}

/// Every reading of a record.
pub fn readings(metrics: &[Metric]) -> Vec<Reading> {
    let value = |name: String| metrics.iter().find(|m| m.name == name).map(|m| m.value);
    let reading = |m: &Metric| {
        let (reader, rest) = m.name.split_once(" reads ").filter(|(reader, _)| !reader.contains(' '))?;
        let (allocator, maker) = rest.split_once(" by ")?;
        Some(Reading {
            reader: reader.into(),
            allocator: allocator.into(),
            maker: maker.into(),
            bytes_per_s: m.value,
            first_per_s: value(first(reader, allocator, maker)),
        })
    };
    metrics.iter().filter_map(reading).collect()
}

/// How a buffer that one side made is best read by the other without a copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Who made it.
    pub maker: String,
    /// Who reads it.
    pub reader: String,
    /// The allocator with which it is read fastest.
    pub allocator: String,
    /// Bytes a second.
    pub bytes_per_s: f64,
    /// The share of what it reads in a copy in its own memory.
    pub of_copy: Option<f64>,
    /// How fast that copy is made.
    pub copied_per_s: Option<f64>,
}

/// The answer for what `maker` made and the other side reads; `None` if there is no such reading.
pub fn answer(metrics: &[Metric], maker: &str) -> Option<Answer> {
    let all = readings(metrics);
    let here = |r: &&Reading| r.maker == maker && r.reader != maker && r.allocator != COPY;
    let best = all.iter().filter(here).max_by(|a, b| a.bytes_per_s.total_cmp(&b.bytes_per_s))?;
    let copy = all.iter().find(|r| r.reader == best.reader && r.allocator == COPY);
    Some(Answer {
        maker: maker.into(),
        reader: best.reader.clone(),
        allocator: best.allocator.clone(),
        bytes_per_s: best.bytes_per_s,
        of_copy: copy.map(|copy| best.bytes_per_s / copy.bytes_per_s).filter(|share| share.is_finite()),
        copied_per_s: metrics.iter().find(|m| m.name == copied(&best.reader)).map(|m| m.value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn the_fastest_way_without_a_copy_is_the_answer() {
        let metric = |name: String, value| Metric { name, value, unit: "B/s".into(), better: Better::Higher };
        let metrics = [
            metric(read("gpu", "managed", "cpu"), 180e9),
            metric(first("gpu", "managed", "cpu"), 9e9),
            metric(read("gpu", "pinned", "cpu"), 200e9),
            metric(read("gpu", "device", "gpu"), 240e9),
            metric(read("gpu", COPY, "gpu"), 250e9),
            metric(copied("gpu"), 60e9),
            metric(touch("cpu", "managed"), 300.0),
        ];
        let found = answer(&metrics, "cpu").unwrap();
        assert_eq!((found.allocator.as_str(), found.of_copy, found.copied_per_s), ("pinned", Some(0.8), Some(60e9)));
        assert_eq!(answer(&metrics, "gpu"), None);
        assert_eq!(readings(&metrics).len(), 4);
        assert_eq!(readings(&metrics)[0].first_per_s, Some(9e9));
    }
}
