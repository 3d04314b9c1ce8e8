//! Server-sent events out of bytes as they come, whatever the pieces they come in.

/// No event of an answer is longer; what is longer is nonsense.
const LONGEST: usize = 4 << 20;

/// Bytes that are no whole event yet.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
    has_data: bool,
}

impl Events {
    /// Takes `bytes` in and appends the data of every event that they complete to `out`. Errors: text that is none, an event
    /// without end.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<String>) -> Result<(), String> {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() + self.data.len() > LONGEST {
                    return Err("an event without end".to_owned());
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = std::str::from_utf8(&line).map_err(|_| "an event that is no text".to_owned())?;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                if std::mem::take(&mut self.has_data) {
                    out.push(std::mem::take(&mut self.data));
                }
                continue;
            }
            // A line that begins with a colon is a comment: servers keep connections alive with it.
            if let Some(data) = line.strip_prefix("data:") {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
                self.has_data = true;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str =
        ": alive\r\n\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata: lines\nid: 7\n\ndata: [DONE]\n\n";

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_events(cuts in prop::collection::vec(1usize..9, 1..60)) {
            let (mut events, mut out, mut rest) = (Events::default(), Vec::new(), STREAM.as_bytes());
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                events.take(piece, &mut out).unwrap();
                rest = more;
            }
            prop_assert_eq!(&out, &["{\"a\":1}", "two\nlines", "[DONE]"]);
        }
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Events::default().take(&bytes, &mut Vec::new());
        }
    }

    #[test]
    fn an_event_that_was_cut_is_none() {
        let (mut events, mut out) = (Events::default(), Vec::new());
        events.take(b"data: {\"a\"", &mut out).unwrap();
        assert!(out.is_empty());
        let endless = vec![b'x'; LONGEST + 1];
        assert!(Events::default().take(&endless, &mut out).is_err());
    }
}
