//! `endpoint`: any OpenAI-compatible server, asked over its wire and timed where its bytes arrive.

mod load;
mod prompt;
mod reopen;
mod sse;
mod talk;
mod tls;
mod trial;
mod url;
mod wire;

pub use prompt::Length;
pub use talk::{Talk, Task};
pub use trial::Asked;
pub use url::{Base, Host};
pub use wire::{Client, Wire};

use spark_results::BenchmarkId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which of the two interfaces is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/v1/completions`: a text goes on.
    Completions,
    /// `/v1/chat/completions`: a message is answered.
    Chat,
}

impl Api {
    /// `completions` or `chat`.
    pub const fn name(self) -> &'static str {
        match self {
            Api::Completions => "completions",
            Api::Chat => "chat",
        }
    }
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// So many at once: the next is sent when one was answered.
    Together(u64),
    /// So many a second on average, at the moments of a Poisson process, however many are still open.
    Rate(f64),
}

/// One experiment: so many requests of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The interface.
    pub api: Api,
    /// The model's name at the server.
    pub model: String,
    /// Tokens of each prompt that are its own.
    pub n_prompt: u64,
    /// Tokens of each answer.
    pub n_gen: u64,
    /// Tokens before them: the same for all with `cache`, else each request's own, and read like the prompt.
    pub depth: u64,
    /// When they are sent.
    pub load: Load,
    /// How many.
    pub requests: u64,
    /// How many before, which do not count.
    pub warmup: u64,
    /// Whether prompts share their beginning, so that a server's prefix cache may help; otherwise no two have anything in common.
    pub cache: bool,
    /// Whether fields beyond OpenAI's are left out: then an answer may end before its length.
    pub plain: bool,
    /// What prompts are drawn from: another number, other prompts.
    pub seed: u64,
    /// Limits of a good answer in milliseconds, by the name of their fact.
    pub limits_ms: BTreeMap<String, f64>,
}

impl Plan {
    /// Its id. `device` is where the server works, `host` what it is called.
    pub fn id(&self, device: &str, host: &str) -> BenchmarkId {
        let mut id = BenchmarkId::new("endpoint", device, host)
            .with("model", self.model.as_str())
            .with("n_gen", self.n_gen)
            .with("n_prompt", self.n_prompt)
            .with("requests", self.requests);
        id = match self.load {
            Load::Together(number) => id.with("concurrency", number),
            Load::Rate(rate) => id.with("rate", rate.to_string().as_str()),
        };
        if self.depth > 0 {
            id = id.with("depth", self.depth);
        }
        if self.cache {
            id = id.with("cache", "on");
        }
        if self.api == Api::Chat {
            id = id.with("api", self.api.name());
        }
        id
    }
}

/// How long a server may be silent, unless told.
pub const PATIENCE: Duration = Duration::from_secs(120);
