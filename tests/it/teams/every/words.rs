//! What a person reads in either chat, without what is the chat's own.

use serde_json::{Value, json};

use crate::support::bot::Post;
use crate::support::teams::Card;
use crate::teams::surfaces::{texts, titles};

pub(super) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Words without markup and without what each chat or organisation has of its own, sorted; each as often as it is said.
pub(super) fn counted(lines: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    // Where a message shrinks, a part of it may be left over in the chat that splits it elsewhere.
    let lines = lines.iter().flat_map(|lines| lines.lines());
    for line in lines.filter(|line| !matches!(*line, "More" | "This part is no longer needed.")) {
        // Slack writes a link as <address|words>; Teams and Slack both leave the address out.
        let shown: String = line.split('<').map(|part| part.rsplit_once('|').map_or(part, |(_, said)| said)).collect();
        let mut shown = shown.replace("&amp;", "&");
        // The number of a diagnosis is the organisation's own.
        while let Some(at) = shown.find("iagnosis ").filter(|at| shown[at + 9..].chars().nth(4) == Some('-')) {
            shown.replace_range(at..at + 18, "");
        }
        // A clock begins when the message has arrived; a card that was drawn before it does not name its end yet.
        while let Some(at) = shown.find(", answer due ") {
            let end = shown[at..].find('.').map_or(shown.len(), |length| at + length);
            shown.replace_range(at..end, "");
        }
        if let Some(at) = shown.find(" until ").filter(|_| shown.starts_with("With ")) {
            shown.truncate(at);
        }
        let split = shown.split(|c: char| !c.is_alphanumeric() || c == 'ˋ').map(str::to_lowercase);
        words.extend(split.filter(|word| {
            !word.is_empty() && !matches!(word.as_str(), "tandem" | "slack" | "teams" | "north" | "south")
        }));
    }
    words.sort_unstable();
    words
}

#[track_caller]
pub(super) fn same(what: &str, slack: &[String], teams: &[String]) {
    let (one, other) = (counted(slack), counted(teams));
    let only = |some: &[String], others: &[String]| -> Vec<String> {
        let mut left = others.to_vec();
        let more = some.iter().filter(|word| match left.iter().position(|known| known == *word) {
            Some(at) => {
                left.swap_remove(at);
                false
            }
            None => true,
        });
        more.cloned().collect()
    };
    assert!(
        one == other,
        "{what}: only Slack says {:?}, only Teams says {:?}\n--- Slack\n{}\n--- Teams\n{}",
        only(&one, &other),
        only(&other, &one),
        slack.join("\n"),
        teams.join("\n")
    );
}

/// What is read: a picture says what it says to whoever cannot see it; how a card asks for itself is not read at all.
fn read_of(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            // Slack draws bars of letters, and the picture comes after.
            let drawn = |item: &Value| match item["type"].as_str() {
                Some("image") => None,
                Some("Image") => Some(json!({"text": item["altText"]})),
                _ => Some(read_of(item)),
            };
            Value::Array(items.iter().filter_map(drawn).collect())
        }
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(key, _)| *key != "refresh");
            Value::Object(shown.map(|(key, value)| (key.clone(), read_of(value))).collect())
        }
        other => other.clone(),
    }
}

pub(super) fn slack_lines(blocks: &Value) -> Vec<String> {
    texts(&read_of(blocks), &["text"])
}

pub(super) fn teams_lines(card: &Value) -> Vec<String> {
    let card = read_of(card);
    [texts(&card, &["text"]), facts(&card), titles(&card)].concat()
}

/// What stands beside the titles of facts.
fn facts(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some("FactSet") => {
            texts(&value["facts"], &["value"])
        }
        Value::Object(fields) => fields.values().flat_map(facts).collect(),
        Value::Array(items) => items.iter().flat_map(facts).collect(),
        _ => Vec::new(),
    }
}

/// The notification line; a further part's has the number of the part, which is the chat's own.
pub(super) fn summary(said: &str) -> Option<String> {
    let part = said.ends_with(')') && said.rsplit_once(" (").is_some_and(|(_, part)| part.contains('/'));
    (!part).then(|| said.to_owned())
}

pub(super) fn same_message(what: &str, slack: &Post, teams: &Card) {
    let blocks: Vec<String> = slack_lines(&Value::Array(slack.blocks.clone()));
    let bodies: Vec<String> = teams.bodies.iter().flat_map(teams_lines).collect();
    same(what, &[vec![slack.summary.clone()], blocks].concat(), &[vec![teams.summary.clone()], bodies].concat());
}

/// The words of all pages of a book, each once: headings stand on every page, and each chat fits another number of lines.
pub(super) fn pages(lines: Vec<String>) -> Vec<String> {
    let of_paging = |line: &String| {
        matches!(line.as_str(), "Previous page" | "Next page")
            || line.starts_with("Page ")
            || line.contains("next page")
    };
    let mut words = counted(&lines.into_iter().filter(|line| !of_paging(line)).collect::<Vec<_>>());
    words.dedup();
    words
}

/// An answer can be asked how it reads now, a message of delivery's follows by itself.
pub(super) fn is_answer(activity: &Value) -> bool {
    activity["attachments"][0]["content"]["refresh"].is_object()
}

pub(super) fn said(activity: &Value) -> Vec<String> {
    let line = activity["summary"].as_str().or(activity["text"].as_str()).unwrap_or_default();
    summary(line).into_iter().chain(teams_lines(&activity["attachments"][0]["content"])).collect()
}
