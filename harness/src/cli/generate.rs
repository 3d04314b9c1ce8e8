//! `spark-bench generate`: what a model says, for a look at real text.

use super::speaking::{self, Speaking};
use super::{Verdict, ui};
use anyhow::{anyhow, ensure};
use spark_workloads::llm::Tokens;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text that the model goes on with
    #[arg(long, short, value_name = "TEXT")]
    prompt: String,
    /// Tokens at most; the model may end sooner
    #[arg(long, short, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    n_predict: u32,
    /// Guess tokens and let the model verify several a pass: lookup (from the text so far), or a smaller model of the same tokens; the
    /// text is also said without, and has to be the same
    #[arg(long, value_name = "lookup|MODEL")]
    speculate: Option<String>,
    /// Tokens guessed a pass, at most
    #[arg(long, value_name = "N", requires = "speculate", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    guesses: u8,
    /// Say nothing but the text
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    speaking: Speaking,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let voice = ui::Voice { quiet: args.quiet, no_progress: true };
    let tokens = Tokens::open(args.speaking.model())?;
    let prompt = tokens.encode(&args.prompt).map_err(|e| anyhow!("-p: {e}"))?;
    ensure!(!prompt.is_empty(), "-p '' makes no token; give a text");
    let n = args.n_predict as usize;
    let draft = args.speculate.as_deref().map(|draft| (draft, usize::from(args.guesses)));
    let mut speaker = args.speaking.guessing(prompt.len(), n, draft)?;
    speaking::known(&prompt, speaker.vocab())?;
    voice.say(format!("{} tokens of prompt, greedy; {}", prompt.len(), speaker.said()));
    let ends = |token| tokens.ends(token);
    let mut timed = |guessing| -> anyhow::Result<_> {
        let began = Instant::now();
        let (said, counts) = speaker.say(&prompt, n, guessing, &ends)?;
        Ok((said, counts, began.elapsed().as_secs_f64()))
    };
    let (mut said, _, without) = timed(false)?;
    if draft.is_some() {
        let (guessed, counts, with) = timed(true)?;
        match (0..said.len().max(guessed.len())).find(|at| said.get(*at) != guessed.get(*at)) {
            None => voice.say(format!(
                "{} of {} guesses were right, {} passes for {} tokens behind the first; {with:.3} s with guesses, {without:.3} s without, \
                 the prompt included; the same text",
                counts.accepted,
                counts.guessed,
                counts.passes,
                said.len() - 1
            )),
            Some(at) => voice.warn(format!(
                "with guesses the text differs from token {at} on: a pass of several rows rounds otherwise than one of a single row; \
                 what follows is the text without; --activations f32 rounds least"
            )),
        }
    }
    if said.last().is_some_and(|token| tokens.ends(*token)) {
        said.pop();
    }
    // Together: a character may be made of several tokens.
    ui::data(&format!("{}{}\n", args.prompt, tokens.decode(&said)));
    Ok(Verdict::Fine)
}
