//! What may stand in chat although no answer came, and what changes meanwhile.

use super::*;
use crate::support::fake_teams::{self, FakeTeams};
use crate::support::teams::{TENANT, sides};

/// Sends until so many messages stand in Slack, and dies then: the last was accepted, and no answer came.
async fn dies_at(scene: &Scene, org: &Org, standing: usize) {
    let dying = scene.replica(org).await;
    let task = tokio::spawn(async move { dying.drain(None, Duration::ZERO).await });
    until("the last part was accepted", async || scene.slack.texts().len() == standing).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    scene.let_leases_run_out().await;
}

/// A change comes while the post is under way, and another while it waits to be looked up: it arrives once and says both.
#[tokio::test(flavor = "multi_thread")]
async fn a_redraw_does_not_overtake_a_post_that_is_in_doubt() {
    for (blocks, parts) in [(1, 1), (60, 2)] {
        let clock = noon();
        let scene = Scene::new(clock.clone()).await;
        let org = scene.organisation("T1").await;
        let post = new(&org, &channel("C1"), json!({"text": "first", "blocks": blocks}));
        let id = post.id;
        scene.queue(&org, vec![post]).await;
        for _ in 1..parts {
            scene.slack.once("chat.postMessage", Trouble::Slow(Duration::ZERO));
        }
        scene.slack.once("chat.postMessage", Trouble::Silent);
        dies_at(&scene, &org, parts).await;

        scene.change(&org, id, json!({"text": "second", "blocks": blocks})).await;
        scene.redraw(&org).await;
        for method in ["conversations.history", "conversations.replies"] {
            scene.slack.once(method, Trouble::Status(500));
        }
        assert_eq!(scene.drain(&org, 0).await.sent, 0, "it can't be looked up");
        let told = if parts == 1 { vec!["first"] } else { vec!["second", "first (2/2)"] };
        assert_eq!(scene.slack.texts(), told, "what surely stands is drawn at once");

        scene.change(&org, id, json!({"text": "third", "blocks": blocks})).await;
        scene.redraw(&org).await;
        scene.slack.forget_troubles();
        clock.advance(TimeDelta::minutes(6));
        assert_eq!(scene.drain(&org, 0).await.sent, 1);
        let told = if parts == 1 { vec!["third"] } else { vec!["third", "third (2/2)"] };
        assert_eq!(scene.slack.texts(), told);
        assert_eq!(scene.slack.calls("chat.postMessage").len(), parts, "each part once");
        assert!(scene.states(&org).await.iter().all(|state| state == "sent"));
    }
}

/// A redraw posts a further part, and no answer comes; the next one takes its place, minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_redraw_knows_what_the_last_one_may_have_posted() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    let id = scene.say(&org, &channel("C1"), "short").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    scene.change(&org, id, json!({"text": "long", "blocks": 60})).await;
    scene.redraw(&org).await;
    scene.slack.once("chat.postMessage", Trouble::Silent);
    dies_at(&scene, &org, 2).await;

    clock.advance(TimeDelta::minutes(10));
    scene.change(&org, id, json!({"text": "longer", "blocks": 60})).await;
    scene.redraw(&org).await;
    scene.slack.once("conversations.replies", Trouble::Status(500));
    scene.drain(&org, 0).await;
    assert_eq!(scene.slack.texts(), ["longer", "longer (2/2)"]);
    assert_eq!(scene.slack.calls("chat.postMessage").len(), 2, "each part once");
    assert_eq!(scene.states(&org).await, ["sent", "sent"]);
}

/// Slack lets some apps look up once a minute: who waits for that is the row alone, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_comes_too_often_holds_up_nobody_else() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "in doubt").await;
    scene.slack.once("chat.postMessage", Trouble::Silent);
    dies_at(&scene, &org, 1).await;

    scene.slack.always("conversations.history", Trouble::RateLimited(60));
    scene.say(&org, &channel("C2"), "beside").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    assert_eq!(scene.slack.texts(), ["in doubt", "beside"]);
    clock.advance(TimeDelta::seconds(50));
    scene.drain(&org, 0).await;
    assert_eq!(scene.slack.calls("conversations.history").len(), 1, "no sooner than Slack said");
    clock.advance(TimeDelta::seconds(600));
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 0, given_up: 1 });
    assert_eq!(scene.slack.calls("conversations.history").len(), 2);
    assert_eq!(scene.slack.texts(), ["in doubt", "beside"], "nothing is sent on suspicion");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_a_redraw_adds_stands_in_teams_twice_at_most() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation_on(Platform::Teams, TENANT).await;
    let teams = FakeTeams::start(scene.clock.clone()).await;
    let drain = async || {
        let app = App::new(scene.db.store().await, scene.clock.clone());
        let senders = Senders { teams: Some(sides(&teams).1), ..Senders::default() };
        Delivery::with_contents(app, senders, contents()).drain(Some(org.id), Duration::ZERO).await.unwrap()
    };
    let id = scene.say(&org, &Address::ChatUser("29:dana".to_owned()), "short").await;
    assert_eq!(drain().await.sent, 1);

    scene.change(&org, id, json!({"text": "long ".repeat(400), "blocks": 20})).await;
    scene.redraw(&org).await;
    teams.always("post", fake_teams::Trouble::DoneThen(504));
    for _ in 0..5 {
        drain().await;
        clock.advance(TimeDelta::hours(3));
    }
    assert_eq!(teams.calls("post").len(), 3, "the post, and the new part twice");
    assert_eq!(scene.rows(&org).await[1], ("given_up".to_owned(), Some("possibly_sent".to_owned())));
}
