//! `spark-bench worker`: the child of a gate. Hidden: people have no use for it, but its protocol outlives versions.

use super::Verdict;
use super::common;
use crate::gate::{PROTOCOL, serve};
use crate::plan;
use anyhow::bail;
use spark_workloads::suite;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Version of the protocol
    #[arg(long)]
    protocol: u32,
    /// What it can be asked for
    #[arg(long, default_value = "gate")]
    suite: String,
    /// Only ids that match
    #[arg(long, value_name = "GLOB")]
    filter: Vec<String>,
    /// A device to use
    #[arg(long, value_name = "ID")]
    device: Vec<String>,
    /// Threads of the CPU device
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Seed of all synthetic data
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    if args.protocol != PROTOCOL {
        bail!("--protocol {}: this build speaks protocol {PROTOCOL}; choose builds that share one", args.protocol);
    }
    crate::os::die_with_parent();
    let place = common::place(args.threads, &args.device)?;
    let tasks = plan::tasks(&suite::named(&args.suite)?.tasks, &place.devices, &args.filter)?;
    let build = common::build();
    let build = format!(
        "{} {} ({})",
        build.version,
        build.revision.as_deref().unwrap_or("of no known revision"),
        build.profile
    );
    serve(&place.devices, &tasks, build, args.seed, std::io::stdin().lock(), std::io::stdout().lock())
        .map_err(anyhow::Error::msg)?;
    Ok(Verdict::Fine)
}
