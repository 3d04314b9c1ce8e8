//! Speculative decoding: whatever is guessed, the tokens are those of plain decoding.

use super::path;
use spark_kernels::Device;
use spark_kernels::cpu::Cpu;
use spark_results::{Axes, AxisValue};
use spark_workloads::llm::speak::Speaker;
use spark_workloads::llm::speculate::Counts;
use std::sync::Arc;

const N: usize = 40;

/// A model that guesses from `draft`, in f32: nothing is rounded otherwise in a pass of several rows.
fn guessing(name: &str, draft: &str, guesses: usize) -> Result<Speaker, String> {
    let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(2), 0));
    let text = |value: &str| AxisValue::from(value);
    let mut axes: Axes = [("model".to_owned(), text(&path(name)))].into();
    axes.insert("activations".to_owned(), text("f32"));
    axes.insert("kv".to_owned(), text("f32"));
    axes.insert("n_prompt".to_owned(), AxisValue::Int(4));
    axes.insert("n_gen".to_owned(), AxisValue::Int(N as u64));
    Speaker::guessing(&axes, "best", &device, u64::MAX, (draft, guesses)).map_err(|e| e.to_string())
}

/// The tokens of a text with guesses, which are those without, and what they took.
fn said(name: &str, draft: &str, guesses: usize) -> (Vec<u32>, Counts) {
    let mut speaker = guessing(name, draft, guesses).unwrap();
    let prompt = [3, 1, 4, 1];
    let (plain, none) = speaker.say(&prompt, N, false, &|_| false).unwrap();
    assert_eq!((plain.len(), none.guessed, none.passes), (N, 0, N as u64 - 1));
    let (said, counts) = speaker.say(&prompt, N, true, &|_| false).unwrap();
    assert_eq!(said, plain, "{name} with {draft}");
    // Every pass says one token that nobody guessed.
    assert_eq!(counts.passes + counts.accepted, N as u64 - 1, "{counts:?}");
    (said, counts)
}

#[test]
fn the_text_so_far_guesses_and_the_text_stays_the_same() {
    // gpt-oss's windows and experts too: what was guessed wrong must leave nothing behind.
    let counts: Vec<Counts> =
        ["llama", "qwen3", "gemma3", "gpt-oss", "qwen3moe"].into_iter().map(|name| said(name, "lookup", 5).1).collect();
    // Small models repeat themselves soon: some guesses are right, and some wrong.
    assert!(counts.iter().any(|counts| counts.accepted > 0), "{counts:?}");
    assert!(counts.iter().any(|counts| counts.accepted < counts.guessed), "{counts:?}");
}

#[test]
fn a_model_guesses_itself_right_and_another_one_wrong() {
    let all = said("qwen3", &path("qwen3"), 3).1;
    assert_eq!(all.accepted, all.guessed, "{all:?}");
    assert_eq!(all.passes, (N as u64 - 1).div_ceil(4));
    let other = said("llama", &path("qwen3"), 3).1;
    assert!(other.guessed > 0 && other.accepted < other.guessed, "{other:?}");
    assert!(guessing("llama", &path("nvfp4-moe"), 3).unwrap_err().contains("32 tokens and the model 64"));
}

#[test]
fn a_text_ends_at_its_end_in_the_middle_of_a_pass_too() {
    let (whole, _) = said("qwen3", &path("qwen3"), 7);
    let last = whole[5];
    let first = whole.iter().position(|token| *token == last).unwrap();
    let mut speaker = guessing("qwen3", &path("qwen3"), 7).unwrap();
    for guess in [false, true] {
        let (cut, _) = speaker.say(&[3, 1, 4, 1], N, guess, &|token| token == last).unwrap();
        assert_eq!(cut, whole[..=first]);
    }
}
