//! What the double knows: its profile, its faults, what was launched, what broke.

use crate::code::{self, Code};
use crate::fault::{self, Fault};
use crate::memory::Memory;
use crate::profile::{ALL, Profile};
use crate::stream::Stream;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub(crate) struct Double {
    pub(crate) profile: Profile,
    pub(crate) faults: Vec<Fault>,
    /// So many GPUs of that profile.
    pub(crate) devices: usize,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) streams: Mutex<HashMap<usize, Stream>>,
    /// One launch at a time: a module's threads, stacks and shared memory are its own and there once.
    pub(crate) running: Mutex<()>,
    launches: AtomicU64,
    /// The error that ended the context, else 0.
    broken: AtomicI32,
}

/// The one double of this process, as its environment wants it.
pub(crate) fn double() -> &'static Double {
    static DOUBLE: OnceLock<Double> = OnceLock::new();
    DOUBLE.get_or_init(|| {
        let text = |name: &str| std::env::var(name).unwrap_or_default();
        let faults = fault::parse(&text("SPARK_CUDA_DOUBLE_FAULTS"));
        let wanted = text("SPARK_CUDA_DOUBLE_PROFILE");
        let profile = if wanted.is_empty() { ALL[0] } else { named(&wanted) };
        let devices = text("SPARK_CUDA_DOUBLE_COUNT");
        let devices = if devices.is_empty() { 1 } else { devices.parse().expect("SPARK_CUDA_DOUBLE_COUNT=NUMBER") };
        let all = faults.iter().find_map(|f| if let Fault::Memory(bytes) = f { Some(*bytes) } else { None });
        Double {
            profile,
            memory: Mutex::new(Memory::of(all.unwrap_or(profile.memory), devices)),
            faults,
            devices,
            streams: Mutex::default(),
            running: Mutex::default(),
            launches: AtomicU64::new(0),
            broken: AtomicI32::new(0),
        }
    })
}

/// # Panics
/// At an unknown one: a test of another machine than it names would test nothing.
fn named(key: &str) -> Profile {
    Profile::named(key).unwrap_or_else(|| panic!("the double knows no profile '{key}'"))
}

pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What the locks guard is whole between any two statements.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Double {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
    /// The device of that ordinal, as an index. Errors: there is none.
    pub(crate) fn device(&self, ordinal: i32) -> Result<usize, Code> {
        usize::try_from(ordinal).ok().filter(|at| *at < self.devices).ok_or(code::INVALID_DEVICE)
    }
    /// The error that every call returns once the context is broken.
    pub(crate) fn alive(&self) -> Result<(), Code> {
        match self.broken.load(Ordering::Relaxed) {
            code::SUCCESS => Ok(()),
            broken => Err(broken),
        }
    }
    /// Breaks the context: this and every later call fail with `code`.
    pub(crate) fn break_with(&self, code: Code, why: &str) {
        if self.broken.swap(code, Ordering::Relaxed) == code::SUCCESS {
            tell(why);
        }
    }
    /// Counts a launch, and lets happen what was asked for at its number.
    pub(crate) fn count_launch(&self) -> Result<(), Code> {
        let number = self.launches.fetch_add(1, Ordering::Relaxed) + 1;
        for fault in &self.faults {
            match *fault {
                Fault::Launch(at, code) if number == at => self.break_with(code, "a fault that was asked for"),
                Fault::Lost(at) if number >= at => {
                    self.break_with(code::UNKNOWN, "the device is lost, as was asked for");
                }
                Fault::Hang(at) if number == at => std::thread::sleep(Duration::from_secs(3600)),
                _ => {}
            }
        }
        // As on a GPU the launch itself is fine, and whoever waits for it learns what became of it.
        Ok(())
    }
}

/// Says on stderr what a code cannot: which kernel, which block, which thread.
#[expect(clippy::print_stderr, reason = "the driver's interface has no place for a sentence")]
pub(crate) fn tell(why: &str) {
    eprintln!("the CUDA double: {why}");
}
