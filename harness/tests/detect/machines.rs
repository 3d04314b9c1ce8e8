//! What is found in the files of a machine, and what is said to be missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::fixture::{CPU, desktop, file, gb10, look, tree};
use spark_bench::detect::{self, State};
use spark_bench::doctor;
use spark_bench::os::SysRoot;
use spark_results::Machine;
use spark_results::machine::{CacheKind, Limit, PowerSource};

#[test]
fn an_x86_desktop() {
    let m = look(&desktop());
    assert_eq!(m.host.as_deref(), Some("desk[31m"), "control characters are stripped");
    assert_eq!(m.architecture.as_deref(), Some("x86_64"));
    assert_eq!(
        (m.os.name.as_deref(), m.os.version.as_deref(), m.os.kernel.as_deref()),
        (Some("Ubuntu"), Some("24.04"), Some("6.8.0-45-generic"))
    );
    assert_eq!(
        (m.cpu.brand.as_deref(), m.cpu.family, m.cpu.model, m.cpu.stepping),
        (Some("AMD Ryzen 5 Test"), Some(25), Some(97), Some(2))
    );
    assert_eq!(m.cpu.isa, ["avx2", "avx512bf16", "avx512f", "avx512vnni", "fma", "sse4.2"]);
    assert_eq!((m.cpu.logical, m.cpu.physical, m.cpu.packages, m.cpu.smt), (Some(8), Some(4), Some(1), Some(true)));
    assert_eq!(m.cpu.core_types.len(), 1, "a favoured core is no kind of its own");
    let caches: Vec<_> = m.cpu.caches.iter().map(|c| (c.level, c.kind, c.size_bytes, c.count)).collect();
    let want = [
        (1, CacheKind::Data, 32 << 10, 4),
        (1, CacheKind::Instruction, 32 << 10, 4),
        (2, CacheKind::Unified, 1 << 20, 4),
        (3, CacheKind::Unified, 32 << 20, 1),
    ];
    assert_eq!(caches, want);
    assert_eq!(m.cpu.caches[2].shared_by[0].to_string(), "0,4");
    assert_eq!((m.cpu.last_level_cache(3), m.cpu.last_level_total()), (Some(32 << 20), Some(32 << 20)));
    assert_eq!((m.memory.total_bytes, m.memory.swap_used_bytes), (Some(32_768_000 * 1024), Some(500_000 * 1024)));
    assert_eq!(
        (m.memory.transparent_huge_pages.as_deref(), m.memory.huge_page_defrag.as_deref()),
        (Some("madvise"), Some("madvise"))
    );
    assert_eq!(m.frequency.policies.len(), 8);
    assert_eq!(
        (m.frequency.policies[2].governor.as_deref(), m.frequency.policies[2].hardware_max_khz, m.frequency.turbo),
        (Some("powersave"), Some(5_100_000), Some(true))
    );
    assert_eq!(m.virtualisation.virtual_machine, Some(false));
    assert_eq!((m.limits.cpu_quota, m.limits.memory_bytes), (Some(Limit::Unlimited), Some(Limit::Unlimited)));
    assert_eq!(m.limits.affinity.as_ref().map(ToString::to_string).as_deref(), Some("0-7"));
    assert_eq!((m.numa.len(), m.numa[0].total_bytes), (1, Some(32_768_000 * 1024)));
    assert_eq!(m.power_source, Some(PowerSource::Mains), "a mouse's battery does not feed the machine");
    assert!(
        m.why_absent("memory.page_bytes").is_some() && m.memory.page_bytes.is_none(),
        "nothing is taken from the live machine"
    );
}

#[test]
fn a_dgx_spark() {
    let m = look(&gb10());
    assert_eq!((m.architecture.as_deref(), m.cpu.vendor.as_deref()), (Some("aarch64"), Some("Arm")));
    assert_eq!(m.cpu.brand.as_deref(), Some("10x Cortex-X925 + 10x Cortex-A725"));
    let kinds: Vec<_> = m
        .cpu
        .core_types
        .iter()
        .map(|t| (t.name.as_str(), t.cpus.to_string(), t.part, t.max_khz.map(|s| (s.low, s.high))))
        .collect();
    let want = [
        ("Cortex-X925", "5-9,15-19".to_owned(), Some(0xd85), Some((3_900_000, 4_004_000))),
        ("Cortex-A725", "0-4,10-14".to_owned(), Some(0xd87), Some((2_808_000, 2_808_000))),
    ];
    assert_eq!(kinds, want);
    assert_eq!(m.cpu.isa, ["bf16", "dotprod", "fp16", "i8mm", "lse", "neon", "sve", "sve2"]);
    assert_eq!((m.cpu.logical, m.cpu.physical, m.cpu.smt), (Some(20), Some(20), Some(false)));
    assert_eq!(m.memory.page_bytes, Some(4096));
    let l3: Vec<_> = m.cpu.caches.iter().filter(|c| c.level == 3).map(|c| (c.size_bytes >> 20, c.count)).collect();
    assert_eq!(l3, [(8, 1), (16, 1)]);
    assert_eq!(
        (m.cpu.last_level_cache(0), m.cpu.last_level_cache(19), m.cpu.last_level_total()),
        (Some(8 << 20), Some(16 << 20), Some(24 << 20))
    );
    assert_eq!(m.virtualisation.virtual_machine, Some(false));
    assert_eq!(m.product.as_ref().and_then(|p| p.name.as_deref()), Some("NVIDIA_DGX_Spark"));

    let mut other = look(&gb10());
    other.host = Some("another".into());
    assert_eq!(m.fingerprint(), other.fingerprint());
    assert_ne!(m.fingerprint(), look(&desktop()).fingerprint());
}

#[test]
fn a_container_with_a_quota() {
    let mut files = desktop();
    files.retain(|(path, _)| !path.contains("cgroup"));
    files.extend([
        file("/proc/self/cgroup", "0::/\n"),
        file("/sys/fs/cgroup/cpu.max", "150000 100000\n"),
        file("/sys/fs/cgroup/memory.max", "2147483648\n"),
        file("/sys/fs/cgroup/cpuset.cpus.effective", "0-3\n"),
        file("/.dockerenv", ""),
    ]);
    let m = look(&files);
    assert_eq!(
        (m.limits.cgroup_version, m.limits.cpu_quota, m.limits.memory_bytes),
        (Some(2), Some(Limit::At(1.5)), Some(Limit::At(2 << 30)))
    );
    assert_eq!(m.limits.cpuset.as_ref().map(spark_results::machine::CpuSet::len), Some(4));
    assert_eq!(m.virtualisation.container.as_deref(), Some("docker"));
    assert_ne!(m.fingerprint(), look(&desktop()).fingerprint());
    let found = doctor::check(&m, &State::default());
    assert!(found.iter().any(|f| f.what.contains("1.50 CPUs") && f.mend.contains("--threads 1")), "{found:#?}");
    assert!(found.iter().any(|f| f.what.contains("2.0 GiB of 31.2 GiB")), "{found:#?}");
}

#[test]
fn old_control_groups_and_the_tightest_of_several_levels() {
    let mut files = desktop();
    files.retain(|(path, _)| !path.contains("cgroup"));
    files.extend([
        file("/proc/self/cgroup", "5:memory:/a/b\n4:cpu,cpuacct:/a\n3:cpuset:/\n1:name=systemd:/\n0::/\n"),
        file("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
        file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4294967296\n"),
        file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
        file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "50000\n"),
        file("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"),
        file("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-7\n"),
    ]);
    let m = look(&files);
    assert_eq!(
        (m.limits.cgroup_version, m.limits.cpu_quota, m.limits.memory_bytes),
        (Some(1), Some(Limit::At(0.5)), Some(Limit::At(4 << 30)))
    );
    assert_eq!(m.limits.cpuset.as_ref().map(spark_results::machine::CpuSet::len), Some(8));
}

#[test]
fn a_tree_with_nothing_gives_reasons_and_nothing_else() {
    let m = look(&[]);
    let only_reasons = Machine { absent: m.absent.clone(), os: m.os.clone(), ..Machine::default() };
    assert_eq!(m, only_reasons, "a value came from nowhere");
    assert_eq!(m.os.family.as_deref(), Some("linux"));
    for what in [
        "host",
        "architecture",
        "cpu",
        "cpu.brand",
        "cpu.isa",
        "cpu.logical",
        "cpu.physical",
        "cpu.caches",
        "memory",
        "memory.page_bytes",
        "memory.transparent_huge_pages",
        "frequency.policies",
        "frequency.turbo",
        "virtualisation",
        "limits.affinity",
        "limits.cgroup_version",
        "numa",
        "power_source",
        "product",
        "os.kernel",
        "os.name",
    ] {
        assert!(m.why_absent(what).is_some_and(|why| !why.is_empty()), "no reason for {what}: {:#?}", m.absent);
    }
    let dir = tree(&[]);
    let s = detect::state(&SysRoot::at(dir.path()), Duration::ZERO, false);
    assert!(
        s.load_1m.is_none()
            && s.busy.is_none()
            && s.steal.is_none()
            && s.available_bytes.is_none()
            && s.processes.is_empty()
    );
    for what in ["load_1m", "steal", "available_bytes", "processes", "zones", "power_source"] {
        assert!(s.absent.iter().any(|a| a.what == what), "no reason for {what}: {:#?}", s.absent);
    }
}

#[test]
fn files_that_lie_do_no_harm() {
    let m = look(&[
        file(
            "/proc/cpuinfo",
            "processor\t: 99999999999\nflags : x\n:\n::::\nprocessor: 0\nvendor_id: \u{202e}evil\nmodel name\t: "
                .to_owned()
                + &"A".repeat(100_000),
        ),
        file("/proc/meminfo", "MemTotal: 99999999999999999999 kB\nMemAvailable: -5 kB\nSwapTotal: kB\n"),
        file(format!("{CPU}/online"), "0-4294967295\n"),
        file("/proc/self/cgroup", "0::/../../../etc\n"),
        file("/sys/fs/cgroup/cpu.max", "100000 0\n"),
        file("/sys/fs/cgroup/memory.max", "lots\n"),
        file(format!("{CPU}/cpu0/cache/index0/level"), "1\n"),
        file(format!("{CPU}/cpu0/cache/index0/size"), "18446744073709551615G\n"),
        file(format!("{CPU}/cpu0/cache/index0/type"), "Data\n"),
        file("/sys/kernel/mm/transparent_hugepage/enabled", "]always[\n"),
    ]);
    assert_eq!((m.cpu.logical, m.cpu.vendor.as_deref()), (Some(1), Some("evil")));
    assert!(m.cpu.brand.is_some_and(|b| b.chars().count() <= 256));
    assert_eq!(
        (m.memory.total_bytes, m.memory.available_bytes, m.limits.cpu_quota, m.limits.memory_bytes),
        (None, None, None, None)
    );
    assert!(m.cpu.caches.is_empty() && m.memory.transparent_huge_pages.is_none());
}

#[test]
fn this_machine() {
    let m = detect::machine(&SysRoot::live());
    assert_eq!(m.architecture.as_deref(), Some(std::env::consts::ARCH));
    assert!(m.cpu.logical.is_some_and(|n| n > 0), "{:#?}", m.absent);
    assert!(m.memory.total_bytes.is_some_and(|b| b > 64 << 20));
    assert!(m.memory.page_bytes.is_some_and(u64::is_power_of_two));
    #[cfg(target_arch = "x86_64")]
    assert_eq!(m.cpu.isa.iter().any(|i| i == "avx2"), std::is_x86_feature_detected!("avx2"));
    let back: Machine = serde_json::from_str(&serde_json::to_string(&m).unwrap()).unwrap();
    assert_eq!(back, m);
    assert_eq!(m.fingerprint(), detect::machine(&SysRoot::live()).fingerprint());
    let whats: BTreeSet<&str> = m.absent.iter().map(|a| a.what.as_str()).collect();
    assert_eq!(whats.len(), m.absent.len(), "one reason for each missing thing: {:#?}", m.absent);
}

#[test]
fn the_root_of_a_test_is_a_root() {
    let root = SysRoot::at(Path::new("/nowhere"));
    assert!(!root.is_live() && SysRoot::live().is_live());
    assert!(root.text("/proc/cpuinfo").is_err());
}
