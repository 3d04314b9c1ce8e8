//! Which implementation of each op a model takes, from one name.
//!
//! `best` takes each op's first that works. A name, such as `avx512-vnni`, is taken where an op has it; an op that has not
//! takes the first of the same family (`avx512…`), and where there is none the plain one (`scalar`, on a GPU `naive`): so a model
//! asked to run on AVX2 never runs AVX-512 code.

use spark_kernels::gemm::Gemm;
use spark_kernels::{Buffer, Device, Fault, Implementation, Op, Prepared, Unsupported, best};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The name that stands for each op's fastest.
pub const BEST: &str = "best";

/// The implementation of `op` that `name` means. Errors: what each candidate lacks.
pub fn choose<O: Op>(op: &O, device: &dyn Device, name: &str) -> Result<&'static dyn Implementation<O>, Unsupported> {
    if name == BEST {
        return best(op, device);
    }
    let all = || O::implementations().iter().copied().filter(|i| i.backend() == device.backend());
    let family = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
    let candidates = all()
        .filter(|i| i.name() == name)
        .chain(all().filter(|i| family(i.name()) == family(name)))
        .chain(all().filter(|i| matches!(i.name(), "scalar" | "naive")));
    let mut reasons = Vec::new();
    for candidate in candidates {
        match candidate.supports(op, device) {
            Ok(()) => return Ok(candidate),
            Err(reason) => reasons.push(format!("{} {}: {reason}", O::NAME, candidate.name())),
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("{} has no implementation '{name}'", O::NAME));
    }
    Err(Unsupported(reasons.join("; ")))
}

/// Whether `name` is `best` or one of the gemm's, whose names stand for whole models. Errors: the names there are, or why it
/// cannot run `op` here.
pub fn known(op: &Gemm, device: &dyn Device, name: &str) -> Result<(), Unsupported> {
    if name == BEST {
        return best(op, device).map(drop);
    }
    spark_kernels::named::<Gemm>(name)?.supports(op, device)
}

/// Prepares ops by name and keeps account of what was taken.
#[derive(Debug)]
pub(crate) struct Chooser<'a> {
    pub(crate) device: &'a dyn Device,
    pub(crate) name: &'a str,
    /// The implementations taken, by op.
    pub(crate) taken: BTreeMap<&'static str, Vec<&'static str>>,
    /// Bytes that packed weights occupy.
    pub(crate) resident: u64,
    /// Where products in several parts put the outputs of one, in all layers.
    pub(crate) parts: Arc<Mutex<Option<Buffer>>>,
}

impl Chooser<'_> {
    pub(crate) fn prepare<O: Op>(&mut self, op: &O, weights: &[Buffer]) -> Result<Box<dyn Prepared>, Fault> {
        let implementation = choose(op, self.device, self.name)?;
        let names = self.taken.entry(O::NAME).or_default();
        if !names.contains(&implementation.name()) {
            names.push(implementation.name());
        }
        let prepared = implementation.prepare(op, weights, self.device)?;
        self.resident += prepared.resident();
        Ok(prepared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_kernels::cpu::Cpu;
    use spark_kernels::rmsnorm::RmsNorm;

    #[test]
    fn a_name_stays_in_its_family_or_falls_to_scalar() {
        let cpu = Cpu::new(Some(1), 0);
        let op = RmsNorm::plain(1, 64, false, 1e-5);
        let taken = |name: &str| choose(&op, &cpu, name).unwrap().name();
        assert_eq!(taken("scalar"), "scalar");
        assert_eq!(taken(BEST), best(&op, &cpu).unwrap().name());
        for family in ["avx2", "avx512"] {
            let there = named(&op, &cpu, family);
            let expected = if there { family } else { "scalar" };
            assert_eq!(taken(&format!("{family}-vnni")), expected);
        }
        assert!(known(&gemm(), &cpu, "sse9").unwrap_err().0.contains("scalar"));
        assert!(known(&gemm(), &cpu, "scalar").is_ok() && known(&gemm(), &cpu, BEST).is_ok());
    }

    fn named(op: &RmsNorm, cpu: &Cpu, name: &str) -> bool {
        RmsNorm::implementations().iter().any(|i| i.name() == name && i.supports(op, cpu).is_ok())
    }

    fn gemm() -> Gemm {
        use spark_kernels::format::Format;
        use spark_kernels::gemm::Activations;
        Gemm { m: 1, n: 16, k: 64, weights: Format::Mxfp4, activations: Activations::Int8, bias: false }
    }
}
