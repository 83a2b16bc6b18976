//! What several people press at the same time, in two round trips: they decide how many presses a second there are, since
//! whatever is pressed next waits for the rows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::Tenant;
use super::account::AccountRow;
use super::audit::{Actor, Entry};
use super::change;
use super::risk::RiskRow;
use crate::domain::account::{Account, AccountId};
use crate::domain::risk::{Risk, RiskRecord};

statements! {
    /// Receipts before rows, as a press alone takes them, so that neither can wait for the other: `came` is counted before
    /// the first row is locked. Rows in the order of ids, but for those that somebody else holds.
    TAKE = concat!(
        "WITH came AS (", receive_clicks!(), "),
          free AS MATERIALIZED (
            SELECT r.risk_id, account_id, r.version, r.since, r.opened_on, r.raised_by, r.raised_why, r.calm_nights,
                   r.last_night, r.latest, r.confirmed, r.state, r.moved_by, r.next_step, r.next_step_due,
                   r.snoozed_until, r.resolution, r.known, r.clock_since, r.remind_at, r.due_at,
                   a.name, a.segment, a.arr_minor, a.currency, a.seats, a.plan, a.domains, a.url, a.goals,
                   a.start_date, a.go_live_date, a.renewal_date, a.term_months, a.notice_period_days,
                   a.auto_renew, a.csm_id, a.account_manager_id, a.pool, a.status, a.cost_to_serve_minor
              FROM tandem.risk r JOIN tandem.account a USING (org_id, account_id)
             WHERE org_id = $1 AND r.risk_id = ANY ($4) AND (SELECT count(*) FROM came) >= 0
             ORDER BY r.risk_id FOR NO KEY UPDATE OF r SKIP LOCKED)
         SELECT s.stamp, press.receipt IN (SELECT receipt FROM came) AS came, press.receipt, free.*
           FROM tandem.organisation_setting s
          CROSS JOIN unnest($2::text[], $4::uuid[]) AS press (receipt, pressed)
           LEFT JOIN free ON free.risk_id = press.pressed
          WHERE s.org_id = $1"
    );
    KEEP = concat!(
        "WITH moved AS (
           UPDATE tandem.risk t
              SET version = m.version, since = m.since, state = m.state, moved_by = m.moved_by, next_step = m.next_step,
                  next_step_due = m.next_step_due, snoozed_until = m.snoozed_until, resolution = m.resolution, known = m.known,
                  clock_since = m.clock_since, remind_at = m.remind_at, due_at = m.due_at
             FROM unnest($10::uuid[], $11::int[], $12::timestamptz[], $13::text[], $14::uuid[], $15::text[], $16::date[],
                         $17::date[], $18::text[], $19::jsonb[], $20::timestamptz[], $21::timestamptz[], $22::timestamptz[])
               AS m (risk_id, version, since, state, moved_by, next_step, next_step_due, snoozed_until, resolution, known,
                     clock_since, remind_at, due_at)
            WHERE t.org_id = $1 AND t.risk_id = m.risk_id AND t.version < m.version
           RETURNING t.risk_id),
          recorded AS (", record_events!(), "), ",
        queue_redraws!("$2", showing!("$8", "$9")),
        " SELECT count(*) FROM moved"
    );
}

/// What was taken for those who press.
#[derive(Debug)]
pub struct Taken {
    /// Of the settings, which a press asks for next.
    pub stamp: i64,
    /// The receipts that had not come before; the others have had their effect.
    pub first: BTreeSet<String>,
    /// The risks that nobody else holds, locked until commit, with their accounts, by id.
    pub free: BTreeMap<Uuid, (Account, Risk)>,
}

/// Notes the receipts of presses, and locks the risks that they are about: a receipt and a risk each.
pub async fn take(tx: &mut Tenant, presses: &[(&str, Uuid)], now: DateTime<Utc>) -> anyhow::Result<Taken> {
    let org = tx.org().0;
    let (receipts, risks): (Vec<&str>, Vec<Uuid>) = presses.iter().copied().unzip();
    let rows = sqlx::query(TAKE).bind(org).bind(&receipts).bind(now).bind(&risks).fetch_all(tx.connection()).await;
    let rows = rows.context("take presses")?;
    let stamp = rows.first().context("the organisation's settings are gone")?.try_get("stamp")?;
    let mut taken = Taken { stamp, first: BTreeSet::new(), free: BTreeMap::new() };
    for row in rows {
        if row.try_get("came")? {
            taken.first.insert(row.try_get("receipt")?);
        }
        let risk: Option<Uuid> = row.try_get("risk_id")?;
        if let Some(id) = risk.filter(|id| !taken.free.contains_key(id)) {
            let risk = Risk::try_from(RiskRow::from_row(&row)?)?;
            taken.free.insert(id, (Account::try_from(AccountRow::from_row(&row)?)?, risk));
        }
    }
    Ok(taken)
}

/// Saves what was moved of taken risks (state, step, dates and clock, not what nights read), records who did what, and
/// queues one redraw for every message that shows one of the accounts.
pub async fn keep(
    tx: &mut Tenant,
    risks: &[Risk],
    deeds: &[(Actor, Entry)],
    accounts: &[AccountId],
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    if risks.is_empty() {
        return Ok(());
    }
    let rows: Vec<RiskRecord> = risks.iter().map(RiskRecord::from).collect();
    let kept = change::bound(KEEP, tx.org(), at, deeds, accounts)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.since).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.moved_by.map(|by| by.0)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.next_step.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.next_step_due).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.snoozed_until).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.resolution.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.known.as_ref().map(Json)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.clock_since).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.remind_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.due_at).collect::<Vec<_>>())
        .fetch_one(tx.connection())
        .await
        .context("keep what was pressed")?;
    let moved: i64 = kept.try_get(0)?;
    anyhow::ensure!(usize::try_from(moved)? == risks.len(), "a risk was changed by somebody else meanwhile");
    Ok(())
}
