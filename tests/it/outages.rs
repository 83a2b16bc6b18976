//! A database that goes away: restarted, gone without a goodbye, or held by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tandem::app::App;
use tandem::clock::SystemClock;
use tandem::delivery::{Delivery, Senders};
use tandem::domain::person::OrgId;
use tandem::store::standby::Standby;
use tandem::store::{Store, Tenant, migrate, settings};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::support::cluster::{TestDb, unmigrated};
use crate::support::{PATIENCE, two_organisations, until};

/// Opens all connections that the pool may have, and leaves them idle.
async fn fill(store: &Store, org: OrgId) {
    let all = join_all([(); 5].map(|()| store.tenant(org))).await;
    assert!(all.iter().all(Result::is_ok));
    drop(all);
    // They are given back in the background.
    let all = join_all([(); 5].map(|()| store.tenant(org))).await;
    join_all(all.into_iter().map(|tenant| tenant.unwrap().commit())).await;
    for _ in 0..10 {
        store.tenant(org).await.unwrap().commit().await.unwrap();
    }
}

/// Ends every connection but our own, as a restart does.
async fn restart(db: &TestDb) {
    let end = "SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query_scalar::<_, i64>(end).fetch_one(&db.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_database_no_request_fails() {
    let (db, store, [north, south]) = two_organisations().await;
    for _ in 0..2 {
        fill(&store, north).await;
        restart(&db).await;
        assert!(store.ready().await.is_ok());
        fill(&store, north).await;
        restart(&db).await;
        let begun = join_all([north, south, north, south].map(|org| store.tenant(org))).await;
        for tenant in begun {
            tenant.unwrap().commit().await.unwrap();
        }
        fill(&store, south).await;
        restart(&db).await;
        store.directory().await.unwrap().commit().await.unwrap();
    }
}

/// Stands between Tandem and the database, and can go silent without closing anything.
struct Between {
    port: u16,
    silent: Arc<AtomicBool>,
}

impl Between {
    async fn start(db: &TestDb) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, socket) = (Arc::new(AtomicBool::new(false)), db.socket());
        let between = Self { port, silent: silent.clone() };
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                let theirs = UnixStream::connect(&socket).await.unwrap();
                // Who comes after the silence is with the new server.
                let silent = if silent.load(Ordering::SeqCst) { Arc::default() } else { silent.clone() };
                tokio::spawn(carry(ours, theirs, silent));
            }
        });
        between
    }

    fn go_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }
}

/// Carries what both say, until nothing more is heard of the one side, for ever.
async fn carry(mut ours: TcpStream, mut theirs: UnixStream, silent: Arc<AtomicBool>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            Ok(length) = ours.read(&mut asked) => {
                if length == 0 {
                    return;
                }
                if !silent.load(Ordering::SeqCst) {
                    theirs.write_all(&asked[..length]).await.unwrap();
                }
            }
            Ok(length) = theirs.read(&mut answered) => {
                if length == 0 || ours.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_without_a_goodbye_is_given_up() {
    let (db, _, [north, south]) = two_organisations().await;
    let between = Between::start(&db).await;
    let store = db.store_by(between.port, Duration::from_secs(2)).await;
    fill(&store, north).await;
    between.go_silent();
    // Each connection that lies there would wait for an answer that never comes; what begins is begun anew.
    for org in [north, south, north, south, north] {
        store.tenant(org).await.unwrap().commit().await.unwrap();
    }
    assert!(store.ready().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_gives_its_connections_back() {
    let (db, _, [north, south]) = two_organisations().await;
    let between = Between::start(&db).await;
    let store = db.store_by(between.port, Duration::from_secs(2)).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(store.tenant(north).await.unwrap());
    }
    between.go_silent();
    let commits = async move {
        for tenant in held {
            tenant.commit().await?;
        }
        anyhow::Ok(())
    };
    let error = store.within(Duration::from_millis(500), commits).await.unwrap_err();
    assert_eq!(error.to_string(), "the database did not answer within 0.5 s");
    let begun = join_all([(); 5].map(|()| store.tenant(south))).await;
    assert!(begun.iter().all(Result::is_ok));
}

/// Whoever takes what stands by was not told at its beginning that the server is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_by_on_a_server_that_is_gone_is_asked_anew() {
    let (db, _, [north, south]) = two_organisations().await;
    let between = Between::start(&db).await;
    let store = db.store_by(between.port, Duration::from_secs(2)).await;
    // No connection is left for who asks anew but the one that is broken.
    let (reads, writes) = Standby::to_read_and_to_write(store.beside(2));
    let question = |mut tx: Tenant| async move { settings::stamp(&mut tx).await.map(|stamp| (tx, stamp)) };
    for with_a_goodbye in [true, false] {
        let mut both = Vec::new();
        until("both stood by", async || {
            both.clear();
            reads.keep(reads.tenant(north).await.unwrap());
            writes.keep(writes.tenant(south).await.unwrap());
            both = vec![reads.tenant(north).await.unwrap(), writes.tenant(south).await.unwrap()];
            both.iter().all(Tenant::stood_by)
        })
        .await;
        if with_a_goodbye {
            restart(&db).await
        } else {
            between.go_silent()
        }
        let (one, other) = (both.remove(0), both.remove(0));
        let (read, written) = tokio::join!(reads.ask(one, question), writes.ask(other, question));
        assert!(!read.unwrap().0.stood_by() && !written.unwrap().0.stood_by());
    }
}

/// What nobody asks for comes to rest, and its connection is free again whether the server says so or not.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_rest_on_a_server_that_is_gone_leaves_its_connection() {
    let (db, _, [north, south]) = two_organisations().await;
    let between = Between::start(&db).await;
    let store = db.store_by(between.port, Duration::from_secs(2)).await;
    let (reads, writes) = Standby::to_read_and_to_write(store.beside(2));
    let both = [reads.tenant(north).await.unwrap(), writes.tenant(south).await.unwrap()];
    between.go_silent();
    let [north_reads, south_writes] = both;
    reads.keep(north_reads);
    writes.keep(south_writes);
    // Longer than until both were looked for and had no answer.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..2 {
        let both = tokio::join!(reads.tenant(south), writes.tenant(north));
        assert!(both.0.is_ok() && both.1.is_ok());
    }
}

/// Delivery asks for lanes and the scheduler for what is owed: neither waits for ever, nor needs a restart.
#[tokio::test(flavor = "multi_thread")]
async fn delivery_goes_on_after_a_failover() {
    let (db, _, [north, _]) = two_organisations().await;
    let between = Between::start(&db).await;
    let store = db.store_by(between.port, Duration::from_secs(2)).await;
    fill(&store, north).await;
    let app = App::new(store, Arc::new(SystemClock));
    let delivery = Delivery::new(app.clone(), Senders { preview: true, ..Senders::default() });
    between.go_silent();
    let drained = tokio::time::timeout(PATIENCE, delivery.drain(None, Duration::ZERO)).await;
    assert!(drained.expect("it does not wait for ever").is_ok());
    tokio::time::timeout(PATIENCE, tandem::scheduler::tick(&app)).await.expect("nor does the scheduler").unwrap();
}

/// Whoever asks for what a migration waits for queues behind it: so it must not stand there.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_lets_go_of_what_others_use_and_comes_again() {
    let db = unmigrated().await;
    let mut user = db.pool.begin().await.unwrap();
    // The first migration makes it too, and waits to see whether this one stays.
    sqlx::query("CREATE SCHEMA directory").execute(&mut *user).await.unwrap();
    let store = db.store().await;
    let waits = async || {
        let waits = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&db.pool).await.unwrap() > 0
    };
    let using = async {
        for waiting in [true, false, true] {
            while waits().await != waiting {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        user.rollback().await.unwrap();
    };
    let (done, used) = tokio::join!(migrate::run(&store), tokio::time::timeout(PATIENCE, using));
    used.expect("it waited, let go and came again");
    assert!(done.unwrap() > 10);
}
