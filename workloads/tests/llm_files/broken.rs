//! Files that are cut short, lie or are something else: one line with the mend, and never a panic.

use super::{models, path};
use spark_workloads::llm::source;
use std::path::Path;

/// Why the file with these bytes is not taken.
fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.gguf");
    std::fs::write(&file, bytes).unwrap();
    let said = source::open(file.to_str().unwrap()).unwrap_err().to_string();
    assert!(!said.contains('\n') && said.contains("; "), "one line with its mend: {said}");
    said
}

fn llama() -> Vec<u8> {
    std::fs::read(path("llama")).unwrap()
}

/// A header with these entries and tensors behind it.
fn header(tensors: u64, entries: u64, rest: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(entries.to_le_bytes());
    rest.iter().for_each(|part| bytes.extend(*part));
    bytes
}

fn text(of: &str) -> Vec<u8> {
    [&(of.len() as u64).to_le_bytes()[..], of.as_bytes()].concat()
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name);
    bytes.extend((shape.len() as u32).to_le_bytes());
    shape.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = llama();
    for cut in (0..4096).step_by(37).chain([whole.len() - 64, whole.len() / 2]) {
        refused(&whole[..cut]);
    }
}

#[test]
fn lies_are_told_from_truth() {
    assert!(refused(b"hello, world").contains("begin with GGUF"));
    assert!(refused(b"GGUF\0\0\0\x03aaaaaaaaaaaaaaaa").contains("big endian"));
    assert!(refused(b"GGUF\x01\0\0\0aaaaaaaaaaaaaaaa").contains("version 1"));
    assert!(refused(&header(u64::MAX, 0, &[])).contains("tensors"));
    assert!(refused(&header(0, u64::MAX, &[])).contains("entries"));
    let list = |kind: u32, len: u64| {
        [&text("a.list")[..], &9_u32.to_le_bytes(), &kind.to_le_bytes(), &len.to_le_bytes()].concat()
    };
    assert!(refused(&header(0, 1, &[&list(8, u64::MAX)])).contains("more than the file has room for"));
    assert!(refused(&header(0, 1, &[&list(4, u64::MAX / 2)])).contains("more than the file has room for"));
    assert!(refused(&header(0, 1, &[&list(9, 1)])).contains("list of lists"));
    assert!(refused(&header(0, 1, &[&list(77, 1)])).contains("kind 77"));
    let twice = [&text("a")[..], &4_u32.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    assert!(refused(&header(0, 2, &[&twice, &twice])).contains("twice"));
    let behind = [0; 256];
    assert!(refused(&header(1, 0, &[&tensor("t", &[32], 99, 0), &behind])).contains("type 99"));
    assert!(refused(&header(1, 0, &[&tensor("t", &[33], 2, 0), &behind])).contains("no whole blocks"));
    assert!(refused(&header(1, 0, &[&tensor("t", &[u64::MAX, u64::MAX], 0, 0), &behind])).contains("elements"));
    assert!(refused(&header(1, 0, &[&tensor("t", &[8], 0, u64::MAX - 3), &behind])).contains("beyond the end"));
    assert!(refused(&header(1, 0, &[&tensor("t", &[8], 0, 4), &behind])).contains("not aligned"));
    assert!(refused(&header(1, 0, &[&tensor("t", &[1; 5], 0, 0), &behind])).contains("5 dimensions"));
    let both = [tensor("a", &[16], 0, 0), tensor("b", &[8], 0, 32)].concat();
    assert!(refused(&header(2, 0, &[&both, &behind])).contains("overlap"));
    assert!(refused(&header(0, 0, &[])).contains("general.architecture"));
}

/// What only differs in the model: found in the middle of a good file.
#[test]
fn models_that_are_not_computed_are_named() {
    let changed = |from: &str, to: &str| {
        let mut bytes = llama();
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        refused(&bytes)
    };
    assert!(changed("blk.0.attn_q.weight", "blk.0.attn_z.weight").contains("blk.0.attn_q.weight"));
    assert!(changed("llama.embedding_length", "llama.embedding_lengtx").contains("llama.embedding_length"));
    assert!(changed("general.architecture", "general.architectura").contains("general.architecture"));
}

#[test]
fn safetensors_are_doubted_too() {
    let folder = tempfile::tempdir().unwrap();
    let from = models().join("llama-hf");
    let copy = |to: &Path| {
        for file in ["config.json", "model.safetensors"] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
    };
    copy(folder.path());
    let model = folder.path().join("model.safetensors");
    let whole = std::fs::read(&model).unwrap();
    let said = || {
        let said = source::open(folder.path().to_str().unwrap()).unwrap_err().to_string();
        assert!(!said.contains('\n') && said.contains("; "), "{said}");
        said
    };
    for cut in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&model, &whole[..cut]).unwrap();
        said();
    }
    let mut lies = whole.clone();
    lies[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&model, &lies).unwrap();
    assert!(said().contains("header"));
    let deep = [&40_000_u64.to_le_bytes()[..], &[b'['; 40_000]].concat();
    std::fs::write(&model, deep).unwrap();
    said();
    std::fs::write(&model, &whole).unwrap();
    std::fs::write(
        folder.path().join("model.safetensors.index.json"),
        r#"{"weight_map":{"a":"../model.safetensors"}}"#,
    )
    .unwrap();
    assert!(said().contains("no file of its folder"));
}
