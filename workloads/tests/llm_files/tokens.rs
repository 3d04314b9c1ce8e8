//! Tokenizers in GGUF files: small vocabularies whose tokens follow by hand from how the two kinds are defined.

use super::models;
use spark_workloads::llm::Tokens;
use spark_workloads::llm::file::Gguf;

fn text(of: &str) -> Vec<u8> {
    [&(of.len() as u64).to_le_bytes()[..], of.as_bytes()].concat()
}

/// A file of nothing but metadata, each a key with its kind and value.
fn file(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (key, value) in entries {
        bytes.extend(text(&format!("tokenizer.ggml.{key}")));
        bytes.extend(value);
    }
    bytes
}

fn said(of: &str) -> Vec<u8> {
    [&8_u32.to_le_bytes()[..], &text(of)].concat()
}

fn number(of: u32) -> Vec<u8> {
    [4_u32.to_le_bytes(), of.to_le_bytes()].concat()
}

fn flag(of: bool) -> Vec<u8> {
    [&7_u32.to_le_bytes()[..], &[u8::from(of)]].concat()
}

fn list(kind: u32, values: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let values: Vec<_> = values.into_iter().collect();
    let head = [9_u32.to_le_bytes(), kind.to_le_bytes()].concat();
    [head, (values.len() as u64).to_le_bytes().to_vec(), values.concat()].concat()
}

fn texts(of: &[&str]) -> Vec<u8> {
    list(8, of.iter().map(|word| text(word)))
}

fn kinds(of: &[i32]) -> Vec<u8> {
    list(5, of.iter().map(|kind| kind.to_le_bytes().to_vec()))
}

#[test]
fn merges_of_bytes_are_done_in_their_order() {
    let words =
        ["h", "e", "l", "o", "Ġ", "w", "he", "ll", "hell", "hello", "Ġw", "<|end|>", "1", "2", "3", "4", "12", "123"];
    let mut of = [1; 18];
    of[11] = 3;
    let vocabulary = |pre: &str| {
        file(&[
            ("model", said("gpt2")),
            ("pre", said(pre)),
            ("tokens", texts(&words)),
            ("token_type", kinds(&of)),
            ("merges", texts(&["h e", "l l", "he ll", "hell o", "Ġ w", "1 2", "12 3"])),
            ("eos_token_id", number(11)),
            ("bos_token_id", number(0)),
        ])
    };
    let bytes = vocabulary("llama-bpe");
    let tokens = Tokens::of_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    // What stands for itself is never cut; a beginning is added only where the file asks for it; numbers go in threes.
    assert_eq!(tokens.encode("hello w<|end|>1234").unwrap(), [9, 10, 11, 17, 15]);
    assert_eq!(tokens.decode(&[9, 10, 11]), "hello w");
    assert!(tokens.ends(11) && !tokens.ends(9));
    // Qwen's digits stand alone.
    let bytes = vocabulary("qwen2");
    let tokens = Tokens::of_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    assert_eq!(tokens.encode("123").unwrap(), [12, 13, 14]);
    let bytes = vocabulary("something-else");
    assert!(Tokens::of_gguf(&Gguf::parse(&bytes).unwrap()).unwrap_err().to_string().contains("something-else"));
}

#[test]
fn pieces_merge_by_their_scores() {
    let words = ["<unk>", "<s>", "</s>", "<0x41>", "▁", "a", "b", "aa", "ab", "▁ab", "<|turn|>", "é"];
    let scores = [0.0, 0.0, 0.0, 0.0, -9.0, -8.0, -8.0, -3.0, -1.0, -2.0, 0.0, -4.0_f32];
    let bytes = file(&[
        ("model", said("llama")),
        ("tokens", texts(&words)),
        ("scores", list(6, scores.iter().map(|score| score.to_le_bytes().to_vec()))),
        ("token_type", kinds(&[2, 3, 3, 6, 1, 1, 1, 1, 1, 1, 4, 1])),
        ("bos_token_id", number(1)),
        ("eos_token_id", number(2)),
        ("unknown_token_id", number(0)),
        ("add_bos_token", flag(true)),
    ]);
    let tokens = Tokens::of_gguf(&Gguf::parse(&bytes).unwrap()).unwrap();
    // The better score first: ab, then the space before it.
    assert_eq!(tokens.encode("ab").unwrap(), [1, 9]);
    // Of equals the leftmost.
    assert_eq!(tokens.encode("aaa").unwrap(), [1, 4, 7, 5]);
    // What is no piece goes byte by byte, and a byte without a token is unknown.
    assert_eq!(tokens.encode("AéB").unwrap(), [1, 4, 3, 11, 0]);
    // No space behind what stands for itself.
    assert_eq!(tokens.encode("ab<|turn|>ab").unwrap(), [1, 9, 10, 8]);
    assert_eq!(tokens.decode(&[1, 9, 4, 3, 10, 11]), "ab Aé");
}

/// A `tokenizer.json` as the public tokenizers package wrote and read it, beside a `generation_config.json` that says what ends an answer.
#[test]
fn a_folder_s_tokenizer_says_what_the_public_package_says() {
    let tokens = Tokens::open(models().join("qwen3-hf").to_str().unwrap()).unwrap();
    let golden = std::fs::read_to_string(models().join("qwen3-hf.tokens.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let ids = |of: &serde_json::Value| -> Vec<u32> {
        of.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
    };
    for text in golden["texts"].as_array().unwrap() {
        let all = ids(&text["tokens"]);
        assert_eq!(tokens.encode(text["text"].as_str().unwrap()).unwrap(), all, "{text}");
        assert_eq!(tokens.decode(&all), text["said"].as_str().unwrap());
    }
    assert_eq!((0..64).filter(|id| tokens.ends(*id)).collect::<Vec<_>>(), ids(&golden["ends"]));
}
