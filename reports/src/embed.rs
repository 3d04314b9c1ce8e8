//! The exported document inside the page, so that a shared report is also the data it was made from.

use maud::{Markup, PreEscaped};
use spark_results::Document;

const OPEN: &str = r#"<script type="application/json" id="run">"#;
const CLOSE: &str = "</script>";

/// The document as a script element that no browser runs. `<` stands as `\u003c`: JSON reads it back, HTML cannot end early.
pub(crate) fn script(document: &Document) -> Markup {
    let json = serde_json::to_string(document).unwrap_or_else(|e| format!("{{\"error\":\"{}\"}}", e.line()));
    PreEscaped(format!("{OPEN}{}{CLOSE}", json.replace('<', "\\u003c")))
}

/// The document that a page made by [`html`](crate::html) carries, as JSON; `None` if `html` is no such page.
pub fn embedded(html: &str) -> Option<String> {
    let (_, rest) = html.split_once(OPEN)?;
    Some(rest.split_once(CLOSE)?.0.to_owned())
}
