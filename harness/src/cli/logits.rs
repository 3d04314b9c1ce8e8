//! `spark-bench logits`: what the engine computes for given tokens, for comparing it with another's.

use super::speaking::{self, Speaking};
use super::{Verdict, ui};
use anyhow::ensure;
use serde_json::json;
use spark_results::AxisValue;
use spark_workloads::axis;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The tokens that the model reads, as 1,2,3; the logits are those of the last one
    #[arg(long, value_name = "LIST")]
    tokens: String,
    /// Only so many, the largest first
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// One JSON document: the model, its tokens, all logits
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    speaking: Speaking,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let tokens = tokens(&args.tokens)?;
    let mut speaker = args.speaking.open(tokens.len(), 1)?;
    speaking::known(&tokens, speaker.vocab())?;
    speaker.read(&tokens)?;
    let logits = speaker.logits()?;
    if args.json {
        let model = spark_results::machine::clean(args.speaking.model());
        let document = json!({ "model": model, "settings": speaker.said(), "tokens": tokens, "logits": logits });
        ui::data(&format!("{document}\n"));
        return Ok(Verdict::Fine);
    }
    let mut all: Vec<(usize, f32)> = logits.into_iter().enumerate().collect();
    if let Some(top) = args.top {
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(top);
    }
    ui::data(&all.iter().map(|(token, logit)| format!("{token}\t{logit}\n")).collect::<String>());
    Ok(Verdict::Fine)
}

/// `1,2,3`. Errors: no numbers, or none.
fn tokens(text: &str) -> anyhow::Result<Vec<u32>> {
    let token = |value| match value {
        AxisValue::Int(token) => u32::try_from(token).ok(),
        AxisValue::Text(_) => None,
    };
    let tokens: Option<Vec<u32>> = axis::list("tokens", text)?.into_iter().map(token).collect();
    let shown = spark_results::machine::clean(text);
    ensure!(tokens.as_ref().is_some_and(|t| !t.is_empty()), "--tokens '{shown}': write whole numbers, as 1,2,3");
    Ok(tokens.unwrap_or_default())
}
