//! Dialogs: fetched by a press, answered when they are submitted.

use axum::response::Response;

use super::answer::sentences;
use super::{ANSWER_WITHIN, DRAW, Desk, ask_of, body_of};
use crate::domain::action::{Action, UnknownAction};
use crate::domain::message::{Answers, Reply, answer};
use crate::http::ask::What;
use crate::teams::inbound::Carried;
use crate::teams::render;

impl Desk {
    pub(super) async fn fetched(self, action: Result<Action, UnknownAction>, carried: Carried) -> Response {
        let Ok(action) = action else { return body_of(render::said(&answer::unknown_action())) };
        let title = action.verb.label();
        let ask = self.ask(self.channel(), What::Press(action, Some(self.receipt())));
        let Ok(found) = ask_of(&self, &ask).in_time(self.since + ANSWER_WITHIN).await else {
            return body_of(render::said(&answer::busy()));
        };
        let reply = self.introduce(&ask, &found, true).await.unwrap_or(found.reply);
        body_of(match reply {
            Reply::Dialog(dialog) => render::dialog(&dialog, &carried),
            Reply::Private(message) => render::notice(title, &message, DRAW),
            Reply::Silent => render::said(&answer::done_here()),
            Reply::FieldErrors(errors) => render::said(&sentences(&errors)),
        })
    }

    pub(super) async fn submitted(
        self,
        action: Result<Action, UnknownAction>,
        carried: Carried,
        answers: Answers,
    ) -> Response {
        let Ok(action) = action else { return body_of(render::said(&answer::unknown_action())) };
        let title = action.verb.label();
        let what = What::Submit(action.clone(), answers.clone(), self.receipt());
        let ask = self.ask(self.channel(), what);
        let Ok(found) = ask_of(&self, &ask).in_time(self.since + ANSWER_WITHIN).await else {
            // The work goes on; pressed again, the receipt tells how it ended.
            return body_of(render::said(&answer::still_saving()));
        };
        let failed = found.failed.is_some();
        let reply = self.introduce(&ask, &found, true).await.unwrap_or(found.reply);
        match reply {
            Reply::Silent => {
                self.redraw(&carried);
                Self::closed()
            }
            Reply::FieldErrors(errors) => self.asked_again(action, &carried, &answers, &errors).await,
            Reply::Private(message) if failed => {
                self.asked_again(action, &carried, &answers, &[(String::new(), message.summary)]).await
            }
            Reply::Private(message) => {
                self.redraw(&carried);
                body_of(render::notice(title, &message, DRAW))
            }
            Reply::Dialog(next) => body_of(render::dialog(&next, &carried)),
        }
    }

    /// The dialog again with what was typed, so that nothing is lost.
    async fn asked_again(
        &self,
        action: Action,
        carried: &Carried,
        typed: &Answers,
        errors: &[(String, String)],
    ) -> Response {
        if !action.verb.opens_dialog() {
            return body_of(render::said(&sentences(errors)));
        }
        let ask = self.ask(self.channel(), What::Press(action, None));
        let found = ask_of(self, &ask).at_last().await;
        body_of(match found.reply {
            Reply::Dialog(dialog) => render::refused(&dialog, carried, typed, errors),
            _ => render::said(&sentences(errors)),
        })
    }
}
