//! Requests as a load: so many together, or at the moments of a Poisson process.

use super::wire::Client;
use super::{Load, Plan, prompt};
use spark_results::serving::Request;
use spark_results::stats::Random;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Requests that may be open at once, whatever the rate: beyond it the moment is missed and counts as lateness.
const MOST_OPEN: u64 = 2048;
/// Between two looks at whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(2);
/// A thread of a request holds little.
const STACK: usize = 256 << 10;

/// A load to send.
pub(super) struct Sending<'a> {
    pub(super) client: &'a Client,
    pub(super) plan: &'a Plan,
    pub(super) length: prompt::Length,
    /// The run's start.
    pub(super) epoch: Instant,
}

impl Sending<'_> {
    /// Sends every request of the plan and waits for their ends. `look` is called on this thread between times: whether to stop,
    /// given how many have ended and how many tokens they had. Requests come back in the order they were sent.
    pub(super) fn all(&self, look: &mut dyn FnMut(u64, u64) -> bool) -> Vec<Request> {
        let (stop, ended, tokens) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let seen = Mutex::new(Vec::new());
        let one = |number: u64, due_ns: u64| {
            let text = prompt::text(self.plan, self.length, number);
            let body = prompt::body(self.plan, &text, self.plan.n_gen);
            let request = self.client.ask(self.plan.api, &body, due_ns, self.epoch, &stop);
            tokens.fetch_add(request.tokens(), Relaxed);
            ended.fetch_add(1, Relaxed);
            if let Ok(mut seen) = seen.lock() {
                seen.push(request);
            }
        };
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            let (one, stop, next, ended) = (&one, &stop, &next, &ended);
            match self.plan.load {
                Load::Together(number) => {
                    let work = move || self.in_turn(one, next, stop);
                    let build = || std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
                    let threads = (0..number.min(self.plan.requests)).filter(|_| build().is_ok()).count();
                    if threads == 0 {
                        work();
                    }
                }
                Load::Rate(rate) => {
                    let spawn = move |number, due| {
                        let build = std::thread::Builder::new().stack_size(STACK);
                        if build.spawn_scoped(scope, move || one(number, due)).is_err() {
                            // No thread to be had: the request waits its turn, and its lateness says so.
                            one(number, due);
                        }
                    };
                    scope.spawn(move || self.at_random(rate, &spawn, ended, stop));
                }
            }
            while ended.load(Relaxed) < self.plan.requests && !stop.load(Relaxed) {
                if look(ended.load(Relaxed), tokens.load(Relaxed)) {
                    stop.store(true, Relaxed);
                }
                std::thread::sleep(LOOK);
            }
        });
        let mut seen = seen.into_inner().unwrap_or_default();
        seen.sort_by_key(|request| (request.sent_ns, request.ended_ns));
        seen
    }

    /// One of several that send together: the next request when the last one ended.
    fn in_turn(&self, one: &dyn Fn(u64, u64), next: &AtomicU64, stop: &AtomicBool) {
        // Due is when the one before it ended: what lies between is this program's.
        let mut due = self.now();
        while !stop.load(Relaxed) {
            let number = next.fetch_add(1, Relaxed);
            if number >= self.plan.requests {
                break;
            }
            one(number, due);
            due = self.now();
        }
    }

    /// Requests at the moments of a Poisson process, whose gaps are exponential.
    fn at_random(&self, rate: f64, spawn: &dyn Fn(u64, u64), ended: &AtomicU64, stop: &AtomicBool) {
        let mut random = Random::new(self.plan.seed ^ 0x7261_7465);
        let mut due = self.now();
        for number in 0..self.plan.requests {
            due += (-(1.0 - random.unit()).ln() / rate * 1e9) as u64;
            while !stop.load(Relaxed) {
                match Duration::from_nanos(due.saturating_sub(self.now())) {
                    Duration::ZERO if number - ended.load(Relaxed).min(number) < MOST_OPEN => break,
                    left => std::thread::sleep(left.clamp(LOOK / 8, LOOK * 10)),
                }
            }
            if stop.load(Relaxed) {
                break;
            }
            spawn(number, due);
        }
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}
