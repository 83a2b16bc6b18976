//! One person in the same state, asked and pressed in both chats at once: every command as every role, and every verb
//! that there is. The words, the buttons, the dialogs with their fields and errors, and what the database keeps are
//! compared after each step; a verb or a command that one chat lacks fails here.

mod form;
mod words;
mod world;

use serde_json::json;
use tandem::domain::action::Verb;
use tandem::domain::command::{self, COMMANDS, Command};

use words::{counted, same_message};
use world::{Answer, Both, Form};

/// Who asks: a CSM, an AM, both in one, a lead, an admin, a viewer.
const ROLES: [&str; 6] = ["dana", "kim", "cora", "lea", "ada", "vic"];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_the_same_to_every_role() {
    let both = Both::monday().await;
    for who in ROLES {
        for usage in COMMANDS {
            for more in ["", " acme", " acm", " nobody of this name"] {
                let typed = format!("{}{more}", usage.word);
                match command::parse("", &typed) {
                    Command::Settings => both.settings_are_the_same(who, &typed).await,
                    Command::Home => both.homes_begin_the_same(who, &typed).await,
                    _ => both.ask(who, &typed).await,
                }
            }
        }
        for typed in ["riks", "hello", "kpi 2026-Q3", "kpi someday", "help raise", "raise", "what is this"] {
            both.ask(who, typed).await;
        }
    }
    both.same_effect("after the commands").await;
    both.bot.set_aside().await;
}

/// Whose press it is, of what, on which account, and what is filled in; `@` names an option by its words.
struct Step {
    verb: Verb,
    who: &'static str,
    about: About,
    answers: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy)]
enum About {
    Account(&'static str),
    Risk(&'static str),
    /// The newest of this matter.
    Handoff(&'static str, &'static str),
    Renewal(&'static str),
    /// A group on the presser's own morning.
    OnCard,
    Own(&'static str),
}

const fn step(verb: Verb, who: &'static str, about: About, answers: &'static [(&'static str, &'static str)]) -> Step {
    Step { verb, who, about, answers }
}

const WINDOW: &str = "window";
const QUALIFIED: &[(&str, &str)] =
    &[("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Before Christmas"), ("amount", "12000")];
const WHY: &[(&str, &str)] = &[("reason", "No budget this year")];

/// Each of these is possible when its turn comes, and changes something or opens something.
const STEPS: &[Step] = &[
    step(Verb::Acknowledge, "dana", About::Risk("acme"), &[]),
    step(Verb::SetNextStep, "dana", About::Risk("acme"), &[("step", "Call Eva"), ("due", "2026-11-27")]),
    step(Verb::Snooze, "dana", About::Risk("g1"), &[("until", "2026-11-30")]),
    step(Verb::Resolve, "dana", About::Risk("g2"), &[("how", "fixed"), ("note", "They paid")]),
    step(Verb::Reopen, "dana", About::Risk("g2"), &[]),
    step(Verb::NotUseful, "dana", About::Risk("g2"), &[]),
    step(Verb::HandToAccountManager, "dana", About::Risk("g2"), &[("note", "The price")]),
    step(Verb::Claim, "kim", About::Handoff("risk_to_weigh", "g2"), &[]),
    step(Verb::HandBack, "kim", About::Handoff("risk_to_weigh", "g2"), &[("note", "No leverage")]),
    step(Verb::Qualify, "dana", About::Handoff(WINDOW, "bolt"), QUALIFIED),
    step(Verb::Decline, "kim", About::Handoff(WINDOW, "bolt"), WHY),
    step(Verb::Offer, "dana", About::Handoff(WINDOW, "bolt"), &[]),
    step(Verb::Claim, "kim", About::Handoff(WINDOW, "bolt"), &[]),
    step(Verb::Won, "kim", About::Handoff(WINDOW, "bolt"), &[("amount", "13000")]),
    step(Verb::Qualify, "dana", About::Handoff(WINDOW, "h1"), QUALIFIED),
    step(Verb::Claim, "kim", About::Handoff(WINDOW, "h1"), &[]),
    step(Verb::Lost, "kim", About::Handoff(WINDOW, "h1"), WHY),
    step(Verb::Pass, "dana", About::Handoff(WINDOW, "h2"), WHY),
    step(Verb::Qualify, "dana", About::Handoff(WINDOW, "dock"), QUALIFIED),
    step(Verb::Withdraw, "dana", About::Handoff(WINDOW, "dock"), &[]),
    step(Verb::Nudge, "lea", About::Handoff(WINDOW, "h3"), &[]),
    step(Verb::Reassign, "lea", About::Handoff(WINDOW, "h3"), &[("person", "@Cora Both")]),
    step(Verb::Override, "kim", About::Handoff(WINDOW, "eden"), WHY),
    step(Verb::Prepare, "kim", About::Renewal("acme"), &[]),
    step(
        Verb::Brief,
        "dana",
        About::Renewal("acme"),
        &[("goals", "Half the tickets"), ("usage", "60 of 100"), ("issues", "The notice")],
    ),
    step(Verb::Negotiate, "kim", About::Renewal("acme"), &[]),
    step(Verb::Contracted, "kim", About::Renewal("acme"), &[("amount", "80000")]),
    step(Verb::Renewed, "kim", About::Renewal("i1"), &[("amount", "21000")]),
    step(Verb::RenewalLost, "kim", About::Renewal("i2"), WHY),
    step(Verb::Note, "dana", About::Account("acme"), &[("text", "They like the new report")]),
    step(Verb::Raise, "dana", About::Account("calm"), &[("what", "raise_pulse")]),
    step(
        Verb::RaiseOpportunity,
        "dana",
        About::Account("calm"),
        &[("what", "A second team"), ("amount", "9000"), ("timing", "In spring")],
    ),
    step(Verb::RaiseRisk, "kim", About::Account("calm"), &[("what", "Budget cut")]),
    step(Verb::RaisePulse, "dana", About::Account("calm"), &[("pulse", "amber"), ("reason", "Short answers")]),
    step(Verb::RaiseFeedback, "dana", About::Account("calm"), &[("text", "The export is slow")]),
    step(Verb::RaiseChampion, "dana", About::Account("calm"), &[("name", "Ines Vidal"), ("email", "ines@calm.eu")]),
    step(Verb::ShowMore, "dana", About::Account("acme"), &[]),
    step(Verb::AcknowledgeGroup, "dana", About::OnCard, &[]),
    step(Verb::SnoozeGroup, "dana", About::OnCard, &[("until", "2026-11-30")]),
    step(
        Verb::Settings,
        "dana",
        About::Own("home:1"),
        &[
            ("digest_time", "10:15"),
            ("workdays", "mon;tue;wed;thu"),
            ("budget", "3"),
            ("empty_mornings", "silent"),
            ("delegate", "@Cora Both"),
        ],
    ),
    step(Verb::PutOnTrial, "ada", About::Own("rule:nps_low"), &[]),
    step(Verb::BringBack, "ada", About::Own("rule:nps_low"), &[]),
];

/// Tried by tests of their own below, since they need more than a person and an account.
const APART: [Verb; 5] =
    [Verb::Share, Verb::TurnPage, Verb::Introduce, Verb::ConfirmIntroduction, Verb::RefuseIntroduction];

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_does_and_says_the_same() {
    let both = Both::monday().await;
    both.same_standing("the morning").await;
    for one in STEPS {
        let what = format!("{:?} by {}", one.verb, one.who);
        let actions = both.actions(one).await;
        // Whoever may not is refused in the same words, and nothing changes.
        let before = both.same_effect(&what).await;
        both.press("vic", one.verb, &actions).await;
        assert_eq!(both.same_effect(&what).await, before, "{what}: a viewer changed something");
        match both.press(one.who, one.verb, &actions).await {
            Answer::Dialog(forms) => {
                both.left_empty(one.who, &forms, &what).await;
                assert_eq!(both.same_effect(&what).await, before, "{what}: an empty dialog changed something");
                both.fill(one.who, &forms, one.answers, &what).await;
            }
            Answer::Said => {}
        }
        both.bot.deliver().await;
        both.bot.clock.advance(chrono::TimeDelta::minutes(1));
        let after = both.same_effect(&what).await;
        if !matches!(one.verb, Verb::ShowMore | Verb::Raise) {
            assert_ne!(after, before, "{what} changed nothing");
        }
        both.same_standing(&what).await;
        // Pressed again it is a stale button: the present state, in the same words.
        both.press(one.who, one.verb, &actions).await;
        both.bot.deliver().await;
    }
    let tried: Vec<Verb> = STEPS.iter().map(|step| step.verb).chain(APART).collect();
    for verb in Verb::ALL {
        assert!(tried.contains(&verb), "{verb:?} is not tried in both chats");
    }
    both.bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_shown_the_same_and_the_home_turns_its_pages() {
    let both = Both::monday().await;
    let bot = &both.bot;
    // *Share here*, from an answer that was asked for in a channel.
    bot.slack.channel("C1", json!({"members": ["Udana", "Ukim"]}));
    let place = json!({"id": "19:team@thread.tacv2;messageid=1", "tenantId": crate::support::teams::TENANT,
                       "conversationType": "channel", "isGroup": true});
    let asked = bot.activity("dana", "message", json!({"text": "<at>Tandem</at> account acme", "conversation": place}));
    assert_eq!(bot.teams_sends(&asked).await.0, 200);
    bot.hears("19:team@thread.tacv2;messageid=1").await;
    let answer = bot.hears("dana").await;
    let told = bot.executes_and_delivers("dana", &answer, "Share here", "Acme").await;
    let said = both.slack_presses("dana", "C1", "share|account:acme").await;
    assert_eq!(counted(&[told["value"].as_str().unwrap().to_owned()]), counted(&[said]));
    bot.deliver().await;
    let (one, other) = (bot.next_post("C1"), bot.hears("19:team@thread.tacv2").await);
    same_message("the shared account", &one, &other);
    // All pages of the home together, since each chat fits another number of lines on a page.
    for who in ROLES {
        both.homes_are_the_same(who).await;
    }
    both.bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_unknown_introduces_themselves_the_same_way() {
    for verdict in [Verb::ConfirmIntroduction, Verb::RefuseIntroduction] {
        let both = Both::monday().await;
        let bot = &both.bot;
        bot.slack.user("Uzed", json!({"real_name": "Zed", "profile": {"email": "zed@old.eu"}}));
        let zed = json!({"id": "29:zed", "name": "Zed", "email": "zed@old.eu", "userRole": "user"});
        bot.teams.members("a:zed", vec![zed]);
        // The answer offers *Introduce yourself*; the dialog takes an address, and the lead is asked.
        both.asked_by_unknown("zed", "account acme").await;
        let introduce = both.carried(Verb::Introduce, "zed");
        let Answer::Dialog(forms) = both.press("zed", Verb::Introduce, &introduce).await else {
            panic!("no dialog");
        };
        both.fill("zed", &forms, &[("email", "nobody@x.eu")], "an address of nobody's").await;
        both.fill("zed", &forms, &[("email", "rio@x.eu")], "one's own address").await;
        bot.deliver().await;
        both.same_standing("asked whether it is them").await;
        let decide = both.carried(verdict, "lea");
        both.press("dana", verdict, &decide).await;
        both.press("lea", verdict, &decide).await;
        bot.deliver().await;
        both.same_standing("decided").await;
        let events = both.same_effect("decided").await;
        let linked = events.iter().any(|event| event.contains("person.linked"));
        assert_eq!(linked, verdict == Verb::ConfirmIntroduction, "{events:?}");
        both.bot.set_aside().await;
    }
}

impl Both {
    /// What both buttons carry: the ids differ from organisation to organisation.
    async fn actions(&self, step: &Step) -> (String, String) {
        let verb = step.verb.as_str();
        let sql = match step.about {
            About::Own(subject) => return (format!("{verb}|{subject}"), format!("{verb}|{subject}")),
            About::Account(id) => return (format!("{verb}|account:{id}"), format!("{verb}|account:{id}")),
            About::OnCard => return self.carried(step.verb, step.who),
            About::Risk(id) => format!("SELECT 'risk:' || risk_id FROM tandem.risk WHERE account_id = '{id}'"),
            About::Renewal(id) => {
                format!("SELECT 'renewal:' || renewal_id FROM tandem.renewal WHERE account_id = '{id}'")
            }
            About::Handoff(matter, id) => format!(
                "SELECT 'handoff:' || handoff_id FROM tandem.handoff WHERE account_id = '{id}' AND matter = '{matter}' \
                 ORDER BY since DESC LIMIT 1"
            ),
        };
        let (one, other) = (self.bot.text(&self.bot.org, &sql).await, self.bot.text(&self.bot.other, &sql).await);
        (format!("{verb}|{one}"), format!("{verb}|{other}"))
    }

    /// Submits a dialog with every field cleared: the same fields are asked for.
    async fn left_empty(&self, who: &str, forms: &Form, what: &str) {
        let required = forms.fields.iter().any(|field| field.required);
        if required {
            self.fill(who, forms, &[], &format!("{what}, left empty")).await;
        }
    }
}
