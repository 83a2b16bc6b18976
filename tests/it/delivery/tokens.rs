//! A configured token that is taken for the linked workspace's before Slack was asked.

use super::*;
use crate::support::service::tls;

/// Slack says T1 of every token.
async fn assuming(scene: &Scene, org: &Org) -> Delivery {
    tls();
    let api = ApiUrl::parse(scene.slack.url()).unwrap();
    let client = Client::new(Settings { api, ..Settings::default() }).unwrap();
    let bot = Bot { token: "xoxb-test".into(), team: org.workspace.id.clone() };
    let slack = SlackSender { tokens: Tokens::assumed(client.clone(), bot), client };
    let app = App::new(scene.db.store().await, scene.clock.clone());
    Delivery::with_contents(app, Senders { slack: Some(slack), ..Senders::default() }, contents())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_never_used_for_another_workspace_than_its_own() {
    let scene = Scene::new(noon()).await;
    let (own, other) = (scene.organisation("T1").await, scene.organisation("T2").await);
    for text in ["one", "two"] {
        scene.say(&other, &scene.person(&other, text).await, text).await;
    }
    assert_eq!(assuming(&scene, &other).await.drain(None, Duration::ZERO).await.unwrap(), Drained::default());
    assert_eq!((scene.slack.texts(), scene.slack.calls("auth.test").len()), (vec![], 1));
    let rows = scene.rows(&other).await;
    assert!(rows.iter().all(|(state, _)| state == "queued"), "they wait: {rows:?}");
    assert!(rows.contains(&("queued".to_owned(), Some("token_of_another_workspace".to_owned()))), "{rows:?}");

    let dana = scene.person(&own, "dana").await;
    scene.say(&own, &dana, "ours").await;
    assert_eq!(assuming(&scene, &own).await.drain(None, Duration::ZERO).await.unwrap().sent, 1);
    assert_eq!((scene.slack.texts(), scene.slack.calls("auth.test").len()), (vec!["ours".to_owned()], 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_slack_cannot_say_whose_a_token_is_messages_go_all_the_same() {
    let scene = Scene::new(noon()).await;
    let (org, beside) = (scene.organisation("T1").await, scene.organisation("T2").await);
    for org in [&org, &beside] {
        let dana = scene.person(org, "dana").await;
        scene.say(org, &dana, "Acme may leave").await;
    }
    scene.slack.once("auth.test", Trouble::Status(503));
    let delivery = assuming(&scene, &org).await;
    assert_eq!(delivery.drain(None, Duration::ZERO).await.unwrap(), Drained { sent: 1, given_up: 0 });
    assert_eq!((scene.slack.texts().len(), scene.slack.calls("auth.test").len()), (1, 1));
    assert_eq!(scene.states(&beside).await, ["queued"]);
}
