//! Main memory, its pages and its nodes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CpuSet;

/// Main memory as the operating system counts it; all sizes in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Memory {
    /// Memory the kernel manages.
    pub total_bytes: Option<u64>,
    /// What a new program could get without swapping, at the time of detection.
    pub available_bytes: Option<u64>,
    /// Swap space.
    pub swap_total_bytes: Option<u64>,
    /// Swap space in use at the time of detection.
    pub swap_used_bytes: Option<u64>,
    /// Bytes in a base page: 4096, 16384 or 65536.
    pub page_bytes: Option<u64>,
    /// When the kernel gives huge pages by itself: `always`, `madvise` or `never`.
    pub transparent_huge_pages: Option<String>,
    /// How hard it tries to find one at a page fault: `always`, `defer`, `defer+madvise`, `madvise` or `never`.
    pub huge_page_defrag: Option<String>,
    /// Pools of huge pages, one for each size the kernel knows; empty when unknown.
    pub huge_page_pools: Vec<HugePagePool>,
}

/// Huge pages of one size that an administrator set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HugePagePool {
    /// Bytes in one page.
    pub page_bytes: u64,
    /// Pages set aside.
    pub reserved: u64,
    /// Pages of those that nobody uses.
    pub free: u64,
}

/// A node of memory and the processors near to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NumaNode {
    /// The kernel's number for it.
    pub id: u32,
    /// Processors of this node; none for memory-only nodes, such as a coherent GPU's.
    pub cpus: CpuSet,
    /// Its memory.
    pub total_bytes: Option<u64>,
}
