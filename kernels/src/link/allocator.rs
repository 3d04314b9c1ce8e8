//! The ways to allocate memory that a host and a GPU may both work with.

use crate::Unsupported;
use crate::cuda::Properties;
use crate::cuda::sharing::Class;

/// Who gives the memory, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Allocator {
    /// The system, as for any program.
    Pageable,
    /// The driver, pinned.
    Pinned,
    /// The driver, pinned and write-combined: the host's reads of it crawl.
    WriteCombined,
    /// The system; pinned afterwards.
    Registered,
    /// The driver, for both.
    Managed,
    /// The same, advised to stay with the host and to be mapped by the GPU.
    ManagedAdvised,
    /// The driver, for the GPU.
    Device,
}

impl Allocator {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pageable,
        Self::Pinned,
        Self::WriteCombined,
        Self::Registered,
        Self::Managed,
        Self::ManagedAdvised,
        Self::Device,
    ];

    /// Its name in ids and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pageable => "pageable",
            Self::Pinned => "pinned",
            Self::WriteCombined => "write-combined",
            Self::Registered => "registered",
            Self::Managed => "managed",
            Self::ManagedAdvised => "managed-advised",
            Self::Device => "device",
        }
    }
    /// Whether there is such memory for this GPU. Errors: why not.
    pub fn available(self, gpu: &Properties) -> Result<(), Unsupported> {
        let sharing = &gpu.sharing;
        let no = |why: &str| Err(Unsupported(format!("{}: {why}", self.name())));
        match self {
            Self::Registered if !sharing.register => no("this GPU registers no memory of the host"),
            Self::Managed | Self::ManagedAdvised if !sharing.managed => no("this GPU has no managed memory"),
            // Advice is refused where pages do not move by faults.
            Self::ManagedAdvised if !sharing.concurrent => no("managed memory takes no advice here"),
            _ => Ok(()),
        }
    }
    /// Whether a kernel on this GPU reads it where it stands. Errors: why not.
    pub fn seen_by_gpu(self, gpu: &Properties) -> Result<(), Unsupported> {
        self.available(gpu)?;
        if self == Self::Pageable && !gpu.sharing.pageable {
            return Err(Unsupported("pageable: this GPU does not reach ordinary memory of the host".into()));
        }
        Ok(())
    }
    /// Whether the host reads it where it stands.
    pub const fn seen_by_host(self) -> bool {
        // Coherent or not, what `cuMemAlloc` gives is the GPU's alone.
        !matches!(self, Self::Device)
    }
    /// Whether CPU and GPU may work on it at the same time. Errors: why not.
    pub fn seen_by_both_at_once(self, gpu: &Properties) -> Result<(), Unsupported> {
        self.seen_by_gpu(gpu)?;
        match (self, gpu.sharing.class()) {
            (Self::Device, _) => Err(Unsupported("device: the host does not reach it".into())),
            // Pages that move by faults hold no line for both.
            (Self::Managed | Self::ManagedAdvised | Self::Pageable, class)
                if !matches!(class, Class::CoherentUma | Class::Superchip) =>
            {
                Err(Unsupported(format!("{}: {class}: both at once would move its page to and fro", self.name())))
            }
            _ => Ok(()),
        }
    }
    /// Whether the driver copies it without passing it through a buffer of its own, so that a copy can wait in a stream.
    pub const fn waits_in_a_stream(self) -> bool {
        matches!(self, Self::Pinned | Self::WriteCombined | Self::Registered | Self::Device)
    }
}
