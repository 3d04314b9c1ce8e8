//! The parity test of any op: every nasty shape, every implementation, several pools, against the f64 reference.

use spark_kernels::{Op, cpu::Cpu, parity};
use std::collections::BTreeMap;

/// Panics at the first implementation that is wrong, and if one never ran for another reason than an instruction this CPU lacks.
pub(crate) fn parity<O: Op>() {
    let mut ran = BTreeMap::<&str, Result<usize, String>>::new();
    for threads in 1..=3 {
        let cpu = Cpu::new(Some(threads), 0);
        for op in O::nasty() {
            op.validate().expect("nasty shapes are valid");
            for &implementation in O::implementations() {
                let name = implementation.name();
                if let Err(reason) = implementation.supports(&op, &cpu) {
                    ran.entry(name).or_insert(Err(reason.to_string()));
                    continue;
                }
                let check = parity::check(&op, implementation, &cpu, 7, 4096).expect("a supported op runs");
                assert!(check.passed(), "{name} on {threads} threads: {op:?}: {check:?}");
                let times = ran.get(name).and_then(|r| r.as_ref().ok()).unwrap_or(&0) + 1;
                ran.insert(name, Ok(times));
            }
        }
    }
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
