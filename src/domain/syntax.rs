//! Where and why a text is no TOML, in one sentence. The parsers' own words repeat the line at fault, and in a
//! configuration that may be a secret.

use std::ops::Range;

/// What is wrong with `text` and where, from a parser's message and the bytes that it blames.
pub fn fault(text: &str, message: &str, span: Option<Range<usize>>) -> String {
    let what = message.split('\n').map(str::trim).collect::<Vec<_>>().join(", ");
    let Some(before) = span.and_then(|span| text.get(..span.start)) else { return what };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let error = text.parse::<toml::Table>().unwrap_err();
        fault(text, error.message(), error.span())
    }

    #[test]
    fn the_place_is_named_and_the_line_is_not_repeated() {
        let faults = [
            "a = 1\nTOKEN = \"xoxb-canary",
            "TOKEN = xoxb-canary",
            "TOKEN \"xoxb-canary\"",
            "é = \"xoxb-canary\"",
            "TOKEN = \"xoxb-canary\" x",
            "TOKEN = \"xoxb-canary\"\nTOKEN = \"xoxb-canary\"",
            "TOKEN = \"xoxb\\canary\"",
            "TOKEN = [\"xoxb-canary\",\n",
        ];
        let all = faults.map(said).join("\n");
        assert!(!all.contains("canary"), "{all}");
        insta::assert_snapshot!(all, @r#"
        line 2, column 21: invalid basic string, expected `"`
        line 1, column 9: string values must be quoted, expected literal string
        line 1, column 7: key with no value, expected `=`
        line 1, column 1: invalid unquoted key, expected letters, numbers, `-`, `_`
        line 1, column 23: unexpected key or value, expected newline, `#`
        line 2, column 1: duplicate key
        line 1, column 15: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
        line 1, column 24: unclosed array, expected `]`
        "#);
    }
}
