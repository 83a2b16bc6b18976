//! Nothing is less in Teams than in Slack, and the two follow each other.

use std::collections::BTreeSet;

use serde_json::Value;
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::command::{self, COMMANDS, Command};
use tandem::domain::message::chart::{Bar, Chart};
use tandem::domain::message::{Block, Button, Buttons, Message};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::{Organisation, Platform};
use tandem::{slack, teams};
use uuid::Uuid;

use super::{ACCOUNTS, signals};
use crate::support::bot::{BESIDE, TestBot};
use crate::support::teams::TENANT;

/// Every kind of block, with every verb on a button.
fn everything() -> Message {
    let press = |verb| Button::new(Action::new(verb, Subject::Risk(Uuid::nil())), "Acme");
    let chart = Chart::bars("Figures".into(), vec![Bar { label: "NPS".into(), value: 41.0, said: "41".into() }]);
    let mut blocks = vec![
        Block::Heading("A heading".into()),
        Block::Text("A text".into()),
        Block::Bullets(vec!["A bullet".into()]),
        Block::Facts(vec![("A label".into(), "A value".into())]),
        Block::Context("A context".into()),
        Block::Chart(chart.expect("a chart")),
        Block::Divider,
    ];
    blocks.extend(Verb::ALL.iter().map(|verb| Block::Buttons(Buttons { shown: vec![press(*verb)], more: Vec::new() })));
    // Adding a kind of block fails here until it is in the list above.
    for block in &blocks {
        match block {
            Block::Heading(_) | Block::Text(_) | Block::Bullets(_) | Block::Facts(_) | Block::Context(_) => {}
            Block::Chart(_) | Block::Divider | Block::Buttons(_) => {}
        }
    }
    Message { summary: "A summary".into(), blocks }
}

#[test]
fn every_action_block_and_command_is_there_on_both() {
    let slack: String =
        slack::render::message(&everything()).iter().map(|part| serde_json::json!(part.blocks).to_string()).collect();
    let teams: String =
        teams::render::message(&everything(), |_| None).iter().map(|part| part.card.to_string()).collect();
    for words in ["A heading", "A text", "A bullet", "A label", "A value", "A context", "NPS"] {
        assert!(slack.contains(words) && teams.contains(words), "{words}");
    }
    for verb in Verb::ALL {
        let sent = format!("{}|risk:", verb.as_str());
        assert!(slack.contains(&sent) && teams.contains(&sent), "{verb:?}");
        assert!(slack.contains(verb.label()) && teams.contains(verb.label()), "{verb:?}");
    }
    // One table of commands: typed after a slash in Slack, bare in Teams, they mean the same.
    for usage in COMMANDS {
        for name in ["", " acme"] {
            let typed = format!("{}{name}", usage.word);
            assert_eq!(command::parse("/tandem", &typed), command::parse("", &typed), "{typed}");
            assert!(!matches!(command::parse("", &typed), Command::Unknown { .. }), "{typed}");
        }
    }
    for listed in teams::manifest::LISTED {
        assert!(COMMANDS.iter().any(|usage| usage.word == listed), "{listed}");
    }
}

/// Dana's chat is Slack, Kim's is Teams; the organisation has both.
const MIXED: &str = "email,name,roles,timezone,digest_time,manager_email,slack_user_id,teams_user_id\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,,Udana,\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,,,aad-kim\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_one_chat_is_redrawn_in_the_other() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, MIXED).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &signals()).await;
    bot.link_tenant(&bot.org, TENANT).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let (danas, kims) = (bot.next_post("dana"), bot.hears("kim").await);
    bot.clock.advance(chrono::TimeDelta::minutes(10));

    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    assert!(bot.teams_now(&kims).text().contains("cknowledged by Dana"), "{}", bot.teams_now(&kims).text());
    // The window of Bolt: Dana qualifies it in Slack, Kim claims it in Teams.
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &[("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Before Christmas")]).await;
    let offered = bot.hears("kim").await;
    bot.executes_and_delivers("kim", &offered, "Claim", "Bolt").await;
    assert!(bot.now(&danas).text().contains("Claimed by Kim"), "{}", bot.now(&danas).text());
    bot.skip();
    assert_eq!(bot.done().await, ["risk.acknowledged", "handoff.qualified", "handoff.offered", "handoff.accepted"]);
    bot.read_privates().await;
    bot.finish().await;
}

/// What the database says of everything that people did, without what differs from run to run.
async fn state(bot: &TestBot, org: &Organisation) -> Vec<String> {
    let mut all = Vec::new();
    for event in bot.events_of(org).await {
        let actor = if event.actor.starts_with("person:") { "person" } else { "system" };
        if event.event.starts_with("installation.") || event.event.starts_with("digest.") {
            continue;
        }
        all.push(format!("{actor} {}", event.event));
    }
    let sql = [
        "SELECT string_agg(state || ' ' || account_id, ',' ORDER BY account_id) FROM tandem.risk",
        "SELECT string_agg(state || ' ' || account_id, ',' ORDER BY account_id, state) FROM tandem.handoff",
        "SELECT string_agg(kind || ' ' || body, ',' ORDER BY body) FROM tandem.note",
        "SELECT string_agg(DISTINCT kind || ' ' || state, ',') FROM tandem.outbox",
        "SELECT count(*)::text FROM tandem.message",
        "SELECT count(*)::text FROM tandem.message_copy",
    ];
    all.sort();
    for sql in sql {
        all.push(bot.text(org, sql).await);
    }
    all
}

/// The same morning, pressed by the same people in the same order, on both platforms at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_morning_on_both_platforms_leaves_the_same_database() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    let people = |chat: &str, dana: &str, kim: &str| {
        format!(
            "email,name,roles,timezone,digest_time,manager_email,{chat}\n\
            dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,,{dana}\n\
            kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,,{kim}\n"
        )
    };
    // The organisation has Slack; the one beside has Teams here, and nothing else.
    bot.import_to(&bot.org, RowKind::People, &people("slack_user_id", "Udana", "Ukim")).await;
    bot.import_to(&bot.other, RowKind::People, &people("teams_user_id", "aad-dana", "aad-kim")).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &signals()).await;
    bot.unlink(Platform::Slack, BESIDE).await;
    bot.link_tenant(&bot.other, TENANT).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let slack = (bot.next_post("dana"), bot.next_post("kim"));
    let teams = (bot.hears("dana").await, bot.hears("kim").await);
    assert_eq!(slack.0.summary, teams.0.summary);
    assert_eq!(
        slack.0.labels().into_iter().collect::<BTreeSet<_>>(),
        teams.0.labels().into_iter().collect::<BTreeSet<_>>(),
        "the same can be pressed"
    );
    bot.clock.advance(chrono::TimeDelta::minutes(10));

    bot.click("dana", &slack.0, "Acknowledge", "Acme").await;
    bot.executes_and_delivers("dana", &teams.0, "Acknowledge", "Acme").await;
    bot.clock.advance(chrono::TimeDelta::minutes(1));
    let step: [(&str, &str); 2] = [("step", "Call Eva"), ("due", "2026-11-27")];
    bot.click("dana", &slack.0, "Set next step", "Acme").await;
    assert_eq!(bot.submit("dana", &step).await, Value::Null);
    let task = bot.fetches("dana", &teams.0, "Set next step", "Acme").await;
    assert_eq!(bot.submits("dana", &task, &step).await, serde_json::json!({}));
    bot.clock.advance(chrono::TimeDelta::minutes(1));
    let qualified: [(&str, &str); 3] = [("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Before Christmas")];
    bot.click("dana", &slack.0, "Qualify", "Bolt").await;
    bot.submit("dana", &qualified).await;
    let task = bot.fetches("dana", &teams.0, "Qualify", "Bolt").await;
    bot.submits("dana", &task, &qualified).await;
    let offered = (bot.next_post("kim"), bot.hears("kim").await);
    bot.clock.advance(chrono::TimeDelta::minutes(1));
    bot.click("kim", &offered.0, "Claim", "Bolt").await;
    bot.executes_and_delivers("kim", &offered.1, "Claim", "Bolt").await;
    bot.clock.advance(chrono::TimeDelta::minutes(1));
    bot.click("kim", &offered.0, "Note", "Bolt").await;
    bot.submit("kim", &[("text", "They like it")]).await;
    let task = bot.fetches("kim", &offered.1, "Note", "Bolt").await;
    bot.submits("kim", &task, &[("text", "They like it")]).await;

    let (one, other) = (state(&bot, &bot.org).await, state(&bot, &bot.other).await);
    assert_eq!(one, other);
    assert!(
        one.iter().any(|line| line == "person handoff.accepted")
            && one.iter().any(|line| line.contains("They like it")),
        "{one:#?}"
    );
    bot.set_aside().await;
}
