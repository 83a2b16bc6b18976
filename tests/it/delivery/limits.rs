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
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&scene.db.pool).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene.slack.once("chat.postMessage", Trouble::RateLimited(2));
    let beside = NewMessage { accounts: Vec::new(), ..new(&org, &channel("C2"), json!({"text": "beside"})) };
    scene.queue(&org, vec![beside]).await;
    let blocked = "SELECT count(*) FROM directory.lane WHERE blocked_until > clock_timestamp()";
    while sqlx::query_scalar::<_, i64>(blocked).fetch_one(&mut *scene.as_directory().await).await.unwrap() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    changing.commit().await.unwrap();
    draining.await.unwrap().unwrap();

    let limited = scene.slack.calls("chat.postMessage").into_iter().find(|call| call.troubled).unwrap();
    let update = &scene.slack.calls("chat.update")[0];
    assert!(update.at - limited.at >= Duration::from_secs(2), "{:?}", update.at - limited.at);
    assert!(scene.states(&org).await.iter().all(|state| state == "sent"));
}
