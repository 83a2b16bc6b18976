//! Text → mrkdwn, so that what customers' systems wrote stays text: it cannot
//! mention (`<!channel>`), link, format or quote.
//!
//! Slack documents entities for `&`, `<` and `>` only. There is no escape for
//! `*`, `_`, `~` and the backtick, so where they could open or close formatting
//! they are replaced by characters that look alike; inside a word, where they
//! are harmless (`plan_limit_hit`, e-mail addresses), they stay.

use std::borrow::Cow;
use std::ops::Range;

use url::Url;

use crate::domain::message::{Span, Style, Text};

/// Breaks what Slack would put together, without showing: an emoji's name, a quote at the start of
/// a line, formatting that touches a word.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Longer addresses are drawn as their words alone. Leaves room for them in a field of 2000.
const LINK_MAX: usize = 1000;

/// How much text is kept together when it has to be cut. With every character escaped
/// and an address beside it, it still fits the smallest limit (2000).
const ATOM_MAX: usize = 150;

/// Slack's limits count characters; whether an emoji counts once or twice is not documented, so it counts twice.
pub(super) fn len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether a text is at most `max` long. It is never longer than its bytes, which need no counting.
fn fits(text: &str, max: usize) -> bool {
    text.len() <= max || len(text) <= max
}

/// Whether a text has such a byte. Looks at all of them, which goes many at a time, and not one by one up to the first.
fn holds(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |any, byte| any | is_one(byte))
}

/// Without what cannot be seen: control characters (Slack refuses some), and the marks that
/// turn round the direction of what follows them. Line breaks stay.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    // Most texts are plain ASCII, which shows without looking at each character.
    if !holds(text, |byte| !matches!(byte, b' '..=b'~' | b'\n')) || !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\t' || c == '\r' { ' ' } else { c })
        .filter(|c| !hidden(*c))
        .collect()
}

/// Visible text on one line, cut to `max` with an ellipsis. For `plain_text`, which formats nothing.
pub(super) fn line(text: &str, max: usize) -> String {
    let text = visible(text);
    if text.contains('\n') { cut(text.replace('\n', " ").trim(), max) } else { cut(text.trim(), max) }
}

/// At most `max` long; what is longer ends in an ellipsis. Never between the halves of a character.
pub(super) fn cut(text: &str, max: usize) -> String {
    if fits(text, max) {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        match room.checked_sub(c.len_utf16()) {
            Some(left) => room = left,
            None => break,
        }
        kept.push(c);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Plain text as mrkdwn, on one line or several.
pub(super) fn escaped(text: &str) -> String {
    let (text, mut drawn) = (visible(text), String::with_capacity(text.len() + 16));
    escape(&text, 0..text.len(), &mut drawn);
    drawn
}

/// The whole text in pieces of at most `max` (2000 or more), broken at line ends, else between words,
/// else anywhere. Formatting is closed and opened again at each break. Empty if nothing can be seen.
pub(super) fn pieces(text: &Text, max: usize) -> Vec<String> {
    let mut whole = String::new();
    parts(text, |part| match part {
        Part::Plain(words) => escape(words, 0..words.len(), &mut whole),
        Part::Drawn(atom) => whole.push_str(atom),
    });
    if fits(&whole, max) {
        // Most texts fit, and need not be taken apart.
        return if is_blank(&whole) { Vec::new() } else { vec![whole.trim().to_owned()] };
    }
    let mut pieces = Vec::new();
    let (mut piece, mut filled) = (String::new(), 0);
    for line in lines(atoms(text)) {
        let length: usize = line.iter().map(|atom| len(atom)).sum();
        if filled + length > max && length <= max {
            pieces.push(std::mem::take(&mut piece));
            filled = 0;
        }
        for atom in line {
            let more = len(&atom);
            if filled + more > max {
                pieces.push(std::mem::take(&mut piece));
                filled = 0;
            }
            piece.push_str(&atom);
            filled += more;
        }
    }
    pieces.push(piece);
    pieces.iter().map(|piece| piece.trim().to_owned()).filter(|piece| !is_blank(piece)).collect()
}

/// The whole text in one piece of at most `max` (2000 or more), ending in an ellipsis if there was more.
pub(super) fn one_piece(text: &Text, max: usize) -> String {
    let mut pieces = pieces(text, max - 1).into_iter();
    let first = pieces.next().unwrap_or_default();
    if pieces.next().is_some() { format!("{first}…") } else { first }
}

pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c == ZERO_WIDTH_SPACE)
}

/// Whether something outside of our own `<links>` would become a link of itself. E-mail addresses
/// do not count: they say where they lead.
pub(super) fn links_itself(drawn: &str) -> bool {
    if !holds(drawn, |byte| matches!(byte, b'@' | b'#' | b'/')) {
        return false;
    }
    let outside = drawn.split('<').enumerate().map(|(at, part)| match part.split_once('>') {
        Some((_, after)) if at > 0 => after,
        _ => part,
    });
    let names = |text: &str, mark: char| {
        text.match_indices(mark).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + mark.len_utf8()..]);
            !before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphabetic)
        })
    };
    outside.into_iter().any(|text| text.contains("://") || names(text, '@') || names(text, '#'))
}

/// A part of a text on its way.
enum Part<'a> {
    /// Words without a style, not yet escaped.
    Plain(&'a str),
    /// An atom, complete in itself.
    Drawn(&'a str),
}

fn parts(text: &Text, mut each: impl FnMut(Part<'_>)) {
    for (index, span) in text.0.iter().enumerate() {
        let words = visible(&span.text);
        // `*bold*` is formatted only where it touches no word; ASCII punctuation is fine.
        let wrapped = |span: &Span| matches!(span.style, Style::Strong | Style::Emphasis | Style::Code);
        let touches = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && !c.is_ascii_punctuation());
        let before = index.checked_sub(1).and_then(|before| text.0.get(before));
        if before.is_some_and(|before| wrapped(before) || wrapped(span))
            && touches(before.and_then(|span| span.text.chars().last()))
            && touches(words.chars().next())
        {
            each(Part::Drawn(ZERO_WIDTH_SPACE.encode_utf8(&mut [0; 4])));
        }
        match address(&span.style) {
            None if matches!(span.style, Style::Plain | Style::Link(_)) => each(Part::Plain(&words)),
            link => styled(&words, &span.style, link.as_deref()).iter().for_each(|atom| each(Part::Drawn(atom))),
        }
    }
}

/// The smallest parts between which a text may be cut, each complete in itself.
fn atoms(text: &Text) -> Vec<String> {
    let mut atoms = Vec::new();
    parts(text, |part| match part {
        Part::Plain(words) => plain(words, &mut atoms),
        Part::Drawn(atom) => atoms.push(atom.to_owned()),
    });
    atoms
}

/// Atoms grouped by line; each line keeps its line break.
fn lines(atoms: Vec<String>) -> Vec<Vec<String>> {
    let mut lines = vec![Vec::new()];
    for atom in atoms {
        let ends = atom.ends_with('\n');
        if let Some(line) = lines.last_mut() {
            line.push(atom);
        }
        if ends {
            lines.push(Vec::new());
        }
    }
    lines
}

/// Words with the white space that follows them; very long words in parts.
fn plain(text: &str, atoms: &mut Vec<String>) {
    let mut add = |range: Range<usize>| {
        let mut atom = String::new();
        escape(text, range, &mut atom);
        atoms.push(atom);
    };
    let (mut begin, mut taken, mut before) = (0, 0, None);
    for (at, c) in text.char_indices() {
        let word_begins = before.is_some_and(char::is_whitespace) && !c.is_whitespace();
        if before.is_some() && (word_begins || before == Some('\n') || taken >= ATOM_MAX) {
            add(begin..at);
            (begin, taken) = (at, 0);
        }
        taken += 1;
        before = Some(c);
    }
    if begin < text.len() {
        add(begin..text.len());
    }
}

/// Each line in parts of its own, since formatting ends at a line break. White space at the edges
/// stays outside: Slack formats nothing that begins or ends with it.
fn styled(text: &str, style: &Style, link: Option<&str>) -> Vec<String> {
    let mut atoms = Vec::new();
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            atoms.push("\n".to_owned());
        }
        let begins = line.char_indices().map(|(at, _)| at).step_by(ATOM_MAX);
        let edges: Vec<usize> = begins.chain([line.len()]).collect();
        for part in edges.windows(2).map(|edges| &line[edges[0]..edges[1]]) {
            let inner = part.trim();
            if inner.is_empty() {
                atoms.push(part.to_owned());
                continue;
            }
            let at = part.len() - part.trim_start().len();
            let (before, after) = (&part[..at], &part[at + inner.len()..]);
            let words = escaped(inner);
            atoms.push(match (style, link) {
                (_, Some(url)) => format!("{before}<{url}|{words}>{after}"),
                (Style::Strong, _) => format!("{before}*{words}*{after}"),
                (Style::Emphasis, _) => format!("{before}_{words}_{after}"),
                (Style::Code, _) => format!("{before}`{}`{after}", entities(&inner.replace('`', "ˋ"))),
                _ => format!("{before}{words}{after}"),
            });
        }
    }
    atoms
}

/// The address as it may stand in `<…|…>`; `None` if it is no link, or none that we draw:
/// only http and https, with no name before the host that could pass for another host.
fn address(style: &Style) -> Option<String> {
    let Style::Link(url) = style else { return None };
    let url = Url::parse(url).ok()?;
    let honest = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let drawn = url.as_str().replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    (honest && len(&drawn) <= LINK_MAX).then_some(drawn)
}

/// Draws a part of a text: what a character becomes depends on what stands around it.
fn escape(text: &str, part: Range<usize>, drawn: &mut String) {
    // Each of these is a character of its own in UTF-8, and most texts have none.
    let is_special = |byte: u8| matches!(byte, b'&' | b'<' | b'>' | b'*' | b'_' | b'~' | b'`' | b':');
    if !holds(&text[part.clone()], is_special) {
        return drawn.push_str(&text[part]);
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut begin = part.start;
    for at in part.clone() {
        let byte = text.as_bytes()[at];
        if !is_special(byte) {
            continue;
        }
        let (before, after) = (&text[..at], &text[at + 1..]);
        let after_word = is_word(before.chars().next_back());
        let inside_word = after_word && is_word(after.chars().next());
        let instead = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            // A quote, once Slack has read the entity.
            b'>' if starts_line(before) => "\u{200b}&gt;",
            b'>' => "&gt;",
            b'*' if !inside_word => "∗",
            b'_' if !inside_word => "ˍ",
            b'~' if !inside_word => "∼",
            b'`' => "ˋ",
            b':' if !after_word && names_emoji(after) => ":\u{200b}",
            _ => continue,
        };
        drawn.push_str(&text[begin..at]);
        drawn.push_str(instead);
        begin = at + 1;
    }
    drawn.push_str(&text[begin..part.end]);
}

/// Whether only white space stands between the last line break and here.
fn starts_line(before: &str) -> bool {
    before.chars().rev().take_while(|c| *c != '\n').all(char::is_whitespace)
}

fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Whether `smile:` follows a colon.
fn names_emoji(rest: &str) -> bool {
    let behind = rest.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\''));
    behind.len() < rest.len() && behind.starts_with(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(text: Text) -> String {
        pieces(&text, 3000).join("⏎⏎")
    }

    #[test]
    fn plain_text_stays_plain() {
        for (text, expected) in [
            (
                "<!channel> & <@U1|you> <https://evil.example|Acme>",
                "&lt;!channel&gt; &amp; &lt;@U1|you&gt; &lt;https://evil.example|Acme&gt;",
            ),
            ("*bold* _it_ ~no~ `code` ```fence```", "∗bold∗ ˍitˍ ∼no∼ ˋcodeˋ ˋˋˋfenceˋˋˋ"),
            ("plan_limit_hit of dana_x@acme.com, 2*3, 10:30:15", "plan_limit_hit of dana_x@acme.com, 2*3, 10:30:15"),
            ("> quoted\n> again, a > b", "\u{200b}&gt; quoted\n\u{200b}&gt; again, a &gt; b"),
            (":rotating_light: now: soon", ":\u{200b}rotating_light: now: soon"),
            ("a\0b\u{202e}c\r\nd\te", "abc\nd e"),
            ("שלום 👩‍👩‍👧 Ünï", "שלום 👩‍👩‍👧 Ünï"),
        ] {
            assert_eq!(drawn(Text::plain(text)), expected);
        }
    }

    #[test]
    fn our_own_formatting_is_drawn() {
        let text = Text::strong("Acme *Corp*").then(" fell to ").then_code("a`b<c").then_emphasis(" soon ").then("x");
        assert_eq!(drawn(text), "*Acme ∗Corp∗* fell to `aˋb&lt;c` _soon_ x");
        assert_eq!(drawn(Text::strong("two\nlines").then("s")), "*two*\n*lines*\u{200b}s");
        assert_eq!(drawn(Text::plain("a").then_strong("b")), "a\u{200b}*b*");
    }

    #[test]
    fn links_lead_where_they_say() {
        let link = |url: &str| drawn(Text::new().then_link("CRM >", url));
        assert_eq!(link("https://crm.example/a?b=1&c=<|>"), "<https://crm.example/a?b=1&amp;c=%3C%7C%3E|CRM &gt;>");
        for bad in [
            "javascript:alert(1)",
            "slack://x",
            "https://slack.com@evil.example/",
            "crm",
            "",
            &format!("https://a/{}", "x".repeat(2000)),
        ] {
            assert_eq!(link(bad), "CRM &gt;", "{bad}");
        }
    }

    #[test]
    fn what_would_become_a_link_of_itself_is_found() {
        for text in ["see https://evil.example", "@here", "(#general)", "<https://crm.example|CRM> ftp://x"] {
            assert!(links_itself(text), "{text}");
        }
        for text in ["<https://crm.example/#a|CRM> a", "dana@acme.com", "ticket #4411", "a &lt; b", "a@ #", ""] {
            assert!(!links_itself(text), "{text}");
        }
    }

    #[test]
    fn long_text_is_cut_between_words_and_between_lines() {
        let lines: Vec<String> = (0..100).map(|n| format!("line {n} {}", "word ".repeat(10).trim_end())).collect();
        let cut = pieces(&Text::plain(lines.join("\n")), 3000);
        assert_eq!(cut.join("\n"), lines.join("\n"));
        let whole = Text::strong("x".repeat(7000));
        for piece in pieces(&whole, 3000) {
            assert!(piece.starts_with('*') && piece.ends_with('*') && len(&piece) <= 3000);
        }
        assert!(one_piece(&whole, 2000).ends_with("*…"));
    }

    #[test]
    fn cutting_counts_as_the_strictest_reader() {
        assert_eq!(cut("Acme", 4), "Acme");
        assert_eq!(cut("Acme Corp", 6), "Acme…");
        assert_eq!(cut("👍👍👍", 5), "👍👍…");
        assert_eq!(cut("👍👍👍", 4), "👍…");
        assert_eq!(line("  two\n lines\0 ", 24), "two  lines");
    }

    proptest! {
        #[test]
        fn nothing_can_be_forged(text in "[*_~`<>&|!@#: \na-c]{0,60}") {
            let drawn = escaped(&text);
            prop_assert!(!drawn.contains(['<', '>', '`']), "{}", drawn);
            let chars: Vec<char> = drawn.chars().collect();
            for (at, c) in chars.iter().enumerate().filter(|(_, c)| matches!(c, '*' | '_' | '~')) {
                let inside = at > 0 && chars[at - 1].is_alphanumeric() && chars.get(at + 1).is_some_and(|c| c.is_alphanumeric());
                prop_assert!(inside, "{} in {}", c, drawn);
            }
        }

        #[test]
        fn every_piece_fits_and_no_word_is_lost(text in "\\PC{0,400}", times in 1usize..30, bold: bool) {
            let long = text.repeat(times);
            let text = if bold { Text::strong(long.clone()) } else { Text::plain(long.clone()) };
            let pieces = pieces(&text, 2000);
            prop_assert!(pieces.iter().all(|piece| len(piece) <= 2000 && !is_blank(piece)));
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic() && *c != 'ˍ' && *c != 'ˋ').collect::<String>();
            let entities = ["&amp;", "&lt;", "&gt;"].iter().fold(pieces.concat(), |text, entity| text.replace(entity, ""));
            prop_assert_eq!(letters(&entities), letters(&visible(&long)));
        }
    }
}
