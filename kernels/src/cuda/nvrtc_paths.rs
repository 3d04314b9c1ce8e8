//! Where NVRTC may be: what the environment names, what the loader knows, the toolkit's and Python's usual folders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names a library or its folder to use before any other.
pub(crate) const LIBRARY: &str = "SPARK_BENCH_NVRTC";

/// A place to try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// A file, or a bare name that the loader may know.
    pub(crate) path: PathBuf,
    /// Libraries that have to be loaded before it.
    pub(crate) builtins: Vec<PathBuf>,
}

/// Bare names, newest first.
const NAMES: &[&str] = if cfg!(windows) {
    &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
} else if cfg!(target_os = "macos") {
    &["libnvrtc.dylib"]
} else {
    &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
};

/// Every place to try, in order.
pub(crate) fn candidates() -> Vec<Candidate> {
    let named = std::env::var_os(LIBRARY).filter(|path| !path.is_empty());
    if let Some(path) = named.map(PathBuf::from) {
        // Who names one means that one.
        return if path.is_dir() { inside(&path) } else { vec![of_file(path)] };
    }
    let bare = NAMES.iter().map(|name| Candidate { path: PathBuf::from(name), builtins: Vec::new() });
    bare.chain(folders(&["cu13/lib", "cuda_nvrtc/lib"]).iter().flat_map(|folder| inside(folder))).collect()
}

/// The libraries in a folder, newest first.
fn inside(folder: &Path) -> Vec<Candidate> {
    NAMES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).map(of_file).collect()
}

fn of_file(path: PathBuf) -> Candidate {
    let of_folder = path.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    let names = of_folder.into_iter().flatten().flatten().map(|entry| entry.path());
    let is_builtins = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            // The wheels carry a variant beside it, which is of no use here.
            name.contains("nvrtc-builtins") && !name.contains(".alt.")
        })
    };
    let mut builtins: Vec<_> = names.filter(is_builtins).collect();
    builtins.sort();
    Candidate { path, builtins }
}

/// Folders in which toolkits put their libraries, and Python packages, `packages` under `nvidia`.
pub(crate) fn folders(packages: &[&str]) -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v: &OsString| !v.is_empty()).map(PathBuf::from);
    let mut folders = Vec::new();
    for home in ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(var) {
        folders.extend(["lib64", "bin", "bin/x64", "lib"].map(|inner| home.join(inner)));
    }
    if cfg!(unix) {
        let arch = std::env::consts::ARCH;
        folders.extend(["/usr/local/cuda", "/opt/cuda"].map(|home| Path::new(home).join("lib64")));
        folders.push(format!("/usr/lib/{arch}-linux-gnu").into());
    }
    if let Ok(Some(beside)) = std::env::current_exe().map(|exe| exe.parent().map(Path::to_owned)) {
        folders.push(beside);
    }
    for python in ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(var) {
        let versions = std::fs::read_dir(python.join("lib")).into_iter().flatten().flatten();
        for version in versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("python")) {
            let nvidia = version.path().join("site-packages").join("nvidia");
            folders.extend(packages.iter().map(|inner| nvidia.join(inner)));
        }
    }
    folders
}
