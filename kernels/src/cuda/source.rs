//! The `.cu` files: texts embedded in the program, and what is compiled from them.

use super::arch::Arch;

/// A `.cu` file, embedded.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Its place under `kernels/src`, as compilers and messages show it.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// One compilation: a file, the choices made in it, and where the result may run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// The file.
    pub source: &'static Source,
    /// `-DNAME=VALUE`, in order.
    pub defines: Vec<(&'static str, String)>,
    /// The architectures it is written for.
    pub archs: &'static [Arch],
    /// The `extern "C" __global__` functions in it.
    pub entries: &'static [&'static str],
}

impl Unit {
    /// `source` without choices.
    pub fn plain(source: &'static Source, archs: &'static [Arch], entries: &'static [&'static str]) -> Self {
        Self { source, defines: Vec::new(), archs, entries }
    }
    /// The same with one choice more.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.defines.push((name, value.to_string()));
        self
    }
    /// The compiler's options but for the architecture.
    pub fn options(&self) -> Vec<String> {
        let defines = self.defines.iter().map(|(name, value)| format!("-D{name}={value}"));
        ["--std=c++17".to_owned()].into_iter().chain(defines).collect()
    }
}
