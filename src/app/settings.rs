//! What a person sets for themself: the hour of the morning, working days, how
//! many cards, mornings without any, and who stands in while they are away.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

use super::morning::gets_mornings;
use super::snapshot::Snapshot;
use crate::domain::action::{Subject, Verb};
use crate::domain::calendar;
use crate::domain::message::dialog::{self, DialogView, SettingsNow};
use crate::domain::message::form::{BUDGET_MOST, DELEGATE, Settings};
use crate::domain::message::{Dialog, Message, answer};
use crate::domain::person::{Person, PersonId};
use crate::domain::routing::{People, may_hold};
use crate::store::audit::Entry;
use crate::store::{Tenant, directory, person, settings};

/// Which colleagues can be offered as stand-ins: Slack's menus hold 100, and one is "Nobody".
const PEOPLE_MOST: usize = 99;

/// The dialog as the person's settings stand.
pub fn dialog(snapshot: &Snapshot, person: &Person, now: DateTime<Utc>) -> Option<Dialog> {
    let today = calendar::local_date(person.timezone, now);
    let mut view = DialogView::new(Subject::Home(1), "", today, snapshot.organisation.currency);
    view.settings = of(snapshot, person);
    view.people = colleagues(snapshot, person);
    dialog::dialog(Verb::Settings, &view)
}

fn of(snapshot: &Snapshot, person: &Person) -> SettingsNow {
    let own = snapshot.stored_person(person.id).map(|stored| stored.own.clone()).unwrap_or_default();
    SettingsNow {
        digest_time: person.digest_time,
        workdays: person.workdays,
        timezone: person.timezone.name().to_owned(),
        budget: own.attention_budget.unwrap_or_else(|| usual_budget(snapshot)),
        empty_mornings: own.empty_mornings.unwrap_or(true),
        away_until: person.out_of_office_until,
        delegate: person.delegate,
    }
}

fn usual_budget(snapshot: &Snapshot) -> u8 {
    u8::try_from(snapshot.policy.work.attention_budget).unwrap_or(BUDGET_MOST).clamp(1, BUDGET_MOST)
}

/// Those who may act, as a stand-in has to. The likely ones, who do the same work, come first; whoever is one now
/// has a place while they may act.
fn colleagues(snapshot: &Snapshot, person: &Person) -> Vec<(PersonId, String)> {
    let mut all: Vec<&Person> =
        snapshot.people.iter().filter(|other| may_hold(other) && other.id != person.id).collect();
    let shares = |other: &Person| other.roles.iter().any(|role| person.is(*role));
    all.sort_by_key(|other| (person.delegate != Some(other.id), !shares(other), other.name.to_lowercase()));
    all.truncate(PEOPLE_MOST);
    all.sort_by_key(|other| (!shares(other), other.name.to_lowercase()));
    all.into_iter().map(|other| (other.id, other.name.clone())).collect()
}

/// What came of saving.
pub enum Saved {
    /// What to tell the person, and what the audit trail keeps.
    Changed(Message, Entry),
    /// All was so before.
    Same(Message),
    /// (field id, sentence).
    Refused(Vec<(String, String)>),
}

/// Saves and puts into effect, in the caller's transaction: the next morning is owed at the new hour at once.
pub async fn save(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: &Person,
    chosen: &Settings,
    now: DateTime<Utc>,
) -> anyhow::Result<Saved> {
    if let Some(delegate) = chosen.delegate
        && (delegate == person.id || !snapshot.person(delegate).is_some_and(may_hold))
    {
        let sentence = "Choose a colleague who works here. A viewer cannot stand in.".to_owned();
        return Ok(Saved::Refused(vec![(DELEGATE.to_owned(), sentence)]));
    }
    let before = of(snapshot, person);
    let after = Person {
        digest_time: chosen.digest_time,
        workdays: chosen.workdays,
        delegate: chosen.delegate,
        out_of_office_until: chosen.away_until,
        ..person.clone()
    };
    let calendar = snapshot.calendar(&after);
    let next = calendar.next_digest_at(after.digest_time, now);
    let today = calendar::local_date(after.timezone, now);
    let told = chosen.away_until.map(|until| (until, stand_in(snapshot, &after, today)));
    let changed = changed(&before, chosen);
    // The day that a message comes again, for whoever is away until then.
    let mut first = next;
    while chosen.away_until.is_some_and(|until| calendar::local_date(after.timezone, first) <= until) {
        first = calendar.next_digest_at(after.digest_time, first);
    }
    let morning =
        gets_mornings(&after).then(|| (first.with_timezone(&after.timezone).naive_local(), after.timezone.name()));
    if changed.is_empty() {
        return Ok(Saved::Same(answer::settings_same(morning)));
    }
    let said = answer::settings_saved(morning, told, today);
    person::save_own(tx, person.id, chosen, now).await?;
    settings::touch(tx).await?;
    directory::reschedule_digests(tx, &[(person.id, next)], now).await?;
    let entry = Entry::new("settings.changed", format!("person:{}", person.id), json!({"changed": changed}));
    Ok(Saved::Changed(said, entry))
}

/// Who takes over from this person, as they are set now: the one they chose may be away too.
fn stand_in(snapshot: &Snapshot, after: &Person, today: NaiveDate) -> Option<String> {
    let as_set = |person: &Person| if person.id == after.id { after.clone() } else { person.clone() };
    let people: People = snapshot.people.iter().map(as_set).collect();
    people.stand_in(after.id, today).map(|id| snapshot.first_name(id))
}

/// The names of what differs.
fn changed(before: &SettingsNow, chosen: &Settings) -> Vec<&'static str> {
    [
        ("digest_time", before.digest_time != chosen.digest_time),
        ("workdays", before.workdays != chosen.workdays),
        ("attention_budget", before.budget != chosen.budget),
        ("empty_mornings", before.empty_mornings != chosen.empty_mornings),
        ("out_of_office_until", before.away_until != chosen.away_until),
        ("delegate", before.delegate != chosen.delegate),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
