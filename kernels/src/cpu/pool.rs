//! The kernels' thread pool: pinned workers, static shares, spin then park.
//!
//! A general-purpose pool steals and wakes through the kernel; both would land inside a 50 µs GEMV. Here worker `i` of `n`
//! always gets share `i`, a call costs a few cache-line transfers while the workers still spin, and the caller is worker 0.
//! On a machine with several kinds of core each worker's speed is measured once, and shares are cut in proportion.
#![expect(unsafe_code, reason = "workers borrow the caller's closure for the length of one call")]

use crate::cpu::barrier::Barrier;
use crate::cpu::cuts::Shares;
use crate::cpu::speed;
use crate::os;
use std::any::{Any, TypeId};
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};

/// Spins before parking: about 100 µs, longer than the serial gaps inside one decode step.
const SPINS: u32 = 20_000;

/// One worker's view of a call.
#[derive(Clone, Copy, Debug)]
pub struct Worker<'a> {
    /// This worker, `0 .. count`.
    pub index: usize,
    /// How many workers take part.
    pub count: usize,
    barrier: &'a Barrier,
    shares: &'a Shares,
    kinds: &'a [usize],
}

impl Worker<'_> {
    /// Its index among the workers on cores of the same kind, and how many of those take part, at most `most` (0: all of them).
    /// `None` if it is on another kind of core, or one too many. Kind 0 is the fastest.
    pub(crate) fn of_kind(&self, kind: usize, most: usize) -> Option<(usize, usize)> {
        let of = |kinds: &[usize]| kinds.iter().filter(|k| **k == kind).count();
        let all = of(self.kinds);
        let count = if most == 0 { all } else { all.min(most) };
        let index = of(&self.kinds[..self.index]);
        (self.kinds[self.index] == kind && index < count).then_some((index, count))
    }
    /// This worker's part of `0 .. items`, cut at multiples of `grain`.
    pub fn share(&self, items: usize, grain: usize) -> Range<usize> {
        let grains = items.div_ceil(grain);
        let cut = |i: usize| (self.shares.cut(grains, i, self.count) * grain).min(items);
        cut(self.index)..cut(self.index + 1)
    }
    /// Waits until every worker of this call has come here.
    pub fn wait(&self) {
        self.barrier.wait();
    }
}

type Job<'a> = dyn Fn(Worker<'_>) + Sync + 'a;

struct Shared {
    /// Counts calls; workers wait for it to move.
    epoch: AtomicU64,
    /// Workers that have not finished the present call.
    busy: AtomicUsize,
    job: Mutex<Option<&'static Job<'static>>>,
    stop: AtomicBool,
    parked: Vec<AtomicBool>,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
    barrier: Barrier,
    shares: Shares,
    /// The kind of core each worker is on, the fastest 0: those of one kind have one weight.
    kinds: Vec<usize>,
}

/// A fixed set of workers. The thread that calls [`Pool::run`] is worker 0 and is pinned at its first call.
pub struct Pool {
    shared: Arc<Shared>,
    cpus: Vec<usize>,
    handles: Vec<JoinHandle<()>>,
    threads: Vec<Thread>,
    turn: Mutex<()>,
    /// What ops prepared on this pool share, by its type.
    common: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("cpus", &self.cpus).field("shares", &self.shared.shares).finish_non_exhaustive()
    }
}

thread_local! { static PINNED: Cell<Option<usize>> = const { Cell::new(None) }; }

fn pin_once(cpu: usize) {
    if PINNED.get() != Some(cpu) {
        os::pin(&[cpu]);
        PINNED.set(Some(cpu));
    }
}

/// The CPUs this process may use, in order.
pub fn allowed_cpus() -> Vec<usize> {
    os::allowed_cpus()
}

/// Lets the calling thread run on any of `cpus` again: threads inherit the pinning of the one that starts them.
pub fn unpin(cpus: &[usize]) {
    os::pin(cpus);
    PINNED.set(None);
}

impl Pool {
    /// One worker for each of `cpus`, pinned to it where the system allows. Panics if `cpus` is empty. If they are cores of
    /// several kinds, they are measured for 5 ms and get shares to match.
    pub fn new(cpus: &[usize]) -> Self {
        let equal = Self::weighted(cpus, &vec![1; cpus.len()]);
        let kinds = os::core_kinds(cpus);
        if kinds.iter().all(|kind| *kind == kinds[0]) {
            return equal;
        }
        // On a thread of its own: whoever makes a pool is not yet to be pinned.
        let speeds = std::thread::scope(|scope| scope.spawn(|| speed::measure(&equal)).join());
        speeds.map_or(equal, |speeds| Self::weighted(cpus, &speed::weights(&kinds, &speeds)))
    }
    /// Workers on `cpus` with shares in proportion to `weights`, one a worker. Panics if there are none or one is 0.
    pub fn weighted(cpus: &[usize], weights: &[u32]) -> Self {
        assert!(!cpus.is_empty(), "a pool needs at least one cpu");
        assert!(weights.len() == cpus.len() && !weights.contains(&0), "{weights:?}: one weight above 0 for each cpu");
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            job: Mutex::new(None),
            stop: AtomicBool::new(false),
            parked: cpus.iter().map(|_| AtomicBool::new(false)).collect(),
            panic: Mutex::new(None),
            barrier: Barrier::new(cpus.len()),
            shares: Shares::new(weights),
            kinds: ranks(weights),
        });
        let handles: Vec<_> = (1..cpus.len())
            .map(|index| {
                let (shared, cpu) = (shared.clone(), cpus[index]);
                std::thread::Builder::new()
                    .name(format!("kernel-{index}"))
                    .spawn(move || {
                        pin_once(cpu);
                        work(&shared, index);
                    })
                    .expect("the system can start a thread for every cpu")
            })
            .collect();
        let threads = handles.iter().map(|h| h.thread().clone()).collect();
        Self { shared, cpus: cpus.to_vec(), handles, threads, turn: Mutex::new(()), common: Mutex::default() }
    }
    /// Number of workers.
    pub fn threads(&self) -> usize {
        self.cpus.len()
    }
    /// The CPU each worker is bound to.
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }
    /// How many kinds of core the workers are on, told apart by speed.
    pub fn kinds(&self) -> usize {
        self.shared.kinds.iter().max().map_or(1, |kind| kind + 1)
    }
    /// The CPUs of one kind, of which 0 is the fastest.
    pub fn cpus_of_kind(&self, kind: usize) -> Vec<usize> {
        self.cpus.iter().zip(&self.shared.kinds).filter(|(_, k)| **k == kind).map(|(cpu, _)| *cpu).collect()
    }
    /// How work is cut among the workers.
    pub(crate) fn shares(&self) -> &Shares {
        &self.shared.shares
    }
    /// The one `T` of this pool, made when it is first asked for: scratch of ops that run one after another.
    #[cfg_attr(
        not(any(target_arch = "x86_64", target_arch = "aarch64")),
        allow(dead_code, reason = "for experts on vector instructions")
    )]
    pub(crate) fn shared<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut common = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        let any = common.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        any.downcast().unwrap_or_default()
    }
    /// Runs `job` once on every worker and returns when all have finished. A panic in any of them is resumed here.
    pub fn run(&self, job: &Job<'_>) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        pin_once(self.cpus[0]);
        if self.threads.is_empty() {
            return job(shared.worker(0));
        }
        // SAFETY: only the lifetime changes. Workers use the reference between `epoch` moving and `busy` reaching 0, and this
        // call does not return before `busy` is 0, whether or not a job panics.
        let job: &'static Job<'static> = unsafe { std::mem::transmute::<&Job<'_>, &'static Job<'static>>(job) };
        *shared.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        shared.busy.store(self.threads.len(), Relaxed);
        shared.epoch.fetch_add(1, SeqCst);
        for (parked, thread) in shared.parked[1..].iter().zip(&self.threads) {
            if parked.load(SeqCst) {
                thread.unpark();
            }
        }
        enter(shared, job, 0);
        let mut spins = 0;
        while shared.busy.load(Acquire) != 0 {
            relax(&mut spins);
        }
        *shared.job.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if let Some(panic) = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            shared.barrier.repair();
            resume_unwind(panic);
        }
    }
}

impl Shared {
    fn worker(&self, index: usize) -> Worker<'_> {
        let (count, kinds) = (self.parked.len(), &self.kinds[..]);
        Worker { index, count, barrier: &self.barrier, shares: &self.shares, kinds }
    }
}

/// The rank of each weight among the different ones, the largest 0.
fn ranks(weights: &[u32]) -> Vec<usize> {
    let mut different = weights.to_vec();
    different.sort_unstable_by(|a, b| b.cmp(a));
    different.dedup();
    weights.iter().map(|weight| different.iter().position(|w| w == weight).unwrap_or(0)).collect()
}

/// Runs one worker's part; a panic is kept for the caller and frees whoever waits at the barrier.
fn enter(shared: &Shared, job: &Job<'_>, index: usize) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(shared.worker(index)))) {
        let mut first = shared.panic.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() {
            *first = Some(panic);
        }
        drop(first);
        shared.barrier.break_open();
    }
}

/// A worker's life: wait for the next epoch (spin, then park), run, report.
fn work(shared: &Shared, index: usize) {
    let mut seen = 0;
    loop {
        let mut spins = 0;
        while shared.epoch.load(SeqCst) == seen {
            if shared.stop.load(SeqCst) {
                return;
            }
            if spins < SPINS {
                relax(&mut spins);
            } else {
                shared.parked[index].store(true, SeqCst);
                // Looked at again after `parked` was raised: a call made in between has moved the epoch or will unpark.
                if shared.epoch.load(SeqCst) == seen && !shared.stop.load(SeqCst) {
                    std::thread::park();
                }
                shared.parked[index].store(false, SeqCst);
            }
        }
        seen += 1;
        let job = *shared.job.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = job {
            enter(shared, job, index);
        }
        shared.busy.fetch_sub(1, Release);
    }
}

/// One turn of a spin loop; gives the core away now and then, for machines with more threads than cores.
pub(crate) fn relax(spins: &mut u32) {
    *spins += 1;
    if spins.is_multiple_of(1024) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        for thread in &self.threads {
            thread.unpark();
        }
        for handle in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> Pool {
        let cpus = allowed_cpus();
        Pool::new(&(0..threads).map(|i| cpus[i % cpus.len()]).collect::<Vec<_>>())
    }

    #[test]
    fn every_worker_runs_once_a_call_also_after_parking() {
        for threads in [1, 2, 3, 5] {
            let pool = pool(threads);
            let hits: Vec<_> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            for call in 0..50 {
                if call == 25 {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                pool.run(&|w| {
                    hits[w.index].fetch_add(1, Relaxed);
                });
            }
            assert!(hits.iter().all(|h| h.load(Relaxed) == 50), "{threads} threads: {hits:?}");
        }
    }

    #[test]
    fn shares_cover_everything_once_at_the_grain() {
        let barrier = Barrier::new(1);
        for weights in [&[1][..], &[1; 5], &[32, 9], &[1, 32, 1, 1], &[5, 3, 7, 2, 32]] {
            let shares = Shares::new(weights);
            // All of them, and the first few, as an op on fewer threads has it.
            for count in 1..=weights.len() {
                for items in [0, 1, 7, 64, 100, 12_345] {
                    let all: u32 = weights[..count].iter().sum();
                    let mut next = 0;
                    for (index, weight) in weights[..count].iter().enumerate() {
                        let worker = Worker { index, count, barrier: &barrier, shares: &shares, kinds: &[] };
                        let share = worker.share(items, 16);
                        assert_eq!(share.start, next);
                        assert!(share.end == items || share.end.is_multiple_of(16));
                        let due = items as f64 * f64::from(*weight) / f64::from(all);
                        assert!((share.len() as f64 - due).abs() <= 32.0, "{weights:?}: {share:?} of {items}");
                        next = share.end;
                    }
                    assert_eq!(next, items);
                }
            }
        }
    }

    #[test]
    fn workers_are_told_apart_by_the_kind_of_their_core() {
        let cpus = allowed_cpus();
        let pool = Pool::weighted(&[cpus[0]; 5], &[9, 32, 9, 32, 9]);
        assert_eq!(pool.kinds(), 2);
        assert_eq!((pool.cpus_of_kind(0).len(), pool.cpus_of_kind(1).len(), pool.cpus_of_kind(2).len()), (2, 3, 0));
        let found = Mutex::new(vec![None; 5]);
        pool.run(&|w| found.lock().unwrap()[w.index] = w.of_kind(1, 2));
        assert_eq!(*found.lock().unwrap(), [Some((0, 2)), None, Some((1, 2)), None, None]);
        assert_eq!(self::pool(3).kinds(), 1);
    }

    #[test]
    fn the_barrier_orders_phases() {
        let pool = pool(3);
        let written: Vec<_> = (0..3).map(|_| AtomicUsize::new(0)).collect();
        for round in 1..200 {
            pool.run(&|w| {
                written[w.index].store(round, Relaxed);
                w.wait();
                assert!(written.iter().all(|x| x.load(Relaxed) == round));
                w.wait();
            });
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = pool(3);
        for bad in 0..3 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(&|w| {
                    assert!(w.index != bad, "worker {bad} breaks");
                    w.wait();
                });
            }));
            assert!(caught.is_err());
            let ran = AtomicUsize::new(0);
            pool.run(&|w| {
                w.wait();
                ran.fetch_add(1, Relaxed);
            });
            assert_eq!(ran.load(Relaxed), 3);
        }
    }
}
