//! What must hold of the whole history, read as anybody can read the exported trail.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tandem::store::audit::Event;

/// One matter, as its events have told it so far.
#[derive(Default)]
struct Told {
    /// The last thing that was done about it, and when: whatever clock ran before it says nothing after.
    moved: Option<DateTime<Utc>>,
    settled: bool,
    /// Offered, and nobody has accepted it since.
    offered: bool,
    /// What each of its clocks has said, by when the clock was started.
    clocks: BTreeMap<DateTime<Utc>, Vec<String>>,
}

fn settles(name: &str) -> bool {
    matches!(
        name,
        "risk.resolved"
            | "risk.ended"
            | "risk.snoozed"
            | "handoff.won"
            | "handoff.lost"
            | "handoff.withdrawn"
            | "window.passed"
            | "window.closed"
            | "renewal.renewed"
            | "renewal.contracted"
            | "renewal.lost"
    )
}

/// Of every matter: each clock asks at most once and ends at most once, in this order; nothing is asked that was answered
/// after the clock began, and nothing that is settled; what is accepted was offered. Returns how often each event stands
/// there.
pub(super) fn holds(events: &[Event]) -> BTreeMap<String, usize> {
    let mut matters: BTreeMap<&str, Told> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut before = None;
    for event in events {
        let (name, subject, at) = (event.event.as_str(), event.subject.as_str(), event.at);
        assert!(before.is_none_or(|before| before <= at), "{name} of {subject}: the trail goes back in time");
        before = Some(at);
        *counts.entry(name.to_owned()).or_default() += 1;
        let told = matters.entry(subject).or_default();
        match name.strip_prefix("escalation.") {
            // Whoever is back, or out of reach, hands over without a clock; a lead nudges; a person answers.
            Some(_) if event.data["clock_since"].is_null() => {}
            Some(step) => {
                let since: DateTime<Utc> = event.data["clock_since"].as_str().unwrap().parse().unwrap();
                // What the clock itself did about it at its end stands before, at the same moment.
                assert!(!told.settled, "{name} of {subject} at {at}, after it was settled");
                assert!(
                    told.moved.is_none_or(|moved| moved <= since || moved == at),
                    "{name} of {subject} at {at}, after it was answered"
                );
                let said = told.clocks.entry(since).or_default();
                assert!(!said.iter().any(|said| said == step), "{step} twice by one clock of {subject}, at {at}");
                assert!(!said.iter().any(|said| said == "ended"), "{step} of {subject} at {at}, after the end");
                let delegated = said.iter().any(|said| said == "delegated");
                let reminded = said.iter().any(|said| said == "reminded");
                let ends = matches!(step, "escalated" | "ended");
                assert!(!ends || reminded || delegated, "{step} of {subject} at {at}, and nobody was asked before");
                said.push(step.to_owned());
            }
            None => {
                match name {
                    "handoff.offered" => told.offered = true,
                    "handoff.accepted" => {
                        let solo = event.data["from"].is_null();
                        assert!(told.offered || solo, "{subject} was accepted twice, at {at}");
                        told.offered = false;
                    }
                    _ => {}
                }
                // What is said of a matter beside its state moves no clock.
                let stays = name == "handoff.reassigned" && event.data["accountable"] == event.data["previous"];
                if !stays && !matches!(name, "feedback.given" | "renewal.step" | "window.opened" | "window.overridden")
                {
                    told.moved = Some(at);
                    told.settled = settles(name) || (told.settled && name == "note.added");
                }
            }
        }
    }
    let (escalated, ended) = (counts.get("escalation.escalated"), counts.get("escalation.ended"));
    assert!(escalated <= ended, "every chain ends: {counts:?}");
    counts
}

/// The state that a matter's events leave it in. `solo` windows are qualified after they were claimed.
fn state(events: &[&Event]) -> String {
    let mut state = String::new();
    for event in events {
        let next = match event.event.as_str() {
            "risk.opened" | "risk.reopened" | "risk.woken" => "open",
            "risk.acknowledged" | "risk.step_set" => "acknowledged",
            "handoff.qualified" if state == "accepted" => continue,
            "window.passed" => "passed",
            "window.closed" => "closed",
            "renewal.step" if state.is_empty() => "upcoming",
            "handoff.reassigned" => match event.data["state"].as_str() {
                Some(state) => state,
                None => continue,
            },
            "renewal.step" | "window.opened" | "window.overridden" | "note.added" => continue,
            other => match other.split_once('.') {
                Some(("risk" | "handoff" | "renewal", state)) => state,
                _ => continue,
            },
        };
        state = next.to_owned();
    }
    state
}

/// The events alone give every matter the state that is stored, and there is no matter without a history.
pub(super) fn replayed(events: &[Event], stored: &BTreeMap<String, String>) {
    let mut by_subject: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_subject.entry(&event.subject).or_default().push(event);
    }
    for (subject, wanted) in stored {
        let told = by_subject.get(subject.as_str()).map(|events| state(events)).unwrap_or_default();
        // What is no window ends with one word, whether its holder let it be or its account left.
        let same = told == *wanted || (told == "withdrawn" && matches!(wanted.as_str(), "passed" | "closed"));
        let names: Vec<&str> =
            by_subject.get(subject.as_str()).into_iter().flatten().map(|e| e.event.as_str()).collect();
        assert!(same, "{subject} is {wanted}, and its history says {told}: {names:?}");
    }
}

/// The trail as it is exported.
pub(super) fn lines(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}
