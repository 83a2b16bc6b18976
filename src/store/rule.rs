//! Rules as people and time judge them: how often each led a card, what was
//! called not useful, and what rules on trial would have said.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};

use super::Tenant;
use super::message::REDRAWN_FOR;
use crate::domain::account::AccountId;
use crate::domain::figures::precision::{RuleUse, Trial};

statements! {
    /// Cards of mornings since a date by the rule that led them, each account and reader once: what a judgement is about
    /// too. Of a risk that is the first cause of the night that the morning was built on.
    SHOWN = "WITH card AS MATERIALIZED (
               SELECT DISTINCT d.person_id, i.account_id, i.subject, d.diagnosed_on
                 FROM tandem.digest d JOIN tandem.digest_item i USING (org_id, digest_id)
                WHERE d.org_id = $1 AND d.local_date >= $2 AND i.group_no IS NULL),
             led AS (
               SELECT c.person_id, c.account_id, coalesce(t.body::json->'causes'->0->>'rule', 'raised') AS rule
                 FROM card c
                CROSS JOIN LATERAL (SELECT detail_id, detail_on FROM tandem.diagnosis
                                     WHERE org_id = $1 AND date = c.diagnosed_on AND account_id = c.account_id OFFSET 0) AS g
                CROSS JOIN LATERAL (SELECT body FROM tandem.diagnosis_detail
                                     WHERE org_id = $1 AND detail_on = g.detail_on AND account_id = c.account_id
                                       AND detail_id = g.detail_id OFFSET 0) AS t
                WHERE c.subject LIKE 'risk:%'
               UNION
               SELECT c.person_id, c.account_id, 'window_' || h.window_kind
                 FROM card c
                 JOIN tandem.handoff h ON h.org_id = $1 AND h.matter = 'window'
                  AND h.handoff_id = CASE WHEN c.subject LIKE 'handoff:%' THEN substr(c.subject, 9)::uuid END)
             SELECT rule, count(*) FROM led GROUP BY rule ORDER BY rule";
    /// Of every message that proposes something about rules.
    REDRAW = concat!(
        "WITH ",
        queue_redraws!(
            "$2",
            concat!(
                "tandem.message m", posted!(), "WHERE m.org_id = $1 AND m.created_at > $3 AND m.content -> 'rules' IS NOT NULL"
            )
        ),
        " SELECT"
    );
    JUDGED = "SELECT rule, count(*) FROM tandem.judgement WHERE org_id = $1 AND at >= $2 GROUP BY rule ORDER BY rule";
    FIRED = "INSERT INTO tandem.shadow_firing AS t (org_id, rule, account_id, first_on, last_on)
             SELECT $1, f.rule, f.account_id, $2, $2 FROM unnest($3::text[], $4::text[]) AS f (rule, account_id)
             ON CONFLICT (org_id, rule, account_id) DO UPDATE SET last_on = excluded.last_on WHERE t.last_on < excluded.last_on";
    END_OTHERS = "DELETE FROM tandem.shadow_firing WHERE org_id = $1 AND rule <> ALL ($2)";
    /// Right is what came true afterwards: a risk that other rules or a person opened, or a contract that ended or shrank.
    TRIALS = "SELECT f.rule, min(f.first_on), count(*),
                     count(*) FILTER (WHERE EXISTS (SELECT FROM tandem.risk r
                                                     WHERE r.org_id = $1 AND r.account_id = f.account_id AND r.opened_on >= f.first_on)
                                         OR EXISTS (SELECT FROM tandem.outcome o
                                                     WHERE o.org_id = $1 AND o.account_id = f.account_id AND o.decided_on >= f.first_on
                                                       AND o.kind IN ('churned', 'contracted')))
                FROM tandem.shadow_firing f WHERE f.org_id = $1 GROUP BY f.rule ORDER BY f.rule";
}

/// Every rule that led a card, or was judged, since a date.
pub async fn used(tx: &mut Tenant, since: NaiveDate, at: DateTime<Utc>) -> anyhow::Result<Vec<RuleUse>> {
    let org = tx.org().0;
    let shown: Vec<(String, i64)> = sqlx::query_as(SHOWN).bind(org).bind(since).fetch_all(tx.connection()).await?;
    let judged: Vec<(String, i64)> = sqlx::query_as(JUDGED).bind(org).bind(at).fetch_all(tx.connection()).await?;
    let mut rules: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (rule, number) in shown {
        rules.entry(rule).or_default().0 = number;
    }
    for (rule, number) in judged {
        rules.entry(rule).or_default().1 = number;
    }
    rules
        .into_iter()
        .map(|(rule, (shown, judged))| {
            Ok(RuleUse { rule, shown: usize::try_from(shown)?, not_useful: usize::try_from(judged)? })
        })
        .collect()
}

/// A live night's firings of rules on trial: rule and account.
pub async fn fired(tx: &mut Tenant, date: NaiveDate, firings: &[(String, AccountId)]) -> anyhow::Result<()> {
    if firings.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    let (rules, accounts): (Vec<&str>, Vec<&str>) =
        firings.iter().map(|(rule, account)| (rule.as_str(), account.0.as_str())).unzip();
    sqlx::query(FIRED)
        .bind(org)
        .bind(date)
        .bind(&rules)
        .bind(&accounts)
        .execute(tx.connection())
        .await
        .context("count what rules on trial would have said")?;
    Ok(())
}

/// Forgets the trials of rules that are not on trial any more: a later one begins anew.
pub async fn end_other_trials(tx: &mut Tenant, on_trial: &[String]) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(END_OTHERS).bind(org).bind(on_trial).execute(tx.connection()).await?;
    Ok(())
}

/// The rules on trial that have fired.
pub async fn trials(tx: &mut Tenant) -> anyhow::Result<Vec<Trial>> {
    let org = tx.org().0;
    let rows: Vec<(String, NaiveDate, i64, i64)> = sqlx::query_as(TRIALS).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(rule, since, fired, right)| {
            Ok(Trial { rule, since, fired: usize::try_from(fired)?, right: usize::try_from(right)? })
        })
        .collect()
}

/// Queues a redraw of every message that proposes something about rules.
pub async fn queue_redraws(tx: &mut Tenant, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(REDRAW).bind(org).bind(now).bind(now - REDRAWN_FOR).execute(tx.connection()).await?;
    Ok(())
}
