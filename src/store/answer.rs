//! Everything that the answer to `/account` says of one account, in one
//! statement: people wait for it, and round trips cost more than the rows.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::FromRow;
use sqlx::types::Json;

use super::Tenant;
use super::account::{AccountRow, ContactRow};
use super::diagnosis::{self, DiagnosisRow};
use super::handoff::HandoffRow;
use super::note::Note;
use super::risk::RiskRow;
use crate::domain::account::{Account, AccountId, Contact};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::handoff::Handoff;
use crate::domain::policy::Policy;
use crate::domain::renewal_work::{RenewalRecord, RenewalWork};
use crate::domain::risk::Risk;
use crate::domain::signal::SignalValue;

statements! {
    READ = "SELECT (SELECT stamp FROM tandem.organisation_setting WHERE org_id = $1) AS stamp,
                   a.account_id, a.name, a.segment, a.arr_minor, a.currency, a.seats, a.plan, a.domains, a.url, a.goals,
                   a.start_date, a.go_live_date, a.renewal_date, a.term_months, a.notice_period_days, a.auto_renew, a.csm_id,
                   a.account_manager_id, a.pool, a.status, a.cost_to_serve_minor,
                   (SELECT row_to_json(f) FROM (
                      SELECT d.account_id, d.date, d.health, d.risk, d.band, d.change, t.body
                        FROM tandem.diagnosis d JOIN tandem.diagnosis_detail t USING (org_id, account_id, detail_id)
                       WHERE d.org_id = $1 AND d.date = $3 AND d.account_id = $2) f) AS diagnosis,
                   (SELECT d.health FROM tandem.diagnosis d
                     WHERE d.org_id = $1 AND d.account_id = $2
                       AND d.date = (SELECT max(r.date) FROM tandem.diagnosis_run r WHERE r.org_id = $1 AND r.date < $3)
                   ) AS previous_health,
                   (SELECT row_to_json(r) FROM tandem.risk r
                     WHERE r.org_id = $1 AND r.account_id = $2 ORDER BY r.since DESC, r.risk_id LIMIT 1) AS risk,
                   (SELECT json_agg(row_to_json(h) ORDER BY h.since, h.handoff_id) FROM tandem.handoff h
                     WHERE h.org_id = $1 AND h.account_id = $2 AND (h.accountable IS NOT NULL OR h.since > $5)) AS handoffs,
                   (SELECT w.record FROM tandem.renewal w
                     WHERE w.org_id = $1 AND w.account_id = $2 ORDER BY w.deadline DESC, w.renewal_id LIMIT 1) AS renewal,
                   (SELECT row_to_json(n) FROM tandem.note n
                     WHERE n.org_id = $1 AND n.account_id = $2 AND n.kind <> 'feedback' ORDER BY n.at DESC LIMIT 1) AS last_note,
                   (SELECT json_agg(row_to_json(c) ORDER BY c.email) FROM tandem.contact c
                     WHERE c.org_id = $1 AND c.account_id = $2) AS contacts,
                   (SELECT json_agg(row_to_json(o)) FROM (
                      SELECT DISTINCT ON (g.kind) g.kind, g.number, g.words FROM tandem.signal g
                       WHERE g.org_id = $1 AND g.account_id = $2 AND g.source = 'onboarding'
                       ORDER BY g.kind, g.observed_on DESC, g.reference) o) AS onboarding,
                   (SELECT json_agg(json_build_array(d.date, d.health) ORDER BY d.date)
                      FROM tandem.diagnosis_run r
                      JOIN tandem.diagnosis d ON d.org_id = r.org_id AND d.date = r.date AND d.account_id = $2
                     WHERE r.org_id = $1 AND r.date BETWEEN $4 AND $3) AS history,
                   (SELECT json_agg(json_build_array(e.at, e.event) ORDER BY e.at)
                      FROM tandem.audit_event e
                     WHERE e.org_id = $1 AND e.at >= $4
                       AND e.event IN ('risk.opened', 'risk.reopened', 'risk.acknowledged', 'risk.snoozed', 'risk.resolved',
                                       'risk.ended', 'handoff.offered', 'handoff.accepted', 'handoff.won', 'handoff.lost')
                       AND e.subject = ANY (ARRAY(
                             SELECT 'risk:' || r.risk_id FROM tandem.risk r WHERE r.org_id = $1 AND r.account_id = $2
                             UNION ALL
                             SELECT 'handoff:' || h.handoff_id FROM tandem.handoff h
                              WHERE h.org_id = $1 AND h.account_id = $2))) AS events,
                   (SELECT json_agg(json_build_array(g.observed_on, g.kind, g.number) ORDER BY g.observed_on)
                      FROM tandem.signal g
                     WHERE g.org_id = $1 AND g.account_id = $2 AND g.source = 'support'
                       AND g.kind IN ('sev1_open_days', 'escalations') AND g.observed_on >= $4) AS tickets
              FROM tandem.account a WHERE a.org_id = $1 AND a.account_id = $2";
}

/// How far back an account's health is shown.
const HISTORY: Days = Days::new(90);

/// One account with all that is known and being done about it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Of the settings, read in the same statement: what a process remembers holds while it does.
    pub stamp: i64,
    pub account: Account,
    pub diagnosis: Option<Diagnosis>,
    /// Of the night before that.
    pub previous_health: Option<u8>,
    /// The newest episode, over or not.
    pub risk: Option<Risk>,
    /// Open ones, and those that ended after the asked moment.
    pub handoffs: Vec<Handoff>,
    /// The newest work towards a deadline, open or ended.
    pub renewal: Option<RenewalWork>,
    pub last_note: Option<Note>,
    pub contacts: Vec<Contact>,
    /// The latest value of each kind of onboarding signal.
    pub onboarding: BTreeMap<String, SignalValue>,
    /// Health night by night, up to the diagnosis.
    pub history: Vec<(NaiveDate, u8)>,
    /// What was recorded of its risks and handoffs meanwhile, oldest first: when, and the event's name.
    pub events: Vec<(DateTime<Utc>, String)>,
    /// The values of its serious tickets meanwhile, oldest first: day, kind of signal, value.
    pub tickets: Vec<(NaiveDate, String, f64)>,
}

/// A night and the account's health on it, `None` where it was unknown.
type NightHealth = (NaiveDate, Option<i16>);
/// When, and the event's name.
type Happened = (DateTime<Utc>, String);
/// Day, kind of signal, value.
type TicketValue = (NaiveDate, String, Option<f64>);

#[derive(FromRow)]
struct AnswerRow {
    stamp: i64,
    #[sqlx(flatten)]
    account: AccountRow,
    diagnosis: Option<Json<DiagnosisRow>>,
    previous_health: Option<i16>,
    risk: Option<Json<RiskRow>>,
    handoffs: Option<Json<Vec<HandoffRow>>>,
    renewal: Option<Json<RenewalRecord>>,
    last_note: Option<Json<Note>>,
    contacts: Option<Json<Vec<ContactRow>>>,
    onboarding: Option<Json<Vec<OnboardingRow>>>,
    history: Option<Json<Vec<NightHealth>>>,
    events: Option<Json<Vec<Happened>>>,
    tickets: Option<Json<Vec<TicketValue>>>,
}

#[derive(Deserialize)]
struct OnboardingRow {
    kind: String,
    number: Option<f64>,
    words: Option<String>,
}

/// Reads an account with its diagnosis of that date (`None` before the first); `None` where there is no such account.
pub async fn read(
    tx: &mut Tenant,
    id: &AccountId,
    diagnosed_on: Option<NaiveDate>,
    ended_after: DateTime<Utc>,
    policy: &Policy,
) -> anyhow::Result<Option<Answer>> {
    let org = tx.org();
    let row: Option<AnswerRow> = sqlx::query_as(READ)
        .bind(org.0)
        .bind(&id.0)
        .bind(diagnosed_on)
        .bind(diagnosed_on.and_then(|date| date.checked_sub_days(HISTORY)))
        .bind(ended_after)
        .fetch_optional(tx.connection())
        .await
        .context("read an account")?;
    let Some(row) = row else { return Ok(None) };
    let account = Account::try_from(row.account)?;
    let percent = |value: i16| u8::try_from(value).context("health");
    let history = row.history.map(|rows| rows.0).unwrap_or_default().into_iter();
    Ok(Some(Answer {
        stamp: row.stamp,
        diagnosis: row.diagnosis.map(|row| diagnosis::whole(org, &account, row.0, policy)).transpose()?,
        previous_health: row.previous_health.map(percent).transpose()?,
        risk: row.risk.map(|row| Risk::try_from(row.0)).transpose()?,
        handoffs: all(row.handoffs)?,
        renewal: row.renewal.map(|row| RenewalWork::try_from(row.0).context("a stored renewal")).transpose()?,
        last_note: row.last_note.map(|row| row.0),
        contacts: all(row.contacts)?,
        onboarding: row.onboarding.map(|rows| rows.0).unwrap_or_default().into_iter().filter_map(latest).collect(),
        history: history
            .filter_map(|(date, health)| health.map(|health| Ok((date, percent(health)?))))
            .collect::<anyhow::Result<_>>()?,
        events: row.events.map(|rows| rows.0).unwrap_or_default(),
        tickets: row
            .tickets
            .map(|rows| rows.0)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(on, kind, number)| Some((on, kind, number?)))
            .collect(),
        account,
    }))
}

fn all<R, T: TryFrom<R, Error = anyhow::Error>>(rows: Option<Json<Vec<R>>>) -> anyhow::Result<Vec<T>> {
    rows.map(|rows| rows.0).unwrap_or_default().into_iter().map(T::try_from).collect()
}

fn latest(row: OnboardingRow) -> Option<(String, SignalValue)> {
    let value = row.number.map(SignalValue::Number).or(row.words.map(SignalValue::Text))?;
    Some((row.kind, value))
}
