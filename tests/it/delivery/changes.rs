//! What changes after it was queued, or while it is drawn.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn many_changes_make_one_redraw_of_every_part() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    let long = new(&org, &dana, json!({"text": "long", "blocks": 120}));
    let id = long.id;
    scene.queue(&org, vec![long]).await;
    scene.redraw(&org).await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    let parts = scene.slack.standing();
    assert_eq!(parts.len(), 3);
    assert_eq!(scene.slack.calls("chat.update").len(), 0, "what is not sent yet needs no redraw");
    assert!(parts[1..].iter().all(|part| part.thread_ts.as_ref() == Some(&parts[0].ts)), "replies in the thread");

    for number in 0..5 {
        scene.change(&org, id, json!({"text": format!("state {number}")})).await;
        scene.redraw(&org).await;
    }
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    assert_eq!(scene.slack.calls("chat.update").len(), 3, "each part once");
    let surplus = "This part is no longer needed.";
    assert_eq!(scene.slack.texts(), ["state 4", surplus, surplus]);

    scene.change(&org, id, json!({"text": "longer", "blocks": 170})).await;
    scene.redraw(&org).await;
    scene.drain(&org, 0).await;
    assert_eq!(scene.slack.texts(), ["longer", "longer (2/4)", "longer (3/4)", "longer (4/4)"]);
    assert_eq!(scene.consequences(&org).await, (1, 0));

    // Deleted by hand: tried once, then let be.
    scene.slack.always("chat.update", Trouble::Refused("message_not_found"));
    scene.redraw(&org).await;
    scene.drain(&org, 0).await;
    assert!(scene.states(&org).await.iter().all(|state| state == "sent"));
}

/// Every message says how often anything was changed.
fn counting() -> Contents {
    Contents {
        render: |_, mut tx, asked| {
            let many = asked.len();
            async move {
                let events = audit::recent(&mut tx, 100).await?;
                let changes = events.iter().filter(|event| event.event == "test.changed").count();
                let summary = format!("{changes} changes");
                let message = Message { blocks: vec![Block::Text(Text::plain(summary.clone()))], summary };
                Ok(vec![Some(message); many])
            }
            .boxed()
        },
        ..contents()
    }
}

/// A change that finds a post or a redraw queued relies on it: so what is drawn has the change, however long its commit
/// takes, and meanwhile the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_drawn_has_the_changes_that_relied_on_it() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    scene.say(&org, &dana, "a post").await;
    for (round, expected) in ["1 changes", "2 changes"].into_iter().enumerate() {
        // First the post is still queued, then a redraw of it.
        scene.redraw(&org).await;
        let mut changing = scene.store.tenant(org.id).await.unwrap();
        let (now, acme) = (scene.clock.now(), AccountId("acme".into()));
        audit::record(&mut changing, Actor::System, now, &[Entry::new("test.changed", "acme", json!({}))])
            .await
            .unwrap();
        message::queue_redraws(&mut changing, &[acme], now).await.unwrap();
        let beside = NewMessage { accounts: Vec::new(), ..new(&org, &channel("C1"), json!({"text": "beside"})) };
        scene.queue(&org, vec![beside]).await;

        let replica = scene.replica_with(&org, Duration::from_secs(10), counting()).await;
        let draining = tokio::spawn(async move { replica.drain(Some(org.id), PATIENCE).await.unwrap() });
        let start = Instant::now();
        loop {
            let waits: bool = sqlx::query_scalar(
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .fetch_one(&scene.db.pool)
            .await
            .unwrap();
            let beside_stands = scene.slack.standing().iter().filter(|said| said.channel == "C1").count() > round;
            if (waits && beside_stands) || draining.is_finished() {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "delivery neither waits nor ends");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!draining.is_finished(), "it was sent although a change of it was under way");
        changing.commit().await.unwrap();
        draining.await.unwrap();
        let standing = scene.slack.standing();
        let said: Vec<&str> =
            standing.iter().filter(|said| said.channel != "C1").map(|said| said.text.as_str()).collect();
        assert_eq!(said, [expected]);
    }
    assert!(scene.states(&org).await.iter().all(|state| state == "sent"));
}
