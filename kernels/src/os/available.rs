//! Memory that the system can still give, as the kernel counts it.

/// Bytes that can be had without swapping. `None` where the system does not tell.
pub fn available_memory() -> Option<u64> {
    if cfg!(target_os = "linux") { of_meminfo(&std::fs::read_to_string("/proc/meminfo").ok()?) } else { None }
}

/// Where huge pages are reserved, only they are to be had (NVIDIA's known issues of DGX Spark); else what the kernel estimates.
fn of_meminfo(text: &str) -> Option<u64> {
    let value = |key: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.split(':').next() == Some(key))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    match value("HugePages_Total") {
        Some(total) if total > 0 => Some((value("HugePages_Free")? * value("Hugepagesize")?) << 10),
        _ => value("MemAvailable").map(|kib| kib << 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_available_is_read_by_key() {
        let plain = "MemTotal: 128 kB\nMemFree: 1 kB\nMemAvailable:   64 kB\nHugePages_Total:       0\n";
        assert_eq!(of_meminfo(plain), Some(64 << 10));
        let huge = "MemAvailable: 64 kB\nHugePages_Total: 8\nHugePages_Free: 3\nHugepagesize: 2048 kB\n";
        assert_eq!(of_meminfo(huge), Some(3 * (2048 << 10)));
        assert_eq!(of_meminfo("MemFree: 1 kB\n"), None);
    }
}
