//! The last cache before memory, as Linux tells it below /sys/devices.

use std::collections::BTreeSet;

/// Bytes of the last-level caches of the CPUs that this process may use, together. `None` where the system does not tell.
pub fn last_level_cache() -> Option<u64> {
    let file = |path: &str| std::fs::read_to_string(format!("/sys/devices/{path}")).ok();
    if cfg!(target_os = "linux") { of(&super::allowed_cpus(), &file) } else { None }
}

/// The same of `cpus`; `read` gives a file's text, by its path below /sys/devices. A cache that several share is counted once.
fn of(cpus: &[usize], read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut found = BTreeSet::new();
    for cpu in cpus {
        for index in 0.. {
            let file = |name: &str| read(&format!("system/cpu/cpu{cpu}/cache/index{index}/{name}"));
            let Some(kind) = file("type") else { break };
            let level: Option<u32> = file("level").and_then(|text| text.trim().parse().ok());
            let bytes = file("size").and_then(|text| bytes(text.trim())).filter(|bytes| *bytes > 0);
            if let (Some(level), Some(bytes)) = (level, bytes)
                && kind.trim() != "Instruction"
            {
                // One that does not say who shares it is this CPU's own.
                found.insert((level, file("shared_cpu_list").unwrap_or_else(|| cpu.to_string()), bytes));
            }
        }
    }
    let last = found.last()?.0;
    Some(
        found.iter().filter(|(level, ..)| *level == last).map(|(.., bytes)| bytes).fold(0, |a, b| a.saturating_add(*b)),
    )
}

/// `512K`, `32M` or plain bytes.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cores with a level of their own each, in clusters of two that share the last one, of which the second has more.
    fn file(path: &str) -> Option<String> {
        let path = path.strip_prefix("system/cpu/cpu")?;
        let (cpu, rest) = path.split_once("/cache/index")?;
        let (cpu, (index, name)) = (cpu.parse::<usize>().ok()?, rest.split_once('/')?);
        let cluster = if cpu < 2 { ("0-1", "32M") } else { ("2-3", "96M") };
        let text = match (index, name) {
            ("0", "type") => "Data",
            ("1", "type") => "Instruction",
            ("2", "type") => "Unified",
            ("0" | "1", "level") => "1",
            ("2", "level") => "3",
            ("0", "size") => "32K",
            ("1", "size") => "999999M",
            ("2", "size") => cluster.1,
            ("2", "shared_cpu_list") => cluster.0,
            _ => return None,
        };
        Some(format!("{text}\n"))
    }

    #[test]
    fn caches_of_the_last_level_are_counted_once_each() {
        assert_eq!(of(&[0, 1], &file), Some(32 << 20));
        assert_eq!(of(&[0, 1, 2, 3], &file), Some(128 << 20));
        assert_eq!(of(&[1, 3], &file), Some(128 << 20));
        let small = |path: &str| if path.contains("index0") { file(path) } else { None };
        assert_eq!(of(&[0, 1], &small), Some(64 << 10), "without a list each is its own");
        assert_eq!((of(&[0], &|_| None), of(&[], &file)), (None, None));
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(["512K", "32M", "1G", "4096"].map(bytes), [512 << 10, 32 << 20, 1 << 30, 4096].map(Some));
        assert_eq!(["", "K", "many", "99999999999999999G"].map(bytes), [None; 4]);
    }
}
