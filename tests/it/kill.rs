//! `tandem send` as the real binary, killed again and again while answers of
//! Slack get lost after it has accepted: each person has exactly one digest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use tandem::app::App;
use tandem::app::import::{self, Input};
use tandem::app::night::{self, Run};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::clock::SystemClock;
use tandem::domain::calendar;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::ingest::Format;
use tandem::store::audit::{self, Actor};
use tandem::store::directory::{Organisation, Platform, Workspace};
use tandem::store::settings;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::support::cluster::{TestDb, database};
use crate::support::fake_slack::{FakeSlack, Trouble};
use crate::support::program::{Program, said};
use crate::support::service::tls;

/// An organisation that was diagnosed today, and how to send its mornings.
struct Scene {
    db: TestDb,
    app: App,
    org: Organisation,
    slack: FakeSlack,
    program: Program,
    people: usize,
    _dir: TempDir,
}

impl Scene {
    /// `per_minute` is how fast the workspace takes messages, so that a kill finds the work half done.
    async fn new(people: usize, per_minute: u32) -> Self {
        tls();
        let db = database().await;
        let clock = Arc::new(SystemClock);
        let app = App::new(db.store().await, clock.clone());
        let slack = FakeSlack::start(clock).await;
        let new = NewOrganisation {
            slug: "north".into(),
            name: "North".into(),
            model: Model::Pair,
            timezone: chrono_tz::UTC,
            currency: "EUR".parse().unwrap(),
        };
        let org = organisation::create(&app.store, new, app.now()).await.unwrap();
        let workspace = Workspace { platform: Platform::Slack, id: "T1".into() };
        organisation::link(&app.store, org.id, &workspace, app.now()).await.unwrap();
        let mut tx = app.store.tenant(org.id).await.unwrap();
        let pacing = format!("[pacing]\nper_channel_per_second = 1000.0\nper_workspace_per_minute = {per_minute}\n");
        settings::use_policy(&mut tx, &pacing, app.now()).await.unwrap();
        settings::touch(&mut tx).await.unwrap();
        tx.commit().await.unwrap();

        // Whoever runs this on a Sunday has a morning too. `serve` must not find their hour come by itself.
        let mut rows = "email,name,roles,workdays,digest_time\n".to_owned();
        let mut accounts = "account_id,name,arr,csm_email\n".to_owned();
        let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
        let today = calendar::local_date(org.timezone, app.now());
        for n in 0..people {
            rows += &format!("p{n}@x.eu,Person {n},csm,mon-sun,00:00\n");
            accounts += &format!("a{n},Account {n},1000,p{n}@x.eu\n");
            signals += &format!("a{n},crm,notice_served,{},true\n", today.pred_opt().unwrap());
        }
        for (kind, csv) in [(RowKind::People, rows), (RowKind::Accounts, accounts), (RowKind::Signals, signals)] {
            let input = Input {
                name: kind.as_str().to_owned(),
                kind,
                format: Format::Csv,
                reader: Box::new(std::io::Cursor::new(csv.into_bytes())),
            };
            let reports = import::files(&app.store, &org, vec![input], Actor::System, false, app.now()).await.unwrap();
            assert_eq!(reports[0].rejected, 0, "{:?}", reports[0].rejections);
        }
        night::diagnose(&app, org.id, today, Run::Live).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let program = Program::bare(dir.path()).with("DATABASE_URL", db.url()).slack(&slack);
        Self { db, app, org, slack, program, people, _dir: dir }
    }

    fn send(&self) -> Child {
        self.program.spawn(&["send", "--org", "north", "--format", "json"])
    }

    fn accepted(&self) -> usize {
        self.slack.standing().len()
    }

    /// A killed sender holds its lane for up to 20 s. The trial does not wait for that each time: the lease is
    /// ended as the database's administrator could.
    async fn end_leases(&self) {
        let mut tx = self.db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
        sqlx::query("UPDATE directory.lane SET leased_until = clock_timestamp() - interval '1 second'")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", self.org.id);
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await.unwrap()
    }

    /// Exactly one message in each person's chat, each row settled and each digest told once in the trail.
    async fn each_has_exactly_one(&self) {
        let mut messages: BTreeMap<String, usize> = BTreeMap::new();
        for message in self.slack.standing() {
            assert_eq!(message.thread_ts, None, "a short digest is one message");
            *messages.entry(message.channel).or_default() += 1;
        }
        let expected: BTreeMap<String, usize> = (0..self.people).map(|n| (format!("Dp{n}"), 1)).collect();
        assert_eq!(messages, expected);
        let people = i64::try_from(self.people).unwrap();
        assert_eq!(self.number("SELECT count(*) FROM tandem.digest").await, people);
        assert_eq!(
            self.number("SELECT count(*) FROM tandem.outbox WHERE kind = 'post' AND state = 'sent'").await,
            people
        );
        assert_eq!(
            self.number("SELECT count(*) FROM tandem.outbox WHERE state IN ('queued', 'sending', 'given_up')").await,
            0
        );
        let mut tx = self.app.store.tenant(self.org.id).await.unwrap();
        let events = audit::recent(&mut tx, 10_000).await.unwrap();
        for event in ["digest.queued", "digest.sent"] {
            assert_eq!(events.iter().filter(|found| found.event == event).count(), self.people, "{event}");
        }
    }
}

async fn until(what: &str, patience: u64, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(patience), "waited {patience} s until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_each_of_120_people_has_exactly_one_digest() {
    const KILLS: usize = 10;
    // Slow enough that ten kills come in the middle of it.
    let scene = Scene::new(120, 300).await;
    for kill in 0..KILLS {
        let before = scene.accepted();
        // In most rounds one answer is lost after Slack has accepted, and the sender dies while it waits for it.
        if kill % 4 != 3 {
            for _ in 0..rand::random_range(1..6) {
                scene.slack.once("chat.postMessage", Trouble::Slow(Duration::from_millis(rand::random_range(0..30))));
            }
            scene.slack.once("chat.postMessage", Trouble::Silent);
        }
        let mut child = scene.send();
        let more = before + rand::random_range(1..10);
        until("a round makes progress", 60, || scene.accepted() >= more.min(scene.people)).await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..60))).await;
        child.start_kill().unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.code(), None, "killed in the middle, not ended by itself, in round {kill}");
        assert!(scene.accepted() > before, "round {kill} made no progress");
        scene.end_leases().await;
    }
    assert!(scene.accepted() < scene.people, "the kills came in the middle of the work");
    // Troubles that no call met yet would only slow the last run down.
    scene.slack.forget_troubles();
    let last = said(scene.send()).await;
    assert_eq!(
        (last.code, last.json()["waiting"].as_i64(), last.json()["given_up"].as_i64()),
        (Some(0), Some(0), Some(0)),
        "{last:?}"
    );
    scene.each_has_exactly_one().await;
    let again = said(scene.send()).await;
    let counts = ["queued", "sent", "already_sent"].map(|key| again.json()[key].as_i64().unwrap());
    assert_eq!((again.code, counts), (Some(0), [0, 0, 120]), "{again:?}");
    scene.each_has_exactly_one().await;
}

/// Whoever repeats the call until it is green must not be told that somebody has what they never got.
#[tokio::test(flavor = "multi_thread")]
async fn a_morning_that_was_given_up_is_told_again() {
    let scene = Scene::new(3, 6_000).await;
    scene.slack.once("chat.postMessage", Trouble::Refused("invalid_blocks"));
    let keys = ["queued", "sent", "already_sent", "given_up"];
    for expected in [[3, 2, 0, 1], [0, 0, 2, 1]] {
        let sent = said(scene.send()).await;
        let counts = keys.map(|key| sent.json()[key].as_i64().unwrap());
        assert_eq!((sent.code, counts), (Some(1), expected), "{sent:?}");
    }
}

/// The same without help: the killed sender's lease runs out by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_senders_lane_is_taken_over_when_its_lease_runs_out() {
    let scene = Scene::new(12, 6_000).await;
    scene.slack.once("chat.postMessage", Trouble::Silent);
    let mut child = scene.send();
    until("something was accepted", 60, || scene.accepted() > 0).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let killed = Instant::now();
    let next = said(scene.send()).await;
    assert_eq!(next.code, Some(0), "{next:?}");
    let [queued, sent, already] = ["queued", "sent", "already_sent"].map(|key| next.json()[key].as_u64().unwrap());
    assert_eq!((queued, sent + already), (0, 12), "what the killed one left is counted once: {next:?}");
    assert!(sent > 0, "{next:?}");
    assert!(killed.elapsed() < Duration::from_secs(60), "all is sent within 60 s of the kill: {:?}", killed.elapsed());
    scene.each_has_exactly_one().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_beside_serve_doubles_nothing() {
    let scene = Scene::new(40, 6_000).await;
    // Serve's own mornings for today were over at midnight, hours ago; sending by hand is beside them.
    let mut serve = scene.program.clone().with("TANDEM_BIND", "127.0.0.1:0").spawn(&["serve"]);
    let mut lines = BufReader::new(serve.stdout.take().unwrap()).lines();
    let line =
        tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.expect("in time").unwrap().unwrap();
    assert!(line.starts_with("Tandem listens on http://127.0.0.1:"), "{line}");
    let sends: Vec<Child> = (0..3).map(|_| scene.send()).collect();
    let ended = futures_util::future::join_all(sends.into_iter().map(said)).await;
    let mut queued = 0;
    for one in &ended {
        assert_eq!(one.code, Some(0), "{one:?}");
        let said = |key: &str| one.json()[key].as_u64().unwrap();
        queued += said("queued");
        assert!(said("sent") >= said("queued") && said("waiting") == 0, "what serve sent of these is told: {one:?}");
        assert!(said("sent_by_others") <= said("sent"), "{one:?}");
    }
    assert_eq!(queued, 40, "each digest is queued once");
    until("all is sent", 60, || scene.accepted() >= scene.people).await;
    let begun = Instant::now();
    while scene.number("SELECT count(*) FROM tandem.outbox WHERE state <> 'sent'").await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "rows are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.each_has_exactly_one().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(serve.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let stopped = said(serve).await;
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}
