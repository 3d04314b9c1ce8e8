//! Model files that are cut short, lie, recurse or pretend to be enormous, through the program: exit 2, one line, and no memory taken for
//! what they claim.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod program;

use program::{Done, Place};
use std::path::{Path, PathBuf};

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workloads/tests/models")
}

/// What the program says of the model `name` in `place`, which it has to refuse. On Linux with 4 GiB of address space, which a file that
/// claims more than it has must not exhaust.
fn refused(place: &Place, name: &str) -> String {
    let line = ["logits", "-m", name, "--tokens", "1", "-t", "1"];
    if !cfg!(target_os = "linux") {
        return place.refused(&line);
    }
    let ours = place.command(&line);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 4194304; exec \"$0\" \"$@\""]).arg(ours.get_program()).args(ours.get_args());
    let done: Done = command.current_dir(place.at(".")).output().unwrap().into();
    assert_eq!(done.code, Some(2), "{name}: {done:?}");
    let one_line = done.err.starts_with("error: ") && done.err.lines().count() == 1 && done.err.contains("; ");
    assert!(done.out.is_empty() && one_line && done.err.len() < 600, "{name}: {done:?}");
    done.err
}

fn text(of: &[u8]) -> Vec<u8> {
    [&(of.len() as u64).to_le_bytes()[..], of].concat()
}

/// A header of GGUF with so many tensors and entries, and what stands behind it.
fn gguf(tensors: u64, entries: u64, rest: &[Vec<u8>]) -> Vec<u8> {
    [b"GGUF\x03\0\0\0".to_vec(), tensors.to_le_bytes().to_vec(), entries.to_le_bytes().to_vec(), rest.concat()].concat()
}

/// A list under the key `k` of values of `kind`, of which there are said to be `len`.
fn list(kind: u32, len: u64) -> Vec<u8> {
    [text(b"k"), 9_u32.to_le_bytes().to_vec(), kind.to_le_bytes().to_vec(), len.to_le_bytes().to_vec()].concat()
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let shape: Vec<u8> = [(shape.len() as u32).to_le_bytes().to_vec()]
        .into_iter()
        .chain(shape.iter().map(|n| n.to_le_bytes().to_vec()))
        .flatten()
        .collect();
    [text(name.as_bytes()), shape, kind.to_le_bytes().to_vec(), offset.to_le_bytes().to_vec()].concat()
}

/// A good file whose number under `key` is another one.
fn with_number(whole: &[u8], key: &str, number: u32) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap() + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn gguf_files_that_lie() {
    let place = Place::new();
    let whole = std::fs::read(models().join("llama.gguf")).unwrap();
    let behind = vec![0; 256];
    let all_bytes = [gguf(0, 1, &[]), text(&vec![b'k'; 5000])].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "empty"),
        ("cut", whole[..whole.len() / 3].to_vec(), "beyond the end"),
        ("cut in its header", whole[..700].to_vec(), "left"),
        ("tensors", gguf(u64::MAX, 0, &[]), "tensors"),
        ("entries", gguf(0, u64::MAX, &[]), "entries"),
        ("long key", all_bytes, "bytes"),
        ("longer key", [gguf(0, 1, &[]), u64::MAX.to_le_bytes().to_vec()].concat(), "would take"),
        ("bomb of texts", gguf(0, 1, &[list(8, 1 << 40)]), "more than the file has room for"),
        ("bomb of numbers", gguf(0, 1, &[list(12, u64::MAX / 4)]), "more than the file has room for"),
        ("recursion", gguf(0, 1, &[list(9, 1), list(9, 1)]), "list of lists"),
        ("kind of a value", gguf(0, 1, &[list(13, 1)]), "kind 13"),
        ("type", gguf(1, 0, &[tensor("t", &[32], 31, 0), behind.clone()]), "type 31"),
        ("elements", gguf(1, 0, &[tensor("t", &[1 << 40, 1 << 40], 0, 0), behind.clone()]), "elements"),
        ("size", gguf(1, 0, &[tensor("t", &[1 << 40], 0, 0), behind.clone()]), "beyond the end"),
        ("place", gguf(1, 0, &[tensor("t", &[8], 0, u64::MAX - 31), behind.clone()]), "beyond the end"),
        ("overlap", gguf(2, 0, &[tensor("a", &[16], 0, 0), tensor("b", &[8], 0, 32), behind]), "overlap"),
        ("layers", with_number(&whole, "llama.block_count", u32::MAX), "num_hidden_layers"),
        ("a layer more", with_number(&whole, "llama.block_count", 3), "blk.2"),
        ("width", with_number(&whole, "llama.embedding_length", 1 << 20), "token_embd"),
        ("heads", with_number(&whole, "llama.attention.head_count", 0), "head"),
        ("turned", with_number(&whole, "llama.rope.dimension_count", 7), "rotary"),
    ];
    for (name, bytes, words) in cases {
        std::fs::write(place.at("model.gguf"), bytes).unwrap();
        let said = refused(&place, "model.gguf");
        assert!(said.contains(words), "{name}: '{words}' is not in {said}");
    }
    // A file as large as a disk, of which nothing is read.
    std::fs::write(place.at("model.gguf"), gguf(1, 0, &[tensor("t", &[8], 99, 0)])).unwrap();
    std::fs::OpenOptions::new().write(true).open(place.at("model.gguf")).unwrap().set_len(1 << 31).unwrap();
    assert!(refused(&place, "model.gguf").contains("type 99"));
}

/// A header of safetensors and `data` bytes behind it.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [text(header.as_bytes()), vec![0; data]].concat()
}

#[test]
fn safetensors_that_lie() {
    let place = Place::new();
    std::fs::copy(models().join("nvfp4-ct-hf/config.json"), place.at("config.json")).unwrap();
    let of = |shape: &str, kind: &str, from: u64, to: u64| {
        format!(r#"{{"a":{{"dtype":"{kind}","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
    };
    let two = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no header", vec![1, 0, 0]),
        ("a header beyond the file", u64::MAX.to_le_bytes().to_vec()),
        ("a header of zeros", vec![0; 64]),
        ("recursion", text(&[b'['; 100_000])),
        ("recursion of objects", text(r#"{"a":"#.repeat(50_000).as_bytes())),
        ("no JSON", safetensors("hello", 8)),
        ("beyond the end", safetensors(&of("[2]", "F32", 0, 8), 4)),
        ("more than its tensors", safetensors(&of("[2]", "F32", 0, 8), 64)),
        ("backwards", safetensors(&of("[2]", "F32", 8, 0), 8)),
        ("another size", safetensors(&of("[3]", "F32", 0, 8), 8)),
        ("elements", safetensors(&of("[4294967296,4294967296,4294967296]", "F32", 0, 8), 8)),
        ("type", safetensors(&of("[2]", "Q9", 0, 8), 8)),
        ("overlap", safetensors(two, 12)),
        ("a type that is not computed", safetensors(&of("[2]", "I32", 0, 8), 8)),
    ];
    for (name, bytes) in cases {
        std::fs::write(place.at("model.safetensors"), bytes).unwrap();
        let said = refused(&place, ".");
        assert!(said.contains("model"), "{name}: {said}");
    }
    // A header that would be read for hours.
    let mut long = text(b"");
    long[..8].copy_from_slice(&(1_u64 << 30).to_le_bytes());
    std::fs::write(place.at("model.safetensors"), long).unwrap();
    std::fs::OpenOptions::new().write(true).open(place.at("model.safetensors")).unwrap().set_len(1 << 31).unwrap();
    assert!(refused(&place, ".").contains("header of 1073741824 bytes"));
    for (name, index) in [
        ("another folder", r#"{"weight_map":{"a":"../model.safetensors"}}"#.to_owned()),
        ("no file", r#"{"weight_map":{"a":"gone.safetensors"}}"#.to_owned()),
        ("no name", r#"{"weight_map":{"a":7}}"#.to_owned()),
        ("no map", "{}".to_owned()),
        ("recursion", "[".repeat(100_000)),
    ] {
        std::fs::write(place.at("model.safetensors.index.json"), index).unwrap();
        assert!(refused(&place, ".").contains("model"), "{name}");
    }
    std::fs::File::create(place.at("model.safetensors.index.json")).unwrap().set_len(1 << 31).unwrap();
    assert!(refused(&place, ".").contains("larger than"));
}

/// Good files of FP4 in which one thing is wrong.
#[test]
fn quantised_checkpoints_that_do_not_fit_together() {
    let place = Place::new();
    let from = models().join("nvfp4-modelopt-hf");
    std::fs::copy(from.join("config.json"), place.at("config.json")).unwrap();
    let whole = std::fs::read(from.join("model.safetensors")).unwrap();
    let changed = |old: &str, new: &str| {
        assert_eq!(old.len(), new.len());
        let mut bytes = whole.clone();
        let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        std::fs::write(place.at("model.safetensors"), bytes).unwrap();
        refused(&place, ".")
    };
    assert!(changed("0.self_attn.q_proj.weight_scale\"", "0.self_attn.q_proj.weight_scalx\"").contains("q_proj"));
    assert!(changed("\"F8_E4M3\"", "\"F8_E5M2\"").contains("not computed"));
    assert!(changed("mlp.down_proj.weight\"", "mlp.down_prox.weight\"").contains("down_pro"));
}

#[test]
fn configs_and_tokenizers_that_lie() {
    let place = Place::new();
    for (name, config) in [
        ("recursion", "{\"a\":".repeat(100_000)),
        ("recursion of lists", "[".repeat(1_000_000)),
        ("a number", "1".repeat(1_000_000)),
        ("sizes", r#"{"model_type":"llama","hidden_size":18446744073709551615}"#.to_owned()),
        ("more sizes", r#"{"model_type":"llama","hidden_size":1e300}"#.to_owned()),
        ("another kind", r#"{"model_type":"transducer"}"#.to_owned()),
    ] {
        std::fs::write(place.at("config.json"), config).unwrap();
        assert!(refused(&place, "config.json").contains("config.json"), "{name}");
    }
    std::fs::File::create(place.at("config.json")).unwrap().set_len(1 << 31).unwrap();
    assert!(refused(&place, "config.json").contains("is larger than"));
    let folder = models().join("qwen3-hf");
    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), place.at(&entry.file_name().to_string_lossy())).unwrap();
    }
    let good = std::fs::read_to_string(place.at("tokenizer.json")).unwrap();
    for (name, json) in [
        ("nothing", String::new()),
        ("cut", good[..good.len() / 2].to_owned()),
        ("recursion", "[".repeat(1_000_000)),
        ("another type", good.replace("\"BPE\"", "\"Oracle\"")),
        ("merges of nothing", good.replace("\"merges\": [", "\"merges\": [[\"zz\",\"qq\"],")),
        ("a list for a table", good.replace("\"vocab\": {", "\"vocab\": [")),
    ] {
        std::fs::write(place.at("tokenizer.json"), json).unwrap();
        let said = place.refused(&["generate", "-m", ".", "-p", "the spark"]);
        assert!(said.contains("tokenizer.json"), "{name}: {said}");
    }
}
