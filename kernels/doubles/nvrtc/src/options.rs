//! The options of a compilation: what the real compiler knows and refuses, this one does too.

use crate::architecture::Architecture;

/// What a compilation was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is compiled for.
    pub architecture: Architecture,
    /// Macros, as `NAME` or `NAME=VALUE`.
    pub defines: Vec<String>,
}

/// Options that change nothing here: they are about how a GPU's code is made. With `=` a value follows.
const WITHOUT_EFFECT: &[&str] = &[
    "--std=",
    "-std=",
    "--fmad=",
    "-fmad=",
    "--ftz=",
    "--prec-div=",
    "--prec-sqrt=",
    "--maxrregcount=",
    "-maxrregcount=",
    "--generate-line-info",
    "-lineinfo",
    "--device-debug",
    "-G",
    "--extra-device-vectorization",
    "--ptxas-options=",
    "-default-device",
    "--device-as-default-execution-space",
    "-w",
    "--disable-warnings",
    "--restrict",
    "--dopt=",
    "-I",
    "--include-path=",
    "--no-source-include",
    "--minimal",
    "--split-compile=",
    "--relocatable-device-code=false",
];

impl Options {
    /// From the options as they are given to `nvrtcCompileProgram`. Errors: the compiler's words about one it does not know.
    pub fn parse<'a>(given: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut architecture = None;
        let mut defines = Vec::new();
        let mut given = given.into_iter();
        while let Some(option) = given.next() {
            let mut value_of = |names: &[&str]| {
                let name = names.iter().find(|name| option.starts_with(**name))?;
                let value = option[name.len()..].trim_start_matches('=');
                Some(if value.is_empty() { given.next().unwrap_or("").to_owned() } else { value.to_owned() })
            };
            if let Some(name) = value_of(&["--gpu-architecture", "-arch"]) {
                architecture = Some(Architecture::named(&name)?);
            } else if let Some(define) = value_of(&["--define-macro", "-D"]) {
                defines.push(define);
            } else if !WITHOUT_EFFECT.iter().any(|known| match known.strip_suffix('=') {
                Some(name) => option.starts_with(name),
                None => option == *known || (*known == "-I" && option.starts_with("-I")),
            }) {
                return Err(format!("nvrtc: error: unrecognized option {option} found"));
            }
        }
        let architecture =
            architecture.ok_or("nvrtc: error: the double wants --gpu-architecture=sm_…; it has no default")?;
        Ok(Self { architecture, defines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read_and_unknown_ones_are_refused() {
        let given = ["--gpu-architecture=sm_90a", "-DA=1", "-D", "B", "--define-macro=C=x", "--std=c++17", "-lineinfo"];
        let options = Options::parse(given).expect("all are known");
        assert_eq!(options.architecture.number, 90);
        assert_eq!(options.defines, ["A=1", "B", "C=x"]);
        assert_eq!(Options::parse(["-arch", "sm_80"]).expect("known").architecture.number, 80);
        assert!(Options::parse(["-arch=sm_80", "--fast"]).is_err_and(|e| e.contains("--fast")));
        assert!(Options::parse(["-DA"]).is_err_and(|e| e.contains("sm_")));
    }
}
