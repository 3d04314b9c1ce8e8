//! `spark-bench claims`: what was said of these machines, judged on this one.

use super::{Verdict, common, ui};
use spark_results::claims::{self, Judged};
use spark_results::published::system_of;
use spark_results::{Document, store};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A run folder, whose roofs and records are held against the claims [default: the spec alone]
    run: Option<PathBuf>,
    /// As JSON: id, subject, verdict, bounds, measured value and arithmetic of each
    #[arg(long)]
    json: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let document = match &args.run {
        Some(folder) => Some(Document::of(&store::read(folder)?)),
        None => None,
    };
    let judged = claims::judge(document.as_ref())?;
    if args.json {
        ui::line(serde_json::to_string_pretty(&judged)?);
        return Ok(Verdict::Fine);
    }
    ui::line(match &document {
        Some(run) => format!("Judged with run {}, made on {}.", run.manifest.id, whose(run)),
        None => {
            let machine = common::place(None, &[])?.machine;
            let name = machine.cpu.brand.unwrap_or_else(|| "this machine".to_owned());
            format!("Judged from the spec alone: no run was named, so nothing measured on {name} enters.")
        }
    });
    judged.iter().for_each(|claim| ui::data(&told(claim)));
    let count = |verdict| judged.iter().filter(|claim| claim.verdict == verdict).count();
    let all = [
        claims::Verdict::Confirmed,
        claims::Verdict::Consistent,
        claims::Verdict::NotTestable,
        claims::Verdict::Implausible,
        claims::Verdict::Refuted,
        claims::Verdict::Impossible,
    ];
    let counted = all.into_iter().filter(|verdict| count(*verdict) > 0);
    let counted: Vec<_> = counted.map(|verdict| format!("{} {}", count(verdict), verdict.word())).collect();
    ui::line(format!("\n{} claims: {}", judged.len(), counted.join(", ")));
    Ok(Verdict::Fine)
}

fn whose(run: &Document) -> String {
    let name = run.manifest.machine.cpu.brand.as_deref().unwrap_or("an unnamed machine");
    match system_of(&run.manifest) {
        Some(system) => format!("{name} ({system})"),
        None => name.to_owned(),
    }
}

/// A claim in lines: its verdict, the claim, who said it, the arithmetic.
fn told(claim: &Judged) -> String {
    let mut text = format!("\n{:>2}  {}: {}\n", claim.id, claim.verdict.word().to_uppercase(), claim.claim);
    text += &format!("    said of {} by {}\n", claim.subject, claim.who.join("; "));
    if !claim.conditions.is_empty() {
        text += &format!("    conditions: {}\n", claim.conditions);
    }
    for part in &claim.parts {
        for line in &part.arithmetic {
            text += &format!("      {line}\n");
        }
        if claim.parts.len() > 1 {
            text += &format!("      → {}: {}\n", part.says, part.verdict.word());
        }
        if let Some(value) = part.measured {
            let here =
                if claim.decides_here { "measured here" } else { "measured here, on another machine than the subject" };
            text += &format!("      {here}: {} {}\n", claims::expression::number(value), part.unit);
        }
    }
    text
}
