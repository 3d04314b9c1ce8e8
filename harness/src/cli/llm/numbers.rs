//! Numbers as llama-bench takes them: lists and ranges, `512,1024`, `512-4096*2`, `0-8192+2048`.

use anyhow::{Context, bail, ensure};
use spark_results::machine::clean;

/// A list that comes to more values than this is a slip of the finger.
const MOST: usize = 4096;

/// Every number that `text` names, in order. `flag` is named in errors: no number, a range that runs backwards, never ends or
/// is missing a part, or more than 4096 values.
pub(in crate::cli) fn list(flag: &str, text: &str) -> anyhow::Result<Vec<u64>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        range(part.trim(), &mut all).with_context(|| format!("{flag} '{}'", clean(text)))?;
    }
    Ok(all)
}

/// Every number of every text of a flag that may be repeated; `default` where it is not given.
pub(in crate::cli) fn lists(flag: &str, texts: &[String], default: u64) -> anyhow::Result<Vec<u64>> {
    if texts.is_empty() {
        return Ok(vec![default]);
    }
    list(flag, &texts.join(","))
}

/// `PP,TG`: a prompt and an answer, each a number or a range, as every pair they make. Errors: not two, or a 0.
pub(super) fn pairs(flag: &str, text: &str) -> anyhow::Result<Vec<(u64, u64)>> {
    let shown = clean(text);
    let Some((prompts, answers)) = text.split_once(',').filter(|(_, rest)| !rest.contains(',')) else {
        bail!("{flag} '{shown}': write a prompt and an answer, such as 512,128; give {flag} again for another pair");
    };
    let (prompts, answers) = (list(flag, prompts)?, list(flag, answers)?);
    let pairs: Vec<_> = prompts.iter().flat_map(|p| answers.iter().map(move |n| (*p, *n))).collect();
    ensure!(pairs.len() <= MOST, "{flag} '{shown}': more than {MOST} pairs; give fewer");
    ensure!(
        pairs.iter().all(|(p, n)| *p > 0 && *n > 0),
        "{flag} '{shown}': both are at least 1; a prompt alone is -p, an answer alone is -n"
    );
    Ok(pairs)
}

/// `first`, `first-last`, `first-last+step` or `first-last*factor`.
fn range(text: &str, all: &mut Vec<u64>) -> anyhow::Result<()> {
    let Some((first, rest)) = text.split_once('-') else {
        let value = number(text)?;
        return push(value, all);
    };
    let (last, step) = match rest.find(['+', '*']) {
        Some(at) => (&rest[..at], Some((rest.as_bytes()[at], number(&rest[at + 1..])?))),
        None => (rest, None),
    };
    let (first, last) = (number(first)?, number(last)?);
    ensure!(first <= last, "the range runs backwards; write {last}-{first}");
    match step {
        Some((b'+', 0)) => bail!("a step of 0 never arrives; write a step from 1"),
        Some((b'*', factor)) if factor < 2 => bail!("a factor of {factor} never arrives; write a factor from 2"),
        Some((b'*', _)) if first == 0 => bail!("0 times anything is 0; begin at 1 or use +step"),
        _ => {}
    }
    let mut value = first;
    loop {
        push(value, all)?;
        let next = match step {
            Some((b'*', factor)) => value.checked_mul(factor),
            Some((_, step)) => value.checked_add(step),
            None => value.checked_add(1),
        };
        match next {
            Some(next) if next <= last => value = next,
            _ => return Ok(()),
        }
    }
}

fn push(value: u64, all: &mut Vec<u64>) -> anyhow::Result<()> {
    ensure!(all.len() < MOST, "more than {MOST} values; give fewer");
    all.push(value);
    Ok(())
}

fn number(text: &str) -> anyhow::Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(value) if digits => Ok(value),
        _ => bail!(
            "'{}' is no whole number; write lists and ranges such as 512,1024, 512-4096*2 or 0-8192+2048",
            clean(text)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_ranges_read_as_in_llama_bench() {
        assert_eq!(list("-p", "512,1024").unwrap(), [512, 1024]);
        assert_eq!(list("-p", "512-4096*2").unwrap(), [512, 1024, 2048, 4096]);
        assert_eq!(list("-d", "0-8192+2048").unwrap(), [0, 2048, 4096, 6144, 8192]);
        assert_eq!(list("-d", "1-4, 7-7,5-8+10").unwrap(), [1, 2, 3, 4, 7, 5]);
        assert_eq!(list("-d", "18446744073709551614-18446744073709551615").unwrap().len(), 2);
        assert_eq!(lists("-p", &[], 512).unwrap(), [512]);
        assert_eq!(lists("-p", &["1,2".into(), "4".into()], 512).unwrap(), [1, 2, 4]);
        assert_eq!(pairs("-pg", "512-1024*2,128").unwrap(), [(512, 128), (1024, 128)]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            ",",
            "1,",
            "x",
            "-1",
            "1-",
            "1-x",
            "8-4",
            "1-8+0",
            "1-8*1",
            "1-8*0",
            "0-8*2",
            "1-8+",
            "1-8*2*2",
            "1-2-3",
            "+1",
            "1e3",
            "0-9999999",
            "99999999999999999999",
        ] {
            let error = list("-p", text).unwrap_err().to_string();
            assert!(error.starts_with("-p '"), "{text}: {error}");
        }
        assert!(format!("{:#}", list("-p", "8-4").unwrap_err()).contains("4-8"));
        for text in ["512", "1,2,3", "0,4", "4,0", "a,b", ""] {
            assert!(pairs("-pg", text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9,+*x -]{0,24}") {
            if let Ok(values) = list("-p", &text) {
                prop_assert!(!values.is_empty() && values.len() <= MOST);
            }
        }
        #[test]
        fn a_range_holds_what_its_words_say(first in 0u64..5000, more in 0u64..5000, step in 10u64..900) {
            let last = first + more;
            let expected: Vec<_> = (first..=last).step_by(step as usize).collect();
            prop_assert_eq!(list("-p", &format!("{first}-{last}+{step}")).unwrap(), expected);
            let grown = list("-p", &format!("{}-{}*3", first + 1, last + 1)).unwrap();
            prop_assert!(grown.windows(2).all(|w| w[1] == 3 * w[0]));
            prop_assert!(grown[0] == first + 1 && grown[grown.len() - 1] <= last + 1 && 3 * grown[grown.len() - 1] > last + 1);
        }
    }
}
