//! Many who press or ask at once are served together, each as if alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tandem::app::{act, query};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::command::Command;
use tandem::domain::message::Reply;
use uuid::Uuid;

use super::private;
use super::world::World;
use crate::support::until;

fn acknowledge(risk: Uuid) -> Action {
    Action::new(Verb::Acknowledge, Subject::Risk(risk))
}

/// Each by whom, of which risk, under which receipt, all at once. Somebody who presses what is not there comes first:
/// it has the only connection, so the rest waits, however fast Postgres is, and is carried out together.
async fn pressed(world: &World, presses: &[(&str, Uuid, &str)]) -> Vec<anyhow::Result<Reply>> {
    let app = &world.replica_with(1);
    // Who presses is known from memory.
    act::press(app, &world.asker("dana"), &acknowledge(Uuid::nil()), None).await.unwrap();
    let first = [("dana", Uuid::nil(), "none")];
    let all = first.iter().chain(presses).map(|(who, risk, receipt)| async move {
        act::press(app, &world.asker(who), &acknowledge(*risk), Some(receipt)).await
    });
    join_all(all).await.split_off(first.len())
}

#[tokio::test]
async fn each_of_many_presses_has_its_own_outcome() {
    let world = World::new().await;
    let there = world.beside().await;
    let foreign = there.risk("acme").await.id;
    let (acme, bolt, zenith) =
        (world.risk("acme").await.id, world.risk("bolt").await.id, world.risk("zenith").await.id);
    for account in ["acme", "bolt", "zenith"] {
        world.shown("dana", account).await;
    }
    let replies = pressed(
        &world,
        &[
            ("dana", acme, "a1"),
            ("dana", acme, "a1"),
            ("lee", acme, "a2"),
            ("vic", bolt, "b0"),
            ("dana", bolt, "b1"),
            ("zoe", zenith, "z1"),
            ("dana", foreign, "f1"),
        ],
    )
    .await;
    let said: Vec<String> = replies
        .into_iter()
        .map(|reply| match reply.unwrap() {
            Reply::Silent => "done".to_owned(),
            reply => private(reply),
        })
        .collect();
    let due = "on Tue 3 Nov; next step due Tue 10 Nov.";
    assert_eq!(said[0], "done");
    assert_eq!(said[1], format!("Acme: already acknowledged by you {due}"), "the same press again");
    assert_eq!(said[2], format!("Acme: already acknowledged by Dana {due}"), "who was a moment later");
    assert!(said[3].contains("Dana"), "who may only look is told whose it is: {}", said[3]);
    assert_eq!(said[4..6], ["done", "done"]);
    let absent = act::press(&world.app, &world.asker("dana"), &acknowledge(Uuid::nil()), None).await.unwrap();
    assert_eq!(said[6], private(absent), "another organisation's is not there");

    let events = world.events().await;
    let by = |event: &tandem::store::audit::Event| (event.subject.clone(), event.actor.clone());
    let mut found: Vec<_> = events.iter().map(by).collect();
    found.sort();
    let mut expected = [(acme, "dana"), (bolt, "dana"), (zenith, "zoe")]
        .map(|(risk, who)| (format!("risk:{risk}"), format!("person:{}", world.id(who))));
    expected.sort();
    assert_eq!(found, expected);
    assert!(events.iter().all(|event| event.event == "risk.acknowledged"));
    assert_eq!(world.queued_redraws().await, 3);
    assert_eq!(
        world.count("SELECT count(DISTINCT xmin::text) FROM tandem.audit_event WHERE event LIKE 'risk.%'").await,
        1
    );
    for risk in [acme, bolt, zenith] {
        assert_eq!(world.read_risk(risk).await.version(), 2);
    }
    assert_eq!(there.read_risk(foreign).await.state_name(), "open");
    assert!(there.events().await.is_empty());
}

#[tokio::test]
async fn a_risk_that_somebody_else_holds_holds_up_nobody() {
    let world = World::new().await;
    let (acme, bolt) = (world.risk("acme").await.id, world.risk("bolt").await.id);
    let mut tx = world.app.store.tenant(world.organisation.id).await.unwrap();
    tandem::store::risk::lock(&mut tx, acme).await.unwrap().unwrap();
    let both = [("dana", acme, "a1"), ("dana", bolt, "b1")];
    let pressing = pressed(&world, &both);
    let meanwhile = async {
        while world.read_risk(bolt).await.state_name() == "open" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(world.read_risk(acme).await.state_name(), "open");
        drop(tx);
    };
    let (replies, ()) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(pressing, meanwhile) }).await.unwrap();
    assert!(replies.iter().all(|reply| matches!(reply, Ok(Reply::Silent))), "{replies:?}");
    assert_eq!(world.read_risk(acme).await.state_name(), "acknowledged");
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn what_fails_for_one_is_done_for_the_others() {
    let world = World::new().await;
    let (acme, bolt, zenith) =
        (world.risk("acme").await.id, world.risk("bolt").await.id, world.risk("zenith").await.id);
    // A row that no code of ours writes.
    world.sql("UPDATE tandem.risk SET latest = '{}' WHERE account_id = 'bolt'").await;
    let replies = pressed(&world, &[("dana", acme, "a1"), ("dana", bolt, "b1"), ("zoe", zenith, "z1")]).await;
    assert!(matches!(replies[..], [Ok(Reply::Silent), Err(_), Ok(Reply::Silent)]), "{replies:?}");
    assert_eq!(world.event_names().await, ["risk.acknowledged"; 2]);
}

async fn asked(app: &tandem::app::App, world: &World, name: &str) -> String {
    let command = Command::Account { name: name.to_owned() };
    let Reply::Private(said) = query::command(app, &world.asker("dana"), &command).await.unwrap() else {
        panic!("{name}: not answered privately")
    };
    format!("{said:?}")
}

#[tokio::test]
async fn a_change_by_one_process_is_in_the_very_next_answer_of_another() {
    let world = World::new().await;
    world.beside().await;
    world.diagnosed("acme", 34, "sev1_open").await;
    // Whatever is usual on the server: what stands by sees what was committed meanwhile.
    world.usual("default_transaction_isolation", "serializable").await;
    let other = world.replica().await;
    let risk = world.risk("acme").await;
    // Both have the organisation and its names in memory by then.
    for app in [&world.app, &other] {
        world.has_names(app).await;
        assert!(asked(app, &world, "acme").await.contains("verb: Acknowledge"));
    }
    act::press(&world.app, &world.asker("dana"), &acknowledge(risk.id), Some("one")).await.unwrap();
    assert!(!asked(&other, &world, "acme").await.contains("verb: Acknowledge"), "it is acknowledged");

    world.renamed("acme", "Umbrella").await;
    assert!(asked(&other, &world, "umbrella").await.contains("Umbrella"));
    assert!(asked(&other, &world, "acme").await.contains("Umbrella ·"), "its id is what it was");
}

/// Restarts of the server that come between two answers, and between two presses.
#[tokio::test]
async fn a_server_that_restarts_between_two_is_noticed_by_nobody() {
    let world = World::new().await;
    world.beside().await;
    world.diagnosed("acme", 34, "sev1_open").await;
    world.has_names(&world.app).await;
    for _ in 0..3 {
        until("it is lost what stands by", async || {
            assert!(asked(&world.app, &world, "acme").await.contains("Acme ·"));
            world.lose_what_stands_by().await
        })
        .await;
    }
    assert!(asked(&world.app, &world, "acme").await.contains("Acme ·"));

    let pressed = AtomicUsize::new(0);
    let press = async || {
        let risk = world.risk("acme").await.id;
        let reply = act::press(&world.app, &world.asker("dana"), &acknowledge(risk), Some(&risk.to_string())).await;
        assert_eq!(reply.unwrap(), Reply::Silent);
        pressed.fetch_add(1, Ordering::Relaxed);
        // An account has one open risk.
        let end = "UPDATE tandem.risk SET state = 'ended', moved_by = NULL, next_step_due = NULL, clock_since = NULL,
                          remind_at = NULL, due_at = NULL";
        world.sql(end).await;
    };
    for _ in 0..3 {
        until("it is lost what stands by", async || {
            press().await;
            world.lose_what_stands_by().await
        })
        .await;
    }
    press().await;
    assert_eq!(world.event_names().await, vec!["risk.acknowledged"; pressed.into_inner()]);
}

#[tokio::test]
async fn each_of_many_who_ask_gets_their_own() {
    let world = World::new().await;
    let there = world.beside().await;
    world.diagnosed("acme", 34, "sev1_open").await;
    world.has_names(&world.app).await;
    let names = ["Acme", "Bolt", "Zenith", "Only There"];
    let many = names.iter().cycle().take(80);
    let said = join_all(many.clone().map(|name| asked(&world.app, &world, name))).await;
    for (name, said) in many.zip(said) {
        let expected = if *name == "Only There" { "No account \\\"Only There\\\"" } else { name };
        assert!(said.contains(expected), "{name}: {said}");
        for other in names.iter().filter(|other| *other != name) {
            assert!(!said.contains(&format!("{other} ·")), "{name}: {said}");
        }
    }
    assert!(asked(&there.app, &there, "Only There").await.contains("Only There ·"));
}
