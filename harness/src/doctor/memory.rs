//! Checks on memory.

use spark_results::Machine;

use crate::detect::State;

use super::{Finding, Severity, finding, gib};

/// Below this the cold working sets, four times a last-level cache, and the smallest models no longer fit.
const LITTLE: u64 = 2 << 30;

/// On a machine with more memory, this share of it should be free.
const SHARE: f64 = 0.25;

pub(super) fn little(machine: &Machine, state: &State) -> Option<Finding> {
    let free = state.available_bytes.or(machine.memory.available_bytes)?;
    let total = machine.memory.total_bytes.unwrap_or(0);
    if free >= LITTLE && free as f64 >= SHARE * total as f64 {
        return None;
    }
    finding(
        if free < LITTLE / 4 { Severity::Spoils } else { Severity::Warning },
        format!(
            "{} of memory is free, of {}",
            gib(free),
            if total > 0 { gib(total) } else { "an unknown total".to_owned() }
        ),
        "what does not fit is left out, and the system may start to swap",
        "end what holds memory",
    )
}

pub(super) fn swapping(machine: &Machine, state: &State) -> Option<Finding> {
    let used = state.swap_used_bytes.filter(|b| *b > 64 << 20)?;
    let mend = if super::linux(machine) {
        "free memory, then as root: swapoff -a && swapon -a"
    } else {
        "free memory, or restart the machine"
    };
    finding(
        Severity::Warning,
        format!("{} of swap is in use", gib(used)),
        "pages that come back from the disk stop a measurement for milliseconds",
        mend,
    )
}

pub(super) fn no_huge_pages(machine: &Machine, _: &State) -> Option<Finding> {
    let reserved = machine.memory.huge_page_pools.iter().any(|p| p.free > 0);
    if machine.memory.transparent_huge_pages.as_deref() != Some("never") || reserved {
        return None;
    }
    finding(
        Severity::Warning,
        "transparent huge pages are set to never, and none are set aside",
        "large buffers live in small pages: more misses of the TLB, and a read roof up to 15 % lower",
        "as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
    )
}
