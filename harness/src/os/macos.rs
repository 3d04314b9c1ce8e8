//! macOS: what `sysctl` and `pmset` print. Nothing here needs a privilege.

use spark_results::Machine;
use spark_results::machine::{Absent, Cache, CacheKind, CoreType, CpuSet, PowerSource, Span, clean};
use std::collections::BTreeMap;

#[cfg(target_os = "macos")]
pub(super) use live::*;

#[cfg(target_os = "macos")]
mod live {
    use super::*;
    use crate::os::output;
    use std::time::Duration;

    pub(in crate::os) fn page_bytes() -> Result<u64, String> {
        output("sysctl", &["-n", "hw.pagesize"])?
            .trim()
            .parse()
            .map_err(|_| "sysctl hw.pagesize: not a number".to_owned())
    }

    pub(in crate::os) fn thread_cpu_time() -> Result<Duration, String> {
        Err("macOS tells a thread's CPU time only through a raw system call, which this crate does not make".to_owned())
    }

    pub(in crate::os) fn cpu_load_is_safe() -> Result<(), String> {
        Ok(())
    }

    pub(in crate::os) fn machine() -> Machine {
        let mut machine = Machine::default();
        match output("sysctl", &["hw", "machdep.cpu", "kern.hv_vmm_present"]) {
            Ok(text) => fill(&mut machine, &text),
            Err(why) => machine.absent.push(Absent::new("cpu", why)),
        }
        match output("pmset", &["-g", "batt"]) {
            Ok(text) => machine.power_source = power_source(&text),
            Err(why) => machine.absent.push(Absent::new("power_source", why)),
        }
        machine
    }
}

/// Fills in what `sysctl hw machdep.cpu kern.hv_vmm_present` printed: lines of `name: value`.
fn fill(machine: &mut Machine, sysctl: &str) {
    let values: BTreeMap<&str, &str> =
        sysctl.lines().filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.trim(), v.trim())).collect();
    let text = |key: &str| values.get(key).map(|v| clean(v)).filter(|v| !v.is_empty());
    let number = |key: &str| values.get(key).and_then(|v| v.parse::<u64>().ok());
    let small = |key: &str| number(key).and_then(|n| u32::try_from(n).ok());

    let cpu = &mut machine.cpu;
    cpu.brand = text("machdep.cpu.brand_string");
    cpu.vendor = text("machdep.cpu.vendor")
        .or_else(|| cpu.brand.as_deref().filter(|b| b.starts_with("Apple")).map(|_| "Apple".to_owned()));
    cpu.family = small("machdep.cpu.family");
    cpu.model = small("machdep.cpu.model");
    cpu.stepping = small("machdep.cpu.stepping");
    cpu.logical = small("hw.logicalcpu");
    cpu.physical = small("hw.physicalcpu");
    cpu.packages = small("hw.packages");
    cpu.smt = cpu.logical.zip(cpu.physical).map(|(l, p)| l > p);
    machine.memory.total_bytes = number("hw.memsize");
    machine.memory.page_bytes = number("hw.pagesize");
    machine.virtualisation.virtual_machine = number("kern.hv_vmm_present").map(|n| n != 0);
    machine.virtualisation.seen_by =
        number("kern.hv_vmm_present").map(|_| "sysctl kern.hv_vmm_present".to_owned()).into_iter().collect();
    if let Some(model) = text("hw.model") {
        let vendor = Some("Apple".to_owned());
        machine.product = Some(spark_results::machine::Product { vendor, name: Some(model), ..Default::default() });
    }

    let line = small("hw.cachelinesize");
    let mut cache = |level, kind, size: Option<u64>, count: u32| {
        if let Some(size_bytes) = size.filter(|s| *s > 0) {
            machine.cpu.caches.push(Cache { level, kind, size_bytes, line_bytes: line, count, shared_by: Vec::new() });
        }
    };
    let levels = small("hw.nperflevels").unwrap_or(0).min(8);
    for n in 0..levels {
        let key = |what: &str| format!("hw.perflevel{n}.{what}");
        let cores = small(&key("physicalcpu")).unwrap_or(0);
        let sharers = small(&key("cpusperl2")).filter(|n| *n > 0).unwrap_or(cores.max(1));
        cache(1, CacheKind::Data, number(&key("l1dcachesize")), cores);
        cache(1, CacheKind::Instruction, number(&key("l1icachesize")), cores);
        cache(2, CacheKind::Unified, number(&key("l2cachesize")), cores.div_ceil(sharers));
    }
    if levels == 0 {
        let cores = small("hw.physicalcpu").unwrap_or(1);
        cache(1, CacheKind::Data, number("hw.l1dcachesize"), cores);
        cache(1, CacheKind::Instruction, number("hw.l1icachesize"), cores);
        cache(2, CacheKind::Unified, number("hw.l2cachesize"), cores);
    }
    cache(3, CacheKind::Unified, number("hw.l3cachesize"), small("hw.packages").unwrap_or(1));
    machine.cpu.caches.sort_by_key(|c| (c.level, c.kind));

    // macOS numbers the efficiency cores (the last level) first.
    let mut next = 0;
    for n in (0..levels).rev() {
        let count = small(&format!("hw.perflevel{n}.logicalcpu")).unwrap_or(0).min(1024);
        let name = text(&format!("hw.perflevel{n}.name")).unwrap_or_else(|| format!("performance level {n}"));
        let cpus: CpuSet = (next..next + count).collect();
        next += count;
        let max_khz = Span::of(None);
        machine
            .cpu
            .core_types
            .insert(0, CoreType { name, implementer: None, part: None, cpus, capacity: None, max_khz });
    }
    machine.absent.push(Absent::new("frequency", "macOS tells a program neither governor nor clock"));
    machine.absent.push(Absent::new("limits.affinity", "macOS lets nobody pin a thread to a processor"));
}

/// The first line of `pmset -g batt`: `Now drawing from 'AC Power'`.
fn power_source(pmset: &str) -> Option<PowerSource> {
    let line = pmset.lines().next()?;
    match () {
        () if line.contains("'AC Power'") => Some(PowerSource::Mains),
        () if line.contains("'Battery Power'") => Some(PowerSource::Battery),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_with_two_kinds_of_core() {
        let mut m = Machine::default();
        let text = "hw.logicalcpu: 10\nhw.physicalcpu: 10\nhw.memsize: 17179869184\nhw.pagesize: 16384\nhw.model: Mac16,1\nhw.cachelinesize: 128\n\
                    hw.packages: 1\nhw.nperflevels: 2\nhw.perflevel0.name: Performance\nhw.perflevel0.physicalcpu: 4\nhw.perflevel0.logicalcpu: 4\n\
                    hw.perflevel0.l1dcachesize: 131072\nhw.perflevel0.l2cachesize: 16777216\nhw.perflevel0.cpusperl2: 4\n\
                    hw.perflevel1.name: Efficiency\nhw.perflevel1.physicalcpu: 6\nhw.perflevel1.logicalcpu: 6\nhw.perflevel1.l2cachesize: 4194304\n\
                    hw.perflevel1.cpusperl2: 6\nmachdep.cpu.brand_string: Apple M4\nkern.hv_vmm_present: 0\n";
        fill(&mut m, text);
        assert_eq!(
            (m.cpu.vendor.as_deref(), m.cpu.brand.as_deref(), m.cpu.logical),
            (Some("Apple"), Some("Apple M4"), Some(10))
        );
        let kinds: Vec<_> = m.cpu.core_types.iter().map(|t| (t.name.as_str(), t.cpus.to_string())).collect();
        assert_eq!(kinds, [("Performance", "6-9".to_owned()), ("Efficiency", "0-5".to_owned())]);
        assert_eq!(m.memory.page_bytes, Some(16384));
        assert_eq!(m.virtualisation.virtual_machine, Some(false));
        let l2: Vec<_> = m.cpu.caches.iter().filter(|c| c.level == 2).map(|c| (c.size_bytes >> 20, c.count)).collect();
        assert_eq!(l2, [(16, 1), (4, 1)]);
        assert_eq!(power_source("Now drawing from 'Battery Power'\n"), Some(PowerSource::Battery));
        assert_eq!(power_source("?"), None);
    }
}
