//! One GPU as a device: its memory, its stream, its clock, and the code loaded on it.
#![expect(unsafe_code, reason = "the driver's memory and events are asked by handle")]

use super::arch::Arch;
use super::clock::Stamps;
use super::context::Context;
use super::driver::{driver, fault};
use super::events::Events;
use super::graph::{Captured, Recorded, capture};
use super::launch::{Args, Grid, launch};
use super::memory::Memory;
use super::module::{Function, Module};
use super::properties::Properties;
use super::rows::Rows;
use super::source::{Source, Unit};
use super::{arch, cache, nvrtc};
use crate::device::Replay;
use crate::{Backend, Buffer, Device, Fault, Host, Live, Placement, Type, Unsupported};
use cudarc::driver::sys;
use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A GPU that was opened. Clones are the same GPU.
#[derive(Clone, Debug)]
pub struct Gpu(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    properties: Properties,
    simulated: bool,
    context: Arc<Context>,
    events: Mutex<Events>,
    modules: Mutex<HashMap<Unit, Arc<Module>>>,
    tables: Mutex<Tables>,
    window: Mutex<Window>,
}

/// The tables of rows: of what is submitted now, and of what is being recorded.
#[derive(Debug, Default)]
struct Tables {
    now: Option<Rows>,
    recording: Option<Rows>,
}

/// The window of work that was timed last, and the stamps round it.
#[derive(Debug, Default)]
struct Window {
    /// Made when a clock is first asked for: until then nothing is compiled for it.
    stamps: Option<Stamps>,
    /// How long it was; `None` before the first with stamps.
    time: Option<Duration>,
}

/// A window whose clock is told: the wall clock's steps of up to a microsecond are waited for, and what is left of them, some 50 ns a
/// stamp, is half a percent of this.
const WINDOW: Duration = Duration::from_micros(20);

static ADVANCE: Source = Source { path: "cuda/advance.cu", text: include_str!("advance.cu") };

/// What is compiled to move recorded steps on.
pub(crate) fn advance() -> Unit {
    Unit::plain(&ADVANCE, arch::FROM_SM80, &["advance"])
}

/// Memory that is left to the host of a GPU without memory of its own: less has been seen to freeze whole machines.
const HOST_SHARE: u64 = 8 << 30;
/// Allocations below this are not worth the question how much is left.
const SMALL: u64 = 16 << 20;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements, so a panic elsewhere leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// Opens the GPU of that ordinal. Errors: no driver, no such device, one that others hold, each with what would help.
    pub fn open(ordinal: usize) -> Result<Self, Unsupported> {
        let driver = driver()?;
        if ordinal >= driver.count {
            return Err(Unsupported(format!("the driver knows {} CUDA devices, counted from 0", driver.count)));
        }
        // A symbol that an old driver has not shows here, once, and not in the middle of a run.
        std::panic::catch_unwind(|| Self::start(ordinal, driver.simulated))
            .unwrap_or_else(|_| {
                let version = driver.version;
                Err(Fault::Device(format!(
                    "the driver (CUDA {}.{}) lacks a function this program needs; install 550 or later",
                    version / 1000,
                    version % 1000 / 10
                )))
            })
            .map_err(|fault| Unsupported(fault.to_string()))
    }
    fn start(ordinal: usize, simulated: bool) -> Result<Self, Fault> {
        let ordinal = i32::try_from(ordinal).map_err(|_| Fault::Device(format!("no device {ordinal}")))?;
        let properties = Properties::read(ordinal)?;
        if properties.compute_mode == 2 {
            let why = "its compute mode is prohibited; set it to default with nvidia-smi -c 0";
            return Err(Fault::Unsupported(Unsupported(why.to_owned())));
        }
        let context = Context::retain(ordinal).map_err(|fault| match properties.compute_mode {
            3 => Fault::Device(format!("{fault}; it is exclusive to one process: end the one that holds it")),
            _ => fault,
        })?;
        let context = Arc::new(context);
        let gpu = Self(Arc::new(Inner {
            id: format!("cuda:{ordinal}"),
            properties,
            simulated,
            events: Mutex::new(Events::new(&context)?),
            context,
            modules: Mutex::default(),
            tables: Mutex::default(),
            window: Mutex::default(),
        }));
        // Each of the driver's functions that a run depends on, once.
        let mut buffer = gpu.alloc(Type::U32, 4, Placement::Fast)?;
        crate::device::write(&gpu, &mut buffer, 0, &[7_u32, 8, 9, 10])?;
        gpu.time(&mut || Ok(()))?;
        drop(capture(&gpu.0.context, &mut || Ok(()))?);
        match gpu.download(&buffer)? {
            Host::U32(values) if values == [7, 8, 9, 10] => Ok(gpu),
            other => Err(Fault::Device(format!("memory of the GPU does not keep what is written: {other:?}"))),
        }
    }
    /// `device` as a GPU. Errors: it is something else.
    pub fn of(device: &dyn Device) -> Result<&Self, Unsupported> {
        let any: &dyn Any = device;
        any.downcast_ref().ok_or_else(|| Unsupported(format!("runs on a gpu, and {} is none", device.id())))
    }
    /// What the driver says of it.
    pub fn properties(&self) -> &Properties {
        &self.0.properties
    }
    /// Whether it is a test double on a CPU.
    pub fn simulated(&self) -> bool {
        self.0.simulated
    }
    /// The code of `unit` on this GPU: loaded already, or kept on disk, or compiled now. Errors: no architecture of it runs
    /// here, no compiler, or the compiler's words.
    pub fn module(&self, unit: &Unit) -> Result<Arc<Module>, Fault> {
        let mut modules = lock(&self.0.modules);
        if let Some(module) = modules.get(unit) {
            return Ok(module.clone());
        }
        let arch = Arch::choose(unit.archs, self.0.properties.capability)?;
        let compiler = nvrtc::compiler()?;
        let key = cache::key(unit, arch, compiler.identity());
        let kept = cache::load(&key).and_then(|code| Module::load(&self.0.context, unit.source.path, &code).ok());
        let module = match kept {
            Some(module) => module,
            None => {
                let code = compiler.compile(unit, arch)?;
                let module = Module::load(&self.0.context, unit.source.path, &code)?;
                cache::store(&key, &code);
                module
            }
        };
        modules.insert(unit.clone(), module.clone());
        Ok(module)
    }
    /// Submits one launch. Errors: an argument that cannot be; what goes wrong on the GPU shows at the next wait.
    pub fn launch(&self, function: &Function, grid: Grid, args: Args<'_>) -> Result<(), Fault> {
        launch(function, grid, args)
    }
    /// The address of a table `uint2 { sequence, position }`, one a row of `live`, as kernels submitted next see it.
    pub fn rows(&self, live: &Live) -> Result<u64, Fault> {
        let mut tables = lock(&self.0.tables);
        if let Some(rows) = &tables.recording {
            return if rows.holds(live) {
                Ok(rows.address())
            } else {
                Err(Fault::Device("a recorded step works on other rows than it was begun with".to_owned()))
            };
        }
        let rows = match tables.now.take() {
            Some(rows) if rows.room() >= live.rows() => rows,
            _ => Rows::with_room(&self.0.context, live.rows())?,
        };
        let rows = tables.now.insert(rows);
        if !rows.holds(live) {
            rows.set(live)?;
        }
        Ok(rows.address())
    }
    /// A copy of `buffer`, which may stand on the host, in this GPU's memory.
    pub fn copy(&self, buffer: &Buffer) -> Result<Buffer, Fault> {
        let mut copy = self.alloc(buffer.of(), buffer.len(), Placement::Fast)?;
        match (copy.gpu_mut(), buffer.gpu()) {
            (Some(to), Some(from)) => to.copy(from, buffer.bytes())?,
            _ => return self.upload(&buffer.to_host()),
        }
        Ok(copy)
    }
    /// What `work` submits, as a graph. Errors: what `work` says, or what cannot be captured.
    pub(crate) fn capture(&self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Captured, Fault> {
        capture(&self.0.context, work)
    }
    /// Copies the elements of `buffer` from `start` on into `to`, after all work of the stream. Panics if there are not so many, or if the
    /// type is another.
    pub(crate) fn read<T: crate::Element>(&self, buffer: &Buffer, start: usize, to: &mut [T]) -> Result<(), Fault> {
        assert!(T::TYPE == buffer.of(), "buffer holds {:?}, read as {:?}", buffer.of(), T::TYPE);
        match buffer.gpu() {
            Some(memory) => memory.read(start * buffer.of().size(), crate::buffer::bytes_of_mut(to)),
            None => {
                to.copy_from_slice(&buffer.slice::<T>()[start..start + to.len()]);
                Ok(())
            }
        }
    }
    /// The context that its work is done in.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.0.context
    }
    /// The driver's number of it.
    pub(crate) fn ordinal(&self) -> i32 {
        self.0.context.device()
    }
    /// The raw stream, for libraries that submit work of their own.
    pub fn stream(&self) -> sys::CUstream {
        self.0.context.stream()
    }
    /// Makes the GPU's context the calling thread's, for libraries that ask for it. Errors: it was lost.
    pub fn enter(&self) -> Result<(), Fault> {
        self.0.context.enter()
    }
    /// Bytes of memory that can be allocated now. On a GPU that shares the host's memory what the host has available, less what
    /// it needs itself: the driver counts no page cache there. Errors: the driver's words.
    pub fn free_bytes(&self) -> Result<u64, Fault> {
        if self.0.properties.integrated
            && let Some(available) = crate::os::available_memory()
        {
            return Ok(available.saturating_sub(HOST_SHARE));
        }
        self.0.context.enter()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: a context is current, and two sizes are written.
        let asked = unsafe { sys::cuMemGetInfo_v2(&raw mut free, &raw mut total) };
        asked.result().map_err(|e| fault("cuMemGetInfo", e))?;
        Ok(free as u64)
    }
}

impl Device for Gpu {
    fn id(&self) -> &str {
        &self.0.id
    }
    fn backend(&self) -> Backend {
        Backend::Cuda
    }
    fn clock(&self) -> &'static str {
        "cuda-event"
    }
    fn threads(&self) -> usize {
        self.0.properties.sms as usize
    }
    fn time(&self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        // The stamps stand outside the events: what is timed is the work alone. They are not held while it runs, which may ask for more.
        let mut stamps = lock(&self.0.window).stamps.take();
        if let Some(stamps) = &mut stamps {
            stamps.begin(self)?;
        }
        let time = lock(&self.0.events).time(work)?;
        if let Some(mut stamps) = stamps {
            stamps.end(self)?;
            *lock(&self.0.window) = Window { stamps: Some(stamps), time: Some(time) };
        }
        Ok(time)
    }
    fn alloc(&self, of: Type, len: usize, _: Placement) -> Result<Buffer, Fault> {
        let bytes = len.checked_mul(of.size()).ok_or(Fault::OutOfMemory { bytes: u64::MAX })?;
        let asked = bytes as u64;
        // Beyond what is free an integrated GPU takes the host down with it in place of an error.
        if asked >= SMALL && self.0.properties.integrated && asked > self.free_bytes()? {
            return Err(Fault::OutOfMemory { bytes: asked });
        }
        Ok(Buffer::on_gpu(of, len, Memory::zeroed(&self.0.context, bytes)?))
    }
    fn upload_to(&self, host: &Host, placement: Placement) -> Result<Buffer, Fault> {
        let mut buffer = self.alloc(host.of(), host.len(), placement)?;
        self.write_bytes(&mut buffer, 0, host.bytes())?;
        Ok(buffer)
    }
    fn download(&self, buffer: &Buffer) -> Result<Host, Fault> {
        let Some(memory) = buffer.gpu() else { return Ok(buffer.to_host()) };
        let mut host = Host::zeros(buffer.of(), buffer.len());
        memory.read(0, host.bytes_mut())?;
        Ok(host)
    }
    fn write_bytes(&self, buffer: &mut Buffer, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        let offset = at * buffer.of().size();
        match buffer.gpu_mut() {
            Some(memory) => memory.write(offset, bytes),
            None => Err(Fault::Device(format!("a buffer of the host is written through {}", self.0.id))),
        }
    }
    fn wait(&self) -> Result<(), Fault> {
        self.0.context.synchronize()
    }
    fn record(
        &self,
        live: &Live,
        work: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<Option<Box<dyn Replay>>, Fault> {
        if live.spans.iter().any(|span| span.rows != 1) {
            return Ok(None);
        }
        let count = live.rows();
        let step = self.module(&advance())?.function("advance")?;
        let mut rows = Rows::with_room(&self.0.context, count)?;
        rows.set(live)?;
        let address = rows.address();
        lock(&self.0.tables).recording = Some(rows);
        let captured = capture(&self.0.context, &mut || {
            work()?;
            let args = Args::new().address(address).int(count);
            self.launch(&step, Grid::covering(count, 128), args)
        });
        let rows = lock(&self.0.tables).recording.take();
        let captured = captured?;
        let Some(rows) = rows else { return Ok(None) };
        Ok(Some(Box::new(Recorded { captured, rows, count, _step: step })))
    }
    fn lost(&self) -> Option<String> {
        self.0.context.lost().map(str::to_owned)
    }
    fn integrated(&self) -> bool {
        self.0.properties.integrated
    }
    fn free_memory(&self) -> Option<u64> {
        // A GPU that was lost has none.
        Some(self.free_bytes().unwrap_or(0))
    }
    fn last_level_cache(&self) -> u64 {
        self.0.properties.l2_bytes
    }
    fn core_clocks(&self) -> Vec<f64> {
        // A clock that cannot be read is absent.
        let mut window = lock(&self.0.window);
        if window.stamps.is_none() {
            window.stamps = Stamps::new(self).ok();
        }
        let Window { stamps: Some(stamps), time } = &mut *window else { return Vec::new() };
        match *time {
            Some(time) if time >= WINDOW => stamps.clocks(self).unwrap_or_default(),
            _ => stamps.now(self).unwrap_or_default(),
        }
    }
    fn window_clock(&self) -> Option<f64> {
        let window = lock(&self.0.window);
        let Window { stamps: Some(stamps), time: Some(time) } = &*window else { return None };
        if *time < WINDOW {
            return None;
        }
        let mut clocks = stamps.clocks(self).ok()?;
        clocks.sort_unstable_by(f64::total_cmp);
        clocks.get(clocks.len() / 2).copied()
    }
}
