//! Texts from outside become plain data: one line, no control characters, a bounded length.

/// Longest text kept, in characters; a CPU brand has at most 48, a host name 253.
const LONGEST: usize = 256;

/// Makes a text from outside harmless to store and print on a line: control and invisible direction characters go (tabs and line
/// breaks become a space), runs of spaces shrink to one, ends are trimmed, and what is longer than 256 characters is cut with `…`.
///
/// It does not escape: whoever writes HTML, CSV or Markdown escapes for that.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::new();
    for (kept, word) in text.split(|c: char| c.is_whitespace()).filter(|w| !w.is_empty()).enumerate() {
        if kept > 0 && !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control() && !is_invisible(*c)));
        // Bytes bound the work on a huge input; characters are counted once below.
        if out.len() > LONGEST * 4 {
            break;
        }
    }
    let out = out.trim();
    if out.chars().count() <= LONGEST {
        return out.to_owned();
    }
    out.chars().take(LONGEST - 1).chain(std::iter::once('…')).collect()
}

/// Characters that show nothing but reorder or hide what stands beside them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_one_harmless_line() {
        for (dirty, clean_) in [
            ("  Some  CPU \n", "Some CPU"),
            ("a\x1b[31mred\x07", "a[31mred"),
            ("evil\u{202e}gnp.exe", "evilgnp.exe"),
            ("a\tb\r\nc", "a b c"),
            ("\0\0", ""),
            ("a \x01 b", "a b"),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
        ] {
            assert_eq!(clean(dirty), clean_, "{dirty:?}");
        }
        let long = clean(&"é".repeat(100_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (256, true));
        let spaced = clean(&"w ".repeat(100_000));
        assert!(spaced.chars().count() <= 256);
    }
}
