//! Main memory: /proc/meminfo and the huge-page settings.

use spark_results::machine::{Absent, HugePagePool, Memory};

use crate::os::SysRoot;

use super::known;

pub(super) fn detect(root: &SysRoot, absent: &mut Vec<Absent>) -> Memory {
    let mut memory = Memory::default();
    match root.text("/proc/meminfo") {
        Ok(text) => {
            let mut get = |key: &str, what: &str| {
                known(absent, what, of(&text, key).ok_or_else(|| format!("/proc/meminfo has no {key}")))
            };
            memory.total_bytes = get("MemTotal", "memory.total_bytes");
            memory.available_bytes = get("MemAvailable", "memory.available_bytes");
            memory.swap_total_bytes = get("SwapTotal", "memory.swap_total_bytes");
            memory.swap_used_bytes =
                memory.swap_total_bytes.zip(of(&text, "SwapFree")).map(|(total, free)| total.saturating_sub(free));
        }
        Err(why) => absent.push(Absent::new("memory", why)),
    }
    memory.page_bytes = known(absent, "memory.page_bytes", page_bytes(root));
    memory.transparent_huge_pages = known(absent, "memory.transparent_huge_pages", chosen(root, "enabled"));
    memory.huge_page_defrag = known(absent, "memory.huge_page_defrag", chosen(root, "defrag"));
    memory.huge_page_pools = pools(root);
    if memory.huge_page_pools.is_empty() {
        absent.push(Absent::new("memory.huge_page_pools", "/sys/kernel/mm/hugepages lists no page size"));
    }
    memory
}

/// A size in /proc/meminfo, in bytes.
pub(crate) fn of(meminfo: &str, key: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn page_bytes(root: &SysRoot) -> Result<u64, String> {
    if root.is_live() {
        return crate::os::page_bytes();
    }
    let path = "/proc/self/smaps";
    of(&root.text(path)?, "KernelPageSize").ok_or_else(|| format!("{path} has no KernelPageSize"))
}

/// The word in brackets: `always [madvise] never`.
fn chosen(root: &SysRoot, file: &str) -> Result<String, String> {
    let path = format!("/sys/kernel/mm/transparent_hugepage/{file}");
    let line = root.line(&path)?;
    let word = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(word, _)| word.to_owned());
    word.ok_or_else(|| format!("{path}: nothing is chosen in {line:?}"))
}

fn pools(root: &SysRoot) -> Vec<HugePagePool> {
    let folder = "/sys/kernel/mm/hugepages";
    let pool = |name: String| {
        let kb: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let at = |file: &str| root.value(format!("{folder}/{name}/{file}")).ok();
        Some(HugePagePool {
            page_bytes: kb.checked_mul(1024)?,
            reserved: at("nr_hugepages")?,
            free: at("free_hugepages")?,
        })
    };
    root.names(folder).into_iter().filter_map(pool).collect()
}
