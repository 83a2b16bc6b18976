//! Chat users of people: each is one person's, also while a set of rows hands some on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, Refusal};
use crate::domain::row::{Patch, PersonRow};
use crate::store::Tenant;

statements! {
    /// Those whose users go to somebody else with the same set have none until their own row is written.
    LET_GO = "UPDATE tandem.person SET
                     slack_user_id = CASE WHEN email = ANY ($2) THEN NULL ELSE slack_user_id END,
                     teams_user_id = CASE WHEN email = ANY ($3) THEN NULL ELSE teams_user_id END
               WHERE org_id = $1 AND (email = ANY ($2) OR email = ANY ($3))";
}

/// Rows, but for those that are `out`, that ask for a chat user whom somebody else has and keeps.
pub(super) fn taken(known: &Known, rows: &[PersonRow], out: &BTreeSet<usize>) -> Vec<Refusal> {
    let coming = || rows.iter().enumerate().filter(|(position, _)| !out.contains(position)).map(|(_, row)| row);
    let (mut slack, mut teams) = (known.slack.clone(), known.teams.clone());
    let of_slack: fn(&PersonRow) -> &Patch<String> = |row| &row.slack_user_id;
    for (holders, asked) in [(&mut slack, of_slack), (&mut teams, |row| &row.teams_user_id)] {
        let asked: BTreeMap<&str, &Patch<String>> = coming().map(|row| (row.email.as_str(), asked(row))).collect();
        // Who names the one that they have keeps it, also where it is asked for in a row before theirs.
        holders.retain(|user, holder| match asked.get(holder.as_str()) {
            None | Some(Patch::Keep) => true,
            Some(Patch::Clear) => false,
            Some(Patch::Set(other)) => other == user,
        });
    }
    let mut rejected = Vec::new();
    for (position, row) in rows.iter().enumerate().filter(|(position, _)| !out.contains(position)) {
        for (column, patch, holders) in
            [("slack_user_id", &row.slack_user_id, &mut slack), ("teams_user_id", &row.teams_user_id, &mut teams)]
        {
            let Some(user) = patch.set() else { continue };
            match holders.get(user) {
                Some(holder) if *holder != row.email => rejected.push(Refusal {
                    position,
                    column,
                    value: user.clone(),
                    reason: "another person already has this chat user; clear it there first".to_owned(),
                }),
                _ => {
                    holders.insert(user.clone(), row.email.clone());
                }
            }
        }
    }
    rejected
}

/// Takes the users that these rows hand on from those who have them; whose they were.
pub(super) async fn let_go<'k>(
    tx: &mut Tenant,
    known: &'k Known,
    rows: &[&PersonRow],
) -> anyhow::Result<BTreeSet<&'k str>> {
    let (mut slack, mut teams) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let of_others = |holder: &&String| **holder != row.email;
        slack.extend(row.slack_user_id.set().and_then(|user| known.slack.get(user)).filter(of_others));
        teams.extend(row.teams_user_id.set().and_then(|user| known.teams.get(user)).filter(of_others));
    }
    if !slack.is_empty() || !teams.is_empty() {
        let org = tx.org().0;
        let (slack, teams): (Vec<_>, Vec<_>) = (slack.iter().collect(), teams.iter().collect());
        sqlx::query(LET_GO).bind(org).bind(slack).bind(teams).execute(tx.connection()).await?;
    }
    Ok(slack.into_iter().chain(teams).map(String::as_str).collect())
}
