//! A compilation: preprocess, find the kernels, and have the host's C++ compiler make a shared object of it.

use crate::options::Options;
use crate::{entries, shim};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source as it was given: its name, its text, and the headers it may include.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// How messages name it.
    pub name: String,
    /// The text of the `.cu` file.
    pub text: String,
    /// Name and text of each header.
    pub headers: Vec<(String, String)>,
}

/// What every object is made with: no contraction of products and sums (a GPU's compiler is told the same by `_rn`), pointers that
/// may alias, and nothing exported but the entries.
const FLAGS: [&str; 12] = [
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-math-errno",
    "-w",
    "-DSPARK_CUDA_ON_CPU=1",
];

/// Flags from outside, for sanitizers: the variable `SPARK_CUDA_DOUBLE_CXXFLAGS`.
pub fn extra_flags() -> String {
    std::env::var("SPARK_CUDA_DOUBLE_CXXFLAGS").unwrap_or_default()
}

/// The bytes of the shared object, and what the compiler said meanwhile. Errors: the compiler's words.
pub fn compile(source: &Source, options: &Options) -> Result<(Vec<u8>, String), String> {
    let folder = tempfile::tempdir().map_err(|e| format!("the double finds no temporary folder: {e}"))?;
    let file = write_all(folder.path(), source)?;
    // Behind the headers, whose own names a choice of a source must not change.
    let defines: String = options.defines.iter().map(|define| define_line(define)).collect();
    let own = ["all.h", "defines.h"].map(|name| folder.path().join("spark_double").join(name));
    fs::write(&own[1], defines).map_err(|e| format!("the double cannot write: {e}"))?;
    let flags = extra_flags();
    let mut command = compiler();
    command.args(FLAGS).args(flags.split_whitespace()).arg("-I").arg(folder.path());
    command.args(options.architecture.macros().iter().map(|define| format!("-D{define}")));
    command.arg("-E").args(own.iter().flat_map(|header| ["-include".as_ref(), header.as_os_str()]));
    command.args(["-x", "c++"]).arg(&file);
    let (preprocessed, _) = said(&mut command, folder.path())?;
    let preprocessed = String::from_utf8_lossy(&preprocessed);
    let (text, found) = entries::take(&preprocessed);
    let (plain, object) = (folder.path().join("source.ii"), folder.path().join("object.so"));
    fs::write(&plain, text + &entries::exports(&found, options.architecture))
        .map_err(|e| format!("the double cannot write: {e}"))?;
    let mut command = compiler();
    command.args(FLAGS).args(flags.split_whitespace()).args(["-shared", "-x", "c++-cpp-output"]).arg(&plain);
    command.arg("-o").arg(&object).args(["-x", "none", "-lm"]);
    let (_, words) = said(&mut command, folder.path())?;
    let bytes = fs::read(&object).map_err(|e| format!("the double cannot read its object: {e}"))?;
    Ok((bytes, words))
}

/// What `-D` means, as a line of a header.
fn define_line(define: &str) -> String {
    let (name, value) = define.split_once('=').unwrap_or((define, "1"));
    format!("#define {name} {value}\n")
}

fn compiler() -> Command {
    let mut command = Command::new(std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned()));
    // Messages in English and plain characters, whatever the user reads otherwise.
    command.env("LC_ALL", "C");
    command
}

/// Puts the source and the headers down; returns where the source is.
fn write_all(folder: &Path, source: &Source) -> Result<PathBuf, String> {
    let name = if source.name.is_empty() { "default_program" } else { &source.name };
    let own = shim::HEADERS.iter().map(|(name, text)| (*name, *text));
    let given = source.headers.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    for (name, text) in own.chain(given).chain([(name, source.text.as_str())]) {
        let at = folder.join(name.trim_start_matches('/'));
        let parent = at.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&at, text))
            .map_err(|e| format!("the double cannot write {name}: {e}"))?;
    }
    Ok(folder.join(name.trim_start_matches('/')))
}

/// Runs it: what it wrote to its output, and its words with the folder's name taken out. Errors: the words of a failure.
fn said(command: &mut Command, folder: &Path) -> Result<(Vec<u8>, String), String> {
    let out = command.output().map_err(|e| format!("the double needs the host's C++ compiler ({command:?}): {e}"))?;
    let words = String::from_utf8_lossy(&out.stderr).replace(&format!("{}/", folder.display()), "");
    if out.status.success() { Ok((out.stdout, words)) } else { Err(words) }
}
