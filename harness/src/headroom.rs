//! Memory that is left to the system, and a watch that ends the run before it is gone.
//!
//! On an integrated GPU such as GB10's an allocation that finds nothing does not fail and nobody is killed: the whole machine
//! stands still until its plug is pulled. There max(8 GiB, 7 %) stay free. An ordinary host ends the process itself, and
//! 768 MiB keep it from swapping; the run ends when half of that is left, which no task that was planned with the whole brings about.

use spark_kernels::Device;
use spark_results::quantity::size;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// Left on an ordinary host by what is planned: a machine that swaps measures its disk.
pub const MARGIN: u64 = 768 << 20;
/// Left on an integrated device at least.
const INTEGRATED: u64 = 8 << 30;
/// And of all its memory, in hundredths.
const INTEGRATED_PERCENT: u64 = 7;
/// How often is looked. A look takes some 0.1 ms, and memory is filled at 2 GB/s while operands are generated.
const EVERY: Duration = Duration::from_millis(200);

/// What stays free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// A run ends below this.
    pub floor: u64,
    /// Kept beyond [`MARGIN`] by what is planned.
    pub kept: u64,
}

impl Headroom {
    /// Of a machine with so much memory. `integrated`: a device of it takes its memory from the host's.
    pub fn of(total: u64, integrated: bool) -> Self {
        if integrated {
            let floor = INTEGRATED.max(total / 100 * INTEGRATED_PERCENT);
            return Self { floor, kept: floor };
        }
        Self { floor: MARGIN / 2, kept: 0 }
    }
    /// The same for these devices on this machine.
    pub fn with(total: Option<u64>, devices: &spark_workloads::Devices) -> Self {
        Self::of(total.unwrap_or(0), devices.iter().any(|device| Device::integrated(&**device)))
    }
    /// How much of `available` bytes tasks may be planned with, the usual margin included.
    pub fn beyond(&self, available: u64) -> u64 {
        if available == u64::MAX { available } else { available.saturating_sub(self.kept) }
    }
}

/// Looks at the memory while a run goes on.
pub struct Watchdog {
    look: Arc<Look>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Ends the program: called when the work in flight goes on taking memory and does not look whether it should stop.
pub type Emergency = Box<dyn Fn(&str) + Send + Sync>;

impl Watchdog {
    /// Starts looking at what `available` says. Below the floor the run is to end; below half of it, `emergency` is called once.
    pub fn start(headroom: Headroom, available: fn() -> u64, emergency: Emergency) -> Self {
        Self::every(EVERY, headroom, Box::new(available), emergency)
    }
    fn every(
        period: Duration,
        headroom: Headroom,
        available: Box<dyn Fn() -> u64 + Send + Sync>,
        emergency: Emergency,
    ) -> Self {
        let (low, called, said) = (AtomicBool::new(false), AtomicBool::new(false), RwLock::new(None));
        let (end, ended) = channel();
        let look = Arc::new(Look { low, called, said, headroom, available, emergency });
        let its = look.clone();
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || its.go_on(period, &ended));
        // Without a thread nobody looks, and the plan's margin has to do.
        Self { look, end: Some(end), thread: thread.ok() }
    }
    /// Whether the run is to end, as of the last look.
    pub fn low(&self) -> bool {
        self.look.low.load(Relaxed)
    }
    /// The same as of now.
    pub fn look(&self) -> bool {
        self.look.now();
        self.low()
    }
    /// Why.
    pub fn said(&self) -> Option<String> {
        self.look.said.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog").field("low", &self.low()).finish_non_exhaustive()
    }
}

struct Look {
    low: AtomicBool,
    called: AtomicBool,
    said: RwLock<Option<String>>,
    headroom: Headroom,
    available: Box<dyn Fn() -> u64 + Send + Sync>,
    emergency: Emergency,
}

impl Look {
    fn go_on(&self, period: Duration, ended: &Receiver<()>) {
        while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
            self.now();
        }
    }

    /// Looks, and notes what is too little.
    fn now(&self) {
        let left = (self.available)();
        if left >= self.headroom.floor {
            return;
        }
        let text = format!(
            "{} of memory were left, and below {} the run ends: free some, or leave out what is largest",
            size(left),
            size(self.headroom.floor)
        );
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        let first = said.get_or_insert(text).clone();
        drop(said);
        self.low.store(true, Relaxed);
        if left < self.headroom.floor / 2 && !self.called.swap(true, Relaxed) {
            (self.emergency)(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    const GIB: u64 = 1 << 30;

    #[test]
    fn an_integrated_device_leaves_eight_gibibytes_or_seven_in_a_hundred() {
        assert_eq!(Headroom::of(64 * GIB, true).floor, 8 * GIB);
        assert_eq!(Headroom::of(200 * GIB, true).floor, 200 * GIB / 100 * 7);
        let spark = Headroom::of(120 * GIB, true);
        assert_eq!((spark.floor, spark.beyond(100 * GIB)), (spark.kept, 100 * GIB - spark.kept));
        assert_eq!((spark.beyond(GIB), spark.beyond(u64::MAX)), (0, u64::MAX));
        let host = Headroom::of(24 * GIB, false);
        assert_eq!((host.floor, host.beyond(GIB)), (MARGIN / 2, GIB));
    }

    /// A watchdog over a number of the test's, and what it told in an emergency.
    fn watch(left: &Arc<AtomicU64>) -> (Watchdog, Arc<AtomicBool>) {
        let (left, called) = (left.clone(), Arc::new(AtomicBool::new(false)));
        let emergency = called.clone();
        let headroom = Headroom { floor: 100, kept: 0 };
        let available = Box::new(move || left.load(Relaxed));
        let call = Box::new(move |_: &str| emergency.store(true, Relaxed));
        (Watchdog::every(Duration::from_micros(50), headroom, available, call), called)
    }

    fn until(done: impl Fn() -> bool) {
        let began = std::time::Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(20), "nobody looked");
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_cannot_wait_for_the_next_look_looks() {
        let (dog, _) = watch(&Arc::new(AtomicU64::new(99)));
        assert!(dog.look() && dog.said().is_some_and(|said| said.contains("99 B")));
        let (dog, _) = watch(&Arc::new(AtomicU64::new(100)));
        assert!(!dog.look() && dog.said().is_none());
    }

    #[test]
    fn the_run_is_to_end_below_the_floor_and_at_once_below_half_of_it() {
        let left = Arc::new(AtomicU64::new(100));
        let (dog, called) = watch(&left);
        assert!(!dog.low() && dog.said().is_none());
        left.store(99, Relaxed);
        until(|| dog.low());
        assert!(dog.said().is_some_and(|said| said.contains("99 B") && said.contains("100 B")));
        assert!(!called.load(Relaxed));
        left.store(49, Relaxed);
        until(|| called.load(Relaxed));
        // What it said first it keeps saying.
        assert!(dog.said().is_some_and(|said| said.contains("99 B")));
    }
}
