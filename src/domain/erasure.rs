//! What a person's name and address leave behind in what others wrote, and how it is taken out.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

/// What stands in a text where somebody's name or address was.
pub const TAKEN_OUT: &str = "[erased]";

/// Shorter parts of a name are initials and particles, which stand for nobody by themselves.
const PART_FROM: usize = 3;
/// Fewer digits are no telephone number.
const PHONE_FROM: usize = 6;

/// By what somebody is recognised in a text.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    /// Recognised wherever it stands.
    anywhere: Vec<Trace>,
    /// Recognised at their own accounts only, where it is them who is meant.
    at_home: Vec<Trace>,
    /// The words that a text holds where one of `anywhere` may stand, as they are and in lower case.
    words: Vec<String>,
}

#[derive(Debug, Clone)]
struct Trace {
    pattern: Regex,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Phone,
    Name,
}

/// What is known of somebody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub emails: &'a [&'a str],
    pub names: &'a [&'a str],
    pub phones: &'a [&'a str],
    /// As which chat users they are mentioned: `<@U0123>`.
    pub mentions: &'a [&'a str],
}

impl Traces {
    /// A contact: the address and the number anywhere; the name, and each part of it that none of `others` bears, at their
    /// own accounts. Another customer's contact may have the same name.
    pub fn of_contact(known: Known<'_>, others: &[String]) -> Self {
        let mut traces = Self::default();
        traces.addresses(known);
        let others: BTreeSet<&str> = others.iter().flat_map(|name| name.split_whitespace()).collect();
        for name in known.names {
            traces.at_home.extend(full_name(name));
            let parts = name.split_whitespace().map(|part| part.trim_matches(|c: char| !c.is_alphanumeric()));
            for part in parts.filter(|part| part.chars().count() >= PART_FROM && !others.contains(part)) {
                // As it is written: "Will" is a name, "will" is none.
                traces.at_home.extend(trace(&regex::escape(part), false, Kind::Name));
            }
        }
        traces
    }

    /// A colleague: the address and the whole name anywhere. A first name alone says nobody in particular.
    pub fn of_colleague(known: Known<'_>) -> Self {
        let mut traces = Self::default();
        traces.addresses(known);
        for name in known.names {
            traces.anywhere.extend(full_name(name));
            traces.word(name);
        }
        traces
    }

    fn addresses(&mut self, known: Known<'_>) {
        for email in known.emails {
            // As a link holds it, too.
            let pattern = regex::escape(email).replace('@', "(?:@|%40)");
            self.anywhere.extend(trace(&pattern, true, Kind::Address));
            self.word(email);
            self.word(&email.replace('@', "%40"));
        }
        for user in known.mentions {
            let mention = format!("<@{user}>");
            self.anywhere.extend(trace(&regex::escape(&mention), false, Kind::Name));
            self.word(&mention);
        }
        for phone in known.phones {
            let digits: Vec<String> =
                phone.chars().filter(char::is_ascii_digit).map(|digit| digit.to_string()).collect();
            if digits.len() >= PHONE_FROM {
                let dialled = |digits: &[String]| digits.join(r"[\s().\-/]*");
                let mut pattern = format!(r"\+?{}", dialled(&digits));
                if phone.trim_start().starts_with('+') {
                    // As it is dialled at home: without the country's code, which has one to three digits.
                    for code in (1..=3).filter(|code| digits.len() - code >= PHONE_FROM) {
                        pattern += &format!(r"|0[\s().\-/]*{}", dialled(&digits[code..]));
                    }
                }
                self.anywhere.extend(trace(&pattern, false, Kind::Phone));
                self.word(phone);
            }
        }
    }

    fn word(&mut self, word: &str) {
        self.words.extend([word.to_owned(), word.to_lowercase()]);
    }

    /// Words of which a text outside of their own accounts holds one where there is something to take out.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The text without them; `None` where they are not in it. `at_home`: it is about one of their own accounts. One that
    /// has their address is about them too, whatever it is about.
    pub fn taken_out(&self, text: &str, at_home: bool) -> Option<String> {
        let addressed = take_out(&self.anywhere, text);
        if !at_home && addressed.is_none() {
            return None;
        }
        take_out(&self.at_home, addressed.as_deref().unwrap_or(text)).or(addressed)
    }
}

/// The text without any of these; `None` where none is in it.
fn take_out(traces: &[Trace], text: &str) -> Option<String> {
    let mut now: Option<String> = None;
    for trace in traces {
        if let Some(after) = trace.taken_out(now.as_deref().unwrap_or(text)) {
            now = Some(after);
        }
    }
    now
}

fn trace(pattern: &str, any_case: bool, kind: Kind) -> Option<Trace> {
    // What is escaped is a pattern; one that is too large to be one is no name either.
    let pattern = RegexBuilder::new(pattern).case_insensitive(any_case).build().ok()?;
    Some(Trace { pattern, kind })
}

fn full_name(name: &str) -> Option<Trace> {
    let words: Vec<String> = name.split_whitespace().map(regex::escape).collect();
    if words.is_empty() { None } else { trace(&words.join(r"\s+"), true, Kind::Name) }
}

impl Trace {
    fn taken_out(&self, text: &str) -> Option<String> {
        let (mut out, mut from) = (String::new(), 0);
        for found in self.pattern.find_iter(text) {
            let (before, after) = (&text[..found.start()], &text[found.end()..]);
            if self.kind.stands_alone(before, after) {
                out += &text[from..found.start()];
                out += TAKEN_OUT;
                from = found.end();
            }
        }
        (from > 0).then(|| out + &text[from..])
    }
}

impl Kind {
    /// Whether what was found is all of a word, and no part of somebody else's.
    fn stands_alone(self, before: &str, after: &str) -> bool {
        let last = before.chars().next_back();
        let mut next = after.chars();
        let (first, second) = (next.next(), next.next());
        let is = |c: Option<char>, what: fn(char) -> bool| c.is_some_and(what);
        match self {
            Kind::Name => !is(last, char::is_alphanumeric) && !is(first, char::is_alphanumeric),
            Kind::Phone => !is(last, |c| c.is_ascii_digit()) && !is(first, |c| c.is_ascii_digit()),
            Kind::Address => {
                let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
                let goes_on = is(first, |c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                    || (first == Some('.') && is(second, char::is_alphanumeric));
                !is(last, part) && !goes_on
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ines() -> Traces {
        let known = Known {
            emails: &["ines.vidal@acme.example"],
            names: &["Ines Vidal"],
            phones: &["+49 30 1234567"],
            mentions: &[],
        };
        Traces::of_contact(known, &["Paul Vidal".to_owned(), "Rose Inesta".to_owned()])
    }

    fn at_home(text: &str) -> String {
        ines().taken_out(text, true).unwrap_or_else(|| "(stays)".to_owned())
    }

    fn elsewhere(text: &str) -> String {
        ines().taken_out(text, false).unwrap_or_else(|| "(stays)".to_owned())
    }

    #[test]
    fn a_contact_is_taken_out_of_what_was_written_and_nobody_else_is() {
        insta::assert_snapshot!([
            at_home("Ask INES  VIDAL (Ines.Vidal@acme.example, +49 (30) 123-4567)."),
            at_home("Ines's budget is set; Vidal, Paul signs"),
            at_home("Inesta and inespecific stay"),
            at_home("call 030-1234567 or (030) 123 45 67, not 030-12345678"),
            at_home("https://crm.example/?to=INES.VIDAL%40acme.example&x=1"),
            at_home("max.ines.vidal@acme.example, ines.vidal@acme.example.org, +49 30 12345678"),
            elsewhere("Ines Vidal of another customer"),
            elsewhere("write to ines.vidal@acme.example."),
            elsewhere("Ines Vidal, ines.vidal@acme.example"),
        ].join("\n"), @"
        Ask [erased] ([erased], [erased]).
        [erased]'s budget is set; Vidal, Paul signs
        (stays)
        call [erased] or ([erased], not 030-12345678
        https://crm.example/?to=[erased]&x=1
        (stays)
        (stays)
        write to [erased].
        [erased], [erased]
        ");
    }

    #[test]
    fn a_colleague_is_taken_out_by_the_whole_name_everywhere() {
        let known = Known { emails: &["dana@x.eu"], names: &["Dana Ruíz"], phones: &[], mentions: &["U07DANA"] };
        let traces = Traces::of_colleague(known);
        assert_eq!(
            traces.taken_out("dana ruíz or <@U07DANA> calls; Dana knows, dana@x.eu", false).as_deref(),
            Some("[erased] or [erased] calls; Dana knows, [erased]")
        );
        assert_eq!(traces.taken_out("<@U07DANAX> and Dana", false), None);
        let words = ["dana@x.eu", "dana%40x.eu", "<@U07DANA>", "Dana Ruíz"];
        assert_eq!(traces.words(), words.map(|word| [word.to_owned(), word.to_lowercase()]).concat());
    }

    proptest! {
        #[test]
        fn whatever_the_name_and_the_text_nothing_breaks_and_twice_is_once(
            name in "\\PC{1,20}", email in "[a-z.+*(]{1,8}@[a-z.]{1,8}", text in "\\PC{0,60}"
        ) {
            let known = Known { emails: &[&email], names: &[&name], phones: &[&name], mentions: &[&name] };
            let traces = Traces::of_contact(known, &[]);
            let text = format!("{text} {name} {email} {text}");
            if let Some(once) = traces.taken_out(&text, true) {
                prop_assert!(once.contains(TAKEN_OUT));
                prop_assert!(!name.contains("erased") || !once.is_empty());
            }
        }
    }
}
