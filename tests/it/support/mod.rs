//! What the tests share.

use std::time::{Duration, Instant};

use tandem::app::organisation::{self, NewOrganisation};
use tandem::domain::person::OrgId;
use tandem::domain::routing::Model;
use tandem::store::Store;

pub(crate) mod bot;
pub(crate) mod cluster;
pub(crate) mod fake_slack;
pub(crate) mod fake_socket;
pub(crate) mod fake_teams;
pub(crate) mod program;
pub(crate) mod service;
pub(crate) mod teams;

/// Longer than anything takes that comes at all, on the busiest machine: what never comes ends the test, not the run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Clocks of which `directory.due` does not say what their row says.
pub(crate) const CLOCKS_ASTRAY: &str = "SELECT count(*) FROM (
       SELECT 'handoff' AS kind, handoff_id AS id, least(remind_at, due_at) AS at FROM tandem.handoff WHERE due_at IS NOT NULL
       UNION ALL SELECT 'risk', risk_id, least(remind_at, due_at) FROM tandem.risk WHERE due_at IS NOT NULL
       UNION ALL SELECT 'renewal', renewal_id, next_at FROM tandem.renewal WHERE next_at IS NOT NULL) c
     FULL JOIN (SELECT kind, subject AS id, due_at AS at FROM directory.due WHERE kind IN ('handoff', 'risk', 'renewal')) d
     USING (kind, id) WHERE c.at IS DISTINCT FROM d.at";

/// Makes an organisation without anybody in it.
pub(crate) async fn organisation(store: &Store, slug: &str) -> OrgId {
    let new = NewOrganisation {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        model: Model::Pair,
        timezone: chrono_tz::UTC,
        currency: "EUR".parse().unwrap(),
    };
    organisation::create(store, new, service::now()).await.unwrap().id
}

/// A database, a replica's connections to it, and two organisations side by side.
pub(crate) async fn two_organisations() -> (cluster::TestDb, Store, [OrgId; 2]) {
    let db = cluster::database().await;
    let store = db.store().await;
    let organisations = [organisation(&store, "north").await, organisation(&store, "south").await];
    (db, store, organisations)
}

/// Waits until this holds; what never does fails the test with these words.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
