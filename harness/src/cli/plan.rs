//! `spark-bench plan`: the ids, their memory, a guess of their time.

use super::common::{self, Common};
use super::{Verdict, ui};
use crate::plan;
use spark_results::quantity::{duration, size};
use spark_workloads::suite;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which suite: smoke, standard or full
    #[arg(long, default_value = "standard")]
    suite: String,
    #[command(flatten)]
    common: Common,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let suite = suite::named(&args.suite)?;
    let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
    let tasks = plan::tasks(&suite.tasks, &place.devices, &args.common.filter)?;
    let available = place.available();
    let total: Duration =
        tasks.iter().filter(|t| t.declined(available).is_none()).map(|t| t.estimate(&suite.measure)).sum();
    if args.common.json {
        let rows: Vec<_> = tasks
            .iter()
            .map(|t| {
                serde_json::json!({
                    "id": t.id.to_string(),
                    "memory_bytes": t.footprint.as_ref().ok().map(|f| f.bytes),
                    "estimate_s": t.estimate(&suite.measure).as_secs_f64(),
                    "declined": t.declined(available).map(|d| d.to_string()),
                })
            })
            .collect();
        ui::line(serde_json::to_string_pretty(&serde_json::json!({ "suite": suite.name, "tasks": rows }))?);
        return Ok(Verdict::Fine);
    }
    for task in &tasks {
        match (task.declined(available), &task.footprint) {
            (Some(decline), _) => ui::line(format!("{:>10} {:>9}  {}: {decline}", "-", "-", task.id)),
            (None, Ok(footprint)) => {
                let time = duration(task.estimate(&suite.measure).as_nanos() as f64);
                ui::line(format!("{:>10} {time:>9}  {}", size(footprint.bytes), task.id));
            }
            (None, Err(_)) => {}
        }
    }
    ui::line(format!(
        "{} tasks of suite {}, about {} (a guess), with {} of memory available",
        tasks.len(),
        suite.name,
        duration(total.as_nanos() as f64),
        size(available),
    ));
    Ok(Verdict::Fine)
}
