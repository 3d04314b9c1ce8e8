//! Detection, doctor and telemetry over the files of other machines, and over this one.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spark_bench::detect::{self, Busy, State, Zone};
use spark_bench::doctor::{self, Severity};
use spark_bench::os::SysRoot;
use spark_bench::telemetry::{self, Sampler};
use spark_results::Machine;
use spark_results::machine::{CacheKind, Limit, PowerSource};
use spark_results::telemetry::{Line, Status};

/// A folder with files, each `path` and text.
fn tree(files: &[(String, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn file(path: impl Into<String>, text: impl Into<String>) -> (String, String) {
    (path.into(), text.into())
}

fn look(files: &[(String, String)]) -> Machine {
    let dir = tree(files);
    detect::machine(&SysRoot::at(dir.path()))
}

const CPU: &str = "/sys/devices/system/cpu";

/// Four cores of two threads, mains, huge pages by madvise, a governor.
fn desktop() -> Vec<(String, String)> {
    let mut files = vec![
        file(
            "/proc/meminfo",
            "MemTotal:       32768000 kB\nMemFree: 1 kB\nMemAvailable:   30000000 kB\nSwapTotal: 2000000 kB\nSwapFree: 1500000 kB\n",
        ),
        file("/proc/sys/kernel/hostname", "desk\u{1b}[31m\n"),
        file("/proc/sys/kernel/osrelease", "6.8.0-45-generic\n"),
        file("/etc/os-release", "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\n"),
        file("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-7\n"),
        file("/proc/self/cgroup", "0::/user.slice/session-2.scope\n"),
        file("/sys/fs/cgroup/user.slice/session-2.scope/memory.max", "max\n"),
        file("/sys/fs/cgroup/user.slice/cpu.max", "max 100000\n"),
        file("/sys/fs/cgroup/cpuset.cpus.effective", "0-7\n"),
        file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        file("/sys/kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise [madvise] never\n"),
        file("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n"),
        file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n"),
        file("/sys/class/dmi/id/sys_vendor", "ASUS\n"),
        file("/sys/class/dmi/id/product_name", "System Product Name\n"),
        file("/sys/class/power_supply/AC/type", "Mains\n"),
        file("/sys/class/power_supply/AC/online", "1\n"),
        file("/sys/class/power_supply/hidpp/type", "Battery\n"),
        file("/sys/class/power_supply/hidpp/scope", "Device\n"),
        file("/sys/class/power_supply/hidpp/status", "Discharging\n"),
        file("/sys/devices/system/node/node0/cpulist", "0-7\n"),
        file("/sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:       32768000 kB\nNode 0 MemFree: 5 kB\n"),
        file(format!("{CPU}/online"), "0-7\n"),
        file(format!("{CPU}/smt/active"), "1\n"),
        file(format!("{CPU}/cpufreq/boost"), "1\n"),
    ];
    let mut info = String::new();
    for cpu in 0..8 {
        let core = cpu % 4;
        info += &format!(
            "processor\t: {cpu}\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 97\nmodel name\t: AMD Ryzen 5 Test\nstepping\t: 2\n\
             physical id\t: 0\ncore id\t\t: {core}\nflags\t\t: fpu sse4_2 avx2 fma avx512f avx512_vnni avx512_bf16\n\n"
        );
        let siblings = format!("{core},{}\n", core + 4);
        files.push(file(format!("{CPU}/cpu{cpu}/topology/thread_siblings_list"), siblings.clone()));
        files.push(file(format!("{CPU}/cpu{cpu}/topology/physical_package_id"), "0\n"));
        let caches = [
            ("1", "Data", "32K", siblings.as_str()),
            ("1", "Instruction", "32K", &siblings),
            ("2", "Unified", "1024K", &siblings),
            ("3", "Unified", "32M", "0-7\n"),
        ];
        for (i, (level, kind, size, shared)) in caches.into_iter().enumerate() {
            let at = |f: &str| format!("{CPU}/cpu{cpu}/cache/index{i}/{f}");
            files.extend([
                file(at("level"), level),
                file(at("type"), kind),
                file(at("size"), size),
                file(at("shared_cpu_list"), shared),
                file(at("coherency_line_size"), "64\n"),
            ]);
        }
        let policy = |f: &str| format!("{CPU}/cpufreq/policy{cpu}/{f}");
        files.extend([
            file(policy("scaling_governor"), "powersave\n"),
            file(policy("scaling_driver"), "amd-pstate-epp\n"),
            file(policy("scaling_max_freq"), "5000000\n"),
            file(policy("cpuinfo_max_freq"), if cpu == 2 { "5100000\n" } else { "5000000\n" }),
            file(policy("related_cpus"), format!("{cpu}\n")),
            file(policy("scaling_cur_freq"), "3000000\n"),
        ]);
    }
    files.push(file("/proc/cpuinfo", info));
    files
}

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

/// 20 cores in two clusters, each 5 A725 then 5 X925; each kind has two highest clocks.
fn gb10() -> Vec<(String, String)> {
    let mut files = vec![
        file(
            "/proc/meminfo",
            "MemTotal:       125512000 kB\nMemAvailable:   120000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        ),
        file("/proc/self/smaps", "aaaa-bbbb r-xp 0 0 0 /x\nSize: 4 kB\nKernelPageSize:        4 kB\n"),
        file("/sys/class/dmi/id/product_name", "NVIDIA_DGX_Spark\n"),
        file("/sys/class/dmi/id/sys_vendor", "NVIDIA\n"),
        file(format!("{CPU}/online"), "0-19\n"),
    ];
    let mut info = String::new();
    for cpu in 0..20u32 {
        let fast = cpu % 10 >= 5;
        let (part, capacity) = if fast { ("0xd85", 1024) } else { ("0xd87", 718) };
        let clock = match (fast, cpu < 10) {
            (true, true) => 3_900_000,
            (true, false) => 4_004_000,
            (false, _) => 2_808_000,
        };
        info += &format!(
            "processor\t: {cpu}\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd asimdhp asimddp i8mm bf16 sve sve2 atomics\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {part}\nCPU revision\t: 1\n\n"
        );
        files.push(file(format!("{CPU}/cpu{cpu}/cpu_capacity"), format!("{capacity}\n")));
        files.push(file(format!("{CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq"), format!("{clock}\n")));
        files.push(file(format!("{CPU}/cpu{cpu}/topology/core_cpus_list"), format!("{cpu}\n")));
        let l3 = if cpu < 10 { ("8192K", "0-9") } else { ("16384K", "10-19") };
        let (l2, own) = (if fast { "2048K" } else { "512K" }, cpu.to_string());
        for (i, (level, kind, size, shared)) in
            [("1", "Data", "64K", own.as_str()), ("2", "Unified", l2, &own), ("3", "Unified", l3.0, l3.1)]
                .into_iter()
                .enumerate()
        {
            let at = |f: &str| format!("{CPU}/cpu{cpu}/cache/index{i}/{f}");
            files.extend([
                file(at("level"), level),
                file(at("type"), kind),
                file(at("size"), size),
                file(at("shared_cpu_list"), shared),
            ]);
        }
    }
    files.push(file("/proc/cpuinfo", info));
    for zone in 0..7 {
        files.push(file(format!("/sys/class/thermal/thermal_zone{zone}/type"), "acpitz\n"));
        files.push(file(format!("/sys/class/thermal/thermal_zone{zone}/temp"), format!("{}\n", 45_000 + zone * 1000)));
    }
    let spbm = |f: &str| format!("/sys/class/hwmon/hwmon3/{f}");
    files.extend([
        file(spbm("name"), "spbm\n"),
        file(spbm("power1_input"), "25000000\n"),
        file(spbm("power1_label"), "sys_total\n"),
        file(spbm("power2_input"), "N/A\n"),
    ]);
    files
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

/// Spoils one thing.
type Change<T> = fn(&mut T);

/// A state in which nothing is wrong.
fn quiet() -> State {
    State {
        load_1m: Some(0.1),
        steal: Some(0.0),
        available_bytes: Some(30 << 30),
        swap_used_bytes: Some(0),
        on_battery: Some(false),
        power_sensors: vec!["rapl package-0 energy".into()],
        ..State::default()
    }
}

#[test]
fn each_thing_that_spoils_is_found_and_has_a_mend() {
    let desk = look(&desktop());
    let of = |m: &Machine, s: &State| doctor::check(m, s);
    let base: Vec<String> = of(&desk, &quiet()).into_iter().map(|f| f.what).collect();
    assert!(base.len() == 2 && base[0].contains("powersave") && base[1].contains("SMT"), "{base:#?}");

    let states: [(&str, Severity, Change<State>); 10] = [
        ("debug build", Severity::Spoils, |s| s.debug_build = true),
        ("load average", Severity::Warning, |s| s.load_1m = Some(0.6)),
        ("load average", Severity::Spoils, |s| s.load_1m = Some(8.0)),
        ("hypervisor gives 1.0 %", Severity::Warning, |s| {
            s.steal = Some(0.01);
        }),
        ("hypervisor gives 9.0 %", Severity::Spoils, |s| {
            s.steal = Some(0.09);
        }),
        ("other processes are working: chrome (0.9 CPUs)", Severity::Warning, |s| {
            s.processes = vec![Busy { name: "chrome".into(), cpus: 0.9 }];
        }),
        ("1.0 GiB of memory is free", Severity::Warning, |s| {
            s.available_bytes = Some(1 << 30);
        }),
        ("swap", Severity::Warning, |s| {
            s.swap_used_bytes = Some(1 << 30);
        }),
        ("battery", Severity::Spoils, |s| s.on_battery = Some(true)),
        ("acpitz 3 is at 91", Severity::Warning, |s| {
            s.zones = vec![Zone { name: "acpitz 3".into(), celsius: 91.0 }];
        }),
    ];
    for (what, severity, change) in states {
        let mut s = quiet();
        change(&mut s);
        let found = of(&desk, &s);
        let new: Vec<_> = found.iter().filter(|f| !base.contains(&f.what)).collect();
        assert!(new.len() == 1 && new[0].what.contains(what) && new[0].severity == severity, "{what}: {new:#?}");
        assert!(found.is_sorted_by_key(|f| std::cmp::Reverse(f.severity)));
    }
    let machines: [(&str, Change<Machine>); 4] = [
        ("never", |m| {
            m.memory.transparent_huge_pages = Some("never".into());
        }),
        ("virtual machine under KVM", |m| {
            m.virtualisation.virtual_machine = Some(true);
            m.virtualisation.hypervisor = Some("KVM".into());
        }),
        ("turbo", |m| m.frequency.turbo = None),
        ("bounds are unknown", |m| m.frequency.policies.clear()),
    ];
    for (what, change) in machines {
        let mut m = desk.clone();
        change(&mut m);
        let found = of(&m, &quiet());
        assert!(found.iter().any(|f| f.what.contains(what) && !base.contains(&f.what)), "{what}: {found:#?}");
    }
    let nothing = doctor::check(&Machine::default(), &State::default());
    assert!(nothing.iter().any(|f| f.what.contains("no sensor tells power")), "{nothing:#?}");
    assert!(nothing.iter().all(|f| !f.mend.is_empty() && !f.why.is_empty()));
}

#[test]
fn sensors_of_a_dgx_spark_say_what_they_have_and_what_not() {
    let dir = tree(&gb10());
    let mut channels = Vec::new();
    let mut readings = Vec::new();
    for mut sensor in telemetry::sensors(&SysRoot::at(dir.path())) {
        let asked = sensor.probe();
        assert!(!asked.is_empty(), "{} said nothing", sensor.name());
        channels.extend(asked);
        readings.extend(sensor.read());
    }
    let zones: Vec<f64> = readings.iter().filter(|r| r.quantity == "temperature").map(|r| r.value).collect();
    assert_eq!(zones, [45.0, 46.0, 47.0, 48.0, 49.0, 50.0, 51.0]);
    let power: Vec<_> = readings
        .iter()
        .filter(|r| r.quantity == "power")
        .map(|r| (r.scope.as_str(), r.value, r.unit.as_str()))
        .collect();
    assert_eq!(power, [("spbm sys_total", 25.0, "W")]);
    let refused: BTreeSet<&str> =
        channels.iter().filter(|c| c.status == Status::Refused).map(|c| c.name.as_str()).collect();
    assert!(["cpu load", "hwmon", "nvml", "rapl"].iter().all(|n| refused.contains(n)), "{refused:?}");
    assert!(channels.iter().all(|c| (c.status == Status::Refused) == c.reason.is_some()));
}

#[cfg(unix)]
#[test]
fn energy_wraps_and_a_refused_zone_has_its_mend() {
    let zone = |z: &str, f: &str| format!("/sys/class/powercap/{z}/{f}");
    let dir = tree(&[
        file(zone("intel-rapl:0", "name"), "package-0\n"),
        file(zone("intel-rapl:0", "energy_uj"), "900000\n"),
        file(zone("intel-rapl:0", "max_energy_range_uj"), "999999\n"),
        file(zone("intel-rapl:0:0", "name"), "core\n"),
    ]);
    let mut sensors = telemetry::sensors(&SysRoot::at(dir.path()));
    let rapl = sensors.iter_mut().find(|s| s.name() == "rapl").unwrap();
    let channels = rapl.probe();
    let told: Vec<_> = channels.iter().map(|c| (c.scope.as_deref(), c.status)).collect();
    assert_eq!(told, [(Some("package-0"), Status::Ok), (Some("package-0/core"), Status::Refused)]);
    assert!(channels[1].reason.as_deref().is_some_and(|r| r.contains("no such file")), "{channels:?}");
    fs::write(dir.path().join("sys/class/powercap/intel-rapl:0/energy_uj"), "100000\n").unwrap();
    let readings = rapl.read();
    assert_eq!(readings.len(), 1);
    assert!((readings[0].value - 0.2).abs() < 1e-9 && readings[0].unit == "J", "{readings:?}");
}

/// A file in memory.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_sampler_writes_a_header_then_samples_and_never_nothing() {
    let out = Shared::default();
    let start = Instant::now();
    let sampler = Sampler::start(Box::new(out.clone()), telemetry::sensors(&SysRoot::live()), start).unwrap();
    let header = sampler.header().clone();
    let began = Instant::now();
    // A tick of the kernel's clock must pass for a load; at least one does within this, however slow the machine is.
    while sampler.between(0, u64::MAX).len() < 3 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let at_hand = sampler.between(0, u64::MAX);
    assert!(sampler.between(at_hand[0].t_ns, at_hand[0].t_ns).len() == 1);
    let cost = sampler.stop();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Line> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0], Line::Header(header.clone()));
    for name in ["cpu load", "memory", "cpufreq", "thermal", "hwmon", "rapl", "nvml"] {
        assert!(header.sensors.iter().any(|c| c.name == name), "{name} is not in the header");
    }
    assert!(header.sensors.iter().any(|c| c.name == "memory" && c.status == Status::Ok));
    let samples: Vec<_> = lines[1..]
        .iter()
        .map(|l| match l {
            Line::Sample(s) => s,
            Line::Header(_) => panic!("two headers"),
        })
        .collect();
    assert_eq!(cost.samples, samples.len() as u64);
    assert!(samples.len() >= 2 && samples.is_sorted_by_key(|s| s.t_ns));
    assert!(samples.iter().all(|s| !s.readings.is_empty()));
    let ok: BTreeSet<_> = header
        .sensors
        .iter()
        .filter(|c| c.status == Status::Ok)
        .map(|c| (c.quantity.clone(), c.scope.clone(), c.source.clone()))
        .collect();
    for r in samples.iter().flat_map(|s| &s.readings) {
        assert!(
            ok.contains(&(Some(r.quantity.clone()), Some(r.scope.clone()), Some(r.source.clone()))),
            "{r:?} is not announced"
        );
    }
    assert_eq!(cost.error, None);
    if cfg!(target_os = "linux") {
        assert!(cost.cpu.is_ok() && cost.share().is_some(), "{cost:?}");
    }
}

/// A disk that is full after so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 =
            self.0.checked_sub(bytes.len()).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::StorageFull))?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported_and_ends_nothing() {
    let sensors = || telemetry::sensors(&SysRoot::live());
    assert!(Sampler::start(Box::new(Full(10)), sensors(), Instant::now()).is_err());
    let room = serde_json::to_string(&Line::Header(spark_results::telemetry::Header {
        sensors: sensors().iter_mut().flat_map(|s| s.probe()).collect(),
    }))
    .unwrap()
    .len();
    let sampler = Sampler::start(Box::new(Full(room + 1)), sensors(), Instant::now()).unwrap();
    let cost = sampler.stop();
    assert!(cost.error.is_some() && cost.samples >= 1, "{cost:?}");
}

#[test]
fn the_root_of_a_test_is_a_root() {
    let root = SysRoot::at(Path::new("/nowhere"));
    assert!(!root.is_live() && SysRoot::live().is_live());
    assert!(root.text("/proc/cpuinfo").is_err());
}
