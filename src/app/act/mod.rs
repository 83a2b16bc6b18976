//! What people do: presses and submitted dialogs, each in one transaction.
//!
//! A press is looked up under the presser's organisation and rights, its row is
//! locked, the state machine moves by value, and the new state commits together
//! with its audit event, the redraws of every copy and what the other side is
//! told. A stale, repeated, forbidden or late press changes nothing and gets the
//! present state, privately.

mod dialog;
mod group;
mod handoff;
mod introduction;
mod own;
mod present;
mod raise;
mod renewal;
pub(super) mod rights;
mod risk;
mod rule;
mod team;
mod together;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

pub(super) use together::Acknowledging;

use super::snapshot::Snapshot;
use super::{App, Asker};
use crate::domain::account::{Account, AccountId};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::diagnosis::Diagnosis;
use crate::domain::handoff::Handoff;
use crate::domain::message::answer::{self, Done};
use crate::domain::message::form::{self, Limits, Submission};
use crate::domain::message::introduction as wording;
use crate::domain::message::{Answers, Message, Reply};
use crate::domain::money::Currency;
use crate::domain::person::PersonId;
use crate::domain::policy::Policy;
use crate::domain::renewal::next_deadline;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::Risk;
use crate::domain::routing::Access;
use crate::store::audit::{Actor, Entry};
use crate::store::{self, Tenant, change, message};

/// A button was pressed. `receipt` names the press (the platform's dedup key): a repeated one has
/// one effect and gets the present state. A verb that opens a dialog gets `Reply::Dialog`.
pub async fn press(app: &App, asker: &Asker, action: &Action, receipt: Option<&str>) -> anyhow::Result<Reply> {
    if let (Verb::Acknowledge, Subject::Risk(risk), Some(receipt)) = (action.verb, &action.subject, receipt)
        && let Some(reply) = together::acknowledge(app, asker, *risk, receipt).await?
    {
        return Ok(reply);
    }
    let mut click = match Click::begin(app, asker, receipt).await? {
        Ok(click) => click,
        Err(answer) => return Ok(Reply::Private(answer)),
    };
    if let Subject::Introduction(id) = action.subject {
        let introduction::Answered { effect, waited } = introduction::press(&mut click, action.verb, id).await?;
        return match waited {
            Some(waited) => waited.carry_out(click, effect).await,
            None => click.conclude(effect).await,
        };
    }
    let effect = click.press(action).await?;
    click.conclude(effect).await
}

/// A dialog was submitted. `Reply::FieldErrors` stand at its fields; they use up no receipt.
pub async fn submit(
    app: &App,
    asker: &Asker,
    action: &Action,
    answers: &Answers,
    receipt: Option<&str>,
) -> anyhow::Result<Reply> {
    let mut click = match Click::begin(app, asker, receipt).await? {
        Ok(click) => click,
        Err(answer) => return Ok(Reply::Private(answer)),
    };
    let effect = click.submit(action, answers).await?;
    click.conclude(effect).await
}

/// One press or submission in its transaction.
struct Click<'a> {
    app: &'a App,
    asker: &'a Asker,
    tx: Tenant,
    snapshot: Arc<Snapshot>,
    me: PersonId,
    now: DateTime<Utc>,
    /// The presser's local date.
    today: NaiveDate,
    /// False where this press came before: it has had its effect.
    fresh: bool,
}

/// What a press is about, locked until commit, with the account that it belongs to.
struct Found {
    account: Account,
    held: Held,
}

enum Held {
    Account,
    Risk(Risk),
    Handoff(Handoff),
    Renewal(RenewalWork),
}

/// What comes of a press.
enum Effect {
    /// Nothing but the receipt is kept.
    Said(Message),
    /// Something changed on these accounts.
    Changed { accounts: Vec<AccountId>, entries: Vec<Entry>, reply: Reply },
    /// Something is asked first, or only shown: nothing is kept, not even the receipt.
    Asked(Reply),
}

impl Effect {
    fn changed(account: &AccountId, entries: Vec<Entry>, reply: Reply) -> Self {
        Self::Changed { accounts: vec![account.clone()], entries, reply }
    }

    fn field(id: &str, sentence: impl Into<String>) -> Self {
        Self::Asked(Reply::FieldErrors(vec![(id.to_owned(), sentence.into())]))
    }
}

impl<'a> Click<'a> {
    /// Begins the transaction; the answer instead where nobody known, or nobody with a role, presses.
    async fn begin(app: &'a App, asker: &'a Asker, receipt: Option<&str>) -> anyhow::Result<Result<Self, Message>> {
        let now = app.now();
        let mut tx = app.store.tenant(asker.org).await?;
        let (fresh, stamp) = message::receive_click(&mut tx, receipt, now).await?;
        let snapshot = app.snapshot_under(&mut tx, stamp).await?;
        let Some(person) = asker.known(&mut tx, &snapshot).await? else {
            return Ok(Err(answer::unknown_person(None)));
        };
        if person.roles.is_empty() {
            return Ok(Err(answer::no_role()));
        }
        let me = person.id;
        let today = snapshot.today(Some(me), now);
        Ok(Ok(Self { app, asker, tx, snapshot, me, now, today, fresh }))
    }

    /// The same transaction, and the next who presses in it.
    fn turn_to(&mut self, asker: &'a Asker, me: PersonId, fresh: bool) {
        (self.asker, self.me, self.fresh) = (asker, me, fresh);
        self.today = self.snapshot.today(Some(me), self.now);
    }

    /// Writes what belongs to the change, commits, and wakes delivery.
    async fn conclude(mut self, effect: Effect) -> anyhow::Result<Reply> {
        match effect {
            Effect::Asked(reply) => Ok(reply),
            Effect::Said(answer) => {
                self.tx.commit().await?;
                Ok(Reply::Private(answer))
            }
            Effect::Changed { accounts, entries, reply } => {
                let me = Actor::Person(self.me);
                let deeds: Vec<_> = entries.into_iter().map(|entry| (me, entry)).collect();
                self.record(&deeds, &accounts).await?;
                self.commit().await?;
                Ok(reply)
            }
        }
    }

    /// Records who did what and queues the redraws of these accounts.
    async fn record(&mut self, deeds: &[(Actor, Entry)], accounts: &[AccountId]) -> anyhow::Result<()> {
        change::record(&mut self.tx, self.now, deeds, accounts).await
    }

    /// Commits, and wakes delivery.
    async fn commit(self) -> anyhow::Result<()> {
        self.tx.commit().await?;
        self.app.outbox_bell.notify_waiters();
        Ok(())
    }

    async fn press(&mut self, action: &Action) -> anyhow::Result<Effect> {
        if let Subject::Group(digest, number) = action.subject {
            return group::press(self, action.verb, digest, number).await;
        }
        if let Subject::Home(page) = action.subject {
            return own::press(self, action.verb, page).await;
        }
        if let Subject::Rule(rule) = &action.subject {
            return rule::press(self, action.verb, rule).await;
        }
        let Some(found) = self.find(&action.subject).await? else {
            return Ok(Effect::Said(answer::not_there()));
        };
        if let Some(answer) = self.kept_from(action.verb, &found).await? {
            return Ok(Effect::Said(answer));
        }
        if !self.fresh && action.verb != Verb::ShowMore {
            return Ok(Effect::Said(self.present(&found)));
        }
        if action.verb.opens_dialog() {
            return dialog::open(self, action.verb, action.subject.clone(), &found).await;
        }
        let Found { account, held } = found;
        match held {
            Held::Account => raise::press(self, action.verb, &account).await,
            Held::Risk(risk) => risk::press(self, action.verb, account, risk).await,
            Held::Handoff(handoff) => handoff::press(self, action.verb, account, handoff).await,
            Held::Renewal(work) => renewal::press(self, action.verb, account, work).await,
        }
    }

    async fn submit(&mut self, action: &Action, answers: &Answers) -> anyhow::Result<Effect> {
        if let Subject::Group(digest, number) = action.subject {
            return group::submit(self, action.verb, digest, number, answers).await;
        }
        if let Subject::Home(_) = action.subject {
            return own::submit(self, action.verb, answers).await;
        }
        if let Subject::Introduction(_) = action.subject {
            let me = self.snapshot.person(self.me).map(|me| me.name.clone()).unwrap_or_default();
            return Ok(Effect::Said(wording::known_already(&me)));
        }
        let Some(found) = self.find(&action.subject).await? else {
            return Ok(Effect::Said(answer::not_there()));
        };
        if let Some(answer) = self.kept_from(action.verb, &found).await? {
            return Ok(Effect::Said(answer));
        }
        if !self.fresh {
            return Ok(Effect::Said(self.present(&found)));
        }
        if !action.verb.opens_dialog() {
            return Ok(Effect::Said(answer::expired_form()));
        }
        let latest = match action.verb {
            Verb::Snooze | Verb::SetNextStep => self.deadline(&found.account).await?,
            _ => None,
        };
        let limits = Limits { latest, arr: found.account.arr };
        let said = match form::parse(action.verb, answers, self.today, self.currency(&found.account), limits) {
            Ok(said) => said,
            Err(errors) => return Ok(Effect::Asked(Reply::FieldErrors(errors))),
        };
        self.carry_out(&action.subject, found, said).await
    }

    async fn carry_out(&mut self, subject: &Subject, found: Found, said: Submission) -> anyhow::Result<Effect> {
        let Found { account, held } = found;
        match (said, held) {
            (
                said @ (Submission::SetNextStep { .. } | Submission::Snooze { .. } | Submission::Resolve { .. }),
                Held::Risk(risk),
            ) => risk::submitted(self, &account, risk, said).await,
            (Submission::HandToAccountManager { note }, Held::Risk(risk)) => {
                handoff::to_weigh(self, &account, &risk, note).await
            }
            (
                said @ (Submission::Qualify { .. }
                | Submission::Decline { .. }
                | Submission::Pass { .. }
                | Submission::HandBack { .. }
                | Submission::Won { .. }
                | Submission::Lost { .. }
                | Submission::Override { .. }),
                Held::Handoff(handoff),
            ) => handoff::submitted(self, &account, handoff, said).await,
            (Submission::Reassign { to }, held @ (Held::Risk(_) | Held::Handoff(_) | Held::Renewal(_))) => {
                team::reassign(self, Found { account, held }, to).await
            }
            (
                said @ (Submission::Brief { .. }
                | Submission::Renewed { .. }
                | Submission::Contracted { .. }
                | Submission::RenewalLost { .. }),
                Held::Renewal(work),
            ) => renewal::submitted(self, &account, work, said).await,
            (Submission::Raise { next }, held) => match raise::too_late(self, &account, next) {
                Some(answer) => Ok(Effect::Said(answer)),
                None => dialog::open(self, next, subject.clone(), &Found { account, held }).await,
            },
            (Submission::Note { text }, _) => raise::note(self, &account, &text).await,
            (Submission::RaiseOpportunity { what, amount, timing }, _) => {
                raise::opportunity(self, &account, &what, amount, timing.as_deref()).await
            }
            (Submission::RaiseRisk { what }, _) => raise::risk(self, &account, what).await,
            (Submission::RaisePulse { pulse, reason }, _) => raise::pulse(self, &account, pulse, &reason).await,
            (Submission::RaiseFeedback { text }, _) => raise::feedback(self, &account, &text).await,
            (Submission::RaiseChampion { name, email }, _) => raise::champion(self, &account, &name, &email).await,
            (
                Submission::SetNextStep { .. }
                | Submission::Snooze { .. }
                | Submission::Resolve { .. }
                | Submission::HandToAccountManager { .. }
                | Submission::Qualify { .. }
                | Submission::Decline { .. }
                | Submission::Pass { .. }
                | Submission::HandBack { .. }
                | Submission::Won { .. }
                | Submission::Lost { .. }
                | Submission::Override { .. }
                | Submission::Reassign { .. }
                | Submission::Brief { .. }
                | Submission::Renewed { .. }
                | Submission::Contracted { .. }
                | Submission::RenewalLost { .. }
                | Submission::SnoozeGroup { .. }
                | Submission::Settings(_)
                | Submission::Introduce { .. },
                _,
            ) => Ok(Effect::Said(answer::unknown_action())),
        }
    }

    /// The row that a press is about, locked, with its account; `None` where this organisation has none such.
    async fn find(&mut self, subject: &Subject) -> anyhow::Result<Option<Found>> {
        let (id, held) = match subject {
            Subject::Account(id) => (id.clone(), Held::Account),
            Subject::Risk(id) => {
                let found = store::risk::lock_with_account(&mut self.tx, *id).await?;
                return Ok(found.map(|(risk, account)| Found { account, held: Held::Risk(risk) }));
            }
            Subject::Handoff(id) => match store::handoff::lock(&mut self.tx, *id).await? {
                Some(handoff) => (handoff.account.clone(), Held::Handoff(handoff)),
                None => return Ok(None),
            },
            Subject::Renewal(id) => match store::renewal::lock(&mut self.tx, *id).await? {
                Some(work) => (work.account.clone(), Held::Renewal(work)),
                None => return Ok(None),
            },
            Subject::Group(..) | Subject::Home(_) | Subject::Rule(_) | Subject::Introduction(_) => return Ok(None),
        };
        let account = store::account::some(&mut self.tx, &[id]).await?.pop();
        Ok(account.map(|account| Found { account, held }))
    }

    /// What to answer where the presser may not do this; the same for what may not be seen as for what is not there.
    fn forbidden(&self, verb: Verb, found: &Found) -> Option<Message> {
        let access = rights::access(&self.snapshot, self.me, &found.account, &found.held, self.today);
        let needed = match (verb, &found.held) {
            (Verb::ShowMore | Verb::Share, _) => Access::See,
            (_, Held::Account | Held::Handoff(_)) => Access::ActOnWindows,
            (_, Held::Risk(_) | Held::Renewal(_)) if raise::is_about_account(verb) => Access::ActOnWindows,
            (_, Held::Risk(_) | Held::Renewal(_)) => Access::Act,
        };
        match access {
            Access::Nothing => Some(answer::not_there()),
            access if access < needed => Some(answer::look_only(&rights::actors(&self.snapshot, &found.account))),
            _ => None,
        }
    }

    /// The same, where something else that is open on the account may be the presser's.
    async fn kept_from(&mut self, verb: Verb, found: &Found) -> anyhow::Result<Option<Message>> {
        let mut forbidden = self.forbidden(verb, found);
        if let (Some(_), Held::Account) = (&forbidden, &found.held) {
            let id = &found.account.id;
            let party = rights::takes_part(&mut self.tx, &self.snapshot, self.me, id, self.now).await?;
            forbidden = forbidden.filter(|_| !party);
        }
        Ok(forbidden.or_else(|| raise::too_late(self, &found.account, verb)))
    }

    /// How it stands now, as a private answer.
    fn present(&self, found: &Found) -> Message {
        match &found.held {
            Held::Account => answer::done(&found.account.name, &Done::Before, self.today),
            Held::Risk(risk) => self.present_risk(&found.account, risk),
            Held::Handoff(handoff) => self.present_handoff(&found.account, handoff),
            Held::Renewal(work) => self.present_renewal(&found.account, work),
        }
    }

    /// "Still on it?" was answered with yes, and the clock started anew.
    fn carries_on(&self, account: &Account, subject: Subject) -> Effect {
        let entry = Entry::new("escalation.ended", subject, json!({"account": account.id, "answered": true}));
        let reply = Reply::Private(answer::done(&account.name, &Done::CarriesOn, self.today));
        Effect::changed(&account.id, vec![entry], reply)
    }

    fn currency(&self, account: &Account) -> Currency {
        account.arr.map_or(self.snapshot.organisation.currency, |arr| arr.currency)
    }

    /// Of the latest complete night.
    async fn diagnosis(&mut self, account: &Account) -> anyhow::Result<Option<Diagnosis>> {
        let Some(date) = self.snapshot.organisation.diagnosed_on else { return Ok(None) };
        let accounts = std::slice::from_ref(account);
        let mut read = store::diagnosis::of_accounts(&mut self.tx, date, accounts, &self.snapshot.policy).await?;
        Ok(read.remove(&account.id))
    }

    /// The next future deadline: a snooze may not pass it.
    async fn deadline(&mut self, account: &Account) -> anyhow::Result<Option<NaiveDate>> {
        let diagnosis = self.diagnosis(account).await?;
        Ok(future_deadline(account, diagnosis.as_ref(), &self.snapshot.policy, self.today))
    }
}

/// The diagnosis knows whether auto-renewal was switched off; where its deadline has passed since, the columns say.
fn future_deadline(
    account: &Account,
    diagnosis: Option<&Diagnosis>,
    policy: &Policy,
    today: NaiveDate,
) -> Option<NaiveDate> {
    let known = diagnosis.and_then(|diagnosis| diagnosis.renewal.next_deadline).filter(|deadline| *deadline >= today);
    known.or_else(|| next_deadline(account, account.auto_renew, policy, today).map(|deadline| deadline.on))
}
