//! The caches, from each processor's /sys/devices/system/cpu/cpuN/cache.

use std::collections::{BTreeMap, BTreeSet};

use spark_results::machine::{Cache, CacheKind, CpuSet};

use crate::os::SysRoot;

/// All caches of the processors `online`, level 1 first, equal ones counted together.
pub(super) fn detect(root: &SysRoot, online: &CpuSet) -> Result<Vec<Cache>, String> {
    let mut found: BTreeMap<(u32, CacheKind, u64, Option<u32>), BTreeSet<CpuSet>> = BTreeMap::new();
    for cpu in online.iter() {
        let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cache");
        for (_, index) in root.numbered(&folder, "index") {
            let at = |file: &str| format!("{folder}/{index}/{file}");
            let (Ok(level), Ok(size)) = (root.value(at("level")), root.line(at("size"))) else {
                continue;
            };
            let (Some(kind), Some(size)) = (kind(root.line(at("type")).as_deref()), bytes(&size)) else {
                continue;
            };
            let shared = root.value(at("shared_cpu_list")).unwrap_or_else(|_| [cpu].into_iter().collect());
            found.entry((level, kind, size, root.value(at("coherency_line_size")).ok())).or_default().insert(shared);
        }
    }
    if found.is_empty() {
        return Err(
            "/sys/devices/system/cpu/cpu*/cache tells no size: firmware or hypervisor does not describe the caches"
                .to_owned(),
        );
    }
    let cache = |((level, kind, size_bytes, line_bytes), shared): (_, BTreeSet<CpuSet>)| Cache {
        level,
        kind,
        size_bytes,
        line_bytes,
        count: u32::try_from(shared.len()).unwrap_or(u32::MAX),
        shared_by: shared.into_iter().collect(),
    };
    Ok(found.into_iter().map(cache).collect())
}

fn kind(word: Result<&str, &String>) -> Option<CacheKind> {
    match word {
        Ok("Data") => Some(CacheKind::Data),
        Ok("Instruction") => Some(CacheKind::Instruction),
        Ok("Unified") => Some(CacheKind::Unified),
        _ => None,
    }
}

/// `48K`, `24M`, or plain bytes; nothing of size 0.
fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let shift = match unit.trim() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift).filter(|n| *n > 0)
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes() {
        assert_eq!(
            [bytes("48K"), bytes("24M"), bytes("512"), bytes("0K"), bytes("K"), bytes("-1K")],
            [Some(49152), Some(24 << 20), Some(512), None, None, None]
        );
        assert_eq!(bytes("99999999999999999999G"), None);
        assert_eq!(bytes("18446744073709551615K"), None);
    }
}
