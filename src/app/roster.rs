//! Purpose: what chat says of people, kept where it matters: the time zone of
//! whoever has none imported, and whose account is deactivated. The work of those
//! goes to the next in line, who is told with an admin, and comes back with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::content::Content;
use super::snapshot::Snapshot;
use super::{App, absence, notice};
use crate::domain::person::{OrgId, PersonId};
use crate::store::audit::{self, Actor, Entry};
use crate::store::directory::{self, Platform, Workspace};
use crate::store::{Tenant, person, settings};

/// The problem of whatever is said to somebody whose chat account is deactivated, as Slack names it.
pub const DEACTIVATED: &str = "user_disabled";

/// A member of a workspace, as the platform describes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user_id: String,
    /// Lower case; `None` also for guests and bots, who are nobody's colleagues.
    pub email: Option<String>,
    pub timezone: Option<Tz>,
    pub deactivated: bool,
}

/// Keeps what is new of what a platform says of its members; says and writes nothing where all of it is known.
pub async fn heard_of(app: &App, org: OrgId, workspace: &Workspace, members: &[Member]) -> anyhow::Result<()> {
    let mut tx = app.store.tenant(org).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let zones = new_zones(&snapshot, workspace, members);
    let now = app.now();
    let (gone, back) = changed(&mut tx, &snapshot, workspace, members, now).await?;
    if zones.is_empty() && gone.is_empty() && back.is_empty() {
        return Ok(());
    }
    person::save_chat_timezones(&mut tx, &zones).await?;
    settings::touch(&mut tx).await?;
    // From here on with what was just learnt.
    let snapshot = Snapshot::load(&mut tx).await?;
    let moved = zones.iter().filter_map(|(id, zone)| {
        let person = snapshot.person(*id).filter(|person| person.active && person.timezone == *zone)?;
        Some((*id, snapshot.calendar(person).next_digest_at(person.digest_time, now)))
    });
    directory::reschedule_digests(&mut tx, &moved.collect::<Vec<_>>(), now).await?;
    let data = |user: &str| json!({"platform": workspace.platform.as_str(), "workspace": workspace.id, "user": user});
    let mut entries: Vec<Entry> = Vec::new();
    for (person, zone) in &zones {
        let data = json!({"changed": ["chat_timezone"], "timezone": zone.name()});
        entries.push(Entry::new("settings.changed", format!("person:{person}"), data));
    }
    for (event, people) in [("person.deactivated", &gone), ("person.reactivated", &back)] {
        entries.extend(people.iter().map(|(id, user)| Entry::new(event, format!("person:{id}"), data(user))));
    }
    audit::record(&mut tx, Actor::System, now, &entries).await?;
    for (person, _) in gone.iter().chain(&back) {
        absence::turn_in(&mut tx, &snapshot, *person, now).await?;
    }
    for (person, _) in &gone {
        let about = Content::GivenUp { person: Some(*person), problem: DEACTIVATED.to_owned() };
        let admin = snapshot.people.admins().into_iter().find(|admin| admin != person);
        notice::notify(&mut tx, &snapshot, admin, &about, None, now).await?;
    }
    tx.commit().await?;
    app.outbox_bell.notify_waiters();
    Ok(())
}

/// Remembers that a message met a deactivated account, so that it is noticed when it works again.
pub(super) async fn met_deactivated(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    person: PersonId,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Some(workspace) = snapshot.workspace_of(person) else { return Ok(()) };
    let known = person::chat_user(tx, workspace, person).await?.map(|user| user.user_id);
    let imported = snapshot.stored_person(person).and_then(|stored| stored.slack_user_id.clone());
    if let Some(user) = known.or(imported.filter(|_| workspace.platform == Platform::Slack)) {
        person::mark_deactivated(tx, workspace, person, &user, now).await?;
    }
    Ok(())
}

/// People whose account says another time zone than what is known. By e-mail too, so that the first morning already
/// comes at the right hour.
fn new_zones(snapshot: &Snapshot, workspace: &Workspace, members: &[Member]) -> Vec<(PersonId, Tz)> {
    let zones = members.iter().filter(|member| !member.deactivated).filter_map(|member| {
        let zone = member.timezone?;
        let known = snapshot.person_of(workspace, &member.user_id);
        let by_email = || Some(snapshot.person_by_email(member.email.as_deref()?)?.id);
        let person = known.or_else(by_email)?;
        (snapshot.stored_person(person)?.chat_timezone != Some(zone)).then_some((person, zone))
    });
    // One a person, whatever the platform lists.
    zones.collect::<BTreeMap<_, _>>().into_iter().collect()
}

type Accounts = Vec<(PersonId, String)>;

/// Whose accounts are deactivated since, and whose work again; noted in this transaction.
async fn changed(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    workspace: &Workspace,
    members: &[Member],
    now: DateTime<Utc>,
) -> anyhow::Result<(Accounts, Accounts)> {
    let known = person::deactivated(tx, workspace).await?;
    let (mut gone, mut back) = (Accounts::new(), Accounts::new());
    for member in members {
        let was = known.contains(&member.user_id);
        if was == member.deactivated {
            continue;
        }
        let Some(person) = snapshot.person_of(workspace, &member.user_id) else { continue };
        let user = member.user_id.as_str();
        let noted = if member.deactivated {
            person::mark_deactivated(tx, workspace, person, user, now).await?
        } else {
            person::mark_reactivated(tx, workspace, person, user).await?
        };
        if noted {
            let list = if member.deactivated { &mut gone } else { &mut back };
            list.push((person, member.user_id.clone()));
        }
    }
    Ok((gone, back))
}
