//! Windows: what the registry says through `reg query`, and the environment.

use spark_results::Machine;
use spark_results::machine::clean;

use crate::detect::core_types::{self, Core};

#[cfg(target_os = "windows")]
pub(super) use live::*;

#[cfg(target_os = "windows")]
mod live {
    use super::*;
    use crate::os::output;
    use spark_results::machine::{Absent, Product};
    use std::time::Duration;

    pub(in crate::os) fn page_bytes() -> Result<u64, String> {
        // Fixed by the system for every processor it runs on, Arm included.
        Ok(4096)
    }

    pub(in crate::os) fn thread_cpu_time() -> Result<Duration, String> {
        Err("Windows tells a thread's CPU time only through a raw system call, which this crate does not make"
            .to_owned())
    }

    pub(in crate::os) fn cpu_load_is_safe() -> Result<(), String> {
        let wine = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("WINE"))
            || std::path::Path::new(r"C:\windows\system32\winecfg.exe").exists();
        if wine { Err("this is Wine, which lacks the Windows call that tells CPU load".to_owned()) } else { Ok(()) }
    }

    pub(in crate::os) fn machine() -> Machine {
        let mut machine = Machine::default();
        match output("reg", &["query", r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor", "/s"]) {
            Ok(text) => fill(&mut machine, &text),
            Err(why) => machine.absent.push(Absent::new("cpu", why)),
        }
        match output("reg", &["query", r"HKLM\HARDWARE\DESCRIPTION\System\BIOS"]) {
            Ok(text) => {
                let get = |name: &str| {
                    values(&text).find(|(n, _)| *n == name).map(|(_, v)| clean(v)).filter(|v| !v.is_empty())
                };
                machine.product = Some(Product {
                    vendor: get("SystemManufacturer"),
                    name: get("SystemProductName"),
                    board: get("BaseBoardProduct"),
                    firmware: get("BIOSVersion"),
                });
            }
            Err(why) => machine.absent.push(Absent::new("product", why)),
        }
        if let Err(why) = cpu_load_is_safe() {
            machine.virtualisation.hypervisor = Some("Wine".to_owned());
            machine.virtualisation.seen_by.push(why);
        }
        for what in ["cpu.caches", "frequency", "limits", "numa"] {
            machine.absent.push(Absent::new(
                what,
                "Windows tells it only through raw system calls, which this crate does not make",
            ));
        }
        machine
    }
}

/// Fills in what `reg query HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor /s` printed: a key for each processor.
fn fill(machine: &mut Machine, text: &str) {
    let get = |name: &str| values(text).find(|(n, _)| *n == name).map(|(_, v)| clean(v)).filter(|v| !v.is_empty());
    let cpu = &mut machine.cpu;
    cpu.brand = get("ProcessorNameString");
    cpu.vendor = get("VendorIdentifier");
    // Identifier: "Intel64 Family 6 Model 151 Stepping 2" or, on Arm, "ARMv8 (64-bit) Family 8 Model D85 Revision 0".
    let identifier = get("Identifier").unwrap_or_default();
    let after =
        |word: &str| identifier.split_whitespace().skip_while(|w| *w != word).nth(1).and_then(|n| n.parse().ok());
    if !identifier.starts_with("ARM") {
        (cpu.family, cpu.model, cpu.stepping) = (after("Family"), after("Model"), after("Stepping"));
    }
    // "CP 4000" is the MIDR register, one for each processor in the order of their numbers as sorted by text: 0, 1, 10, 11, 2 …
    let mut cores = Vec::new();
    let mut number = None;
    for line in text.lines() {
        if line.starts_with("HKEY_") {
            number = line.trim().rsplit('\\').next().and_then(|n| n.parse::<u32>().ok());
        } else if let (Some(("CP 4000", midr)), Some(cpu)) = (value(line), number)
            && let Some(midr) = midr.strip_prefix("0x").and_then(|h| u64::from_str_radix(h, 16).ok())
        {
            let (implementer, part) = ((midr >> 24 & 0xff) as u32, (midr >> 4 & 0xfff) as u32);
            cores.push(Core { cpu, midr: Some((implementer, part)), ..Core::default() });
        }
    }
    machine.cpu.core_types = core_types::grouped(&cores);
}

/// The name and data of every value in an answer of `reg query`.
#[cfg_attr(not(target_os = "windows"), allow(dead_code, reason = "part of the parser that tests reach through fill"))]
fn values(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(value)
}

/// `    NAME    REG_TYPE    DATA`; four spaces stand between the parts, names may have single ones.
fn value(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("    ")?.split_once("    REG_")?;
    Some((name, rest.split_once("    ").map_or("", |(_, data)| data.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_an_arm_pc_and_of_an_intel_one() {
        let key = r"HKEY_LOCAL_MACHINE\HARDWARE\DESCRIPTION\System\CentralProcessor";
        let arm: String = [(0, "0x411fd870"), (1, "0x411fd850"), (10, "0x411fd850")]
            .iter()
            .map(|(n, midr)| {
                format!("{key}\\{n}\r\n    CP 4000    REG_QWORD    {midr}\r\n    Identifier    REG_SZ    ARMv8 (64-bit) Family 8 Model D87 Revision 0\r\n    ProcessorNameString    REG_SZ    NVIDIA N1X\r\n\r\n")
            })
            .collect();
        let mut m = Machine::default();
        fill(&mut m, &arm);
        assert_eq!(m.cpu.brand.as_deref(), Some("NVIDIA N1X"));
        let kinds: Vec<_> = m.cpu.core_types.iter().map(|t| (t.name.as_str(), t.cpus.to_string())).collect();
        assert_eq!(kinds, [("Cortex-X925", "1,10".to_owned()), ("Cortex-A725", "0".to_owned())]);
        assert_eq!(m.cpu.family, None);

        let intel = format!(
            "{key}\\0\n    Identifier    REG_SZ    Intel64 Family 6 Model 151 Stepping 2\n    VendorIdentifier    REG_SZ    GenuineIntel\n"
        );
        let mut m = Machine::default();
        fill(&mut m, &intel);
        assert_eq!((m.cpu.family, m.cpu.model, m.cpu.stepping), (Some(6), Some(151), Some(2)));
        assert!(m.cpu.core_types.is_empty());
    }
}
