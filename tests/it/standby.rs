//! Transactions that stand by: whose they are, how long they do, and in whose way they are not.

use std::time::Duration;

use tandem::store::settings;
use tandem::store::standby::Standby;
use tokio::time::timeout;

use crate::support::cluster::TestDb;
use crate::support::{two_organisations, until};

async fn standing_by(db: &TestDb) -> i64 {
    let standing = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND state = 'idle in transaction'";
    sqlx::query_scalar(standing).fetch_one(&db.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_by_is_for_its_own_organisation_and_use() {
    let (db, store, [north, south]) = two_organisations().await;
    let (reads, writes) = Standby::to_read_and_to_write(store);
    let mut again = 0;
    for _ in 0..20 {
        let mut read = reads.tenant(north).await.unwrap();
        again += i32::from(read.stood_by());
        settings::stamp(&mut read).await.unwrap();
        reads.keep(read);
        for (standby, org) in [(&reads, south), (&writes, north)] {
            let mut other = standby.tenant(org).await.unwrap();
            assert!(!other.stood_by() && other.org() == org);
            settings::stamp(&mut other).await.unwrap();
        }
    }
    assert!(again > 0, "nothing is used again");
    until("what stands by comes to rest", async || standing_by(&db).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_stays_and_the_next_stands_by() {
    let (_db, store, [north, south]) = two_organisations().await;
    let (_, writes) = Standby::to_read_and_to_write(store.clone());
    let souths = settings::stamp(&mut store.tenant(south).await.unwrap()).await.unwrap();
    let (mut stamps, mut committed, mut dropped) = (Vec::new(), 0, 0);
    for round in 0..30 {
        let mut tx = writes.tenant(north).await.unwrap();
        let stood_by = i32::from(tx.stood_by());
        settings::touch(&mut tx).await.unwrap();
        // What nobody commits was never there.
        if round % 3 == 2 {
            dropped += stood_by;
            continue;
        }
        committed += stood_by;
        writes.commit(tx).await.unwrap();
        stamps.push(settings::stamp(&mut store.tenant(north).await.unwrap()).await.unwrap());
    }
    assert!(committed > 0 && dropped > 0, "nothing is used again");
    let first = stamps[0];
    assert_eq!(stamps, (first..first + 20).collect::<Vec<_>>());
    assert_eq!(settings::stamp(&mut store.tenant(south).await.unwrap()).await.unwrap(), souths);
}

/// Before what stands by comes to rest.
async fn soon<T>(asking: impl Future<Output = anyhow::Result<T>>) -> bool {
    matches!(timeout(Duration::from_millis(60), asking).await, Ok(Ok(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_connection_on_which_another_only_stands_by() {
    let (_db, store, [north, south]) = two_organisations().await;
    let (reads, writes) = Standby::to_read_and_to_write(store.beside(2));
    let mut got = 0;
    for _ in 0..20 {
        let (one, other) = (reads.tenant(north).await.unwrap(), reads.tenant(south).await.unwrap());
        reads.keep(one);
        reads.keep(other);
        got += i32::from(soon(writes.tenant(north)).await);
    }
    // Whatever the machine does meanwhile.
    assert!(got > 5, "{got} of 20 got a connection");
}

/// Nor where they waited before.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_goes_to_who_waits() {
    let (_db, store, [north, south]) = two_organisations().await;
    let (reads, writes) = Standby::to_read_and_to_write(store.beside(1));
    let mut got = 0;
    for round in 0..20 {
        let used = writes.tenant(north).await.unwrap();
        let give_back = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if round % 2 == 0 { writes.keep(used) } else { writes.commit(used).await.unwrap() }
        };
        let (waited, ()) = tokio::join!(soon(reads.tenant(south)), give_back);
        got += i32::from(waited);
    }
    assert!(got > 5, "{got} of 20 got a connection");
}
