//! `spark-bench endpoint URL`: any OpenAI-compatible server, timed where its bytes arrive.

mod limits;
mod reach;

use super::common::{self, Common};
use super::elsewhere::{self, Experiment};
use super::llm::numbers::lists;
use super::{Verdict, ui};
use crate::{task, trial};
use anyhow::{bail, ensure};
pub(super) use reach::{Reach, Reached};
use spark_results::conditions::Energy;
use spark_results::machine::clean;
use spark_results::{BenchmarkId, Record};
use spark_workloads::peer::endpoint::{Asked, Length, Load, Plan};
use spark_workloads::{Decline, Trial, suite};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the server is: http://HOST:PORT or https://HOST, with or without /v1
    url: String,
    /// The model's name at the server [default: the first that it offers]
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// Tokens of a prompt; lists and ranges as in llm [default: 512]
    #[arg(long, short = 'p', value_name = "LIST")]
    n_prompt: Vec<String>,
    /// Tokens of an answer [default: 128]
    #[arg(long, short = 'n', value_name = "LIST")]
    n_gen: Vec<String>,
    /// Tokens before the prompt: each request's own and read with it, or shared with --cache on [default: 0]
    #[arg(long, short = 'd', value_name = "LIST")]
    n_depth: Vec<String>,
    /// Requests together, the next sent when one was answered [default: 1]
    #[arg(long, value_name = "LIST", conflicts_with = "rate")]
    concurrency: Vec<String>,
    /// Requests a second, sent at random moments however many are open: 0.5, 2,4
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = rate)]
    rate: Vec<f64>,
    /// Requests of each experiment; 368 are needed to bound the slowest in a hundred
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    requests: u64,
    /// Requests before each experiment that do not count [default: as many as are together, at most 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=1000))]
    warmup: Option<u64>,
    /// on: prompts share their first -d tokens, so that a prefix cache may help; off: no two begin alike
    #[arg(long, value_name = "on|off", default_value = "off", value_parser = ["on", "off"])]
    cache: String,
    /// What a good answer keeps, in milliseconds: ttft=500,tpot=50,e2e=10000
    #[arg(long, value_name = "LIMITS", value_parser = limits::parse)]
    slo: Option<limits::Limits>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    common: Common,
}

/// A rate, as `0.5`.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().map_err(|_| format!("'{}' is no rate; write 0.5 or 2,4", clean(text)))?;
    match (1e-3..=1e5).contains(&rate) {
        true => Ok(rate),
        false => Err(format!("'{}' requests a second cannot be sent; from 0.001 to 100000", clean(text))),
    }
}

/// More experiments than this would not end.
const MOST: usize = 1000;
/// Longest prompt or answer.
const LONGEST: u64 = 1 << 20;

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let plans = args.plans()?;
    let reached = args.reach.reach(&args.url)?;
    let model = reached.model(args.model.as_deref())?;
    let plans: Vec<Plan> = plans.into_iter().map(|plan| Plan { model: model.clone(), ..plan }).collect();
    let Some(first) = plans.first() else { bail!("nothing to run: -p and -n are empty") };
    let length = learnt(&reached, first, args.common.voice())?;
    let policy = suite::named("standard")?.measure;
    let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
    let mut experiments = Vec::new();
    for plan in plans {
        let id = plan.id(&reached.device, reached.client.base().host());
        if args.common.filter.is_empty() || args.common.filter.iter().any(|glob| id.matches(glob)) {
            let client = reached.client.clone();
            let made =
                experiment(&reached, id.clone(), move || Box::new(Asked::new(client.clone(), plan.clone(), length)));
            experiments.push((vec![id], made));
        }
    }
    let (verdict, run, folder) = elsewhere::measured(&args.common, policy, place, experiments)?;
    if args.common.json {
        common::document(&run);
    } else if !args.common.quiet {
        ui::data(&spark_reports::text(&run, ui::coloured()));
    }
    common::whereabouts(&args.common, &run, &folder);
    Ok(verdict)
}

/// How many words make how many tokens at this server; asking for it is the first that is heard of it.
pub(super) fn learnt(reached: &Reached, plan: &Plan, voice: ui::Voice) -> anyhow::Result<Length> {
    let length = Asked::learn(&reached.client, plan).map_err(|what| reached.trouble(&what))?;
    if !length.known {
        voice.warn("this server does not count the tokens of a prompt: a word is taken for a token");
    }
    Ok(length)
}

/// A trial of a server as an experiment: its requests and what the machine was like meanwhile.
pub(super) fn experiment(
    reached: &Reached,
    id: BenchmarkId,
    trial: impl Fn() -> Box<dyn Trial> + 'static,
) -> Experiment<'static> {
    let reached = reached.clone();
    Box::new(move |session, stop| {
        let record = task::recorded(session, &id, &mut |session| {
            let device = session.devices.iter().next().cloned();
            let device = device.ok_or_else(|| Decline::Skip("no device is here, whose clock could be read".into()))?;
            let mut seen = trial::measured_elsewhere(session, trial(), &device, &reached.charged, stop)?;
            if let Some(m) = &mut seen {
                if m.requests.iter().all(|r| r.error.is_some()) {
                    let first = m.requests.iter().find_map(|r| r.error.clone()).unwrap_or_default();
                    return Err(Decline::Fail(format!("none of {} requests was answered: {first}", m.requests.len())));
                }
                if !reached.here {
                    let reason = "the server is on another machine, whose sensors are not read here".to_owned();
                    m.conditions.energy = Energy::Unavailable { reason };
                    m.phases.iter_mut().for_each(|phase| phase.energy = None);
                    m.facts.insert("conditions".into(), "of the machine that asked, not of the server's".into());
                }
            }
            Ok(seen)
        });
        record.map(|record: Record| vec![record])
    })
}

impl Args {
    /// Every combination asked for. Errors: what cannot be, with the mend.
    fn plans(&self) -> anyhow::Result<Vec<Plan>> {
        let (prompts, answers) = (lists("-p", &self.n_prompt, 512)?, lists("-n", &self.n_gen, 128)?);
        let (depths, together) = (lists("-d", &self.n_depth, 0)?, lists("--concurrency", &self.concurrency, 1)?);
        let fits = |flag: &str, all: &[u64], least: u64, most: u64| {
            let bad = all.iter().find(|n| !(least..=most).contains(n));
            bad.map_or(Ok(()), |n| bail!("{flag} {n}: it cannot be; from {least} to {most}"))
        };
        fits("-p", &prompts, 1, LONGEST)?;
        fits("-n", &answers, 1, LONGEST)?;
        fits("-d", &depths, 0, LONGEST)?;
        fits("--concurrency", &together, 1, 2048)?;
        let loads: Vec<Load> = match self.rate.is_empty() {
            true => together.into_iter().map(Load::Together).collect(),
            false => self.rate.iter().map(|rate| Load::Rate(*rate)).collect(),
        };
        let count =
            prompts.len().saturating_mul(answers.len()).saturating_mul(depths.len()).saturating_mul(loads.len());
        ensure!(
            count <= MOST,
            "these lists multiply out to {count} experiments; at most {MOST} are taken: give fewer values"
        );
        let cache = self.cache == "on";
        ensure!(
            !cache || depths.iter().all(|depth| *depth > 0),
            "--cache on: prompts share the tokens before them, and there are none; give -d at least 1"
        );
        let seed = self.reach.seed();
        let mut plans = Vec::new();
        for depth in depths {
            for load in &loads {
                for n_prompt in &prompts {
                    for n_gen in &answers {
                        let usual = match load {
                            Load::Together(number) => (*number).min(8),
                            Load::Rate(_) => 1,
                        };
                        plans.push(Plan {
                            api: self.reach.api(),
                            model: String::new(),
                            n_prompt: *n_prompt,
                            n_gen: *n_gen,
                            depth,
                            load: *load,
                            requests: self.requests,
                            warmup: self.warmup.unwrap_or(usual),
                            cache,
                            plain: self.reach.plain,
                            // Another experiment, other prompts: none may find those of the one before in a cache.
                            seed: seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(plans.len() as u64)),
                            limits_ms: self.slo.clone().unwrap_or_default().0,
                        });
                    }
                }
            }
        }
        Ok(plans)
    }
}
