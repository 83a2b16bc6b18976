//! Purpose: what is the presser's own and no account's: the pages of their home, and their settings.

use super::{Click, Effect};
use crate::app::home;
use crate::app::settings::{self, Saved};
use crate::domain::action::Verb;
use crate::domain::message::form::{self, Limits, Submission};
use crate::domain::message::{Answers, Reply, answer};

pub(super) async fn press(click: &mut Click<'_>, verb: Verb, page: u16) -> anyhow::Result<Effect> {
    match verb {
        Verb::TurnPage => {
            home::turn(&mut click.tx, &click.asker.workspace, click.me, page, click.now).await?;
            // Of no account: no event, and the page is queued already.
            Ok(Effect::Changed { accounts: Vec::new(), entries: Vec::new(), reply: Reply::Silent })
        }
        Verb::Settings => {
            let snapshot = click.snapshot.clone();
            let dialog = snapshot.person(click.me).and_then(|me| settings::dialog(&snapshot, me, click.now));
            Ok(match dialog {
                Some(dialog) => Effect::Asked(Reply::Dialog(dialog)),
                None => Effect::Said(answer::unknown_action()),
            })
        }
        _ => Ok(Effect::Said(answer::unknown_action())),
    }
}

pub(super) async fn submit(click: &mut Click<'_>, verb: Verb, answers: &Answers) -> anyhow::Result<Effect> {
    if verb != Verb::Settings {
        return Ok(Effect::Said(answer::unknown_action()));
    }
    let currency = click.snapshot.organisation.currency;
    let chosen = match form::parse(verb, answers, click.today, currency, Limits::default()) {
        Ok(Submission::Settings(chosen)) => chosen,
        Ok(_) => return Ok(Effect::Said(answer::unknown_action())),
        Err(errors) => return Ok(Effect::Asked(Reply::FieldErrors(errors))),
    };
    let snapshot = click.snapshot.clone();
    let Some(me) = snapshot.person(click.me) else { return Ok(Effect::Said(answer::unknown_person(None))) };
    Ok(match settings::save(&mut click.tx, &snapshot, me, &chosen, click.now).await? {
        Saved::Changed(said, entry) => {
            Effect::Changed { accounts: Vec::new(), entries: vec![entry], reply: Reply::Private(said) }
        }
        Saved::Same(said) => Effect::Said(said),
        Saved::Refused(errors) => Effect::Asked(Reply::FieldErrors(errors)),
    })
}
