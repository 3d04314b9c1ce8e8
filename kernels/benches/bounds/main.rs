//! What the ports allow: loops of the hot kernels' instructions and nothing else, as shares of `peak` in the same run.
//!
//! `cargo bench -p spark-kernels --bench bounds [-- PART OF A NAME]`. Each loop is written down instruction by instruction (`x86`),
//! once with all operands in registers and once with the kernel's loads and stores in the first-level cache. No compiler, no
//! memory and no edge stands between it and the ports: a kernel of this mix cannot be faster.

#![allow(unused_crate_dependencies, reason = "takes nothing of criterion")]

#[path = "../roof/mod.rs"]
mod roof;
#[cfg(target_arch = "x86_64")]
mod x86;

use spark_kernels::cpu::Cpu;

/// Rounds a loop is measured in turn with its roof, and about how many milliseconds each takes: long ones show what a loop does to
/// the clock, in its own share and in the roof right beside it.
const SHORT: (usize, u64) = (31, 1);
const LONG: (usize, u64) = (5, 30);

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cpu = Cpu::new(None, 0);
    roof::beside(&cpu, || {
        println!("{:58} {:>8} {:>8} {:>8} {:>14}", "instructions", "counted", "1 ms", "30 ms", "roof beside it");
        #[cfg(target_arch = "x86_64")]
        for mix in x86::MIXES {
            if !asked.is_empty() && !asked.iter().any(|part| mix.name.contains(part.as_str())) {
                continue;
            }
            let shares = mix.share(&cpu, SHORT.0, SHORT.1).and_then(|s| Ok((s, mix.share(&cpu, LONG.0, LONG.1)?)));
            match shares {
                Ok(((short, _), (long, roof))) => {
                    let (counted, of, roof) = (mix.counted(), mix.of.name(), roof * 1e-9);
                    println!("{:58} {counted:8.3} {short:8.3} {long:8.3} {roof:9.0} {of}", mix.name);
                }
                Err(why) => println!("{:58} {why}", mix.name),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        println!(
            "no loops are written down for this architecture ({asked:?} asked for, {SHORT:?} and {LONG:?} rounds)"
        );
    });
}
