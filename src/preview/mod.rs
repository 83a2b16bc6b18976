//! Messages as HTML: the third renderer, and the demo's page around them.
//!
//! Everything here is a pure function from a view to markup. `message` draws
//! what Tandem says, `dialog` what it asks, `page` the place where both stand.
//! The page works without JavaScript, by POST, redirect and GET; `demo.js` only
//! spares the reload.

mod conversation;
pub mod dialog;
pub mod message;
pub mod notice;
pub mod page;

/// Served at `/demo.css` as `text/css`.
pub const STYLES: &str = include_str!("demo.css");

/// Served at `/demo.js` as `text/javascript`.
pub const SCRIPT: &str = include_str!("demo.js");

/// Served at `/demo.svg` as `image/svg+xml`: the page's icon.
pub const ICON: &str = include_str!("demo.svg");

/// The page needs nothing but its own three assets and its own origin: no
/// inline script or style, no other host, no frame around it.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::dialog::DialogView;
    use super::page::{ActivityView, MessageView, MorningView, PageView, PersonView, Sender, page};
    use crate::domain::account::AccountId;
    use crate::domain::action::{Action, Subject, Verb};
    use crate::domain::message::chart::{Chart, Kind};
    use crate::domain::message::{Answers, Block, Button, Buttons, Dialog, Emphasis, Field, Input, Message, Text};
    use crate::domain::money::Currency;

    /// A page with `text` in every place that takes words.
    fn page_of(text: &str) -> String {
        let words = || text.to_owned();
        let action = Action::new(Verb::Note, Subject::Account(AccountId(words())));
        let button = || Button {
            label: words(),
            action: action.clone(),
            emphasis: Emphasis::Normal,
            spoken: format!("{text} Acme"),
        };
        let styled = || {
            Text::plain(text)
                .then_strong(text)
                .then_emphasis(text)
                .then_code(text)
                .then_link(text, "https://crm.example/")
                .then_link(text, format!("javascript:{text}"))
        };
        let message = || Message {
            summary: words(),
            blocks: vec![
                Block::Heading(words()),
                Block::Text(styled()),
                Block::Bullets(vec![styled()]),
                Block::Facts(vec![(words(), styled())]),
                Block::Context(styled()),
                Block::Chart(Chart { title: words(), alt: words(), kind: Kind::Bars(Vec::new()) }),
                Block::Buttons(Buttons { shown: vec![button()], more: vec![button()] }),
            ],
        };
        let field = |id, input| Field { id, label: words(), hint: Some(words()), required: true, input };
        let dialog = Dialog {
            title: words(),
            submit: words(),
            intro: Some(styled()),
            fields: vec![
                field("line", Input::Line { value: words(), max: 9 }),
                field("paragraph", Input::Paragraph { value: words(), max: 9 }),
                field("amount", Input::Amount { value: words(), currency: Currency::USD }),
                field("select", Input::Select { value: Some(words()), options: vec![(words(), words())] }),
            ],
            action: action.clone(),
        };
        let typed = ["line", "paragraph", "amount", "select"].map(|id| (id.to_owned(), words()));
        let sent = |id: &str, private, from| MessageView {
            id: id.into(),
            day: words(),
            at: words(),
            from,
            channel: Some(words()),
            private,
            notified: true,
            message: message(),
            ..MessageView::default()
        };
        page(&PageView {
            organisation: words(),
            csrf: words(),
            people: vec![PersonView { email: words(), name: words(), role: words(), time_zone: words(), waiting: 2 }],
            person: words(),
            home: true,
            morning: MorningView { date: words(), time: words() },
            messages: vec![sent("a", false, Sender::Tandem), sent("b", true, Sender::Person(words()))],
            activity: vec![ActivityView { at: words(), who: words(), what: words() }],
            suggestions: vec![words()],
            hints: vec![words()],
            dialog: Some(DialogView {
                dialog,
                answers: Some(Answers::from(typed)),
                errors: vec![("line".into(), words()), ("elsewhere".into(), words())],
                message: words(),
                origin: words(),
            }),
            focus: None,
            announcement: words(),
            draw: Some(|chart| Some(format!("data:image/png;base64,{}", chart.title.len()))),
        })
        .into_string()
    }

    /// What makes markup: each of these in the page comes from us, or something was not escaped.
    fn marks(html: &str) -> [usize; 3] {
        ["<", ">", "\""].map(|mark| html.matches(mark).count())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_becomes_markup(text in "([<>\"'&/=]|script|<!--|]]>|&lt;|.){1,30}") {
            prop_assert_eq!(marks(&page_of(&text)), marks(&page_of("x")));
        }
    }

    #[test]
    fn the_page_keeps_to_its_own_policy() {
        let html = page_of("words");
        assert_eq!(html.matches("<script").count(), 1);
        assert!(html.contains("<script src=\"/demo.js\" defer></script>"));
        for inline in [" style=", " onclick=", " onsubmit=", "<style"] {
            assert!(!html.contains(inline), "{inline}");
        }
    }

    #[test]
    fn every_form_that_changes_something_proves_where_it_comes_from() {
        let html = page_of("words");
        let forms: Vec<&str> = html.split("<form ").skip(1).filter(|form| form.contains("method=\"post\"")).collect();
        assert_eq!(forms.len(), 7, "next morning, two rows of buttons, dismiss, hints, command line, dialog");
        for form in forms {
            let (form, _) = form.split_once("</form>").unwrap();
            assert!(form.contains("name=\"csrf\" value=\"words\""), "{form}");
            assert!(form.contains("name=\"person\" value=\"words\""), "{form}");
        }
    }

    /// The colours of one scheme by name.
    fn scheme(css: &str) -> BTreeMap<&str, [f64; 3]> {
        css.lines()
            .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"))
            .filter(|(_, hex)| hex.len() == 6)
            .map(|(name, hex)| (name, [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()))))
            .collect()
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |colour: [f64; 3]| {
            let [r, g, b] = colour.map(|part| {
                let part = part / 255.0;
                if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn both_schemes_can_be_read() {
        let (light, rest) = super::STYLES.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let (dark, _) = rest.split_once("box-sizing").unwrap();
        for (which, css) in [("light", light), ("dark", dark)] {
            let colours = scheme(css);
            let holds = |ink: &str, ground: &str, least: f64| {
                let ratio = contrast(colours[ink], colours[ground]);
                assert!(ratio >= least, "{which}: {ink} on {ground} is {ratio:.2} : 1");
            };
            for ground in ["ground", "surface", "raised", "tint", "hover", "changed"] {
                for ink in ["ink", "soft", "link", "danger"] {
                    holds(ink, ground, 4.5);
                }
            }
            for ground in ["ground", "surface", "raised", "tint"] {
                holds("edge", ground, 3.0);
                holds("focus", ground, 3.0);
            }
            holds("on-accent", "accent", 4.5);
            holds("on-accent", "accent-hover", 4.5);
        }
    }
}
