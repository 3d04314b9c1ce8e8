//! A test body in a process of its own, whose CUDA driver and compiler are the doubles.
#![expect(clippy::print_stdout, reason = "what a child says is the test's own output")]

use spark_kernels::cuda::Gpu;
use std::path::PathBuf;
use std::process::Command;

/// Says that this process is the child, and of which test.
const CHILD: &str = "SPARK_TEST_CHILD";

/// A library of a double: cargo builds it beside the tests that depend on it.
fn library(of: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows its own file");
    let name = format!("{}spark_{of}_double{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = tests.parent().expect("it lies in a folder").join(name);
    assert!(path.exists(), "{} is not there: cargo did not build the double", path.display());
    path
}

/// Why the doubles cannot run here.
fn elsewhere() -> Option<&'static str> {
    match std::env::var("SPARK_BENCH_TEST_SCALE") {
        _ if !cfg!(target_os = "linux") => Some("the doubles load shared objects of Linux"),
        // Under emulation a test cannot start itself, and the C++ compiler is the host's.
        Ok(scale) if scale == "small" => Some("a processor is emulated here"),
        _ => None,
    }
}

/// Runs `body` under the doubles, in a child of this test, which is called `test` with its modules. `env` chooses profile and faults.
///
/// The driver is chosen once a process and an error of a GPU outlives whoever met it, so each test has a process of its own.
pub(crate) fn within(test: &str, env: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        return body();
    }
    if let Some(why) = elsewhere() {
        println!("{test} is left out: {why}");
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("a test knows its own file"));
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    child.env(CHILD, test).env("SPARK_BENCH_CUDA", library("cuda")).env("SPARK_BENCH_NVRTC", library("nvrtc"));
    child.env("SPARK_BENCH_CUBLASLT", library("cublaslt"));
    // What one test compiled another need not: the folder stands in the target folder and is keyed by all that goes in.
    child.env("SPARK_BENCH_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cuda-double"));
    child.envs(env.iter().copied());
    // A sanitizer has to be the first library of the process whose memory it looks after, and must not be in others.
    child.envs(std::env::var_os("SPARK_TEST_PRELOAD").map(|library| ("LD_PRELOAD", library)));
    let done = child.output().expect("a test can start itself");
    let (out, words) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    println!("{out}\n{words}");
    assert!(done.status.success(), "under the doubles with {env:?}: {}", done.status);
    assert!(out.contains("1 passed"), "the child ran no test called {test}");
}

/// The same with a GPU of that profile, opened.
pub(crate) fn on(test: &str, profile: &str, body: impl FnOnce(&Gpu)) {
    within(test, &[("SPARK_CUDA_DOUBLE_PROFILE", profile)], || {
        let gpu = Gpu::open(0).unwrap_or_else(|why| panic!("the double does not open: {why}"));
        assert!(gpu.simulated(), "a GPU of a double knows that it is none");
        body(&gpu);
    });
}
