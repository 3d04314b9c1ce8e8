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

/// Rounds a loop is measured in turn with its roof.
const ROUNDS: usize = 31;

#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let cpu = Cpu::new(None, 0);
    roof::beside(&cpu, || {
        println!("{:58} {:>8} {:>8}", "instructions", "counted", "measured");
        #[cfg(target_arch = "x86_64")]
        for mix in x86::MIXES {
            if !asked.is_empty() && !asked.iter().any(|part| mix.name.contains(part.as_str())) {
                continue;
            }
            match mix.share(&cpu, ROUNDS) {
                Ok(share) => println!("{:58} {:8.3} {share:8.3} of {}", mix.name, mix.counted(), mix.of.name()),
                Err(why) => println!("{:58} {why}", mix.name),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        println!("no loops are written down for this architecture ({asked:?} asked for, {ROUNDS} rounds)");
    });
}
