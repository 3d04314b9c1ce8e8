//! `spark-bench doctor`: this machine's state and what would spoil a measurement.

use super::{Verdict, ui};
use crate::os::SysRoot;
use crate::{detect, doctor};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the machine, its state and the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let root = SysRoot::from_env();
    let machine = detect::machine(&root);
    let state = detect::state(&root, Duration::from_millis(500), cfg!(debug_assertions));
    let findings = doctor::check(&machine, &state);
    if args.json {
        let all = serde_json::json!({ "machine": machine, "fingerprint": machine.fingerprint(), "state": state, "findings": findings });
        ui::line(serde_json::to_string_pretty(&all)?);
        return Ok(Verdict::Fine);
    }
    let brand = machine.cpu.brand.as_deref().unwrap_or("an unknown processor");
    ui::line(format!("{brand}, fingerprint {}", machine.fingerprint()));
    if findings.is_empty() {
        ui::line("nothing seen that would spoil a measurement");
    }
    for f in &findings {
        ui::line(format!("\n{:?}: {}\n  why:  {}\n  mend: {}", f.severity, f.what, f.why, f.mend));
    }
    if !machine.absent.is_empty() {
        ui::line("\nnot known here:");
        for absent in &machine.absent {
            ui::line(format!("  {}: {}", absent.what, absent.why));
        }
    }
    Ok(Verdict::Fine)
}
