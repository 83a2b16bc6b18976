//! Delivery against a fake Slack over HTTP and a real Postgres: what arrives,
//! how often, in what order, how fast, and what happens when things break.

mod changes;
mod guests;
mod limits;
mod tokens;
mod unsure;

use std::collections::BTreeSet;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tandem::app::App;
use tandem::app::content::{Arrived, Asked};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::clock::{Clock, MockClock, SystemClock};
use tandem::delivery::{Contents, Delivery, Drained, Senders, SlackSender};
use tandem::domain::account::AccountId;
use tandem::domain::message::{Block, Message, Text};
use tandem::domain::person::{OrgId, PersonId};
use tandem::domain::routing::Model;
use tandem::slack::address::ApiUrl;
use tandem::slack::client::{Client, Settings};
use tandem::store::audit::{self, Actor, Entry};
use tandem::store::directory::{self, Platform, Served, Workspace};
use tandem::store::message::{self, Address, NewMessage};
use tandem::store::{Store, settings};
use tandem::tokens::{Bot, Tokens};
use uuid::Uuid;

use crate::support::cluster::{TestDb, database};
use crate::support::fake_slack::{FakeSlack, Trouble};
use crate::support::{PATIENCE, until};

/// What the tests' messages say stands in their content, so that a changed content is a changed state.
fn contents() -> Contents {
    Contents {
        render: |_, _, asked| {
            let read = |asked: &Asked| {
                let text = asked.content["text"].as_str().unwrap_or_default().to_owned();
                let blocks = asked.content["blocks"].as_u64().unwrap_or(1);
                let said = (0..blocks).map(|block| Block::Text(Text::plain(format!("{text} block {block}"))));
                let message = Message { summary: text.clone(), blocks: said.collect() };
                (!text.is_empty()).then_some(message)
            };
            let messages = asked.iter().map(read).collect();
            async move { Ok(messages) }.boxed()
        },
        delivered: |_, tx, arrived, at| {
            let entry = |arrived: &Arrived| Entry::new("test.delivered", arrived.message, json!({}));
            let entries: Vec<Entry> = arrived.iter().map(entry).collect();
            async move { audit::record(tx, Actor::System, at, &entries).await }.boxed()
        },
        given_up: |_, tx, message, _, _, problem, at| {
            async move {
                let entry = Entry::new("test.given_up", message, json!({"problem": problem}));
                audit::record(tx, Actor::System, at, &[entry]).await
            }
            .boxed()
        },
    }
}

struct Scene {
    db: TestDb,
    store: Store,
    clock: Arc<dyn Clock>,
    slack: FakeSlack,
}

/// An organisation with its workspace.
#[derive(Clone)]
struct Org {
    id: OrgId,
    workspace: Workspace,
}

fn noon() -> MockClock {
    MockClock::new("2026-03-02T12:00:00Z".parse::<DateTime<Utc>>().unwrap())
}

impl Scene {
    async fn new(clock: impl Clock) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let db = database().await;
        let store = db.store().await;
        Self { db, store, slack: FakeSlack::start(clock.clone()).await, clock }
    }

    async fn organisation(&self, team: &str) -> Org {
        self.organisation_on(Platform::Slack, team).await
    }

    async fn organisation_on(&self, platform: Platform, team: &str) -> Org {
        let new = NewOrganisation {
            slug: team.to_lowercase(),
            name: team.to_owned(),
            model: Model::Pair,
            timezone: chrono_tz::Europe::Berlin,
            currency: "EUR".parse().unwrap(),
        };
        let made = organisation::create(&self.store, new, self.clock.now()).await.unwrap();
        let workspace = Workspace { platform, id: team.to_owned() };
        organisation::link(&self.store, made.id, &workspace, self.clock.now()).await.unwrap();
        let org = Org { id: made.id, workspace };
        self.pace(&org, 1000.0, 60_000).await;
        org
    }

    async fn pace(&self, org: &Org, per_second: f64, per_minute: u32) {
        let policy =
            format!("[pacing]\nper_channel_per_second = {per_second:?}\nper_workspace_per_minute = {per_minute}");
        let mut tx = self.store.tenant(org.id).await.unwrap();
        settings::use_policy(&mut tx, &policy, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn as_tenant(&self, org: &Org) -> Transaction<'static, Postgres> {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", org.id);
        self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap()
    }

    async fn as_directory(&self) -> Transaction<'static, Postgres> {
        self.db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap()
    }

    async fn directory_count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut *self.as_directory().await).await.unwrap()
    }

    async fn person(&self, org: &Org, name: &str) -> Address {
        let id = Uuid::now_v7();
        let mut tx = self.as_tenant(org).await;
        sqlx::query(
            "INSERT INTO tandem.person (org_id, person_id, email, name, roles) VALUES ($1, $2, $3, $4, '{csm}')",
        )
        .bind(org.id.0)
        .bind(id)
        .bind(format!("{name}@example.com"))
        .bind(name)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Address::Person(PersonId(id))
    }

    async fn queue(&self, org: &Org, messages: Vec<NewMessage>) {
        let mut tx = self.store.tenant(org.id).await.unwrap();
        message::queue_posts(&mut tx, &messages, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn say(&self, org: &Org, to: &Address, text: &str) -> Uuid {
        let new = new(org, to, json!({"text": text}));
        let id = new.id;
        self.queue(org, vec![new]).await;
        id
    }

    async fn change(&self, org: &Org, message: Uuid, content: Value) {
        let mut tx = self.as_tenant(org).await;
        sqlx::query("UPDATE tandem.message SET content = $1 WHERE message_id = $2")
            .bind(content)
            .bind(message)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn redraw(&self, org: &Org) {
        let mut tx = self.store.tenant(org.id).await.unwrap();
        message::queue_redraws(&mut tx, &[AccountId("acme".into())], self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A process of its own, as far as that goes in one: its own pool, its own holder.
    async fn replica(&self, org: &Org) -> Delivery {
        self.impatient_replica(org, Duration::from_secs(10)).await
    }

    async fn impatient_replica(&self, org: &Org, attempt: Duration) -> Delivery {
        self.replica_with(org, attempt, contents()).await
    }

    async fn replica_with(&self, org: &Org, attempt: Duration, contents: Contents) -> Delivery {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Another test of this process may have been first.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let api = ApiUrl::parse(self.slack.url()).unwrap();
        let client = Client::new(Settings { api, attempt }).unwrap();
        let bot = Bot { token: "xoxb-test".into(), team: org.workspace.id.clone() };
        let slack = SlackSender { tokens: Tokens::configured(client.clone(), Some(bot)), client };
        let app = App::new(self.db.store().await, self.clock.clone());
        Delivery::with_contents(app, Senders { slack: Some(slack), preview: true, ..Senders::default() }, contents)
    }

    async fn drain(&self, org: &Org, patience: u64) -> Drained {
        self.replica(org).await.drain(Some(org.id), Duration::from_secs(patience)).await.unwrap()
    }

    /// As if 20 seconds had passed for whoever holds lanes.
    async fn let_leases_run_out(&self) {
        self.leases_end_in("-1 second").await;
    }

    async fn leases_end_in(&self, interval: &str) {
        self.in_directory(&format!(
            "UPDATE directory.lane SET leased_until = clock_timestamp() + interval '{interval}'"
        ))
        .await;
    }

    async fn in_directory(&self, sql: &str) {
        let mut tx = self.as_directory().await;
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// State and problem of every row, oldest first.
    async fn rows(&self, org: &Org) -> Vec<(String, Option<String>)> {
        let mut tx = self.as_tenant(org).await;
        sqlx::query_as("SELECT state, problem FROM tandem.outbox ORDER BY queued_at, outbox_id")
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }

    async fn states(&self, org: &Org) -> Vec<String> {
        self.rows(org).await.into_iter().map(|(state, _)| state).collect()
    }

    /// How often each consequence was written: (delivered, given up).
    async fn consequences(&self, org: &Org) -> (usize, usize) {
        let mut tx = self.store.tenant(org.id).await.unwrap();
        let events = audit::recent(&mut tx, 1000).await.unwrap();
        let count = |name: &str| events.iter().filter(|event| event.event == name).count();
        (count("test.delivered"), count("test.given_up"))
    }
}

fn new(org: &Org, to: &Address, content: Value) -> NewMessage {
    NewMessage {
        id: Uuid::now_v7(),
        workspace: org.workspace.clone(),
        to: to.clone(),
        content,
        accounts: vec![AccountId("acme".into())],
        thread_of: None,
    }
}

fn channel(id: &str) -> Address {
    Address::Channel(id.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_organisation_gets_its_own_once() {
    let scene = Scene::new(noon()).await;
    let (acme, beta) = (scene.organisation("T1").await, scene.organisation("T2").await);
    let (dana, eli) = (scene.person(&acme, "dana").await, scene.person(&beta, "eli").await);
    scene.say(&acme, &dana, "to dana").await;
    scene.say(&acme, &channel("C1"), "to a channel").await;
    scene.say(&beta, &eli, "to eli").await;

    let drained = scene.replica(&acme).await.drain(None, Duration::ZERO).await.unwrap();
    assert_eq!(drained, Drained { sent: 2, given_up: 0 });
    assert_eq!(scene.states(&beta).await, ["queued"], "this process has no token for the other workspace");
    let served = Served { installed: false, teams: false, slack: Some("T1".to_owned()), preview: true };
    let mut tx = scene.store.directory().await.unwrap();
    let unserved = directory::unserved_lanes(&mut tx, &served, scene.clock.now()).await.unwrap();
    assert_eq!(unserved, std::slice::from_ref(&beta.workspace));
    tx.commit().await.unwrap();
    assert_eq!(scene.drain(&beta, 0).await, Drained { sent: 1, given_up: 0 });

    let places: BTreeSet<_> = scene.slack.standing().into_iter().map(|m| (m.channel, m.text)).collect();
    let expected = [("C1", "to a channel"), ("Ddana", "to dana"), ("Deli", "to eli")];
    assert_eq!(places, expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
    assert_eq!((scene.consequences(&acme).await, scene.consequences(&beta).await), ((2, 0), (1, 0)));

    // A second time nothing is sent; a later message finds the conversation open.
    assert_eq!(scene.drain(&acme, 0).await, Drained::default());
    scene.say(&acme, &dana, "again").await;
    assert_eq!(scene.drain(&acme, 0).await.sent, 1);
    assert_eq!(scene.slack.calls("conversations.open").len(), 2);
    assert_eq!(scene.slack.calls("users.lookupByEmail").len(), 2);
}

/// The parts of a long message follow each other at its channel's pace; others go on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_does_not_hold_up_the_lane() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    // A hundred seconds between the parts of each.
    scene.pace(&org, 0.01, 60_000).await;
    let messages = (0..200).map(|number| {
        let content = json!({"text": format!("{number:02}"), "blocks": 60});
        new(&org, &channel(&format!("C{number}")), content)
    });
    scene.queue(&org, messages.collect()).await;
    let (replica, id) = (scene.replica(&org).await, org.id);
    let draining = tokio::spawn(async move { replica.drain(Some(id), Duration::ZERO).await });
    until("the first part of each stands", async || scene.slack.texts().len() == 200).await;
    assert_eq!(scene.states(&org).await, ["sending"; 200], "none of them is whole");
    draining.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_kept_and_nothing_is_lost_or_doubled() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    for _ in 0..6 {
        scene.slack.once("chat.postMessage", Trouble::RateLimited(1));
    }
    let people = [scene.person(&org, "dana").await, scene.person(&org, "eli").await, scene.person(&org, "fay").await];
    let to = |number: usize| people.get(number % 5).cloned().unwrap_or_else(|| channel(&format!("C{}", number % 5)));
    let messages = (0..40).map(|number| new(&org, &to(number), json!({"text": format!("{number:02}")})));
    scene.queue(&org, messages.collect()).await;
    assert_eq!(scene.drain(&org, 30).await, Drained { sent: 40, given_up: 0 });

    let mut texts = scene.slack.texts();
    texts.sort();
    assert_eq!(texts, (0..40).map(|number| format!("{number:02}")).collect::<Vec<_>>());
    for place in scene.slack.standing().iter().map(|message| &message.channel).collect::<BTreeSet<_>>() {
        let standing = scene.slack.standing();
        let in_order = standing.iter().filter(|m| m.channel == *place).map(|m| &m.text).is_sorted();
        assert!(in_order, "a Retry-After changes no order in {place}");
    }
    let calls = scene.slack.calls("chat.postMessage");
    assert_eq!(calls.iter().filter(|call| call.troubled).count(), 6);
    assert!(scene.rows(&org).await.iter().all(|(state, _)| state == "sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_429_the_whole_workspace_waits() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    scene.slack.once("chat.postMessage", Trouble::RateLimited(1));
    scene.say(&org, &channel("C1"), "limited").await;
    let (replica, id) = (scene.replica(&org).await, org.id);
    let draining = tokio::spawn(async move { replica.drain(Some(id), Duration::from_secs(30)).await });
    let blocked = "SELECT count(*) FROM directory.lane WHERE blocked_until IS NOT NULL";
    until("the workspace waits", async || scene.directory_count(blocked).await > 0).await;
    scene.say(&org, &channel("C9"), "later").await;
    assert_eq!(draining.await.unwrap().unwrap(), Drained { sent: 2, given_up: 0 });
    let calls = scene.slack.calls("chat.postMessage");
    assert_eq!(calls.iter().filter(|call| call.troubled).count(), 1);
    for call in &calls[1..] {
        assert!(call.at - calls[0].at >= Duration::from_secs(1), "{:?}", call.at - calls[0].at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_makes_no_second_message() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    // The conversation is open, so that nothing but the answer to the post can come too late.
    scene.say(&org, &dana, "before").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    scene.slack.once("chat.postMessage", Trouble::Silent);
    clock.advance(TimeDelta::seconds(1));
    scene.say(&org, &dana, "only once").await;

    let impatient = scene.impatient_replica(&org, Duration::from_secs(2)).await;
    assert_eq!(impatient.drain(Some(org.id), Duration::ZERO).await.unwrap(), Drained::default());
    assert_eq!(scene.rows(&org).await[1], ("queued".to_owned(), Some("no answer in time".to_owned())));
    clock.advance(TimeDelta::seconds(6));
    // Looking it up is refused at first: it stays undecided, and nothing is sent on suspicion.
    scene.slack.once("conversations.history", Trouble::Status(500));
    assert_eq!(scene.drain(&org, 0).await.sent, 0);
    clock.advance(TimeDelta::minutes(6));
    assert_eq!(scene.drain(&org, 0).await.sent, 1);

    assert_eq!(scene.slack.texts(), ["before", "only once"]);
    assert_eq!(scene.slack.calls("chat.postMessage").len(), 2);
    assert_eq!(scene.slack.calls("conversations.history").len(), 2);
    assert_eq!((scene.states(&org).await, scene.consequences(&org).await), (vec!["sent".to_owned(); 2], (2, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_dies_between_post_and_commit_leaves_one_message() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    for name in ["dana", "eli"] {
        let person = scene.person(&org, name).await;
        scene.say(&org, &person, name).await;
    }
    scene.slack.once("chat.postMessage", Trouble::Silent);
    scene.slack.once("chat.postMessage", Trouble::Silent);
    let dying = scene.replica(&org).await;
    let task = tokio::spawn(async move { dying.drain(None, Duration::ZERO).await });
    until("both posts were accepted", async || scene.slack.texts().len() == 2).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(scene.states(&org).await, ["sending", "sending"]);

    scene.leases_end_in("1 hour").await;
    assert_eq!(scene.drain(&org, 0).await, Drained::default(), "the lane is still the dead one's");
    scene.let_leases_run_out().await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 2, given_up: 0 });
    assert_eq!(scene.slack.calls("chat.postMessage").len(), 2);
    assert_eq!(scene.consequences(&org).await, (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_holder_writes_nothing_once_the_lane_is_anothers() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    scene.slack.once("conversations.open", Trouble::Slow(Duration::from_millis(1_500)));
    scene.say(&org, &dana, "hello").await;
    let paused = scene.replica(&org).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move { paused.run(async { _ = ended.await }).await });
    until("the first holder opens the conversation", async || !scene.slack.calls("conversations.open").is_empty())
        .await;
    scene
        .in_directory(
            "UPDATE directory.lane SET fence = fence + 1, holder = gen_random_uuid(), \
             leased_until = clock_timestamp() + interval '1 hour'",
        )
        .await;
    // The first holder's call comes back, and it would go on to post.
    let open = "SELECT count(*) FROM tandem.chat_user WHERE dm_channel_id IS NOT NULL";
    until("the conversation is noted", async || {
        sqlx::query_scalar::<_, i64>(open).fetch_one(&mut *scene.as_tenant(&org).await).await.unwrap() > 0
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    end.send(()).unwrap();
    task.await.unwrap();
    assert_eq!(scene.slack.calls("chat.postMessage").len(), 0, "the first holder sends nothing");
    scene.let_leases_run_out().await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1, "the next holder sends it");
    assert_eq!(scene.slack.texts(), ["hello"]);
    assert_eq!(scene.slack.calls("conversations.history").len(), 0, "a row that was not marked needs no look-up");
}

#[tokio::test(flavor = "multi_thread")]
async fn given_up_after_five_attempts_and_someone_sees_it() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    scene.slack.always("chat.postMessage", Trouble::Status(500));
    scene.say(&org, &dana, "never").await;
    let waits = [TimeDelta::seconds(6), TimeDelta::minutes(6), TimeDelta::minutes(34), TimeDelta::minutes(135)];
    for (attempt, wait) in (1..).zip(waits) {
        assert_eq!(scene.drain(&org, 0).await, Drained::default());
        assert_eq!(scene.slack.calls("chat.postMessage").len(), attempt);
        // Nothing before its time.
        clock.advance(wait / 2);
        assert_eq!(scene.drain(&org, 0).await, Drained::default());
        assert_eq!(scene.slack.calls("chat.postMessage").len(), attempt);
        clock.advance(wait - wait / 2);
    }
    assert_eq!(scene.consequences(&org).await, (0, 0));
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 0, given_up: 1 });
    assert_eq!(scene.rows(&org).await, [("given_up".to_owned(), Some("HTTP 500".to_owned()))]);
    assert_eq!(scene.consequences(&org).await, (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_is_given_up_at_once() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    for (name, flags) in [
        ("guest", json!({"is_restricted": true})),
        ("stranger", json!({"is_stranger": true})),
        ("gone", json!({"deleted": true})),
    ] {
        let person = scene.person(&org, name).await;
        scene.slack.user(&format!("U{name}"), flags);
        scene.say(&org, &person, name).await;
    }
    scene.slack.once("chat.postMessage", Trouble::Refused("channel_not_found"));
    scene.say(&org, &channel("C404"), "nowhere").await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 0, given_up: 4 });
    let mut problems: Vec<_> = scene.rows(&org).await.into_iter().filter_map(|(_, problem)| problem).collect();
    problems.sort();
    assert_eq!(problems, ["channel_not_found", "not_a_colleague", "not_a_colleague", "user_disabled"]);
    assert_eq!(scene.consequences(&org).await, (0, 4));
    assert!(scene.slack.texts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_before_outsiders_and_what_stands_there_is_taken_back() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "Acme may leave").await;
    assert_eq!(scene.drain(&org, 0).await.sent, 1);

    scene.slack.channel("C1", json!({"is_pending_ext_shared": true}));
    scene.say(&org, &channel("C1"), "Acme left").await;
    scene.redraw(&org).await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 0, given_up: 1 });
    let standing = scene.slack.standing();
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].text, "Withdrawn: this channel is shared with people outside the company.");
    assert!(!standing[0].blocks.contains("Acme"));
    assert_eq!(
        scene.rows(&org).await.into_iter().filter_map(|(_, problem)| problem).collect::<Vec<_>>(),
        ["outsiders", "outsiders"]
    );
    assert_eq!(scene.consequences(&org).await, (1, 1), "a redraw that was refused is no message that was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn order_within_a_channel_and_both_limits() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    scene.pace(&org, 4.0, 600).await;
    scene.slack.always("chat.postMessage", Trouble::Slow(Duration::from_millis(40)));
    let mut messages = Vec::new();
    for number in 0..5 {
        for place in ["C1", "C2"] {
            messages.push(new(&org, &channel(place), json!({"text": format!("{place} {number}")})));
        }
    }
    for number in 0..20 {
        let person = scene.person(&org, &format!("p{number}")).await;
        messages.push(new(&org, &person, json!({"text": "hello"})));
    }
    scene.queue(&org, messages).await;
    let start = Instant::now();
    assert_eq!(scene.drain(&org, 0).await.sent, 30);

    let calls = scene.slack.calls("chat.postMessage");
    for place in ["C1", "C2"] {
        let to: Vec<_> = calls.iter().filter(|call| call.arguments["channel"] == place).collect();
        let texts: Vec<_> = to.iter().map(|call| call.arguments["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(texts, (0..5).map(|number| format!("{place} {number}")).collect::<Vec<_>>());
        // Counted from the start: a busy machine may hold up one call, but none comes before its time.
        for (number, call) in (0..).zip(to) {
            assert!(call.at - start >= Duration::from_millis(250) * number, "{place} {number}");
        }
    }
    // Ten a second, and one second's worth at once.
    for (number, call) in (0_u32..).zip(&calls) {
        assert!(call.at - start >= Duration::from_millis(100) * number.saturating_sub(9), "{number} calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_holders_in_turn_keep_the_limits_of_one() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    scene.pace(&org, 1.0, 240).await;
    let start = Instant::now();
    for text in ["one", "two"] {
        scene.say(&org, &channel("C1"), text).await;
        assert_eq!(scene.drain(&org, 0).await.sent, 1);
    }
    let calls = scene.slack.calls("chat.postMessage");
    assert!(calls[1].at - start >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_accepted_pauses_the_workspace() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    let dana = scene.person(&org, "dana").await;
    scene.slack.once("chat.postMessage", Trouble::Refused("token_revoked"));
    scene.say(&org, &dana, "first").await;
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    scene.say(&org, &dana, "second").await;
    clock.advance(TimeDelta::minutes(4));
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    assert_eq!(scene.slack.calls("chat.postMessage").len(), 1, "left alone for five minutes");
    clock.advance(TimeDelta::minutes(2));
    assert_eq!(scene.drain(&org, 0).await.sent, 2);
}

/// A scope is missing: what needs it goes another way or waits, and everybody else is written to.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_workspace_does_not_allow_holds_up_nothing_else() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    let beside = scene.organisation("T2").await;
    let (dana, erik) = (scene.person(&org, "dana").await, scene.person(&org, "erik").await);
    scene.slack.always("conversations.info", Trouble::Refused("missing_scope"));
    scene.say(&org, &channel("C1"), "who reads it can't be asked").await;
    scene.slack.once("chat.postMessage", Trouble::Refused("no_permission"));
    scene.say(&org, &dana, "first").await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 0, given_up: 1 });
    scene.say(&org, &erik, "second").await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 1, given_up: 0 });
    let mut rows = scene.rows(&org).await;
    rows.sort();
    let problem = |state: &str, problem: &str| (state.to_owned(), Some(problem.to_owned()));
    assert_eq!(rows[..2], [problem("given_up", "missing_scope"), problem("queued", "no_permission")]);
    assert_eq!(scene.consequences(&org).await, (1, 1), "the channel's people are told otherwise");
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 1, given_up: 0 });
    assert_eq!(scene.rows(&beside).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_waits_for_its_parent() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    scene.slack.once("chat.postMessage", Trouble::Status(503));
    let parent = scene.say(&org, &channel("C1"), "parent").await;
    scene
        .queue(
            &org,
            vec![NewMessage { thread_of: Some(parent), ..new(&org, &channel("C1"), json!({"text": "reply"})) }],
        )
        .await;
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    clock.advance(TimeDelta::seconds(6));
    scene.drain(&org, 0).await;
    clock.advance(TimeDelta::seconds(6));
    scene.drain(&org, 0).await;
    let standing = scene.slack.standing();
    assert_eq!(scene.slack.texts(), ["parent", "reply"]);
    assert_eq!(standing[1].thread_ts.as_ref(), Some(&standing[0].ts));
}

/// What the app writes down about an arrival fails: the message is not sent again for that.
#[tokio::test(flavor = "multi_thread")]
async fn consequences_that_fail_are_caught_up_with() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "hello").await;
    let mut failing = contents();
    failing.delivered = |_, _, _, _| async { anyhow::bail!("no") }.boxed();
    let replica = scene.replica_with(&org, Duration::from_secs(10), failing).await;
    assert_eq!(replica.drain(None, Duration::ZERO).await.unwrap(), Drained::default());
    assert_eq!(scene.rows(&org).await, [("queued".to_owned(), Some("consequences".to_owned()))]);
    clock.advance(TimeDelta::seconds(6));
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
    assert_eq!((scene.slack.texts(), scene.consequences(&org).await), (vec!["hello".to_owned()], (1, 0)));
}

/// `send` waits for what others hold and for retries that are due soon, not for what is due later.
#[tokio::test(flavor = "multi_thread")]
async fn draining_waits_within_its_patience() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    scene.slack.once("chat.postMessage", Trouble::Status(503));
    scene.say(&org, &channel("C1"), "hello").await;
    assert_eq!(scene.drain(&org, 600).await.sent, 1, "the retry is due in five seconds");
    let nothing = tokio::time::timeout(PATIENCE, scene.drain(&org, 6_000)).await;
    assert_eq!(nothing.expect("nothing is left to wait for"), Drained::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_does_not_wait_for_what_is_due_later() {
    let clock = noon();
    let scene = Scene::new(clock.clone()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "hello").await;
    for wait in [TimeDelta::seconds(6), TimeDelta::minutes(6)] {
        scene.slack.once("chat.postMessage", Trouble::Status(503));
        // The clock stands still: whoever waited for the retry would wait for ever.
        let early = tokio::time::timeout(PATIENCE, scene.drain(&org, 3)).await;
        assert_eq!(early.expect("the retry is due after its patience"), Drained::default());
        clock.advance(wait);
    }
    assert_eq!(scene.drain(&org, 0).await.sent, 1);
}

/// Somebody writes for the first time while their first message is on its way: both learn which chat is theirs.
#[tokio::test(flavor = "multi_thread")]
async fn whose_account_it_is_is_learned_by_several_at_once() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    for number in 0..100 {
        let Address::Person(person) = scene.person(&org, &format!("p{number}")).await else { unreachable!() };
        let learned = (0..4).map(|_| {
            let (store, org) = (scene.store.clone(), org.clone());
            tokio::spawn(async move {
                let mut tx = store.tenant(org.id).await?;
                let user = format!("U{number}");
                tandem::store::person::save_chat_user(&mut tx, &org.workspace, person, &user, None).await?;
                tx.commit().await
            })
        });
        for learned in futures_util::future::join_all(learned).await {
            learned.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_workspace_holds_up_nobody_else() {
    let scene = Scene::new(SystemClock).await;
    let (slow, quick) = (scene.organisation("T1").await, scene.organisation_on(Platform::Preview, "demo").await);
    let dana = scene.person(&quick, "dana").await;
    scene.slack.always("chat.postMessage", Trouble::RateLimited(60));
    for number in 0..20 {
        scene.say(&slow, &channel(&format!("C{number}")), "slow").await;
    }
    let service = scene.replica(&slow).await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move { service.run(async { _ = ended.await }).await });
    until("Slack asks to wait", async || !scene.slack.calls("chat.postMessage").is_empty()).await;
    scene.say(&quick, &dana, "quick").await;
    until("it is sent, whatever another workspace waits for", async || scene.states(&quick).await == ["sent"]).await;
    assert!(scene.slack.texts().is_empty(), "the other one still waits");
    end.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unlinked_workspace_gets_nothing_more() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "secret").await;
    assert!(organisation::unlink(&scene.store, &org.workspace, scene.clock.now()).await.unwrap());
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    assert!(scene.slack.texts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_left_to_say_is_settled_in_silence() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    scene.say(&org, &channel("C1"), "").await;
    assert_eq!(scene.drain(&org, 0).await, Drained::default());
    assert_eq!((scene.states(&org).await, scene.consequences(&org).await), (vec!["sent".to_owned()], (0, 0)));
    assert!(scene.slack.texts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_keeps_copies_without_any_call() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation_on(Platform::Preview, "demo").await;
    let dana = scene.person(&org, "dana").await;
    for text in ["one", "two"] {
        scene.say(&org, &dana, text).await;
    }
    let app = App::new(scene.db.store().await, scene.clock.clone());
    let preview = Delivery::with_contents(app, Senders { preview: true, ..Senders::default() }, contents());
    assert_eq!(preview.drain(None, Duration::ZERO).await.unwrap().sent, 2);
    let Address::Person(person) = dana else { unreachable!() };
    let mut tx = scene.store.tenant(org.id).await.unwrap();
    let held = message::of_person(&mut tx, &org.workspace, person).await.unwrap();
    assert_eq!(held.iter().map(|held| held.content["text"].as_str().unwrap()).collect::<Vec<_>>(), ["one", "two"]);
    assert!(held[0].ts < held[1].ts && held[0].channel_id == format!("preview:{person}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_hears_the_bell_and_ends_in_order() {
    let scene = Scene::new(SystemClock).await;
    let org = scene.organisation("T1").await;
    // The second to the same person would be due ten seconds after the first.
    scene.pace(&org, 0.1, 60_000).await;
    let dana = scene.person(&org, "dana").await;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let service = scene.replica(&org).await;
    let running = tokio::spawn(async move { service.run(async { _ = ended.await }).await });
    for text in ["one", "two"] {
        let other = scene.person(&org, text).await;
        scene.say(&org, &other, text).await;
        until("it arrived", async || scene.slack.texts().last().is_some_and(|last| last == text)).await;
    }
    // Ends while a call is under way: it is finished and written down, the rest stays queued.
    scene.slack.always("chat.postMessage", Trouble::Slow(Duration::from_millis(500)));
    for text in ["three", "four"] {
        scene.say(&org, &dana, text).await;
    }
    until("a call is under way", async || scene.slack.calls("chat.postMessage").len() == 3).await;
    end.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(scene.slack.texts(), ["one", "two", "three"]);
    assert_eq!(scene.states(&org).await, ["sent", "sent", "sent", "queued"]);
    let mut tx = scene.as_directory().await;
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM directory.lane WHERE holder IS NOT NULL")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(held, 0, "the lane was handed back");
}
