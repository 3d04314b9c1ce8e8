//! The program as a stranger meets it: started with arguments in a folder of its own, watched from outside.
#![allow(dead_code, reason = "each test file uses the part it needs")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A folder that the program is started in, gone at the end of the test.
pub(crate) struct Place(tempfile::TempDir);

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spark-bench"));
        command.args(line).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }
    /// Runs the program to its end.
    pub(crate) fn run(&self, line: &[&str]) -> Done {
        self.command(line).output().expect("the program starts").into()
    }
    /// Runs the program and demands that it ends well.
    pub(crate) fn fine(&self, line: &[&str]) -> Done {
        let done = self.run(line);
        assert_eq!(done.code, Some(0), "{line:?}: {done:?}");
        done
    }
    /// Runs the program on bad input and returns its one line: exit code 2, nothing on stdout, no panic, no half-written file.
    pub(crate) fn refused(&self, line: &[&str]) -> String {
        let done = self.run(line);
        assert_eq!(done.code, Some(2), "{line:?}: {done:?}");
        assert!(done.out.is_empty(), "{line:?}: {done:?}");
        assert!(done.err.starts_with("error: ") && done.err.lines().count() == 1, "{line:?}: one line, not {done:?}");
        // What, where, and the mend: after a semicolon, or as what it has to be instead.
        let mend = ["; ", ": choose ", " has to be ", " have to be "].iter().find_map(|mark| done.err.split_once(mark));
        assert!(mend.is_some_and(|(said, mend)| said.len() > 12 && mend.len() > 3), "{line:?}: no mend: {done:?}");
        done.err
    }
    /// Starts the program and waits until `name` holds at least `lines` whole lines.
    pub(crate) fn started(&self, line: &[&str], name: &str, lines: usize) -> Child {
        let mut command = self.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        while whole_lines(&self.at(name)) < lines {
            if let Some(status) = child.try_wait().expect("the program can be waited for") {
                panic!("it ended before {name} had {lines} lines: {status} {:?}", child.wait_with_output());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        child
    }
}

/// Lines of a file that end as lines do; 0 where there is none.
pub(crate) fn whole_lines(path: &Path) -> usize {
    std::fs::read(path).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count())
}

/// The library of a double: cargo builds it beside the tests that depend on it.
pub(crate) fn library(of: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows its own file");
    let name = format!("{}spark_{of}_double{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = tests.parent().expect("it lies in a folder").join(name);
    assert!(path.exists(), "{} is not there: cargo did not build the double", path.display());
    path
}
