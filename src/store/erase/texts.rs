//! What people wrote: the one place where somebody's name stands outside of their own row. Diagnoses name nobody, and
//! messages are kept as ids.

use std::collections::BTreeSet;

use anyhow::Context;
use sqlx::FromRow;

use crate::domain::account::AccountId;
use crate::store::Tenant;

/// Finds the texts of the accounts `$2`, and everywhere those that hold one of `$3`, in either spelling. Locked, so that
/// a click that is just being saved comes before or after.
macro_rules! find {
    ($table:literal, $key:literal, $account:literal, $texts:literal, $more:literal) => {
        concat!(
            "SELECT ARRAY[",
            $key,
            "] AS key, ",
            $account,
            " AS account_id, ARRAY[",
            $texts,
            "]::text[] AS texts FROM ",
            $table,
            " WHERE org_id = $1 AND ",
            $more,
            "(",
            $account,
            " = ANY ($2) OR EXISTS (
                SELECT FROM unnest($3::text[]) AS trace
                 WHERE position(trace IN concat_ws(' ', ",
            $texts,
            ")) > 0
                    OR position(trace IN lower(concat_ws(' ', ",
            $texts,
            "))) > 0))
              ORDER BY 1 FOR NO KEY UPDATE"
        )
    };
}

statements! {
    FIND_NOTES = find!("tandem.note", "note_id::text", "account_id", "body", "");
    SAVE_NOTE = "UPDATE tandem.note SET body = ($3::text[])[1] WHERE org_id = $1 AND note_id = (($2::text[])[1])::uuid";
    FIND_RISKS = find!("tandem.risk", "risk_id::text", "account_id", "raised_why, next_step", "");
    SAVE_RISK = "UPDATE tandem.risk SET raised_why = ($3::text[])[1], next_step = ($3::text[])[2]
                  WHERE org_id = $1 AND risk_id = (($2::text[])[1])::uuid";
    FIND_HANDOFFS = find!(
        "tandem.handoff", "handoff_id::text", "account_id", "note, override_reason, need, contact, timing, reason", ""
    );
    SAVE_HANDOFF = "UPDATE tandem.handoff
                       SET note = ($3::text[])[1], override_reason = ($3::text[])[2], need = ($3::text[])[3],
                           contact = ($3::text[])[4], timing = ($3::text[])[5], reason = ($3::text[])[6]
                     WHERE org_id = $1 AND handoff_id = (($2::text[])[1])::uuid";
    FIND_RENEWALS = find!(
        "tandem.renewal", "renewal_id::text", "account_id", "record->>'brief', record->>'lost_reason'", ""
    );
    SAVE_RENEWAL = "UPDATE tandem.renewal
                       SET record = record || jsonb_build_object('brief', ($3::text[])[1], 'lost_reason', ($3::text[])[2])
                     WHERE org_id = $1 AND renewal_id = (($2::text[])[1])::uuid";
    FIND_GOALS = find!("tandem.account", "account_id", "account_id", "goals", "goals IS NOT NULL AND ");
    SAVE_GOALS = "UPDATE tandem.account SET goals = ($3::text[])[1] WHERE org_id = $1 AND account_id = ($2::text[])[1]";
    FIND_TITLES = find!("tandem.contact", "account_id, email", "account_id", "title", "title IS NOT NULL AND ");
    SAVE_TITLE = "UPDATE tandem.contact SET title = ($3::text[])[1]
                   WHERE org_id = $1 AND account_id = ($2::text[])[1] AND email = ($2::text[])[2]";
    FIND_REFERENCES = find!(
        "tandem.signal", "account_id, kind, observed_on::text, reference, source", "account_id", "reference", "reference <> '' AND "
    );
    /// It is part of the row's key; where another row has the new one already, both measurements stay.
    SAVE_REFERENCE = "WITH old AS (
                DELETE FROM tandem.signal
                 WHERE org_id = $1 AND account_id = ($2::text[])[1] AND kind = ($2::text[])[2]
                   AND observed_on = (($2::text[])[3])::date AND reference = ($2::text[])[4] AND source = ($2::text[])[5]
                RETURNING account_id, source, kind, observed_on, number, words)
              INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, reference, number, words)
              SELECT $1, account_id, source, kind, observed_on, ($3::text[])[1] || CASE WHEN EXISTS (
                       SELECT FROM tandem.signal s
                        WHERE s.org_id = $1 AND s.account_id = old.account_id AND s.kind = old.kind
                          AND s.observed_on = old.observed_on AND s.reference = ($3::text[])[1] AND s.source = old.source)
                     THEN ' ' || gen_random_uuid() ELSE '' END, number, words FROM old";
    FIND_WANTED = find!("tandem.introduction", "introduction_id::text", "NULL::text", "wanted::text", "wanted IS NOT NULL AND ");
    SAVE_WANTED = "UPDATE tandem.introduction SET wanted = (($3::text[])[1])::jsonb
                    WHERE org_id = $1 AND introduction_id = (($2::text[])[1])::uuid";
}

/// How each is found and saved.
const TEXTS: [(&str, &str); 8] = [
    (FIND_NOTES, SAVE_NOTE),
    (FIND_RISKS, SAVE_RISK),
    (FIND_HANDOFFS, SAVE_HANDOFF),
    (FIND_RENEWALS, SAVE_RENEWAL),
    (FIND_GOALS, SAVE_GOALS),
    (FIND_TITLES, SAVE_TITLE),
    (FIND_REFERENCES, SAVE_REFERENCE),
    (FIND_WANTED, SAVE_WANTED),
];

#[derive(FromRow)]
struct Found {
    key: Vec<String>,
    account_id: Option<String>,
    texts: Vec<Option<String>>,
}

/// What was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewritten {
    pub texts: u64,
    /// Of which accounts they are.
    pub accounts: BTreeSet<AccountId>,
}

/// Writes texts anew: all of these accounts are looked at, and of all others those that hold one of `traces` as it stands
/// or in lower case. `anew` is told the account and gives the new text, or `None` where it stays.
pub async fn rewrite(
    tx: &mut Tenant,
    accounts: &[AccountId],
    traces: &[String],
    anew: impl Fn(Option<&str>, &str) -> Option<String>,
) -> anyhow::Result<Rewritten> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let mut rewritten = Rewritten::default();
    for (find, save) in TEXTS {
        let rows: Vec<Found> = sqlx::query_as(find)
            .bind(org)
            .bind(&ids)
            .bind(traces)
            .fetch_all(tx.connection())
            .await
            .context("find texts")?;
        for row in rows {
            let account = row.account_id.as_deref();
            let mut changed = 0;
            let texts: Vec<Option<String>> = row
                .texts
                .into_iter()
                .map(|text| match text.as_deref().and_then(|text| anew(account, text)) {
                    Some(new) => {
                        changed += 1;
                        Some(new)
                    }
                    None => text,
                })
                .collect();
            if changed == 0 {
                continue;
            }
            rewritten.texts += changed;
            sqlx::query(save)
                .bind(org)
                .bind(&row.key)
                .bind(&texts)
                .execute(tx.connection())
                .await
                .context("save texts")?;
            rewritten.accounts.extend(row.account_id.map(AccountId));
        }
    }
    Ok(rewritten)
}
