//! Everything that the answer to `/account` says of an account, in one
//! statement: people wait for it, and round trips cost more than the rows.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row, ValueRef};

use super::Tenant;
use super::account::{AccountRow, ContactRow};
use super::diagnosis::{self, DiagnosisRow};
use super::handoff::HandoffRow;
use super::note::Note;
use super::risk::RiskRow;
use crate::domain::account::{Account, AccountId, Contact};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::diagnosis::course::{self, Course};
use crate::domain::handoff::Handoff;
use crate::domain::person::OrgId;
use crate::domain::policy::Policy;
use crate::domain::renewal_work::{RenewalRecord, RenewalWork};
use crate::domain::risk::Risk;
use crate::domain::signal::SignalValue;

statements! {
    /// What is the organisation's is looked up once, however many accounts are read. OFFSET 0 keeps the order of look-ups.
    /// What every account has comes as columns, since JSON has to be made here and taken apart there; what few have, and
    /// more than one of, comes as JSON. Lists are put in order afterwards: here each would be sorted by a machinery of its
    /// own, for a row or two.
    /// What happened meanwhile is shown beside a course of health, so not before there are two nights.
    READ = "SELECT night.stamp, night.first, night.before,
                   a.account_id, a.name, a.segment, a.arr_minor, a.currency, a.seats, a.plan, a.domains, a.url, a.goals,
                   a.start_date, a.go_live_date, a.renewal_date, a.term_months, a.notice_period_days, a.auto_renew, a.csm_id,
                   a.account_manager_id, a.pool, a.status, a.cost_to_serve_minor,
                   d.date, d.health, d.risk, d.band, d.change, d.body,
                   r.risk_id, r.version, r.since, r.opened_on, r.raised_by, r.raised_why, r.calm_nights, r.last_night, r.latest,
                   r.confirmed, r.state, r.moved_by, r.next_step, r.next_step_due, r.snoozed_until, r.resolution, r.known,
                   r.clock_since, r.remind_at, r.due_at,
                   n.author_id, n.body AS note, n.at,
                   d.course, night.apart,
                   CASE WHEN d.date IS NOT NULL AND (d.course IS NULL OR night.apart <> '{}') THEN
                     (SELECT json_agg(json_build_array(n.date, n.health)) FROM tandem.diagnosis n
                       WHERE n.org_id = $1 AND n.account_id = a.account_id
                         AND n.date = ANY (CASE WHEN d.course IS NOT NULL THEN night.apart ELSE
                               ARRAY(SELECT r.date FROM tandem.diagnosis_run r
                                      WHERE r.org_id = $1 AND r.date < night.latest
                                        AND r.date >= least(night.before, night.first)) END)) END AS nights,
                   (SELECT json_agg(row_to_json(h)) FROM tandem.handoff h
                     WHERE h.org_id = $1 AND h.account_id = a.account_id AND (h.accountable IS NOT NULL OR h.since > $3)) AS handoffs,
                   (SELECT w.record FROM tandem.renewal w
                     WHERE w.org_id = $1 AND w.account_id = a.account_id ORDER BY w.deadline DESC, w.renewal_id LIMIT 1) AS renewal,
                   (SELECT json_agg(row_to_json(c)) FROM tandem.contact c
                     WHERE c.org_id = $1 AND c.account_id = a.account_id) AS contacts,
                   (SELECT json_agg(row_to_json(o)) FROM (
                      SELECT DISTINCT ON (g.kind) g.kind, g.number, g.words FROM tandem.signal g
                       WHERE g.org_id = $1 AND g.account_id = a.account_id AND g.source = 'onboarding'
                       ORDER BY g.kind, g.observed_on DESC, g.reference) o) AS onboarding,
                   CASE WHEN night.before IS NOT NULL THEN
                     (SELECT json_agg(json_build_array(e.at, e.event))
                        FROM tandem.audit_event e
                       WHERE e.org_id = $1 AND e.at >= night.first
                         AND e.event IN ('risk.opened', 'risk.reopened', 'risk.acknowledged', 'risk.snoozed', 'risk.resolved',
                                         'risk.ended', 'handoff.offered', 'handoff.accepted', 'handoff.won', 'handoff.lost')
                         AND e.subject = ANY (ARRAY(
                               SELECT 'risk:' || r.risk_id FROM tandem.risk r
                                WHERE r.org_id = $1 AND r.account_id = a.account_id
                               UNION ALL
                               SELECT 'handoff:' || h.handoff_id FROM tandem.handoff h
                                WHERE h.org_id = $1 AND h.account_id = a.account_id))) END AS events,
                   CASE WHEN night.before IS NOT NULL THEN
                     (SELECT json_agg(json_build_array(g.observed_on, g.kind, g.number))
                        FROM tandem.signal g
                       WHERE g.org_id = $1 AND g.account_id = a.account_id AND g.source = 'support'
                         AND g.kind IN ('sev1_open_days', 'escalations') AND g.observed_on >= night.first) END AS tickets
              FROM (SELECT s.stamp, o.diagnosed_on AS latest, o.diagnosed_on - $4::int AS first, b.before,
                           coalesce((SELECT r.behind FROM tandem.diagnosis_run r
                                      WHERE r.org_id = $1 AND r.date = o.diagnosed_on), '{}')
                             || CASE WHEN b.before < o.diagnosed_on - $4::int THEN ARRAY[b.before] ELSE '{}' END AS apart
                      FROM tandem.organisation_setting s JOIN directory.organisation o USING (org_id)
                     CROSS JOIN LATERAL (SELECT max(r.date) AS before FROM tandem.diagnosis_run r
                                          WHERE r.org_id = $1 AND r.date < o.diagnosed_on) AS b
                     WHERE org_id = $1 OFFSET 0) AS night
             CROSS JOIN unnest($2::text[]) AS wanted (account_id)
             CROSS JOIN LATERAL (SELECT * FROM tandem.account
                                  WHERE org_id = $1 AND account_id = wanted.account_id OFFSET 0) AS a
              LEFT JOIN LATERAL (SELECT d.date, d.health, d.risk, d.band, d.change, d.course, t.body
                                   FROM (SELECT * FROM tandem.diagnosis
                                          WHERE org_id = $1 AND date = night.latest AND account_id = a.account_id OFFSET 0) AS d
                                  CROSS JOIN LATERAL (SELECT body FROM tandem.diagnosis_detail
                                                       WHERE org_id = $1 AND detail_on = d.detail_on AND account_id = a.account_id
                                                         AND detail_id = d.detail_id OFFSET 0) AS t) AS d ON true
              LEFT JOIN LATERAL (SELECT * FROM tandem.risk
                                  WHERE org_id = $1 AND account_id = a.account_id ORDER BY since DESC, risk_id LIMIT 1) AS r ON true
              LEFT JOIN LATERAL (SELECT author_id, body, at FROM tandem.note
                                  WHERE org_id = $1 AND account_id = a.account_id AND kind <> 'feedback'
                                  ORDER BY at DESC LIMIT 1) AS n ON true";
}

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

/// When, and the event's name.
type Happened = (DateTime<Utc>, String);
/// A night, and the health that it found.
type Told = (NaiveDate, Option<u8>);
/// Day, kind of signal, value.
type TicketValue = (NaiveDate, String, Option<f64>);

#[derive(FromRow)]
struct AnswerRow {
    stamp: i64,
    #[sqlx(flatten)]
    account: AccountRow,
    /// The first day that is shown, and the complete night before the latest.
    first: Option<NaiveDate>,
    before: Option<NaiveDate>,
    /// Health before the latest night, as that night carries it along.
    course: Option<Vec<u8>>,
    /// Nights of which the course says nothing, or what they said once.
    apart: Vec<NaiveDate>,
    /// Those, with health where it was known; without a course all.
    nights: Option<Json<Vec<Told>>>,
    handoffs: Option<Json<Vec<HandoffRow>>>,
    renewal: Option<Json<RenewalRecord>>,
    contacts: Option<Json<Vec<ContactRow>>>,
    onboarding: Option<Json<Vec<OnboardingRow>>>,
    events: Option<Json<Vec<Happened>>>,
    tickets: Option<Json<Vec<TicketValue>>>,
}

#[derive(Deserialize)]
struct OnboardingRow {
    kind: String,
    number: Option<f64>,
    words: Option<String>,
}

/// One account as it was read, not yet looked at.
#[derive(Debug)]
pub struct Stored(PgRow);

/// Reads these accounts with their diagnosis of the latest complete night, if there was one. Those that do not exist are
/// absent.
pub async fn read(tx: &mut Tenant, ids: &[AccountId], ended_after: DateTime<Utc>) -> anyhow::Result<Vec<Stored>> {
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    let org = tx.org().0;
    let rows = sqlx::query(READ)
        .bind(org)
        .bind(&ids)
        .bind(ended_after)
        .bind(i32::from(course::DAYS))
        .fetch_all(tx.connection())
        .await;
    Ok(rows.context("read accounts")?.into_iter().map(Stored).collect())
}

impl Stored {
    pub fn account_id(&self) -> anyhow::Result<AccountId> {
        Ok(AccountId(self.0.try_get("account_id")?))
    }

    /// The row of a table in which the account may have none; then this column of it, its key, is NULL.
    fn joined<'r, T: FromRow<'r, PgRow>>(&'r self, key: &str) -> sqlx::Result<Option<T>> {
        let is_there = !self.0.try_get_raw(key)?.is_null();
        is_there.then(|| T::from_row(&self.0)).transpose()
    }

    /// Everything that was read, by the policy under which its deadlines are.
    pub fn answer(&self, org: OrgId, policy: &Policy) -> anyhow::Result<Answer> {
        let row = AnswerRow::from_row(&self.0)?;
        let diagnosis: Option<DiagnosisRow> = self.joined("date")?;
        let risk: Option<RiskRow> = self.joined("risk_id")?;
        let account = Account::try_from(row.account)?;
        let diagnosis = diagnosis.map(|row| diagnosis::whole(org, &account, row, policy)).transpose()?;
        let apart = row.nights.map(|nights| nights.0).unwrap_or_default();
        let mut history: Vec<_> = apart.into_iter().filter_map(|(date, health)| Some((date, health?))).collect();
        if let Some(diagnosis) = &diagnosis {
            let course = Course::from_bytes(row.course.as_deref().unwrap_or_default());
            history.extend(course.nights(diagnosis.date).filter(|(date, _)| !row.apart.contains(date)));
            history.extend(diagnosis.health.map(|health| (diagnosis.date, health)));
        }
        let previous_health = history.iter().find(|(date, _)| Some(*date) == row.before).map(|(_, health)| *health);
        let mut handoffs: Vec<Handoff> = all(row.handoffs)?;
        handoffs.sort_by_key(|handoff| (handoff.since(), handoff.id));
        let mut contacts: Vec<Contact> = all(row.contacts)?;
        contacts.sort_by(|one, other| one.email.cmp(&other.email));
        let mut events = row.events.map(|rows| rows.0).unwrap_or_default();
        events.sort_by_key(|(at, _)| *at);
        let mut tickets = row.tickets.map(|rows| rows.0).unwrap_or_default();
        tickets.sort_by_key(|(on, _, _)| *on);
        // The night before may be longer ago than is shown.
        history.sort_unstable();
        history.retain(|(date, _)| Some(*date) >= row.first);
        Ok(Answer {
            stamp: row.stamp,
            diagnosis,
            previous_health,
            risk: risk.map(Risk::try_from).transpose()?,
            handoffs,
            renewal: row.renewal.map(|row| RenewalWork::try_from(row.0).context("a stored renewal")).transpose()?,
            last_note: self.joined("author_id")?,
            contacts,
            onboarding: row.onboarding.map(|rows| rows.0).unwrap_or_default().into_iter().filter_map(latest).collect(),
            history,
            events,
            tickets: tickets.into_iter().filter_map(|(on, kind, number)| Some((on, kind, number?))).collect(),
            account,
        })
    }
}

fn all<R, T: TryFrom<R, Error = anyhow::Error>>(rows: Option<Json<Vec<R>>>) -> anyhow::Result<Vec<T>> {
    rows.map(|rows| rows.0).unwrap_or_default().into_iter().map(T::try_from).collect()
}

fn latest(row: OnboardingRow) -> Option<(String, SignalValue)> {
    let value = row.number.map(SignalValue::Number).or(row.words.map(SignalValue::Text))?;
    Some((row.kind, value))
}
