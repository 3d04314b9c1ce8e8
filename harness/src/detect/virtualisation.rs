//! Whether this is a virtual machine or a container, by whatever gives it away.

use spark_results::machine::{Absent, Product, Virtualisation};

use crate::os::SysRoot;

use super::cpuinfo::{self, CpuInfo};

/// Words in a maker's or product's name, and the hypervisor behind them.
const PRODUCTS: &[(&str, &str)] = &[
    ("KVM", "KVM"),
    ("QEMU", "QEMU"),
    ("VMware", "VMware"),
    ("VirtualBox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("Parallels", "Parallels"),
    ("Amazon EC2", "KVM (Amazon EC2)"),
    ("Google Compute Engine", "KVM (Google Compute Engine)"),
    ("Virtual Machine", "Hyper-V"),
    ("OpenStack", "OpenStack"),
    ("Bochs", "Bochs"),
    ("Apple Virtualization", "Apple Virtualization"),
    ("Firecracker", "Firecracker"),
];

pub(super) fn detect(
    root: &SysRoot,
    info: &CpuInfo,
    product: Option<&Product>,
    absent: &mut Vec<Absent>,
) -> Virtualisation {
    let mut v = Virtualisation::default();
    let mut saw = |who: Option<String>, by: &str| {
        v.virtual_machine = Some(true);
        v.hypervisor = v.hypervisor.take().or(who);
        v.seen_by.push(by.to_owned());
    };
    if let Ok(kind) = root.line("/sys/hypervisor/type") {
        saw(Some(if kind == "xen" { "Xen".to_owned() } else { kind }), "/sys/hypervisor");
    }
    if let Some(name) = product.and_then(by_product) {
        saw(Some(name.to_owned()), "product name");
    }
    if info.flags().contains(&"hypervisor") {
        saw(None, "cpuinfo flag");
    }
    if root.is_live() && cpuinfo::of_file(info).is_some_and(|arch| arch != std::env::consts::ARCH) {
        saw(Some("an instruction-set emulator".to_owned()), "cpuinfo of another architecture");
    }
    if root.is_live() {
        ask_processor(&mut v);
    }
    if v.virtual_machine.is_none() {
        let x86 = info.first("flags").is_some();
        // Every hypervisor that means to be seen sets the flag on x86; elsewhere only a product name can speak for bare metal.
        if x86 || product.is_some_and(|p| p.vendor.is_some() || p.name.is_some()) {
            v.virtual_machine = Some(false);
            v.seen_by.push(if x86 { "no cpuinfo flag" } else { "product name" }.to_owned());
        } else {
            absent.push(Absent::new(
                "virtualisation",
                "no processor flag, product name or /sys/hypervisor speaks for or against it",
            ));
        }
    }
    if v.virtual_machine == Some(true) && v.hypervisor.is_none() {
        absent.push(Absent::new(
            "virtualisation.hypervisor",
            "the processor says that it is virtual, but nothing says whose",
        ));
    }
    v.container = container(root);
    v
}

fn by_product(product: &Product) -> Option<&'static str> {
    let texts = [product.vendor.as_deref(), product.name.as_deref(), product.board.as_deref()];
    let named = |word: &str| texts.iter().flatten().any(|t| t.contains(word));
    // Amazon's bare-metal instances have the same maker and say so in their name.
    if product.name.as_deref().is_some_and(|n| n.ends_with(".metal") || n.contains(".metal-")) {
        return None;
    }
    PRODUCTS.iter().find(|(word, _)| named(word)).map(|(_, name)| *name)
}

fn container(root: &SysRoot) -> Option<String> {
    let kernel = root.line("/proc/sys/kernel/osrelease").unwrap_or_default().to_lowercase();
    let groups = root.text("/proc/1/cgroup").or_else(|_| root.text("/proc/self/cgroup")).unwrap_or_default();
    let named = |word: &str| groups.contains(word);
    let name = match () {
        () if root.has("/run/.containerenv") => "podman",
        () if named("kubepods") => "kubernetes",
        () if root.has("/.dockerenv") || named("/docker") => "docker",
        () if named("/lxc") => "lxc",
        () if kernel.contains("microsoft") => "wsl",
        () => return None,
    };
    Some(name.to_owned())
}

/// The hypervisor's own signature, leaf 0x4000_0000, valid only when leaf 1 says that there is a hypervisor.
#[cfg(target_arch = "x86_64")]
pub(super) fn ask_processor(v: &mut Virtualisation) {
    use std::arch::x86_64::__cpuid;
    if __cpuid(1).ecx >> 31 == 0 {
        v.virtual_machine = v.virtual_machine.or(Some(false));
        return;
    }
    let leaf = __cpuid(0x4000_0000);
    let bytes: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx].iter().flat_map(|r| r.to_le_bytes()).collect();
    let signature = spark_results::machine::clean(&String::from_utf8_lossy(&bytes));
    let name = match signature.as_str() {
        "KVMKVMKVM" => "KVM",
        "Microsoft Hv" => "Hyper-V",
        "VMwareVMware" => "VMware",
        "XenVMMXenVMM" => "Xen",
        "TCGTCGTCGTCG" => "QEMU (emulated)",
        "VBoxVBoxVBox" => "VirtualBox",
        "prl hyperv" | "lrpepyh vr" => "Parallels",
        "bhyve bhyve" => "bhyve",
        "ACRNACRNACRN" => "ACRN",
        other => other,
    };
    v.virtual_machine = Some(true);
    // The product name may know more than the signature: KVM of whom.
    if !name.is_empty() && v.hypervisor.is_none() {
        v.hypervisor = Some(name.to_owned());
    }
    v.seen_by.push("cpuid".to_owned());
}

/// Arm processors have no place to ask.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn ask_processor(_: &mut Virtualisation) {}
