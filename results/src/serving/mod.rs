//! Requests to a server as they were seen from outside, and what follows from them.

mod percentile;

pub use percentile::{Percentile, Spread};

use crate::record::Measurement;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One request, by the clock of the one who sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// When it should have been sent, in nanoseconds since the run's start.
    pub due_ns: u64,
    /// When it was.
    pub sent_ns: u64,
    /// When its answer ended, or it failed.
    pub ended_ns: u64,
    /// When each piece of usable text came, in nanoseconds since it was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces_ns: Vec<u64>,
    /// When the first piece of a thought came that is no part of the answer, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thought_ns: Option<u64>,
    /// Tokens of the prompt, as the server counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// Those of them that it took from a cache, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Tokens of the answer, as the server counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// How long the server says that it read the prompt, in nanoseconds: llama.cpp does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_prompt_ns: Option<u64>,
    /// How long it says that it wrote the answer, from the first token on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_answer_ns: Option<u64>,
    /// Why the answer ended, in the server's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Request {
    /// From sending to the first usable text.
    pub fn ttft_ns(&self) -> Option<f64> {
        self.pieces_ns.first().map(|ns| *ns as f64)
    }
    /// From sending to the end.
    pub fn e2e_ns(&self) -> f64 {
        self.ended_ns.saturating_sub(self.sent_ns) as f64
    }
    /// Tokens of the answer: as the server counts, else as many as there were pieces.
    pub fn tokens(&self) -> u64 {
        self.output_tokens.unwrap_or(self.pieces_ns.len() as u64)
    }
    /// Time for each token after the first piece; `None` where there was one piece.
    pub fn tpot_ns(&self) -> Option<f64> {
        let (first, last) = (self.pieces_ns.first()?, self.pieces_ns.last()?);
        let after = self.tokens().checked_sub(1).filter(|n| *n > 0 && self.pieces_ns.len() > 1)?;
        Some((last - first) as f64 / after as f64)
    }
    /// Time for each token after the first, as the server times itself.
    pub fn server_tpot_ns(&self) -> Option<f64> {
        let after = self.output_tokens?.checked_sub(1).filter(|n| *n > 0)?;
        Some(self.server_answer_ns? as f64 / after as f64)
    }
    /// Time between two pieces that follow each other.
    pub fn gaps_ns(&self) -> impl Iterator<Item = f64> {
        self.pieces_ns.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64)
    }
}

/// One time of a request, in nanoseconds.
type Time = fn(&Request) -> Option<f64>;

/// Facts that name the limits of a good answer, in milliseconds, and the time that each holds for.
const LIMITS: [(&str, Time); 3] = [
    (SLO_TTFT_MS, Request::ttft_ns),
    (SLO_TPOT_MS, |request| Some(request.tpot_ns().unwrap_or(0.0))),
    (SLO_E2E_MS, |request| Some(request.e2e_ns())),
];
/// The fact that holds the limit of the time to the first token.
pub const SLO_TTFT_MS: &str = "slo_ttft_ms";
/// The fact that holds the limit of the time for each further token.
pub const SLO_TPOT_MS: &str = "slo_tpot_ms";
/// The fact that holds the limit of the whole answer.
pub const SLO_E2E_MS: &str = "slo_e2e_ms";

/// What requests showed. Times are of those that were answered; the others are counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Serving {
    /// Requests sent.
    pub sent: usize,
    /// Requests answered to the end.
    pub answered: usize,
    /// Why the others were not, and how many each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, usize>,
    /// From the first request's sending to the last one's end, in seconds.
    pub seconds: f64,
    /// Answers a second.
    pub answers_per_s: f64,
    /// Tokens of answers a second, over all requests.
    pub output_tokens_per_s: f64,
    /// Whether the server counted the tokens; otherwise pieces were counted.
    pub tokens_counted_by_server: bool,
    /// Tokens of a prompt, fewest and most, where the server counts them.
    pub prompt_tokens: Option<[u64; 2]>,
    /// Share of all tokens of prompts that the server took from a cache, where it says so.
    pub cached_share: Option<f64>,
    /// To the first usable token.
    pub ttft_ns: Option<Spread>,
    /// For each further token.
    pub tpot_ns: Option<Spread>,
    /// Between two pieces.
    pub itl_ns: Option<Spread>,
    /// From sending to the end.
    pub e2e_ns: Option<Spread>,
    /// How late this program itself was with sending: what is beyond a server's times is not the server's.
    pub late_ns: Option<Spread>,
    /// The server's own times, where it says them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_server: Option<ByServer>,
    /// Answers that kept every limit asked for.
    pub goodput: Option<Goodput>,
}

/// How a server times itself, of the answers whose times it said: what was seen from outside beyond them is its queue and the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ByServer {
    /// To read a prompt.
    pub prompt_ns: Spread,
    /// The time to the first token of the same answers, less that.
    pub beyond_ns: Spread,
    /// For each token after the first; none where answers have one.
    pub tpot_ns: Option<Spread>,
}

/// Answers within limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Goodput {
    /// The limits, in milliseconds.
    pub limits_ms: BTreeMap<String, f64>,
    /// Answers that kept them.
    pub good: usize,
    /// Share of all requests sent, failed ones among them.
    pub share: f64,
    /// Good answers a second.
    pub per_s: f64,
}

impl Serving {
    /// What the requests of `m` show; `None` where there are none.
    pub fn of(m: &Measurement) -> Option<Self> {
        let all = &m.requests;
        let began = all.iter().map(|r| r.sent_ns).min()?;
        let ended = all.iter().map(|r| r.ended_ns).max()?;
        let seconds = ended.saturating_sub(began) as f64 * 1e-9;
        let per_s = |amount: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        let answered: Vec<&Request> = all.iter().filter(|r| r.error.is_none()).collect();
        let mut errors = BTreeMap::new();
        for error in all.iter().filter_map(|r| r.error.clone()) {
            *errors.entry(error).or_default() += 1;
        }
        let spread = |of: &dyn Fn(&Request) -> Option<f64>| {
            Spread::of(&answered.iter().filter_map(|r| of(r)).collect::<Vec<_>>())
        };
        let gaps: Vec<f64> = answered.iter().flat_map(|r| r.gaps_ns()).collect();
        let prompts: Vec<u64> = answered.iter().filter_map(|r| r.prompt_tokens).collect();
        let cached: Vec<u64> = answered.iter().filter_map(|r| r.cached_tokens).collect();
        let late: Vec<f64> = all.iter().map(|r| r.sent_ns.saturating_sub(r.due_ns) as f64).collect();
        Some(Self {
            sent: all.len(),
            answered: answered.len(),
            errors,
            seconds,
            answers_per_s: per_s(answered.len() as f64),
            output_tokens_per_s: per_s(answered.iter().map(|r| r.tokens() as f64).sum()),
            tokens_counted_by_server: !answered.is_empty() && answered.iter().all(|r| r.output_tokens.is_some()),
            prompt_tokens: prompts.iter().min().zip(prompts.iter().max()).map(|(low, high)| [*low, *high]),
            cached_share: (!cached.is_empty() && prompts.iter().sum::<u64>() > 0)
                .then(|| cached.iter().sum::<u64>() as f64 / prompts.iter().sum::<u64>() as f64),
            ttft_ns: spread(&Request::ttft_ns),
            tpot_ns: spread(&Request::tpot_ns),
            itl_ns: Spread::of(&gaps),
            e2e_ns: spread(&|r| Some(r.e2e_ns())),
            late_ns: Spread::of(&late),
            by_server: ByServer::of(&answered),
            goodput: goodput(m, &answered, &per_s),
        })
    }
    /// The spreads that there are, by name.
    pub fn spreads(&self) -> impl Iterator<Item = (&'static str, &Spread)> {
        let all = [
            ("TTFT", &self.ttft_ns),
            ("TPOT", &self.tpot_ns),
            ("ITL", &self.itl_ns),
            ("end to end", &self.e2e_ns),
            ("own lateness", &self.late_ns),
        ];
        all.into_iter().filter_map(|(name, spread)| Some((name, spread.as_ref()?)))
    }
}

impl ByServer {
    /// Of those of `answered` whose times the server said; `None` where it said none.
    fn of(answered: &[&Request]) -> Option<Self> {
        let spread = |of: Time| Spread::of(&answered.iter().filter_map(|r| of(r)).collect::<Vec<_>>());
        Some(Self {
            prompt_ns: spread(|r| Some(r.server_prompt_ns? as f64))?,
            beyond_ns: spread(|r| Some(r.ttft_ns()? - r.server_prompt_ns? as f64))?,
            tpot_ns: spread(Request::server_tpot_ns),
        })
    }
}

fn goodput(m: &Measurement, answered: &[&Request], per_s: &dyn Fn(f64) -> f64) -> Option<Goodput> {
    let limits: Vec<_> = LIMITS
        .iter()
        .filter_map(|(name, time)| Some((*name, m.facts.get(*name)?.parse::<f64>().ok()?, *time)))
        .collect();
    if limits.is_empty() {
        return None;
    }
    let keeps = |r: &&&Request| limits.iter().all(|(_, ms, time)| time(r).is_some_and(|ns| ns <= ms * 1e6));
    let good = answered.iter().filter(keeps).count();
    Some(Goodput {
        limits_ms: limits.iter().map(|(name, ms, _)| ((*name).to_owned(), *ms)).collect(),
        good,
        share: good as f64 / m.requests.len().max(1) as f64,
        per_s: per_s(good as f64),
    })
}
