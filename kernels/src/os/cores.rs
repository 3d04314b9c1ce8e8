//! Kinds of core, as Linux tells them apart below /sys/devices.

use std::ops::RangeInclusive;

/// A number for the kind of each of `cpus`; equal where nothing tells them apart. `read` gives a file's text, by its path below
/// /sys/devices.
pub(crate) fn kinds(cpus: &[usize], read: &dyn Fn(&str) -> Option<String>) -> Vec<u64> {
    let hybrid: Vec<_> = ["cpu_core", "cpu_atom", "cpu_lowpower"]
        .map(|list| read(&format!("{list}/cpus")))
        .into_iter()
        .flatten()
        .collect();
    let kind = |cpu: &usize| {
        if !hybrid.is_empty() {
            return hybrid.iter().position(|list| ranges(list).any(|range| range.contains(cpu))).map(|at| at as u64);
        }
        let file = |name: &str| read(&format!("system/cpu/cpu{cpu}/{name}"));
        // Implementer and part of MIDR_EL1, without variant and revision. Elsewhere the scheduler's capacities: on x86 they
        // would also tell favoured cores from their equals, and are left.
        let midr =
            file("regs/identification/midr_el1").and_then(|text| hexadecimal(&text)).map(|midr| midr & 0xff00_fff0);
        let capacity = || if cfg!(target_arch = "x86_64") { None } else { file("cpu_capacity")?.trim().parse().ok() };
        midr.or_else(capacity)
    };
    cpus.iter().map(|cpu| kind(cpu).unwrap_or(u64::MAX)).collect()
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()
}

/// The ranges of a list such as `0-7,16`.
fn ranges(list: &str) -> impl Iterator<Item = RangeInclusive<usize>> {
    list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &'static [(&str, &str)], cpus: &[usize]) -> Vec<bool> {
        let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        let kinds = kinds(cpus, &read);
        kinds.iter().map(|kind| *kind == kinds[0]).collect()
    }

    #[test]
    fn cores_are_told_apart_by_their_part_and_not_by_its_revision() {
        let files = &[
            ("system/cpu/cpu0/regs/identification/midr_el1", "0x00000000410fd871\n"),
            ("system/cpu/cpu1/regs/identification/midr_el1", "0x00000000411fd870\n"),
            ("system/cpu/cpu5/regs/identification/midr_el1", "0x00000000410fd850\n"),
        ];
        assert_eq!(of(files, &[0, 1, 5]), [true, true, false]);
    }

    #[test]
    fn hybrid_processors_are_told_apart_by_their_lists() {
        let files = &[("cpu_core/cpus", "0-3,8\n"), ("cpu_atom/cpus", "4-7\n")];
        assert_eq!(of(files, &[0, 3, 4, 8, 7]), [true, true, false, true, false]);
    }

    #[test]
    fn what_is_not_told_apart_is_one_kind() {
        assert_eq!(of(&[], &[0, 1]), [true, true]);
    }
}
