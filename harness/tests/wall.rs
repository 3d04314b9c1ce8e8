//! A meter at the wall, over loopback and in a file: its joules, and everything that such meters do wrong, named while the run goes on.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use serde_json::Value;
use spark_bench::pace::PACE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// What the meter says, once it is asked so often.
#[derive(Clone, Copy)]
enum Answer {
    Watts(f64),
    Text(&'static str),
    Refusal,
    /// The connection ends in the middle of the answer.
    Cut,
    /// Nothing comes for longer than anybody waits.
    Stall,
    /// The connection ends at once.
    Silence,
}

/// A meter on loopback that answers the nth question as `script` says.
struct Served {
    address: String,
    asked: Arc<AtomicUsize>,
}

fn serve(script: fn(usize) -> Answer) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/status?password=secret#meters.0.power", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = script(count.fetch_add(1, Ordering::SeqCst));
            // One that stalls must not keep the next question waiting.
            std::thread::spawn(move || told(stream, answer));
        }
    });
    Served { address, asked }
}

fn told(mut stream: TcpStream, answer: Answer) {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        request.push(byte[0]);
    }
    let mut say = |status: &str, body: &str, length: usize| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        // The other side may have gone: that is its business.
        let _ = stream.write_all(head.as_bytes());
    };
    match answer {
        Answer::Watts(watts) => {
            let body = format!("{{\"meters\":[{{\"power\":{watts},\"is_valid\":true}},{{\"power\":1.0}}]}}");
            say("200 OK", &body, body.len());
        }
        Answer::Text(text) => say("200 OK", text, text.len()),
        Answer::Refusal => say("500 Internal Server Error", "", 0),
        Answer::Cut => say("200 OK", "{\"met", 900),
        Answer::Stall => std::thread::sleep(Duration::from_secs(2)),
        Answer::Silence => {}
    }
}

/// A tiny model beside a meter, hurried: the meter is asked four times a second. No faster, since what stalls has a second to answer.
fn ran(meter: &str) -> (Place, Value) {
    let place = Place::new();
    let work = ["run", "decode", "--model", "tiny", "--format", "mxfp4", "--n_gen", "8", "--suite", "smoke"];
    let rest = ["--no-roofs", "--device", "cpu", "--threads", "1", "--out", "d", "--quiet", "--wall-power", meter];
    let line = [&work[..], &rest].concat();
    let done: Done = place.command(&line).env(PACE, "2").output().unwrap().into();
    assert_eq!(done.code, Some(0), "a meter ends no run: {done:?}");
    let document = serde_json::from_str(&place.fine(&["export", "d", "--format", "json"]).out).unwrap();
    (place, document)
}

/// What the manifest says of the meter and its troubles.
fn troubles(document: &Value) -> String {
    let absent = document["manifest"]["absent"].as_array().unwrap();
    absent
        .iter()
        .filter(|a| a["what"] == "telemetry.wall")
        .map(|a| a["why"].as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_meter_that_answers_badly_now_and_then_is_named_and_its_joules_stay_right() {
    let meter = serve(|n| match n {
        3 => Answer::Refusal,
        5 => Answer::Text("<html>no such page</html>"),
        7 => Answer::Cut,
        9 => Answer::Text("{\"meters\":[{\"power\":null}]}"),
        11 => Answer::Watts(9e9),
        13 => Answer::Stall,
        15 => Answer::Silence,
        _ => Answer::Watts(60.5),
    });
    let (place, document) = ran(&meter.address);
    let energy = &document["records"][0]["energy"];
    let readings = energy["readings"].as_array().unwrap_or_else(|| panic!("no readings: {energy}"));
    let wall = readings.iter().find(|r| r["scope"] == "wall").unwrap_or_else(|| panic!("the wall is silent: {energy}"));
    let (watts, plus_minus) = (wall["watts"].as_f64().unwrap(), wall["plus_minus"].as_f64().unwrap());
    assert!((watts - 60.5).abs() <= plus_minus * watts && plus_minus <= 0.1, "{wall}");
    assert!(wall["covers_device"] == true && wall["method"] == "integral", "{wall}");
    let told = troubles(&document);
    for named in ["500", "no JSON", "no number at meters.0.power", "no power of a machine"] {
        assert!(told.contains(named), "{named:?} after {} questions: {told}", meter.asked.load(Ordering::SeqCst));
    }
    assert!(told.lines().count() >= 6, "the cut, the stall and the silence have their lines, too: {told}");
    let telemetry = std::fs::read_to_string(place.at("d/telemetry.jsonl")).unwrap();
    for text in [&telemetry, &document.to_string(), &std::fs::read_to_string(place.at("d/report.html")).unwrap()] {
        // The command line stands in the manifest as it was typed; what is named as the source has no secret.
        assert!(!text.replace(&meter.address, "").contains("secret"), "a password is no source");
    }
    assert!(telemetry.contains("\"line\":\"event\""));
    assert!(document["manifest"]["absent"].to_string().contains(PACE), "a hurried run says so");
    place.fine(&["verify", "d"]);
}

#[test]
fn a_meter_that_goes_silent_leaves_a_reason_and_no_number() {
    let meter = serve(|n| if n < 4 { Answer::Watts(60.5) } else { Answer::Silence });
    let (_, document) = ran(&meter.address);
    let energy = &document["records"][0]["energy"];
    let readings = energy["readings"].as_array().map(Vec::len).unwrap_or_default();
    // This machine's own sensors may speak: the wall does not.
    assert!(!energy["readings"].to_string().contains("\"wall\""), "{readings}: {energy}");
    let said = ["did not cover the window", "said nothing in this time"];
    assert!(said.iter().any(|said| energy.to_string().contains(said)), "{energy}");
    assert!(!troubles(&document).is_empty() && document["records"][0]["status"] == "measured");
}

#[test]
fn a_meter_that_never_answered_is_refused_and_the_rest_is_measured() {
    // Bound and let go: nobody listens there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (meter, named) in
        [(format!("http://{gone}/"), "refused"), (serve(|_| Answer::Text("[]")).address, "no number at")]
    {
        let (place, document) = ran(&meter);
        let header = std::fs::read_to_string(place.at("d/telemetry.jsonl")).unwrap();
        let header: Value = serde_json::from_str(header.lines().next().unwrap()).unwrap();
        let wall = header["sensors"].as_array().unwrap().iter().find(|c| c["name"] == "wall").unwrap();
        assert!(wall["status"] == "refused" && wall["reason"].as_str().unwrap().contains(named), "{wall}");
        assert_eq!(document["records"][0]["status"], "measured");
        let energy = &document["records"][0]["energy"];
        assert!(
            energy["status"] == "measured" || energy["reason"].as_str().unwrap().contains("wall wall refused"),
            "{energy}"
        );
    }
}

#[test]
fn a_meter_s_file_with_gaps_garbage_and_a_clock_that_goes_back_is_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meter.csv");
    std::fs::write(&path, "time;watts\n").unwrap();
    let (stop, file) = (Arc::new(AtomicBool::new(false)), path.clone());
    let stopped = stop.clone();
    let writer = std::thread::spawn(move || {
        for n in 0.. {
            if stopped.load(Ordering::SeqCst) {
                return;
            }
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
            let row = match n {
                4 => format!("{};60.5\n", now - 7.0),
                8 => "soup\n".to_owned(),
                12 => format!("{now};-4\n"),
                _ => format!("{now};60.5\n"),
            };
            std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(row.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (_, document) = ran(path.to_str().unwrap());
    stop.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    let energy = &document["records"][0]["energy"];
    let wall = energy["readings"].as_array().unwrap().iter().find(|r| r["scope"] == "wall").unwrap();
    assert!((wall["watts"].as_f64().unwrap() / 60.5 - 1.0).abs() < 0.1, "{wall}");
    let told = troubles(&document);
    for named in ["went back by", "no row for", "a row of 1 columns", "no power of a machine"] {
        assert!(told.contains(named), "{named:?}: {told}");
    }
}

#[test]
fn what_is_no_meter_is_refused_before_anything_is_measured() {
    let place = Place::new();
    std::fs::create_dir(place.at("folder")).unwrap();
    let table = [
        ("https://plug/", "http://"),
        ("ftp://plug/", "http://"),
        ("http://", "no host"),
        ("no-such.csv", "no-such.csv"),
        ("folder", "not a file"),
        ("", "CSV"),
    ];
    for (meter, named) in table {
        let said = place.refused(&["run", "rmsnorm", "--wall-power", meter, "--out", "d"]);
        assert!(said.contains(named), "{meter:?} does not name {named:?}: {said}");
    }
    assert!(!place.at("d").exists(), "nothing was begun");
}
