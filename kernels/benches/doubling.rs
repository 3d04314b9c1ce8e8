//! Whether doubled work takes doubled time: `cargo bench -p spark-kernels --bench doubling`. A loop of which a compiler left out a part
//! would not. Each implementation of the streams and of `lines` runs with its passes once and twice, in turn; the least times are held
//! against each other, and the end is an error where their ratio is not 2 ± 0.1.

use spark_kernels::copy::Copy;
use spark_kernels::cpu::Cpu;
use spark_kernels::lines::{Lines, Order};
use spark_kernels::read::Read;
use spark_kernels::triad::Triad;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::write::Write;
use spark_kernels::{Device, Host, Implementation, Io, Op, parity};
use std::process::ExitCode;
use std::time::Instant;

/// Turns at least, and at most where something disturbs them.
const TURNS: usize = 12;
const PATIENCE: usize = 120;

/// The least times of `once` and `twice` in turn, by `how`.
fn least<O: Op>(how: &dyn Implementation<O>, cpu: &Cpu, once: &O, twice: &O) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    let example = once.example(1);
    let upload = |hosts: &[Host]| hosts.iter().map(|h| cpu.upload(h).expect("memory")).collect::<Vec<_>>();
    let (inputs, mut outputs) = (upload(&example.inputs), upload(&example.outputs));
    let mut prepared = [once, twice].map(|op| how.prepare(op, &[], cpu).expect("supported"));
    for turn in 0..PATIENCE {
        for (prepared, least) in prepared.iter_mut().zip(&mut least) {
            let (inputs, mut outputs): (Vec<_>, Vec<_>) = (inputs.iter().collect(), outputs.iter_mut().collect());
            let start = Instant::now();
            let mut io = Io { inputs: &inputs, outputs: &mut outputs, live: &example.live };
            prepared.run(&mut io).expect("a supported op runs");
            *least = least.min(start.elapsed().as_secs_f64());
        }
        if turn >= TURNS && fits(least) {
            break;
        }
    }
    least
}

fn fits([once, twice]: [f64; 2]) -> bool {
    (1.9..=2.1).contains(&(twice / once))
}

#[expect(clippy::print_stdout, reason = "a bench talks to whoever runs it")]
fn each<O: Op>(label: &str, once: &O, twice: &O, cpu: &Cpu, wrong: &mut u32) {
    for how in O::implementations().iter().filter(|how| how.supports(twice, cpu).is_ok()) {
        // Found correct before it is timed, and its result has to be that of doubled work.
        let check = parity::check(twice, *how, cpu, 1, 256).expect("a supported op runs");
        assert!(check.passed(), "{}: {check:?}", how.name());
        let times = least(*how, cpu, once, twice);
        let verdict = if fits(times) { "" } else { "  NOT DOUBLED" };
        *wrong += u32::from(!fits(times));
        println!("{label:28} {:22} {:.3}{verdict}", how.name(), times[1] / times[0]);
    }
}

fn main() -> ExitCode {
    let cpu = Cpu::new(Some(1), 0);
    let mut wrong = 0;
    for (bytes, label) in [(16 << 10, "16 KiB"), (1 << 20, "1 MiB"), (64 << 20, "64 MiB")] {
        let once = WorkingSet::new(bytes, 1);
        let twice = once.repeated(2);
        each(&format!("read {label}"), &Read(once), &Read(twice), &cpu, &mut wrong);
        each(&format!("write {label}"), &Write(once), &Write(twice), &cpu, &mut wrong);
        each(&format!("copy {label}"), &Copy(once), &Copy(twice), &cpu, &mut wrong);
        each(&format!("triad {label}"), &Triad(once), &Triad(twice), &cpu, &mut wrong);
        for order in [Order::Random, Order::Stride(4096)] {
            let of = |set| Lines { set, order };
            each(&format!("lines {order} {label}"), &of(once), &of(twice), &cpu, &mut wrong);
        }
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
