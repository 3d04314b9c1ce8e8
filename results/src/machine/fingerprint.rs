//! The fingerprint: equal on machines whose figures may be compared, blind to names and addresses.

use std::fmt::Write as _;

use super::{Limit, Machine};

const GIB: f64 = (1u64 << 30) as f64;

impl Machine {
    /// 16 hex digits over what decides performance: CPU (brand, family, model, extensions, cores, caches), memory rounded to GiB,
    /// operating system family, virtualisation and the container's CPU and memory limits.
    ///
    /// Not in it: host name, kernel and microcode versions, free memory, governor (a state, which is compared by itself).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = blake3::hash(self.identity().as_bytes()).to_hex();
        hash.as_str().chars().take(16).collect()
    }

    /// The text that is hashed, a line for each property: what to look at when two fingerprints differ and should not.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut text = String::from("machine 1\n");
        let mut line = |name: &str, value: &str| {
            // A cleaned value has no line break of its own, so no value can pass for the next line; debug text escapes the rest.
            let _ = writeln!(text, "{name} {value:?}");
        };
        let cpu = &self.cpu;
        line("architecture", word(self.architecture.as_deref()));
        line("os", word(self.os.family.as_deref()));
        line("vendor", word(cpu.vendor.as_deref()));
        line("brand", word(cpu.brand.as_deref()));
        line("model", &format!("{:?} {:?} {:?}", cpu.family, cpu.model, cpu.stepping));
        let mut isa = cpu.isa.clone();
        isa.sort();
        line("isa", &isa.join(" "));
        line("cores", &format!("{:?} {:?} {:?}", cpu.logical, cpu.physical, cpu.packages));
        for kind in &cpu.core_types {
            line("core", &format!("{} {:?} {:?} {}", kind.name, kind.implementer, kind.part, kind.cpus.len()));
        }
        for c in &cpu.caches {
            line("cache", &format!("{} {:?} {} {}", c.level, c.kind, c.size_bytes, c.count));
        }
        line("memory GiB", &self.memory.total_bytes.map_or_else(unknown, gib));
        line("numa", &self.numa.len().to_string());
        line(
            "virtual",
            &format!("{:?} {}", self.virtualisation.virtual_machine, word(self.virtualisation.hypervisor.as_deref())),
        );
        line("quota", &limit(self.limits.cpu_quota, |cpus| format!("{cpus:.2}")));
        line("memory limit GiB", &limit(self.limits.memory_bytes, gib));
        text
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn word(value: Option<&str>) -> &str {
    value.unwrap_or("unknown")
}

fn gib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / GIB)
}

/// A limit that could not be read counts as none: the machine is the same whether or not the control groups can be seen.
fn limit<T: Copy>(limit: Option<Limit<T>>, show: impl Fn(T) -> String) -> String {
    limit.and_then(|l| l.at()).map_or_else(|| "unlimited".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Cache, CacheKind, Cpu, Memory};

    fn machine() -> Machine {
        Machine {
            host: Some("here".into()),
            architecture: Some("x86_64".into()),
            cpu: Cpu {
                brand: Some("Some CPU".into()),
                isa: vec!["avx2".into(), "fma".into()],
                logical: Some(8),
                physical: Some(4),
                caches: vec![Cache {
                    level: 3,
                    kind: CacheKind::Unified,
                    size_bytes: 1 << 25,
                    line_bytes: Some(64),
                    count: 1,
                    shared_by: vec![],
                }],
                ..Cpu::default()
            },
            memory: Memory { total_bytes: Some(16 << 30), ..Memory::default() },
            ..Machine::default()
        }
    }

    #[test]
    fn what_does_not_decide_performance_does_not_count() {
        let a = machine();
        let mut b = machine();
        b.host = Some("there".into());
        b.memory.total_bytes = Some((16 << 30) - (100 << 20));
        b.memory.available_bytes = Some(5);
        b.os.kernel = Some("6.99".into());
        b.cpu.isa.reverse();
        assert_eq!(a.fingerprint(), b.fingerprint());
        assert!(a.fingerprint().len() == 16 && a.fingerprint().chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn what_decides_performance_counts() {
        let changes: [fn(&mut Machine); 9] = [
            |m| m.cpu.brand = Some("Other CPU".into()),
            |m| m.cpu.isa.push("avx512f".into()),
            |m| m.cpu.logical = Some(16),
            |m| m.cpu.caches[0].size_bytes *= 2,
            |m| m.memory.total_bytes = Some(32 << 30),
            |m| m.os.family = Some("windows".into()),
            |m| m.virtualisation.virtual_machine = Some(true),
            |m| m.virtualisation.hypervisor = Some("KVM".into()),
            |m| m.limits.cpu_quota = Some(Limit::At(1.5)),
        ];
        let mut seen = vec![machine().fingerprint()];
        for change in changes {
            let mut m = machine();
            change(&mut m);
            seen.push(m.fingerprint());
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn a_machine_reads_back_and_unknown_fields_are_ignored() {
        let mut json = serde_json::to_value(machine()).unwrap();
        assert_eq!(serde_json::from_value::<Machine>(json.clone()).unwrap(), machine());
        json["from_the_future"] = serde_json::json!({"x": 1});
        assert_eq!(serde_json::from_value::<Machine>(json).unwrap(), machine());
        assert_eq!(serde_json::from_str::<Machine>("{}").unwrap(), Machine::default());
    }
}
