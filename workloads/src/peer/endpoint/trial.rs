//! The experiment: prompts are brought to length, the cache is warmed or avoided, the load is sent and watched.

use super::load::Sending;
use super::prompt::{self, Length};
use super::wire::{Client, TEXTLESS};
use super::{Load, Plan, reopen};
use crate::trial::{Beat, Lab, Observed, Trial};
use spark_kernels::Fault;
use spark_results::record::{Cache, Check};
use spark_results::{Work, serving::Request};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Nobody reads a line more often.
const BEAT: Duration = Duration::from_secs(1);
/// Words of the two prompts by which lengths are learnt.
const PROBES: [u64; 2] = [16, 64];

/// A plan, and the server that it is asked of.
#[derive(Debug)]
pub struct Asked {
    client: Arc<Client>,
    plan: Plan,
    length: Length,
    tokens: u64,
    short: u64,
}

impl Asked {
    /// `plan` asked of `client`'s server; lengths of prompts are as [`Asked::learn`] found them.
    pub fn new(client: Arc<Client>, plan: Plan, length: Length) -> Self {
        Self { client, plan, length, tokens: 0, short: 0 }
    }
    /// Asks for two short answers and learns from them how many words make how many tokens. Errors: what the server says instead of
    /// an answer.
    pub fn learn(client: &Client, plan: &Plan) -> Result<Length, String> {
        let (epoch, go_on) = (Instant::now(), AtomicBool::new(false));
        let mut counted = [None; 2];
        for (at, words) in PROBES.into_iter().enumerate() {
            let text = prompt::words(plan.seed, prompt::UNCOUNTED + at as u64, words);
            let seen = client.ask(plan.api, &prompt::body(plan, &text, 2), 0, epoch, &go_on);
            // Two tokens may come to no text; the prompt was counted all the same.
            if let Some(error) = seen.error.filter(|error| !error.starts_with(TEXTLESS)) {
                return Err(error);
            }
            counted[at] = seen.prompt_tokens;
        }
        Ok(Length::of((PROBES[0], counted[0]), (PROBES[1], counted[1])))
    }
    /// Requests that do not count: connections are opened, and with a shared beginning the server's cache is filled.
    fn warm(&self, epoch: Instant) {
        let (plan, go_on) = (&self.plan, AtomicBool::new(false));
        for number in 0..plan.warmup {
            let text = prompt::text(plan, self.length, prompt::UNCOUNTED + 16 + number);
            let _ = self.client.ask(plan.api, &prompt::body(plan, &text, plan.n_gen.min(8)), 0, epoch, &go_on);
        }
    }
}

impl Trial for Asked {
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        // Somebody else's answers have no reference here.
        Ok(None)
    }

    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault> {
        // The lab's clock, as something that threads can read.
        let epoch = Instant::now().checked_sub(lab.now()).unwrap_or_else(Instant::now);
        self.warm(epoch);
        if lab.stopped() {
            return Ok(None);
        }
        let (began, reopened) = (lab.now(), self.client.reopened());
        let sending = Sending { client: &self.client, plan: &self.plan, length: self.length, epoch };
        let (requests, mut beat) = (self.plan.requests, began);
        let seen = sending.all(&mut |ended, tokens| {
            let at = lab.now();
            if at >= beat {
                beat = at + BEAT;
                let elapsed = at - began;
                let rate = tokens as f64 / elapsed.as_secs_f64().max(1e-9);
                lab.tell(&Beat {
                    doing: format!("{ended} of {requests} answered"),
                    elapsed,
                    rate: (tokens > 0).then_some((rate, "tok/s")),
                    ..Beat::default()
                });
            }
            lab.stopped()
        });
        let answered = || seen.iter().filter(|r| r.error.is_none());
        self.tokens = answered().map(Request::tokens).sum();
        self.short = answered().filter(|r| r.output_tokens.is_some_and(|n| n < self.plan.n_gen)).count() as u64;
        lab.phase("requests", began, self.work());
        let Some(first) = seen.iter().map(|r| r.sent_ns).min() else { return Ok(None) };
        let last = seen.iter().map(|r| r.ended_ns).max().unwrap_or(first);
        let mut notes: Vec<String> = reopen::note(self.client.reopened() - reopened).into_iter().collect();
        if (seen.len() as u64) < requests {
            notes.push(format!("stopped before its time: {} of {requests} requests were sent", seen.len()));
        }
        if self.short > 0 {
            notes.push(format!("{} answers ended before their {} tokens", self.short, self.plan.n_gen));
        }
        Ok(Some(Observed {
            at_ns: vec![first],
            samples_ns: vec![(last - first).max(1)],
            iterations: 1,
            requests: seen,
            notes,
            ..Observed::default()
        }))
    }

    fn work(&self) -> Work {
        Work { items: self.tokens, item: "token".to_owned(), ..Work::default() }
    }

    fn cache(&self) -> Cache {
        if self.plan.cache { Cache::Warm } else { Cache::Cold }
    }

    fn facts(&self) -> BTreeMap<String, String> {
        let plan = &self.plan;
        let load = match plan.load {
            Load::Together(number) => format!("closed: {number} together, the next when one was answered"),
            Load::Rate(rate) => format!("open: {rate} a second, the moments of a Poisson process"),
        };
        let prompts = match (plan.cache, plan.depth) {
            (true, _) => "they begin alike, so that the server's prefix cache may help: cache on",
            (false, _) => "no two begin alike, so that no prefix cache helps: cache off",
        };
        let length = match self.length.known {
            true => format!("words, {:.3} tokens each by the server's count", self.length.each),
            false => "words taken for tokens: the server does not count".to_owned(),
        };
        let mut facts: BTreeMap<String, String> = [
            ("load", load),
            ("prompts", format!("{prompts}; {length}")),
            ("prompt_seed", plan.seed.to_string()),
            ("api", plan.api.name().to_owned()),
            ("clock", "read where bytes arrive; a connection that has to be opened is in the time".to_owned()),
            ("answers", "not compared with anything: another engine's".to_owned()),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into();
        facts.extend(plan.limits_ms.iter().map(|(name, ms)| (name.clone(), ms.to_string())));
        if plan.plain {
            facts.insert("length".into(), "only asked for: fields beyond OpenAI's were left out".into());
        }
        facts
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Api;
    use super::*;

    pub(in super::super) fn plan() -> Plan {
        Plan {
            api: Api::Completions,
            model: "m".into(),
            n_prompt: 8,
            n_gen: 4,
            depth: 16,
            load: Load::Together(1),
            requests: 4,
            warmup: 0,
            cache: false,
            plain: false,
            seed: 7,
            limits_ms: BTreeMap::new(),
        }
    }

    #[test]
    fn an_id_names_the_work_and_leaves_out_what_is_usual() {
        let id = |plan: &Plan| plan.id("server", "localhost:80").to_string();
        assert_eq!(
            id(&Plan { depth: 0, ..plan() }),
            "endpoint/server/localhost:80?concurrency=1&model=m&n_gen=4&n_prompt=8&requests=4"
        );
        let other = Plan { load: Load::Rate(2.5), cache: true, api: Api::Chat, ..plan() };
        let told = id(&other);
        for part in ["rate=2.5", "cache=on", "api=chat", "depth=16"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
