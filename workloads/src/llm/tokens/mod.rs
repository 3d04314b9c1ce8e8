//! Text to tokens and back, as a model's own file says.

mod bpe;
mod pieces;

use crate::BadRequest;
use crate::llm::file::{self, Gguf, Mapped, Refused};
use pieces::Pieces;
use spark_results::machine::clean;
use std::path::Path;

/// A model's tokenizer.
#[derive(Debug)]
pub struct Tokens {
    kind: Kind,
    /// What a text begins with.
    begin: Option<u32>,
    /// What ends an answer.
    ends: Vec<u32>,
}

#[derive(Debug)]
enum Kind {
    /// A `tokenizer.json`, or a byte-level vocabulary said as one.
    Json(Box<tokenizers::Tokenizer>),
    /// A vocabulary of pieces with scores.
    Pieces(Pieces),
}

impl Tokens {
    /// The tokenizer of the model that `name` means. Errors: a model without one, or one that is not known here.
    pub fn open(name: &str) -> Result<Self, BadRequest> {
        let path = Path::new(name);
        if file::is_gguf(path) {
            let open = || Self::of_gguf(&Gguf::parse(Mapped::open(path)?.bytes())?);
            return open().map_err(|refused: Refused| refused.of(path));
        }
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
        let json = folder.join("tokenizer.json");
        if !json.is_file() {
            let text =
                format!("model {}: has no tokenizer; give a .gguf file or a folder with a tokenizer.json", clean(name));
            return Err(BadRequest(text));
        }
        Self::of_json(&json).map_err(|refused| refused.of(&json))
    }
    fn of_json(path: &Path) -> Result<Self, Refused> {
        let json = tokenizers::Tokenizer::from_bytes(Mapped::open(path)?.bytes())
            .map_err(|e| Refused::broken(format!("is no tokenizer.json: {}", file::shown(&e.to_string()))))?;
        let ends = [
            "<|endoftext|>",
            "<|im_end|>",
            "</s>",
            "<|eot_id|>",
            "<|end_of_text|>",
            "<end_of_turn>",
            "<eos>",
            "<|return|>",
        ];
        let mut ends: Vec<u32> = ends.iter().filter_map(|end| json.token_to_id(end)).collect();
        let folder = path.parent().unwrap_or(Path::new(""));
        ends.extend(["generation_config.json", "config.json"].iter().flat_map(|name| said_ends(&folder.join(name))));
        // What a text begins with is the post-processor's to add.
        Ok(Self { kind: Kind::Json(Box::new(json)), begin: None, ends })
    }
    /// The tokenizer in the metadata of a GGUF file. Errors: there is none, or one that is not known here.
    pub fn of_gguf(gguf: &Gguf<'_>) -> Result<Self, Refused> {
        let vocabulary = Vocabulary::of(gguf)?;
        let (kind, begins) = match vocabulary.model {
            "gpt2" => (Kind::Json(Box::new(bpe::tokenizer(gguf, &vocabulary)?)), false),
            "llama" => (Kind::Pieces(Pieces::of(gguf, &vocabulary)?), true),
            other => {
                let what = format!("has a tokenizer of kind '{}', which is not known here", file::shown(other));
                return Err(Refused::new(what, "gpt2 and llama are read: give tokens in place of text"));
            }
        };
        let id = |name: &str| match gguf.fields.get(format!("tokenizer.ggml.{name}").as_str()) {
            Some(file::gguf::Value::Whole(id)) => {
                u32::try_from(*id).ok().filter(|id| (*id as usize) < vocabulary.texts.len())
            }
            _ => None,
        };
        let begins = match gguf.fields.get("tokenizer.ggml.add_bos_token") {
            Some(file::gguf::Value::Flag(yes)) => *yes,
            _ => begins,
        };
        let ends = ["eos_token_id", "eot_token_id", "eom_token_id"].into_iter().filter_map(id).collect();
        Ok(Self { kind, begin: id("bos_token_id").filter(|_| begins), ends })
    }
    /// The tokens of `text`, with what a text begins with. Errors: a text that the vocabulary cannot say.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Refused> {
        let tokens = match &self.kind {
            Kind::Json(json) => json
                .encode(text, true)
                .map(|encoding| encoding.get_ids().to_vec())
                .map_err(|e| Refused::broken(format!("its tokenizer fails: {}", file::shown(&e.to_string()))))?,
            Kind::Pieces(pieces) => pieces.encode(text),
        };
        Ok(self.begin.into_iter().filter(|begin| tokens.first() != Some(begin)).chain(tokens.iter().copied()).collect())
    }
    /// The text of `tokens`; what is no whole character stands as U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        match &self.kind {
            Kind::Json(json) => json.decode(tokens, true).unwrap_or_default(),
            Kind::Pieces(pieces) => pieces.decode(tokens),
        }
    }
    /// Whether `token` ends an answer.
    pub fn ends(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}

/// Larger files that say a number or two nobody has.
const LARGEST: u64 = 1 << 20;

/// The tokens that a model's JSON file beside its tokenizer says to end an answer: `eos_token_id`, one or several; none where there is no
/// such file, or it says none.
fn said_ends(path: &Path) -> Vec<u32> {
    let small = std::fs::metadata(path).is_ok_and(|about| about.len() <= LARGEST);
    let text = if small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let said = &json["eos_token_id"];
    let all = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
    all.iter().filter_map(serde_json::Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
}

/// The vocabulary of a GGUF file.
struct Vocabulary<'a> {
    /// The kind of tokenizer.
    model: &'a str,
    /// The text of each token.
    texts: Vec<String>,
    /// What each is: 1 text, 2 unknown, 3 control, 4 given by the user, 5 unused, 6 a byte.
    kinds: Vec<u64>,
}

const CONTROL: u64 = 3;
const GIVEN: u64 = 4;
const BYTE: u64 = 6;

impl<'a> Vocabulary<'a> {
    fn of(gguf: &Gguf<'a>) -> Result<Self, Refused> {
        use file::gguf::Value;
        let (Some(Value::Text(model)), Some(Value::List(texts))) =
            (gguf.fields.get("tokenizer.ggml.model"), gguf.fields.get("tokenizer.ggml.tokens"))
        else {
            return Err(Refused::new("holds no tokenizer", "give tokens in place of text"));
        };
        let texts: Vec<String> = texts.texts().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        let whole = |value| if let Value::Whole(kind) = value { kind } else { 1 };
        let mut kinds: Vec<u64> = match gguf.fields.get("tokenizer.ggml.token_type") {
            Some(Value::List(kinds)) => kinds.values().map(whole).collect(),
            _ => Vec::new(),
        };
        kinds.resize(texts.len(), 1);
        Ok(Self { model, texts, kinds })
    }
    /// The tokens that stand for themselves in a text, and are never cut.
    fn special(&self) -> impl Iterator<Item = (u32, &str)> {
        let all = self.texts.iter().zip(&self.kinds).enumerate();
        all.filter(|(_, (text, kind))| matches!(**kind, CONTROL | GIVEN) && !text.is_empty())
            .map(|(id, (text, _))| (id as u32, text.as_str()))
    }
}
