//! The home tab. Whoever is known has theirs drawn by delivery, as every copy of
//! what Tandem says; whoever is not is told so there.

use super::Desk;
use super::ask::asked;
use crate::domain::message::Reply;
use crate::http::ask::What;
use crate::slack::inbound::Who;
use crate::slack::render;

/// Answered at once; what comes of it follows. Opening twice is opening once, so the event needs no receipt.
pub(super) fn opened(desk: Desk, who: Who) {
    let drain = desk.http.drain.clone();
    drop(drain.spawn(async move {
        let ask = asked(&who, None, What::Home);
        let found = desk.begin(&ask).at_last().await;
        let reply = desk.introduce(&ask, &found, false).await.unwrap_or(found.reply);
        let Reply::Private(said) = reply else { return };
        let Some(token) = desk.slack.token(&who.team_id).await else { return };
        if let Err(error) = desk.slack.client.publish_view(&token, &who.user_id, &render::home(&said)).await {
            tracing::warn!(%error, "a home tab could not be published");
        }
    }));
}
