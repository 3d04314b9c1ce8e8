//! What is in a cubin, as NVIDIA's own tools tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// The code of one kernel.
#[derive(Debug, Default, Clone)]
pub(crate) struct Kernel {
    registers: u32,
    /// Bytes of a thread's local memory: arrays that no registers hold, and spills.
    stack: u32,
    /// The tensor cores' instructions, without the flags behind their shape.
    tensor: BTreeSet<String>,
}

impl Kernel {
    /// The worse of both.
    pub(crate) fn add(&mut self, other: &Self) {
        self.registers = self.registers.max(other.registers);
        self.stack = self.stack.max(other.stack);
        self.tensor.extend(other.tensor.iter().cloned());
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} registers, {} bytes of stack", self.registers, self.stack)?;
        self.tensor.iter().try_for_each(|name| write!(f, ", {name}"))
    }
}

fn said(tools: &Path, tool: &str, options: &[&str], file: &Path) -> String {
    let out = Command::new(tools.join(tool)).args(options).arg(file).output();
    let out = out.unwrap_or_else(|why| panic!("{tool} in {}: {why}", tools.display()));
    assert!(out.status.success(), "{tool}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The kernels in a cubin, by name.
pub(crate) fn look(tools: &Path, cubin: &[u8]) -> BTreeMap<String, Kernel> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), cubin).expect("a temporary file is written");
    let mut kernels: BTreeMap<String, Kernel> = BTreeMap::new();
    // " Function NAME:" and on the next line "  REG:32 STACK:0 SHARED:0 LOCAL:0 …".
    let mut current = String::new();
    for line in said(tools, "cuobjdump", &["--dump-resource-usage"], file.path()).lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("Function ") {
            current = name.trim_end_matches(':').to_owned();
        } else if line.starts_with("REG:") {
            let number = |key: &str| {
                let word = line.split_whitespace().find_map(|word| word.strip_prefix(key));
                word.and_then(|n| n.parse::<u32>().ok()).unwrap_or_else(|| panic!("no {key} in {line}"))
            };
            let stack = number("STACK:").max(number("LOCAL:"));
            kernels.insert(current.clone(), Kernel { registers: number("REG:"), stack, ..Kernel::default() });
        }
    }
    // ".text.NAME:" and its instructions.
    for line in said(tools, "nvdisasm", &["-c"], file.path()).lines().map(str::trim) {
        if let Some(name) = line.strip_prefix(".text.") {
            current = name.trim_end_matches(':').to_owned();
        }
        let known = ["HMMA", "IMMA", "QMMA", "OMMA", "HGMMA", "QGMMA", "IGMMA", "DMMA"];
        let found = line.split_whitespace().find(|word| known.iter().any(|k| word.split('.').next() == Some(k)));
        if let (Some(word), Some(kernel)) = (found, kernels.get_mut(&current)) {
            kernel.tensor.insert(word.trim_end_matches(';').to_owned());
        }
    }
    assert!(!kernels.is_empty(), "no kernel in a cubin");
    kernels
}
