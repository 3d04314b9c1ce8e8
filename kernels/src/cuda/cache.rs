//! Compiled code kept on disk, by everything that it depends on.

use super::arch::Arch;
use super::include::HEADERS;
use super::source::Unit;
use std::path::PathBuf;

/// Names the folder to keep code in; empty keeps none.
pub const FOLDER: &str = "SPARK_BENCH_CACHE";

/// The name of the code of `unit` for `arch` made by the compiler of that identity: a hash of all that enters it.
pub(crate) fn key(unit: &Unit, arch: Arch, compiler: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &str| {
        // Lengths stand between the parts, so that no two lists of parts are the same bytes.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    add(compiler);
    add(&arch.to_string());
    add(unit.source.path);
    add(unit.source.text);
    unit.options().iter().for_each(|option| add(option));
    for (name, text) in HEADERS {
        add(name);
        add(text);
    }
    hasher.finalize().to_hex().to_string()
}

fn folder() -> Option<PathBuf> {
    match std::env::var_os(FOLDER) {
        Some(folder) if folder.is_empty() => return None,
        Some(folder) => return Some(PathBuf::from(folder).join("cubins")),
        None => {}
    }
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else {
        var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("spark-bench").join("cubins"))
}

/// The code of that key, if it is kept and whole: behind it stands its own hash.
pub(crate) fn load(key: &str) -> Option<Vec<u8>> {
    let mut bytes = std::fs::read(folder()?.join(key)).ok()?;
    let end = bytes.len().checked_sub(blake3::OUT_LEN)?;
    let hash = bytes.split_off(end);
    (blake3::hash(&bytes).as_bytes()[..] == hash[..]).then_some(bytes)
}

/// Keeps the code of that key. A folder that cannot be written keeps nothing: the next process compiles again.
pub(crate) fn store(key: &str, code: &[u8]) {
    let Some(folder) = folder() else { return };
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        // Another process may write the same: each writes a file of its own and renames it whole.
        let part = folder.join(format!("{key}.{}", std::process::id()));
        let mut bytes = code.to_vec();
        bytes.extend_from_slice(blake3::hash(code).as_bytes());
        std::fs::write(&part, bytes)?;
        std::fs::rename(&part, folder.join(key)).inspect_err(|_| drop(std::fs::remove_file(&part)))
    };
    let _ = write();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::arch::FROM_SM80;
    use crate::cuda::source::Source;

    static A: Source = Source { path: "a.cu", text: "void f();" };
    static B: Source = Source { path: "a.cu", text: "void g();" };

    #[test]
    fn everything_that_enters_the_code_enters_its_key() {
        let unit = Unit::plain(&A, FROM_SM80, &["f"]);
        let base = key(&unit, FROM_SM80[0], "nvrtc 13.0");
        assert_eq!(base, key(&unit, FROM_SM80[0], "nvrtc 13.0"));
        let others = [
            key(&Unit::plain(&B, FROM_SM80, &["f"]), FROM_SM80[0], "nvrtc 13.0"),
            key(&unit.clone().with("TILE", 8), FROM_SM80[0], "nvrtc 13.0"),
            key(&unit, FROM_SM80[1], "nvrtc 13.0"),
            key(&unit, FROM_SM80[0], "nvrtc 13.0 (test double)"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
