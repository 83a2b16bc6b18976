//! The messages of one person, as they stand in chat: days, threads, private
//! answers, posts in channels.

use maud::{Markup, html};

use super::message::message as draw;
use super::page::{MessageView, PageView, Sender, avatar, mark};

/// The id of the newest day.
pub(super) const NEWEST: &str = "newest";

/// The conversation of the person who is shown, newest message last.
pub(super) fn conversation(view: &PageView) -> Markup {
    let roots: Vec<&MessageView> =
        view.messages.iter().filter(|message| parent(message, &view.messages).is_none()).collect();
    html! {
        section class="conversation" id="conversation" tabindex="-1" aria-label="Messages from Tandem"
            data-region data-focus=[view.focus.as_deref().map(element_id)] {
            @let days: Vec<&[&MessageView]> = roots.chunk_by(|one, next| one.day == next.day).collect();
            @for (at, day) in days.iter().enumerate() {
                // Where the page opens: links to a person's messages name it.
                p class="day" id=[(at + 1 == days.len()).then_some(NEWEST)] { (day[0].day) }
                @for root in *day { (entry(root, view, &replies(root, &view.messages))) }
            }
            @if view.messages.is_empty() {
                div class="empty" {
                    (mark())
                    @match view.shown() {
                        Some(person) => p { strong { "Nothing needs " (person.name) " this morning." } },
                        None => p { strong { "Choose a person to see their morning." } },
                    }
                    p { "Ask about an account below, or go to the next morning." }
                }
            }
        }
    }
}

/// What a message stands under. Threads have one level, as in chat: a reply to a reply stands on its own.
fn parent<'a>(message: &MessageView, all: &'a [MessageView]) -> Option<&'a MessageView> {
    let id = message.thread_of.as_ref()?;
    all.iter().find(|other| other.id == *id && other.thread_of.is_none())
}

fn replies<'a>(root: &MessageView, all: &'a [MessageView]) -> Vec<&'a MessageView> {
    all.iter().filter(|message| parent(message, all).is_some_and(|parent| parent.id == root.id)).collect()
}

fn element_id(message: &str) -> String {
    format!("m-{message}")
}

fn entry(view: &MessageView, page: &PageView, replies: &[&MessageView]) -> Markup {
    let MessageView { id, at, from, channel, private, edited, notified, message, .. } = view;
    let name = match from {
        Sender::Tandem => "Tandem",
        Sender::Person(name) => name,
    };
    let class = if *private { "message private" } else { "message" };
    html! {
        article class=(class) id=(element_id(id)) tabindex="-1" aria-label={ (name) ", " (at) ": " (message.summary) }
            autofocus[page.dialog.is_none() && page.focus.as_deref() == Some(id)] {
            @match from {
                Sender::Tandem => (mark()),
                Sender::Person(name) => (avatar(name)),
            }
            div class="body" {
                @if *private {
                    div class="only-you" {
                        span { "Only visible to you" }
                        form method="post" action="/demo/dismiss" {
                            (page.press(id).fields())
                            button class="quiet" aria-label="Dismiss this answer" { "Dismiss" }
                        }
                    }
                }
                p class="byline" {
                    strong { (name) }
                    @if *from == Sender::Tandem { " " span class="app" { "APP" } }
                    " " time { (at) }
                    @if let Some(channel) = channel { " " span class="channel" { "in #" (channel) } }
                    @if *edited { " " span class="edited" { "(edited)" } }
                }
                @if *notified {
                    p class="notification" {
                        (bell())
                        span class="heard" { "Notification: " }
                        (message.summary)
                    }
                }
                div class="blocks" { (draw(message, page.press(id))) }
                @if !replies.is_empty() {
                    div class="thread" role="group" aria-label="Replies" {
                        @for reply in replies { (entry(reply, page, &[])) }
                    }
                }
            }
        }
    }
}

/// Marks the line that a phone would show.
fn bell() -> Markup {
    html! {
        svg class="bell" viewBox="0 0 16 16" aria-hidden="true" {
            path d="M8 1.75a4 4 0 0 0-4 4v2.5L2.75 11h10.5L12 8.25v-2.5a4 4 0 0 0-4-4ZM6.5 13.25a1.6 1.6 0 0 0 3 0" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::PersonView;
    use super::*;
    use crate::domain::message::Message;

    fn said(id: &str, thread_of: Option<&str>) -> MessageView {
        MessageView {
            id: id.into(),
            day: "Tuesday".into(),
            thread_of: thread_of.map(str::to_owned),
            message: Message::sentence(format!("words of {id}")),
            ..MessageView::default()
        }
    }

    fn drawn(view: &PageView) -> String {
        conversation(view).into_string()
    }

    #[test]
    fn a_message_is_drawn_with_its_sender_and_its_reach() {
        let dana =
            PersonView { email: "dana+cs@example.com".into(), name: "Dana Okafor".into(), ..PersonView::default() };
        let answer = MessageView { at: "09:03".into(), private: true, ..said("a", None) };
        let view =
            PageView { csrf: "token".into(), person: dana.email.clone(), people: vec![dana], ..PageView::default() };
        insta::assert_snapshot!(entry(&answer, &view, &[]).into_string().replace("><", ">\n<"), @r##"
        <article class="message private" id="m-a" tabindex="-1" aria-label="Tandem, 09:03: words of a">
        <svg class="mark" viewBox="0 0 36 36" aria-hidden="true">
        <rect width="36" height="36" rx="9">
        </rect>
        <circle cx="13.5" cy="18" r="6.5">
        </circle>
        <circle class="second" cx="22.5" cy="18" r="6.5">
        </circle>
        </svg>
        <div class="body">
        <div class="only-you">
        <span>Only visible to you</span>
        <form method="post" action="/demo/dismiss">
        <input type="hidden" name="csrf" value="token">
        <input type="hidden" name="person" value="dana+cs@example.com">
        <input type="hidden" name="message" value="a">
        <button class="quiet" aria-label="Dismiss this answer">Dismiss</button>
        </form>
        </div>
        <p class="byline">
        <strong>Tandem</strong> <span class="app">APP</span> <time>09:03</time>
        </p>
        <div class="blocks">
        <p>words of a</p>
        </div>
        </div>
        </article>
        "##);
        let post = MessageView {
            from: Sender::Person("Dana Okafor".into()),
            channel: Some("pool".into()),
            edited: true,
            notified: true,
            ..said("b", None)
        };
        insta::assert_snapshot!(entry(&post, &view, &[]).into_string().replace("><", ">\n<"), @r##"
        <article class="message" id="m-b" tabindex="-1" aria-label="Dana Okafor, : words of b">
        <span class="avatar tone-1" aria-hidden="true">DO</span>
        <div class="body">
        <p class="byline">
        <strong>Dana Okafor</strong> <time>
        </time> <span class="channel">in #pool</span> <span class="edited">(edited)</span>
        </p>
        <p class="notification">
        <svg class="bell" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M8 1.75a4 4 0 0 0-4 4v2.5L2.75 11h10.5L12 8.25v-2.5a4 4 0 0 0-4-4ZM6.5 13.25a1.6 1.6 0 0 0 3 0">
        </path>
        </svg>
        <span class="heard">Notification: </span>words of b</p>
        <div class="blocks">
        <p>words of b</p>
        </div>
        </div>
        </article>
        "##);
    }

    #[test]
    fn every_message_is_drawn_once_however_replies_point() {
        let messages = vec![
            said("root", None),
            said("reply", Some("root")),
            said("deeper", Some("reply")),
            said("orphan", Some("gone")),
            said("itself", Some("itself")),
            said("left", Some("right")),
            said("right", Some("left")),
        ];
        let html = drawn(&PageView { messages: messages.clone(), ..PageView::default() });
        for message in &messages {
            assert_eq!(html.matches(&format!("<p>words of {}</p>", message.id)).count(), 1, "{}", message.id);
        }
        let (before, after) = html.split_once("class=\"thread\"").unwrap();
        assert!(before.contains("words of root") && after.contains("words of reply"));
        assert_eq!(html.matches("class=\"thread\"").count(), 1);
    }

    #[test]
    fn a_line_is_drawn_where_the_day_changes() {
        let wednesday = MessageView { day: "Wednesday".into(), ..said("c", None) };
        let html =
            drawn(&PageView { messages: vec![said("a", None), said("b", None), wednesday], ..PageView::default() });
        assert_eq!(html.matches("<p class=\"day\"").count(), 2);
        let opens = html.split_once("id=\"newest\"").unwrap().1;
        assert!(opens.starts_with(">Wednesday") && !opens.contains("words of b"), "{opens}");
    }

    #[test]
    fn the_changed_message_gets_the_focus() {
        let html = drawn(&PageView {
            messages: vec![said("a", None), said("b", None)],
            focus: Some("b".into()),
            ..PageView::default()
        });
        assert!(html.contains("data-focus=\"m-b\""));
        let (_, article) = html.split_once("id=\"m-b\"").unwrap();
        assert!(article.split('>').next().unwrap().contains("autofocus"));
        assert_eq!(html.matches("autofocus").count(), 1);
    }
}
