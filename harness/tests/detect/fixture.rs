//! The files of machines that are not here: a desktop and a DGX Spark.

use std::fs;

use spark_bench::detect;
use spark_bench::os::SysRoot;
use spark_results::Machine;

/// A folder with files, each `path` and text.
pub(crate) fn tree(files: &[(String, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

pub(crate) fn file(path: impl Into<String>, text: impl Into<String>) -> (String, String) {
    (path.into(), text.into())
}

pub(crate) fn look(files: &[(String, String)]) -> Machine {
    let dir = tree(files);
    detect::machine(&SysRoot::at(dir.path()))
}

pub(crate) const CPU: &str = "/sys/devices/system/cpu";

/// Four cores of two threads, mains, huge pages by madvise, a governor.
pub(crate) fn desktop() -> Vec<(String, String)> {
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

/// 20 cores in two clusters, each 5 A725 then 5 X925; each kind has two highest clocks.
pub(crate) fn gb10() -> Vec<(String, String)> {
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
