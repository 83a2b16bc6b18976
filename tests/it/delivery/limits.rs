//! When calls may be made, and who comes first.

use super::*;

/// A redraw has its turn, and waits for a change that is under way; meanwhile Slack asks everybody to wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_taken_is_not_used_while_slack_asks_to_wait() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "stands").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    scene.redraw(&org).await;
    let mut changing = scene.store.tenant(org.id).await.unwrap();
    message::queue_redraws(&mut changing, &[AccountId("acme".into())], scene.clock.now()).await.unwrap();
    let (replica, id) = (scene.replica(&org).await, org.id);
    let draining = tokio::spawn(async move { replica.drain(Some(id), Duration::from_secs(60)).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the redraw waits for the change", async || {
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&scene.db.pool).await.unwrap() > 0
    })
    .await;
    scene.slack.once("chat.postMessage", Trouble::RateLimited(2));
    let beside = NewMessage { accounts: Vec::new(), ..new(&org, &channel("C2"), json!({"text": "beside"})) };
    scene.queue(&org, vec![beside]).await;
    let blocked = "SELECT count(*) FROM directory.lane WHERE blocked_until > clock_timestamp()";
    until("the workspace waits", async || scene.directory_count(blocked).await > 0).await;
    changing.commit().await.unwrap();
    draining.await.unwrap().unwrap();

    let limited = scene.slack.calls("chat.postMessage").into_iter().find(|call| call.troubled).unwrap();
    let update = &scene.slack.calls("chat.update")[0];
    assert!(update.at - limited.at >= Duration::from_secs(2), "{:?}", update.at - limited.at);
    assert!(scene.states(&org).await.iter().all(|state| state == "sent"));
}

/// Hundreds of digests wait for their turn, and somebody presses a button in one that has arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_redraw_does_not_wait_for_the_whole_morning() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C"), "has arrived").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    scene.pace(&org, 1.0, 600).await;
    let morning = (0..400).map(|number| {
        let digest = new(&org, &channel(&format!("C{number}")), json!({"text": "digest"}));
        NewMessage { accounts: Vec::new(), ..digest }
    });
    scene.queue(&org, morning.collect()).await;
    let (replica, id) = (scene.replica(&org).await, org.id);
    let draining = tokio::spawn(async move { replica.drain(Some(id), Duration::ZERO).await });
    until("the morning has begun", async || scene.slack.texts().len() > 15).await;
    scene.redraw(&org).await;
    until("it is redrawn", async || !scene.slack.calls("chat.update").is_empty()).await;
    let sent = scene.slack.texts().len();
    assert!(sent < 200, "after {sent} of 400");
    draining.abort();
}

/// More waits for one place than is read at once: what waits for others goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowded_place_holds_up_no_other() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    // A hundred seconds between two messages to the same channel.
    scene.pace(&org, 0.01, 60_000).await;
    let crowd = (0..1_200).map(|number| new(&org, &channel("C0"), json!({"text": format!("{number}")})));
    scene.queue(&org, crowd.collect()).await;
    for number in 1..=5 {
        scene.say(&org, &channel(&format!("C{number}")), "beside").await;
    }
    let (replica, id) = (scene.replica(&org).await, org.id);
    let draining = tokio::spawn(async move { replica.drain(Some(id), Duration::ZERO).await });
    until("the first of each stands", async || scene.slack.texts().len() == 6).await;
    draining.abort();
}
