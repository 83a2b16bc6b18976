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

/// `zone` and `now` are those of the person who reads.
pub(super) fn said(event: &Event, names: &Names, zone: Tz, now: DateTime<Utc>) -> ActivityView {
    let (at, now) = (event.at.with_timezone(&zone), now.with_timezone(&zone));
    let same_day = at.date_naive() == now.date_naive();
    let at = at.format(if same_day { "%H:%M" } else { "%a %H:%M" }).to_string();
    let who = match event.actor.split_once(':') {
        Some(("person", id)) => names.people.get(id).map_or("Somebody", String::as_str),
        Some(("key", _)) => "The API",
        _ => "Tandem",
    };
    ActivityView { at, who: who.to_owned(), what: what(event, names) }
}

fn what(event: &Event, names: &Names) -> String {
    let account = account(event, names).unwrap_or("an account");
    let person = person(event, names);
    let (before, about) = match event.event.as_str() {
        "risk.opened" => ("found", Some("at risk")),
        "risk.acknowledged" => ("acknowledged the risk of", None),
        "risk.step_set" => ("set the next step for", None),
        "risk.snoozed" => ("snoozed", None),
        "risk.woken" => ("woke", None),
        "risk.resolved" => ("resolved the risk of", None),
        "risk.reopened" => ("reopened the risk of", None),
        "risk.ended" => ("saw the risk end of", None),
        "window.opened" => ("found a window at", None),
        "window.passed" => ("passed on a window at", None),
        "window.closed" => ("saw a window close at", None),
        "window.overridden" => ("let a withheld window go ahead at", None),
        "handoff.detected" => ("began a handoff of", None),
        "handoff.qualified" => ("qualified the window of", None),
        "handoff.offered" => ("offered", None),
        "handoff.accepted" => ("claimed", None),
        "handoff.declined" => ("declined", None),
        "handoff.expired" => ("saw the time run out for", None),
        "handoff.withdrawn" => ("withdrew", None),
        "handoff.handed_back" => ("handed back", None),
        "handoff.won" => ("won", None),
        "handoff.lost" => ("lost the window of", None),
        "handoff.reassigned" => ("reassigned", None),
        "renewal.step" => ("moved to the next step of the renewal of", None),
        "renewal.preparing" => ("started preparing the renewal of", None),
        "renewal.negotiating" => ("started negotiating the renewal of", None),
        "renewal.renewed" => ("renewed", None),
        "renewal.contracted" => ("renewed for less", None),
        "renewal.lost" => ("lost the renewal of", None),
        "note.added" => ("wrote a note on", None),
        "feedback.given" => ("gave feedback on", None),
        "escalation.reminded" => ("reminded somebody of", None),
        "escalation.delegated" => ("asked a delegate to see to", None),
        "escalation.escalated" => ("told a lead about", None),
        "escalation.ended" => ("ended the escalation of", None),
        other => return without_account(other, person),
    };
    about.map_or_else(|| format!("{before} {account}"), |about| format!("{before} {account} {about}"))
}

fn without_account(event: &str, person: Option<&str>) -> String {
    let to = |words: &str| person.map_or_else(|| words.to_owned(), |name| format!("{words} to {name}"));
    match event {
        "organisation.created" => "made the sample organisation".to_owned(),
        "data.imported" => "imported data".to_owned(),
        "diagnosis.run" => "diagnosed every account".to_owned(),
        "digest.queued" => {
            person.map_or_else(|| "prepared a digest".to_owned(), |name| format!("prepared the digest of {name}"))
        }
        "digest.sent" => to("sent the digest"),
        "digest.given_up" => {
            person.map_or_else(|| "gave up a digest".to_owned(), |name| format!("gave up the digest of {name}"))
        }
        "person.linked" => "was found in chat".to_owned(),
        "settings.changed" => "changed settings".to_owned(),
        "policy.changed" => "changed the policy".to_owned(),
        "model.changed" => "changed the organisation's model".to_owned(),
        "book.transferred" => "handed over a book of accounts".to_owned(),
        other => other.replace(['.', '_'], " "),
    }
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
        let lines: Vec<String> = [
            ("person:p1", "risk.acknowledged", "risk:1", json!({"account": "a-1"}), 0),
            ("system", "risk.opened", "account:a-1", json!({}), 0),
            ("person:p1", "handoff.accepted", "handoff:1", json!({"account_id": "a-9"}), 0),
            ("person:gone", "note.added", "note:1", json!({}), 0),
            ("system", "digest.sent", "digest:1", json!({"person": "p1"}), 86_400),
            ("key:1", "data.imported", "organisation:1", json!({}), 86_400),
            ("person:p1", "something.new_here", "thing:1", json!({}), 0),
        ]
        .into_iter()
        .map(|(actor, event, subject, data, ago)| {
            let at = now - chrono::TimeDelta::seconds(ago);
            let (actor, event, subject) = (actor.to_owned(), event.to_owned(), subject.to_owned());
            let view = said(&Event { event_id: Uuid::nil(), at, actor, event, subject, data }, &names, Tz::UTC, now);
            format!("{} {} {}", view.at, view.who, view.what)
        })
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        14:13 Dana acknowledged the risk of Acme
        14:13 Tandem found Acme at risk
        14:13 Dana claimed a-9
        14:13 Somebody wrote a note on an account
        Sun 14:13 Tandem sent the digest to Dana
        Sun 14:13 The API imported data
        14:13 Dana something new here
        ");
    }
}
