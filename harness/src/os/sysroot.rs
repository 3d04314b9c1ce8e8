//! The root under which /proc, /sys and /etc are read: the machine's own, or a tree made for a test.

use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use spark_results::machine::clean;

/// The most that is read of one file: /proc/cpuinfo of 1,000 processors has about 2 MB.
const LARGEST: u64 = 8 << 20;

/// Where the kernel's files are read from. Under any root but the live one nothing else of this machine is looked at.
#[derive(Debug, Clone)]
pub struct SysRoot {
    root: PathBuf,
    live: bool,
}

impl SysRoot {
    /// The machine itself.
    #[must_use]
    pub fn live() -> Self {
        Self { root: PathBuf::from("/"), live: true }
    }

    /// A copy of another machine's files, for tests.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), live: false }
    }

    /// The tree that `SPARK_BENCH_SYSROOT` names, else the machine itself. The variable exists for tests of the program.
    #[must_use]
    pub fn from_env() -> Self {
        std::env::var_os("SPARK_BENCH_SYSROOT").filter(|v| !v.is_empty()).map_or_else(Self::live, Self::at)
    }

    /// Whether this is the machine itself.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Where `path`, such as `/proc/stat`, lies. A path never leads out of the root: `..` in it is dropped.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let inside = path.as_ref().components().filter(|c| matches!(c, Component::Normal(_)));
        inside.fold(self.root.clone(), |at, c| at.join(c))
    }

    /// Whether there is anything at `path`.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The whole text of a file, as it is, at most 8 MiB.
    ///
    /// # Errors
    /// `path: reason`, as the system gives it.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<String, String> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        fs::File::open(self.path(path))
            .and_then(|f| f.take(LARGEST).read_to_end(&mut bytes))
            .map_err(|e| format!("{}: {}", path.display(), reason(&e)))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a file as one cleaned line.
    ///
    /// # Errors
    /// As [`SysRoot::text`]; also when nothing is left of it.
    pub fn line(&self, path: impl AsRef<Path>) -> Result<String, String> {
        let path = path.as_ref();
        let line = clean(&self.text(path)?);
        if line.is_empty() { Err(format!("{}: empty", path.display())) } else { Ok(line) }
    }

    /// A file that holds one value.
    ///
    /// # Errors
    /// As [`SysRoot::line`]; also when it does not parse.
    pub fn value<T: FromStr>(&self, path: impl AsRef<Path>) -> Result<T, String> {
        let path = path.as_ref();
        let line = self.line(path)?;
        line.parse().map_err(|_| format!("{}: not understood: {line:?}", path.display()))
    }

    /// The names in a folder, sorted so that `cpu2` comes before `cpu10`; empty when there is none.
    pub fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .map(|entries| entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect())
            .unwrap_or_default();
        names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        names
    }

    /// The names in a folder that are `prefix` and a number, lowest first, with the number.
    pub fn numbered(&self, folder: impl AsRef<Path>, prefix: &str) -> Vec<(u32, String)> {
        let number = |name: &str| name.strip_prefix(prefix)?.parse().ok();
        self.names(folder).into_iter().filter_map(|name| Some((number(&name)?, name))).collect()
    }
}

/// The system's words without Rust's `(os error 13)`.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let mut short = text.split(" (os error").next().unwrap_or(&text).chars();
    short.next().map_or_else(String::new, |first| first.to_lowercase().chain(short).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_and_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = SysRoot::at(dir.path());
        assert_eq!(root.path("/../../etc/./passwd"), dir.path().join("etc").join("passwd"));
        let error = root.text("/proc/stat").unwrap_err();
        assert!(error.starts_with("/proc/stat: ") && !error.contains("os error"), "{error}");
        fs::write(dir.path().join("n"), "12 \n").unwrap();
        fs::write(dir.path().join("empty"), "\n").unwrap();
        assert_eq!(root.value::<u32>("/n"), Ok(12));
        assert!(root.value::<u32>("/empty").unwrap_err().contains("empty"));
        for name in ["cpu10", "cpu2", "cpufreq"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(root.numbered("/", "cpu"), [(2, "cpu2".to_owned()), (10, "cpu10".to_owned())]);
    }
}
