//! Names the sources that a page is made from by one number, so that a page can say which program drew it and be held against what the
//! same program draws again.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// What decides how a page looks and what stands on it.
const SOURCES: [&str; 5] =
    ["src", "../results/src", "../results/published", "../results/claims", "../results/baselines"];

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for folder in SOURCES {
        println!("cargo::rerun-if-changed={folder}");
        collect(Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut sum = DefaultHasher::new();
    for file in files {
        // A line ends alike whatever checked it out.
        fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n").hash(&mut sum);
    }
    println!("cargo::rustc-env=SPARK_REPORTS_SOURCES={:016x}", sum.finish());
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    // A package that was published alone has no neighbours.
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
