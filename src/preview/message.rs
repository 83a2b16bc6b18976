//! A [`Message`] as HTML. maud escapes every text; nothing here is pre-escaped.

use std::borrow::Cow;

use maud::{Markup, html};
use url::Url;

use crate::domain::message::chart::Chart;
use crate::domain::message::{Block, Button, Buttons, Emphasis, Message, Style, Text};

/// A heading longer than this is cut, as chat platforms do (Slack's header block).
const HEADING_MAX: usize = 150;

/// What a press on one of a message's buttons sends along.
#[derive(Debug, Clone, Copy)]
pub struct Press<'a> {
    /// Who presses: the e-mail address of the person whose messages are shown.
    pub person: &'a str,
    /// The message copy on which the button stands.
    pub message: &'a str,
    /// Proves that the form came from our page: other sites open in the same browser can post to loopback too.
    pub csrf: &'a str,
    /// Whether it stands on the home tab, to which the page returns then.
    pub home: bool,
    pub draw: Draw,
}

/// Draws a chart as an address that an `img` takes (`data:`), since rooms on this floor do not know each other; `None`
/// where it cannot be drawn.
pub type Draw = fn(&Chart) -> Option<String>;

/// The picture, or its words where it cannot be drawn.
fn picture(chart: &Chart, press: Press<'_>) -> Markup {
    html! {
        @match (press.draw)(chart) {
            Some(address) => figure class="chart" {
                img src=(address) alt=(chart.alt) loading="lazy";
            },
            None => p { (text(&chart.in_words())) },
        }
    }
}

impl Press<'_> {
    /// The fields that every form about a message carries.
    pub(super) fn fields(self) -> Markup {
        html! {
            input type="hidden" name="csrf" value=(self.csrf);
            input type="hidden" name="person" value=(self.person);
            input type="hidden" name="message" value=(self.message);
            @if self.home { input type="hidden" name="tab" value="home"; }
        }
    }
}

/// All blocks in reading order. A message without blocks is drawn as its summary.
pub fn message(message: &Message, press: Press<'_>) -> Markup {
    html! {
        @if message.blocks.is_empty() {
            p { (message.summary) }
        }
        @for part in &message.blocks {
            (block(part, press))
        }
    }
}

fn block(block: &Block, press: Press<'_>) -> Markup {
    html! {
        @match block {
            Block::Heading(words) => h3 { (cut(words, HEADING_MAX)) },
            Block::Text(words) => p { (text(words)) },
            Block::Bullets(items) => ul { @for item in items { li { (text(item)) } } },
            Block::Facts(facts) => dl class="facts" {
                @for (label, value) in facts {
                    div { dt { (label) } dd { (text(value)) } }
                }
            },
            Block::Context(words) => p class="context" { (text(words)) },
            Block::Chart(chart) => (picture(chart, press)),
            Block::Divider => hr;,
            Block::Buttons(these) => (buttons(these, press)),
        }
    }
}

/// Running text. A line break in a span is a line break on the page.
pub(super) fn text(text: &Text) -> Markup {
    html! {
        @for span in &text.0 {
            @match &span.style {
                Style::Plain => (lines(&span.text)),
                Style::Strong => strong { (lines(&span.text)) },
                Style::Emphasis => em { (lines(&span.text)) },
                Style::Code => code { (lines(&span.text)) },
                Style::Link(target) => @match web_address(target) {
                    Some(url) => a href=(url) rel="noopener noreferrer" target="_blank" { (lines(&span.text)) },
                    None => (lines(&span.text)),
                },
            }
        }
    }
}

fn lines(text: &str) -> Markup {
    html! {
        @for (number, line) in text.split('\n').enumerate() {
            @if number > 0 { br; }
            (line)
        }
    }
}

/// Parsed the way browsers parse, so that no spelling of `javascript:` gets through.
fn web_address(target: &str) -> Option<Url> {
    Url::parse(target).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// One form for the row: the pressed button alone says which action it is.
fn buttons(buttons: &Buttons, press: Press<'_>) -> Markup {
    html! {
        form class="buttons" method="post" action="/demo/act" {
            (press.fields())
            @for shown in &buttons.shown { (button(shown)) }
            @if !buttons.more.is_empty() {
                // One `name` for all menus: opening one closes the others, without a script.
                details class="more" name="more" {
                    summary aria-label=(more_actions(&buttons.more)) { "More" }
                    div class="menu" {
                        @for hidden in &buttons.more { (button(hidden)) }
                    }
                }
            }
        }
    }
}

fn button(button: &Button) -> Markup {
    let class = match button.emphasis {
        Emphasis::Normal => "button",
        Emphasis::Primary => "button primary",
        Emphasis::Danger => "button danger",
    };
    html! {
        button class=(class) name="action" value=(button.action) aria-label=[spoken(button)] { (button.label) }
    }
}

/// The accessible name starts with the visible label, so that people who steer by voice
/// can say what they see (WCAG 2.5.3). `None` where the label says it all.
fn spoken(button: &Button) -> Option<Cow<'_, str>> {
    if button.spoken.is_empty() || button.spoken == button.label {
        None
    } else if button.spoken.starts_with(&button.label) {
        Some(Cow::Borrowed(&button.spoken))
    } else {
        Some(Cow::Owned(format!("{}: {}", button.label, button.spoken)))
    }
}

/// Says what the menu is about, since *More* repeats on every card: what its buttons say after their labels.
fn more_actions(hidden: &[Button]) -> String {
    let about = hidden.first().and_then(|button| button.spoken.strip_prefix(&button.label)).unwrap_or_default();
    if about.is_empty() { "More actions".to_owned() } else { format!("More actions:{about}") }
}

/// At most `max` characters, the last one an ellipsis where something was cut.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.chars().count() <= max {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().take(max - 1).chain(['…']).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::action::{Action, Subject, Verb};
    use crate::domain::message::chart::Bar;

    const PRESS: Press<'_> =
        Press { person: "dana@example.com", message: "m1", csrf: "token", home: false, draw: |_| None };

    /// One tag a line, so that a change of markup reads as a change of lines.
    fn drawn(part: Block) -> String {
        block(&part, PRESS).into_string().replace("><", ">\n<")
    }

    fn about_acme(verb: Verb) -> Button {
        Button::new(Action::new(verb, Subject::Risk(Uuid::nil())), "Acme")
    }

    #[test]
    fn every_block_is_drawn() {
        insta::assert_snapshot!(drawn(Block::Heading("R&D <first>".into())), @r##"<h3>R&amp;D &lt;first&gt;</h3>"##);
        let chart =
            Chart::bars("Your <quarter>".into(), vec![Bar { label: "NPS".into(), value: 41.0, said: "41".into() }]);
        insta::assert_snapshot!(drawn(Block::Chart(chart.clone().unwrap())), @r##"
        <p>
        <strong>Your &lt;quarter&gt;</strong>
        <br>
        <code>NPS █████</code> 41<br>
        </p>
        "##);
        let press = Press { draw: |_| Some("data:image/png;base64,AA".to_owned()), ..PRESS };
        insta::assert_snapshot!(block(&Block::Chart(chart.unwrap()), press).into_string().replace("><", ">\n<"), @r##"
        <figure class="chart">
        <img src="data:image/png;base64,AA" alt="Your &lt;quarter&gt;: NPS 41." loading="lazy">
        </figure>
        "##);
        insta::assert_snapshot!(drawn(Block::Text(
            Text::plain("one\ntwo ").then_strong("three").then_emphasis("four").then_code("five")
                .then_link("six", "https://crm.example/a?b=1&c=2")
        )), @r##"
        <p>one<br>two <strong>three</strong>
        <em>four</em>
        <code>five</code>
        <a href="https://crm.example/a?b=1&amp;c=2" rel="noopener noreferrer" target="_blank">six</a>
        </p>
        "##);
        insta::assert_snapshot!(drawn(Block::Bullets(vec!["usage down".into(), "2 tickets".into()])), @r##"
        <ul>
        <li>usage down</li>
        <li>2 tickets</li>
        </ul>
        "##);
        insta::assert_snapshot!(drawn(Block::Facts(vec![("Stake".into(), Text::strong("€184k"))])), @r##"
        <dl class="facts">
        <div>
        <dt>Stake</dt>
        <dd>
        <strong>€184k</strong>
        </dd>
        </div>
        </dl>
        "##);
        insta::assert_snapshot!(drawn(Block::Context("CRM 6 h old".into())), @r##"<p class="context">CRM 6 h old</p>"##);
        insta::assert_snapshot!(drawn(Block::Divider), @r##"<hr>"##);
        insta::assert_snapshot!(drawn(Block::Buttons(Buttons {
            shown: vec![about_acme(Verb::Acknowledge).primary()],
            more: vec![Button { emphasis: Emphasis::Danger, ..about_acme(Verb::Decline) }],
        })), @r##"
        <form class="buttons" method="post" action="/demo/act">
        <input type="hidden" name="csrf" value="token">
        <input type="hidden" name="person" value="dana@example.com">
        <input type="hidden" name="message" value="m1">
        <button class="button primary" name="action" value="acknowledge|risk:00000000-0000-0000-0000-000000000000" aria-label="Acknowledge Acme">Acknowledge</button>
        <details class="more" name="more">
        <summary aria-label="More actions: Acme">More</summary>
        <div class="menu">
        <button class="button danger" name="action" value="decline|risk:00000000-0000-0000-0000-000000000000" aria-label="Decline Acme">Decline</button>
        </div>
        </details>
        </form>
        "##);
    }

    #[test]
    fn every_verb_can_be_pressed() {
        for verb in Verb::ALL {
            let it = about_acme(verb);
            let html = button(&it).into_string();
            let (_, rest) = html.split_once("value=\"").unwrap();
            let (value, rest) = rest.split_once('"').unwrap();
            assert_eq!(value.parse::<Action>().as_ref(), Ok(&it.action), "{html}");
            assert!(rest.ends_with(&format!(">{}</button>", verb.label())), "{html}");
        }
    }

    #[test]
    fn the_accessible_name_starts_with_the_visible_label() {
        let speaks = |label: &str, spoken: &str| {
            let it = Button { label: label.into(), spoken: spoken.into(), ..about_acme(Verb::Note) };
            super::spoken(&it).map(Cow::into_owned)
        };
        assert_eq!(speaks("Snooze", "Snooze Acme").as_deref(), Some("Snooze Acme"));
        assert_eq!(
            speaks("Snooze all", "4 accounts with usage down").as_deref(),
            Some("Snooze all: 4 accounts with usage down")
        );
        assert_eq!(speaks("Snooze", "Snooze"), None);
        assert_eq!(speaks("Snooze", ""), None);
    }

    #[test]
    fn only_web_addresses_become_links() {
        for bad in [
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            " JavaScript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "//host",
            "/path",
            "",
        ] {
            assert_eq!(text(&Text::new().then_link("here", bad)).into_string(), "here", "{bad:?}");
        }
    }

    #[test]
    fn a_message_without_blocks_says_its_summary() {
        let bare = Message { summary: "Done".into(), blocks: vec![] };
        assert_eq!(message(&bare, PRESS).into_string(), "<p>Done</p>");
    }

    #[test]
    fn a_long_heading_is_cut_between_characters() {
        let html = drawn(Block::Heading("é".repeat(151)));
        assert_eq!(html, format!("<h3>{}…</h3>", "é".repeat(149)));
        assert_eq!(drawn(Block::Heading("é".repeat(150))), format!("<h3>{}</h3>", "é".repeat(150)));
    }

    proptest! {
        #[test]
        fn a_link_leads_to_the_web_or_nowhere(target in "(https?|javascript|data)?:?/{0,2}\\PC{0,20}") {
            let html = text(&Text::new().then_link("here", target)).into_string();
            prop_assert!(html == "here" || html.starts_with("<a href=\"http://") || html.starts_with("<a href=\"https://"));
        }
    }
}
