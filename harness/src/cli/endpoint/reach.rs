//! How a server is reached: flags that `endpoint` and `agent` share.

use crate::cli::common::duration;
use anyhow::{Context, bail, ensure};
use spark_results::machine::clean;
use spark_workloads::peer::endpoint::{Api, Base, Client, Host, PATIENCE, Wire};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "A server")]
pub(in crate::cli) struct Reach {
    /// The chat interface instead of plain completions
    #[arg(long)]
    chat: bool,
    /// How long the server may be silent [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// The environment's variable that holds the key; it is written down nowhere
    #[arg(long, value_name = "NAME", default_value = USUAL_KEY)]
    api_key_env: String,
    /// Certificates to trust instead of the system's (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Only OpenAI's own fields: answers may then end early (for servers that refuse ignore_eos)
    #[arg(long)]
    pub(in crate::cli) plain: bool,
    /// Where a server on this machine works, for its energy: cpu, cuda:0 [default: only sensors of the whole machine count]
    #[arg(long, value_name = "DEVICE")]
    on: Option<String>,
    /// The number that prompts are drawn from [default: another one each time, so that no cache knows them]
    #[arg(long, value_name = "N")]
    prompt_seed: Option<u64>,
}

const USUAL_KEY: &str = "OPENAI_API_KEY";

/// A server that was reached.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Reached {
    pub(in crate::cli) client: Arc<Client>,
    /// Whether it is on this machine.
    pub(in crate::cli) here: bool,
    /// What stands in ids for where it works.
    pub(in crate::cli) device: String,
    /// Which device its joules are charged to.
    pub(in crate::cli) charged: String,
}

impl Reach {
    /// The interface asked for.
    pub(in crate::cli) fn api(&self) -> Api {
        if self.chat { Api::Chat } else { Api::Completions }
    }
    /// What prompts are drawn from.
    pub(in crate::cli) fn seed(&self) -> u64 {
        let unseen = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
        self.prompt_seed.unwrap_or_else(unseen)
    }
    /// The server at `url`. Errors: no address, no key where one is named, no certificate; nothing was asked yet.
    pub(in crate::cli) fn reach(&self, url: &str) -> anyhow::Result<Reached> {
        let base = Base::parse(url).map_err(anyhow::Error::msg)?;
        let key = std::env::var(&self.api_key_env).ok().filter(|key| !key.is_empty());
        ensure!(
            key.is_some() || self.api_key_env == USUAL_KEY,
            "--api-key-env {}: this variable is not set; export it, or leave the flag out",
            clean(&self.api_key_env)
        );
        let here = base.place() == Host::Here;
        let (device, charged) = match (&self.on, here) {
            (Some(device), true) => (device.as_str(), device.as_str()),
            (Some(_), false) => bail!(
                "--on: the server at {} is on another machine, whose sensors are not read here; leave it out",
                base.host()
            ),
            // No scope but the whole machine's contains a device that nobody named.
            (None, true) => ("server", "server:0"),
            (None, false) => ("remote", "remote:0"),
        };
        let (device, charged) = (device.to_owned(), charged.to_owned());
        let wire = Wire { base, patience: self.timeout.unwrap_or(PATIENCE) };
        let client = Arc::new(Client::new(wire, key, self.ca.as_deref()).map_err(anyhow::Error::msg)?);
        Ok(Reached { client, here, device, charged })
    }
}

impl Reached {
    /// What went wrong with the server, with the mend.
    pub(in crate::cli) fn trouble(&self, what: &str) -> anyhow::Error {
        let hint = match what {
            what if what.starts_with("HTTP 401") || what.starts_with("HTTP 403") => {
                "put its key into the variable that --api-key-env names"
            }
            what if what.starts_with("HTTP ") => "--help shows what can be set",
            _ => "is a server running there? --help shows what can be set",
        };
        anyhow::anyhow!("{}: {what}; {hint}", self.client.base().host())
    }
    /// The model named, or the first that the server offers. Errors: it offers none, or does not answer.
    pub(in crate::cli) fn model(&self, named: Option<&str>) -> anyhow::Result<String> {
        match named {
            Some(model) => Ok(model.to_owned()),
            None => self
                .client
                .models()
                .map_err(|what| self.trouble(&what))?
                .into_iter()
                .next()
                .with_context(|| format!("{}: it offers no model; name one with -m", self.client.base().host())),
        }
    }
}
