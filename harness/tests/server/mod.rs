//! A small server that speaks enough of OpenAI's interface over a real socket, and misbehaves on demand.
#![allow(dead_code, reason = "each test file uses the part it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As it should be: so many pieces as tokens are asked for, a count, the end.
    Fine,
    /// The same, with no count of tokens.
    Uncounted,
    /// The first piece comes late.
    SlowFirst(Duration),
    /// Silence in the middle, longer than anybody waits.
    Stall,
    /// The connection ends in the middle.
    Cut,
    /// HTTP 429 with a message.
    Busy,
    /// An event that is no JSON.
    Malformed,
    /// An error as an event.
    ErrorEvent,
    /// A role and an empty text before anything usable, then a thought, then text.
    Thoughtful,
    /// An answer without a word.
    Mute,
    /// As it should be; then the connection is closed without a word of that, when the next request is on its way. llama-server does so.
    ClosesAfter,
    /// The connection is closed before an answer.
    Gone,
    /// The events of a file, as a server once sent them.
    Recorded(&'static str),
    /// HTTP 401.
    Locked,
    /// A page of HTML.
    Page,
}

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) body: serde_json::Value,
}

/// A server, gone with this value.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
}

/// Wraps a connection, as TLS does.
pub(crate) type Wrap = Arc<dyn Fn(TcpStream) -> Option<Box<dyn ReadWrite>> + Send + Sync>;
pub(crate) trait ReadWrite: Read + Write + Send {}
impl<T: Read + Write + Send> ReadWrite for T {}

impl Server {
    /// Answers the requests for text in turn as `behaviours` say, the last one for all that follow.
    pub(crate) fn start(behaviours: &[Behaviour]) -> Self {
        Self::wrapped(behaviours, Arc::new(|stream| Some(Box::new(stream) as Box<dyn ReadWrite>)))
    }
    pub(crate) fn wrapped(behaviours: &[Behaviour], wrap: Wrap) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let port = listener.local_addr().expect("it has an address").port();
        let (asked, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let behaviours = behaviours.to_vec();
        let number = Arc::new(AtomicUsize::new(0));
        let (seen, ended) = (asked.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(SeqCst) {
                    return;
                }
                let _ = stream.set_nodelay(true);
                let (behaviours, number, seen, ended, wrap) =
                    (behaviours.clone(), number.clone(), seen.clone(), ended.clone(), wrap.clone());
                std::thread::spawn(move || {
                    if let Some(stream) = wrap(stream) {
                        serve(stream, &behaviours, &number, &seen, &ended);
                    }
                });
            }
        });
        Self { port, asked, stop }
    }
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
    /// Requests for text, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no thread broke").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One connection: requests one after another.
fn serve(
    stream: Box<dyn ReadWrite>,
    behaviours: &[Behaviour],
    number: &AtomicUsize,
    seen: &Mutex<Vec<Asked>>,
    stop: &AtomicBool,
) {
    let mut stream = BufReader::new(stream);
    while !stop.load(SeqCst) {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut key) = (0, None);
        loop {
            let mut header = String::new();
            if stream.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().expect("a number"),
                "authorization" => key = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        if path.ends_with("/models") {
            let _ = whole(
                stream.get_mut(),
                200,
                "{\"object\":\"list\",\"data\":[{\"id\":\"small-model\"},{\"id\":\"other\"}]}",
            );
            continue;
        }
        let body: serde_json::Value = serde_json::from_slice(&body).expect("a request is JSON");
        seen.lock().expect("no thread broke").push(Asked { path: path.clone(), key, body: body.clone() });
        let at = number.fetch_add(1, SeqCst);
        let how = behaviours[at.min(behaviours.len() - 1)];
        if answer(stream.get_mut(), how, &body, path.contains("chat")).is_none() {
            return;
        }
        if how == Behaviour::ClosesAfter {
            // The next request lies there unread when this end is closed: the other one is told of a reset.
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
    }
}

fn whole(out: &mut dyn Write, status: u16, body: &str) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    out.flush()
}

/// Answers one request. `None`: the connection is over.
fn answer(out: &mut dyn Write, how: Behaviour, body: &serde_json::Value, chat: bool) -> Option<()> {
    if how == Behaviour::Busy {
        whole(out, 429, "{\"error\":{\"message\":\"slow down\"}}").ok()?;
        return Some(());
    }
    if how == Behaviour::Locked {
        whole(out, 401, "{\"error\":{\"message\":\"Invalid API Key\",\"code\":401}}").ok()?;
        return Some(());
    }
    if how == Behaviour::Gone {
        return None;
    }
    if how == Behaviour::Page {
        whole(out, 502, "<html>bad gateway</html>").ok()?;
        return Some(());
    }
    write!(out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
    let mut event = |text: &str| -> Option<()> {
        let event = format!("data: {text}\n\n");
        write!(out, "{:x}\r\n{event}\r\n", event.len()).ok()?;
        out.flush().ok()
    };
    if let Behaviour::Recorded(stream) = how {
        let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]").try_for_each(&mut event)?;
        event("[DONE]")?;
        write!(out, "0\r\n\r\n").ok()?;
        return out.flush().ok();
    }
    let tokens = body["max_tokens"].as_u64().unwrap_or(1);
    let text = |word: &str| match chat {
        true => {
            format!("{{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}")
        }
        false => format!("{{\"choices\":[{{\"index\":0,\"text\":\"{word}\",\"finish_reason\":null}}]}}"),
    };
    if chat || how == Behaviour::Thoughtful {
        event(
            "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}",
        )?;
    }
    if how == Behaviour::Thoughtful {
        event("{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}")?;
        std::thread::sleep(Duration::from_millis(20));
    }
    if let Behaviour::SlowFirst(time) = how {
        std::thread::sleep(time);
    }
    for token in 0..tokens {
        let middle = token == tokens / 2;
        match how {
            Behaviour::Mute => break,
            Behaviour::Stall if middle => {
                std::thread::sleep(Duration::from_millis(400));
                return None;
            }
            Behaviour::Cut if middle => return None,
            Behaviour::Malformed if middle => event("{\"choices\": [oops")?,
            Behaviour::ErrorEvent if middle => event("{\"error\":{\"message\":\"out of memory\",\"code\":500}}")?,
            _ => event(&text(" word"))?,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    event("{\"choices\":[{\"index\":0,\"text\":\"\",\"delta\":{},\"finish_reason\":\"length\"}]}")?;
    if how != Behaviour::Uncounted {
        let prompt = body["prompt"].as_str().or(body["messages"][0]["content"].as_str()).unwrap_or_default();
        let count = prompt.split(' ').count() + 1;
        event(&format!(
            "{{\"choices\":[],\"usage\":{{\"prompt_tokens\":{count},\"completion_tokens\":{tokens},\"prompt_tokens_details\":{{\"cached_tokens\":1}}}}}}"
        ))?;
    }
    event("[DONE]")?;
    write!(out, "0\r\n\r\n").ok()?;
    out.flush().ok()
}
