//! Byte-level vocabularies with merges, as GGUF files hold them: said as a `tokenizer.json`, which one reader then reads.

use super::Vocabulary;
use crate::llm::file::gguf::{Gguf, Value};
use crate::llm::file::{Refused, shown};
use serde_json::{Map, Value as Json, json};

/// GPT-2's words.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Those of Llama 3 and of GPT-4: numbers in threes.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Those of Qwen 2: digits alone.
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Those of GPT-4o and gpt-oss: words begin with capitals.
const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The words that texts are cut into first, by the name in `tokenizer.ggml.pre`; and whether digits stand alone before that.
fn words(pre: &str) -> Option<(&'static str, bool)> {
    match pre {
        "default" | "gpt-2" | "phi-2" => Some((GPT2, false)),
        "refact" | "starcoder" | "smollm" | "codeshell" | "command-r" => Some((GPT2, true)),
        "llama3" | "llama-v3" | "llama-bpe" | "dbrx" | "smaug-bpe" | "phi-4" => Some((LLAMA3, false)),
        "qwen2" | "deepseek-r1-qwen" => Some((QWEN2, false)),
        "gpt-4o" | "llama4" => Some((GPT4O, false)),
        _ => None,
    }
}

/// The tokenizer. Errors: words cut in a way that is not known here, merges that are missing.
pub(super) fn tokenizer(gguf: &Gguf<'_>, vocabulary: &Vocabulary<'_>) -> Result<tokenizers::Tokenizer, Refused> {
    let pre = match gguf.fields.get("tokenizer.ggml.pre") {
        Some(Value::Text(pre)) => pre,
        _ => "default",
    };
    let Some((words, digits)) = words(pre) else {
        let what = format!("cuts words as '{}' does, which is not known here", shown(pre));
        return Err(Refused::new(what, "give tokens in place of text"));
    };
    let Some(Value::List(merges)) = gguf.fields.get("tokenizer.ggml.merges") else {
        return Err(Refused::broken("has a vocabulary of merges and no tokenizer.ggml.merges"));
    };
    let merges: Vec<Json> = merges
        .texts()
        .filter_map(|merge| std::str::from_utf8(merge).ok()?.split_once(' ').map(|(a, b)| json!([a, b])))
        .collect();
    let vocab: Map<String, Json> =
        vocabulary.texts.iter().enumerate().map(|(id, text)| (text.clone(), json!(id))).collect();
    let added: Vec<Json> = vocabulary
        .special()
        .map(|(id, text)| {
            json!({ "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true })
        })
        .collect();
    let split = |pattern: &str| json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false });
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let mut cuts = vec![split(words), bytes.clone()];
    if digits {
        cuts.insert(0, split(r"\p{N}"));
    }
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": added, "decoder": bytes,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": cuts },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": pre == "llama-bpe", "vocab": vocab, "merges": merges,
        },
    });
    tokenizers::Tokenizer::from_bytes(json.to_string())
        .map_err(|e| Refused::broken(format!("has a vocabulary that cannot be used: {}", shown(&e.to_string()))))
}
