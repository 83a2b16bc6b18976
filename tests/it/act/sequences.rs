//! Presses and submissions in any order end in a legal state, without a failure.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tandem::app::act;
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::message::{Answers, Reply, form};

use super::world::World;
use super::{in_days, legal};

const PEOPLE: [&str; 6] = ["dana", "kim", "lee", "zoe", "vic", "pat"];

#[derive(Debug, Clone)]
struct Press {
    who: &'static str,
    verb: Verb,
    subject: usize,
    submits: bool,
    days: u64,
    choice: usize,
}

/// What stands on cards about risks, handoffs and renewals; most presses are of one that fits.
const FITTING: [&[Verb]; 5] = [RISK, HANDOFF, RENEWAL, ACCOUNT, HANDOFF];
const RISK: &[Verb] = &[
    Verb::Acknowledge,
    Verb::SetNextStep,
    Verb::Snooze,
    Verb::Resolve,
    Verb::Reopen,
    Verb::HandToAccountManager,
    Verb::Reassign,
];
const HANDOFF: &[Verb] = &[
    Verb::Qualify,
    Verb::Offer,
    Verb::Claim,
    Verb::Decline,
    Verb::HandBack,
    Verb::Override,
    Verb::Withdraw,
    Verb::Reassign,
    Verb::Nudge,
    Verb::Pass,
];
const RENEWAL: &[Verb] = &[Verb::Prepare, Verb::Brief, Verb::Negotiate, Verb::Contracted, Verb::Reassign];
const ACCOUNT: &[Verb] = &[Verb::Note, Verb::RaiseOpportunity, Verb::RaiseRisk, Verb::RaisePulse, Verb::Raise];

fn press() -> impl Strategy<Value = Press> {
    let who = proptest::sample::select(&PEOPLE[..]);
    (who, 0..5_usize, 0..8_usize, 0..100_usize, 0..60_u64, 0..6_usize).prop_map(
        |(who, subject, stray, pick, days, choice)| {
            let verbs = if stray == 0 { &Verb::ALL[..] } else { FITTING[subject] };
            let verb = verbs[pick % verbs.len()];
            // Now and then the other way round: a form without its button.
            let submits = verb.opens_dialog() != (stray == 1);
            Press { who, verb, subject, submits, days, choice }
        },
    )
}

fn answers(world: &World, press: &Press) -> Answers {
    let pick = |options: &[&str]| options[press.choice % options.len()].to_owned();
    let mut answers = super::everything();
    answers.insert(form::DUE.to_owned(), in_days(press.days));
    answers.insert(form::UNTIL.to_owned(), in_days(press.days));
    answers.insert(form::HOW.to_owned(), pick(&["fixed", "accepted_loss", "not_a_risk"]));
    answers.insert(form::WHAT.to_owned(), pick(&["raise_risk", "note", "raise_pulse"]));
    answers.insert(form::PERSON.to_owned(), world.id(PEOPLE[press.choice]).to_string());
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn presses_in_any_order_end_in_a_legal_state() {
    let world = World::new().await;
    // Fixed dice: a failure can be run again.
    let dice = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), dice);
    let mut changed = 0;
    for _ in 0..6 {
        world.sql("DELETE FROM tandem.handoff; DELETE FROM tandem.risk; DELETE FROM tandem.renewal").await;
        let (risk, window) = (world.risk("acme").await, world.window("acme").await);
        let renewal = world.renewal("acme").await;
        let subjects = [
            Subject::Risk(risk.id),
            Subject::Handoff(window.id),
            Subject::Renewal(renewal.id),
            Subject::Account("acme".into()),
            Subject::Handoff(world.for_pool("bolt").await.id),
        ];
        for press in proptest::collection::vec(press(), 60).new_tree(&mut runner).unwrap().current() {
            let action = Action::new(press.verb, subjects[press.subject].clone());
            let asker = world.asker(press.who);
            let replied = if press.submits {
                act::submit(&world.app, &asker, &action, &answers(&world, &press), None).await
            } else {
                act::press(&world.app, &asker, &action, None).await
            };
            let reply = replied.unwrap_or_else(|error| panic!("{press:?}: {error:#}"));
            changed += usize::from(reply == Reply::Silent);
            legal(&world, &risk, &window).await;
        }
    }
    assert!(changed > 20, "only {changed} presses moved anything");
}
