//! `spark-bench llm` as people and scripts meet it: the built binary, its rows read back, its refusals.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// llama-bench's columns in their order, as its readers expect them.
const FIELDS: &str = "build_commit,build_number,cpu_info,gpu_info,backends,model_filename,model_type,model_size,\
    model_n_params,n_batch,n_ubatch,n_threads,cpu_mask,cpu_strict,poll,type_k,type_v,n_gpu_layers,n_cpu_moe,split_mode,\
    main_gpu,no_kv_offload,flash_attn,devices,tensor_split,tensor_buft_overrides,use_mmap,embeddings,no_op_offload,no_host,\
    n_prompt,n_gen,n_depth,test_time,avg_ns,stddev_ns,avg_ts,stddev_ts";
const INTEGERS: &str = "build_number n_batch n_ubatch n_threads poll model_size model_n_params n_gpu_layers main_gpu \
    n_prompt n_gen n_depth avg_ns stddev_ns no_op_offload n_cpu_moe";
const TRUTHS: &str = "no_kv_offload cpu_strict flash_attn use_mmap embeddings no_host";

fn spark_bench(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spark-bench"));
    command.current_dir(folder).env("NO_COLOR", "1").args(line.split_whitespace());
    command.output().expect("the binary starts")
}

/// stdout and stderr of a run of `llm` that went well, into the folder `run` unless that is what it resumes.
fn llm(folder: &Path, rest: &str) -> (String, String) {
    let repetitions = if rest.contains("-r ") { "" } else { "-r 2" };
    let out = if rest.contains("--resume") { "" } else { "--out run" };
    let line = format!("llm -m tiny -p 16 -n 4 -t 1 --no-roofs {repetitions} {out} {rest}");
    let output = spark_bench(folder, &line);
    let (out, talk) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{line}\n{out}\n{talk}");
    (out, talk)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("utf-8")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The fields of a csv line whose values may be quoted, with `""` for a quote.
fn cells(line: &str, quote: char) -> Vec<String> {
    let (mut all, mut inside) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            c if c == quote => {
                // A doubled quote leaves and enters again: it stands for itself.
                if !inside && !all[all.len() - 1].is_empty() {
                    all.last_mut().expect("one").push(quote);
                }
                inside = !inside;
            }
            ',' if !inside => all.push(String::new()),
            c => all.last_mut().expect("one").push(c),
        }
    }
    assert!(!inside, "a quote that never ends: {line}");
    all
}

#[test]
fn json_holds_every_field_of_its_type_and_follows_from_the_samples() {
    let folder = folder();
    let (out, talk) = llm(folder.path(), "-pg 8,4 -d 0-32+32 -o json -fa 1 -fa 0 -ngl -1 -q");
    assert_eq!(talk, "", "--quiet says only what is wrong");
    let rows: Value = serde_json::from_str(&out).expect("JSON");
    let rows = rows.as_array().expect("an array");
    let shapes: Vec<_> =
        rows.iter().map(|r| [&r["n_prompt"], &r["n_gen"], &r["n_depth"]].map(serde_json::Value::as_u64)).collect();
    let expected = [[16, 0, 0], [0, 4, 0], [8, 4, 0], [16, 0, 32], [0, 4, 32], [8, 4, 32]].map(|shape| shape.map(Some));
    assert_eq!(shapes, expected);
    for row in rows {
        let row = row.as_object().expect("an object");
        for name in FIELDS.split(',') {
            let value = row.get(name).unwrap_or_else(|| panic!("{name} is missing"));
            let fits = match name {
                _ if INTEGERS.split(' ').any(|n| n == name) => value.is_u64(),
                _ if TRUTHS.split(' ').any(|n| n == name) => value.is_boolean(),
                "avg_ts" | "stddev_ts" => value.is_f64(),
                _ => value.is_string(),
            };
            assert!(fits, "{name}: {value}");
        }
        assert_eq!(row.len(), FIELDS.split(',').count() + 2, "nothing more without --extended");
        let samples = |name: &str| -> Vec<f64> {
            row[name].as_array().expect("an array").iter().map(|v| v.as_f64().expect("a number")).collect()
        };
        let (ns, ts) = (samples("samples_ns"), samples("samples_ts"));
        assert_eq!((ns.len(), ts.len()), (2, 2));
        let tokens = (row["n_prompt"].as_f64().unwrap_or(0.0) + row["n_gen"].as_f64().unwrap_or(0.0)) * 1e9;
        for (ns, ts) in ns.iter().zip(&ts) {
            assert!((tokens / ns / ts - 1.0).abs() < 1e-9, "{ns} {ts}");
        }
        let close = |value: &Value, expected: f64| {
            (value.as_f64().expect("a number") - expected).abs() <= 1e-6 * expected + 1.0
        };
        assert!(close(&row["avg_ns"], (ns[0] + ns[1]) / 2.0) && close(&row["avg_ts"], (ts[0] + ts[1]) / 2.0));
        assert!(close(&row["stddev_ns"], (ns[0] - ns[1]).abs() / 2.0_f64.sqrt()));
        let seeded = if row["n_depth"] == 32 { ", seeded kv" } else { "" };
        assert_eq!(row["model_type"], format!("tiny mxfp4 (synthetic{seeded})"));
        assert_eq!((&row["n_threads"], &row["backends"]), (&Value::from(1), &Value::from("CPU")));
    }
    let records = std::fs::read_to_string(folder.path().join("run/records.jsonl")).expect("records");
    assert_eq!(records.lines().count(), 6);
    assert!(folder.path().join("run/report.html").exists());
}

#[test]
fn lines_csv_and_sql_read_back() {
    let folder = folder();
    let (out, talk) =
        llm(folder.path(), "-o jsonl --extended --head bf16 --activations f32 -npl 2 -ub 512 -b 1,2 -sm none");
    for (said, count) in
        [("-ub means nothing", 1), ("-b means nothing", 1), ("-sm means", 1), ("synthetic", 1), ("-fa", 0)]
    {
        assert_eq!(talk.matches(said).count(), count, "{said}: {talk}");
    }
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row["model_type"], "tiny mxfp4 (synthetic, head bf16, activations f32, 2 sequences)");
        assert_eq!((row["n_sequences"].as_u64(), row["status"].as_str()), (Some(2), Some("measured")));
        assert!(row["test"].as_str().is_some_and(|test| test.ends_with(" @ b2")), "{row}");
        assert!(row["weights"].as_str().is_some_and(|w| w.starts_with("synthetic")), "{row}");
        assert!(row["energy_j"].is_number() != row["energy_reason"].is_string(), "a number or the reason: {row}");
        let tokens = 2 * (row["n_prompt"].as_u64().unwrap_or(0) + row["n_gen"].as_u64().unwrap_or(0));
        let (ns, ts) = (row["samples_ns"][0].as_f64().expect("ns"), row["samples_ts"][0].as_f64().expect("ts"));
        assert!((tokens as f64 * 1e9 / ns / ts - 1.0).abs() < 1e-9, "tokens of both sequences count");
        assert!(row["bytes_per_token"].as_f64().is_some_and(|bytes| bytes > 1e4));
    }
    // The same run again, in other words.
    let (out, _) = llm(folder.path(), "--resume run -o csv --head bf16 --activations f32 -npl 2 -q");
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some(FIELDS));
    let header: Vec<_> = FIELDS.split(',').collect();
    for (line, row) in lines.zip(&rows) {
        assert!(line.starts_with('"') && line.ends_with('"'));
        let cells = cells(line, '"');
        assert_eq!(cells.len(), header.len(), "{line}");
        for (name, cell) in header.iter().zip(&cells) {
            let expected = match &row[*name] {
                Value::Bool(truth) => u8::from(*truth).to_string(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(*cell, expected, "{name}");
        }
    }
    let (out, _) = llm(folder.path(), "--resume run -o sql --head bf16 --activations f32 -npl 2 -q");
    sql(&out, &header, 2);
}

/// `CREATE TABLE` with every column typed, then `rows` inserts of as many values as names.
fn sql(text: &str, header: &[&str], rows: usize) {
    let (create, inserts) = text.split_once("\n);\n").expect("the table's end");
    let columns = create.strip_prefix("CREATE TABLE IF NOT EXISTS llama_bench (\n").expect("the table's beginning");
    let typed: Vec<_> = columns.split(",\n").map(|c| c.trim().split_once(' ').expect("name and type")).collect();
    assert_eq!(typed.iter().map(|(name, _)| *name).collect::<Vec<_>>(), header);
    for (name, kind) in typed {
        let expected = match name {
            _ if INTEGERS.split(' ').chain(TRUTHS.split(' ')).any(|n| n == name) => "INTEGER",
            "avg_ts" | "stddev_ts" => "REAL",
            _ => "TEXT",
        };
        assert_eq!(kind, expected, "{name}");
    }
    let inserts: Vec<_> = inserts.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(inserts.len(), rows);
    for insert in inserts {
        let rest = insert.strip_prefix("INSERT INTO llama_bench (").expect("an insert");
        let (names, values) = rest.split_once(") VALUES (").expect("its values");
        assert_eq!(names.split(", ").collect::<Vec<_>>(), header);
        let values = values.strip_suffix(");").expect("its end").replace("', '", "','");
        assert!(values.starts_with('\'') && values.ends_with('\''), "{values}");
        assert_eq!(cells(&values, '\'').len(), header.len(), "{values}");
    }
}

#[test]
fn the_table_says_what_is_synthetic_and_the_document_is_the_runs() {
    let folder = folder();
    let config = r#"{"model_type":"qwen3","hidden_size":64,"intermediate_size":64,"num_hidden_layers":1,"head_dim":32,
        "num_attention_heads":2,"num_key_value_heads":1,"vocab_size":64,"max_position_embeddings":128}"#;
    std::fs::create_dir(folder.path().join("a|b")).expect("a folder");
    std::fs::write(folder.path().join("a|b/config.json"), config).expect("a config");
    let (out, talk) = llm(folder.path(), "-m a|b/config.json -d 8 -ctk f32 -r 1");
    assert!(talk.contains("keys and values have one type") && talk.contains("run folder: run"), "{talk}");
    let rows: Vec<Vec<&str>> =
        out.lines().map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    let title = ["model", "size", "params", "backend", "threads", "type_k", "type_v", "MB/token", "test", "t/s"];
    assert_eq!((rows[0].as_slice(), rows.len()), (title.as_slice(), 6), "{out}");
    let named: Vec<_> = rows[2..].iter().map(|row| (row[0], row[8])).collect();
    assert_eq!(
        named,
        [
            ("tiny mxfp4 (synthetic, seeded kv)", "pp16 @ d8"),
            ("tiny mxfp4 (synthetic, seeded kv)", "tg4 @ d8"),
            ("a\\|b mxfp4 (synthetic, seeded kv)", "pp16 @ d8"),
            ("a\\|b mxfp4 (synthetic, seeded kv)", "tg4 @ d8"),
        ]
    );
    for row in &rows[2..] {
        // One repetition has no spread.
        assert!(row[9].parse::<f64>().is_ok_and(|rate| rate > 0.0), "{out}");
    }
    let again = "--resume run -m a|b/config.json -d 8 -ctk f32 -r 1 --json -q";
    let document: Value = serde_json::from_str(&llm(folder.path(), again).0).expect("JSON");
    assert_eq!(document["records"].as_array().map(Vec::len), Some(4));
    assert_eq!(document["records"][0]["workload"], "prefill");
    assert!(
        document["records"][0]["roof"].is_null() && document["manifest"]["absent"].to_string().contains("--no-roofs")
    );
}

#[test]
fn several_thread_counts_are_rows_of_their_own() {
    let folder = folder();
    let output = spark_bench(folder.path(), "llm -m tiny -p 0 -n 4 -r 2 -t 1,2 --no-roofs --out run -o jsonl -q");
    let (out, talk) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{talk}");
    let rows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.iter().map(|r| r["n_threads"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let output = spark_bench(
        folder.path(),
        "run decode --model tiny --format mxfp4 --n_gen 8 --no-roofs --out axes --suite smoke",
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn what_cannot_be_is_refused_with_what_where_and_the_mend() {
    let folder = folder();
    let path = folder.path();
    std::fs::write(path.join("cut.json"), "{\"model_type\":\"llama\",\"hidden_si").expect("a file");
    std::fs::write(path.join("lie.json"), "{\"model_type\":\"llama\",\"num_attention_heads\":-4}").expect("a file");
    std::fs::write(path.join("cut.gguf"), "GGUF\x03\0\0\0").expect("a file");
    std::fs::create_dir(path.join("weights")).expect("a folder");
    std::fs::write(path.join("weights/model.safetensors"), "x").expect("a file");
    for (line, words) in [
        ("-m gpt-5", ["gpt-5", "llama-3.1-8b"]),
        ("-m tiny,,tiny", ["-m", "empty"]),
        ("-m cut.json", ["cut.json", "config.json"]),
        ("-m lie.json", ["lie.json", "num_attention_heads"]),
        ("-m no/such.json", ["no/such.json", "give a config.json"]),
        ("-m model.gguf", ["model.gguf", "readable file"]),
        ("-m cut.gguf", ["cut.gguf", "fetch"]),
        ("-m weights", ["weights", "config.json"]),
        ("-m tiny -p 8-4", ["-p", "4-8"]),
        ("-m tiny -p", ["--n-prompt", "value"]),
        ("-m tiny -n x", ["-n 'x'", "whole number"]),
        ("-m tiny -pg 512", ["-pg '512'", "512,128"]),
        ("-m tiny -p 0 -n 0", ["nothing to run", "-pg"]),
        ("-m tiny -r 0", ["0", "repetitions"]),
        ("-m tiny -t 0", ["-t", "from 1"]),
        ("-m tiny -npl 0", ["batch", "at least 1"]),
        ("-m tiny -d 9999", ["context", "ask for fewer"]),
        ("-m tiny --format q9", ["q9", "mxfp4"]),
        ("-m tiny -ctk f16", ["f16", "bf16"]),
        ("-m tiny -ctk bf16 -ctv f32", ["-ctk bf16", "the same"]),
        ("-m tiny -o xml", ["xml", "jsonl"]),
        ("-m tiny -o csv --json", ["--json", "cannot be used"]),
        ("-m tiny --device cuda:7", ["cuda:7", "list devices"]),
        ("-m tiny -p 1-4000 -n 1-4000 -d 1-100", ["multiply out", "fewer"]),
        ("-m tiny --filter nothing", ["no id matches", "plan"]),
    ] {
        let output = spark_bench(path, &format!("llm --out refused {line}"));
        let talk = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {talk}");
        assert!(words.iter().all(|word| talk.contains(word)), "{line}: {talk}");
        assert!(output.stdout.is_empty() && !talk.contains("panicked"), "{line}: {talk}");
        assert!(!path.join("refused").exists(), "{line}: nothing is written for what cannot be");
    }
}

/// A model's file, made by ci/logits.py.
fn stored(name: &str) -> String {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/tests/models").join(name).display().to_string()
}

#[test]
fn a_model_s_file_runs_as_it_is_and_every_row_says_so() {
    let folder = folder();
    let model = stored("k-quants.gguf");
    let output = spark_bench(folder.path(), &format!("llm -m {model} -p 8 -n 4 -r 2 --no-roofs --out run -o jsonl"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("synthetic"), "{}", text(&output.stderr));
    for line in text(&output.stdout).lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a row");
        let said = row["model_type"].as_str().expect("a text");
        assert!(said.contains("k-quants") && said.contains("q5_k") && !said.contains("synthetic"), "{said}");
        let (size, file) =
            (row["model_size"].as_u64().expect("a size"), std::fs::metadata(&model).expect("a file").len());
        assert!(size < file && size > file / 2, "{size} of {file}");
    }
}

#[test]
fn logits_are_printed_and_text_needs_a_tokenizer() {
    let folder = folder();
    let model = stored("llama.gguf");
    let run = |line: &str| spark_bench(folder.path(), line);
    let output = run(&format!("logits -m {model} --tokens 1,2,3 --json"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["logits"].as_array().expect("a list").len(), 64);
    let top = run(&format!("logits -m {model} --tokens 1,2,3 --top 3"));
    assert_eq!(text(&top.stdout).lines().count(), 3, "{}", text(&top.stderr));
    for (line, words) in [
        (format!("logits -m {model} --tokens 64"), "not below the vocabulary of 64"),
        (format!("logits -m {model} --tokens x"), "write whole numbers"),
        (format!("generate -m {model} -p a"), "give tokens in place of text"),
        ("generate -m tiny -p a".to_owned(), "has no tokenizer"),
    ] {
        let output = run(&line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{line}: {}", text(&output.stderr));
    }
}

#[test]
fn a_model_that_does_not_fit_is_a_row_with_its_reason() {
    let folder = folder();
    // 2^20 wide, 4096 layers deep: more than any machine has.
    let config = r#"{"model_type":"llama","hidden_size":65536,"intermediate_size":65536,"num_hidden_layers":512,
        "num_attention_heads":64,"vocab_size":1024,"max_position_embeddings":4096}"#;
    std::fs::write(folder.path().join("huge.json"), config).expect("a file");
    let output = spark_bench(folder.path(), "llm -m huge.json -p 16 -n 4 -r 2 -t 1 --no-roofs --out huge");
    let (out, talk) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(
        out.lines().count() == 4 && out.contains("skipped: needs") && talk.contains("nothing could be run"),
        "{out}{talk}"
    );
    let (out, talk) = llm(folder.path(), "-m huge.json -o json");
    let rows: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "a row without a rate would break llama-bench's readers");
    assert!(talk.contains("warning") && talk.contains("huge.json") && talk.contains("skipped"), "{talk}");
}

#[test]
fn models_are_listed_with_their_sizes() {
    let output = spark_bench(Path::new("."), "list models --json");
    let all: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let llama =
        all["models"].as_array().expect("an array").iter().find(|m| m["name"] == "llama-3.2-1b").expect("known");
    // Its maker's count; a tied table is stored once.
    assert_eq!(llama["parameters"], 1_235_814_400);
    let bytes = |format: &str| llama["weight_bytes"][format].as_u64().expect("bytes");
    assert!(bytes("mxfp4") < bytes("nvfp4") && bytes("nvfp4") < bytes("q8_0") && bytes("bf16") < bytes("f32"));
}
