//! The parity test of any op: every nasty shape, every implementation, several pools, against the f64 reference.
#![expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]

use spark_kernels::{Op, cpu::Cpu, parity};
use std::collections::BTreeMap;

/// Panics with what is wrong, and if an implementation never ran for another reason than an instruction this CPU lacks.
pub(crate) fn implementations_agree<O: Op>() {
    let mut ran = BTreeMap::<&str, Result<usize, String>>::new();
    let mut wrong = Vec::new();
    for threads in 1..=3 {
        let cpu = Cpu::new(Some(threads), 0);
        for (seed, op) in O::nasty().iter().enumerate() {
            op.validate().unwrap_or_else(|invalid| panic!("{op:?}: {invalid}"));
            for &implementation in O::implementations() {
                let name = implementation.name();
                if let Err(reason) = implementation.supports(op, &cpu) {
                    ran.entry(name).or_insert(Err(reason.to_string()));
                    continue;
                }
                match parity::check(op, implementation, &cpu, seed as u64, 1 << 14) {
                    Ok(check) if check.passed() => {}
                    Ok(check) => wrong.push(format!("{name} on {threads} threads, {op:?}: {check:?}")),
                    Err(fault) => wrong.push(format!("{name} on {threads} threads, {op:?}: {fault}")),
                }
                let times = ran.get(name).and_then(|r| r.as_ref().ok()).unwrap_or(&0) + 1;
                ran.insert(name, Ok(times));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    for (name, outcome) in ran {
        match outcome {
            Ok(times) => println!("{}/{name}: {times} checks", O::NAME),
            Err(reason) => {
                println!("{}/{name}: not run: {reason}", O::NAME);
                assert!(reason.contains("lacks"), "{name} never ran, and not for want of an instruction: {reason}");
            }
        }
    }
}
