//! The gate as a stranger meets it: builds that are none, that die, that are slow, and two that are one.
#![cfg(unix)]

mod program;

use program::Place;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const THIS: &str = env!("CARGO_BIN_EXE_spark-bench");
/// One benchmark that is ready in a moment.
const SMALL: [&str; 4] = ["--filter", "decode/*model=tiny*", "--threads", "1"];

/// A script that stands for a build.
fn script(place: &Place, name: &str, text: &str) -> PathBuf {
    let path = place.at(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made to run");
    path
}

fn line<'a>(baseline: &'a str, candidate: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let bins = ["gate", "--baseline-bin", baseline, "--candidate-bin", candidate];
    bins.into_iter().chain(SMALL).chain(more.iter().copied()).collect()
}

#[test]
fn what_is_no_build_is_refused_with_its_mend() {
    let place = Place::new();
    for (name, text) in [
        ("crashes", "exit 7"),
        ("hangs", "exec sleep 30"),
        ("nonsense", "echo hello there; cat >/dev/null"),
        (
            "other-protocol",
            r#"echo '{"hello":{"protocol":99,"schema":"s","build":"b","benchmarks":[]}}'; cat >/dev/null"#,
        ),
        ("other-schema", r#"echo '{"hello":{"protocol":1,"schema":"s","build":"b","benchmarks":[]}}'; cat >/dev/null"#),
    ] {
        let path = script(&place, name, text);
        let path = path.to_str().expect("a path of letters");
        let patience: &[&str] = if name == "hangs" { &["--patience", "500ms"] } else { &[] };
        // The one that is in order comes second, so that its own start is not what is waited for.
        let said = place.refused(&line(path, THIS, patience));
        let at_fault = format!("--baseline-bin {path}");
        assert!(
            if name == "other-schema" { said.contains("different schemas") } else { said.contains(&at_fault) },
            "{said}"
        );
    }
    let said = place.refused(&line("./not-there", THIS, &[]));
    assert!(said.contains("--baseline-bin ./not-there"), "{said}");
    let said = place.refused(&["gate", "--baseline-bin", THIS, "--candidate-bin", THIS, "--filter", "nothing*"]);
    assert!(said.contains("no benchmark in common"), "{said}");
}

#[test]
fn a_child_that_keeps_dying_is_broken_and_not_the_gate() {
    let place = Place::new();
    // Each of its lives is shorter than a block takes, whatever it is doing then.
    let text = format!(r#"exec 3<&0; "{THIS}" "$@" <&3 & child=$!; sleep 0.2; kill -9 $child; wait $child"#);
    let dying = script(&place, "dying", &text);
    let done = place.run(&line(THIS, dying.to_str().expect("letters"), &["--budget", "20s", "--json"]));
    assert_eq!(done.code, Some(1), "{done:?}");
    let told: serde_json::Value = serde_json::from_str(&done.out).expect("a document");
    assert_eq!(told["rows"][0]["verdict"], "BROKEN", "{told}");
    assert!(told["rows"][0]["why"].as_str().is_some_and(|why| why.contains("candidate build")), "{told}");
}

/// The first row's verdict, and everything that was told.
fn verdict(done: &program::Done) -> (String, String) {
    let told: serde_json::Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    (told["rows"][0]["verdict"].as_str().expect("a verdict").to_owned(), told["rows"][0].to_string())
}

#[test]
fn a_child_killed_in_the_middle_costs_its_block_and_not_the_run() {
    let place = Place::new();
    // The first start is the introduction; the second is killed when it is asked for the third time, all others live.
    let (count, asks) = (place.at("count"), place.at("asks"));
    let (count, asks) = (count.to_str().expect("letters"), asks.to_str().expect("letters"));
    let text = format!(
        r#"n=$(cat "{count}" 2>/dev/null || echo 0); echo $((n + 1)) >"{count}"
if [ "$n" != 1 ]; then exec "{THIS}" "$@"; fi
mkfifo "{asks}"; "{THIS}" "$@" <"{asks}" & child=$!; exec 4>"{asks}"
for ask in 1 2; do IFS= read -r line; printf '%s\n' "$line" >&4; done
IFS= read -r line; kill -9 $child; wait $child"#
    );
    let once = script(&place, "once", &text);
    let done = place.run(&line(once.to_str().expect("letters"), THIS, &["--budget", "6s", "--json"]));
    let (verdict, told) = verdict(&done);
    assert!(verdict != "BROKEN" && done.code != Some(2), "{done:?}");
    assert!(
        told.contains("the baseline build: it ended") || told.contains("the baseline build: Broken pipe"),
        "{told}"
    );
}

#[test]
fn a_child_that_falls_silent_or_talks_nonsense_later_is_broken() {
    let place = Place::new();
    let silent = format!(r#""{THIS}" "$@" </dev/null; exec sleep 60"#);
    let nonsense = format!(
        r#"exec 3<&0; "{THIS}" "$@" <&3 | {{ n=0; while IFS= read -r line; do
n=$((n + 1)); if [ $n = 3 ]; then line=rubbish; fi; printf '%s\n' "$line"; done; }}"#
    );
    for (name, text, says) in
        [("silent", &silent, "it said nothing for 4s"), ("babbles", &nonsense, "'rubbish', which is no answer")]
    {
        let path = script(&place, name, text);
        let path = path.to_str().expect("letters");
        let done = place.run(&line(THIS, path, &["--patience", "4s", "--budget", "60s", "--json"]));
        let (verdict, told) = verdict(&done);
        assert_eq!((verdict.as_str(), done.code), ("BROKEN", Some(1)), "{told}");
        assert!(told.contains("the candidate build: ") && told.contains(says), "{told}");
    }
}

/// A build whose iterations take so many nanoseconds and cycles, give or take a little, in the words of a worker.
fn told(place: &Place, name: &str, ns: u64, cycles: u64) -> PathBuf {
    let schema = spark_results::run::SCHEMA;
    let text = format!(
        r#"echo '{{"hello":{{"protocol":1,"schema":"{schema}","build":"{name}","benchmarks":["gemm/cuda:0/x?m=1"]}}}}'
turn=0
while IFS= read -r line; do
case $line in *bye*) exit 0 ;; esac
n=${{line##*:}}; n=${{n%%\}}*}}; turn=$(((turn + 7) % 11))
echo "{{\"ran\":{{\"ns\":$((n * ({ns} + turn))),\"iterations\":$n,\"cycles\":$((n * ({cycles} + turn)))}}}}"
done"#
    );
    script(place, name, &text)
}

#[test]
fn what_is_slower_in_time_and_not_in_cycles_is_another_clock() {
    let place = Place::new();
    let old = told(&place, "old", 20_000, 40_000);
    for (name, cycles, expected) in [("clock", 40_000, "INCONCLUSIVE"), ("code", 42_000, "REGRESSION")] {
        let new = told(&place, name, 21_000, cycles);
        let bins = ["gate", "--baseline-bin", old.to_str().expect("letters"), "--candidate-bin"];
        let done = place.run(&[&bins[..], &[new.to_str().expect("letters"), "--budget", "60s", "--json"]].concat());
        let (verdict, told) = verdict(&done);
        assert_eq!(verdict, expected, "{told}");
        assert!(told.contains("of the cycles"), "{told}");
        assert_eq!(told.contains("another clock"), expected == "INCONCLUSIVE", "{told}");
    }
}

#[test]
fn what_does_not_fit_twice_is_not_judged_and_says_so() {
    let place = Place::new();
    let hello = r#"{"hello":{"protocol":1,"schema":"SCHEMA","build":"b","benchmarks":["a/cpu/x"],"bytes":{"a/cpu/x":4611686018427387904}}}"#;
    let schema = spark_results::run::SCHEMA;
    let large = script(&place, "large", &format!("echo '{}'; cat >/dev/null", hello.replace("SCHEMA", schema)));
    let large = large.to_str().expect("letters");
    let done = place.run(&line(large, large, &["--json"]));
    let (verdict, told) = verdict(&done);
    assert_eq!((verdict.as_str(), done.code), ("INCONCLUSIVE", Some(3)), "{told}");
    assert!(told.contains("both builds hold it at once"), "{told}");
}

#[test]
fn a_build_of_twice_the_work_never_passes_and_every_form_is_written() {
    let place = Place::new();
    let slow = script(&place, "slow", &format!(r#"SPARK_BENCH_HANDICAP='decode*=2' exec "{THIS}" "$@""#));
    let files = ["--junit", "j.xml", "--markdown", "m.md", "--bmf", "b.json", "--benchmarks", "g.json"];
    let more = [&["--budget", "5s", "--json", "--seed", "5"], &files[..]].concat();
    let done = place.run(&line(THIS, slow.to_str().expect("letters"), &more));
    let told: serde_json::Value = serde_json::from_str(&done.out).expect("a document");
    // A machine that is busy enough may leave it open; a gate that works never lets it through.
    let verdict = told["rows"][0]["verdict"].as_str().expect("a verdict");
    assert!(["REGRESSION", "INCONCLUSIVE"].contains(&verdict), "{told}");
    assert_eq!(done.code, Some(if verdict == "REGRESSION" { 1 } else { 3 }), "{told}");
    for name in ["j.xml", "m.md", "b.json", "g.json"] {
        assert!(fs::metadata(place.at(name)).is_ok_and(|file| file.len() > 2), "{name}");
    }
}

#[test]
fn a_worker_answers_line_by_line_and_ends_with_its_input() {
    use std::io::Write;
    use std::process::Stdio;
    let place = Place::new();
    let mut command = place.command(&[&["worker", "--protocol", "1"], &SMALL[..]].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = child.stdin.take().expect("its input");
    writeln!(pipe, r#"{{"run":{{"id":"nothing/cpu/x","iterations":1}}}}"#).expect("it listens");
    drop(pipe);
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8(out.stdout).expect("text");
    let lines: Vec<serde_json::Value> = said.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!((&lines[0]["hello"]["protocol"], &lines[1]["declined"]["broken"]), (&1.into(), &false.into()), "{said}");
    assert!(place.refused(&["worker", "--protocol", "2"]).contains("protocol 1"));
}
