//! Prompts that no cache has seen: short common words, drawn anew for each request.

use serde_json::{Value, json};
use spark_kernels::format::splitmix::SplitMix64;

use super::{Api, Plan};

/// Words that most vocabularies hold whole, with the space before them.
const WORDS: [&str; 64] = [
    "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
    "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company", "system",
    "program", "question", "work", "number", "night", "point", "home", "water", "room", "mother", "area", "money",
    "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side",
    "kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line", "end", "member", "law",
    "car",
];

/// How many words make so many tokens, as the server counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// Tokens of a prompt without words: what the server puts around it.
    pub around: f64,
    /// Tokens of a word.
    pub each: f64,
    /// Whether the server said so; otherwise a word is taken for a token.
    pub known: bool,
}

impl Default for Length {
    fn default() -> Self {
        Self { around: 0.0, each: 1.0, known: false }
    }
}

impl Length {
    /// From what the server counted for two prompts of so many words.
    pub(super) fn of(short: (u64, Option<u64>), long: (u64, Option<u64>)) -> Self {
        let (Some(few), Some(many)) = (short.1, long.1) else { return Self::default() };
        let each = (many as f64 - few as f64) / (long.0 as f64 - short.0 as f64);
        if !(0.2..=8.0).contains(&each) {
            return Self::default();
        }
        Self { around: (few as f64 - each * short.0 as f64).max(0.0), each, known: true }
    }
    /// Words that come to `tokens`, with what stands around them.
    pub fn words(&self, tokens: u64) -> u64 {
        ((tokens as f64 - self.around) / self.each).round().max(1.0) as u64
    }
}

/// `count` words of the stream that `seed` and `stream` name.
pub(super) fn words(seed: u64, stream: u64, count: u64) -> String {
    let mut random = SplitMix64::stream(seed, stream);
    let all: Vec<&str> = (0..count).map(|_| WORDS[(random.next() % WORDS.len() as u64) as usize]).collect();
    all.join(" ")
}

/// The streams of what is shared, and of requests that do not count, beyond any request's number.
pub(super) const SHARED: u64 = 1 << 62;
pub(super) const UNCOUNTED: u64 = 1 << 61;

/// The text of request `number`: first what stands before, then its own.
pub(super) fn text(plan: &Plan, length: Length, number: u64) -> String {
    let all = length.words(plan.depth + plan.n_prompt);
    if !plan.cache || plan.depth == 0 {
        return words(plan.seed, number, all);
    }
    let shared = (all as f64 * plan.depth as f64 / (plan.depth + plan.n_prompt) as f64).round() as u64;
    format!("{} {}", words(plan.seed, SHARED, shared), words(plan.seed, number, all.saturating_sub(shared).max(1)))
}

/// The body of a request.
pub(super) fn body(plan: &Plan, text: &str, n_gen: u64) -> Value {
    let mut body = json!({
        "model": plan.model, "max_tokens": n_gen, "temperature": 0, "stream": true,
        "stream_options": { "include_usage": true },
    });
    match plan.api {
        Api::Completions => body["prompt"] = json!(text),
        Api::Chat => body["messages"] = json!([{ "role": "user", "content": text }]),
    }
    if !plan.plain {
        // Beyond OpenAI's fields, known to llama.cpp, vLLM and SGLang: an answer has its length whatever it says.
        body["ignore_eos"] = json!(true);
        body["cache_prompt"] = json!(plan.cache);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_as_many_as_the_server_counts() {
        let length = Length::of((16, Some(21)), (64, Some(69)));
        assert_eq!((length.around, length.each, length.known), (5.0, 1.0, true));
        assert_eq!((length.words(128), length.words(1)), (123, 1));
        assert!(!Length::of((16, None), (64, Some(69))).known);
        // A server that counts nonsense is not believed.
        assert_eq!(Length::of((16, Some(9)), (64, Some(9))), Length::default());
    }

    #[test]
    fn no_two_prompts_begin_alike_unless_asked_for() {
        let plan = super::super::trial::tests::plan();
        let text = |plan: &Plan, number| text(plan, Length::default(), number);
        let first = |text: &str| text.split(' ').take(8).map(str::to_owned).collect::<Vec<_>>();
        let begins: std::collections::BTreeSet<_> = (0..500).map(|n| first(&text(&plan, n))).collect();
        assert_eq!(begins.len(), 500);
        assert_eq!(text(&plan, 3).split(' ').count(), 24);
        let shared = Plan { cache: true, ..plan };
        assert_eq!(first(&text(&shared, 1)), first(&text(&shared, 2)));
        assert_ne!(text(&shared, 1), text(&shared, 2));
        assert_eq!(text(&shared, 3).split(' ').count(), 24);
    }
}
