//! One request over the wire: sent, and each piece of its answer stamped where it arrives.

use super::sse::Events;
use super::url::Base;
use super::{Api, reopen, tls};
use serde_json::Value;
use spark_results::machine::clean;
use spark_results::serving::Request;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Where.
    pub base: Base,
    /// How long it may be silent.
    pub patience: Duration,
}

/// A connection pool to one server, and the key that goes with each request. The key is in no record and in no message.
pub struct Client {
    agent: ureq::Agent,
    wire: Wire,
    key: Option<String>,
    /// Requests sent again because the server had closed their connection.
    reopened: AtomicU64,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// What an error says at most: a server may answer with a page.
const LONGEST: usize = 160;

impl Client {
    /// A client that trusts `ca` (a PEM file) or what the system trusts. Errors: HTTPS that cannot be had here.
    pub fn new(wire: Wire, key: Option<String>, ca: Option<&Path>) -> Result<Self, String> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(wire.patience))
            .timeout_per_read(Some(wire.patience))
            .timeout_per_write(Some(wire.patience))
            // A detour would be timed as the server's.
            .proxy(None)
            .max_redirects(0)
            .max_idle_connections(4096)
            .max_idle_connections_per_host(4096)
            .user_agent(concat!("spark-bench/", env!("CARGO_PKG_VERSION")));
        if wire.base.is_tls() {
            config = config.tls_config(tls::config(ca)?);
        }
        Ok(Self { agent: reopen::agent(config.build()), wire, key, reopened: AtomicU64::new(0) })
    }
    /// Where it leads.
    pub fn base(&self) -> &Base {
        &self.wire.base
    }
    /// How many requests went out a second time so far, because the connection of one before had been closed.
    pub(super) fn reopened(&self) -> u64 {
        self.reopened.load(Relaxed)
    }
    /// The models that the server offers, by name. Errors: what it says instead.
    pub fn models(&self) -> Result<Vec<String>, String> {
        let mut request = self.agent.get(self.wire.base.at("models"));
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut answer = request.call().map_err(|e| told(&e))?;
        let text = answer.body_mut().with_config().limit(8 << 20).read_to_string().map_err(|e| told(&e))?;
        if !answer.status().is_success() {
            return Err(refused(answer.status().as_u16(), &text));
        }
        let list: Value = serde_json::from_str(&text).map_err(|_| "its list of models is no JSON".to_owned())?;
        let names = list["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Sends `body` and waits for the whole answer, or until `stop` is set. Times count from `epoch`, the run's start.
    pub(super) fn ask(&self, api: Api, body: &Value, due_ns: u64, epoch: Instant, stop: &AtomicBool) -> Request {
        self.talk(api, body, due_ns, epoch, stop).0
    }

    /// The same with the usable text of the answer.
    pub(super) fn talk(
        &self,
        api: Api,
        body: &Value,
        due_ns: u64,
        epoch: Instant,
        stop: &AtomicBool,
    ) -> (Request, String) {
        let (mut seen, mut said) = (Request { due_ns, ..Request::default() }, String::new());
        let path = match api {
            Api::Completions => "completions",
            Api::Chat => "chat/completions",
        };
        let bytes = body.to_string();
        let now = || epoch.elapsed().as_nanos() as u64;
        seen.sent_ns = now();
        let result = self.answer(path, &bytes, (&mut seen, &mut said), &now, stop);
        if seen.ended_ns == 0 {
            seen.ended_ns = now();
        }
        seen.error = result.err();
        (seen, said)
    }

    /// Posts `body`; again, where it went into a connection that the server had closed. Errors: no answer.
    fn send(&self, path: &str, body: &str) -> Result<ureq::http::Response<ureq::Body>, String> {
        let began = Instant::now();
        loop {
            let mut request = self.agent.post(self.wire.base.at(path)).header("Content-Type", "application/json");
            if let Some(key) = &self.key {
                request = request.header("Authorization", format!("Bearer {key}"));
            }
            let (sent, opened) = reopen::noted(|| request.send(body));
            match sent.map_err(|e| told(&e)) {
                // It has left the pool, which has an end.
                Err(why) if why == CUT && !opened && began.elapsed() < reopen::SOON => {
                    self.reopened.fetch_add(1, Relaxed);
                }
                sent => return sent,
            }
        }
    }

    fn answer(
        &self,
        path: &str,
        body: &str,
        (seen, said): (&mut Request, &mut String),
        now: &dyn Fn() -> u64,
        stop: &AtomicBool,
    ) -> Result<(), String> {
        let mut answer = self.send(path, body)?;
        let status = answer.status();
        if !status.is_success() {
            let text = answer.body_mut().with_config().limit(64 << 10).lossy_utf8(true).read_to_string();
            return Err(refused(status.as_u16(), &text.unwrap_or_default()));
        }
        let mut reader = answer.into_body().into_reader();
        let (mut events, mut data, mut buffer) = (Events::default(), Vec::new(), vec![0_u8; 16 << 10]);
        let mut ended = false;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(read) => read,
                Err(_) if ended => 0,
                Err(e) => return Err(io(&e, !seen.pieces_ns.is_empty())),
            };
            // The one place where an answer's clock is read: nothing stands between the bytes and this line.
            let at = now();
            if read == 0 {
                break;
            }
            events.take(&buffer[..read], &mut data)?;
            for event in data.drain(..) {
                if event.trim() == "[DONE]" {
                    ended = true;
                    seen.ended_ns = at;
                } else {
                    piece(&event, at - seen.sent_ns, seen, said)?;
                }
            }
            if stop.load(Relaxed) {
                return Err("stopped before its end".to_owned());
            }
        }
        if !ended && seen.finish.is_none() {
            return Err("the stream ended before the answer did".to_owned());
        }
        if seen.pieces_ns.is_empty() {
            // Special tokens, or bytes that are no character yet: it answered, and nobody could read it.
            let counted =
                seen.output_tokens.map(|n| format!(", which the server counts as {n} tokens")).unwrap_or_default();
            return Err(format!("{TEXTLESS}{counted}"));
        }
        Ok(())
    }
}

/// Takes in one event: text that is usable, a thought, the count of tokens, an error.
fn piece(event: &str, at_ns: u64, seen: &mut Request, said: &mut String) -> Result<(), String> {
    let event: Value = serde_json::from_str(event).map_err(|_| "an event that is no JSON".to_owned())?;
    if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
        let said = error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned);
        return Err(format!("an error within the stream: {}", short(&said)));
    }
    let choice = &event["choices"][0];
    let has = |text: &Value| text.as_str().is_some_and(|text| !text.is_empty());
    let delta = &choice["delta"];
    if let Some(text) = [&choice["text"], &delta["content"]].into_iter().find(|text| has(text)) {
        seen.pieces_ns.push(at_ns);
        said.push_str(text.as_str().unwrap_or_default());
    } else if has(&delta["reasoning_content"]) || has(&delta["reasoning"]) {
        seen.thought_ns.get_or_insert(at_ns);
    }
    if let Some(why) = choice["finish_reason"].as_str() {
        seen.finish = Some(short(why));
    }
    let usage = &event["usage"];
    seen.prompt_tokens = usage["prompt_tokens"].as_u64().or(seen.prompt_tokens);
    seen.output_tokens = usage["completion_tokens"].as_u64().or(seen.output_tokens);
    seen.cached_tokens = usage["prompt_tokens_details"]["cached_tokens"].as_u64().or(seen.cached_tokens);
    // llama.cpp's own times. A time that is none is left out.
    let time =
        |name: &str| event["timings"][name].as_f64().filter(|ms| (0.0..1e12).contains(ms)).map(|ms| (ms * 1e6) as u64);
    seen.server_prompt_ns = time("prompt_ms").or(seen.server_prompt_ns);
    seen.server_answer_ns = time("predicted_ms").or(seen.server_answer_ns);
    Ok(())
}

fn short(text: &str) -> String {
    clean(text).chars().take(LONGEST).collect()
}

/// A status that is no success, with what the server says of it.
fn refused(status: u16, text: &str) -> String {
    let said = serde_json::from_str::<Value>(text).ok().and_then(|value| {
        let error = value.get("error")?;
        error["message"].as_str().or(error.as_str()).map(str::to_owned)
    });
    match said.as_deref().unwrap_or(text.lines().next().unwrap_or_default()) {
        "" => format!("HTTP {status}"),
        said => format!("HTTP {status}: {}", short(said)),
    }
}

/// A failure before the answer.
fn told(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(e) => io(e, false),
        ureq::Error::Timeout(_) => SILENT.to_owned(),
        other => short(&other.to_string()),
    }
}

/// How the error of an answer begins that came to its end and had no text.
pub(super) const TEXTLESS: &str = "an answer without usable text";
const SILENT: &str = "no word within the time-out";
const CUT: &str = "the connection was cut";

/// A failure of the connection, in words that do not differ from request to request.
fn io(error: &std::io::Error, begun: bool) -> String {
    use std::io::ErrorKind;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    if matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == ErrorKind::TimedOut {
        return if begun { format!("{SILENT}, in the middle of the answer") } else { SILENT.to_owned() };
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => CUT.to_owned(),
        _ => short(&error.to_string()),
    }
}
