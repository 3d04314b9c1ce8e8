//! Linux: anonymous maps with `madvise`, and `sched_setaffinity`.
#![expect(unsafe_code, reason = "memory is mapped from and returned to the kernel")]

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::ptr::NonNull;

const HUGE: usize = 2 << 20;

/// Every map is made this much longer, so that its start can be moved to a huge-page boundary.
fn mapped_len(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(HUGE)?.checked_add(HUGE)
}

/// Maps zeroed memory at a huge-page boundary, advised to use huge pages or not to. `None`: the kernel has none.
pub(crate) fn map(bytes: usize, huge: bool) -> Option<NonNull<u8>> {
    let len = mapped_len(bytes)?;
    // SAFETY: a new private anonymous map overlaps nothing.
    let raw =
        unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }
            .ok()?;
    let lead = (raw as usize).next_multiple_of(HUGE) - raw as usize;
    let tail = len - lead - bytes.next_multiple_of(HUGE);
    if lead > 0 {
        // SAFETY: the first `lead` bytes of our own map, not handed to anyone.
        let _ = unsafe { munmap(raw, lead) };
    }
    let start = raw.cast::<u8>().wrapping_add(lead);
    if tail > 0 {
        // SAFETY: the last `tail` bytes of our own map, beyond what is handed out.
        let _ = unsafe { munmap(start.wrapping_add(bytes.next_multiple_of(HUGE)).cast(), tail) };
    }
    let advice = if huge { Advice::LinuxHugepage } else { Advice::LinuxNoHugepage };
    // SAFETY: our own map; advice changes no contents. A kernel without huge pages refuses, and base pages serve.
    let _ = unsafe { madvise(start.cast(), bytes.next_multiple_of(HUGE), advice) };
    NonNull::new(start)
}

/// Returns what [`map`] gave.
pub(crate) fn unmap(at: NonNull<u8>, bytes: usize) {
    // SAFETY: `map` kept exactly this range, and its owner is being dropped.
    let _ = unsafe { munmap(at.as_ptr().cast(), bytes.next_multiple_of(HUGE)) };
}

/// Bytes of `ranges` (start and length, in order) on huge pages, from `/proc/self/smaps`.
pub(crate) fn huge_bytes(ranges: &[(usize, usize)]) -> Option<u64> {
    let smaps = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let (mut overlap, mut huge, mut seen) = (0u64, 0u64, false);
    for line in smaps.lines() {
        let range = line.split_once(' ').map_or(line, |(head, _)| head).split_once('-');
        if let Some((Ok(from), Ok(to))) =
            range.map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16)))
        {
            let part = |&(at, bytes): &(usize, usize)| to.min(at + bytes).saturating_sub(from.max(at)) as u64;
            overlap = ranges.iter().map(part).sum();
            seen |= overlap > 0;
        } else if let Some(value) = line.strip_prefix("AnonHugePages:") {
            // Neighbouring maps may be merged by the kernel: no more of them than the overlap can be ours.
            let kib: u64 = value.trim().trim_end_matches("kB").trim().parse().ok()?;
            huge += (kib * 1024).min(overlap);
        }
    }
    seen.then_some(huge)
}

/// The CPUs this process may use, in order.
pub(crate) fn allowed_cpus() -> Vec<usize> {
    sched_getaffinity(None).map(|set| (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect()).unwrap_or_default()
}

/// A number for the kind of core that each of `cpus` is.
pub(crate) fn core_kinds(cpus: &[usize]) -> Vec<u64> {
    super::cores::kinds(cpus, &|path| std::fs::read_to_string(format!("/sys/devices/{path}")).ok())
}

/// Binds the calling thread to `cpus`. False: the kernel refused.
pub(crate) fn pin(cpus: &[usize]) -> bool {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu);
    }
    sched_setaffinity(None, &set).is_ok()
}
