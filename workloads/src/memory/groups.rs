//! Two sides that work beside each other: a CPU's cores in two groups, or all of them and a GPU.

use crate::workload::Decline;
use spark_kernels::Device;
use spark_kernels::cpu::Cpu;
use std::sync::Arc;

/// The host's processor beside a GPU, with the last-level cache that the system tells.
pub(super) fn host(threads: Option<usize>) -> Cpu {
    Cpu::new(threads, spark_kernels::last_level_cache().unwrap_or(0))
}

/// How cores are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// Every other core, so that both groups have as many of each kind.
    Half,
    /// The fastest kind, and all others.
    Kinds,
    /// The first core, and all others.
    First,
}

/// Two groups of one device's cores.
pub(super) struct Groups {
    pub(super) one: Arc<dyn Device>,
    pub(super) other: Arc<dyn Device>,
    /// Which they are, in words.
    pub(super) said: String,
}

impl Groups {
    /// The host's cores and the GPU `device`.
    pub(super) fn with_gpu(device: &Arc<dyn Device>) -> Self {
        let cpu = host(None);
        let said = format!("one: cpus {}; other: {}", list(cpu.pool().cpus()), device.id());
        Self { one: Arc::new(cpu), other: device.clone(), said }
    }
    /// The cores of `device`, dealt out. Errors: it is no CPU, or has too few of them.
    pub(super) fn of(device: &dyn Device, split: Split) -> Result<Self, Decline> {
        let cpu = Cpu::of(device).map_err(|u| Decline::Skip(u.to_string()))?;
        let [one, other] = dealt(cpu, split);
        if one.is_empty() || other.is_empty() {
            let (have, all) = (one.len().max(other.len()), cpu.pool().kinds());
            let why = match split {
                Split::Kinds => format!("it takes two kinds of core, and the device has {all}"),
                Split::Half | Split::First => {
                    format!("it takes two groups of cores, and the device has {have} core: raise --threads")
                }
            };
            return Err(Decline::Skip(why));
        }
        let said = format!("one: cpus {}; other: cpus {}", list(&one), list(&other));
        let group = |cpus: &[usize]| -> Arc<dyn Device> { Arc::new(Cpu::on(cpus, device.last_level_cache())) };
        Ok(Self { one: group(&one), other: group(&other), said })
    }
}

fn dealt(cpu: &Cpu, split: Split) -> [Vec<usize>; 2] {
    let pool = cpu.pool();
    // More threads than cpus is allowed, and then some stand twice.
    let mut all = pool.cpus().to_vec();
    all.sort_unstable();
    all.dedup();
    let fast = pool.cpus_of_kind(0);
    let mut groups = [Vec::new(), Vec::new()];
    for (at, cpu) in all.into_iter().enumerate() {
        let other = match split {
            Split::Half => at % 2 == 1,
            Split::Kinds => !fast.contains(&cpu),
            Split::First => at > 0,
        };
        groups[usize::from(other)].push(cpu);
    }
    groups
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_is_in_one_group() {
        let cpus = spark_kernels::cpu::pool::allowed_cpus();
        let cpu = Cpu::on(&cpus, 0);
        for split in [Split::Half, Split::First] {
            let [one, other] = dealt(&cpu, split);
            let mut all = [one.clone(), other.clone()].concat();
            all.sort_unstable();
            assert_eq!(all, cpus, "{split:?}");
            assert!(split != Split::Half || one.len() - other.len() <= 1);
        }
    }

    #[test]
    fn one_core_makes_no_two_groups() {
        let cpu = Cpu::new(Some(1), 0);
        for split in [Split::Half, Split::First, Split::Kinds] {
            let why = Groups::of(&cpu, split).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains("takes two"), "{split:?}: {why}");
        }
    }
}
