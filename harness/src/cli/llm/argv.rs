//! llama-bench's flags of one dash and several letters, which would otherwise be read letter by letter.

use std::ffi::OsString;

/// What is written in llama-bench, and the long flag that stands for it here.
const FORMS: &[(&str, &str)] = &[
    ("-pg", "--pg"),
    ("-npl", "--batch"),
    ("-ctk", "--cache-type-k"),
    ("-ctv", "--cache-type-v"),
    ("-ub", "--ubatch-size"),
    ("-ngl", "--n-gpu-layers"),
    ("-fa", "--flash-attn"),
    ("-mmp", "--mmap"),
    ("-sm", "--split-mode"),
];

/// `arguments` with those flags in their long form. Only behind the verb `llm`, and only before a `--`.
pub(in crate::cli) fn long_forms(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = arguments.into_iter().collect();
    if all.get(1).is_some_and(|verb| verb == "llm") {
        for argument in all.iter_mut().skip(2) {
            match argument.to_str() {
                Some("--") => break,
                Some(text) => {
                    if let Some(long) = long(text) {
                        *argument = long.into();
                    }
                }
                None => {}
            }
        }
    }
    all
}

/// The long form of `-pg` and `-pg=512,128`; `None` for anything else.
fn long(text: &str) -> Option<String> {
    let (flag, value) = text.split_once('=').map_or((text, None), |(flag, value)| (flag, Some(value)));
    let (_, long) = FORMS.iter().find(|(short, _)| *short == flag)?;
    Some(value.map_or_else(|| (*long).to_owned(), |value| format!("{long}={value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(line: &str) -> String {
        let all = long_forms(line.split(' ').map(OsString::from));
        all.iter().map(|a| a.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_known_ones_behind_the_verb_change() {
        assert_eq!(rewritten("b llm -pg 512,128 -p 4 -ngl=99"), "b llm --pg 512,128 -p 4 --n-gpu-layers=99");
        assert_eq!(rewritten("b llm -npl 1,2 -pgx -- -fa"), "b llm --batch 1,2 -pgx -- -fa");
        assert_eq!(rewritten("b run -pg 1"), "b run -pg 1");
        assert_eq!(rewritten("b"), "b");
    }
}
