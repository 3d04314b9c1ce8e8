//! A file from storage to memory: how the metrics are named.

use crate::record::Metric;

/// Through the system's cache, which held nothing of the file.
pub const COLD: &str = "buffered, cold";
/// Through the system's cache, which held all of it that fits.
pub const WARM: &str = "buffered, warm";
/// Mapped, each page touched, of a file that the system's cache held nothing of.
pub const MAPPED_COLD: &str = "mapped, cold";
/// Mapped, each page touched, of a file that the cache held.
pub const MAPPED_WARM: &str = "mapped, warm";
/// Past the system's cache.
pub const DIRECT: &str = "direct";

/// The name of the metric that holds the speed of a way of reading: `read direct`.
pub fn name(way: &str) -> String {
    format!("read {way}")
}

/// Ways and bytes a second, in the order of the metrics.
pub fn ways(metrics: &[Metric]) -> Vec<(&str, f64)> {
    metrics.iter().filter_map(|m| Some((m.name.strip_prefix("read ")?, m.value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Better;

    #[test]
    fn ways_read_back_from_their_names() {
        let metric = |name: String| Metric { name, value: 2e9, unit: "B/s".into(), better: Better::Higher };
        let metrics = [metric(name(COLD)), metric("other".into()), metric(name(DIRECT))];
        assert_eq!(ways(&metrics), [(COLD, 2e9), (DIRECT, 2e9)]);
    }
}
