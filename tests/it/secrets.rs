//! Stored tokens: what stands in the database, who can open it, and the change of keys while others read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use secrecy::ExposeSecret as _;
use sqlx::Row as _;
use tandem::app::installation::{self, Tokens};
use tandem::app::organisation;
use tandem::domain::person::OrgId;
use tandem::store::directory::{Platform, Workspace};
use tandem::store::installation::Installed;
use tandem::store::{Store, audit};
use tandem::vault::{Key, MasterKeys};

use crate::support::cluster::{TestDb, database};
use crate::support::service::now;
use crate::support::until;

pub(crate) fn installed(team: &str) -> Installed {
    Installed {
        team_id: team.to_owned(),
        team_name: format!("Workspace {team}"),
        enterprise_id: None,
        bot_user_id: "U0".to_owned(),
        scopes: vec!["commands".to_owned()],
        installed_by: "UADA".to_owned(),
    }
}

pub(crate) fn tokens(access: &str) -> Tokens {
    Tokens { access: access.into(), refresh: Some(format!("refresh {access}").into()), expires_at: None }
}

pub(crate) fn keys(list: &[&Key]) -> MasterKeys {
    MasterKeys::parse(&list.iter().map(|key| key.to_base64().to_string()).collect::<Vec<_>>().join(",")).unwrap()
}

async fn organisation(store: &Store, slug: &str, team: &str) -> OrgId {
    let org = crate::support::organisation(store, slug).await;
    let workspace = Workspace { platform: Platform::Slack, id: team.to_owned() };
    organisation::link(store, org, &workspace, now()).await.unwrap();
    org
}

async fn access(store: &Store, keys: &MasterKeys, team: &str) -> Result<String, String> {
    let read = installation::read(store, keys, team, now()).await.map_err(|error| format!("{error:#}"))?;
    Ok(read.map_or_else(|| "none".to_owned(), |opened| opened.tokens.access.expose_secret().to_owned()))
}

/// What is stored, as the directory's role sees it.
async fn stored(db: &TestDb, team: &str) -> (Option<Vec<u8>>, Option<uuid::Uuid>) {
    let mut tx = db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
    let sql = "SELECT access_token, org_id FROM directory.slack_installation WHERE team_id = $1";
    let row = sqlx::query(sql).bind(team).fetch_one(&mut *tx).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn tokens_are_stored_sealed_for_their_organisation() {
    let db = database().await;
    let store = db.store().await;
    let master = keys(&[&Key::random()]);
    let north = organisation(&store, "north", "T1").await;
    assert_eq!(
        installation::add(&store, &master, &installed("T1"), &tokens("xoxb-one"), now()).await.unwrap(),
        Some(north)
    );
    let (sealed, org) = stored(&db, "T1").await;
    assert_eq!(org, Some(north.0));
    assert!(!String::from_utf8_lossy(&sealed.unwrap()).contains("xoxb"));
    assert_eq!(access(&store, &master, "T1").await.unwrap(), "xoxb-one");

    // Installed before it is linked: under the master key, until somebody needs it for its organisation.
    assert_eq!(installation::add(&store, &master, &installed("T2"), &tokens("xoxb-two"), now()).await.unwrap(), None);
    assert_eq!(stored(&db, "T2").await.1, None);
    assert_eq!(access(&store, &master, "T2").await.unwrap(), "xoxb-two");
    let south = organisation(&store, "south", "T2").await;
    assert_eq!(access(&store, &master, "T2").await.unwrap(), "xoxb-two");
    assert_eq!(stored(&db, "T2").await.1, Some(south.0), "sealed for its organisation from now on");

    // A workspace whose link an operator gave to another organisation goes with it.
    let workspace = Workspace { platform: Platform::Slack, id: "T2".into() };
    assert!(organisation::unlink(&store, &workspace, now()).await.unwrap());
    organisation::link(&store, north, &workspace, now()).await.unwrap();
    assert_eq!(access(&store, &master, "T2").await.unwrap(), "xoxb-two");
    assert_eq!(stored(&db, "T2").await.1, Some(north.0));
    assert_eq!(access(&store, &master, "T9").await.unwrap(), "none");
}

#[tokio::test]
async fn another_key_and_a_moved_ciphertext_are_errors_that_say_so() {
    let db = database().await;
    let store = db.store().await;
    let (right, wrong) = (Key::random(), keys(&[&Key::random()]));
    let right = keys(&[&right]);
    for (slug, team) in [("north", "T1"), ("south", "T2")] {
        organisation(&store, slug, team).await;
        installation::add(&store, &right, &installed(team), &tokens(team), now()).await.unwrap();
    }
    installation::add(&store, &right, &installed("T3"), &tokens("T3"), now()).await.unwrap();
    for team in ["T1", "T3"] {
        let refused = access(&store, &wrong, team).await.unwrap_err();
        assert!(refused.contains("which is not among those of TANDEM_SECRET_KEY"), "{refused}");
    }
    let swap =
        "UPDATE directory.slack_installation a SET access_token = b.access_token FROM directory.slack_installation b
                 WHERE a.team_id = $1 AND b.team_id = $2";
    for (to, from) in [("T1", "T2"), ("T2", "T3"), ("T3", "T1")] {
        let mut tx = db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
        sqlx::query(swap).bind(to).bind(from).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let refused = access(&store, &right, to).await.unwrap_err();
        assert!(refused.contains(to) && !refused.contains("xoxb"), "{refused}");
        installation::add(&store, &right, &installed(to), &tokens(to), now()).await.unwrap();
    }
    // A refresh token in the place of an access token, within one row.
    let mut tx = db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
    sqlx::query("UPDATE directory.slack_installation SET access_token = refresh_token WHERE team_id = 'T1'")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let refused = access(&store, &right, "T1").await.unwrap_err();
    assert_eq!(
        refused,
        "slack_installation.access_token of T1 does not open: it was changed, or moved there from another row"
    );
}

/// reliability.md, 20: nobody's read fails while keys are replaced and tokens are written.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_in_traffic() {
    let db = database().await;
    let store = db.store().await;
    let (old, new) = (Key::random(), Key::random());
    let (before, both, after) = (keys(&[&old]), keys(&[&new, &old]), keys(&[&new]));
    let mut orgs = Vec::new();
    for (slug, team) in [("north", "T1"), ("south", "T2")] {
        orgs.push(organisation(&store, slug, team).await);
        installation::add(&store, &before, &installed(team), &tokens(team), now()).await.unwrap();
    }
    installation::add(&store, &before, &installed("T3"), &tokens("T3"), now()).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reads = Arc::new(AtomicU32::new(0));
    let mut traffic = Vec::new();
    for team in ["T1", "T2", "T3"] {
        let (store, both, stop, reads) = (db.store().await, both.clone(), stop.clone(), reads.clone());
        traffic.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(access(&store, &both, team).await.unwrap(), team);
                if reads.fetch_add(1, Ordering::Relaxed) % 5 == 0 {
                    installation::add(&store, &both, &installed(team), &tokens(team), now()).await.unwrap();
                }
            }
        }));
    }
    until("all is read", async || reads.load(Ordering::Relaxed) >= 30).await;
    let rotated = installation::rotate(&store, &both, now()).await.unwrap();
    assert_eq!(rotated.organisations, 2);
    let begun = reads.load(Ordering::Relaxed);
    until("all is read since", async || reads.load(Ordering::Relaxed) >= begun + 30).await;
    stop.store(true, Ordering::Relaxed);
    for one in traffic {
        one.await.unwrap();
    }
    assert_eq!(installation::rotate(&store, &both, now()).await.unwrap(), installation::Rotated::default());
    for team in ["T1", "T2", "T3"] {
        assert_eq!(access(&store, &after, team).await.unwrap(), team, "the old key is not needed any more");
        assert!(access(&store, &before, team).await.is_err());
    }
    for org in orgs {
        let mut tx = store.tenant(org).await.unwrap();
        let events = audit::recent(&mut tx, 10_000).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.event == "key.rotated").count(), 1);
        assert!(events.iter().all(|event| !event.data.to_string().contains("xoxb")));
    }
}

/// Two processes whose token ran out ask Slack once between them.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_used_once_by_many() {
    let db = database().await;
    let store = db.store().await;
    let master = keys(&[&Key::random()]);
    organisation(&store, "north", "T1").await;
    let ending = Tokens { expires_at: Some(now()), ..tokens("old") };
    installation::add(&store, &master, &installed("T1"), &ending, now()).await.unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let (store, master, asked) = (db.store().await, master.clone(), asked.clone());
        waiting.push(tokio::spawn(async move {
            let slack = async |refresh: &secrecy::SecretString| {
                assert_eq!(refresh.expose_secret(), "refresh old");
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                let expires_at = Some(now() + chrono::TimeDelta::hours(12));
                Ok::<_, String>(Tokens { expires_at, ..tokens("new") })
            };
            let by = now() + chrono::TimeDelta::hours(2);
            installation::refresh(&store, &master, "T1", by, now(), slack).await.unwrap().access
        }));
    }
    for one in waiting {
        assert_eq!(one.await.unwrap().expose_secret(), "new");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(access(&store, &master, "T1").await.unwrap(), "new");
}
