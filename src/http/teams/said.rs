//! What is typed to the bot.

use super::Desk;
use super::ask_of;
use crate::domain::command;
use crate::domain::person::OrgId;
use crate::http::ask::{Answer, What};
use crate::store::message;
use crate::teams::inbound::Question;

impl Desk {
    /// Answers what was typed, once however often it is delivered.
    pub(super) async fn said(self, org: OrgId, text: String) {
        let reply = match self.is_first(org).await {
            Ok(false) => return,
            Ok(true) => {
                let ask = self.ask(self.channel(), What::Command(command::parse("", &text)));
                let found = ask_of(&self, &ask).at_last().await;
                self.introduce(&ask, &found, false).await.unwrap_or(found.reply)
            }
            Err(error) => Answer::of_error(&error).reply,
        };
        self.say(org, &reply, Some(&Question::Command(text))).await;
    }

    pub(super) async fn is_first(&self, org: OrgId) -> anyhow::Result<bool> {
        let mut tx = self.http.app.store.tenant(org).await?;
        let first = message::receive(&mut tx, &self.receipt(), self.http.app.now()).await?;
        tx.commit().await?;
        Ok(first)
    }
}
