//! `spark-bench doctor`: this machine's state and what would spoil a measurement.

use super::{Verdict, common, ui};
use crate::doctor::evidence;
use crate::os::SysRoot;
use crate::{detect, doctor};
use spark_results::canary::Canary;
use spark_results::quantity::si;
use spark_results::{Run, store};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A run folder: which named faults of the machine its sensors and its canary show, under a load that is known
    run: Option<PathBuf>,
    /// Print the machine, its state and the findings as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if let Some(folder) = &args.run {
        return of_run(&store::read(folder)?, args.json);
    }
    let root = SysRoot::from_env();
    let machine = detect::machine(&root);
    let state = detect::state(&root, Duration::from_millis(500), cfg!(debug_assertions));
    let place = if root.is_live() { Some(common::place(None, &[])?) } else { None };
    let canary = place.as_ref().map_or_else(|| Err("the machine is read from files".into()), canary);
    let mut findings = doctor::faults(&evidence::now(&state), canary.as_ref().ok());
    if let Some(place) = &place {
        // Without a GPU nobody misses its compiler.
        let any = place.infos.iter().any(|device| device.id.starts_with("cuda:"));
        let compiler = if any { spark_kernels::cuda::nvrtc::compiler().err().map(|why| why.to_string()) } else { None };
        findings.extend(doctor::gpus(&place.infos, compiler.as_deref()));
    }
    findings.extend(doctor::check(&machine, &state));
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    if args.json {
        let all = serde_json::json!({ "machine": machine, "fingerprint": machine.fingerprint(), "state": state, "canary": canary.as_ref().ok(), "findings": findings });
        ui::line(serde_json::to_string_pretty(&all)?);
        return Ok(Verdict::Fine);
    }
    let brand = machine.cpu.brand.as_deref().unwrap_or("an unknown processor");
    ui::line(format!("{brand}, fingerprint {}", machine.fingerprint()));
    if findings.is_empty() {
        ui::line("nothing seen that would spoil a measurement");
    }
    say(&findings);
    match &canary {
        Ok(canary) => ui::line(format!("\ncanary: {}", told(canary))),
        Err(why) => ui::line(format!("\ncanary: not run: {why}")),
    }
    if !machine.absent.is_empty() {
        ui::line("\nnot known here:");
        for absent in &machine.absent {
            ui::line(format!("  {}: {}", absent.what, absent.why));
        }
    }
    Ok(Verdict::Fine)
}

fn say(findings: &[doctor::Finding]) {
    for f in findings {
        ui::line(format!("\n{:?}: {}\n  why:  {}\n  mend: {}", f.severity, f.what, f.why, f.mend));
    }
}

/// The canary on the first device, or why it cannot be run.
fn canary(place: &common::Place) -> Result<Canary, String> {
    let Some(device) = place.devices.iter().next() else { return Err("no device is here".into()) };
    crate::canary::Prepared::on(device, 1)?.run(0)
}

fn told(canary: &Canary) -> String {
    let strand = |s: &spark_results::canary::Strand, unit| s.per_s().map_or("–".into(), |r| si(r, unit));
    format!(
        "on {} a matrix times a vector moves {}, a copy {}, arithmetic does {}",
        canary.device,
        strand(&canary.gemv, "B/s"),
        strand(&canary.copy, "B/s"),
        strand(&canary.alu, "FLOP/s")
    )
}

/// What a stored run shows of the machine's faults.
fn of_run(run: &Run, json: bool) -> anyhow::Result<Verdict> {
    let evidence = evidence::of_run(run);
    let last = run.manifest.canaries.iter().max_by_key(|c| c.slow().is_some());
    let findings = doctor::faults(&evidence, last);
    if json {
        ui::line(serde_json::to_string_pretty(
            &serde_json::json!({ "canaries": run.manifest.canaries, "findings": findings }),
        )?);
        return Ok(Verdict::Fine);
    }
    if findings.is_empty() {
        ui::line(match (evidence.len(), run.manifest.canaries.len()) {
            (0, 0) => {
                "this run tells nothing of a GPU under load and has no canary: no fault can be told from it".to_owned()
            }
            (0, n) => format!("none of the named faults: {n} canaries are healthy; no GPU was under load"),
            (gpus, n) => format!("none of the named faults was seen on {gpus} GPUs; canaries: {n}"),
        });
    }
    say(&findings);
    run.manifest.canaries.iter().for_each(|canary| ui::line(format!("\ncanary: {}", told(canary))));
    Ok(Verdict::Fine)
}
