//! Copies between a host and a GPU: how the metrics are named, and the matrix they make.

use crate::record::Metric;

/// The name of the metric that holds the speed of copies between the GPU and what `allocator` gives (or another GPU), done by `engine`, in
/// one `direction`: `copy pinned engine in`.
pub fn name(allocator: &str, engine: &str, direction: &str) -> String {
    format!("copy {allocator} {engine} {direction}")
}

/// One way to copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// Who gave the memory on the host's side, or the other GPU.
    pub allocator: String,
    /// `engine` or `kernel`; `peer` between GPUs.
    pub engine: String,
    /// `in`, `out` or `both`.
    pub direction: String,
    /// Bytes a second, each counted once.
    pub bytes_per_s: f64,
}

/// Every way of a record, in the order of the metrics.
pub fn ways(metrics: &[Metric]) -> Vec<Way> {
    let way = |m: &Metric| {
        let mut words = m.name.strip_prefix("copy ")?.split(' ').map(str::to_owned);
        let way =
            Way { allocator: words.next()?, engine: words.next()?, direction: words.next()?, bytes_per_s: m.value };
        words.next().is_none().then_some(way)
    };
    metrics.iter().filter_map(way).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn ways_read_back_from_their_names() {
        let metric = |name: String| Metric { name, value: 2e9, unit: "B/s".into(), better: Better::Higher };
        let metrics = [metric(name("managed-advised", "kernel", "both")), metric("read direct".into())];
        let found = ways(&metrics);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].allocator.as_str(), found[0].engine.as_str()), ("managed-advised", "kernel"));
        assert!(ways(&[metric("copy pinned".into()), metric("copy a b c d".into())]).is_empty());
    }
}
