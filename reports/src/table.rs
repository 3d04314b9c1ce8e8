//! Tables whose rows become cards on a narrow screen: each cell knows its column's name.

use maud::{Markup, PreEscaped, html};

/// Rows shown before the rest folds away.
const OPEN: usize = 48;
/// Rows of a table that repeats what stands in others, and rows of any that are drawn in full: more would make a page of megabytes.
const FULL: usize = 120;

/// Tables of more columns become cards on a window that is not wide.
const SLIM: usize = 4;
/// A word of more letters may be broken after so many: no column is as wide as the longest name that somebody thought of.
const LONGEST: usize = 28;

/// Columns by name; one markup a cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Markup>>,
    brief: bool,
}

impl Table {
    /// An empty table. The first column names the row.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, ..Self::default() }
    }
    /// One that tells in another way what stands in other tables: of thousands of rows it shows the first ones.
    pub(crate) fn brief(columns: &'static [&'static str]) -> Self {
        Self { brief: true, ..Self::new(columns) }
    }
    /// Adds a row: as many cells as columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Markup>) {
        self.rows.push(cells.into_iter().map(|cell| breakable(&cell)).collect());
    }
    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
    /// The table, or nothing if it has no row. Rows beyond the first 48 fold away and lose nothing; those beyond the first 120 stand as
    /// plain text, or in a brief table not at all, which it says.
    pub(crate) fn render(&self) -> Option<Markup> {
        if self.rows.is_empty() {
            return None;
        }
        let (full, rest) = self.rows.split_at(self.rows.len().min(FULL));
        let (open, folded) = full.split_at(full.len().min(OPEN));
        Some(html! {
            (self.part(open))
            @if !folded.is_empty() {
                details.more { summary { (folded.len()) " rows more" } (self.part(folded)) }
            }
            @if !rest.is_empty() && self.brief {
                p.of { (rest.len()) " rows more are left out here: the other tables, results.csv and the embedded run have them." }
            } @else if !rest.is_empty() {
                details { summary { (rest.len()) " rows more, as plain text" } pre tabindex="0" { (self.plain(rest)) } }
            }
        })
    }
    /// Rows as lines, their cells apart by a tab.
    fn plain(&self, rows: &[Vec<Markup>]) -> Markup {
        let line = |row: &Vec<Markup>| row.iter().map(bare).collect::<Vec<_>>().join("\t");
        // What is left of a cell without its tags is escaped already.
        PreEscaped(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
    fn part(&self, rows: &[Vec<Markup>]) -> Markup {
        let kind = if self.columns.len() > SLIM { "wide" } else { "slim" };
        html! {
            table.(kind) {
                thead { tr { @for name in self.columns { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (i, (cell, name)) in row.iter().zip(self.columns).enumerate() {
                                @if i == 0 { th scope="row" { (cell) } } @else { td data-name=(name) { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The same markup with a place to break in every very long word.
fn breakable(cell: &Markup) -> Markup {
    let mut out = String::with_capacity(cell.0.len());
    let (mut letters, mut tag, mut entity) = (0, false, false);
    for c in cell.0.chars() {
        match c {
            '<' => tag = true,
            '>' => tag = false,
            _ if tag => {}
            '&' => entity = true,
            ';' if entity => entity = false,
            c if c.is_whitespace() => letters = 0,
            _ => {}
        }
        out.push(c);
        // An entity is one letter, counted at its end.
        letters += usize::from(!tag && !entity && c != '>' && !c.is_whitespace());
        if letters >= LONGEST && !tag && !entity {
            out.push_str("<wbr>");
            letters = 0;
        }
    }
    PreEscaped(out)
}

/// Markup without its tags. A `>` in a text or an attribute's value is written `&gt;` there, and quotes hold no `<`.
fn bare(cell: &Markup) -> String {
    let mut text = String::with_capacity(cell.0.len() / 2);
    let mut inside = false;
    for c in cell.0.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_word_may_be_broken_and_tags_and_entities_may_not() {
        let long = "x".repeat(70);
        let broken = breakable(&html! { span title=(long) { (long) } }).0;
        assert_eq!(broken.matches("<wbr>").count(), 2, "{broken}");
        assert!(broken.starts_with(&format!("<span title=\"{long}\">")), "{broken}");
        let entities = breakable(&html! { ("<".repeat(30)) }).0;
        assert_eq!(entities.replace("<wbr>", ""), "&lt;".repeat(30));
        assert!(entities.contains("&lt;<wbr>&lt;"), "{entities}");
        let short = html! { b { "decode" } " qwen2.5-7b q8_0 tg32, and many words more, none of them long" };
        assert_eq!(breakable(&short).0, short.0);
    }

    #[test]
    fn many_rows_fold_then_become_text_and_a_brief_table_says_what_it_leaves_out() {
        let (mut table, mut brief) = (Table::new(&["what", "how"]), Table::brief(&["what", "how"]));
        for n in 0..300 {
            for of in [&mut table, &mut brief] {
                of.row([html! { "a < b " (n) }, html! { span title="x > y" { "<" (n) " GB/s" } sup { "m" } }]);
            }
        }
        let whole = table.render().unwrap().into_string();
        assert!(whole.contains("72 rows more") && whole.contains("180 rows more, as plain text"), "{whole:.400}");
        assert!(whole.contains("a &lt; b 299\t&lt;299 GB/sm"), "escaped as it was");
        let some = brief.render().unwrap().into_string();
        assert!(!some.contains("a &lt; b 299") && some.contains("180 rows more are left out here"));
        assert!(Table::new(&["what"]).render().is_none());
    }
}
