//! What is fuzzed: each function takes arbitrary bytes from outside and must read or refuse them; harness/tests/corpus.rs calls them, too.

/// The harness's own module, which needs nothing else of it.
#[path = "../harness/src/import/mod.rs"]
#[allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    unused_imports,
    reason = "there it is public, and more of it is used"
)]
mod results_of_others;

use spark_results::{BenchmarkId, Document, store, table};
use spark_workloads::llm::{self, Config};
use spark_workloads::{axis, suite};

/// A model's `config.json`. What is taken is small enough to count with.
pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text) {
        Ok(config) => assert!(config.param_count() > 0, "a model without parameters was taken"),
        Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error}"),
    }
}

/// A suite in TOML, down to the requests of its tasks.
pub(crate) fn suite(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match suite::parse(text) {
        Ok(suite) => suite.tasks.iter().for_each(|entry| drop(entry.request())),
        Err(error) => assert!(!error.0.contains('\n'), "one line: {error}"),
    }
}

/// A run folder. The input is its files, each behind a line `--- NAME`; a run that reads is exported, tabled and reported.
pub(crate) fn run(bytes: &[u8]) {
    let folder =
        std::env::temp_dir().join(format!("spark-fuzz-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    for name in [store::MANIFEST, store::RECORDS, store::TELEMETRY] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    for (name, content) in files(bytes) {
        std::fs::write(folder.join(name), content).expect("a temporary file can be written");
    }
    if let Ok(run) = store::read(&folder) {
        let document = Document::of(&run);
        table::csv(&document).expect("a run that reads has a table");
        let page = spark_reports::html(std::slice::from_ref(&run));
        assert!(spark_reports::embedded(&page).is_some(), "a report holds its run");
        spark_reports::text(&run, false);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// The files of a run folder in one input.
fn files(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let head = line.strip_prefix(b"--- ").map(<[u8]>::trim_ascii_end);
        let known = [store::MANIFEST, store::RECORDS, store::TELEMETRY];
        match (head.and_then(|head| known.into_iter().find(|name| name.as_bytes() == head)), files.last_mut()) {
            (Some(name), _) => files.push((name, Vec::new())),
            (None, Some((_, content))) => content.extend_from_slice(line),
            // What stands before any name is a manifest.
            (None, None) => files.push((store::MANIFEST, line.to_vec())),
        }
    }
    files
}

/// A GGUF file: its header, and the model it would make; what is taken has weights of some size.
pub(crate) fn gguf(bytes: &[u8]) {
    if let Err(refused) = llm::file::Gguf::parse(bytes) {
        assert!(!refused.to_string().contains('\n'), "one line: {refused}");
        return;
    }
    model("fuzz.gguf", bytes, None);
}

/// A safetensors file beside a `config.json` of a small model.
pub(crate) fn safetensors(bytes: &[u8]) {
    if let Err(refused) = llm::file::safetensors::parse(bytes) {
        assert!(!refused.to_string().contains('\n'), "one line: {refused}");
        return;
    }
    model("fuzz.safetensors", bytes, Some(include_str!("../workloads/tests/models/llama-hf/config.json")));
}

/// Opens the model in a file with these bytes, and its vocabulary.
fn model(name: &str, bytes: &[u8], config: Option<&str>) {
    let folder =
        std::env::temp_dir().join(format!("spark-fuzz-model-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    std::fs::write(folder.join(name), bytes).expect("a temporary file can be written");
    if let Some(config) = config {
        std::fs::write(folder.join("config.json"), config).expect("a temporary file can be written");
    }
    match llm::Tokens::open(&folder.join(name).to_string_lossy()) {
        Ok(tokens) => {
            let said = tokens.encode("a text \u{301}\n<s>").map(|ids| tokens.decode(&ids));
            drop(said);
            tokens.decode(&[0, 1, u32::MAX]);
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error}"),
    }
    match llm::source::open(&folder.join(name).to_string_lossy()) {
        Ok(found) => {
            assert!(found.weights.is_some_and(|weights| weights.bytes() > 0), "a model without weights was taken");
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "one line: {error}"),
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// An id and a glob, and a comma list of axis values; what parses as an id reads back as the same.
pub(crate) fn id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<BenchmarkId>() {
        assert_eq!(id.to_string().parse().as_ref(), Ok(&id));
        assert!(id.matches("*") && id.matches(&id.to_string()));
    }
    let (glob, rest) = text.split_once(' ').unwrap_or((text, text));
    let _ = spark_results::id::matches(glob, rest);
    let _ = axis::list("m", text);
}

/// Results of another program: the format is the one that they look like, and then each by its name. What is taken reads back as stored.
pub(crate) fn import(bytes: &[u8]) {
    use results_of_others::{FORMATS, Source, read};
    let Ok(source) = Source::of(std::path::Path::new("fuzz.json"), bytes.to_vec()) else { return };
    for from in std::iter::once(None).chain(FORMATS.iter().map(|format| Some(format.name))) {
        match read(&source, from, "hash") {
            Ok(records) => {
                assert!(!records.is_empty(), "a file without results was taken");
                for record in records {
                    let line = serde_json::to_string(&record).expect("a record is JSON");
                    let again: spark_results::Record = serde_json::from_str(&line).expect("and is read again");
                    assert!(again == record, "{line} came back as {again:?}");
                }
            }
            Err(error) => assert!(!error.contains('\n'), "one line: {error}"),
        }
    }
}
