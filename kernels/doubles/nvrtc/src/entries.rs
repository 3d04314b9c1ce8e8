//! The kernels of a preprocessed source: their names and bounds, and the functions by which the driver's double calls them.

use crate::architecture::Architecture;
use std::fmt::Write;

/// A kernel: its name, and the most threads a block of it may have, as an expression of C++.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it is asked for.
    pub name: String,
    /// What `__launch_bounds__` says first, else 1024.
    pub max_threads: String,
    /// Whether it waits for what the host does meanwhile, and so has to run beside its caller.
    pub with_host: bool,
}

const GLOBAL: &str = "__global__";
const BOUNDS: &str = "__launch_bounds__";
/// What `WITH_HOST` of `system.cuh` becomes before a kernel's name.
const WITH_HOST: &str = "spark_with_host";

/// Finds the kernels, and returns the source without the words that C++ does not know.
pub fn take(source: &str) -> (String, Vec<Entry>) {
    let mut text = String::with_capacity(source.len());
    let mut found: Vec<Entry> = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(GLOBAL) {
        text.push_str(&rest[..at]);
        rest = &rest[at + GLOBAL.len()..];
        let mut max_threads = "1024".to_owned();
        let mut head = String::new();
        // Up to the parenthesis of the parameters, which is the first that no bounds open.
        while let Some(open) = rest.find('(') {
            match rest[..open].trim_end().strip_suffix(BOUNDS) {
                Some(before) => {
                    let end = closing(&rest[open..]);
                    max_threads = first_of(&rest[open + 1..open + end]).to_owned();
                    head.push_str(before);
                    rest = &rest[(open + end + 1).min(rest.len())..];
                }
                None => {
                    head.push_str(&rest[..open]);
                    rest = &rest[open..];
                    break;
                }
            }
        }
        let name = head.split_whitespace().last().unwrap_or("").to_owned();
        let with_host = head.split_whitespace().any(|word| word == WITH_HOST);
        if !found.iter().any(|entry| entry.name == name) {
            found.push(Entry { name, max_threads, with_host });
        }
        text.push_str(&head.replace(WITH_HOST, ""));
    }
    text.push_str(rest);
    (text, found)
}

/// Where the parenthesis that opens `text` is closed.
fn closing(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return at,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The first of the arguments in `text`.
fn first_of(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return text[..at].trim(),
            _ => {}
        }
    }
    text.trim()
}

/// What the object exports: the functions for each kernel, and the architecture it passes for.
pub fn exports(entries: &[Entry], architecture: Architecture) -> String {
    let mark = architecture.number * 256 + architecture.suffix.map_or(0, u32::from);
    let mut out = format!(
        "\n# 1 \"the double's exports\"\nextern \"C\" __attribute__((visibility(\"default\"))) const unsigned \
         spark_architecture;\nconst unsigned spark_architecture = {mark};\n"
    );
    for Entry { name, max_threads, with_host } in entries {
        let export = "extern \"C\" __attribute__((visibility(\"default\")))";
        let _ = writeln!(
            out,
            "{export} int spark_entry_{name}(const spark::Launch* l) {{ return spark::run(&{name}, l); }}\n\
             {export} void spark_about_{name}(spark::About* a) {{ *a = spark::about(&{name}, {max_threads}, {with_host}); }}"
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_found_with_and_without_bounds() {
        let source = "extern \"C\" __global__ void plain(float* x) {}\n\
             extern \"C\" __global__ void __launch_bounds__(32 * (4 + 1), 2) bounded(const int* y, int n) {}\n\
             extern \"C\" __global__ __launch_bounds__(64) void third();\nstatic int f(int a) { return a; }\n\
             extern \"C\" __global__ void __launch_bounds__(64) third() {}\n\
             extern \"C\" __global__ void spark_with_host gate(int* z) {}";
        let (text, found) = take(source);
        let names: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.max_threads.as_str())).collect();
        assert_eq!(names, [("plain", "1024"), ("bounded", "32 * (4 + 1)"), ("third", "64"), ("gate", "1024")]);
        assert_eq!(found.iter().map(|e| e.with_host).collect::<Vec<_>>(), [false, false, false, true]);
        assert!(!text.contains("__") && !text.contains(WITH_HOST), "{text}");
        assert!(text.contains("bounded(const int* y, int n) {}"), "{text}");
        let exports = exports(&found, Architecture { number: 90, suffix: None });
        assert!(exports.contains("spark_entry_bounded") && exports.contains("= 23040;"), "{exports}");
    }
}
