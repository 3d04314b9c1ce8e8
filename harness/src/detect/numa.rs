//! NUMA nodes.

use spark_results::machine::{Absent, NumaNode};

use crate::os::SysRoot;

use super::memory;

pub(super) fn detect(root: &SysRoot, absent: &mut Vec<Absent>) -> Vec<NumaNode> {
    let folder = "/sys/devices/system/node";
    let nodes: Vec<NumaNode> = root
        .numbered(folder, "node")
        .into_iter()
        .map(|(id, name)| NumaNode {
            id,
            // A node of memory only has an empty list, which reads as an error.
            cpus: root.value(format!("{folder}/{name}/cpulist")).unwrap_or_default(),
            total_bytes: root.text(format!("{folder}/{name}/meminfo")).ok().and_then(|text| total(&text)),
        })
        .collect();
    if nodes.is_empty() {
        absent.push(Absent::new("numa", format!("{folder} lists no node")));
    }
    nodes
}

/// The lines are those of /proc/meminfo behind `Node 0 `.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.find("MemTotal").map(|at| &l[at..]))?;
    memory::of(line, "MemTotal")
}
