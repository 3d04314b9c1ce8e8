//! A line between CPU and GPU: how the metrics are named, and what they read back as.

use crate::record::Metric;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// One side's store until the other's load sees it.
    Handover,
    /// Atomic additions to one word: by whom, with what scope.
    Atomics {
        /// `cpu` or `gpu`.
        side: String,
        /// `alone`, `alone, gpu scope` or `both`.
        how: String,
    },
    /// Counting in one's own word beside the other side.
    Sharing {
        /// `cpu` or `gpu`.
        side: String,
        /// `alone`, `other line` or `same line`.
        how: String,
    },
    /// Data written by one side and read by the other while it stands in caches.
    PassedOn {
        /// Who reads: `cpu` or `gpu`.
        to: String,
        /// How much at a time.
        bytes: u64,
    },
}

/// The name of the metric that holds it, on memory of `allocator`.
pub fn name(what: &What, allocator: &str) -> String {
    match what {
        What::Handover => format!("handover on {allocator}"),
        What::Atomics { side, how } => format!("{side} adds, {how}, on {allocator}"),
        What::Sharing { side, how } => format!("{side} counts, {how}, on {allocator}"),
        What::PassedOn { to, bytes } => format!("{to} receives {bytes} on {allocator}"),
    }
}

/// Everything of a record: what, on which memory, the value.
pub fn found(metrics: &[Metric]) -> Vec<(What, &str, f64)> {
    fn one(m: &Metric) -> Option<(What, &str, f64)> {
        let (said, allocator) = m.name.rsplit_once(" on ")?;
        let said = said.strip_suffix(',').unwrap_or(said);
        let parted = |verb: &str| {
            let (side, how) = said.split_once(verb)?;
            Some((side.to_owned(), how.to_owned()))
        };
        let what = if said == "handover" {
            What::Handover
        } else if let Some((side, how)) = parted(" adds, ") {
            What::Atomics { side, how }
        } else if let Some((side, how)) = parted(" counts, ") {
            What::Sharing { side, how }
        } else {
            let (to, bytes) = parted(" receives ")?;
            What::PassedOn { to, bytes: bytes.parse().ok()? }
        };
        Some((what, allocator, m.value))
    }
    metrics.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn everything_reads_back_from_its_name() {
        let side = |text: &str| text.to_owned();
        let all = [
            What::Handover,
            What::Atomics { side: side("gpu"), how: side("alone, gpu scope") },
            What::Sharing { side: side("cpu"), how: side("same line") },
            What::PassedOn { to: side("gpu"), bytes: 65536 },
        ];
        let mut metrics: Vec<_> = all
            .iter()
            .map(|what| Metric { name: name(what, "pinned"), value: 7.0, unit: "ns".into(), better: Better::Lower })
            .collect();
        metrics.push(Metric { name: "injected at 3".into(), value: 1.0, unit: "B/s".into(), better: Better::Higher });
        let read: Vec<_> = found(&metrics).into_iter().map(|(what, allocator, _)| (what, allocator)).collect();
        assert_eq!(read, all.map(|what| (what, "pinned")));
    }
}
