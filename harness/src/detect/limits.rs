//! What control groups (version 1 or 2) and the affinity mask leave to this process.

use spark_results::machine::{Absent, CpuSet, Limit, Limits};

use crate::os::SysRoot;

use super::known;

/// Version 1 has no word for "unlimited" memory, only the largest number of pages; real limits are far below.
const ENDLESS: u64 = 1 << 60;

pub(super) fn detect(root: &SysRoot, absent: &mut Vec<Absent>) -> Limits {
    let mut limits = Limits { affinity: known(absent, "limits.affinity", affinity(root)), ..Limits::default() };
    let groups = match root.text("/proc/self/cgroup") {
        Ok(text) => text,
        Err(why) => {
            absent.push(Absent::new("limits.cgroup_version", why));
            return limits;
        }
    };
    let controller = |name: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            parts.next()?.split(',').any(|c| c == name).then(|| parts.next()).flatten()
        })
    };
    // A hybrid system has both; the controllers are then version 1's.
    let old = ["cpu", "memory", "cpuset"].iter().any(|c| controller(c).is_some());
    limits.cgroup_version = Some(if old { 1 } else { 2 });
    let (cpu, memory, set) = if old {
        let at = |name: &str| {
            Levels::new(
                root,
                &[&format!("/sys/fs/cgroup/{name}"), "/sys/fs/cgroup/cpu,cpuacct"],
                controller(name).unwrap_or("/"),
            )
        };
        (
            at("cpu").least(quota_v1),
            at("memory").least(memory_v1),
            cpuset(&Levels::new(root, &["/sys/fs/cgroup/cpuset"], controller("cpuset").unwrap_or("/"))),
        )
    } else {
        let levels = Levels::new(root, &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], controller("").unwrap_or("/"));
        (levels.least(quota_v2), levels.least(memory_v2), cpuset(&levels))
    };
    let nothing = |file: &str| format!("no {file} in /sys/fs/cgroup, neither in this process's group nor above it");
    limits.cpu_quota =
        known(absent, "limits.cpu_quota", cpu.ok_or_else(|| nothing(if old { "cpu.cfs_quota_us" } else { "cpu.max" })));
    limits.memory_bytes = known(
        absent,
        "limits.memory_bytes",
        memory.ok_or_else(|| nothing(if old { "memory.limit_in_bytes" } else { "memory.max" })),
    );
    limits.cpuset = known(absent, "limits.cpuset", set.ok_or_else(|| nothing("cpuset")));
    limits
}

fn affinity(root: &SysRoot) -> Result<CpuSet, String> {
    let path = "/proc/self/status";
    let text = root.text(path)?;
    let list = text
        .lines()
        .find_map(|l| l.strip_prefix("Cpus_allowed_list:"))
        .ok_or_else(|| format!("{path} has no Cpus_allowed_list"))?;
    list.parse().map_err(|e| format!("{path}: {e}"))
}

/// The folders of a control group and of all above it: the tightest limit of them holds.
struct Levels<'a> {
    root: &'a SysRoot,
    folders: Vec<String>,
}

impl<'a> Levels<'a> {
    /// `group` under the first mount that is there; in a container only the mount's own folder may be visible.
    fn new(root: &'a SysRoot, mounts: &[&str], group: &str) -> Self {
        let mount = mounts.iter().find(|m| root.has(m)).unwrap_or(&"/sys/fs/cgroup");
        let mut folders = vec![(*mount).to_owned()];
        for part in group.split('/').filter(|p| !p.is_empty() && *p != "..") {
            let next = format!("{}/{part}", folders.last().map_or("", String::as_str));
            folders.push(next);
        }
        folders.reverse();
        Self { root, folders }
    }

    fn least<T: PartialOrd + Copy>(&self, read: impl Fn(&SysRoot, &str) -> Option<Limit<T>>) -> Option<Limit<T>> {
        self.folders.iter().filter_map(|f| read(self.root, f)).reduce(|a, b| match (a, b) {
            (Limit::At(x), Limit::At(y)) => Limit::At(if y < x { y } else { x }),
            (Limit::At(x), Limit::Unlimited) | (Limit::Unlimited, Limit::At(x)) => Limit::At(x),
            (Limit::Unlimited, Limit::Unlimited) => Limit::Unlimited,
        })
    }
}

/// `150000 100000` or `max 100000`: time per period.
fn quota_v2(root: &SysRoot, folder: &str) -> Option<Limit<f64>> {
    let line = root.line(format!("{folder}/cpu.max")).ok()?;
    let (quota, period) = line.split_once(' ').unwrap_or((&line, "100000"));
    if quota == "max" {
        return Some(Limit::Unlimited);
    }
    share(quota.parse().ok()?, period.parse().ok()?)
}

fn quota_v1(root: &SysRoot, folder: &str) -> Option<Limit<f64>> {
    let quota: f64 = root.value(format!("{folder}/cpu.cfs_quota_us")).ok()?;
    if quota < 0.0 {
        return Some(Limit::Unlimited);
    }
    share(quota, root.value(format!("{folder}/cpu.cfs_period_us")).ok()?)
}

fn share(quota: f64, period: f64) -> Option<Limit<f64>> {
    let cpus = quota / period;
    (cpus.is_finite() && cpus > 0.0).then_some(Limit::At(cpus))
}

fn memory_v2(root: &SysRoot, folder: &str) -> Option<Limit<u64>> {
    let line = root.line(format!("{folder}/memory.max")).ok()?;
    if line == "max" { Some(Limit::Unlimited) } else { line.parse().ok().map(Limit::At) }
}

fn memory_v1(root: &SysRoot, folder: &str) -> Option<Limit<u64>> {
    let bytes: u64 = root.value(format!("{folder}/memory.limit_in_bytes")).ok()?;
    Some(if bytes >= ENDLESS { Limit::Unlimited } else { Limit::At(bytes) })
}

/// The effective list of the innermost group that tells one already includes the groups above.
fn cpuset(levels: &Levels<'_>) -> Option<CpuSet> {
    let names = ["cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"];
    let list = |folder: &String| names.iter().find_map(|n| levels.root.value::<CpuSet>(format!("{folder}/{n}")).ok());
    levels.folders.iter().filter_map(list).find(|set| !set.is_empty())
}
