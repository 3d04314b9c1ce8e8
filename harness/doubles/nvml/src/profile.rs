//! The machines that the double pretends to be.

/// What a driver and its GPU answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The name it is asked for by.
    pub key: &'static str,
    /// What the GPU calls itself.
    pub name: &'static str,
    /// The driver's version, which decides the numbers of fields.
    pub driver: &'static str,
    /// Compute capability.
    pub capability: (i32, i32),
    /// Seconds between two additions to the energy counter; `None`: it is refused.
    pub tick_s: Option<f64>,
    /// Whether fields are answered (power of the moment, counters of throttling).
    pub fields: bool,
    /// Whether the module's power is answered, and the energy counter is the module's.
    pub module: bool,
    /// Whether everything is refused.
    pub mute: bool,
    /// Bytes of memory of its own; `None`: the call is refused.
    pub memory: Option<u64>,
    /// Generation and width of the bus.
    pub pcie: (u32, u32),
}

const GB10: Profile = Profile {
    key: "gb10",
    name: "NVIDIA GB10",
    driver: "580.95.05",
    capability: (12, 1),
    tick_s: Some(0.1),
    fields: true,
    module: false,
    mute: false,
    memory: None,
    pcie: (1, 1),
};

/// All of them.
pub const ALL: &[Profile] = &[
    GB10,
    Profile { key: "jetson", name: "Orin (nvgpu)", driver: "540.4.0", capability: (8, 7), mute: true, ..GB10 },
    Profile {
        key: "discrete",
        name: "NVIDIA H100 PCIe",
        driver: "590.44.01",
        capability: (9, 0),
        tick_s: Some(0.02),
        memory: Some(80 << 30),
        pcie: (5, 16),
        ..GB10
    },
    Profile {
        key: "gh200",
        name: "NVIDIA GH200 480GB",
        driver: "570.86.15",
        capability: (9, 0),
        module: true,
        memory: Some(96 << 30),
        ..GB10
    },
    Profile {
        key: "old",
        name: "NVIDIA RTX A4000",
        driver: "550.54.14",
        capability: (8, 6),
        tick_s: None,
        fields: false,
        memory: Some(16 << 30),
        pcie: (4, 16),
        ..GB10
    },
];

impl Profile {
    /// The one called `key`.
    pub fn named(key: &str) -> Option<Self> {
        ALL.iter().copied().find(|p| p.key == key)
    }
    /// The number by which this driver knows the field that was `id` up to CUDA 12.
    pub fn field(&self, id: u32) -> u32 {
        let mut numbers = self.driver.split('.').filter_map(|n| n.parse::<u32>().ok());
        let newer = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (580, 82);
        if newer && (251..=255).contains(&id) { id + 18 } else { id }
    }
}
