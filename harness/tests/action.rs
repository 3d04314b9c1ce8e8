//! The scripts that call the program, without GitHub and without builds: they are run, and what they say is held to the program's help.
#![cfg(unix)]

mod program;

use program::Place;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const THIS: &str = env!("CARGO_BIN_EXE_spark-bench");
const ACTION: &str = include_str!("../../ci/action.yml");

/// The lines below `key`, which stand deeper than it.
fn below(text: &str, key: &str) -> Vec<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| line.trim_end() != key);
    let own = depth(lines.next().unwrap_or_else(|| panic!("there is no '{key}'")));
    lines.take_while(|line| line.trim().is_empty() || depth(line) > own).map(str::to_owned).collect()
}

/// The words of `text` that begin with `mark`, as far as a name goes.
fn names<'a>(text: &'a str, mark: &str) -> BTreeSet<&'a str> {
    let name = |rest: &'a str| &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len())];
    text.split(mark).skip(1).map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_input_is_declared_described_and_used() {
    let inputs = below(ACTION, "inputs:").join("\n");
    let declared: BTreeSet<&str> = inputs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')))
        .collect();
    assert!(declared.len() > 4, "{declared:?}");
    assert_eq!(names(ACTION, "inputs."), declared);
    assert_eq!(inputs.matches("    description: ").count(), declared.len());
    assert_eq!(inputs.matches("    default: ").count(), declared.len());
    // No input becomes part of a script.
    assert!(!below(ACTION, "      run: |").join("\n").contains("${{"));
}

#[test]
fn every_flag_that_the_scripts_give_is_one_of_the_program() {
    let place = Place::new();
    let gate = place.fine(&["gate", "--help"]).out;
    let calibrate = place.fine(&["gate", "calibrate", "--help"]).out;
    let script = below(ACTION, "      run: |").join("\n");
    let last =
        |text: &'static str, mark: &str| text.lines().filter(|line| line.contains(mark)).collect::<Vec<_>>().join("\n");
    let own = last(include_str!("../../ci/gate.sh"), "gate --baseline-bin");
    let trials =
        include_str!("../../ci/calibrate.sh").split("gate calibrate ").nth(1).expect("a call").split("status=");
    let trials = trials.into_iter().next().expect("its end");
    for (help, text) in [(&gate, &*script), (&gate, &own), (&calibrate, trials)] {
        let flags = names(text, "--");
        assert!(flags.len() >= 2, "{text}");
        // The script's own flag, which it takes away.
        for flag in flags.into_iter().filter(|flag| *flag != "base") {
            assert!(help.contains(&format!("--{flag}")), "--{flag} is no flag of the program: {text}");
        }
    }
}

#[test]
fn its_script_judges_writes_every_file_and_hands_the_exit_code_on() {
    let place = Place::new();
    // Two builds of a commit take minutes: this program stands for both.
    let gate = format!("exec {THIS} gate --baseline-bin {THIS} --candidate-bin {THIS} \"$@\"\n");
    fs::write(place.at("gate.sh"), gate).expect("a file can be written");
    let script = below(ACTION, "      run: |").join("\n");
    let run = |filter: &str| {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script]).current_dir(place.at(""));
        command.env("GITHUB_ACTION_PATH", place.at("")).env("RUNNER_TEMP", place.at("temp"));
        command.env("GITHUB_OUTPUT", place.at("outputs")).env("GITHUB_STEP_SUMMARY", place.at("summary.md"));
        command.env("BASE", "").env("FILTER", filter).env("BUDGET", "2s").env("THREADS", "1");
        command.env("STRICT", "false").env("EXPLAIN", "false");
        let done: program::Done = command.output().expect("bash starts").into();
        done
    };
    let done = run("decode/*model=tiny*");
    // A busy machine may leave it open, which is fine here; a false alarm has to be measured twice.
    assert_eq!(done.code, Some(0), "{done:?}");
    for name in ["gate.md", "gate.xml", "gate.bmf.json", "gate.list.json"] {
        let file = place.at("temp/spark-bench-gate").join(name);
        assert!(fs::metadata(&file).is_ok_and(|file| file.len() > 2), "{name}");
    }
    assert!(fs::read_to_string(place.at("summary.md")).expect("a summary").contains("| verdict |"));
    let outputs = fs::read_to_string(place.at("outputs")).expect("outputs");
    assert!(outputs.contains("exit-code=0\n") && outputs.contains("spark-bench-gate\n"), "{outputs}");
    let done = run("nothing*");
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(fs::read_to_string(place.at("outputs")).expect("outputs").ends_with("spark-bench-gate\n"));
}

#[test]
fn the_long_series_goes_round_by_round_and_stops_when_the_program_does() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    // Stands for both builds: it keeps what it was asked for, and ends as it is told to.
    let stub = place.at("stub");
    let log = place.at("asked");
    fs::write(&stub, format!("#!/bin/sh\necho \"$*\" >>'{}'\nexit ${{ENDS:-0}}\n", log.display())).expect("written");
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).expect("it can be made to run");
    let run = |ends: &str| {
        let _ = fs::remove_file(&log);
        let mut command = Command::new("bash");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/calibrate.sh")).env("ENDS", ends);
        command.env("A", &stub).env("B", &stub).env("STORE", place.at("s"));
        for (name, value) in [("QUIET", "3"), ("SLOW", "1"), ("HOGS", "0"), ("SLOW_HOGS", "0"), ("STEP", "2")] {
            command.env(name, value);
        }
        let done: program::Done = command.output().expect("bash starts").into();
        let asked = fs::read_to_string(&log).expect("it was asked");
        let of = |line: &str| line.split_once("--note ").map_or(line, |(_, rest)| rest).to_owned();
        (done.code, asked.lines().map(of).filter(|line| line.starts_with("quiet")).collect::<Vec<_>>(), asked)
    };
    let (code, quiet, asked) = run("0");
    let round = |n| [format!("quiet --handicap 1 --until {n}"), "quiet --handicap 1.05 --until 1".to_owned()];
    assert_eq!((code, quiet), (Some(0), [round(2), round(3)].concat()), "{asked}");
    assert!(asked.lines().last().is_some_and(|line| line.starts_with("gate calibrate --trials 0")), "{asked}");
    let (code, quiet, asked) = run("130");
    assert_eq!((code, quiet.len()), (Some(130), 1), "{asked}");
}
