//! `spark-bench generate`: what a model says, for a look at real text.

use super::speaking::{self, Speaking};
use super::{Verdict, ui};
use anyhow::{anyhow, ensure};
use spark_workloads::llm::Tokens;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text that the model goes on with
    #[arg(long, short, value_name = "TEXT")]
    prompt: String,
    /// Tokens at most; the model may end sooner
    #[arg(long, short, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    n_predict: u32,
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
    let mut speaker = args.speaking.open(prompt.len(), args.n_predict as usize)?;
    speaking::known(&prompt, speaker.vocab())?;
    voice.say(format!("{} tokens of prompt, greedy; {}", prompt.len(), speaker.said()));
    speaker.read(&prompt)?;
    let mut said = Vec::new();
    for at in 0..args.n_predict {
        let token = speaker.next(at == 0)?;
        if tokens.ends(token) {
            break;
        }
        said.push(token);
    }
    // Together: a character may be made of several tokens.
    ui::data(&format!("{}{}\n", args.prompt, tokens.decode(&said)));
    Ok(Verdict::Fine)
}
