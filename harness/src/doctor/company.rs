//! Checks on what else wants the processors.

use spark_results::Machine;

use crate::detect::State;

use super::{Finding, Severity, finding};

/// Load beyond which the machine does not count as quiet.
const QUIET: f64 = 0.5;

/// Steal in shares of all time: above the first figures vary, above the second they are somebody else's.
const STEAL: [f64; 2] = [0.005, 0.05];

pub(super) fn load(machine: &Machine, state: &State) -> Option<Finding> {
    let load = state.load_1m.filter(|l| *l > QUIET)?;
    // The average includes what ran a minute ago, such as the build of this program; all processors busy is worse than that.
    let full = super::usable(machine).is_some_and(|cpus| load >= cpus);
    finding(
        if full { Severity::Spoils } else { Severity::Warning },
        format!("the load average of the last minute is {load:.2}"),
        "other work takes cores, caches and memory bandwidth from what is measured",
        "end other work and wait a minute; `doctor` names the busiest processes it sees",
    )
}

pub(super) fn processes(_: &Machine, state: &State) -> Option<Finding> {
    let all: f64 = state.processes.iter().map(|p| p.cpus).sum();
    if all < 0.2 {
        return None;
    }
    let names: Vec<String> = state.processes.iter().map(|p| format!("{} ({:.1} CPUs)", p.name, p.cpus)).collect();
    finding(
        Severity::Warning,
        format!("other processes are working: {}", names.join(", ")),
        "they share the cores, the caches and the memory",
        "end or pause them",
    )
}

pub(super) fn steal(_: &Machine, state: &State) -> Option<Finding> {
    let steal = state.steal.filter(|s| *s > STEAL[0])?;
    finding(
        if steal > STEAL[1] { Severity::Spoils } else { Severity::Warning },
        format!("the hypervisor gives {:.1} % of the processors' time to others", steal * 100.0),
        "a measurement includes time in which nothing of it ran",
        "nothing can be done from inside: measure at another time, or on a host or an instance with cores of its own",
    )
}
