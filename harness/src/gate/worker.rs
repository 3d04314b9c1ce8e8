//! The child of a gate: it prepares what it is told to, runs it when it is told to, and does nothing between.

use super::protocol::{Answer, Ask, Hello, PROTOCOL};
use crate::headroom::Headroom;
use crate::plan::{self, Task};
use crate::{handicap, measure};
use spark_kernels::Device;
use spark_results::run::SCHEMA;
use spark_workloads::{Decline, Devices, Step};
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A benchmark that is ready.
struct Ready {
    id: String,
    step: Box<dyn Step>,
    device: Arc<dyn Device>,
}

/// Answers every line of `asks` on `answers` until `bye` or the end of the input, which is the parent's death.
///
/// # Errors
/// The pipe broke, or a line was no question of this protocol.
pub fn serve(
    devices: &Devices,
    tasks: &[Task],
    build: String,
    seed: u64,
    asks: impl BufRead,
    mut answers: impl Write,
) -> Result<(), String> {
    let benchmarks = tasks.iter().map(|task| task.id.to_string()).collect();
    let takes = |task: &Task| Some((task.id.to_string(), task.footprint.as_ref().ok()?.bytes));
    let bytes = tasks.iter().filter_map(takes).collect();
    let hello = Hello { protocol: PROTOCOL, schema: SCHEMA.to_owned(), build, benchmarks, bytes };
    say(&mut answers, &Answer::Hello(hello))?;
    let mut ready = None;
    for line in asks.lines() {
        let line = line.map_err(|e| format!("standard input: {e}"))?;
        let ask: Ask = serde_json::from_str(&line).map_err(|e| {
            format!("standard input: no line of protocol {PROTOCOL} ({e}); start this verb from `gate`")
        })?;
        let Ask::Run { id, iterations } = ask else { return Ok(()) };
        // A kernel that panics is an answer, not the end of the child.
        let answer = catch_unwind(AssertUnwindSafe(|| run(devices, tasks, seed, &mut ready, &id, iterations)));
        let answer = answer.unwrap_or_else(|_| Err(Decline::Fail("it panicked; its message is above".to_owned())));
        let answer = answer.unwrap_or_else(|decline| {
            ready = None;
            Answer::Declined { broken: matches!(decline, Decline::Fail(_)), reason: decline.to_string() }
        });
        say(&mut answers, &answer)?;
    }
    Ok(())
}

fn say(answers: &mut impl Write, answer: &Answer) -> Result<(), String> {
    let line = serde_json::to_string(answer).map_err(|e| e.to_string())?;
    writeln!(answers, "{line}").and_then(|()| answers.flush()).map_err(|e| format!("standard output: {e}"))
}

fn run(
    devices: &Devices,
    tasks: &[Task],
    seed: u64,
    ready: &mut Option<Ready>,
    id: &str,
    iterations: u64,
) -> Result<Answer, Decline> {
    if ready.as_ref().is_none_or(|ready| ready.id != id) {
        // What stood before gives its memory back first.
        *ready = None;
        *ready = Some(prepare(devices, tasks, seed, id)?);
    }
    let Some(ready) = ready else { return Err(Decline::Fail("nothing is ready".to_owned())) };
    let (mut ns, mut ran, mut cycles) = (0, 0, Some(0.0));
    while ran < iterations {
        let together = ready.step.iterations_a_sample().unwrap_or(iterations);
        let window_ns = measure::once(&mut *ready.step, &*ready.device, together)?;
        // One window without a clock, and the sum is unknown.
        cycles = cycles.zip(ready.device.window_clock()).map(|(sum, hz)| sum + 1e-9 * window_ns as f64 * hz);
        ns += window_ns;
        ran += together;
    }
    // Some work is known only after it ran: which experts were touched.
    let (clocks_hz, work) =
        if ran > 0 { (ready.device.core_clocks(), Some(ready.step.work())) } else { (Vec::new(), None) };
    let cycles = cycles.filter(|_| ran > 0);
    Ok(Answer::Ran { ns, iterations: ran, clocks_hz, cycles, work })
}

fn prepare(devices: &Devices, tasks: &[Task], seed: u64, id: &str) -> Result<Ready, Decline> {
    let task = tasks.iter().find(|task| task.id.to_string() == id);
    let task = task.ok_or_else(|| Decline::Skip("this build was not started with it".to_owned()))?;
    let headroom = Headroom::with(None, devices);
    let available = crate::session::available_on(devices, &task.id.device, &headroom);
    let memory = plan::usable(available);
    if let Some(decline) = task.declined(available) {
        return Err(decline);
    }
    let (Some(workload), Some(device)) = (spark_workloads::find(&task.id.workload), devices.get(&task.id.device))
    else {
        return Err(Decline::Skip("this build has no such workload or device".to_owned()));
    };
    let mut step = workload.prepare(&task.id, device, seed, memory)?.step()?;
    if let Some(check) = step.check()?
        && !check.passed()
    {
        let text = format!("wrong result: largest error {:e}, allowed {:e}", check.max_error, check.tolerance);
        return Err(Decline::Fail(text));
    }
    let step = handicap::put_on(&task.id, step, &**device)?;
    Ok(Ready { id: id.to_owned(), step, device: device.clone() })
}
