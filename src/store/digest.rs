//! Morning messages: which matters stand in them.

use uuid::Uuid;

use super::Tenant;
use crate::domain::action::Subject;

statements! {
    GROUP_SUBJECTS = "SELECT subject FROM tandem.digest_item
                       WHERE org_id = $1 AND digest_id = $2 AND group_no = $3 ORDER BY position";
}

/// What stands in one group of a digest's rest, in its order; empty where there is no such group.
pub async fn group_subjects(tx: &mut Tenant, digest: Uuid, group_no: u16) -> anyhow::Result<Vec<Subject>> {
    let org = tx.org().0;
    let rows: Vec<String> = sqlx::query_scalar(GROUP_SUBJECTS)
        .bind(org)
        .bind(digest)
        .bind(i32::from(group_no))
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(|text| super::word("subject", text)).collect()
}
