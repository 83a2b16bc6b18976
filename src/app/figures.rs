//! Key figures of a person, a team or the organisation, and the failure
//! measures of the organisation models.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};

use super::precision;
use super::snapshot::Snapshot;
use crate::domain::account::AccountId;
use crate::domain::angle::Angle;
use crate::domain::calendar;
use crate::domain::figures::failure::{self, Measure, OpenWork};
use crate::domain::figures::period::{Period, Span};
use crate::domain::figures::precision::{RuleUse, Trial};
use crate::domain::figures::trail::Stretch;
use crate::domain::figures::{self, AccountFact, Facts, Figure, Side, Whose};
use crate::domain::money::{Currency, Money};
use crate::domain::person::{Person, PersonId, Role};
use crate::store::{Tenant, diagnosis, figures as store};

/// The figures of one scope and period.
#[derive(Debug, Clone)]
pub struct Report {
    pub whose: Whose,
    pub period: Period,
    /// Of the period, what has come.
    pub span: Span,
    pub currency: Currency,
    pub figures: Vec<Figure>,
    /// Of the models in use, as of now; none for one person.
    pub failures: Vec<Measure>,
    /// Of the organisation's policy days up to now; none for a person or a team.
    pub rules: Vec<RuleUse>,
    pub trials: Vec<Trial>,
}

/// Whose figures a person is shown: an admin the organisation's, a lead their team's, everybody else their own.
pub fn shown_to(snapshot: &Snapshot, person: &Person) -> Whose {
    if person.is(Role::Admin) { Whose::Organisation } else { of_person(snapshot, person) }
}

/// A lead's figures are their team's and their own together.
pub fn of_person(snapshot: &Snapshot, person: &Person) -> Whose {
    let mut team = led_by(snapshot, person);
    if !person.is(Role::Lead) || team.is_empty() {
        return Whose::Person(person.id);
    }
    team.insert(person.id);
    Whose::Team(team)
}

/// Everyone whom this person leads, at any distance; also who has left, since what they did counts.
fn led_by(snapshot: &Snapshot, lead: &Person) -> BTreeSet<PersonId> {
    let people = &snapshot.people;
    people.iter().filter(|person| people.leads_above(person.id).contains(&lead.id)).map(|person| person.id).collect()
}

/// Which sides' figures concern a person: their own role's, or all.
pub fn sides(snapshot: &Snapshot, whose: &Whose) -> Vec<Side> {
    let person = match whose {
        Whose::Person(id) => snapshot.person(*id),
        Whose::Organisation | Whose::Team(_) => None,
    };
    match person.map_or(Angle::Both, Angle::of) {
        Angle::Csm => vec![Side::Csm, Side::Both],
        Angle::AccountManager => vec![Side::AccountManager, Side::Both],
        Angle::Both => vec![Side::Csm, Side::AccountManager, Side::Both],
    }
}

/// The accounts of a scope. Of a pool's accounts the team of its members has the figures, no single member.
async fn accounts(tx: &mut Tenant, snapshot: &Snapshot, whose: &Whose) -> anyhow::Result<Vec<AccountFact>> {
    match whose {
        Whose::Organisation => store::accounts(tx).await,
        Whose::Person(person) => store::accounts_of(tx, &[*person], &[]).await,
        Whose::Team(team) => {
            let people: Vec<PersonId> = team.iter().copied().collect();
            let pools: BTreeSet<String> = people.iter().filter_map(|id| snapshot.person(*id)?.pool.clone()).collect();
            store::accounts_of(tx, &people, &pools.into_iter().collect::<Vec<_>>()).await
        }
    }
}

/// Counts the figures of a scope over a period of which `span` has come.
pub async fn report(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    whose: Whose,
    period: Period,
    span: Span,
    now: DateTime<Utc>,
) -> anyhow::Result<Report> {
    let zone = snapshot.organisation.timezone;
    let accounts = accounts(tx, snapshot, &whose).await?;
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.0.as_str()).collect();
    let imported = store::outcomes(tx, &ids).await?;
    let (ended, wins) = store::decided(tx, zone).await?;
    let outcomes_kept = !ended.is_empty() || !wins.is_empty() || store::imports_outcomes(tx).await?;
    let answers = store::answers(tx, &ids, span).await?;
    let quarters: Vec<String> = period.quarters().iter().map(Period::to_string).collect();
    let people: Option<Vec<PersonId>> = match &whose {
        Whose::Organisation => None,
        Whose::Team(team) => Some(team.iter().copied().collect()),
        Whose::Person(person) => Some(vec![*person]),
    };
    let quotas = store::quotas(tx, &quarters, people.as_deref()).await?;
    let span_at = store::stretch(zone, span);
    let steps = store::steps(tx, span_at).await?;
    let (open, pipeline) = store::open(tx).await?;
    let running_now = calendar::local_date(zone, now) <= span.last;
    let facts = Facts {
        health: health(tx, &accounts, span).await?,
        pipeline: running_now.then(|| of_accounts(&accounts, pipeline)),
        span_at,
        running: open.clocks.clone(),
        rates: snapshot.rates.clone(),
        whose,
        period,
        span,
        accounts,
        imported,
        ended,
        wins,
        outcomes_kept,
        answers,
        quotas,
        steps,
        now,
    };
    let failures = match facts.whose {
        Whose::Person(_) => Vec::new(),
        Whose::Organisation | Whose::Team(_) => measured(tx, snapshot, &facts.accounts, &open, now).await?,
    };
    let (rules, trials) = match facts.whose {
        Whose::Organisation => precision::rules(tx, snapshot, now).await?,
        Whose::Team(_) | Whose::Person(_) => (Vec::new(), Vec::new()),
    };
    let figures = figures::all(&facts);
    Ok(Report {
        figures,
        failures,
        rules,
        trials,
        whose: facts.whose,
        period,
        span,
        currency: snapshot.organisation.currency,
    })
}

/// Just after a moment, so that what happened at it counts.
fn later(now: DateTime<Utc>) -> DateTime<Utc> {
    now + chrono::TimeDelta::milliseconds(1)
}

fn of_accounts(accounts: &[AccountFact], pipeline: Vec<(AccountId, Option<Money>)>) -> Vec<(AccountId, Option<Money>)> {
    let known: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
    pipeline.into_iter().filter(|(account, _)| known.contains(account)).collect()
}

/// Of the latest night within the span; empty where there was none.
async fn health(tx: &mut Tenant, accounts: &[AccountFact], span: Span) -> anyhow::Result<Vec<Option<u8>>> {
    match diagnosis::run_before(tx, span.end()).await? {
        Some(night) if night >= span.first => {
            let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
            Ok(diagnosis::health_before(tx, span.end(), &ids).await?.into_values().collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The failure measures of the models in use on these accounts.
async fn measured(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    accounts: &[AccountFact],
    open: &OpenWork,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Measure>> {
    let days = Days::new(failure::QUIET_DAYS.unsigned_abs());
    let stretch = Stretch { from: now.checked_sub_days(days).unwrap_or(now), until: later(now) };
    let steps = store::steps(tx, stretch).await?;
    let active: Vec<AccountFact> = accounts.iter().filter(|account| account.is_active()).cloned().collect();
    Ok(failure::measures(&active, |account| snapshot.model(account.segment), &steps, open, now))
}

/// The failure measures of the accounts of a lead's team, for the weekly message.
pub async fn failures(
    tx: &mut Tenant,
    snapshot: &Snapshot,
    lead: &Person,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Measure>> {
    let accounts = accounts(tx, snapshot, &of_person(snapshot, lead)).await?;
    let (open, _) = store::open(tx).await?;
    measured(tx, snapshot, &accounts, &open, now).await
}
