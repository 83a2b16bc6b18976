//! What the key figures are counted from, read in sets. The statements stand
//! together because they are read together; each is by keys or by an index.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::calendar;
use crate::domain::diagnosis::WindowKind;
use crate::domain::figures::decisions::{Ended, Imported, Win};
use crate::domain::figures::failure::OpenWork;
use crate::domain::figures::period::Span;
use crate::domain::figures::trail::{Step, Stretch, What};
use crate::domain::figures::{AccountFact, Answer, BELIEVED_DAYS};
use crate::domain::handoff::Running;
use crate::domain::money::Money;
use crate::domain::person::PersonId;
use crate::domain::row::OutcomeKind;

/// The events from which figures are counted: those of `domain::figures::trail::What`, and of the partial index
/// `audit_event_figures`, which the planner takes only where a statement names them.
macro_rules! figure_events {
    () => {
        "('risk.opened', 'risk.reopened', 'risk.woken', 'risk.acknowledged', 'risk.step_set', 'risk.snoozed', 'risk.resolved',
          'risk.ended', 'window.opened', 'window.passed', 'window.closed', 'window.overridden', 'handoff.qualified',
          'handoff.offered', 'handoff.accepted', 'handoff.declined', 'handoff.expired', 'handoff.withdrawn',
          'handoff.handed_back', 'handoff.reassigned', 'handoff.won', 'handoff.lost', 'renewal.step', 'renewal.preparing',
          'renewal.negotiating', 'renewal.renewed', 'renewal.contracted', 'renewal.lost', 'note.added')"
    };
}

/// The columns of an [`AccountFact`].
macro_rules! account_facts {
    ($where:literal) => {
        concat!(
            "SELECT account_id, segment, status, arr_minor, currency, cost_to_serve_minor, seats, start_date, go_live_date,
                    renewal_date, term_months, notice_period_days, csm_id, account_manager_id, pool
               FROM tandem.account WHERE org_id = $1 ",
            $where,
            " ORDER BY account_id"
        )
    };
}

statements! {
    ACCOUNTS = account_facts!("");
    /// Theirs, and those of these pools that have no account manager.
    ACCOUNTS_OF = account_facts!("AND (csm_id = ANY ($2) OR account_manager_id = ANY ($2)
                                       OR (account_manager_id IS NULL AND pool = ANY ($3)))");
    OUTCOMES = "SELECT account_id, decided_on, kind, arr_before_minor, arr_after_minor, currency FROM tandem.outcome
                 WHERE org_id = $1 AND account_id = ANY ($2) ORDER BY account_id, decided_on, kind";
    /// The latest value of a kind for each account and reference.
    ANSWERS = "SELECT s.account_id, s.kind, s.reference, s.observed_on, s.number
                 FROM unnest($2::text[]) AS wanted (account_id)
                CROSS JOIN LATERAL (SELECT DISTINCT ON (kind, reference) account_id, kind, reference, observed_on, number
                                      FROM tandem.signal
                                     WHERE org_id = $1 AND account_id = wanted.account_id AND kind = ANY ($3)
                                       AND observed_on BETWEEN $4 AND $5 AND number IS NOT NULL
                                     ORDER BY kind, reference, observed_on DESC, source OFFSET 0) AS s
                ORDER BY s.account_id, s.kind, s.reference";
    QUOTAS = "SELECT amount_minor, currency FROM tandem.quota WHERE org_id = $1 AND period = ANY ($2) ORDER BY person_id, period";
    QUOTAS_OF = "SELECT amount_minor, currency FROM tandem.quota
                  WHERE org_id = $1 AND period = ANY ($2) AND person_id = ANY ($3) ORDER BY person_id, period";
    /// Of everything that moved within the stretch the whole history: an offer may be older than it, its answer younger.
    STEPS = concat!("WITH moved AS MATERIALIZED (
                       SELECT DISTINCT subject FROM tandem.audit_event
                        WHERE org_id = $1 AND at >= $2 AND at < $3 AND event IN ", figure_events!(), ")
                     SELECT e.at, e.actor, e.event, e.subject, e.data
                       FROM moved
                      CROSS JOIN LATERAL (SELECT event_id, at, actor, event, subject, data FROM tandem.audit_event
                                           WHERE org_id = $1 AND subject = moved.subject AND event IN ", figure_events!(), " OFFSET 0) AS e
                      ORDER BY e.at, e.event_id");
    DECIDED = "SELECT at, actor, event, subject, data FROM tandem.audit_event
                WHERE org_id = $1 AND event IN ('renewal.renewed', 'renewal.contracted', 'renewal.lost', 'handoff.won')
                ORDER BY at, event_id";
    STEPPED = "SELECT data->>'account', min(at) FROM tandem.audit_event
                WHERE org_id = $1 AND event = 'renewal.step' AND at >= $2 AND data ? 'account' GROUP BY 1";
    ANY_OUTCOME = "SELECT EXISTS (SELECT FROM tandem.outcome WHERE org_id = $1)";
    OPEN_RISKS = "SELECT account_id FROM tandem.risk
                   WHERE org_id = $1 AND state IN ('open', 'acknowledged', 'snoozed') ORDER BY account_id";
    OPEN_HANDOFFS = "SELECT handoff_id, account_id, matter, need IS NOT NULL AND state <> 'detected' OR state = 'accepted' AS in_pipeline,
                            amount_minor, currency, CASE WHEN state = 'offered' THEN clock_since END AS clock_since,
                            CASE WHEN state = 'offered' THEN due_at END AS due_at
                       FROM tandem.handoff WHERE org_id = $1 AND accountable IS NOT NULL ORDER BY account_id, handoff_id";
    OPEN_RENEWALS = "SELECT account_id FROM tandem.renewal
                      WHERE org_id = $1 AND state IN ('upcoming', 'preparing', 'negotiating') ORDER BY account_id";
}

#[derive(FromRow)]
struct FactRow {
    account_id: String,
    segment: Option<String>,
    status: String,
    arr_minor: Option<i64>,
    currency: Option<String>,
    cost_to_serve_minor: Option<i64>,
    seats: Option<i64>,
    start_date: Option<NaiveDate>,
    go_live_date: Option<NaiveDate>,
    renewal_date: Option<NaiveDate>,
    term_months: Option<i32>,
    notice_period_days: Option<i32>,
    csm_id: Option<Uuid>,
    account_manager_id: Option<Uuid>,
    pool: Option<String>,
}

impl TryFrom<FactRow> for AccountFact {
    type Error = anyhow::Error;

    fn try_from(row: FactRow) -> Result<Self, Self::Error> {
        Ok(Self {
            segment: row.segment.as_deref().map(|text| word("segment", text)).transpose()?,
            status: word("status", &row.status)?,
            arr: money(row.arr_minor, row.currency.as_deref())?,
            cost_to_serve: money(row.cost_to_serve_minor, row.currency.as_deref())?,
            id: AccountId(row.account_id),
            seats: row.seats,
            start_date: row.start_date,
            go_live_date: row.go_live_date,
            renewal_date: row.renewal_date,
            term_months: row.term_months,
            notice_period_days: row.notice_period_days,
            csm: row.csm_id.map(PersonId),
            account_manager: row.account_manager_id.map(PersonId),
            pool: row.pool,
        })
    }
}

fn money(minor: Option<i64>, currency: Option<&str>) -> anyhow::Result<Option<Money>> {
    minor.zip(currency).map(|(minor, code)| Ok(Money::new(minor, word("currency", code)?))).transpose()
}

/// Every account of the organisation, by id.
pub async fn accounts(tx: &mut Tenant) -> anyhow::Result<Vec<AccountFact>> {
    let org = tx.org().0;
    let rows: Vec<FactRow> = sqlx::query_as(ACCOUNTS).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter().map(AccountFact::try_from).collect()
}

/// The accounts of these people, and those of these pools that have no account manager.
pub async fn accounts_of(tx: &mut Tenant, people: &[PersonId], pools: &[String]) -> anyhow::Result<Vec<AccountFact>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let rows: Vec<FactRow> =
        sqlx::query_as(ACCOUNTS_OF).bind(org).bind(&people).bind(pools).fetch_all(tx.connection()).await?;
    rows.into_iter().map(AccountFact::try_from).collect()
}

#[derive(FromRow)]
struct OutcomeRow {
    account_id: String,
    decided_on: NaiveDate,
    kind: String,
    arr_before_minor: Option<i64>,
    arr_after_minor: Option<i64>,
    currency: Option<String>,
}

/// All that is imported of how these accounts decided.
pub async fn outcomes(tx: &mut Tenant, accounts: &[&str]) -> anyhow::Result<Vec<Imported>> {
    let org = tx.org().0;
    let rows: Vec<OutcomeRow> = sqlx::query_as(OUTCOMES).bind(org).bind(accounts).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Imported {
                account: AccountId(row.account_id),
                on: row.decided_on,
                kind: word("kind", &row.kind)?,
                before: money(row.arr_before_minor, row.currency.as_deref())?,
                after: money(row.arr_after_minor, row.currency.as_deref())?,
            })
        })
        .collect()
}

/// Whether the organisation imports outcomes.
pub async fn imports_outcomes(tx: &mut Tenant) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(ANY_OUTCOME).bind(org).fetch_one(tx.connection()).await?)
}

/// What customers answered within the span; levels and opportunities are believed for [`BELIEVED_DAYS`].
pub async fn answers(tx: &mut Tenant, accounts: &[&str], span: Span) -> anyhow::Result<Vec<Answer>> {
    let levels = Span::back_from(span.last, BELIEVED_DAYS);
    let mut answers = Vec::new();
    for (kinds, span) in
        [(&["nps", "csat", "first_value_days"][..], span), (&["active_users", "opportunity_amount"][..], levels)]
    {
        let org = tx.org().0;
        let rows: Vec<(String, String, String, NaiveDate, f64)> = sqlx::query_as(ANSWERS)
            .bind(org)
            .bind(accounts)
            .bind(kinds)
            .bind(span.first)
            .bind(span.last)
            .fetch_all(tx.connection())
            .await?;
        answers.extend(rows.into_iter().map(|(account, kind, reference, observed_on, number)| Answer {
            account: AccountId(account),
            kind,
            reference,
            observed_on,
            number,
        }));
    }
    Ok(answers)
}

/// The quotas of these quarters: everybody's, or these people's.
pub async fn quotas(tx: &mut Tenant, quarters: &[String], people: Option<&[PersonId]>) -> anyhow::Result<Vec<Money>> {
    let org = tx.org().0;
    let rows: Vec<(i64, String)> = match people {
        None => sqlx::query_as(QUOTAS).bind(org).bind(quarters).fetch_all(tx.connection()).await?,
        Some(people) => {
            let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
            sqlx::query_as(QUOTAS_OF).bind(org).bind(quarters).bind(&people).fetch_all(tx.connection()).await?
        }
    };
    rows.into_iter().map(|(minor, code)| Ok(Money::new(minor, word("currency", &code)?))).collect()
}

#[derive(FromRow)]
struct EventRow {
    at: DateTime<Utc>,
    actor: String,
    event: String,
    subject: String,
    data: Value,
}

/// What a figure reads of an event's data; older events say less.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventData {
    account: Option<AccountId>,
    accountable: Option<PersonId>,
    matter: Option<String>,
    clock: Option<Running>,
    state: Option<String>,
    kind: Option<String>,
    amount: Option<Money>,
    renewal_date: Option<NaiveDate>,
    arr_before: Option<Money>,
    arr_after: Option<Money>,
}

impl EventRow {
    fn by(&self) -> Option<PersonId> {
        self.actor.strip_prefix("person:").and_then(|id| Uuid::try_parse(id).ok()).map(PersonId)
    }

    /// An event about an account names it as its subject.
    fn account(&self, data: &EventData) -> Option<AccountId> {
        let subject = || self.subject.strip_prefix("account:").map(AccountId::from);
        data.account.clone().or_else(subject)
    }
}

/// An event whose data has another shape than ours says nothing more than that it happened.
fn data(row: &EventRow) -> EventData {
    EventData::deserialize(&row.data).unwrap_or_default()
}

/// The steps of everything that moved within the stretch, in order: each matter's whole history, also what came after.
pub async fn steps(tx: &mut Tenant, stretch: Stretch) -> anyhow::Result<Vec<Step>> {
    let org = tx.org().0;
    let rows: Vec<EventRow> =
        sqlx::query_as(STEPS).bind(org).bind(stretch.from).bind(stretch.until).fetch_all(tx.connection()).await?;
    let steps = rows.into_iter().filter_map(|row| {
        let data = data(&row);
        let what = match row.event.parse().ok()? {
            // Given to somebody who holds it without having been offered it.
            What::Reassigned if matches!(data.state.as_deref(), Some("detected" | "qualified")) => What::Unoffered,
            what => what,
        };
        Some(Step {
            at: row.at,
            by: row.by(),
            what,
            account: row.account(&data),
            subject: row.subject.parse::<Subject>().ok()?,
            accountable: data.accountable,
            about_window: data.matter.as_deref().map(|matter| matter == "window"),
            clock: data.clock,
        })
    });
    Ok(steps.collect())
}

/// How renewals ended and which windows were won, by what was done in Tandem. Of a renewal the last word counts.
pub async fn decided(tx: &mut Tenant, zone: Tz) -> anyhow::Result<(Vec<Ended>, Vec<Win>)> {
    let org = tx.org().0;
    let rows: Vec<EventRow> = sqlx::query_as(DECIDED).bind(org).fetch_all(tx.connection()).await?;
    let (mut ended, mut wins) = (BTreeMap::new(), Vec::new());
    for row in rows {
        let data = data(&row);
        let Some(account) = row.account(&data) else { continue };
        let on = calendar::local_date(zone, row.at);
        let kind = match row.event.as_str() {
            "renewal.renewed" => OutcomeKind::Renewed,
            "renewal.contracted" => OutcomeKind::Contracted,
            "renewal.lost" => OutcomeKind::Churned,
            _ => {
                let Ok(Subject::Handoff(handoff)) = row.subject.parse() else { continue };
                let kind = WindowKind::ALL.into_iter().find(|kind| Some(kind.as_str()) == data.kind.as_deref());
                wins.push(Win { handoff, account, on, kind, amount: data.amount });
                continue;
            }
        };
        let Ok(Subject::Renewal(renewal)) = row.subject.parse() else { continue };
        let (renewal_date, before, after) = (data.renewal_date, data.arr_before, data.arr_after);
        ended.insert(renewal, Ended { renewal, account, on, kind, renewal_date, before, after });
    }
    Ok((ended.into_values().collect(), wins))
}

/// The local date on which the work towards a renewal of each account first reached a step, since a moment.
pub async fn stepped(
    tx: &mut Tenant,
    zone: Tz,
    since: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<AccountId, NaiveDate>> {
    let org = tx.org().0;
    let rows: Vec<(String, DateTime<Utc>)> =
        sqlx::query_as(STEPPED).bind(org).bind(since).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(|(account, at)| (AccountId(account), calendar::local_date(zone, at))).collect())
}

/// The stretch of a span of local dates.
pub fn stretch(zone: Tz, span: Span) -> Stretch {
    let start = |day| calendar::instant(zone, day, NaiveTime::MIN);
    Stretch { from: start(span.first), until: start(span.end()) }
}

#[derive(FromRow)]
struct OpenRow {
    handoff_id: Uuid,
    account_id: String,
    matter: String,
    in_pipeline: bool,
    amount_minor: Option<i64>,
    currency: Option<String>,
    clock_since: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
}

/// What is open now, and of it the windows that are qualified or claimed, with their amounts.
pub async fn open(tx: &mut Tenant) -> anyhow::Result<(OpenWork, Vec<(AccountId, Option<Money>)>)> {
    let org = tx.org().0;
    let ids = |rows: Vec<String>| rows.into_iter().map(AccountId).collect::<Vec<_>>();
    let risks: Vec<String> = sqlx::query_scalar(OPEN_RISKS).bind(org).fetch_all(tx.connection()).await?;
    let renewals: Vec<String> = sqlx::query_scalar(OPEN_RENEWALS).bind(org).fetch_all(tx.connection()).await?;
    let rows: Vec<OpenRow> = sqlx::query_as(OPEN_HANDOFFS).bind(org).fetch_all(tx.connection()).await?;
    let mut open = OpenWork { risks: ids(risks), renewals: ids(renewals), ..OpenWork::default() };
    let mut pipeline = Vec::new();
    for row in rows {
        let account = AccountId(row.account_id);
        if let Some((since, due)) = row.clock_since.zip(row.due_at) {
            open.clocks.insert(row.handoff_id, Running { since, due });
        }
        if row.matter != "window" {
            open.warnings.push(account);
            continue;
        }
        if row.in_pipeline {
            pipeline.push((account.clone(), money(row.amount_minor, row.currency.as_deref())?));
        }
        open.windows.push(account);
    }
    Ok((open, pipeline))
}
