//! One side that writes and reads a buffer which both reach, each pass as a whole and once.

use crate::workload::Decline;
use spark_kernels::cuda::Gpu;
use spark_kernels::link::Region;
use spark_kernels::read::Read;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::write::Write;
use spark_kernels::{
    Buffer, Device, Fault, Host, Implementation, Io, Live, Op, Placement, Prepared, Type, best, device,
};
use std::sync::Arc;
use std::time::Duration;

/// A CPU or a GPU, with what it writes and reads by.
pub(super) struct Reader {
    /// `cpu` or `gpu`.
    pub(super) name: &'static str,
    device: Arc<dyn Device>,
    on_gpu: bool,
    write: Box<dyn Prepared>,
    read: Box<dyn Prepared>,
    pattern: Buffer,
    total: Buffer,
    next: Buffer,
    live: Live,
    /// What a buffer adds up to that this side has written.
    pub(super) sum: u64,
}

/// What is written, again and again.
fn pattern() -> Vec<u32> {
    (0..16_u32).map(|at| at.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995).collect()
}

impl Reader {
    /// For buffers of `bytes`. Of the ways to read that there are the one is taken that reads fastest here. Errors: no memory, no compiler.
    pub(super) fn new(device: Arc<dyn Device>, bytes: usize) -> Result<Self, Decline> {
        let set = WorkingSet::new(bytes, device.threads()).once();
        let words = pattern();
        let pairs = words.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32);
        let sum = pairs.fold(0, u64::wrapping_add).wrapping_mul(bytes as u64 / 64);
        let unsupported = |why: spark_kernels::Unsupported| Decline::Skip(why.to_string());
        let (read, write) = (Read(set), Write(set));
        let mut this = Self {
            name: if Gpu::of(&*device).is_ok() { "gpu" } else { "cpu" },
            on_gpu: Gpu::of(&*device).is_ok(),
            write: best(&write, &*device).map_err(unsupported)?.prepare(&write, &[], &*device)?,
            read: best(&read, &*device).map_err(unsupported)?.prepare(&read, &[], &*device)?,
            pattern: device.upload(&Host::from(words))?,
            total: device.alloc(Type::U32, 2, Placement::Fast)?,
            next: device.alloc(Type::U32, 1, Placement::Fast)?,
            live: read.live(),
            device,
            sum,
        };
        this.choose(&read)?;
        Ok(this)
    }
    /// Tries every way to read on memory of this side's own.
    fn choose(&mut self, read: &Read) -> Result<(), Decline> {
        let simulated = Gpu::of(&*self.device).is_ok_and(Gpu::simulated);
        let own = self.device.alloc(Type::U64, read.0.bytes / 8, Placement::Fast)?;
        let mut fastest: Option<(Duration, Box<dyn Prepared>)> = None;
        let device = self.device.clone();
        let all = Read::implementations().iter().filter(|how| how.backend() == device.backend());
        for how in all.filter(|how| how.supports(read, &*device).is_ok()) {
            self.read = Implementation::prepare(*how, read, &[], &*self.device)?;
            let mut least = Duration::MAX;
            for _ in 0..if simulated { 1 } else { 4 } {
                least = least.min(self.timed_read(&own)?);
            }
            if fastest.as_ref().is_none_or(|(time, _)| least < *time) {
                let kept = Implementation::prepare(*how, read, &[], &*self.device)?;
                fastest = Some((least, kept));
            }
        }
        if let Some((_, read)) = fastest {
            self.read = read;
        }
        Ok(())
    }
    fn timed_read(&mut self, buffer: &Buffer) -> Result<Duration, Fault> {
        let (read, live) = (&mut self.read, &self.live);
        let (total, next) = (&mut self.total, &mut self.next);
        self.device.time(&mut || read.run(&mut Io { inputs: &[buffer], outputs: &mut [total, next], live }))
    }
    fn side<'r>(&self, region: &'r mut Region) -> Result<&'r mut Buffer, Fault> {
        if self.on_gpu { region.gpu() } else { region.host() }
    }
    /// Writes all of it once: how long that takes.
    pub(super) fn write(&mut self, region: &mut Region) -> Result<Duration, Fault> {
        region.seen_as(Type::U32);
        let to = self.side(region)?;
        let (write, live, pattern) = (&mut self.write, &self.live, &self.pattern);
        let took = self.device.time(&mut || write.run(&mut Io { inputs: &[pattern], outputs: &mut [to], live }))?;
        self.device.wait()?;
        Ok(took)
    }
    /// Reads all of it once: how long that takes. Errors: it does not add up to `sum`.
    pub(super) fn read(&mut self, region: &mut Region, sum: u64) -> Result<Duration, Fault> {
        region.seen_as(Type::U64);
        device::write(&*self.device, &mut self.next, 0, &[0_u32])?;
        let took = {
            let from = &*self.side(region)?;
            self.timed_read(from)?
        };
        let total = self.device.download(&self.total)?;
        let words = total.slice::<u32>();
        let found = u64::from(words[0]) | u64::from(words[1]) << 32;
        if found != sum {
            let (name, allocator) = (self.name, region.allocator().name());
            return Err(Fault::Device(format!("{name} read {found:#x} from {allocator} in place of {sum:#x}")));
        }
        Ok(took)
    }
}
