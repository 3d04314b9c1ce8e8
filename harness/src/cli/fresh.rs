//! The rest of a run in a fresh process: what an error left of a GPU's context is gone with the process that had it.

use super::common::Common;
use super::ui::Voice;
use std::path::Path;
use std::process::{Command, Stdio};

/// Lets a new process of this program do what is left in `folder`, and waits for it. False: this verb's runs are not continued, or
/// no process could be started; what was measured lies in the folder all the same.
///
/// Each such process records at least the task that lost it the device, so there are never more of them than tasks.
pub(super) fn go_on(folder: &Path, common: &Common, voice: Voice) -> bool {
    let words: Vec<String> = std::env::args().collect();
    let Some(verb) = words.get(1).filter(|verb| matches!(verb.as_str(), "all" | "run")) else { return false };
    let Ok(program) = std::env::current_exe() else { return false };
    voice.say("a device was lost to an error: a fresh process does the tasks that are left");
    let mut command = Command::new(program);
    command.env(CHILD, "1").arg(verb).arg("--resume").arg(folder).args(["--quiet", "--no-progress"]);
    if let Some(suite) = suite(&words) {
        command.args(["--suite", suite]);
    }
    if common.no_roofs {
        command.arg("--no-roofs");
    }
    // What it exits with is told by its records.
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok()
}

/// Set for such a process.
const CHILD: &str = "SPARK_BENCH_FRESH";

/// Such a process ends with the one that started it.
pub(super) fn die_with_whoever_started_it() {
    if std::env::var_os(CHILD).is_some() {
        crate::os::die_with_parent();
    }
}

/// What `--suite` was given.
fn suite(words: &[String]) -> Option<&str> {
    let at = words.iter().position(|word| word == "--suite").and_then(|at| words.get(at + 1)).map(String::as_str);
    at.or_else(|| words.iter().find_map(|word| word.strip_prefix("--suite=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_found_however_it_was_given() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(suite(&words("spark-bench run gemm --suite full --m 1")), Some("full"));
        assert_eq!(suite(&words("spark-bench all --suite=smoke")), Some("smoke"));
        assert_eq!(suite(&words("spark-bench all")), None);
    }
}
