//! Checks on the build, on limits, on hypervisor and on power.

use spark_results::Machine;

use crate::detect::State;

use super::{Finding, Severity, finding, gib};

pub(super) fn debug_build(_: &Machine, state: &State) -> Option<Finding> {
    if !state.debug_build {
        return None;
    }
    finding(
        Severity::Spoils,
        "this is a debug build",
        "it checks itself at every step and is slower than the program people use",
        "run it with: cargo run --release -- all",
    )
}

pub(super) fn quota(machine: &Machine, _: &State) -> Option<Finding> {
    let quota = machine.limits.cpu_quota?.at()?;
    let cores =
        machine.limits.affinity.as_ref().map(|a| a.len() as f64).or_else(|| machine.cpu.logical.map(f64::from))?;
    if quota >= cores {
        return None;
    }
    finding(
        Severity::Warning,
        format!("a quota of {quota:.2} CPUs on {cores:.0} processors"),
        "when the quota of a period is used up all threads stand still for the rest of it, up to 100 ms",
        format!("start the container without a CPU quota, or measure with --threads {:.0}", quota.floor().max(1.0)),
    )
}

pub(super) fn memory_limit(machine: &Machine, _: &State) -> Option<Finding> {
    let limit = machine.limits.memory_bytes?.at()?;
    let total = machine.memory.total_bytes.filter(|t| limit < *t)?;
    finding(
        Severity::Note,
        format!("this process may use {} of {}", gib(limit), gib(total)),
        "a larger working set or model is killed, not swapped, so the plan leaves it out",
        "start the container with more memory",
    )
}

pub(super) fn battery(_: &Machine, state: &State) -> Option<Finding> {
    (state.on_battery == Some(true)).then_some(())?;
    finding(
        Severity::Spoils,
        "the machine runs on its battery",
        "clocks and power are held down, and more so as it empties",
        "plug it in",
    )
}

pub(super) fn virtual_machine(machine: &Machine, _: &State) -> Option<Finding> {
    (machine.virtualisation.virtual_machine == Some(true)).then_some(())?;
    let whose = machine.virtualisation.hypervisor.as_deref().unwrap_or("an unknown hypervisor");
    finding(
        Severity::Note,
        format!("a virtual machine under {whose}"),
        "neighbours may take bandwidth and cache without a sign inside, so roofs are measured before and after; where it has no counters the \
         clock cannot be read from hardware: a dependent-add chain is used",
        "nothing can be done here; compare only shares of roofs measured in the same run",
    )
}

pub(super) fn smt(machine: &Machine, _: &State) -> Option<Finding> {
    (machine.cpu.smt == Some(true)).then_some(())?;
    let cores = machine.cpu.physical.map_or_else(|| "the number of cores".to_owned(), |n| n.to_string());
    finding(
        Severity::Note,
        "each core runs two threads or more (SMT)",
        "two busy threads of one core share its units, so twice the threads are not twice the rate",
        format!("measure with --threads {cores}, one on each core"),
    )
}

pub(super) fn silent(_: &Machine, state: &State) -> Option<Finding> {
    (!state.silent.is_empty()).then_some(())?;
    finding(
        Severity::Warning,
        format!("asked what it says, {} does not answer", state.silent.join(" and ")),
        "a driver that hangs gives no power, clock or temperature, and may hang the work on its device, too",
        "load the driver anew or restart the machine, then ask again",
    )
}

pub(super) fn no_power(_: &Machine, state: &State) -> Option<Finding> {
    if !state.power_sensors.is_empty() {
        return None;
    }
    let reasons: Vec<String> = state.power_refused.iter().map(|a| format!("{}: {}", a.what, a.why)).collect();
    let denied = reasons.iter().any(|r| r.contains("ermission denied"));
    finding(
        Severity::Note,
        format!(
            "no sensor tells power or energy ({})",
            if reasons.is_empty() { "none was found".to_owned() } else { reasons.join("; ") }
        ),
        "joules per token and tokens per joule stay empty",
        if denied {
            "as root: chmod a+r /sys/class/powercap/*rapl*/energy_uj"
        } else {
            "nothing can be done here; a meter at the wall sees what no sensor does"
        },
    )
}
