//! Every implementation of an op against its f64 reference, over its nasty shapes, on pools of several sizes, of equal and of unequal workers.
#![expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]

use spark_kernels::cpu::Cpu;
use spark_kernels::parity::Posed;
use spark_kernels::{Device, Op};

/// Whether tests should be small: under emulation everything takes 20 to 1000 times as long.
pub(crate) fn small() -> bool {
    std::env::var("SPARK_BENCH_TEST_SCALE").is_ok_and(|scale| scale == "small")
}

/// Checks them all; panics with the first few that are wrong. What is unsupported here is printed with its reason.
pub(crate) fn implementations_agree<O: Op>() {
    let (mut wrong, mut checked) = (Vec::new(), 0);
    // A small test keeps every shape and every path, but has one pool and compares fewer elements of large outputs.
    let all: &[&[u32]] = &[&[1], &[5, 2], &[1, 1, 1]];
    let (pools, at_most) = if small() { (&[&[2, 1, 5][..]][..], 1 << 10) } else { (all, 1 << 14) };
    let pools: Vec<_> = pools.iter().map(|weights| Cpu::weighted(weights, 0)).collect();
    for (seed, op) in O::nasty().iter().enumerate() {
        op.validate().unwrap_or_else(|invalid| panic!("{op:?}: {invalid}"));
        // Put to all of them, and to all pools where the op takes the same form on each.
        let mut posed: Option<(String, Posed<O>)> = None;
        for (at, cpu) in pools.iter().enumerate() {
            let (threads, here) = (cpu.threads(), op.clone().on(cpu));
            let form = format!("{here:?}");
            posed = posed.filter(|(of, _)| *of == form);
            let (_, posed) = posed.get_or_insert_with(|| (form, Posed::new(here, seed as u64, at_most)));
            for implementation in O::implementations() {
                let name = implementation.name();
                if let Err(reason) = implementation.supports(op, cpu) {
                    if at == 0 {
                        println!("{name} does not do {op:?}: {reason}");
                    }
                    continue;
                }
                match posed.answered_by(*implementation, cpu) {
                    Ok(check) if check.passed() => checked += 1,
                    Ok(check) => wrong.push(format!("{name} on {threads} threads, {op:?}: {check:?}")),
                    Err(fault) => wrong.push(format!("{name} on {threads} threads, {op:?}: {fault}")),
                }
            }
        }
    }
    assert!(checked > 0, "nothing was checked");
    assert!(wrong.is_empty(), "{} wrong, {checked} right:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
}
