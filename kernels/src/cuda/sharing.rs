//! How a GPU and its host share memory, from what the driver says of the device.

use std::fmt;

/// What the driver says about sharing, each as its attribute says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sharing {
    /// Its memory is the host's (`INTEGRATED`).
    pub integrated: bool,
    /// It has managed memory (`MANAGED_MEMORY`).
    pub managed: bool,
    /// Host and device may touch managed memory at the same time (`CONCURRENT_MANAGED_ACCESS`).
    pub concurrent: bool,
    /// It reads memory that was allocated without it (`PAGEABLE_MEMORY_ACCESS`).
    pub pageable: bool,
    /// It does so through the host's page tables (`PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`).
    pub host_tables: bool,
    /// Memory of the host can be pinned after it was allocated (`HOST_REGISTER_SUPPORTED`).
    pub register: bool,
    /// Atomics on the host's memory are atomic for both (`HOST_NATIVE_ATOMIC_SUPPORTED`).
    pub native_atomics: bool,
    /// The host reads managed memory where it stands, on the device too (`DIRECT_MANAGED_MEM_ACCESS_FROM_HOST`).
    pub direct_from_host: bool,
    /// Engines that copy (`ASYNC_ENGINE_COUNT`).
    pub copy_engines: u32,
}

/// The kinds of memory sharing there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One coherent memory for both: GB10.
    CoherentUma,
    /// Two memories, each coherent to the other over the link between the chips: GH200, GB200.
    Superchip,
    /// The system moves ordinary memory by page faults (heterogeneous memory management).
    Hmm,
    /// The driver moves managed memory by page faults.
    ManagedFaults,
    /// The driver moves managed memory when a kernel is launched, and the host may not touch it until that has ended: Windows, WSL,
    /// old Jetsons.
    LegacyManaged,
    /// Nothing is shared but pinned memory.
    None,
}

impl Sharing {
    /// Which of them this is.
    pub const fn class(&self) -> Class {
        match self {
            Self { integrated: true, host_tables: true, .. } => Class::CoherentUma,
            Self { host_tables: true, .. } => Class::Superchip,
            Self { pageable: true, .. } => Class::Hmm,
            Self { managed: true, concurrent: true, .. } => Class::ManagedFaults,
            Self { managed: true, .. } => Class::LegacyManaged,
            _ => Class::None,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::CoherentUma => "coherent unified memory",
            Class::Superchip => "two coherent memories (superchip)",
            Class::Hmm => "ordinary memory moved by page faults (HMM)",
            Class::ManagedFaults => "managed memory moved by page faults",
            Class::LegacyManaged => "managed memory moved at launches (legacy)",
            Class::None => "pinned memory only",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_machine_has_its_class() {
        let managed = Sharing { managed: true, concurrent: true, ..Sharing::default() };
        let tables = Sharing { pageable: true, host_tables: true, ..managed };
        let all = [
            (Sharing { integrated: true, ..tables }, Class::CoherentUma),
            (tables, Class::Superchip),
            (Sharing { pageable: true, ..managed }, Class::Hmm),
            (managed, Class::ManagedFaults),
            (Sharing { concurrent: false, ..managed }, Class::LegacyManaged),
            // An old Jetson: its memory is the host's, and not coherent.
            (Sharing { integrated: true, concurrent: false, ..managed }, Class::LegacyManaged),
            (Sharing::default(), Class::None),
        ];
        for (sharing, class) in all {
            assert_eq!(sharing.class(), class, "{sharing:?}");
        }
    }
}
