//! Flat rows out of what programs write: an array or lines of JSON objects, INSERT statements, a Markdown table, a CSV.

use serde_json::{Map, Value};

type Row = Map<String, Value>;

/// The rows of `text`; none where it is no such thing. `json` is the whole as a document, where it is one.
pub(super) fn of(text: &str, json: Option<&Value>) -> Vec<Row> {
    match json {
        Some(Value::Array(list)) => return list.iter().filter_map(|value| value.as_object().cloned()).collect(),
        Some(Value::Object(one)) => return vec![one.clone()],
        Some(_) => return Vec::new(),
        None => {}
    }
    let ways = [lines_of_json, inserts, markdown, comma_separated];
    ways.iter().map(|way| way(text)).find(|rows| !rows.is_empty()).unwrap_or_default()
}

/// Lines that are objects; programs write a log between them.
fn lines_of_json(text: &str) -> Vec<Row> {
    let objects = text.lines().filter(|line| line.trim_start().starts_with('{'));
    objects.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// `INSERT INTO table (a, b) VALUES ('1', '2');`
fn inserts(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("INSERT INTO ") {
        rest = &rest[at + "INSERT INTO ".len()..];
        let Some((names, after)) = rest.split_once('(').and_then(|(_, more)| more.split_once(')')) else { break };
        let Some((_, values)) = after.split_once('(') else { break };
        let (values, behind) = sql_values(values);
        rows.push(names.split(',').map(|name| name.trim().to_owned()).zip(values).collect());
        rest = behind;
    }
    rows
}

/// Values up to the closing parenthesis, and the text behind it. A doubled quote within quotes stands for itself.
fn sql_values(text: &str) -> (Vec<Value>, &str) {
    let (mut values, mut value, mut quoted, mut was_quoted) = (Vec::new(), String::new(), false, false);
    let mut chars = text.char_indices().peekable();
    let push = |values: &mut Vec<Value>, value: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(value);
        let plain = text.trim();
        values.push(match (*was_quoted, plain.eq_ignore_ascii_case("null")) {
            (true, _) => Value::String(text),
            (false, true) => Value::Null,
            (false, false) => Value::String(plain.to_owned()),
        });
        *was_quoted = false;
    };
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if quoted && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                value.push('\'');
            }
            '\'' => {
                quoted = !quoted;
                was_quoted = true;
                if quoted {
                    value.clear();
                }
            }
            ',' if !quoted => push(&mut values, &mut value, &mut was_quoted),
            ')' if !quoted => {
                push(&mut values, &mut value, &mut was_quoted);
                return (values, &text[at + 1..]);
            }
            c if quoted || !was_quoted => value.push(c),
            _ => {}
        }
    }
    (values, "")
}

/// `| a | b |` with a line of dashes below it; several tables with one header each count together.
fn markdown(text: &str) -> Vec<Row> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let line = line.trim().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{0}");
        Some(line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
    };
    let is_rule =
        |row: &[String]| row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')));
    let lines: Vec<Option<Vec<String>>> = text.lines().map(cells).collect();
    let (mut header, mut rows): (Option<&Vec<String>>, Vec<Row>) = (None, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let Some(row) = line else {
            header = None;
            continue;
        };
        if is_rule(row) {
            header = at.checked_sub(1).and_then(|before| lines[before].as_ref());
        } else if let Some(names) = header {
            rows.push(names.iter().cloned().zip(row.iter().cloned().map(Value::String)).collect());
        }
    }
    rows
}

fn comma_separated(text: &str) -> Vec<Row> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let Ok(names) = reader.headers().cloned() else { return Vec::new() };
    if names.len() < 2 {
        return Vec::new();
    }
    let row = |record: csv::StringRecord| {
        names.iter().map(str::to_owned).zip(record.iter().map(|cell| Value::String(cell.to_owned()))).collect()
    };
    reader.records().filter_map(Result::ok).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        serde_json::to_string(&of(text, serde_json::from_str(text).ok().as_ref())).unwrap()
    }

    #[test]
    fn the_same_rows_in_five_ways() {
        let rows = r#"[{"a":"1","b":"x'|y"}]"#;
        assert_eq!(told(rows), rows);
        assert_eq!(told("a log\n{\"a\":\"1\",\"b\":\"x'|y\"}\nmore\n"), rows);
        assert_eq!(told("CREATE TABLE t (a TEXT);\nINSERT INTO t (a, b) VALUES ('1', 'x''|y');\n"), rows);
        assert_eq!(told("| a | b |\n| --- | ---: |\n| 1 | x'\\|y |\n\nbuild: 1\n"), rows);
        assert_eq!(told("a,b\n\"1\",\"x'|y\"\n"), rows);
        assert_eq!(told("INSERT INTO t (a, b) VALUES (NULL, 2.5)"), r#"[{"a":null,"b":"2.5"}]"#);
    }

    #[test]
    fn what_is_no_table_has_no_rows() {
        for text in ["", "words", "[1,2]", "7", "INSERT INTO t (a", "INSERT INTO t (a) VALUES ('1", "| a |\n| b |\n"] {
            assert!(!told(text).contains("\"b\""), "{text}");
        }
    }
}
