//! What was asked for, as tasks: every combination of models, formats, depths and threads, each with its tests.

use super::Args;
use super::numbers::{list, lists, pairs};
use crate::plan::{self, Task};
use anyhow::ensure;
use spark_results::AxisValue;
use spark_results::machine::clean;
use spark_workloads::axis;
use spark_workloads::llm::{DECODE, PREFILL, source};
use spark_workloads::{Devices, Request, Workload};

/// More tests than this would not end.
const MOST: usize = 10_000;

/// One test of llama-bench: a prompt, an answer, or both.
#[derive(Clone, Copy, Debug)]
struct Test {
    n_prompt: u64,
    n_gen: u64,
}

/// The command line, understood.
#[derive(Debug)]
pub(super) struct Asked {
    models: Vec<String>,
    formats: Vec<String>,
    heads: Vec<String>,
    activations: Vec<String>,
    kv: Vec<String>,
    batches: Vec<u64>,
    depths: Vec<u64>,
    /// Whether sequences have depths of their own.
    spread: Vec<String>,
    routings: Vec<String>,
    /// As `-t` says; empty where it was not given.
    pub(super) threads: Vec<u64>,
    tests: Vec<Test>,
}

impl Asked {
    /// From the flags. Errors: what no value of them can be, and what this version cannot read, with the mend.
    pub(super) fn of(args: &Args) -> anyhow::Result<Self> {
        let threads = args.common.threads.as_deref().map_or(Ok(Vec::new()), |text| list("-t", text))?;
        ensure!(!threads.contains(&0), "-t: 0 threads do nothing; give a number from 1");
        let alone = |n_prompt, n_gen| Test { n_prompt, n_gen };
        let prompts = lists("-p", &args.n_prompt, 512)?.into_iter().map(|n| alone(n, 0));
        let answers = lists("-n", &args.n_gen, 128)?.into_iter().map(|n| alone(0, n));
        let mut tests: Vec<_> = prompts.chain(answers).filter(|t| t.n_prompt + t.n_gen > 0).collect();
        for text in &args.pg {
            tests.extend(pairs("-pg", text)?.into_iter().map(|(p, n)| alone(p, n)));
        }
        ensure!(!tests.is_empty(), "nothing to run: -p and -n are 0 and no -pg is given; leave one of them out");
        let asked = Self {
            models: words("-m", &args.model)?,
            formats: words("--format", &args.format)?,
            heads: words("--head", &args.head)?,
            activations: words("--activations", &args.activations)?,
            kv: args.kv()?,
            batches: lists("-npl", &args.batch, 1)?,
            depths: lists("-d", &args.n_depth, 0)?,
            spread: words_or("--depths", &args.depths, "same")?,
            routings: words_or("--routing", &args.routing, "router")?,
            threads,
            tests,
        };
        let lengths = [
            asked.models.len(),
            asked.formats.len(),
            asked.heads.len(),
            asked.activations.len(),
            asked.kv.len(),
            asked.batches.len(),
            asked.depths.len(),
            asked.spread.len(),
            asked.routings.len(),
            asked.threads.len().max(1),
            asked.tests.len(),
        ];
        let all = lengths.into_iter().fold(1, usize::saturating_mul);
        ensure!(all <= MOST, "these lists multiply out to {all} tests; at most {MOST} are taken: give fewer values");
        Ok(asked)
    }

    /// Whether any model runs on weights that are made up.
    pub(super) fn synthetic(&self) -> bool {
        self.models.iter().any(|model| !source::has_weights(model))
    }

    /// The tasks, in llama-bench's order: the tests vary fastest, models slowest. Errors: a shape that cannot be.
    pub(super) fn tasks(&self, devices: &Devices, filters: &[String]) -> anyhow::Result<Vec<Task>> {
        let texts = |all: &[String]| all.iter().map(|text| AxisValue::from(text.as_str())).collect::<Vec<_>>();
        let numbers = |all: &[u64]| all.iter().map(|n| AxisValue::Int(*n)).collect::<Vec<_>>();
        let mut slow = vec![
            ("model", texts(&self.models)),
            ("format", texts(&self.formats)),
            ("head", texts(&self.heads)),
            ("activations", texts(&self.activations)),
            ("kv", texts(&self.kv)),
            ("batch", numbers(&self.batches)),
            ("depth", numbers(&self.depths)),
            ("depths", texts(&self.spread)),
            ("routing", texts(&self.routings)),
        ];
        if !self.threads.is_empty() {
            slow.push(("threads", numbers(&self.threads)));
        }
        let mut combinations = vec![Request::default()];
        for (name, values) in slow {
            let with = |request: &Request, value: &AxisValue| {
                let mut request = request.clone();
                request.axes.insert(name.to_owned(), vec![value.clone()]);
                request
            };
            combinations = combinations.iter().flat_map(|r| values.iter().map(move |v| with(r, v))).collect();
        }
        let mut tasks = Vec::new();
        for request in &combinations {
            for test in &self.tests {
                let mut request = request.clone();
                let mut set = |axis: &str, n: u64| request.axes.insert(axis.to_owned(), vec![AxisValue::Int(n)]);
                let workload: &dyn Workload = if test.n_gen == 0 { &PREFILL } else { &DECODE };
                if test.n_prompt > 0 {
                    set("n_prompt", test.n_prompt);
                }
                if test.n_gen > 0 {
                    set("n_gen", test.n_gen);
                }
                plan::add(&mut tasks, workload, &request, devices, filters)?;
            }
        }
        Ok(tasks)
    }
}

impl Args {
    /// The types of the cache. Errors: keys and values of different types.
    fn kv(&self) -> anyhow::Result<Vec<String>> {
        let (k, v) = (&self.cache_type_k, &self.cache_type_v);
        // llama.cpp's name of 8-bit codes with scales stands for ours.
        let words = |flag, texts| -> anyhow::Result<Vec<String>> {
            let named =
                words(flag, texts)?.into_iter().map(|word| if word == "q8_0" { "int8".to_owned() } else { word });
            let mut kinds = Vec::new();
            named.for_each(|kind| {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            });
            Ok(kinds)
        };
        match (k.is_empty(), v.is_empty()) {
            (true, true) => Ok(vec!["bf16".to_owned()]),
            (true, false) => words("-ctv", v),
            (false, true) => words("-ctk", k),
            (false, false) => {
                let (k, v) = (words("-ctk", k)?, words("-ctv", v)?);
                let (ks, vs) = (clean(&k.join(",")), clean(&v.join(",")));
                ensure!(k == v, "-ctk {ks} -ctv {vs}: keys and values have one type here; give both the same");
                Ok(k)
            }
        }
    }
}

/// The words of a flag that may be repeated and takes comma lists, each once. Errors: an empty one.
fn words(flag: &str, texts: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        for value in axis::list(flag.trim_start_matches('-'), text)? {
            let word = match value {
                AxisValue::Text(text) => text,
                AxisValue::Int(number) => number.to_string(),
            };
            if !all.contains(&word) {
                all.push(word);
            }
        }
    }
    Ok(all)
}

/// The same, or one word where the flag was not given.
fn words_or(flag: &str, texts: &[String], default: &str) -> anyhow::Result<Vec<String>> {
    if texts.is_empty() { Ok(vec![default.to_owned()]) } else { words(flag, texts) }
}
