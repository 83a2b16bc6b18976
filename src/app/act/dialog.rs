//! Purpose: what is asked before something is done. A dialog opens only where
//! its move could be made now; else the present state is said instead.

use super::{Click, Effect, Found, Held, future_deadline, handoff, raise, renewal, risk, team};
use crate::app::read;
use crate::domain::action::{Subject, Verb};
use crate::domain::handoff::Gate;
use crate::domain::message::Reply;
use crate::domain::message::answer;
use crate::domain::message::dialog::{self, DialogView};
use crate::domain::message::form::Submission;
use crate::domain::message::view::BriefView;
use crate::domain::money::Money;
use crate::domain::risk::{Refused, State};

pub(super) async fn open(click: &mut Click<'_>, verb: Verb, subject: Subject, found: &Found) -> anyhow::Result<Effect> {
    if !is_asked_of(verb, &found.held) {
        return Ok(Effect::Said(answer::unknown_action()));
    }
    if let Some(instead) = instead(click, verb, found).await? {
        return Ok(instead);
    }
    let view = view(click, verb, subject, found).await?;
    let asked = dialog::dialog(verb, &view).map(Reply::Dialog);
    Ok(asked.map_or_else(|| Effect::Said(answer::unknown_action()), Effect::Asked))
}

/// Whether a card about this has such a button; what is about the account stands on each of them.
fn is_asked_of(verb: Verb, held: &Held) -> bool {
    match verb {
        Verb::SetNextStep | Verb::Snooze | Verb::Resolve | Verb::HandToAccountManager => matches!(held, Held::Risk(_)),
        Verb::Qualify | Verb::Decline | Verb::Pass | Verb::HandBack | Verb::Won | Verb::Lost | Verb::Override => {
            matches!(held, Held::Handoff(_))
        }
        Verb::Brief | Verb::Renewed | Verb::Contracted | Verb::RenewalLost => matches!(held, Held::Renewal(_)),
        Verb::Reassign => !matches!(held, Held::Account),
        _ => raise::is_about_account(verb),
    }
}

/// What to say where the move could not be made: it is tried with blank words, and nothing is saved.
async fn instead(click: &mut Click<'_>, verb: Verb, found: &Found) -> anyhow::Result<Option<Effect>> {
    let account = &found.account;
    match &found.held {
        Held::Risk(held) => match verb {
            Verb::HandToAccountManager => Ok(handoff::hand_to(click, account, held).await?.err()),
            Verb::SetNextStep | Verb::Snooze | Verb::Resolve if !held.is_open() => {
                Ok(Some(risk::refusal(click, account, held, &Refused::Present(held.present()))))
            }
            Verb::Snooze if click.deadline(account).await? == Some(click.today) => {
                Ok(Some(risk::refusal(click, account, held, &Refused::DeadlineToday)))
            }
            Verb::Reassign => Ok(team::led(click, found).err().map(Effect::Said)),
            _ => Ok(None),
        },
        Held::Handoff(held) => {
            if verb == Verb::Reassign {
                return Ok(team::led(click, found).err().map(Effect::Said));
            }
            let Some(said) = blank(click, verb, found) else { return Ok(None) };
            if !handoff::may(click, account, held, &said) {
                return Ok(Some(Effect::Said(click.present_handoff(account, held))));
            }
            match handoff::step(click, held.clone(), &said) {
                Ok(_) => Ok(None),
                Err(refused) => handoff::refusal(click, account, held, refused).await.map(Some),
            }
        }
        Held::Renewal(held) => {
            if verb == Verb::Reassign {
                return Ok(team::led(click, found).err().map(Effect::Said));
            }
            let Some(said) = blank(click, verb, found) else { return Ok(None) };
            Ok(renewal::step(click, held.clone(), said)
                .err()
                .map(|refused| renewal::refusal(click, account, held, &refused)))
        }
        Held::Account => Ok(None),
    }
}

/// What a dialog about a handoff or a renewal might say, to try its move.
fn blank(click: &Click<'_>, verb: Verb, found: &Found) -> Option<Submission> {
    let word = || "…".to_owned();
    let amount = Money::new(1, click.currency(&found.account));
    Some(match verb {
        Verb::Qualify => Submission::Qualify { need: word(), contact: word(), timing: word(), amount: None },
        Verb::Decline => Submission::Decline { reason: word() },
        Verb::Pass => Submission::Pass { reason: word() },
        Verb::HandBack => Submission::HandBack { note: word() },
        Verb::Won => Submission::Won { amount },
        Verb::Lost => Submission::Lost { reason: word() },
        Verb::Override => Submission::Override { reason: word() },
        Verb::Brief => Submission::Brief { goals_reached: word(), usage: word(), open_issues: word() },
        Verb::Renewed => Submission::Renewed { amount: None },
        Verb::Contracted => Submission::Contracted { amount },
        Verb::RenewalLost => Submission::RenewalLost { reason: word() },
        _ => return None,
    })
}

/// What the dialog may say and offer.
async fn view(click: &mut Click<'_>, verb: Verb, subject: Subject, found: &Found) -> anyhow::Result<DialogView> {
    let account = &found.account;
    let mut view = DialogView::new(subject, &account.name, click.today, click.currency(account));
    let snapshot = click.snapshot.clone();
    let read = read::account(&mut click.tx, &snapshot, &account.id, click.now).await?;
    let diagnosis = read.as_ref().and_then(|read| read.diagnosis.as_ref());
    view.status = account.status;
    view.latest = future_deadline(account, diagnosis, &click.snapshot.policy, click.today);
    match &found.held {
        Held::Risk(risk) => {
            if let State::Acknowledged { next_step, due, .. } = risk.state() {
                (view.step, view.due) = (next_step.clone(), Some(*due));
            }
            view.counterpart = handoff::route(click, account).map(|routed| click.seat_name(&routed.account_manager));
        }
        Held::Handoff(held) => {
            view.amount = held.window().and_then(|window| window.amount);
            view.counterpart = goes_back_to(click, verb, found);
            if let Gate::Withheld { rule, since } = held.gate() {
                view.withheld = Some(handoff::withheld(click, account, rule, *since).await?);
            }
        }
        Held::Renewal(work) => {
            view.amount = account.arr;
            view.brief = work.brief().map(|brief| BriefView {
                by: click.name(brief.by),
                on: click.reader().date(brief.at),
                text: brief.text.clone(),
            });
        }
        Held::Account => {}
    }
    match verb {
        Verb::Reassign => view.people = team::fitting(click, found),
        Verb::RaiseRisk => {
            let told = raise::warns(click, account).or_else(|| raise::told_of_risk(click, account));
            view.counterpart = told.map(|person| click.name(person));
        }
        Verb::RaiseOpportunity => view.amount = None,
        _ => {}
    }
    Ok(view)
}

/// Who has it after a decline or a hand-back; else who gets it next.
fn goes_back_to(click: &Click<'_>, verb: Verb, found: &Found) -> Option<String> {
    let Held::Handoff(held) = &found.held else { return None };
    match blank(click, verb, found) {
        Some(said @ (Submission::Decline { .. } | Submission::HandBack { .. })) => {
            let (returned, _) = handoff::step(click, held.clone(), &said).ok()?;
            returned.accountable().map(|holder| click.name(holder))
        }
        _ => handoff::counterpart(click, &found.account, held).map(|seat| click.seat_name(&seat)),
    }
}
