//! The audit trail in plain words: "Dana acknowledged the risk of Acme".

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::preview::page::ActivityView;
use crate::store::audit::Event;

/// Who and what the ids in events stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By id.
    pub(super) people: BTreeMap<String, String>,
    pub(super) accounts: BTreeMap<String, String>,
}

/// What happened, newest first as the events are. `zone` and `now` are those of the person who reads.
///
/// What Tandem did to many accounts in one minute is one line: a night would fill the page otherwise.
pub(super) fn told(events: &[Event], names: &Names, zone: Tz, now: DateTime<Utc>) -> Vec<ActivityView> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for event in events.iter().filter(|event| !EACH_SAID_ELSEWHERE.contains(&event.event.as_str())) {
        let minute = event.at.timestamp().div_euclid(60);
        let what = what(event, names);
        let same = |line: &&mut Line<'_>| {
            line.minute == minute && line.actor == event.actor && (line.before, line.after) == (what.before, what.after)
        };
        match lines.iter_mut().find(same).filter(|_| !event.actor.starts_with("person:")) {
            Some(line) => line.about.extend(what.about),
            None => {
                let (actor, about) = (event.actor.as_str(), Vec::from_iter(what.about));
                lines.push(Line { minute, actor, at: event.at, before: what.before, about, after: what.after });
            }
        }
    }
    lines.iter().map(|line| line.view(names, zone, now)).collect()
}

/// A window says that it was found, and a digest that it was sent.
const EACH_SAID_ELSEWHERE: [&str; 2] = ["handoff.detected", "digest.queued"];
/// How many of a line's accounts or people are named.
const NAMED: usize = 3;

struct Line<'e> {
    minute: i64,
    actor: &'e str,
    at: DateTime<Utc>,
    before: &'static str,
    about: Vec<String>,
    after: &'static str,
}

impl Line<'_> {
    fn view(&self, names: &Names, zone: Tz, now: DateTime<Utc>) -> ActivityView {
        let (at, now) = (self.at.with_timezone(&zone), now.with_timezone(&zone));
        let same_day = at.date_naive() == now.date_naive();
        let at = at.format(if same_day { "%H:%M" } else { "%a %H:%M" }).to_string();
        let who = match self.actor.split_once(':') {
            Some(("person", id)) => names.people.get(id).map_or("Somebody", String::as_str),
            Some(("key", _)) => "The API",
            _ => "Tandem",
        };
        let parts = [self.before, &listed(&self.about), self.after].map(str::to_owned);
        let what = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        ActivityView { at, who: who.to_owned(), what }
    }
}

/// "Acme", "Acme and Globex", "Acme, Globex, Initech and 4 more".
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        few if few.len() <= NAMED => {
            let (last, first) = (&few[few.len() - 1], &few[..few.len() - 1]);
            format!("{} and {last}", first.join(", "))
        }
        many => format!("{} and {} more", many[..NAMED].join(", "), many.len() - NAMED),
    }
}

/// An event's sentence, around the account or person that it is about.
struct What {
    before: &'static str,
    about: Option<String>,
    after: &'static str,
}

fn what(event: &Event, names: &Names) -> What {
    let kind = event.data.get("kind").and_then(Value::as_str);
    let matter = event.data.get("matter").and_then(Value::as_str);
    let (before, after) = match event.event.as_str() {
        "risk.opened" => ("found", "at risk"),
        "risk.acknowledged" => ("acknowledged the risk of", ""),
        "risk.step_set" => ("set the next step for", ""),
        "risk.snoozed" => ("snoozed", ""),
        "risk.woken" => ("woke", ""),
        "risk.resolved" => ("resolved the risk of", ""),
        "risk.reopened" => ("reopened the risk of", ""),
        "risk.ended" => ("saw the risk end of", ""),
        "window.opened" => ("found a window at", ""),
        "window.passed" => ("passed on a window at", ""),
        "window.closed" => ("saw a window close at", ""),
        "window.overridden" => ("let a withheld window go ahead at", ""),
        "handoff.qualified" => ("qualified the window of", ""),
        "handoff.offered" if matter == Some("warning") => ("warned about", ""),
        "handoff.offered" if matter == Some("risk_to_weigh") => ("handed over, to be weighed, the risk of", ""),
        "handoff.offered" => ("offered the window of", ""),
        "handoff.accepted" if matter == Some("window") => ("claimed the window of", ""),
        "handoff.accepted" => ("took on", ""),
        "handoff.declined" => ("declined", ""),
        "handoff.expired" => ("saw the time run out for", ""),
        "handoff.withdrawn" => ("withdrew", ""),
        "handoff.handed_back" => ("handed back", ""),
        "handoff.won" => ("won the window of", ""),
        "handoff.lost" => ("lost the window of", ""),
        "handoff.reassigned" => ("reassigned", ""),
        "renewal.step" => ("moved to its next step the renewal of", ""),
        "renewal.preparing" => ("started preparing the renewal of", ""),
        "renewal.negotiating" => ("started negotiating the renewal of", ""),
        "renewal.renewed" => ("renewed", ""),
        "renewal.contracted" => ("renewed for less", ""),
        "renewal.lost" => ("lost the renewal of", ""),
        "note.added" if kind == Some("pulse") => ("set the pulse of", ""),
        "note.added" if kind == Some("feedback") => ("wrote down product feedback of", ""),
        "note.added" if kind == Some("champion") => ("named a champion at", ""),
        "note.added" => ("wrote a note on", ""),
        "feedback.given" => ("marked a card of", "as not useful"),
        "escalation.reminded" => ("reminded somebody of", ""),
        "escalation.delegated" => ("asked a delegate to see to", ""),
        "escalation.escalated" => ("told a lead about", ""),
        "escalation.ended" => ("ended the escalation of", ""),
        other => return without_account(other, person(event, names)),
    };
    let about = account(event, names).unwrap_or("an account").to_owned();
    What { before, about: Some(about), after }
}

fn without_account(event: &str, person: Option<&str>) -> What {
    let person = person.map(str::to_owned);
    let (before, about) = match event {
        "organisation.created" => ("made the sample organisation", None),
        "data.imported" => ("imported data", None),
        "diagnosis.run" => ("diagnosed every account", None),
        "digest.sent" if person.is_some() => ("sent the digest to", person),
        "digest.sent" => ("sent a digest", None),
        "digest.given_up" if person.is_some() => ("gave up the digest of", person),
        "digest.given_up" => ("gave up a digest", None),
        "installation.added" => ("linked a workspace", None),
        "person.linked" => ("was found in chat", None),
        "person.refused" => ("refused an introduction", None),
        "settings.changed" => ("changed settings", None),
        "policy.changed" => ("changed the policy", None),
        "model.changed" => ("changed the organisation's model", None),
        "book.transferred" => ("handed over a book of accounts", None),
        other => ("", Some(other.replace(['.', '_'], " "))),
    };
    What { before, about, after: "" }
}

/// Events name their account in the subject or in the data.
fn account<'n>(event: &'n Event, names: &'n Names) -> Option<&'n str> {
    let in_data = || ["account", "account_id"].into_iter().find_map(|key| event.data.get(key)?.as_str());
    let id = event.subject.strip_prefix("account:").or_else(in_data)?;
    Some(names.accounts.get(id).map_or(id, String::as_str))
}

fn person<'n>(event: &Event, names: &'n Names) -> Option<&'n str> {
    let in_data = || event.data.get("person").and_then(Value::as_str);
    let id = event.subject.strip_prefix("person:").or_else(in_data)?;
    names.people.get(id).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn events_read_as_sentences() {
        let names = Names {
            people: [("p1".to_owned(), "Dana".to_owned())].into(),
            accounts: [("a-1".to_owned(), "Acme".to_owned())].into(),
        };
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let events = [
            ("person:p1", "risk.acknowledged", "risk:1", json!({"account": "a-1"}), 0),
            ("person:p1", "risk.acknowledged", "risk:2", json!({"account": "a-9"}), 0),
            ("person:p1", "note.added", "note:1", json!({"account": "a-1", "kind": "pulse"}), 0),
            ("system", "renewal.step", "renewal:1", json!({"account": "a-1"}), 0),
            ("system", "window.opened", "handoff:1", json!({"account": "a-1"}), 0),
            ("system", "handoff.detected", "handoff:1", json!({"account": "a-1"}), 0),
            ("system", "renewal.step", "renewal:2", json!({"account": "a-2"}), 0),
            ("system", "renewal.step", "renewal:3", json!({"account": "a-3"}), 0),
            ("system", "renewal.step", "renewal:4", json!({"account": "a-4"}), 0),
            ("system", "risk.opened", "account:a-1", json!({}), 0),
            ("person:p1", "handoff.accepted", "handoff:1", json!({"account_id": "a-9", "matter": "window"}), 0),
            ("person:gone", "note.added", "note:1", json!({}), 0),
            ("system", "renewal.step", "renewal:5", json!({"account": "a-5"}), 86_400),
            ("system", "digest.sent", "digest:1", json!({"person": "p1"}), 86_400),
            ("key:1", "data.imported", "organisation:1", json!({}), 86_400),
            ("person:p1", "something.new_here", "thing:1", json!({}), 0),
        ]
        .map(|(actor, event, subject, data, ago)| {
            let at = now - chrono::TimeDelta::seconds(ago);
            let (actor, event, subject) = (actor.to_owned(), event.to_owned(), subject.to_owned());
            Event { event_id: Uuid::nil(), at, actor, event, subject, data }
        });
        let lines = told(&events, &names, Tz::UTC, now);
        let lines: Vec<String> = lines.iter().map(|view| format!("{} {} {}", view.at, view.who, view.what)).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        14:13 Dana acknowledged the risk of Acme
        14:13 Dana acknowledged the risk of a-9
        14:13 Dana set the pulse of Acme
        14:13 Tandem moved to its next step the renewal of Acme, a-2, a-3 and 1 more
        14:13 Tandem found a window at Acme
        14:13 Tandem found Acme at risk
        14:13 Dana claimed the window of a-9
        14:13 Somebody wrote a note on an account
        Sun 14:13 Tandem moved to its next step the renewal of a-5
        Sun 14:13 Tandem sent the digest to Dana
        Sun 14:13 The API imported data
        14:13 Dana something new here
        ");
    }
}
