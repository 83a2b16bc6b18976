//! The demo's page: one organisation, its people, and what Tandem tells each of
//! them. Plain strings in, a whole HTML document out.
//!
//! Forms post to `/demo/act`, `/demo/submit`, `/demo/command`, `/demo/dismiss`
//! and `/demo/next-morning`; each carries `csrf` and `person`. Regions with
//! `data-region` are those that `demo.js` exchanges after an action.

use maud::{DOCTYPE, Markup, html};
use url::form_urlencoded;

use super::conversation::{NEWEST, conversation};
use super::dialog::{DialogView, dialog};
use super::message::{Draw, Press};
use crate::domain::message::Message;

/// All that the page shows. Names, dates and times arrive as people read them.
#[derive(Debug, Clone, Default)]
pub struct PageView {
    /// The sample organisation's name.
    pub organisation: String,
    /// Unguessable by other sites; every form carries it.
    pub csrf: String,
    /// Everyone whose messages can be seen, in the order of the chooser.
    pub people: Vec<PersonView>,
    /// The e-mail address of the one who is shown.
    pub person: String,
    /// Whether their home page is shown in place of their messages.
    pub home: bool,
    pub morning: MorningView,
    /// In order of time. Replies may stand anywhere: they are drawn under what they reply to.
    pub messages: Vec<MessageView>,
    /// Newest first.
    pub activity: Vec<ActivityView>,
    /// Offered while a command is typed: "/account Acme", "/tandem risks".
    pub suggestions: Vec<String>,
    /// Commands worth a try, each one press away.
    pub hints: Vec<String>,
    pub dialog: Option<DialogView>,
    /// The message that just changed: it gets the keyboard's focus.
    pub focus: Option<String>,
    /// What just happened, for screen readers; empty if nothing did.
    pub announcement: String,
    /// Draws the charts of messages; `None` puts words in their place.
    pub draw: Option<Draw>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct PersonView {
    pub email: String,
    pub name: String,
    /// "Customer Success Manager".
    pub role: String,
    /// "Europe/Berlin".
    pub time_zone: String,
    /// Cards that wait for this person.
    pub waiting: usize,
}

/// The simulated morning, where the shown person is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MorningView {
    /// "Tuesday 14 October 2025".
    pub date: String,
    /// "08:00".
    pub time: String,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessageView {
    /// Unique on the page; without white space.
    pub id: String,
    /// "Tuesday 14 October": a line is drawn where it changes.
    pub day: String,
    /// "08:00".
    pub at: String,
    pub from: Sender,
    /// "revenue-pool" for a post in a channel; `None` in the conversation with Tandem.
    pub channel: Option<String>,
    /// The message that this one replies to.
    pub thread_of: Option<String>,
    /// Only this person sees it, and may dismiss it.
    pub private: bool,
    /// Changed since it was sent.
    pub edited: bool,
    /// Whether the line that a phone shows is drawn above it.
    pub notified: bool,
    pub message: Message,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sender {
    #[default]
    Tandem,
    /// A person's name: what they typed, or posted in a channel.
    Person(String),
}

/// One audit event in plain words: "09:02 Dana acknowledged Acme".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActivityView {
    /// "09:02", or "Tue 09:02" for another day.
    pub at: String,
    /// "Dana".
    pub who: String,
    /// "acknowledged Acme".
    pub what: String,
}

impl PageView {
    pub(super) fn shown(&self) -> Option<&PersonView> {
        self.people.iter().find(|person| person.email == self.person)
    }

    pub(super) fn press<'a>(&'a self, message: &'a str) -> Press<'a> {
        Press { person: &self.person, message, csrf: &self.csrf, home: self.home, draw: self.draw.unwrap_or(|_| None) }
    }

    /// What every form carries that is not about a message.
    fn fields(&self) -> Markup {
        html! {
            input type="hidden" name="csrf" value=(self.csrf);
            input type="hidden" name="person" value=(self.person);
            @if self.home { input type="hidden" name="tab" value="home"; }
        }
    }
}

/// The whole document.
pub fn page(view: &PageView) -> Markup {
    let shown = view.shown();
    let title = match shown {
        Some(person) => format!("{} · Tandem demo", person.name),
        None => "Tandem demo".to_owned(),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="/demo.svg" type="image/svg+xml";
                link rel="stylesheet" href="/demo.css";
                script src="/demo.js" defer {}
            }
            body {
                a class="skip" href="#conversation" { "Skip to the conversation" }
                (header(view))
                (people(view))
                main {
                    @if let Some(person) = shown { (conversation_head(person, view.home)) }
                    (conversation(view))
                    (composer(view))
                }
                aside aria-label="Activity and help" {
                    (activity(&view.activity))
                    (about())
                }
                div id="dialog" data-region {
                    @if let Some(open) = &view.dialog { (dialog(open, view.press(&open.message), &behind(&view.person, view.home))) }
                }
                p class="heard" id="announcement" role="status" { (view.announcement) }
            }
        }
    }
}

fn address(email: &str) -> String {
    format!("/?person={}", form_urlencoded::byte_serialize(email.as_bytes()).collect::<String>())
}

/// A person's messages, from the newest morning on.
fn newest(email: &str) -> String {
    format!("{}#{NEWEST}", address(email))
}

fn header(view: &PageView) -> Markup {
    html! {
        header class="top" {
            a class="product" href=(newest(&view.person)) {
                (mark())
                h1 { "Tandem" }
                span class="place" { (view.organisation) }
            }
            div class="morning" id="morning" data-region {
                p { span class="date" { (view.morning.date) } " " span class="time" { (view.morning.time) } }
            }
            form method="post" action="/demo/next-morning" {
                (view.fields())
                button class="button primary" { "Next morning" }
            }
        }
    }
}

/// Two wheels, one frame.
pub(super) fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 36 36" aria-hidden="true" {
            rect width="36" height="36" rx="9" {}
            circle cx="13.5" cy="18" r="6.5" {}
            circle class="second" cx="22.5" cy="18" r="6.5" {}
        }
    }
}

/// A list where there is room, a select where there is not. Both work without a script.
fn people(view: &PageView) -> Markup {
    html! {
        nav class="people" aria-label="People" id="people" data-region {
            h2 { "People" }
            ul {
                @for person in &view.people {
                    li {
                        a href=(newest(&person.email)) aria-current=[(person.email == view.person).then_some("page")] {
                            (avatar(&person.name))
                            span class="who" {
                                span class="name" { (person.name) } " "
                                span class="role" { (person.role) } " "
                                span class="role" { (person.time_zone) }
                            }
                            " " (waiting(person.waiting))
                        }
                    }
                }
            }
            form method="get" action="/" {
                label for="chooser" { "You are" }
                select id="chooser" name="person" {
                    @for person in &view.people {
                        option value=(person.email) selected[person.email == view.person] {
                            (person.name) ", " (person.role) ", " (person.time_zone) " (" (person.waiting) " waiting)"
                        }
                    }
                }
                button class="button" { "Switch" }
            }
        }
    }
}

fn waiting(count: usize) -> Markup {
    html! {
        @if count > 0 {
            span class="count" { (count) span class="heard" { " to decide" } }
        }
    }
}

/// Initials on one of six tones; the same name always gets the same.
pub(super) fn avatar(name: &str) -> Markup {
    let initials: String = name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    let tone = (name.bytes().fold(0_u32, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte.into())) >> 8) % 6;
    html! { span class={ "avatar tone-" (tone) } aria-hidden="true" { (initials) } }
}

/// A person's messages, or their home page.
fn place(email: &str, home: bool) -> String {
    if home { format!("{}&tab=home", address(email)) } else { newest(email) }
}

/// The page behind a dialog. Not at an anchor: a browser only scrolls to one, and the dialog would stay.
fn behind(email: &str, home: bool) -> String {
    if home { place(email, home) } else { address(email) }
}

fn conversation_head(person: &PersonView, home: bool) -> Markup {
    html! {
        div class="conversation-head" {
            h2 { (person.name) }
            p { (person.role) " · " (person.time_zone) }
            nav class="tabs" aria-label="Tabs" {
                @for (name, is_home) in [("Home", true), ("Messages", false)] {
                    a href=(place(&person.email, is_home)) aria-current=[(is_home == home).then_some("page")] { (name) }
                }
            }
        }
    }
}

fn composer(view: &PageView) -> Markup {
    html! {
        div class="composer" {
            // In view wherever the page is scrolled to.
            div class="notice" id="notice" role="alert" {}
            @if !view.hints.is_empty() {
                // A form of its own: the pressed button is the whole command.
                form class="tries" method="post" action="/demo/command" aria-label="Commands to try" {
                    (view.fields())
                    @for hint in &view.hints { button class="try" name="text" value=(hint) { (hint) } }
                }
            }
            form class="line" method="post" action="/demo/command" autocomplete="off" {
                (view.fields())
                label class="heard" for="text" { "Command" }
                input type="text" id="text" name="text" list="suggestions" maxlength="300" required
                    placeholder="/account or /tandem" autocapitalize="off" spellcheck="false" enterkeyhint="send";
                datalist id="suggestions" { @for suggestion in &view.suggestions { option value=(suggestion) {} } }
                button class="button primary" { "Send" }
            }
        }
    }
}

fn activity(events: &[ActivityView]) -> Markup {
    html! {
        section class="activity" aria-labelledby="activity-title" id="activity" data-region {
            h2 id="activity-title" { "Activity" }
            @if events.is_empty() {
                p { "Every press is written to the audit trail and shown here." }
            }
            ol {
                @for event in events {
                    li { span class="at" { (event.at) } " " span { strong { (event.who) } " " (event.what) } }
                }
            }
        }
    }
}

fn about() -> Markup {
    html! {
        section class="about" aria-labelledby="about-title" {
            h2 id="about-title" { "What to try" }
            ol {
                li { strong { "Acknowledge a risk." } " The card is redrawn, and offers to set the next step." }
                li { strong { "Switch to the Account Manager." } " The same diagnosis, seen from revenue." }
                li { strong { "Hand a window over." } " Qualify it as the CSM, claim it as the AM." }
                li { strong { "Ask." } " Type " code { "/account" } " and a name; a rough spelling will do." }
                li { strong { "Go to the next morning." } " Only what is due or got worse comes back." }
            }
            p { "Everything here runs on this machine, on sample data. In Slack, the same messages and buttons." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chooser_says_who_is_shown_and_who_is_waited_for() {
        let person = |email: &str, waiting| PersonView {
            email: email.into(),
            name: "Dana".into(),
            waiting,
            ..PersonView::default()
        };
        let people = vec![person("a+b@example.com", 1), person("c@example.com", 0)];
        let html = page(&PageView { person: "a+b@example.com".into(), people, ..PageView::default() }).into_string();
        assert!(html.contains("<a href=\"/?person=a%2Bb%40example.com#newest\" aria-current=\"page\">"));
        assert_eq!(html.matches("aria-current").count(), 2, "the person, and the tab of their messages");
        assert!(html.contains("1<span class=\"heard\"> to decide</span>"));
        assert_eq!(html.matches("class=\"count\"").count(), 1);
        assert!(html.contains("<option value=\"a+b@example.com\" selected>"));
    }
}
