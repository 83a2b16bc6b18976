//! A whole organisation is erased: nothing of it is left, everything of the other is, and the service goes on.

use std::time::Duration;

use tandem::app::{erase, organisation};
use tandem::store::audit::Look;
use tandem::store::erase::organisation as stored;

use super::rows;
use crate::rls::{TENANT_TABLES, texts};
use crate::secrets::{installed, keys, tokens};
use crate::support::bot::{BESIDE, TEAM, TestBot};
use crate::support::cluster::database;
use crate::support::program::Program;
use tandem::vault::Key;

#[tokio::test]
async fn every_table_is_erased() {
    let db = database().await;
    let mut erased = stored::tables();
    erased.sort_unstable();
    assert_eq!(erased, texts(&db.pool, TENANT_TABLES).await, "a table of organisations' rows that no erasure knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_organisation_is_left_and_everything_of_the_other_is() {
    let bot = TestBot::with_everything().await;
    let pool = bot.pool().clone();
    assert!(rows(&pool, bot.org.id).await.values().all(|count| *count > 0));
    let before = rows(&pool, bot.other.id).await;
    let card = bot.next_post("dana");
    let program = Program::bare(&std::env::temp_dir()).with("DATABASE_URL", bot.url());

    // Killed after its first steps: the same again goes on from there.
    stored::cut_off(&bot.app.store, bot.org.id).await.unwrap();
    assert!(program.run(&["org", "list"]).await.well().contains("north"));
    let said = program.run(&["erase", "--org", "north"]).await;
    let lines: Vec<String> = said.well().lines().map(str::to_owned).collect();
    assert!(
        lines[0].starts_with("Erased north: 2 accounts, ") && lines[0].ends_with("its keys, links and audit trail.")
    );
    assert_eq!(lines[1], "What was posted to Slack and Teams stays there; remove the app there too.");
    assert!(rows(&pool, bot.org.id).await.values().all(|count| *count == 0), "{:?}", rows(&pool, bot.org.id).await);
    assert_eq!(rows(&pool, bot.other.id).await, before);
    let again = program.run(&["erase", "--org", "north"]).await.failure();
    assert_eq!(again, "there is no organisation \"north\"; there are: south");

    // The service has it in memory still: who writes or presses gets an answer, and nothing comes back.
    bot.tick().await;
    assert!(!bot.slash("dana", "/account acme").await.contains("Acme"));
    let value = card.value("Acknowledge", "Acme");
    let (status, _) = bot.interact(&bot.press(TEAM, "dana", &card, &value)).await;
    assert!(status < 500 || status == 503, "{status}");
    organisation::seal(&bot.app.store, bot.org.id, Look::WHOLE).await.unwrap();
    assert!(rows(&pool, bot.org.id).await.values().all(|count| *count == 0), "{:?}", rows(&pool, bot.org.id).await);
    let mut tx = bot.app.store.tenant(bot.other.id).await.unwrap();
    assert_eq!(tandem::store::audit::verify(&mut tx).await.unwrap().broken, None);
    drop(tx);

    // Its short name and its workspace are free again.
    let create = ["org", "create", "north", "--name", "North", "--model", "pair", "--timezone", "UTC"];
    program.run(&create).await.well();
    program.run(&["link", "slack", TEAM, "--org", "north"]).await.well();
    bot.set_aside().await;
}

/// A workspace that was given to another organisation keeps its tokens, although they were encrypted for the erased one.
#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_went_to_another_organisation_keeps_its_tokens() {
    let bot = TestBot::new(tandem::domain::routing::Model::Pair, "2026-11-22T12:00:00Z").await;
    let (store, at) = (&bot.app.store, bot.app.now());
    let master = keys(&[&Key::random()]);
    let moved =
        tandem::store::directory::Workspace { platform: tandem::store::directory::Platform::Slack, id: "T7".into() };
    organisation::link(store, bot.org.id, &moved, at).await.unwrap();
    tandem::app::installation::add(store, &master, &installed("T7"), &tokens("xoxb-seven"), at).await.unwrap();
    assert!(organisation::unlink(store, &moved, at).await.unwrap());
    organisation::link(store, bot.other.id, &moved, at).await.unwrap();
    let done = erase::organisation(store, &bot.org, || Ok(master.clone()), &erase::Progress::default(), at).await;
    assert!(done.unwrap() > 0);
    let read = tandem::app::installation::read(store, &master, "T7", at).await.unwrap().expect("an installation");
    assert_eq!(secrecy::ExposeSecret::expose_secret(&read.tokens.access), "xoxb-seven");
    assert_eq!(rows(bot.pool(), bot.other.id).await["directory.chat_link"], 2, "{BESIDE} and T7");
    bot.set_aside().await;
}

/// Everything the service does for the organisation goes on while it is erased, and nothing is left afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_night_and_clicks_beside_an_erasure_leave_nothing() {
    let bot = std::sync::Arc::new(TestBot::with_everything().await);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let card = bot.next_post("dana");
    let value = card.value("Acknowledge", "Acme");
    let busy = tokio::spawn({
        let (bot, stop) = (bot.clone(), stop.clone());
        async move {
            let mut done = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                bot.interact(&bot.press(TEAM, "dana", &card, &value)).await;
                bot.slash("dana", "/account acme").await;
                let today = bot.app.now().date_naive();
                // Fails once it is gone, in one sentence.
                if let Err(error) =
                    tandem::app::night::diagnose(&bot.app, bot.org.id, today, tandem::app::night::Run::Live).await
                {
                    assert!(tandem::store::is_gone(&error), "{error:#}");
                }
                done += 1;
            }
            done
        }
    });
    let sealing = tokio::spawn({
        let (store, org, stop) = (bot.db().store().await, bot.org.id, stop.clone());
        async move {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                organisation::seal(&store, org, Look::WHOLE).await.unwrap();
            }
        }
    });
    // Enough of a trail for its sealing to take a moment.
    let many = format!(
        "INSERT INTO tandem.audit_event SELECT '{}', gen_random_uuid(), now(), 'system', 'digest.sent', 'x', '{{}}'
           FROM generate_series(1, 30000)",
        bot.org.id
    );
    let mut tx = bot.db().tenant(bot.org.id).await;
    sqlx::query(sqlx::AssertSqlSafe(many)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let nothing = || anyhow::bail!("no key is needed");
    erase::organisation(&bot.app.store, &bot.org, nothing, &erase::Progress::default(), bot.app.now()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(busy.await.unwrap() > 1);
    sealing.await.unwrap();
    let left = rows(bot.pool(), bot.org.id).await;
    assert!(left.values().all(|count| *count == 0), "{left:?}");
    let bot = std::sync::Arc::into_inner(bot).expect("nobody else has it");
    bot.set_aside().await;
}
