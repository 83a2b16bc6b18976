//! What people do: presses and submitted dialogs, each in one transaction.

use super::{App, Asker};
use crate::domain::action::Action;
use crate::domain::message::{Answers, Reply};

/// A button was pressed. `receipt` names the press (the platform's dedup key): a repeated one has
/// one effect and gets the present state. A verb that opens a dialog gets `Reply::Dialog`.
pub async fn press(app: &App, asker: &Asker, action: &Action, receipt: Option<&str>) -> anyhow::Result<Reply> {
    let _ = (app, asker, action, receipt);
    anyhow::bail!("being built")
}

/// A dialog was submitted. `Reply::FieldErrors` stand at its fields.
pub async fn submit(
    app: &App,
    asker: &Asker,
    action: &Action,
    answers: &Answers,
    receipt: Option<&str>,
) -> anyhow::Result<Reply> {
    let _ = (app, asker, action, answers, receipt);
    anyhow::bail!("being built")
}
