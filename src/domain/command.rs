//! What people type. Each command is declared once, in [`COMMANDS`]: the parser,
//! the help and the "did you mean" all read that table.

use std::fmt;

/// One command: how it is typed and what it does, for the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// The word after `/tandem`; `account` is also a command of its own.
    pub word: &'static str,
    /// What else people type for it.
    pub also: &'static [&'static str],
    pub usage: &'static str,
    /// One line, plain words.
    pub does: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Account,
    Risks,
    Windows,
    Renewals,
    Handoffs,
    Raise,
    Voice,
    Kpi,
    Snoozed,
    Home,
    Settings,
    Help,
}

const fn usage(
    word: &'static str,
    kind: Kind,
    also: &'static [&'static str],
    usage: &'static str,
    does: &'static str,
) -> Usage {
    Usage { word, also, usage, does, kind }
}

/// Every command, in the order in which the help lists them.
pub const COMMANDS: [Usage; 12] = [
    usage("account", Kind::Account, &[], "/account NAME", "One account from both angles. Part of the name is enough."),
    usage("risks", Kind::Risks, &["risk"], "/tandem risks", "Your accounts at risk, the largest expected loss first."),
    usage("windows", Kind::Windows, &["window"], "/tandem windows", "Open chances to sell more, and who has each."),
    usage(
        "renewals",
        Kind::Renewals,
        &["renewal"],
        "/tandem renewals",
        "Your renewals, the nearest opt-out date first.",
    ),
    usage(
        "handoffs",
        Kind::Handoffs,
        &["handoff"],
        "/tandem handoffs",
        "What was passed to you, and what you passed on.",
    ),
    usage(
        "raise",
        Kind::Raise,
        &[],
        "/tandem raise NAME",
        "Report what the data does not show: an opportunity, a risk, your own read of the mood, feedback, a new champion.",
    ),
    usage("voice", Kind::Voice, &[], "/tandem voice", "Product feedback that customers gave."),
    usage(
        "kpi",
        Kind::Kpi,
        &["kpis", "figures"],
        "/tandem kpi [PERIOD]",
        "Key figures with what they mean: yours, your team's or everybody's. This quarter, or 2026-Q3, 2026-11, 2026.",
    ),
    usage("snoozed", Kind::Snoozed, &["snooze"], "/tandem snoozed", "What you put to sleep, and when it wakes."),
    usage(
        "home",
        Kind::Home,
        &[],
        "/tandem home",
        "Your book on one page: by band and change, your matters, your team.",
    ),
    usage(
        "settings",
        Kind::Settings,
        &["setting"],
        "/tandem settings",
        "When your morning message comes, and who stands in for you.",
    ),
    usage("help", Kind::Help, &["hi", "hello", "hey", "?"], "/tandem help", "What you can ask, and how."),
];

/// A typed command, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `name` is never empty, at most 200 characters, single-spaced.
    Account {
        name: String,
    },
    Risks,
    Windows,
    Renewals,
    Handoffs,
    /// `name` as in [`Command::Account`].
    Raise {
        name: String,
    },
    Voice,
    /// `period` as it was typed; empty for the quarter that runs.
    Kpi {
        period: String,
    },
    Snoozed,
    Home,
    Settings,
    /// `topic` where the help of one command was asked for.
    Help {
        topic: Option<&'static Usage>,
    },
    /// `nearest` is a word of [`COMMANDS`] that differs by a typing error.
    Unknown {
        typed: String,
        nearest: Option<&'static str>,
    },
    /// The command needs an account's name.
    MissingName {
        usage: &'static str,
    },
}

/// As it is typed after the bot's name; [`parse`] reads it back.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A name that would ask for help is told from the question by its quotes.
            Command::Account { name } if asks_for_help(&COMMANDS[0], name) => write!(f, "account \"{name}\""),
            Command::Account { name } => write!(f, "account {name}"),
            Command::Raise { name } if asks_for_help(&COMMANDS[5], name) => write!(f, "raise \"{name}\""),
            Command::Raise { name } => write!(f, "raise {name}"),
            Command::Risks => f.write_str("risks"),
            Command::Windows => f.write_str("windows"),
            Command::Renewals => f.write_str("renewals"),
            Command::Handoffs => f.write_str("handoffs"),
            Command::Voice => f.write_str("voice"),
            Command::Kpi { period } if period.is_empty() => f.write_str("kpi"),
            Command::Kpi { period } => write!(f, "kpi {period}"),
            Command::Snoozed => f.write_str("snoozed"),
            Command::Home => f.write_str("home"),
            Command::Settings => f.write_str("settings"),
            Command::Help { topic: Some(usage) } => write!(f, "help {}", usage.word),
            Command::Help { topic: None } => f.write_str("help"),
            Command::Unknown { typed, .. } => f.write_str(typed),
            Command::MissingName { usage } => f.write_str(usage.trim_end_matches("NAME").trim_end()),
        }
    }
}

/// Longer than any company's name; what follows is cut.
const MAX_CHARS: usize = 200;

/// Understands `/account NAME` and `/tandem WORD …`. Any other `command` (a bot's own name, nothing at all
/// in Teams) is read like `/tandem`, so `account acme` and `tandem risks` work as plain text too.
pub fn parse(command: &str, text: &str) -> Command {
    let command = command.trim().trim_start_matches('/').to_lowercase();
    let text = clean(text);
    if command == "account" {
        return named(&COMMANDS[0], &text);
    }
    let (first, rest) = split_word(&text);
    let (first, rest) = match first.trim_start_matches('/').to_lowercase().as_str() {
        "tandem" => split_word(rest),
        _ => (first, rest),
    };
    let first = first.trim_start_matches('/').to_lowercase();
    if first.is_empty() {
        return Command::Help { topic: None };
    }
    match find(&first) {
        Some(usage) if asks_for_help(usage, rest) => Command::Help { topic: Some(usage) },
        Some(usage) => named(usage, rest),
        None => Command::Unknown { nearest: nearest(&first), typed: first },
    }
}

/// "/tandem windows help". Behind a word that takes a name, "help" may be one: there only what no name is asks for it.
fn asks_for_help(usage: &Usage, rest: &str) -> bool {
    match rest.to_lowercase().as_str() {
        "?" | "-h" | "--help" => true,
        "help" => !matches!(usage.kind, Kind::Account | Kind::Raise),
        _ => false,
    }
}

fn named(usage: &'static Usage, rest: &str) -> Command {
    let name = unquote(rest).to_owned();
    let missing = Command::MissingName { usage: usage.usage };
    match usage.kind {
        Kind::Account if name.is_empty() => missing,
        Kind::Account => Command::Account { name },
        Kind::Raise if name.is_empty() => missing,
        Kind::Raise => Command::Raise { name },
        Kind::Risks => Command::Risks,
        Kind::Windows => Command::Windows,
        Kind::Renewals => Command::Renewals,
        Kind::Handoffs => Command::Handoffs,
        Kind::Voice => Command::Voice,
        Kind::Kpi => Command::Kpi { period: name },
        Kind::Snoozed => Command::Snoozed,
        Kind::Home => Command::Home,
        Kind::Settings => Command::Settings,
        Kind::Help => Command::Help { topic: find(&name.to_lowercase()) },
    }
}

fn find(word: &str) -> Option<&'static Usage> {
    COMMANDS.iter().find(|usage| usage.word == word || usage.also.contains(&word))
}

/// The command meant by a mistyped word: begun but not finished, or at most two slips away.
fn nearest(typed: &str) -> Option<&'static str> {
    if typed.chars().count() >= 2
        && let Some(begun) = COMMANDS.iter().find(|usage| usage.word.starts_with(typed))
    {
        return Some(begun.word);
    }
    let slips = |word: &str| strsim::damerau_levenshtein(typed, word);
    let best = COMMANDS.iter().map(|usage| usage.word).min_by_key(|word| slips(word))?;
    // Two slips in a word of three letters make any word of any other.
    let allowed = if best.chars().count() > 4 { 2 } else { 1 };
    (slips(best) <= allowed).then_some(best)
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// Single-spaced, without mentions and invisible characters, links replaced by their label, at most 200 characters.
fn clean(text: &str) -> String {
    let visible: String = unlink(text)
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let spaced = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = spaced.chars().take(MAX_CHARS).collect();
    unquote(&cut).to_owned()
}

/// Slack writes mentions as `<@U1|dana>`, channels as `<#C1>` and a typed domain as `<https://acme.com|acme.com>`.
/// Mentions and channels say nothing here; of a link the label was typed. Other `<` stand for themselves.
fn unlink(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let inner = from[1..].split_once('>').map(|(inner, after)| (inner, after, inner.chars().next()));
        rest = match inner {
            Some((_, after, Some('@' | '#' | '!'))) => {
                out.push(' ');
                after
            }
            Some((link, after, _)) if link.starts_with("http://") || link.starts_with("https://") => {
                let label = link.split_once('|').map_or(link, |(_, label)| label);
                out.push_str(label.trim_start_matches("https://").trim_start_matches("http://"));
                after
            }
            _ => {
                out.push('<');
                &from[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// The quotation marks that keyboards and autocorrection put around a name.
const QUOTES: &[char] = &['"', '\'', '`', '“', '”', '„', '‘', '’', '‚', '«', '»'];

fn unquote(text: &str) -> &str {
    let text = text.trim();
    // One quote alone belongs to the name: "O'Neil's", "Levi's'".
    match (text.strip_prefix(QUOTES), text.strip_suffix(QUOTES)) {
        (Some(_), Some(_)) => text.trim_matches(QUOTES).trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(name: &str) -> Command {
        Command::Account { name: name.to_owned() }
    }

    #[test]
    fn names_come_out_as_they_were_meant() {
        for typed in [
            "acme corp",
            "  acme   corp ",
            "\"acme corp\"",
            "“acme corp”",
            "'acme corp'",
            "<@U012AB> acme corp",
            "acme\u{a0}corp\u{200b}",
            "acme\ncorp",
        ] {
            assert_eq!(parse("/account", typed), account("acme corp"), "{typed:?}");
        }
        assert_eq!(parse("/Account", "O'Neil's"), account("O'Neil's"));
        assert_eq!(parse("/account", "<https://acme.com|acme.com>"), account("acme.com"));
        assert_eq!(parse("/account", "a < b"), account("a < b"));
        assert_eq!(parse("/account", "Müller & Söhne"), account("Müller & Söhne"));
        assert_eq!(parse("/account", "  \"\" "), Command::MissingName { usage: "/account NAME" });
        assert_eq!(parse("/account", "risks"), account("risks"));
    }

    #[test]
    fn tandem_takes_a_word() {
        assert_eq!(parse("/tandem", "RISKS please"), Command::Risks);
        assert_eq!(parse("/tandem", "\"windows\""), Command::Windows);
        assert_eq!(parse("/tandem", "raise Acme Corp"), Command::Raise { name: "Acme Corp".to_owned() });
        assert_eq!(parse("/tandem", "raise"), Command::MissingName { usage: "/tandem raise NAME" });
        assert_eq!(parse("/tandem", "account acme"), account("acme"));
        assert_eq!(parse("/tandem", ""), Command::Help { topic: None });
        assert_eq!(parse("/tandem", "help windows"), Command::Help { topic: Some(&COMMANDS[2]) });
        assert_eq!(parse("/tandem", "windows help"), Command::Help { topic: Some(&COMMANDS[2]) });
        assert_eq!(parse("/tandem", "raise --help"), Command::Help { topic: Some(&COMMANDS[5]) });
        assert_eq!(parse("/tandem", "raise help"), Command::Raise { name: "help".to_owned() });
    }

    #[test]
    fn plain_text_to_the_bot_works_too() {
        assert_eq!(parse("", "Hello"), Command::Help { topic: None });
        assert_eq!(parse("", "tandem renewals"), Command::Renewals);
        assert_eq!(parse("", "/account acme"), account("acme"));
        assert_eq!(parse("", "<@U1> kpi"), Command::Kpi { period: String::new() });
        assert_eq!(parse("/tandem", "kpi 2026-Q3"), Command::Kpi { period: "2026-Q3".to_owned() });
    }

    #[test]
    fn slips_are_answered_with_the_nearest_command() {
        let near = |typed: &str| match parse("/tandem", typed) {
            Command::Unknown { nearest, .. } => nearest,
            other => panic!("{typed} was understood as {other:?}"),
        };
        assert_eq!(near("riks"), Some("risks"));
        assert_eq!(near("widnows"), Some("windows"));
        assert_eq!(near("renwals"), Some("renewals"));
        assert_eq!(near("hand"), Some("handoffs"));
        assert_eq!(near("kpo"), Some("kpi"));
        assert_eq!(near("acme"), None);
        assert_eq!(near("x"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_names_stay_short(command in "\\PC{0,12}", text in "(\\PC|\n|<|@|>|\"){0,400}") {
            match parse(&command, &text) {
                Command::Account { name } | Command::Raise { name } => {
                    prop_assert!(!name.is_empty() && name.chars().count() <= MAX_CHARS);
                    prop_assert_eq!(name.trim(), &name);
                }
                Command::Unknown { typed, .. } => prop_assert!(!typed.is_empty()),
                _ => {}
            }
        }

        #[test]
        fn a_command_reads_back_as_it_is_written(text in "[a-zA-Z0-9?][a-zA-Z0-9 .&-]{0,40}", at in 0..COMMANDS.len()) {
            for typed in [text.clone(), format!("{} {text}", COMMANDS[at].word)] {
                let command = parse("/tandem", &typed);
                prop_assert_eq!(parse("", &command.to_string()), command);
            }
        }

        #[test]
        fn case_and_space_do_not_matter(at in 0..COMMANDS.len(), upper in any::<bool>(), space in " {0,5}") {
            let word = COMMANDS[at].word;
            let typed = if upper { word.to_uppercase() } else { word.to_owned() };
            prop_assert_eq!(parse("/tandem", &format!("{space}{typed}{space}")), parse("/tandem", word));
        }

        #[test]
        fn one_swap_of_letters_finds_the_command(at in 0..COMMANDS.len() - 1, place in 0..4_usize) {
            let word = COMMANDS[at].word;
            prop_assume!(place + 1 < word.len());
            let mut letters: Vec<char> = word.chars().collect();
            letters.swap(place, place + 1);
            let typed: String = letters.into_iter().collect();
            prop_assume!(find(&typed).is_none());
            let found = match parse("/tandem", &typed) {
                Command::Unknown { nearest, .. } => nearest,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            prop_assert_eq!(found, Some(word));
        }
    }

    #[test]
    fn every_word_is_declared_once() {
        let mut words: Vec<&str> = COMMANDS.iter().flat_map(|u| u.also.iter().copied().chain([u.word])).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
