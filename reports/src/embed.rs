//! The exported document inside the page, so that a shared report is also the data it was made from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use maud::{Markup, PreEscaped};
use spark_results::Document;
use std::io::{Read, Write};

const OPEN: &str = r#"<script type="application/json" id="run">"#;
const PACKED: &str = r#"<script type="application/gzip" id="run">"#;
const CLOSE: &str = "</script>";

/// A longer document is packed: thousands of records would make a page of many megabytes.
const LONGEST: usize = 512 << 10;
/// No document that is packed here is longer than this when it is unpacked; what would be is no page of ours.
const MOST: u64 = 1 << 30;

/// The document as a script element that no browser runs: as JSON, and where that is long as gzip in base64. `<` stands as `\u003c`:
/// JSON reads it back, HTML cannot end early.
pub(crate) fn script(document: &Document) -> Markup {
    let json = serde_json::to_string(document).unwrap_or_else(|e| format!("{{\"error\":\"{}\"}}", e.line()));
    let json = json.replace('<', "\\u003c");
    PreEscaped(match packed(&json) {
        Some(packed) => format!("{PACKED}{packed}{CLOSE}"),
        None => format!("{OPEN}{json}{CLOSE}"),
    })
}

/// Packed, where that is worth it.
fn packed(json: &str) -> Option<String> {
    if json.len() <= LONGEST {
        return None;
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::new(4));
    packer.write_all(json.as_bytes()).ok()?;
    Some(STANDARD.encode(packer.finish().ok()?))
}

/// The document that a page made by [`html`](crate::html) carries, as JSON; `None` if `html` is no such page.
pub fn embedded(html: &str) -> Option<String> {
    if let Some((_, rest)) = html.split_once(OPEN) {
        return Some(rest.split_once(CLOSE)?.0.to_owned());
    }
    let (text, _) = html.split_once(PACKED)?.1.split_once(CLOSE)?;
    let packed = STANDARD.decode(text).ok()?;
    let mut json = String::new();
    GzDecoder::new(&packed[..]).take(MOST).read_to_string(&mut json).ok()?;
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_packed_and_comes_back() {
        assert_eq!(packed("{}"), None);
        let long = format!("[{}0]", "1,".repeat(LONGEST));
        let page = format!("<p>{PACKED}{}{CLOSE}", packed(&long).unwrap());
        assert!(page.len() < long.len() / 20);
        assert_eq!(embedded(&page), Some(long));
        for broken in
            [format!("{PACKED}soup!{CLOSE}"), format!("{PACKED}AAAA{CLOSE}"), PACKED.to_owned(), String::new()]
        {
            assert_eq!(embedded(&broken), None, "{broken}");
        }
    }
}
