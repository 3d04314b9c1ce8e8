//! The processors: who made them, what they can execute, how cores and caches are arranged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CpuSet;

/// The processors of a machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cpu {
    /// Who made it, such as `GenuineIntel`, `AuthenticAMD`, `Arm`, `Apple`.
    pub vendor: Option<String>,
    /// The name it gives itself; on Arm, which has none, composed from the core types: `10x Cortex-X925 + 10x Cortex-A725`.
    pub brand: Option<String>,
    /// x86 family.
    pub family: Option<u32>,
    /// x86 model.
    pub model: Option<u32>,
    /// x86 stepping.
    pub stepping: Option<u32>,
    /// Microcode revision as the kernel prints it.
    pub microcode: Option<String>,
    /// Instruction-set extensions that programs may use here, sorted: `avx2`, `avx512vnni`, `amx-int8`, `neon`, `i8mm`, `sve2` …
    pub isa: Vec<String>,
    /// Logical processors that are online.
    pub logical: Option<u32>,
    /// Physical cores that are online.
    pub physical: Option<u32>,
    /// Sockets.
    pub packages: Option<u32>,
    /// Whether one core runs more than one thread.
    pub smt: Option<bool>,
    /// The kinds of core, the fastest first; one entry on a uniform machine.
    pub core_types: Vec<CoreType>,
    /// The caches, level 1 first.
    pub caches: Vec<Cache>,
}

/// A kind of core and the processors of that kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoreType {
    /// Its name, such as `Cortex-X925`, or `P-core`; an unknown Arm part is `implementer 0x41 part 0xd99`.
    pub name: String,
    /// Arm MIDR implementer code.
    pub implementer: Option<u32>,
    /// Arm MIDR part number.
    pub part: Option<u32>,
    /// The logical processors of this kind.
    pub cpus: CpuSet,
    /// The scheduler's relative capacity of these cores; 1024 is the fastest of the machine.
    pub capacity: Option<Span>,
    /// Highest clock of these cores in kHz; cores of one kind may differ between clusters.
    pub max_khz: Option<Span>,
}

/// The lowest and the highest of a quantity over several cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The lowest.
    pub low: u64,
    /// The highest.
    pub high: u64,
}

impl Span {
    /// The span of some values; `None` of none.
    pub fn of(values: impl IntoIterator<Item = u64>) -> Option<Self> {
        values.into_iter().fold(None, |span: Option<Self>, v| {
            Some(span.map_or(Self { low: v, high: v }, |s| Self { low: s.low.min(v), high: s.high.max(v) }))
        })
    }
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

/// All caches of one level, kind and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cache {
    /// 1, 2, 3, …
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Bytes in one of them.
    pub size_bytes: u64,
    /// Bytes in a line.
    pub line_bytes: Option<u32>,
    /// How many of them the machine has.
    pub count: u32,
    /// For each of them, the logical processors that share it; empty when the system does not say.
    pub shared_by: Vec<CpuSet>,
}

impl Cpu {
    /// Bytes of the last-level cache that the processor `cpu` shares, `None` when caches are unknown.
    #[must_use]
    pub fn last_level_cache(&self, cpu: u32) -> Option<u64> {
        self.caches
            .iter()
            .filter(|c| c.kind != CacheKind::Instruction)
            .filter(|c| c.shared_by.is_empty() || c.shared_by.iter().any(|s| s.contains(cpu)))
            .max_by_key(|c| c.level)
            .map(|c| c.size_bytes)
    }

    /// Bytes of all caches of the highest level together, `None` when caches are unknown.
    #[must_use]
    pub fn last_level_total(&self) -> Option<u64> {
        let data = || self.caches.iter().filter(|c| c.kind != CacheKind::Instruction);
        let top = data().map(|c| c.level).max()?;
        Some(
            data()
                .filter(|c| c.level == top)
                .map(|c| c.size_bytes.saturating_mul(u64::from(c.count)))
                .fold(0, u64::saturating_add),
        )
    }
}
