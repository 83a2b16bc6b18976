//! Purpose: decision signals by day. Notice served at eleven must not wait for the
//! next night: the account is looked at anew, its cards are edited, and whoever
//! handles it hears within minutes in their working hours, else at their next
//! morning.
//!
//! Only decisions are read anew ([`Diagnosis::decided_since`]).

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::content::{About, Content};
use super::snapshot::Snapshot;
use super::{App, notice};
use crate::domain::account::{Account, AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::diagnosis::{CHURNED, Diagnosis};
use crate::domain::handoff::Handoff;
use crate::domain::health::Evidence;
use crate::domain::person::{OrgId, PersonId};
use crate::domain::risk::{self, Limits, Reading, Risk, RiskEvent};
use crate::domain::routing::Seat;
use crate::store::audit::{Actor, Entry};
use crate::store::{self, Tenant, account, change, directory, fresh, handoff, outcome, signal};

/// What came of looking at one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub account: AccountId,
    /// The rules of the new floors; `churned` for an outcome.
    pub decisions: Vec<String>,
    /// Who hears now, and who at their next morning.
    pub now: Vec<PersonId>,
    pub later: Vec<PersonId>,
}

/// Looks at every account of an organisation that got a row which may be a decision.
pub async fn look(app: &App, org: OrgId) -> anyhow::Result<Vec<Decided>> {
    let mut decided = Vec::new();
    loop {
        let mut tx = app.store.tenant(org).await?;
        if !store::night::try_lock_night(&mut tx).await? {
            // The night is at work: it sees these rows itself, and the rest is looked at in a minute.
            directory::set_next_decisions(&mut tx, Some(app.now() + TimeDelta::minutes(1))).await?;
            tx.commit().await?;
            return Ok(decided);
        }
        let Some(id) = fresh::take(&mut tx).await? else {
            directory::set_next_decisions(&mut tx, None).await?;
            tx.commit().await?;
            return Ok(decided);
        };
        let found = one(app, &mut tx, &id).await?;
        tx.commit().await?;
        if let Some(found) = found {
            app.outbox_bell.notify_waiters();
            decided.push(found);
        }
    }
}

async fn one(app: &App, tx: &mut Tenant, id: &AccountId) -> anyhow::Result<Option<Decided>> {
    let snapshot = app.snapshot(tx).await?;
    let now = app.now();
    // Before the first diagnosis there is no card to edit, and the first night is a backlog.
    let Some(night) = snapshot.organisation.diagnosed_on else { return Ok(None) };
    let Some(account) = account::some(tx, std::slice::from_ref(id)).await?.pop() else { return Ok(None) };
    if account.status == AccountStatus::Churned {
        return Ok(None);
    }
    let look = Look { snapshot: snapshot.clone(), account, night, now };
    let Some(evidence) = look.evidence(tx).await? else { return Ok(None) };
    let accounts = std::slice::from_ref(&look.account);
    let Some(stored) = store::diagnosis::of_accounts(tx, night, accounts, &snapshot.policy).await?.remove(id) else {
        return Ok(None);
    };
    let (merged, decisions) = stored.decided_since(&look.account, &evidence, &snapshot.policy);
    if decisions.is_empty() {
        return Ok(None);
    }
    let latest = store::risk::lock_latest(tx, std::slice::from_ref(id)).await?.remove(id).transpose()?;
    // A churn that the episode knows already is no news, whatever the night kept of it.
    let known = latest.as_ref().is_some_and(|risk| risk.latest().churned);
    let decisions: Vec<String> =
        decisions.into_iter().filter(|name| *name != CHURNED || !known).map(str::to_owned).collect();
    if decisions.is_empty() {
        return Ok(None);
    }
    store::night::replace(tx, night, &merged, evidence.auto_renew()).await?;
    let mut entries = Vec::new();
    let risk = look.risk(tx, latest, &Reading::new(&merged), &decisions, &mut entries).await?;
    look.gate(tx, &merged, &mut entries).await?;
    change::record(tx, now, &change::by(Actor::System, entries), std::slice::from_ref(id)).await?;
    let (told_now, told_later) = match &risk {
        Some(risk) => look.tell(tx, risk).await?,
        None => (Vec::new(), Vec::new()),
    };
    Ok(Some(Decided { account: id.clone(), decisions, now: told_now, later: told_later }))
}

/// One account by day.
struct Look {
    snapshot: Arc<Snapshot>,
    account: Account,
    /// The night whose diagnosis is edited.
    night: NaiveDate,
    now: DateTime<Utc>,
}

impl Look {
    fn id(&self) -> &AccountId {
        &self.account.id
    }

    /// What is known of the account by now. `None` where a row can't be read: the night tells of it.
    async fn evidence(&self, tx: &mut Tenant) -> anyhow::Result<Option<Evidence>> {
        let today = calendar::local_date(self.snapshot.organisation.timezone, self.now);
        let contacts = account::contacts_between(tx, self.id(), self.id()).await?;
        let outcomes = outcome::between(tx, self.id(), self.id(), today).await?;
        let Ok(signals) = signal::of_account(tx, self.id(), today).await else { return Ok(None) };
        let evidence = Evidence::reduce(&self.account, &contacts, &signals, today, &self.snapshot.policy);
        Ok(Some(match outcomes.last() {
            Some(outcome) => evidence.with_outcome(outcome.kind, outcome.decided_on),
            None => evidence,
        }))
    }

    /// The episode opens, wakes, is reopened, or learns of it.
    async fn risk(
        &self,
        tx: &mut Tenant,
        latest: Option<Risk>,
        reading: &Reading,
        decisions: &[String],
        entries: &mut Vec<Entry>,
    ) -> anyhow::Result<Option<Risk>> {
        let points = self.snapshot.policy.score.change_points;
        let limits = Limits { worse_points: u8::try_from(points).unwrap_or(u8::MAX), ..Limits::default() };
        let before = latest.clone();
        let (after, events) = risk::on_night(latest, self.id(), Uuid::now_v7(), reading, self.night, self.now, limits);
        let Some(after) = after else { return Ok(None) };
        for event in events {
            let mut data = json!({"account": self.id(), "date": self.night, "decisions": decisions, "by_day": true});
            if let RiskEvent::Woken(_) = event {
                data["why"] = json!("decision");
            }
            entries.push(Entry::new(event.as_str(), Subject::Risk(after.id), data));
        }
        if before.as_ref() != Some(&after) {
            store::risk::save(tx, &after).await?;
        }
        Ok(Some(after).filter(Risk::is_open))
    }

    /// The health gate closes at once.
    async fn gate(&self, tx: &mut Tenant, merged: &Diagnosis, entries: &mut Vec<Entry>) -> anyhow::Result<()> {
        let open = handoff::lock_of_accounts(tx, std::slice::from_ref(self.id()), self.now).await?;
        for (_, held) in open {
            let held: Handoff = held?;
            let (after, event) = held.clone().nightly(None, merged.gate(), self.night, self.now);
            if after != held {
                handoff::save(tx, &after).await?;
            }
            if let Some(event) = event {
                let data = json!({"account": self.id(), "by_day": true});
                entries.push(Entry::new(event.as_str(), Subject::Handoff(after.id), data));
            }
        }
        Ok(())
    }

    /// Whoever looks after the account and its account manager: now in their working hours, else a reply at their
    /// next morning where they have the card already. Where they have none, the morning itself brings it.
    async fn tell(&self, tx: &mut Tenant, risk: &Risk) -> anyhow::Result<(Vec<PersonId>, Vec<PersonId>)> {
        let today = calendar::local_date(self.snapshot.organisation.timezone, self.now);
        let routed = self.snapshot.route(&self.account, today)?;
        let manager = match routed.account_manager {
            Seat::Person(person) => Some(person),
            Seat::Pool { .. } => None,
        };
        let mut people = vec![routed.risks];
        people.extend(manager.filter(|manager| *manager != routed.risks));
        let (mut now, mut later) = (Vec::new(), Vec::new());
        let content = Content::notice(About::Risk(risk.id), "decision", risk.version(), None);
        for id in people {
            let Some(person) = self.snapshot.person(id).filter(|person| person.active) else { continue };
            let works = self.snapshot.calendar(person);
            if works.is_open(self.now) && !person.away_on(works.local_date(self.now)) {
                notice::notify(tx, &self.snapshot, [id], &content, Some(self.id()), self.now).await?;
                now.push(id);
            } else {
                let morning = works.next_digest_at(person.digest_time, self.now);
                if notice::reply_at(tx, &self.snapshot, id, &content, self.id(), morning, self.now).await? {
                    later.push(id);
                }
            }
        }
        Ok((now, later))
    }
}
