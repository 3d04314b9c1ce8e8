//! What this machine is: a [`Machine`] with a reason for each thing that could not be found out.
//!
//! On Linux everything comes from files under a [`SysRoot`], so that the tree of any machine can be detected anywhere. What the
//! running processor says itself (instructions, hypervisor) is asked only when that root is the live one.

mod caches;
pub mod core_types;
mod cpu;
mod cpuinfo;
pub(crate) mod frequency;
pub mod isa;
mod limits;
mod memory;
mod numa;
mod power;
mod state;
mod system;
mod virtualisation;

pub(crate) use memory::of as meminfo;
/// What feeds the machine now, where it tells.
pub(crate) fn power_source(root: &SysRoot) -> Option<spark_results::machine::PowerSource> {
    power::source(root, &mut Vec::new())
}
pub use state::{Busy, State, Zone, state};

use spark_results::machine::{Absent, Machine};

use crate::os::SysRoot;

/// Finds out what the machine under `root` is. Never fails: what cannot be read stands in [`Machine::absent`].
#[must_use]
pub fn machine(root: &SysRoot) -> Machine {
    let mut machine = if root.is_live() && !cfg!(target_os = "linux") { without_files() } else { from_files(root) };
    machine.absent.sort_by(|a, b| a.what.cmp(&b.what));
    machine
}

/// Linux, or the files of a Linux machine.
fn from_files(root: &SysRoot) -> Machine {
    let mut m = Machine::default();
    let absent = &mut m.absent;
    let info = cpuinfo::read(root, absent);
    m.architecture = cpuinfo::architecture(root, &info, absent);
    m.host = known(absent, "host", root.line("/proc/sys/kernel/hostname").or_else(|_| root.line("/etc/hostname")));
    m.os = system::os(root, absent);
    m.product = system::product(root, absent);
    m.cpu = cpu::detect(root, &info, absent);
    m.memory = memory::detect(root, absent);
    m.frequency = frequency::detect(root, absent);
    m.virtualisation = virtualisation::detect(root, &info, m.product.as_ref(), absent);
    m.limits = limits::detect(root, absent);
    m.numa = numa::detect(root, absent);
    m.power_source = power::source(root, absent);
    m
}

/// macOS and Windows: the system's own tools for what is theirs, `sysinfo` for the rest.
#[cfg(not(target_os = "linux"))]
fn without_files() -> Machine {
    let mut m = crate::os::machine();
    system::by_sysinfo(&mut m);
    m.cpu.isa = isa::live(&[]);
    if m.cpu.isa.is_empty() {
        m.absent.push(Absent::new(
            "cpu.isa",
            format!("no instruction extension is known by name on {}", std::env::consts::ARCH),
        ));
    }
    if m.memory.page_bytes.is_none() {
        m.memory.page_bytes = known(&mut m.absent, "memory.page_bytes", crate::os::page_bytes());
    }
    virtualisation::ask_processor(&mut m.virtualisation);
    let missing = [
        ("cpu.brand", m.cpu.brand.is_none()),
        ("cpu.caches", m.cpu.caches.is_empty()),
        ("cpu.core_types", m.cpu.core_types.is_empty()),
        ("virtualisation", m.virtualisation.virtual_machine.is_none()),
        ("power_source", m.power_source.is_none()),
        ("memory.transparent_huge_pages", true),
    ];
    for (what, missing) in missing {
        if missing && m.why_absent(what).is_none() {
            m.absent.push(Absent::new(
                what,
                format!("{} does not tell it in a way this program knows", std::env::consts::OS),
            ));
        }
    }
    m
}

#[cfg(target_os = "linux")]
fn without_files() -> Machine {
    from_files(&SysRoot::live())
}

/// The value found, or its absence noted.
fn known<T>(absent: &mut Vec<Absent>, what: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|why| absent.push(Absent::new(what, why))).ok()
}
