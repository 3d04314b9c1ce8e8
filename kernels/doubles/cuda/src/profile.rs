//! The machines that the double pretends to be.

/// What a driver says of its GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The name it is asked for by.
    pub key: &'static str,
    /// What the GPU calls itself.
    pub name: &'static str,
    /// Compute capability.
    pub capability: (i32, i32),
    /// Multiprocessors.
    pub sms: i32,
    /// Bytes of memory.
    pub memory: u64,
    /// Whether that memory is the host's.
    pub integrated: bool,
    /// How it shares memory with the host.
    pub sharing: Sharing,
    /// Bytes of the second-level cache.
    pub l2_bytes: i32,
    /// Bytes of shared memory: the most of a block that asks for it, and of a multiprocessor.
    pub shared: (i32, i32),
    /// Clocks in kHz, of the multiprocessors and of the memory, and the width of the bus to it in bits.
    pub clocks: (i32, i32, i32),
}

/// How a device shares memory with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// It reads the host's page tables.
    Tables,
    /// Managed memory moves by faults.
    Faults,
    /// Managed memory moves when a kernel is launched, and the host may not touch it meanwhile.
    AtLaunch,
}

/// All of them.
pub const ALL: &[Profile] = &[
    Profile {
        key: "gb10",
        name: "NVIDIA GB10",
        capability: (12, 1),
        sms: 48,
        memory: 128_520_060_928,
        integrated: true,
        sharing: Sharing::Tables,
        l2_bytes: 24 << 20,
        shared: (99 << 10, 100 << 10),
        clocks: (2_418_000, 8_533_000, 256),
    },
    Profile {
        key: "discrete",
        name: "NVIDIA GeForce RTX 4090",
        capability: (8, 9),
        sms: 128,
        memory: 24 << 30,
        integrated: false,
        sharing: Sharing::Faults,
        l2_bytes: 72 << 20,
        shared: (99 << 10, 100 << 10),
        clocks: (2_520_000, 10_501_000, 384),
    },
    Profile {
        key: "h200",
        name: "NVIDIA H200",
        capability: (9, 0),
        sms: 132,
        memory: 150_000_000_000,
        integrated: false,
        sharing: Sharing::Faults,
        l2_bytes: 60 << 20,
        shared: (227 << 10, 228 << 10),
        clocks: (1_980_000, 3_201_000, 6144),
    },
    Profile {
        key: "mig",
        name: "NVIDIA H200 MIG 1g.18gb",
        capability: (9, 0),
        sms: 16,
        memory: 18 << 30,
        integrated: false,
        sharing: Sharing::Faults,
        l2_bytes: 7 << 20,
        shared: (227 << 10, 228 << 10),
        clocks: (1_980_000, 3_201_000, 768),
    },
    Profile {
        key: "gh200",
        name: "NVIDIA GH200 480GB",
        capability: (9, 0),
        sms: 132,
        memory: 102_000_000_000,
        integrated: false,
        sharing: Sharing::Tables,
        l2_bytes: 60 << 20,
        shared: (227 << 10, 228 << 10),
        clocks: (1_980_000, 2_619_000, 6144),
    },
    Profile {
        key: "wsl",
        name: "NVIDIA GeForce RTX 4090",
        capability: (8, 9),
        sms: 128,
        memory: 24 << 30,
        integrated: false,
        sharing: Sharing::AtLaunch,
        l2_bytes: 72 << 20,
        shared: (99 << 10, 100 << 10),
        clocks: (2_520_000, 10_501_000, 384),
    },
];

impl Profile {
    /// The one called `key`.
    pub fn named(key: &str) -> Option<Self> {
        ALL.iter().copied().find(|p| p.key == key)
    }

    /// A device attribute by its number in NVIDIA's header; those that are not known are 0, as a driver says of what it has not.
    pub fn attribute(&self, number: i32) -> i32 {
        let own = i32::from(self.integrated);
        match number {
            1..=3 => 1024,
            4 => 64,
            5 => i32::MAX,
            6 | 7 => 65_535,
            8 => 48 << 10,
            9 => 64 << 10,
            10 => 32,
            12 | 82 => 65_536,
            13 => self.clocks.0,
            15 => 1,
            16 => self.sms,
            18 => own,
            // Memory of the host can be mapped, kernels run beside each other, one engine or three copy.
            19 | 31 | 41 => 1,
            33 => 1,
            36 => self.clocks.1,
            37 => self.clocks.2,
            38 => self.l2_bytes,
            39 => {
                if self.capability.0 == 9 {
                    2048
                } else {
                    1536
                }
            }
            40 => {
                if self.integrated {
                    1
                } else {
                    3
                }
            }
            50 => 15 * own,
            75 => self.capability.0,
            76 => self.capability.1,
            81 => self.shared.1,
            83 => 1,
            89 => i32::from(self.sharing != Sharing::AtLaunch),
            // Pageable memory through the host's own tables: coherent memory has it.
            86 | 88 | 100 => i32::from(self.sharing == Sharing::Tables),
            95 => 1,
            97 => self.shared.0,
            // GB10 registers no memory of the host.
            99 => 1 - own,
            106 => {
                if self.capability.0 == 9 {
                    32
                } else {
                    24
                }
            }
            111 => 1024,
            115 => 1,
            120 => i32::from(self.capability.0 >= 9),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_differ_where_it_matters() {
        let of = |key| Profile::named(key).expect("a profile of that name");
        assert_eq!([75, 76, 18, 99].map(|n| of("gb10").attribute(n)), [12, 1, 1, 0]);
        assert_eq!([75, 76, 18, 99].map(|n| of("h200").attribute(n)), [9, 0, 0, 1]);
        assert_eq!(of("discrete").attribute(16), 128);
        assert_eq!(of("h200").attribute(4711), 0);
        assert_eq!([18, 86, 88, 89, 100].map(|n| of("gh200").attribute(n)), [0, 1, 1, 1, 1]);
        assert_eq!([18, 83, 88, 89, 100].map(|n| of("wsl").attribute(n)), [0, 1, 0, 0, 0]);
        assert!(Profile::named("gb11").is_none());
    }
}
