//! `spark-bench verify`: every summary again from the raw samples.

use super::{Verdict, ui};
use crate::verify;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run folder
    run: PathBuf,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let findings = verify::run(&args.run)?;
    for remark in &findings.remarks {
        ui::line(format!("note: {remark}"));
    }
    for mismatch in &findings.mismatches {
        ui::line(format!("MISMATCH: {mismatch}"));
    }
    for compared in &findings.compared {
        ui::line(format!("recomputed: {compared}"));
    }
    if findings.mismatches.is_empty() {
        ui::line("verified: every summary follows from the samples");
        Ok(Verdict::Fine)
    } else {
        ui::line(format!("{} mismatches", findings.mismatches.len()));
        Ok(Verdict::Broken)
    }
}
