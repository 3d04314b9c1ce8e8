//! Checks on clocks and heat.

use std::collections::BTreeSet;

use spark_results::Machine;

use crate::detect::State;

use super::{Finding, Severity, finding};

/// Above this many degrees Celsius before anything has begun, processors are near the point where they slow down (85 to 105).
const HOT: f64 = 80.0;

pub(super) fn governor(machine: &Machine, _: &State) -> Option<Finding> {
    let others: BTreeSet<&str> = machine
        .frequency
        .policies
        .iter()
        .filter_map(|p| p.governor.as_deref())
        .filter(|g| *g != "performance")
        .collect();
    if others.is_empty() {
        return None;
    }
    let names: Vec<&str> = others.into_iter().collect();
    finding(
        Severity::Warning,
        format!("the frequency governor is {}, not performance", names.join(" and ")),
        "the clock follows the load with a delay, so short measurements start slow and vary",
        "as root: echo performance | tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
    )
}

pub(super) fn unknown(machine: &Machine, _: &State) -> Option<Finding> {
    if machine.frequency.policies.iter().any(|p| p.hardware_max_khz.is_some() || p.max_khz.is_some()) {
        return None;
    }
    let why = machine
        .why_absent("frequency.policies")
        .or_else(|| machine.why_absent("frequency"))
        .unwrap_or("no policy tells a clock");
    finding(
        Severity::Note,
        format!("the clock's bounds are unknown: {why}"),
        "a slow figure cannot be told from a slow clock by the system's own word; the clock is measured with a chain of dependent adds",
        if machine.virtualisation.virtual_machine == Some(true) {
            "nothing can be done here: a guest does not govern its clock"
        } else {
            "on Linux load the frequency driver (acpi-cpufreq, cppc_cpufreq); elsewhere nothing can be done here"
        },
    )
}

pub(super) fn turbo(machine: &Machine, _: &State) -> Option<Finding> {
    if machine.frequency.turbo.is_some() {
        return None;
    }
    finding(
        Severity::Note,
        format!(
            "whether turbo clocks are allowed is unknown: {}",
            machine.why_absent("frequency.turbo").unwrap_or("the system does not tell")
        ),
        "a roof taken at a turbo clock may not hold once more cores work or the machine is warm",
        "nothing can be done here; look in the firmware's settings, and trust the clock measured beside each roof",
    )
}

pub(super) fn hot(_: &Machine, state: &State) -> Option<Finding> {
    let hottest = state.zones.iter().filter(|z| z.celsius >= HOT).max_by(|a, b| a.celsius.total_cmp(&b.celsius))?;
    finding(
        Severity::Warning,
        format!("{} is at {:.0} degrees Celsius before the measurement", hottest.name, hottest.celsius),
        "the machine may lower its clocks during the run",
        "let it cool, clear its air ways, then measure",
    )
}
