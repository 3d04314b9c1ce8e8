//! Vocabularies of pieces with scores (SentencePiece's BPE): neighbours become the piece with the best score, until none is one.

use super::{BYTE, Vocabulary};
use crate::llm::file::Refused;
use crate::llm::file::gguf::{Gguf, Value};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// What stands for a space.
const SPACE: char = '▁';

/// A vocabulary.
#[derive(Debug)]
pub(super) struct Pieces {
    texts: Vec<String>,
    ids: HashMap<String, u32>,
    scores: Vec<f32>,
    /// The token of each byte.
    bytes: Vec<Option<u32>>,
    /// Texts that are never cut, the longest first.
    special: Vec<(String, u32)>,
    unknown: u32,
    /// Whether a text gets a space before it.
    prefixed: bool,
}

impl Pieces {
    /// From a file's metadata. Errors: no scores.
    pub(super) fn of(gguf: &Gguf<'_>, vocabulary: &Vocabulary<'_>) -> Result<Self, Refused> {
        let number = |value| match value {
            Value::Number(score) => score as f32,
            _ => 0.0,
        };
        let scores: Vec<f32> = match gguf.fields.get("tokenizer.ggml.scores") {
            Some(Value::List(scores)) if scores.len() == vocabulary.texts.len() => {
                scores.values().map(number).collect()
            }
            _ => return Err(Refused::broken("has a vocabulary of pieces and not a score for each")),
        };
        let mut bytes = vec![None; 256];
        for (id, text) in vocabulary.texts.iter().enumerate().filter(|(id, _)| vocabulary.kinds[*id] == BYTE) {
            let code =
                text.strip_prefix("<0x").and_then(|rest| u8::from_str_radix(rest.trim_end_matches('>'), 16).ok());
            if let Some(code) = code {
                bytes[usize::from(code)] = Some(id as u32);
            }
        }
        let mut special: Vec<_> = vocabulary.special().map(|(id, text)| (text.to_owned(), id)).collect();
        special.sort_by_key(|(text, _)| Reverse(text.len()));
        let ids = vocabulary.texts.iter().enumerate().map(|(id, text)| (text.clone(), id as u32)).collect();
        let unknown = match gguf.fields.get("tokenizer.ggml.unknown_token_id") {
            Some(Value::Whole(id)) => u32::try_from(*id).unwrap_or_default(),
            _ => 0,
        };
        let prefixed = !matches!(gguf.fields.get("tokenizer.ggml.add_space_prefix"), Some(Value::Flag(false)));
        Ok(Self { texts: vocabulary.texts.clone(), ids, scores, bytes, special, unknown, prefixed })
    }

    /// The tokens of `text`.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let (mut tokens, mut rest, mut first) = (Vec::new(), text, true);
        while !rest.is_empty() {
            let found = self.special.iter().filter_map(|(text, id)| rest.find(text.as_str()).map(|at| (at, text, *id)));
            let next = found.min_by_key(|(at, text, _)| (*at, Reverse(text.len())));
            let plain = &rest[..next.map_or(rest.len(), |(at, ..)| at)];
            if !plain.is_empty() {
                let space = if first && self.prefixed { " " } else { "" };
                self.merge(&format!("{space}{plain}").replace(' ', "▁"), &mut tokens);
            }
            first = false;
            match next {
                Some((at, text, id)) => {
                    tokens.push(id);
                    rest = &rest[at + text.len()..];
                }
                None => break,
            }
        }
        tokens
    }

    /// Merges the characters of `text`, best score first, and the leftmost of equals.
    fn merge(&self, text: &str, tokens: &mut Vec<u32>) {
        // Symbols are stretches of the text, each with the place of the next and the one before.
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let count = starts.len() - 1;
        let mut ends: Vec<usize> = starts[1..].to_vec();
        let mut next: Vec<usize> = (1..=count).collect();
        let mut before: Vec<Option<usize>> = (0..count).map(|i| i.checked_sub(1)).collect();
        let mut heap = BinaryHeap::new();
        let pair = |left: usize, ends: &[usize], next: &[usize]| {
            let right = next[left];
            let id = (right < count).then(|| self.ids.get(&text[starts[left]..ends[right]])).flatten()?;
            // Floats in order: the sign's bit turns negative ones round.
            let bits = self.scores[*id as usize].to_bits();
            let rank = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
            Some((rank, Reverse(left), right, ends[right]))
        };
        (0..count).for_each(|left| heap.extend(pair(left, &ends, &next)));
        let mut gone = vec![false; count];
        while let Some((_, Reverse(left), right, end)) = heap.pop() {
            // What was merged meanwhile is another stretch.
            if gone[left] || gone[right] || next[left] != right || ends[right] != end {
                continue;
            }
            gone[right] = true;
            ends[left] = end;
            next[left] = next[right];
            if next[left] < count {
                before[next[left]] = Some(left);
            }
            heap.extend(pair(left, &ends, &next));
            if let Some(before) = before[left] {
                heap.extend(pair(before, &ends, &next));
            }
        }
        for symbol in (0..count).filter(|symbol| !gone[*symbol]) {
            let piece = &text[starts[symbol]..ends[symbol]];
            match self.ids.get(piece) {
                Some(id) => tokens.push(*id),
                None => tokens.extend(piece.bytes().map(|byte| self.bytes[usize::from(byte)].unwrap_or(self.unknown))),
            }
        }
    }

    /// The text of `tokens`, without the space before it.
    pub(super) fn decode(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for token in tokens {
            let byte = self.bytes.iter().position(|of| of == &Some(*token));
            match (byte, self.texts.get(*token as usize)) {
                (Some(byte), _) => bytes.push(byte as u8),
                (None, Some(text)) if !self.special.iter().any(|(_, id)| id == token) => {
                    bytes.extend(text.replace(SPACE, " ").bytes());
                }
                _ => {}
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match text.strip_prefix(' ') {
            Some(rest) if self.prefixed => rest.to_owned(),
            _ => text,
        }
    }
}
