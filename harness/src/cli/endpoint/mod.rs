//! `spark-bench endpoint URL`: any OpenAI-compatible server, timed where its bytes arrive.

mod limits;

use super::common::{self, Common, duration};
use super::elsewhere::{self, Experiment};
use super::llm::numbers::lists;
use super::{Verdict, ui};
use crate::{task, trial};
use anyhow::{Context, bail, ensure};
use spark_results::conditions::Energy;
use spark_results::machine::clean;
use spark_results::{BenchmarkId, Record};
use spark_workloads::Decline;
use spark_workloads::peer::endpoint::{Api, Asked, Base, Client, Host, Length, Load, PATIENCE, Plan, Wire};
use spark_workloads::suite;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// The chat interface instead of plain completions
    #[arg(long)]
    chat: bool,
    /// on: prompts share their first -d tokens, so that a prefix cache may help; off: no two begin alike
    #[arg(long, value_name = "on|off", default_value = "off", value_parser = ["on", "off"])]
    cache: String,
    /// What a good answer keeps, in milliseconds: ttft=500,tpot=50,e2e=10000
    #[arg(long, value_name = "LIMITS", value_parser = limits::parse)]
    slo: Option<limits::Limits>,
    /// How long the server may be silent [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// The environment's variable that holds the key; it is written down nowhere
    #[arg(long, value_name = "NAME", default_value = "OPENAI_API_KEY")]
    api_key_env: String,
    /// Certificates to trust instead of the system's (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only OpenAI's own fields: answers may then end early (for servers that refuse ignore_eos)
    #[arg(long)]
    plain: bool,
    /// Where a server on this machine works, for its energy: cpu, cuda:0 [default: only sensors of the whole machine count]
    #[arg(long, value_name = "DEVICE")]
    on: Option<String>,
    /// The number that prompts are drawn from [default: another one each time, so that no cache knows them]
    #[arg(long, value_name = "N")]
    prompt_seed: Option<u64>,
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
    let base = Base::parse(&args.url).map_err(anyhow::Error::msg)?;
    let plans = args.plans()?;
    let key = std::env::var(&args.api_key_env).ok().filter(|key| !key.is_empty());
    ensure!(
        key.is_some() || args.api_key_env == "OPENAI_API_KEY",
        "--api-key-env {}: this variable is not set; export it, or leave the flag out",
        clean(&args.api_key_env)
    );
    let wire = Wire { base, patience: args.timeout.unwrap_or(PATIENCE) };
    let client = Arc::new(Client::new(wire, key, args.ca.as_deref()).map_err(anyhow::Error::msg)?);
    let at = |what: String| anyhow::anyhow!("{}: {what}; is a server running there? --help shows what can be set", clean(&args.url));
    let model = match &args.model {
        Some(model) => model.clone(),
        None => client.models().map_err(at)?.into_iter().next().with_context(|| {
            format!("{}: it offers no model; name one with -m", clean(&args.url))
        })?,
    };
    let plans: Vec<Plan> = plans.into_iter().map(|plan| Plan { model: model.clone(), ..plan }).collect();
    let Some(first) = plans.first() else { bail!("nothing to run: -p and -n are empty") };
    let length = Asked::learn(&client, first).map_err(at)?;
    let voice = args.common.voice();
    if !length.known {
        voice.warn("this server does not count the tokens of a prompt: a word is taken for a token");
    }
    let here = client.base().place() == Host::Here;
    let charged = match (&args.on, here) {
        (Some(device), true) => device.clone(),
        (Some(_), false) => bail!("--on: {} is not this machine, whose sensors know nothing of it", clean(&args.url)),
        // No scope but the whole machine's contains a device nobody named.
        (None, true) => "server:0".to_owned(),
        (None, false) => "remote:0".to_owned(),
    };
    let policy = suite::named("standard")?.measure;
    let place = common::place(args.common.one_thread_count()?, &args.common.device)?;
    let mut experiments = Vec::new();
    for plan in plans {
        let device = if here { args.on.clone().unwrap_or_else(|| "server".to_owned()) } else { "remote".to_owned() };
        let id = plan.id(&device, client.base().host());
        if args.common.filter.is_empty() || args.common.filter.iter().any(|glob| id.matches(glob)) {
            let made = experiment(id.clone(), plan, length, client.clone(), charged.clone(), here);
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

/// One plan as an experiment: its requests and what the machine was like meanwhile.
fn experiment(
    id: BenchmarkId,
    plan: Plan,
    length: Length,
    client: Arc<Client>,
    charged: String,
    here: bool,
) -> Experiment<'static> {
    Box::new(move |session, stop| {
        let record = task::recorded(session, &id, &mut |session| {
            let device = session.devices.iter().next().cloned();
            let device = device.ok_or_else(|| Decline::Skip("no device is here, whose clock could be read".into()))?;
            let asked = Box::new(Asked::new(client.clone(), plan.clone(), length));
            let mut seen = trial::measured_elsewhere(session, asked, &device, &charged, stop)?;
            if let Some(m) = &mut seen {
                if m.requests.iter().all(|r| r.error.is_some()) {
                    let first = m.requests.iter().find_map(|r| r.error.clone()).unwrap_or_default();
                    return Err(Decline::Fail(format!("none of {} requests was answered: {first}", m.requests.len())));
                }
                if !here {
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
        let count = prompts.len().saturating_mul(answers.len()).saturating_mul(depths.len()).saturating_mul(loads.len());
        ensure!(count <= MOST, "these lists multiply out to {count} experiments; at most {MOST} are taken: give fewer values");
        let cache = self.cache == "on";
        ensure!(
            !cache || depths.iter().all(|depth| *depth > 0),
            "--cache on: prompts share the tokens before them, and there are none; give -d at least 1"
        );
        let seed = self.prompt_seed.unwrap_or_else(unseen);
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
                            api: if self.chat { Api::Chat } else { Api::Completions },
                            model: String::new(),
                            n_prompt: *n_prompt,
                            n_gen: *n_gen,
                            depth,
                            load: *load,
                            requests: self.requests,
                            warmup: self.warmup.unwrap_or(usual),
                            cache,
                            plain: self.plain,
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

/// A number that no run before had: from the clock.
fn unseen() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
}
