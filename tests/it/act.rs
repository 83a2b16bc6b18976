//! Presses and dialogs against a real database, with a second organisation beside.

mod asked;
mod brief;
mod races;
mod sequences;
mod together;
mod world;

use chrono::{Days, NaiveDate, TimeDelta};
use serde_json::json;
use tandem::app::Who;
use tandem::app::{act, query};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::command::Command;
use tandem::domain::handoff::Handoff;
use tandem::domain::message::{Answers, Message, Reply, form};
use tandem::domain::risk::{Risk, Timer};
use uuid::Uuid;

use world::World;

fn private(reply: Reply) -> String {
    match reply {
        Reply::Private(message) => message.summary,
        other => panic!("expected a private answer, got {other:?}"),
    }
}

fn answers(pairs: &[(&str, &str)]) -> Answers {
    pairs.iter().map(|(id, answer)| ((*id).to_owned(), (*answer).to_owned())).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledging_moves_audits_and_redraws_once() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    world.shown("dana", "acme").await;
    let action = Action::new(Verb::Acknowledge, Subject::Risk(risk.id));

    let reply = act::press(&world.app, &world.asker("dana"), &action, Some("click-1")).await.unwrap();
    assert_eq!(reply, Reply::Silent);
    let saved = world.read_risk(risk.id).await;
    assert_eq!(saved.state_name(), "acknowledged");
    // Tuesday 3 November and five working days.
    assert_eq!(tandem::domain::risk::RiskRecord::from(&saved).next_step_due, Some(day("2026-11-10")));
    assert_eq!(world.queued_redraws().await, 1);
    assert_eq!(world.count("SELECT count(*) FROM directory.lane WHERE wake_at = '2026-11-03T10:00:00Z'").await, 1);
    let events = world.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        (event.event.as_str(), event.actor.as_str(), event.subject.as_str()),
        ("risk.acknowledged", format!("person:{}", world.id("dana")).as_str(), format!("risk:{}", risk.id).as_str())
    );
    assert_eq!(event.data, json!({"account": "acme", "version": 2, "state": "acknowledged", "due": "2026-11-10"}));

    // The same webhook again, another press by the same person, and one by the lead.
    world.clock.advance(TimeDelta::days(1));
    let again = act::press(&world.app, &world.asker("dana"), &action, Some("click-1")).await.unwrap();
    assert_eq!(private(again), "Acme: already acknowledged by you on Tue 3 Nov; next step due Tue 10 Nov.");
    let second = act::press(&world.app, &world.asker("dana"), &action, Some("click-2")).await.unwrap();
    assert_eq!(private(second), "Acme: already acknowledged by you on Tue 3 Nov; next step due Tue 10 Nov.");
    let late = act::press(&world.app, &world.asker("lee"), &action, None).await.unwrap();
    assert_eq!(private(late), "Acme: already acknowledged by Dana on Tue 3 Nov; next step due Tue 10 Nov.");
    assert_eq!(world.events().await.len(), 1);
    assert_eq!(world.queued_redraws().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_webhook_a_hundred_times_at_once_has_one_effect() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    let action = Action::new(Verb::Acknowledge, Subject::Risk(risk.id));
    let asker = world.asker("dana");
    let presses = (0..100).map(|_| act::press(&world.app, &asker, &action, Some("one")));
    let replies = futures_util::future::join_all(presses).await;
    let silent = replies.iter().filter(|reply| matches!(reply, Ok(Reply::Silent))).count();
    let told = replies.iter().filter(|reply| matches!(reply, Ok(Reply::Private(_)))).count();
    assert_eq!((silent, told), (1, 99));
    assert_eq!(world.events().await.len(), 1);
    assert_eq!(world.read_risk(risk.id).await.version(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_not_there() {
    let world = World::new().await;
    let there = world.beside().await;
    let (risk, handoff) = (there.risk("acme").await, there.window("acme").await);
    let renewal = there.renewal("acme").await;
    let absent = private(
        act::press(&world.app, &world.asker("dana"), &Action::new(Verb::Claim, Subject::Handoff(Uuid::nil())), None)
            .await
            .unwrap(),
    );
    let account = Subject::Account("only-there".into());
    for subject in [
        Subject::Risk(risk.id),
        Subject::Handoff(handoff.id),
        Subject::Renewal(renewal.id),
        Subject::Group(Uuid::nil(), 1),
        account,
    ] {
        for verb in Verb::ALL {
            if matches!(subject, Subject::Group(..)) && !matches!(verb, Verb::AcknowledgeGroup | Verb::SnoozeGroup) {
                continue;
            }
            let action = Action::new(verb, subject.clone());
            let pressed = act::press(&world.app, &world.asker("dana"), &action, None).await.unwrap();
            assert_eq!(private(pressed), absent, "{action}");
            if !matches!(subject, Subject::Group(..)) {
                let said = act::submit(&world.app, &world.asker("dana"), &action, &everything(), None).await.unwrap();
                assert_eq!(private(said), absent, "{action}");
            }
        }
    }
    assert!(there.events().await.is_empty() && world.events().await.is_empty());
    assert_eq!(there.read_risk(risk.id).await, risk);
    assert_eq!(there.read_handoff(handoff.id).await, handoff);
}

/// Answers that fit every dialog.
fn everything() -> Answers {
    answers(&[
        (form::STEP, "call the CFO"),
        (form::DUE, "2026-11-05"),
        (form::UNTIL, "2026-11-06"),
        (form::HOW, "fixed"),
        (form::NOTE, "a note"),
        (form::NEED, "more seats"),
        (form::CONTACT, "Eva"),
        (form::TIMING, "January"),
        (form::AMOUNT, "12000"),
        (form::REASON, "no budget"),
        (form::GOALS, "three of four"),
        (form::USAGE, "80 of 100"),
        (form::ISSUES, "two tickets"),
        (form::TEXT, "they like it"),
        (form::WHAT, "raise_risk"),
        (form::PULSE, "amber"),
        (form::NAME, "Eva Sol"),
        (form::EMAIL, "eva@acme.example"),
        (form::TIME, "07:30"),
        (form::DAYS, "mon;tue"),
        (form::BUDGET, "3"),
        (form::EMPTY, "silent"),
        (form::AWAY, "2026-11-06"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_look_is_told_who_may_act() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    for person in ["vic", "zoe"] {
        let action = Action::new(Verb::Acknowledge, Subject::Risk(risk.id));
        let reply = act::press(&world.app, &world.asker(person), &action, None).await.unwrap();
        assert_eq!(
            private(reply),
            "You can see this account. Only Dana, Kim and their leads can act on it.",
            "{person}"
        );
        let note = Action::new(Verb::Note, Subject::Account("acme".into()));
        let reply = act::submit(&world.app, &world.asker(person), &note, &everything(), None).await.unwrap();
        assert!(private(reply).starts_with("You can see this account."));
    }
    // With a closed book the same people get the answer for what is not there.
    world.sql("UPDATE tandem.organisation_setting SET everyone_sees_accounts = false, stamp = stamp + 1").await;
    let action = Action::new(Verb::Acknowledge, Subject::Risk(risk.id));
    let reply = act::press(&world.app, &world.asker("vic"), &action, None).await.unwrap();
    assert_eq!(private(reply), "This is not there any more, or not open to you.");
    let mut nobody = world.asker("vic");
    nobody.who = Who::ChatUser("U0NOBODY".to_owned());
    let reply = act::press(&world.app, &nobody, &action, None).await.unwrap();
    assert!(private(reply).starts_with("Tandem does not know you yet."));
    assert!(world.events().await.is_empty());
    assert_eq!(world.read_risk(risk.id).await, risk);
}

/// Presses, fills in, submits.
async fn dialog(world: &World, who: &str, verb: Verb, subject: Subject, pairs: &[(&str, &str)]) -> Reply {
    let action = Action::new(verb, subject);
    let asked = act::press(&world.app, &world.asker(who), &action, None).await.unwrap();
    let Reply::Dialog(asked) = asked else { panic!("{action} opens no dialog: {asked:?}") };
    assert_eq!(asked.action, action);
    let known: Vec<&str> = asked.fields.iter().map(|field| field.id).collect();
    assert!(pairs.iter().all(|(id, _)| known.contains(id)), "{action} asks for {known:?}");
    act::submit(&world.app, &world.asker(who), &asked.action, &answers(pairs), None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_goes_its_way_by_dialogs() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    let subject = Subject::Risk(risk.id);
    let said = dialog(&world, "dana", Verb::SetNextStep, subject.clone(), &[("step", "call"), ("due", "2026-11-05")]);
    assert_eq!(said.await, Reply::Silent);
    let said = dialog(&world, "dana", Verb::Snooze, subject.clone(), &[("until", "2026-11-20")]).await;
    assert_eq!(said, Reply::Silent);
    let said = dialog(&world, "dana", Verb::Resolve, subject.clone(), &[("how", "fixed"), ("note", "new sponsor")]);
    assert_eq!(said.await, Reply::Silent);
    assert_eq!(
        world.count("SELECT count(*) FROM tandem.note WHERE kind = 'resolution' AND body = 'new sponsor'").await,
        1
    );
    // What is over opens no dialog.
    let action = Action::new(Verb::Snooze, subject.clone());
    let late = act::press(&world.app, &world.asker("lee"), &action, None).await.unwrap();
    assert_eq!(private(late), "Acme: already resolved by Dana on Tue 3 Nov: fixed.");
    let reopened = act::press(&world.app, &world.asker("dana"), &Action::new(Verb::Reopen, subject), None).await;
    assert_eq!(reopened.unwrap(), Reply::Silent);
    assert_eq!(world.event_names().await, ["risk.step_set", "risk.snoozed", "risk.resolved", "risk.reopened"]);
    let trail = serde_json::to_string(&world.events().await).unwrap();
    assert!(!trail.contains("sponsor") && !trail.contains("call"), "free text in the audit trail: {trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_at_its_field_and_nothing_is_kept() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    let action = Action::new(Verb::Snooze, Subject::Risk(risk.id));
    // Acme's opt-out date is 1 December: no snooze may hide it.
    let dana = world.asker("dana");
    let late = act::submit(&world.app, &dana, &action, &answers(&[("until", "2026-12-02")]), Some("s")).await;
    let Reply::FieldErrors(errors) = late.unwrap() else { panic!("accepted") };
    assert_eq!(errors, [("until".to_owned(), "That is past the next deadline. Pick Tue 1 Dec or earlier.".to_owned())]);
    assert_eq!(world.read_risk(risk.id).await, risk);
    assert!(world.events().await.is_empty());
    // The same submission, corrected, under the same receipt.
    let fixed = act::submit(&world.app, &dana, &action, &answers(&[("until", "2026-12-01")]), Some("s")).await;
    assert_eq!(fixed.unwrap(), Reply::Silent);
    let action = Action::new(Verb::Reassign, Subject::Risk(risk.id));
    let stranger = answers(&[("person", &world.id("vic").to_string())]);
    let refused = act::submit(&world.app, &world.asker("lee"), &action, &stranger, None).await.unwrap();
    assert_eq!(refused, Reply::FieldErrors(vec![("person".into(), "Please choose one.".into())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_qualified_offered_claimed_and_won() {
    let world = World::new().await;
    let window = world.window("acme").await;
    let subject = Subject::Handoff(window.id);
    let early = act::press(&world.app, &world.asker("dana"), &Action::new(Verb::Offer, subject.clone()), None).await;
    assert_eq!(private(early.unwrap()), "Acme: qualify it first, with need, contact and timing.");
    let need = [("need", "seats"), ("contact", "Eva"), ("timing", "January"), ("amount", "9000")];
    assert_eq!(dialog(&world, "dana", Verb::Qualify, subject.clone(), &need).await, Reply::Silent);
    let offered = world.read_handoff(window.id).await;
    assert_eq!((offered.state_name(), offered.is_csql()), ("offered", true));
    assert_eq!(offered.window().unwrap().amount.unwrap().minor, 900_000);
    assert_eq!(offered.qualification().unwrap().confirmed(), Some((world.id("dana"), world.app.now())));
    assert_eq!(world.notices("kim").await, [json!({"handoff": window.id, "event": "offered", "version": 3})]);

    // The one who offered it does not claim it, nor does who only looks on.
    let claim = Action::new(Verb::Claim, subject.clone());
    let own = act::press(&world.app, &world.asker("dana"), &claim, None).await.unwrap();
    assert!(private(own).contains("offered to Kim"));
    let claimed = act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap();
    assert_eq!(claimed, Reply::Silent);
    assert_eq!(world.notices("dana").await, [json!({"handoff": window.id, "event": "accepted", "version": 4})]);
    let late = act::press(&world.app, &world.asker("lee"), &claim, None).await.unwrap();
    assert_eq!(private(late), "Acme: claimed by Kim just now.");
    assert_eq!(dialog(&world, "kim", Verb::Won, subject, &[("amount", "8500")]).await, Reply::Silent);
    assert_eq!(world.event_names().await, ["handoff.qualified", "handoff.offered", "handoff.accepted", "handoff.won"]);
    assert_eq!(world.events().await.last().unwrap().data["amount"]["minor"], 850_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_comes_back_with_its_reason() {
    let world = World::new().await;
    let window = world.offered("acme").await;
    let subject = Subject::Handoff(window.id);
    assert_eq!(dialog(&world, "kim", Verb::Decline, subject.clone(), &[("reason", "too early")]).await, Reply::Silent);
    let declined = world.read_handoff(window.id).await;
    assert_eq!((declined.state_name(), declined.accountable()), ("declined", Some(world.id("dana"))));
    assert_eq!(world.notices("dana").await.last().unwrap()["event"], "declined");
    let again = act::press(&world.app, &world.asker("dana"), &Action::new(Verb::Offer, subject.clone()), None).await;
    assert_eq!(again.unwrap(), Reply::Silent);
    let claim = Action::new(Verb::Claim, subject.clone());
    assert_eq!(act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap(), Reply::Silent);
    assert_eq!(dialog(&world, "kim", Verb::HandBack, subject.clone(), &[("note", "not mine")]).await, Reply::Silent);
    let withdraw = Action::new(Verb::Withdraw, subject);
    assert_eq!(act::press(&world.app, &world.asker("dana"), &withdraw, None).await.unwrap(), Reply::Silent);
    assert_eq!(
        world.event_names().await,
        ["handoff.declined", "handoff.offered", "handoff.accepted", "handoff.handed_back", "handoff.withdrawn"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withheld_window_is_claimed_only_after_an_override() {
    let world = World::new().await;
    world.diagnosed("acme", 34, "sev1_open").await;
    let window = world.withheld("acme", "sev1_open").await;
    let subject = Subject::Handoff(window.id);
    let claim = Action::new(Verb::Claim, subject.clone());
    let held = act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap();
    assert_eq!(
        private(held),
        "Acme: withheld since Tue 3 Nov: A sev-1 ticket is open. With Dana, not acknowledged yet. \
         To work on it all the same, press Override."
    );
    let said = dialog(&world, "kim", Verb::Override, subject, &[("reason", "the CFO asked")]).await;
    assert_eq!(said, Reply::Silent);
    assert_eq!(act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap(), Reply::Silent);
    assert_eq!(world.event_names().await, ["window.overridden", "handoff.accepted"]);
    let told = world.notices("dana").await.swap_remove(0);
    assert_eq!(told["event"], "overridden");
    let said = world.reply("dana", told).await;
    assert!(said.ends_with(". Worked on in spite of the risk by Kim: the CFO asked."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_prepared_briefed_and_ends_once() {
    let world = World::new().await;
    let work = world.renewal("acme").await;
    let subject = Subject::Renewal(work.id);
    let prepare = Action::new(Verb::Prepare, subject.clone());
    assert_eq!(act::press(&world.app, &world.asker("kim"), &prepare, None).await.unwrap(), Reply::Silent);
    let again = act::press(&world.app, &world.asker("kim"), &prepare, None).await.unwrap();
    assert!(private(again).starts_with("Acme: "));
    assert_eq!(world.notices("dana").await[0]["event"], "preparing");
    let brief = [("goals", "three of four"), ("usage", "80 of 100"), ("issues", "none")];
    assert_eq!(dialog(&world, "dana", Verb::Brief, subject.clone(), &brief).await, Reply::Silent);
    let told = world.notices("kim").await.pop().unwrap();
    assert_eq!(world.reply("kim", told).await, "Acme: value brief added by Dana.");
    let more = Action::new(Verb::Contracted, subject.clone());
    let not_less = act::submit(&world.app, &world.asker("kim"), &more, &answers(&[("amount", "184000")]), None).await;
    assert!(matches!(not_less.unwrap(), Reply::FieldErrors(_)));
    assert_eq!(dialog(&world, "kim", Verb::Contracted, subject.clone(), &[("amount", "150000")]).await, Reply::Silent);
    let lost = Action::new(Verb::RenewalLost, subject);
    let late = act::press(&world.app, &world.asker("dana"), &lost, None).await.unwrap();
    assert!(private(late).contains("Kim"), "says who ended it");
    assert_eq!(world.event_names().await, ["renewal.preparing", "note.added", "renewal.contracted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_raise_what_rules_do_not_see() {
    let world = World::new().await;
    let acme = || Subject::Account("acme".into());
    // The chooser leads to the chosen dialog.
    let chosen = dialog(&world, "dana", Verb::Raise, acme(), &[("what", "raise_opportunity")]).await;
    let Reply::Dialog(chosen) = chosen else { panic!("{chosen:?}") };
    assert_eq!(chosen.action.verb, Verb::RaiseOpportunity);
    let what = [("what", "A second team asked"), ("timing", "in spring")];
    let said = act::submit(&world.app, &world.asker("dana"), &chosen.action, &answers(&what), None).await.unwrap();
    assert_eq!(private(said), "Acme: new opportunity saved, now with you.");
    // The account manager's own is theirs at once; 20 % of ARR where no amount is named.
    let said = dialog(&world, "kim", Verb::RaiseOpportunity, acme(), &[("what", "The CFO asked")]).await;
    assert_eq!(private(said), "Acme: new opportunity saved, now with you.");
    let states = world.handoffs("acme").await;
    let states: Vec<_> = states.iter().map(|h| (h.state_name(), h.window().unwrap().amount.unwrap().minor)).collect();
    assert_eq!(states, [("detected", 3_680_000), ("accepted", 3_680_000)]);

    // From the account manager a risk is a warning that the CSM answers; from the CSM it is a risk.
    let said = dialog(&world, "kim", Verb::RaiseRisk, acme(), &[("what", "budget cut")]).await;
    assert_eq!(private(said), "Acme: Dana was told and has to answer.");
    assert_eq!(world.notices("dana").await.last().unwrap()["event"], "offered");
    let said = dialog(&world, "dana", Verb::RaiseRisk, acme(), &[("what", "budget cut")]).await;
    assert_eq!(private(said), "Acme: risk saved.");
    let said = dialog(&world, "dana", Verb::RaiseRisk, acme(), &[("what", "and a new CFO")]).await;
    assert_eq!(private(said), "Acme: note saved.");
    assert_eq!(world.count("SELECT count(*) FROM tandem.risk WHERE state = 'open'").await, 1);

    let said = dialog(&world, "kim", Verb::RaisePulse, acme(), &[("pulse", "red"), ("reason", "angry call")]).await;
    assert!(private(said).starts_with("Acme: pulse saved."));
    assert_eq!(world.count("SELECT count(*) FROM tandem.signal WHERE kind = 'csm_pulse' AND words = 'red'").await, 1);
    let said = dialog(&world, "kim", Verb::RaiseFeedback, acme(), &[("text", "needs SSO")]).await;
    assert!(private(said).starts_with("Acme: feedback saved."));
    let champion = [("name", "Eva Sol"), ("email", "Eva@Acme.example")];
    let said = dialog(&world, "dana", Verb::RaiseChampion, acme(), &champion).await;
    assert_eq!(private(said), "Acme: Eva Sol saved as champion.");
    assert_eq!(
        world
            .count("SELECT count(*) FROM tandem.contact WHERE email = 'eva@acme.example' AND persona = 'champion'")
            .await,
        1
    );
    let trail = serde_json::to_string(&world.events().await).unwrap();
    assert!(!trail.contains("eva@") && !trail.contains("Eva") && !trail.contains("budget"), "{trail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_nudge_and_reassign_and_nobody_else() {
    let world = World::new().await;
    let window = world.offered("acme").await;
    let subject = Subject::Handoff(window.id);
    let nudge = Action::new(Verb::Nudge, subject.clone());
    let not_mine = act::press(&world.app, &world.asker("dana"), &nudge, None).await.unwrap();
    assert!(private(not_mine).contains("offered to Kim"));
    let nudged = act::press(&world.app, &world.asker("lee"), &nudge, None).await.unwrap();
    assert_eq!(private(nudged), "Acme: Kim was reminded.");
    let by = world.id("lee");
    assert_eq!(
        world.notices("kim").await,
        [json!({"handoff": window.id, "event": "nudged", "version": window.version(), "by": by})]
    );
    let pat = world.id("pat").to_string();
    let said = dialog(&world, "lee", Verb::Reassign, subject.clone(), &[("person", &pat)]).await;
    assert_eq!(private(said), "Acme: now with Pat.");
    assert_eq!(world.read_handoff(window.id).await.accountable(), Some(world.id("pat")));
    // Pat has no part in Acme but this.
    let claim = Action::new(Verb::Claim, subject);
    assert_eq!(act::press(&world.app, &world.asker("pat"), &claim, None).await.unwrap(), Reply::Silent);

    let risk = world.risk("acme").await;
    let zoe = world.id("zoe").to_string();
    let said = dialog(&world, "lee", Verb::Reassign, Subject::Risk(risk.id), &[("person", &zoe)]).await;
    assert_eq!(private(said), "Acme: now with Zoe.");
    let acknowledge = Action::new(Verb::Acknowledge, Subject::Risk(risk.id));
    assert_eq!(act::press(&world.app, &world.asker("zoe"), &acknowledge, None).await.unwrap(), Reply::Silent);
    assert_eq!(
        world.event_names().await,
        ["escalation.reminded", "handoff.reassigned", "handoff.accepted", "book.transferred", "risk.acknowledged"]
    );
}

/// Their card has these buttons, whoever's account it is.
#[tokio::test(flavor = "multi_thread")]
async fn who_holds_a_matter_of_an_account_reads_it_and_writes_notes() {
    let world = World::new().await;
    let (window, work) = (world.offered("acme").await, world.renewal("acme").await);
    world.sql("UPDATE tandem.organisation_setting SET everyone_sees_accounts = false, stamp = stamp + 1").await;
    let account = || Subject::Account("acme".into());
    let press = async |who: &str, verb: Verb| {
        act::press(&world.app, &world.asker(who), &Action::new(verb, account()), None).await.unwrap()
    };
    let typed = async |who: &str| {
        let command = Command::Account { name: "acme".to_owned() };
        private(query::command(&world.app, &world.asker(who), &command).await.unwrap())
    };
    let sees_nothing = async |who: &str| {
        for verb in [Verb::Note, Verb::Raise, Verb::ShowMore] {
            assert_eq!(private(press(who, verb).await), "This is not there any more, or not open to you.", "{verb:?}");
        }
        let absent = "No account \"acme\" that you can see. Check the spelling, or type just a part of the name.";
        assert_eq!(typed(who).await, absent);
    };
    let has_a_part = async |who: &str| {
        let said = dialog(&world, who, Verb::Note, account(), &[("text", "The CFO decides")]).await;
        assert_eq!(private(said), "Acme: note saved.");
        assert!(matches!(press(who, Verb::Raise).await, Reply::Dialog(_)), "{who}");
        let Reply::Private(shown) = press(who, Verb::ShowMore).await else { panic!("{who}") };
        assert!(shown.summary.starts_with("Acme"), "{}", shown.summary);
        assert_eq!(typed(who).await, shown.summary);
    };
    sees_nothing("pat").await;
    let pat = world.id("pat").to_string();
    dialog(&world, "lee", Verb::Reassign, Subject::Handoff(window.id), &[("person", &pat)]).await;
    let claim = Action::new(Verb::Claim, Subject::Handoff(window.id));
    assert_eq!(act::press(&world.app, &world.asker("pat"), &claim, None).await.unwrap(), Reply::Silent);
    has_a_part("pat").await;
    sees_nothing("pia").await;
    sees_nothing("vic").await;
    dialog(&world, "pat", Verb::Lost, Subject::Handoff(window.id), &[("reason", "no budget")]).await;
    sees_nothing("pat").await;

    dialog(&world, "lee", Verb::Reassign, Subject::Renewal(work.id), &[("person", &pat)]).await;
    has_a_part("pat").await;
}

/// What somebody holds for the CSM, who is away, is the next CSM's too: it must not go back to who was away.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_for_a_csm_who_is_away_goes_with_the_account() {
    let world = World::new().await;
    let (window, risk) = (world.window("acme").await, world.risk("acme").await);
    let (stood_in, _) = window.stand_in(world.id("kim"), world.app.now()).unwrap();
    world.save(&stood_in).await;
    let zoe = world.id("zoe").to_string();
    let said = dialog(&world, "lee", Verb::Reassign, Subject::Risk(risk.id), &[("person", &zoe)]).await;
    assert_eq!(private(said), "Acme: now with Zoe.");
    let held = world.read_handoff(stood_in.id).await;
    assert_eq!((held.accountable(), held.stands_in_for()), (Some(world.id("zoe")), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lead_gives_to_an_account_manager_can_be_claimed() {
    let world = World::new().await;
    // Nobody of the pool wants it: it lies with their lead, whom nobody has to remind.
    let window = world.for_pool("bolt").await;
    let subject = Subject::Handoff(window.id);
    dialog(&world, "pat", Verb::Decline, subject.clone(), &[("reason", "no time")]).await;
    let nudge = Action::new(Verb::Nudge, subject.clone());
    let own = act::press(&world.app, &world.asker("lee"), &nudge, None).await.unwrap();
    assert_eq!(private(own), "Bolt: already with you.");
    // Kim has no part in Bolt but this.
    let kim = world.id("kim").to_string();
    let said = dialog(&world, "lee", Verb::Reassign, subject.clone(), &[("person", &kim)]).await;
    assert_eq!(private(said), "Bolt: now with Kim.");
    assert_eq!(world.notices("kim").await, [json!({"handoff": window.id, "event": "offered", "version": 3})]);
    let claim = Action::new(Verb::Claim, subject);
    assert_eq!(act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap(), Reply::Silent);

    // Dana's offer to Kim came back; her lead gives it to Kim once more, and Dana hears of it.
    let window = world.offered("acme").await;
    let subject = Subject::Handoff(window.id);
    dialog(&world, "kim", Verb::Decline, subject.clone(), &[("reason", "too early")]).await;
    dialog(&world, "lee", Verb::Reassign, subject.clone(), &[("person", &kim)]).await;
    let offered = world.read_handoff(window.id).await;
    assert_eq!((offered.state_name(), offered.is_csql()), ("offered", true));
    assert_eq!(world.notices("dana").await.last().unwrap()["event"], "reassigned");
    let claim = Action::new(Verb::Claim, subject);
    assert_eq!(act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap(), Reply::Silent);
    assert_eq!(
        world.event_names().await,
        [
            "handoff.declined",
            "handoff.offered",
            "handoff.accepted",
            "handoff.declined",
            "handoff.offered",
            "handoff.accepted"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_is_handed_over_to_be_weighed_once() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    let subject = Subject::Risk(risk.id);
    let said = dialog(&world, "dana", Verb::HandToAccountManager, subject.clone(), &[("note", "price?")]).await;
    assert_eq!(private(said), "Acme: handed to Kim, to weigh commercially.");
    let again = Action::new(Verb::HandToAccountManager, subject);
    let again = act::press(&world.app, &world.asker("dana"), &again, None).await.unwrap();
    assert!(private(again).contains("offered to Kim"));
    assert_eq!(world.notices("kim").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_that_is_resolved_has_nothing_left_to_weigh() {
    let world = World::new().await;
    let risk = world.risk("acme").await;
    let subject = Subject::Risk(risk.id);
    dialog(&world, "dana", Verb::HandToAccountManager, subject.clone(), &[("note", "price?")]).await;
    let to_weigh = world.handoffs("acme").await.remove(0);
    let window = world.offered("acme").await;
    world.shown("kim", "acme").await;
    dialog(&world, "dana", Verb::Resolve, subject, &[("how", "fixed")]).await;
    let closed = world.read_handoff(to_weigh.id).await;
    assert_eq!((closed.state_name(), closed.timer()), ("closed", Timer::Waiting));
    assert!(world.read_handoff(window.id).await.is_open(), "the window is another matter");
    assert_eq!(world.event_names().await, ["handoff.offered", "risk.resolved", "handoff.withdrawn"]);
    assert_eq!(world.queued_redraws().await, 1);
    let claim = Action::new(Verb::Claim, Subject::Handoff(to_weigh.id));
    let late = act::press(&world.app, &world.asker("kim"), &claim, None).await.unwrap();
    assert!(private(late).contains("the risk is settled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn not_useful_counts_once_a_person_against_the_first_cause() {
    let world = World::new().await;
    world.diagnosed("acme", 34, "sev1_open").await;
    let risk = world.risk("acme").await;
    let action = Action::new(Verb::NotUseful, Subject::Risk(risk.id));
    for person in ["dana", "dana", "kim"] {
        let said = act::press(&world.app, &world.asker(person), &action, None).await.unwrap();
        assert!(private(said).starts_with("Acme: noted as not useful."));
    }
    assert_eq!(world.count("SELECT count(*) FROM tandem.judgement WHERE rule = 'sev1_open'").await, 2);
    assert_eq!(world.event_names().await, ["feedback.given", "feedback.given"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_acknowledged_and_snoozed_in_one_go() {
    let world = World::new().await;
    let (acme, bolt, far) = (world.risk("acme").await, world.risk("bolt").await, world.risk("zenith").await);
    let first = Action::new(Verb::Acknowledge, Subject::Risk(acme.id));
    act::press(&world.app, &world.asker("dana"), &first, None).await.unwrap();
    // Zenith is Zoe's: it is not Dana's to acknowledge, whoever drew the group.
    let digest = world.group("dana", &[acme.id, bolt.id, far.id]).await;
    let group = Subject::Group(digest, 2);
    let all = Action::new(Verb::AcknowledgeGroup, group.clone());
    let said = act::press(&world.app, &world.asker("dana"), &all, Some("g")).await.unwrap();
    assert_eq!(
        private(said),
        "1 account acknowledged; 1 had been settled before. Next steps are due in 5 working days."
    );
    assert_eq!(world.read_risk(bolt.id).await.state_name(), "acknowledged");
    assert_eq!(world.read_risk(far.id).await, far);
    // Acme's opt-out date comes before that day, so only Bolt sleeps.
    let said = dialog(&world, "dana", Verb::SnoozeGroup, group.clone(), &[("until", "2026-12-15")]).await;
    assert_eq!(private(said), "1 account snoozed until Tue 15 Dec. 1 stays, because its deadline comes first.");
    assert_eq!(world.event_names().await, ["risk.acknowledged", "risk.acknowledged", "risk.snoozed"]);
    let stranger = act::press(&world.app, &world.asker("vic"), &all, None).await.unwrap();
    assert!(private(stranger).starts_with("You can see this account."));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_shared_where_there_is_a_channel() {
    let world = World::new().await;
    let action = Action::new(Verb::Share, Subject::Account("acme".into()));
    let alone = act::press(&world.app, &world.asker("dana"), &action, None).await.unwrap();
    assert!(private(alone).starts_with("There is no channel here"));
    let mut asker = world.asker("dana");
    asker.channel = Some("C1".to_owned());
    let said = act::press(&world.app, &asker, &action, Some("share")).await.unwrap();
    assert_eq!(private(said), "Acme: shown in this channel.");
    let twice = act::press(&world.app, &asker, &action, Some("share")).await.unwrap();
    assert_eq!(private(twice), "Acme: this was done before. Nothing was changed again.");
    assert_eq!(world.count("SELECT count(*) FROM tandem.message WHERE channel_id = 'C1'").await, 1);
}

/// Whatever is pressed on whatever: an answer, never a failure.
#[tokio::test(flavor = "multi_thread")]
async fn every_verb_is_answered_on_every_subject() {
    let world = World::new().await;
    let (risk, window) = (world.risk("acme").await, world.offered("acme").await);
    let renewal = world.renewal("acme").await;
    let digest = world.group("dana", &[risk.id]).await;
    let subjects = [
        Subject::Account("acme".into()),
        Subject::Risk(risk.id),
        Subject::Handoff(window.id),
        Subject::Renewal(renewal.id),
        Subject::Group(digest, 2),
        Subject::Home(1),
        Subject::Introduction(Uuid::nil()),
        Subject::Rule("usage_trend".into()),
    ];
    let mut taken = vec![Vec::new(); subjects.len()];
    for (verb, at) in Verb::ALL.into_iter().flat_map(|verb| (0..subjects.len()).map(move |at| (verb, at))) {
        let action = Action::new(verb, subjects[at].clone());
        for who in ["dana", "kim", "lee", "vic"] {
            let pressed = act::press(&world.app, &world.asker(who), &action, None).await;
            let pressed = pressed.unwrap_or_else(|error| panic!("{who} presses {action}: {error:#}"));
            if who == "dana" && pressed != Reply::Private(unknown_action()) {
                taken[at].push(verb.as_str());
            }
            let filled = act::submit(&world.app, &world.asker(who), &action, &everything(), None).await;
            filled.unwrap_or_else(|error| panic!("{who} submits {action}: {error:#}"));
        }
    }
    let named = |(subject, taken): (&Subject, &Vec<&str>)| {
        format!("{}: {}", subject.to_string().split(':').next().unwrap(), taken.join(" "))
    };
    let takes: Vec<String> = subjects.iter().zip(&taken).map(named).collect();
    insta::assert_snapshot!(takes.join("\n"), @r"
    account: note raise raise_opportunity raise_risk raise_pulse raise_feedback raise_champion show_more share
    risk: acknowledge set_next_step snooze resolve reopen not_useful hand_to_am reassign nudge note raise raise_opportunity raise_risk raise_pulse raise_feedback raise_champion show_more share
    handoff: acknowledge not_useful qualify offer claim decline pass hand_back won lost override withdraw reassign nudge note raise raise_opportunity raise_risk raise_pulse raise_feedback raise_champion show_more share
    renewal: acknowledge reassign nudge prepare brief negotiate renewed contracted renewal_lost note raise raise_opportunity raise_risk raise_pulse raise_feedback raise_champion show_more share
    group: show_more acknowledge_group snooze_group
    home: turn_page settings
    introduction: introduce confirm_introduction refuse_introduction
    rule: put_on_trial bring_back
    ");
    for verb in Verb::ALL {
        let taken = takes.iter().flat_map(|taken| taken.split(' ')).any(|taken| taken == verb.as_str());
        assert!(taken, "nothing takes {}", verb.as_str());
    }
}

fn unknown_action() -> Message {
    tandem::domain::message::answer::unknown_action()
}

/// A legal row reads back; an illegal one is an error of the store.
async fn legal(world: &World, risk: &Risk, window: &Handoff) {
    world.read_risk(risk.id).await;
    let handoff = world.read_handoff(window.id).await;
    assert_eq!(handoff.is_open(), handoff.accountable().is_some());
}

/// So many days after the day on which the tests play.
fn in_days(days: u64) -> String {
    (day("2026-11-03") + Days::new(days)).to_string()
}
