//! Words as Teams shows them: without what cannot be seen, without Markdown
//! that nobody meant, and with commands as they are typed in Teams.

use url::Url;

use crate::domain::message::{Span, Style, Text};

/// Without control characters, and without the marks that turn round the direction of what follows. Line breaks stay.
pub(super) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\t' || c == '\r' { ' ' } else { c })
        .filter(|c| !hidden(*c))
        .collect()
}

/// Visible text on one line, cut to `max` characters with an ellipsis.
pub(super) fn line(text: &str, max: usize) -> String {
    let text = visible(text).replace('\n', " ");
    let text = text.trim();
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(max.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Text that stands where Teams reads Markdown, so that none of it is any. There is no escape that every client
/// honours, so what could open or close formatting is replaced by what looks alike; inside a word it stays.
pub(super) fn plain(text: &str) -> String {
    let text = visible(text);
    let chars: Vec<char> = text.chars().collect();
    let is_word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(text.len());
    let mut line_start = true;
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| chars.get(before));
        let inside_word = is_word(before) && is_word(chars.get(at + 1));
        match c {
            '*' => out.push('∗'),
            '_' if !inside_word => out.push('ˍ'),
            '~' if !inside_word => out.push('∼'),
            '`' => out.push('ˋ'),
            '[' => out.push('［'),
            ']' => out.push('］'),
            '<' => out.push('‹'),
            '>' => out.push('›'),
            '\\' => out.push('＼'),
            // A list, a heading or a rule, once it stands first in its line.
            '#' | '-' | '+' if line_start => {
                out.push('\u{200b}');
                out.push(c);
            }
            '.' | ')' if before.is_some_and(char::is_ascii_digit) && numbered(&chars[..at]) => {
                out.push('\u{200b}');
                out.push(c);
            }
            c => out.push(c),
        }
        line_start = c == '\n' || (line_start && c.is_whitespace());
    }
    out
}

/// Whether only digits stand between here and the start of the line.
fn numbered(before: &[char]) -> bool {
    before.iter().rev().take_while(|c| **c != '\n').all(|c| c.is_ascii_digit() || c.is_whitespace())
}

/// A text where Teams reads Markdown: bold stays bold, links stay links.
pub(super) fn markdown(text: &Text) -> String {
    let draw = |span: &Span| {
        let words = plain(&as_typed(&span.text));
        let inner = words.trim();
        match (&span.style, address(&span.style)) {
            (_, Some(url)) if !inner.is_empty() => words.replace(inner, &format!("[{inner}]({url})")),
            (Style::Strong, _) if !inner.is_empty() => words.replace(inner, &format!("**{inner}**")),
            _ => words,
        }
    };
    text.0.iter().map(draw).collect()
}

/// Where a link leads, if it is one that we draw: https only (Teams opens no other), with no name before the host.
pub(super) fn address(style: &Style) -> Option<String> {
    let Style::Link(url) = style else { return None };
    let url = Url::parse(url).ok()?;
    let honest = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let drawn = url.as_str().replace('(', "%28").replace(')', "%29");
    (honest && drawn.len() <= 1000).then_some(drawn)
}

/// Commands as they are typed in Teams, where a slash opens a menu of Teams' own: `/account acme` is `account acme`,
/// and `/tandem risks` is `risks`. Amid other words they stand in quotation marks.
pub(super) fn as_typed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, slash)) = next_command(rest) {
        out.push_str(&rest[..at]);
        let after = &rest[at + slash.len()..];
        let (word, whole) = match slash {
            "/tandem " => (after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len()), String::new()),
            _ => (0, "account".to_owned()),
        };
        let name = match slash {
            "/tandem " => argument(&after[word..]),
            _ if after.starts_with("NAME") => 4,
            _ => 0,
        };
        let space = if whole.is_empty() { "" } else { " " };
        let command = format!("{whole}{space}{}", &after[..word + name]);
        let alone = out.is_empty() && after.len() == word + name;
        match alone || (slash == "/account " && name == 0) {
            true => out.push_str(&command),
            false => out.push_str(&format!("\"{command}\"")),
        }
        rest = &after[word + name..];
    }
    out.push_str(rest);
    out
}

/// How long what a command is told is: `NAME`, `[PERIOD]`, `2026-Q3`; 0 where other words follow.
fn argument(after: &str) -> usize {
    let Some(said) = after.strip_prefix(' ') else { return 0 };
    let ends = |c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '[' | ']'));
    let length = said.find(ends).unwrap_or(said.len());
    let goes_on = said[length..].starts_with(|c: char| c.is_alphanumeric());
    if length < 2 || goes_on { 0 } else { length + 1 }
}

/// The next `/account ` or `/tandem ` that begins a word.
fn next_command(text: &str) -> Option<(usize, &'static str)> {
    let found = ["/account ", "/tandem "].into_iter().filter_map(|slash| {
        let mut starts = text.match_indices(slash).map(|(at, _)| at);
        let begins_word = |at: &usize| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '/' || c == ':');
        Some((starts.find(begins_word)?, slash))
    });
    found.min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_read_as_they_are_typed_here() {
        assert_eq!(as_typed("/account NAME"), "account NAME");
        assert_eq!(as_typed("/tandem raise NAME"), "raise NAME");
        assert_eq!(as_typed("/account Acme Corp"), "account Acme Corp");
        assert_eq!(as_typed("Type /account NAME."), "Type \"account NAME\".");
        assert_eq!(as_typed("Did you mean /tandem risks?"), "Did you mean \"risks\"?");
        assert_eq!(as_typed("/tandem risks and /tandem renewals"), "\"risks\" and \"renewals\"");
        assert_eq!(as_typed("/tandem kpi [PERIOD]"), "kpi [PERIOD]");
        assert_eq!(as_typed("Another: /tandem kpi 2026-Q3, 2026-11."), "Another: \"kpi 2026-Q3\", 2026-11.");
        assert_eq!(as_typed("/account ACME Corp"), "account ACME Corp");
        assert_eq!(as_typed("https://crm.example/account acme"), "https://crm.example/account acme");
    }

    #[test]
    fn markdown_is_only_what_was_meant() {
        for (text, drawn) in [
            ("plan_limit_hit", "plan_limit_hit"),
            ("**Acme**", "∗∗Acme∗∗"),
            ("[pay](https://evil.example)", "［pay］(https://evil.example)"),
            ("- item\n1. one\n# big", "\u{200b}- item\n1\u{200b}. one\n\u{200b}# big"),
            ("3.5 percent", "3\u{200b}.5 percent"),
            ("<b>", "‹b›"),
        ] {
            assert_eq!(plain(text), drawn, "{text}");
        }
        let text =
            Text::plain("see ").then_link("CRM (1)", "https://crm.example/a_(b)").then(" or ").then_strong(" now ");
        assert_eq!(markdown(&text), "see [CRM (1)](https://crm.example/a_%28b%29) or  **now** ");
        assert_eq!(markdown(&Text::new().then_link("CRM", "http://crm.example/")), "CRM");
        assert_eq!(markdown(&Text::new().then_link("x", "javascript:alert(1)")), "x");
    }

    proptest! {
        #[test]
        fn nothing_of_a_customers_formats_or_links(text in "[a-z*_~`\\[\\]()<>#\\-+. 0-9\n\u{202e}]{0,80}") {
            let drawn = plain(&text);
            let formats = drawn.contains(['*', '`', '[', ']', '<', '>', '\u{202e}']);
            prop_assert!(!formats, "{}", drawn);
            prop_assert!(line(&text, 20).chars().count() <= 20);
        }
    }
}
