use super::App;
use crate::domain::person::OrgId;
pub struct RunReport {
    pub accounts: usize,
}
pub async fn night(_: &App, _: OrgId) -> anyhow::Result<Option<RunReport>> {
    anyhow::bail!("x")
}
pub async fn clocks(_: &App, _: OrgId) -> anyhow::Result<usize> {
    anyhow::bail!("x")
}
