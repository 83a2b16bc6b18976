//! When things are owed: the next night of an organisation, the next morning of each person.

use chrono::{DateTime, Utc};

use crate::domain::calendar::WorkCalendar;
use crate::domain::person::PersonId;
use crate::store::directory::{self, Organisation};
use crate::store::{Tenant, person, settings};

/// Recomputes every person's next morning after `now`; one that is owed already stays owed. Whoever has left is owed none.
pub async fn set_next_digests(tx: &mut Tenant, organisation: &Organisation, now: DateTime<Utc>) -> anyhow::Result<()> {
    let holidays = settings::holidays(tx).await?;
    let people = person::all(tx, organisation.timezone).await?;
    let next: Vec<(PersonId, DateTime<Utc>)> = people
        .iter()
        .map(|stored| &stored.person)
        .filter(|person| person.active)
        .map(|person| {
            let calendar = WorkCalendar::of(person, holidays.of(person.timezone));
            (person.id, calendar.next_digest_at(person.digest_time, now))
        })
        .collect();
    let ids: Vec<PersonId> = next.iter().map(|(person, _)| *person).collect();
    directory::keep_digests_of(tx, &ids).await?;
    directory::reschedule_digests(tx, &next, now).await
}
