//! The operating system and the product's names.

use spark_results::machine::{Absent, Os, Product, clean};

use crate::os::SysRoot;

use super::known;

pub(super) fn os(root: &SysRoot, absent: &mut Vec<Absent>) -> Os {
    let release = known(absent, "os.name", root.text("/etc/os-release").or_else(|_| root.text("/usr/lib/os-release")));
    let release = release.as_deref().unwrap_or_default();
    let kernel = known(absent, "os.kernel", root.line("/proc/sys/kernel/osrelease"));
    Os { family: Some("linux".to_owned()), name: entry(release, "NAME"), version: entry(release, "VERSION_ID"), kernel }
}

/// `KEY=value` or `KEY="value"`.
fn entry(release: &str, key: &str) -> Option<String> {
    let value = release.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('='))?;
    Some(clean(value.trim().trim_matches(['"', '\'']))).filter(|v| !v.is_empty())
}

/// DMI on PCs and servers, the device tree on boards.
pub(super) fn product(root: &SysRoot, absent: &mut Vec<Absent>) -> Option<Product> {
    let dmi = |file: &str| root.line(format!("/sys/class/dmi/id/{file}"));
    if let Ok(model) = root.line("/proc/device-tree/model") {
        return Some(Product { name: Some(model), ..Product::default() });
    }
    let names = Product {
        vendor: dmi("sys_vendor").ok(),
        name: dmi("product_name").ok(),
        board: dmi("board_name").ok(),
        firmware: dmi("bios_version").ok(),
    };
    if names == Product::default() {
        let why = dmi("product_name").err().unwrap_or_default();
        absent.push(Absent::new("product", format!("{why}; no /proc/device-tree/model either")));
        return None;
    }
    Some(names)
}

/// What `sysinfo` adds where there are no files.
#[cfg(any(not(target_os = "linux"), test))]
pub(super) fn by_sysinfo(m: &mut spark_results::Machine) {
    use sysinfo::System;
    let mut told = |what: &str, value: Result<String, sysinfo::Error>| {
        let value = value.map(|v| clean(&v)).map_err(|e| e.to_string());
        known(&mut m.absent, what, value.and_then(|v| if v.is_empty() { Err("empty".to_owned()) } else { Ok(v) }))
    };
    m.host = told("host", System::host_name());
    m.os = Os {
        family: Some(std::env::consts::OS.to_owned()),
        name: told("os.name", System::name()),
        version: told("os.version", System::os_version()),
        kernel: told("os.kernel", System::kernel_version()),
    };
    m.architecture = Some(std::env::consts::ARCH.to_owned());
    if let Some(mut system) = known(&mut m.absent, "memory", System::new().map_err(|e| e.to_string())) {
        system.refresh_memory();
        m.memory.total_bytes = Some(system.total_memory()).filter(|n| *n > 0);
        m.memory.available_bytes = Some(system.available_memory()).filter(|n| *n > 0);
        m.memory.swap_total_bytes = Some(system.total_swap());
        m.memory.swap_used_bytes = Some(system.used_swap());
    }
    let threads = std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok());
    m.cpu.logical = m.cpu.logical.or(threads);
    if m.cpu.physical.is_none() {
        let cores = System::physical_core_count().map_err(|e| e.to_string());
        m.cpu.physical = known(&mut m.absent, "cpu.physical", cores).and_then(|n| u32::try_from(n).ok());
    }
    m.cpu.smt = m.cpu.smt.or_else(|| m.cpu.logical.zip(m.cpu.physical).map(|(l, p)| l > p));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sysinfo_knows_this_machine() {
        let mut m = spark_results::Machine::default();
        by_sysinfo(&mut m);
        assert!(m.memory.total_bytes.is_some_and(|b| b > 64 << 20), "{m:?}");
        assert_eq!(m.os.family.as_deref(), Some(std::env::consts::OS));
        assert!(m.host.is_some() || m.why_absent("host").is_some());
        assert!(m.cpu.logical.is_some_and(|n| n > 0));
    }

    #[test]
    fn entries_of_os_release() {
        let text = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=12\nNAMELY=x\nID=''\n";
        assert_eq!(entry(text, "NAME").as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(entry(text, "VERSION_ID").as_deref(), Some("12"));
        assert_eq!(entry(text, "ID"), None);
    }
}
