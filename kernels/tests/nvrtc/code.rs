//! What is in a cubin, as NVIDIA's own tools tell it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// The code of one kernel, over all the choices that it was compiled with.
#[derive(Debug, Default, Clone)]
pub(crate) struct Kernel {
    choices: u32,
    registers: u32,
    /// Bytes of a thread's local memory: arrays that no registers hold, and spills; and in how many of the choices.
    stack: u32,
    stacked: u32,
    /// The tensor cores' instructions, each with the number of choices that have it.
    tensor: BTreeMap<String, u32>,
}

impl Kernel {
    /// The worse of both.
    pub(crate) fn add(&mut self, other: &Self) {
        self.choices += other.choices;
        self.registers = self.registers.max(other.registers);
        self.stack = self.stack.max(other.stack);
        self.stacked += other.stacked;
        for (name, choices) in &other.tensor {
            *self.tensor.entry(name.clone()).or_default() += choices;
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |some: u32| if some == self.choices { String::new() } else { format!(" in {some}") };
        let plural = if self.choices == 1 { "" } else { "s" };
        write!(f, "{} choice{plural}, {} registers", self.choices, self.registers)?;
        if self.stack > 0 {
            write!(f, ", {} bytes of stack{}", self.stack, of(self.stacked))?;
        }
        self.tensor.iter().try_for_each(|(name, some)| write!(f, ", {name}{}", of(*some)))
    }
}

fn said(tools: &Path, tool: &str, options: &[&str], file: &Path) -> String {
    let out = Command::new(tools.join(tool)).args(options).arg(file).output();
    let out = out.unwrap_or_else(|why| panic!("{tool} in {}: {why}", tools.display()));
    assert!(out.status.success(), "{tool}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The kernels in a cubin, by name; their instructions are looked at only where it is said that there may be tensor cores' among them.
pub(crate) fn look(tools: &Path, cubin: &[u8], tensor: bool) -> BTreeMap<String, Kernel> {
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
            let (registers, stack) = (number("REG:"), number("STACK:").max(number("LOCAL:")));
            let stacked = u32::from(stack > 0);
            let kernel = Kernel { choices: 1, registers, stack, stacked, tensor: BTreeMap::new() };
            kernels.insert(current.clone(), kernel);
        }
    }
    assert!(!kernels.is_empty(), "no kernel in a cubin");
    if !tensor {
        return kernels;
    }
    // ".text.NAME:" and its instructions. The analysis of the flow of data would take as long again.
    for line in said(tools, "nvdisasm", &["-c", "-ndf"], file.path()).lines().map(str::trim) {
        if let Some(name) = line.strip_prefix(".text.") {
            current = name.trim_end_matches(':').to_owned();
        }
        let known = ["HMMA", "IMMA", "QMMA", "OMMA", "HGMMA", "QGMMA", "IGMMA", "DMMA"];
        let found = line.split_whitespace().find(|word| known.iter().any(|k| word.split('.').next() == Some(k)));
        if let (Some(word), Some(kernel)) = (found, kernels.get_mut(&current)) {
            // Once a cubin: what is counted is choices.
            kernel.tensor.insert(word.trim_end_matches(';').to_owned(), 1);
        }
    }
    kernels
}
