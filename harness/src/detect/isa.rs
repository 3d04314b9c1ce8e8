//! Instruction-set extensions under one name each, whoever tells of them: the processor itself or the kernel's list.

/// Linux' word in /proc/cpuinfo, and the name used here (Rust's, where Rust has one).
const WORDS: &[(&str, &str)] = &[
    ("sse4_2", "sse4.2"),
    ("avx", "avx"),
    ("avx2", "avx2"),
    ("fma", "fma"),
    ("f16c", "f16c"),
    ("bmi2", "bmi2"),
    ("gfni", "gfni"),
    ("avx_vnni", "avxvnni"),
    ("avx_vnni_int8", "avxvnniint8"),
    ("avx512f", "avx512f"),
    ("avx512bw", "avx512bw"),
    ("avx512dq", "avx512dq"),
    ("avx512vl", "avx512vl"),
    ("avx512vbmi", "avx512vbmi"),
    ("avx512_vbmi2", "avx512vbmi2"),
    ("avx512_vnni", "avx512vnni"),
    ("avx512_bf16", "avx512bf16"),
    ("avx512_fp16", "avx512fp16"),
    ("amx_tile", "amx-tile"),
    ("amx_int8", "amx-int8"),
    ("amx_bf16", "amx-bf16"),
    ("asimd", "neon"),
    ("asimdhp", "fp16"),
    ("asimdfhm", "fhm"),
    ("asimddp", "dotprod"),
    ("i8mm", "i8mm"),
    ("bf16", "bf16"),
    ("atomics", "lse"),
    ("sve", "sve"),
    ("sve2", "sve2"),
    ("svei8mm", "sve-i8mm"),
    ("svebf16", "sve-bf16"),
    ("sme", "sme"),
    ("sme2", "sme2"),
];

/// The extensions in the kernel's words, sorted.
#[must_use]
pub fn from_words(words: &[&str]) -> Vec<String> {
    let mut names: Vec<String> =
        WORDS.iter().filter(|(word, _)| words.contains(word)).map(|(_, name)| (*name).to_owned()).collect();
    names.sort();
    names
}

/// The extensions of the processor this runs on, sorted: Rust's own detection decides for every name it knows; the kernel's `words`
/// add the names it does not (AMX, SVE's variants, SME).
#[must_use]
pub fn live(words: &[&str]) -> Vec<String> {
    let asked = asked();
    let by_kernel = from_words(words).into_iter().filter(|name| !asked.iter().any(|(known, _)| known == name));
    let mut names: Vec<String> =
        asked.iter().filter(|(_, here)| *here).map(|(name, _)| (*name).to_owned()).chain(by_kernel).collect();
    names.sort();
    names
}

#[cfg(target_arch = "x86_64")]
macro_rules! ask {
    ($($name:tt)*) => { vec![$(($name, std::arch::is_x86_feature_detected!($name))),*] };
}
#[cfg(target_arch = "aarch64")]
macro_rules! ask {
    ($($name:tt)*) => { vec![$(($name, std::arch::is_aarch64_feature_detected!($name))),*] };
}

/// Every name Rust can ask the processor for, and its answer.
#[cfg(target_arch = "x86_64")]
fn asked() -> Vec<(&'static str, bool)> {
    ask!("sse4.2" "avx" "avx2" "fma" "f16c" "bmi2" "gfni" "avxvnni" "avxvnniint8" "avx512f" "avx512bw" "avx512dq" "avx512vl"
         "avx512vbmi" "avx512vbmi2" "avx512vnni" "avx512bf16" "avx512fp16")
}

/// Every name Rust can ask the processor for, and its answer.
#[cfg(target_arch = "aarch64")]
fn asked() -> Vec<(&'static str, bool)> {
    ask!("neon" "fp16" "fhm" "dotprod" "i8mm" "bf16" "lse" "sve" "sve2")
}

/// Every name Rust can ask the processor for, and its answer.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn asked() -> Vec<(&'static str, bool)> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_words_get_the_names_used_here() {
        assert_eq!(from_words(&["fpu", "avx512_vnni", "amx_int8", "avx2"]), ["amx-int8", "avx2", "avx512vnni"]);
        assert_eq!(from_words(&["asimd", "asimddp", "i8mm", "bf16"]), ["bf16", "dotprod", "i8mm", "neon"]);
    }

    #[test]
    fn the_processor_overrules_the_kernel() {
        // A word for something the processor lacks is not believed; one that nobody can ask it about is.
        let lacking: Vec<&str> = asked().iter().filter(|(_, here)| !here).map(|(name, _)| *name).collect();
        let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
        let names = live(&words);
        assert!(lacking.iter().all(|l| !names.iter().any(|n| n == l)), "{names:?} has one of {lacking:?}");
        assert!(names.iter().any(|n| n == "amx-int8"));
    }
}
