//! `spark-bench endpoint` against a real server on loopback that answers well, late, half or not at all.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;
mod server;

use program::Place;
use serde_json::Value;
use server::{Behaviour, Server};
use std::time::Duration;

/// Two requests learn the length of prompts; none is sent before them.
const LEARNING: usize = 2;

/// The one record of a call with `more`, as the document tells it.
fn record(place: &Place, server: &Server, code: i32, more: &[&str]) -> Value {
    let url = server.url();
    let line = [&["endpoint", &url, "-n", "6", "-p", "24", "--warmup", "0", "--json", "--quiet", "--out", "run"], more]
        .concat();
    let done = place.run(&line);
    assert_eq!(done.code, Some(code), "{line:?}: {done:?}");
    let document: Value = serde_json::from_str(&done.out).unwrap();
    let records = document["records"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{done:?}");
    records[0].clone()
}

#[test]
fn an_answer_is_timed_piece_by_piece_and_counted_by_the_server() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::Fine]));
    let record =
        record(&place, &server, 0, &["--requests", "12", "--concurrency", "3", "--slo", "ttft=60000,e2e=60000"]);
    let host = format!("127.0.0.1:{}", server.port);
    assert_eq!(
        record["id"],
        format!("endpoint/server/{host}?concurrency=3&model=small-model&n_gen=6&n_prompt=24&requests=12")
    );
    let serving = &record["serving"];
    assert_eq!((&serving["sent"], &serving["answered"]), (&Value::from(12), &Value::from(12)));
    // 24 tokens by the server's count: 23 words and one around them.
    assert_eq!(serving["prompt_tokens"], serde_json::json!([24, 24]));
    assert_eq!(
        (&serving["tokens_counted_by_server"], &serving["goodput"]["good"]),
        (&Value::from(true), &Value::from(12))
    );
    let (ttft, e2e) = (&serving["ttft_ns"], &serving["e2e_ns"]);
    assert!(ttft["p50"]["value"].as_f64() < e2e["p50"]["value"].as_f64(), "{serving}");
    assert_eq!(serving["itl_ns"]["samples"], 12 * 5);
    // Five gaps of at least a millisecond each, since the server waits so long.
    assert!(serving["tpot_ns"]["p50"]["value"].as_f64() >= Some(1e6), "{serving}");
    // Twelve requests do not bound the slowest in a hundred.
    assert_eq!(e2e["p99"]["high"], Value::Null);
    assert_eq!(record["work"]["items"], 12 * 6);
    let asked = server.asked();
    assert_eq!(asked.len(), LEARNING + 12);
    let prompts: std::collections::BTreeSet<_> = asked
        .iter()
        .map(|a| a.body["prompt"].as_str().unwrap().split(' ').take(6).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(prompts.len(), asked.len(), "no two prompts begin alike");
    assert!(asked.iter().all(|a| a.body["ignore_eos"] == true && a.body["stream"] == true));
    place.fine(&["verify", "run"]);
    let page = std::fs::read_to_string(place.at("run/report.html")).unwrap();
    assert!(page.contains("<h2>Servers</h2>"));
}

#[test]
fn whatever_goes_wrong_is_a_row_and_the_rest_goes_on() {
    let mut behaviours = vec![Behaviour::Fine; LEARNING];
    let faults = [
        (Behaviour::Busy, "HTTP 429: slow down"),
        (Behaviour::Page, "HTTP 502: <html>bad gateway</html>"),
        (Behaviour::Cut, "the connection was cut"),
        (Behaviour::Malformed, "an event that is no JSON"),
        (Behaviour::ErrorEvent, "an error within the stream: out of memory"),
        (Behaviour::Stall, "no word within the time-out, in the middle of the answer"),
        (Behaviour::Mute, "an answer without usable text, which the server counts as 6 tokens"),
    ];
    behaviours.extend(faults.iter().map(|(how, _)| *how));
    behaviours.push(Behaviour::Fine);
    let (place, server) = (Place::new(), Server::start(&behaviours));
    let record = record(&place, &server, 0, &["--requests", "9", "--timeout", "100ms"]);
    let serving = &record["serving"];
    assert_eq!((&serving["sent"], &serving["answered"]), (&Value::from(9), &Value::from(2)), "{serving}");
    for (how, said) in faults {
        assert_eq!(serving["errors"][said], 1, "{how:?}: {serving}");
    }
    // What failed is in no time of the answers.
    assert_eq!(serving["ttft_ns"]["samples"], 2);
    assert_eq!(record["work"]["items"], 2 * 6);
}

#[test]
fn a_connection_that_was_closed_in_silence_is_no_failure_and_one_that_is_cut_is() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::ClosesAfter]));
    let seen = record(&place, &server, 0, &["--requests", "4"]);
    assert_eq!((&seen["serving"]["answered"], &seen["serving"]["errors"]), (&Value::from(4), &Value::Null), "{seen}");
    assert!(seen["notes"][0].as_str().unwrap().contains("closed after another answer"), "{seen}");
    assert_eq!(server.asked().len(), LEARNING + 4, "none was answered twice");
    // After a cut the next connection is a new one: that it ends before an answer is the server's failure.
    let behaviours = [Behaviour::Fine, Behaviour::Fine, Behaviour::Cut, Behaviour::Gone, Behaviour::Fine];
    let (place, server) = (Place::new(), Server::start(&behaviours));
    let seen = record(&place, &server, 0, &["--requests", "3"]);
    assert_eq!(seen["serving"]["errors"], serde_json::json!({ "the connection was cut": 2 }), "{seen}");
    assert_eq!((&seen["serving"]["answered"], server.asked().len()), (&Value::from(1), LEARNING + 3));
}

/// Streams of llama-server 0.7.0, build 11669, as Debian builds it: ten tokens of a model of random weights, some of which are no
/// characters by themselves, so that there are fewer pieces; a role with an empty content; usage and its own times at the end.
const COMPLETION: &str = include_str!("server/llama-server-completion.sse");
const CHAT: &str = include_str!("server/llama-server-chat.sse");

#[test]
fn llama_servers_own_streams_are_counted_by_its_counts_and_beside_its_own_times() {
    for (stream, more, prompt, pieces, prompt_ms, answer_ms) in [
        (COMPLETION, &["--requests", "2"][..], 8, 8, 455.552, 988.324),
        (CHAT, &["--requests", "2", "--chat"], 42, 9, 667.177, 707.527),
    ] {
        let (place, server) = (Place::new(), Server::start(&[Behaviour::Recorded(stream)]));
        let record = record(&place, &server, 0, more);
        let serving = &record["serving"];
        assert_eq!(serving["prompt_tokens"], serde_json::json!([prompt, prompt]), "{serving}");
        assert_eq!((&record["work"]["items"], &serving["cached_share"]), (&Value::from(20), &Value::from(0.0)));
        assert_eq!(serving["itl_ns"]["samples"], 2 * (pieces - 1), "{serving}");
        let own = |name: &str| serving["by_server"][name]["p50"]["value"].as_f64().unwrap();
        assert_eq!(own("prompt_ns"), prompt_ms * 1e6);
        assert!((own("tpot_ns") - answer_ms * 1e6 / 9.0).abs() < 1.0, "{serving}");
        // Here they are played at once: what is seen from outside is less than what the server once said.
        assert!(own("beyond_ns") < 0.0);
        let page = std::fs::read_to_string(place.at("run/report.html")).unwrap();
        assert!(page.contains("own clock"), "the report names the server's own times");
        place.fine(&["verify", "run"]);
    }
}

#[test]
fn prompts_are_counted_where_two_tokens_come_to_no_text_and_a_missing_key_is_asked_for() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::Mute, Behaviour::Mute, Behaviour::Uncounted]));
    let seen = record(&place, &server, 0, &["--requests", "2"]);
    assert_eq!((&seen["serving"]["answered"], server.asked().len()), (&Value::from(2), LEARNING + 2));
    assert!(seen["facts"]["prompts"].as_str().unwrap().contains("by the server's count"), "{seen}");
    let (told, server) = (Place::new(), Server::start(&[Behaviour::Uncounted]));
    let said = told.fine(&["endpoint", &server.url(), "-p", "4", "-n", "2", "--requests", "1", "--out", "run"]);
    assert!(said.out.contains("a piece taken for a token"), "{said:?}");
    let locked = Server::start(&[Behaviour::Locked]);
    assert!(place.refused(&["endpoint", &locked.url()]).contains("--api-key-env"));
}

#[test]
fn the_first_token_is_the_first_that_can_be_read() {
    let late = Behaviour::SlowFirst(Duration::from_millis(30));
    for (how, least_ms) in [(late, 30.0), (Behaviour::Thoughtful, 20.0)] {
        let mut behaviours = vec![Behaviour::Fine; LEARNING];
        behaviours.push(how);
        let (place, server) = (Place::new(), Server::start(&behaviours));
        let record = record(&place, &server, 0, &["--requests", "1", "--chat"]);
        let ttft = record["serving"]["ttft_ns"]["p50"]["value"].as_f64().unwrap();
        assert!(ttft >= least_ms * 1e6, "{how:?}: {ttft}");
        assert!(server.asked().iter().all(|a| a.path == "/v1/chat/completions"));
        let stored = std::fs::read_to_string(place.at("run/records.jsonl")).unwrap();
        assert_eq!(stored.contains("\"thought_ns\""), how == Behaviour::Thoughtful);
    }
}

#[test]
fn an_open_load_says_its_own_lateness_and_a_shared_beginning_is_asked_for() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::Uncounted]));
    let record = record(
        &place,
        &server,
        0,
        &[
            "--requests",
            "8",
            "--rate",
            "400",
            "--cache",
            "on",
            "-d",
            "40",
            "--prompt-seed",
            "5",
            "--plain",
            "-m",
            "named",
        ],
    );
    assert!(record["id"].as_str().unwrap().contains("?cache=on&depth=40&model=named&"), "{record}");
    let serving = &record["serving"];
    assert_eq!(
        (&serving["late_ns"]["samples"], &serving["tokens_counted_by_server"]),
        (&Value::from(8), &Value::from(false))
    );
    assert!(record["facts"]["prompts"].as_str().unwrap().contains("cache on"));
    let asked = server.asked();
    let first =
        |a: &server::Asked| a.body["prompt"].as_str().unwrap().split(' ').take(40).collect::<Vec<_>>().join(" ");
    let begins: std::collections::BTreeSet<_> = asked[LEARNING..].iter().map(first).collect();
    assert_eq!(begins.len(), 1, "all begin alike");
    assert!(asked.iter().all(|a| a.body.get("ignore_eos").is_none() && a.body["model"] == "named"));
}

#[test]
fn a_loop_of_tools_grows_its_history_and_begins_alike_only_with_the_cache_on() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::Fine]));
    let url = server.url();
    let line = [
        "agent",
        "--endpoint",
        &url,
        "-p",
        "20",
        "-n",
        "3",
        "--n-tool",
        "5",
        "--turns",
        "3",
        "--tool-ms",
        "1",
        "-r",
        "2",
    ];
    let done = place.fine(&[&line[..], &["--json", "--quiet", "--out", "run"]].concat());
    let document: Value = serde_json::from_str(&done.out).unwrap();
    let records = document["records"].as_array().unwrap();
    assert_eq!(records.len(), 2, "cache on and off");
    let asked: Vec<String> =
        server.asked()[LEARNING..].iter().map(|a| a.body["prompt"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked.len(), 2 * 2 * 3);
    let words = |at: usize| asked[at].split(' ').filter(|word| !word.is_empty()).count();
    // 19 words and one token around them; each turn adds an answer of three words and a tool's five.
    assert_eq!((words(0), words(1), words(2)), (19, 27, 35), "{asked:#?}");
    assert!(asked[2].starts_with(&asked[1]) && asked[1].starts_with(&asked[0]));
    assert!(!asked[3].starts_with(&asked[0]), "another task, other words");
    assert!(!asked[7].starts_with(&asked[6][..40]), "without a cache each turn begins otherwise");
    for (record, cache) in records.iter().zip(["on", "off"]) {
        assert_eq!((&record["axes"]["cache"], &record["time"]["samples"]), (&Value::from(cache), &Value::from(2)));
        assert_eq!(record["serving"]["answered"], 6);
        let shares = record["metrics"].as_array().unwrap().iter().filter(|m| m["unit"] == "%");
        let sum: f64 = shares.map(|m| m["value"].as_f64().unwrap()).sum();
        assert!((sum - 100.0).abs() < 1e-6, "{record}");
    }
}

#[test]
fn a_key_goes_over_the_wire_and_nowhere_else() {
    let (place, server) = (Place::new(), Server::start(&[Behaviour::Fine]));
    let url = server.url();
    let mut command = place.command(&["endpoint", &url, "-p", "4", "-n", "2", "--requests", "1", "--out", "run"]);
    let done = command.env("OPENAI_API_KEY", "hunter2secret").output().unwrap();
    assert!(done.status.success());
    assert!(server.asked().iter().all(|a| a.key.as_deref() == Some("Bearer hunter2secret")));
    let told = [done.stdout, done.stderr].concat();
    let mut all = vec![String::from_utf8_lossy(&told).into_owned()];
    for entry in std::fs::read_dir(place.at("run")).unwrap() {
        all.push(String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned());
    }
    assert!(all.iter().all(|text| !text.contains("hunter2")));
}

/// A server that speaks TLS with the tests' certificate.
fn secret_server() -> Server {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = std::sync::Arc::new(rustls_graviola::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = std::sync::Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    Server::wrapped(
        &[Behaviour::Fine],
        std::sync::Arc::new(move |stream| {
            let connection = rustls::ServerConnection::new(config.clone()).ok()?;
            Some(Box::new(rustls::StreamOwned::new(connection, stream)))
        }),
    )
}

#[test]
fn https_is_spoken_and_nobody_else_is_believed() {
    let (place, server) = (Place::new(), secret_server());
    let url = format!("https://127.0.0.1:{}", server.port);
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem");
    let line =
        ["endpoint", &url, "-p", "8", "-n", "3", "--requests", "3", "--ca", ca, "--json", "--quiet", "--out", "run"];
    let document: Value = serde_json::from_str(&place.fine(&line).out).unwrap();
    assert_eq!(document["records"][0]["serving"]["answered"], 3);
    // The system does not trust the tests' authority, and a file without a certificate trusts nobody.
    let said = place.refused(&["endpoint", &url, "-m", "x"]);
    assert!(said.contains("127.0.0.1"), "{said}");
    std::fs::write(place.at("words"), "no certificate").unwrap();
    assert!(place.refused(&["endpoint", &url, "--ca", "words"]).contains("no certificate"));
}

#[test]
fn what_is_no_server_is_refused_in_a_line() {
    let place = Place::new();
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let nobody = format!("http://127.0.0.1:{closed}");
    let busy = Server::start(&[Behaviour::Busy]);
    let busy = busy.url();
    let table: &[(&[&str], &str)] = &[
        (&["endpoint", "localhost"], "http://HOST:PORT"),
        (&["endpoint", "http://me:word@host"], "--api-key-env"),
        (&["endpoint", &nobody], "refused"),
        (&["endpoint", &busy], "429"),
        (&["endpoint", &busy, "--rate", "0"], "'0'"),
        (&["endpoint", &busy, "--rate", "1", "--concurrency", "2"], "--concurrency"),
        (&["endpoint", &busy, "--concurrency", "0"], "--concurrency 0"),
        (&["endpoint", &busy, "-p", "0"], "-p 0"),
        (&["endpoint", &busy, "--cache", "on"], "-d at least 1"),
        (&["endpoint", &busy, "--slo", "fast=1"], "ttft=500"),
        (&["endpoint", &busy, "--api-key-env", "NO_SUCH_KEY_HERE"], "NO_SUCH_KEY_HERE"),
        (&["endpoint", "http://192.0.2.1:1", "--on", "cpu", "--timeout", "20ms", "-m", "x"], "192.0.2.1"),
    ];
    for (line, named) in table {
        let said = place.refused(line);
        assert!(said.contains(named), "{line:?} does not name {named}: {said}");
    }
    assert_eq!(std::fs::read_dir(place.at(".")).unwrap().count(), 0, "nothing was written");
}
