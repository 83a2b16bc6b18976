//! Two organisations side by side, with people, accounts and matters to press on.

use std::io::Cursor;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tandem::app::content;
use tandem::app::import::{self, Input};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::app::{App, Asker, Who, query};
use tandem::clock::MockClock;
use tandem::domain::command::Command;
use tandem::domain::diagnosis::{Band, WindowKind};
use tandem::domain::handoff::{Handoff, Qualification, Window};
use tandem::domain::message::Message;
use tandem::domain::money::{Currency, Money};
use tandem::domain::person::PersonId;
use tandem::domain::renewal_work::RenewalWork;
use tandem::domain::risk::{Raised, Reading, Risk};
use tandem::domain::routing::{Model, Seat, Start};
use tandem::domain::row::RowKind;
use tandem::ingest::Format;
use tandem::store;
use tandem::store::audit::{Actor, Event};
use tandem::store::directory::{Organisation, Platform, Workspace};
use uuid::Uuid;

use crate::support::cluster::{TestDb, database};
use crate::support::until;

const PEOPLE: &str = "email,name,roles,manager_email,pool
lee@x.example,Lee Roth,lead,,
dana@x.example,Dana Reyes,csm,lee@x.example,
kim@x.example,Kim Okafor,account_manager,lee@x.example,
zoe@x.example,Zoe Adler,csm,,
vic@x.example,Vic Hale,viewer,,
pat@x.example,Pat Moss,account_manager,lee@x.example,emea
pia@x.example,Pia Lund,account_manager,lee@x.example,emea
ada@x.example,Ada Quinn,admin,,
";

const ACCOUNTS: &str =
    "account_id,name,arr,currency,renewal_date,term_months,notice_period_days,auto_renew,csm_email,account_manager_email,pool
acme,Acme,184000,USD,2027-03-01,12,90,true,dana@x.example,kim@x.example,
bolt,Bolt,90000,USD,2027-09-30,12,30,true,dana@x.example,,emea
zenith,Zenith,50000,USD,2027-09-30,12,30,true,zoe@x.example,,emea
";

/// One organisation of a test's database.
pub(super) struct World {
    pub(super) app: App,
    pub(super) clock: MockClock,
    pub(super) organisation: Organisation,
    db: Arc<TestDb>,
    workspace: Workspace,
    people: Vec<(String, PersonId)>,
}

impl World {
    /// A fresh database with this organisation and one more.
    pub(super) async fn new() -> Self {
        let db = Arc::new(database().await);
        let clock = MockClock::new("2026-11-03T10:00:00Z".parse::<DateTime<Utc>>().unwrap());
        Self::made(&db, &clock, "north", ACCOUNTS).await
    }

    /// The second organisation of the same database; its people and accounts bear the same names.
    pub(super) async fn beside(&self) -> Self {
        let more = format!("{ACCOUNTS}only-there,Only There,1000,USD,2027-09-30,12,30,true,dana@x.example,,\n");
        Self::made(&self.db, &self.clock, "south", &more).await
    }

    async fn made(db: &Arc<TestDb>, clock: &MockClock, slug: &str, accounts: &str) -> Self {
        let store = db.store().await;
        let app = App::new(store, Arc::new(clock.clone()));
        let new = NewOrganisation {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            model: Model::Pair,
            timezone: chrono_tz::UTC,
            currency: Currency::USD,
        };
        let organisation = organisation::create(&app.store, new, app.now()).await.unwrap();
        let workspace = Workspace { platform: Platform::Preview, id: slug.to_owned() };
        organisation::link(&app.store, organisation.id, &workspace, app.now()).await.unwrap();
        let input = |kind: RowKind, text: &str| Input {
            name: kind.as_str().to_owned(),
            kind,
            format: Format::Csv,
            reader: Box::new(Cursor::new(text.to_owned().into_bytes())),
        };
        let inputs = vec![input(RowKind::People, PEOPLE), input(RowKind::Accounts, accounts)];
        let reports = import::files(&app.store, &organisation, inputs, Actor::System, false, app.now()).await.unwrap();
        assert!(reports.iter().all(|report| report.rejected == 0), "{reports:?}");
        let mut tx = app.store.tenant(organisation.id).await.unwrap();
        let people = store::person::all(&mut tx, chrono_tz::UTC).await.unwrap();
        let people =
            people.into_iter().map(|known| (known.person.email.replace("@x.example", ""), known.person.id)).collect();
        drop(tx);
        Self { app, clock: clock.clone(), organisation, db: db.clone(), workspace, people }
    }

    /// Another replica: connections and memory of its own.
    pub(super) async fn replica(&self) -> App {
        App::new(self.db.store().await, Arc::new(self.clock.clone()))
    }

    /// Another replica, with so many connections.
    pub(super) fn replica_with(&self, connections: u32) -> App {
        App::new(self.app.store.beside(connections), Arc::new(self.clock.clone()))
    }

    pub(super) fn id(&self, who: &str) -> PersonId {
        self.people.iter().find(|(name, _)| name == who).unwrap_or_else(|| panic!("nobody is called {who}")).1
    }

    pub(super) fn asker(&self, who: &str) -> Asker {
        Asker {
            org: self.organisation.id,
            workspace: self.workspace.clone(),
            who: Who::Person(self.id(who)),
            channel: None,
        }
    }

    /// Waits until this process has the accounts' names in memory: nothing else finds a mistyped one from now on.
    pub(super) async fn has_names(&self, app: &App) {
        self.db.pool.execute("DROP FUNCTION IF EXISTS tandem.similar_accounts").await.unwrap();
        let command = Command::Account { name: "acmee".to_owned() };
        until("names are in memory", async || query::command(app, &self.asker("dana"), &command).await.is_ok()).await;
    }

    /// What is usual on the server for whatever connects from now on.
    pub(super) async fn usual(&self, setting: &str, value: &str) {
        let set = format!(
            "DO $$ BEGIN
               EXECUTE format('ALTER DATABASE %I SET {setting} = %L', current_database(), '{value}');
             END $$"
        );
        self.db.pool.execute(AssertSqlSafe(set)).await.unwrap();
    }

    /// Ends the connections on which a transaction stands by, as a restart does. Whether there was one.
    pub(super) async fn lose_what_stands_by(&self) -> bool {
        let end = "SELECT count(pg_terminate_backend(pid, 20000)) > 0 FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'idle in transaction'";
        sqlx::query_scalar(end).fetch_one(&self.db.pool).await.unwrap()
    }

    /// Runs a statement as the application does, in this organisation.
    pub(super) async fn sql(&self, sql: &str) {
        let mut connection = self.db.pool.acquire().await.unwrap();
        let org = self.organisation.id;
        let whole = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'; {sql}; COMMIT");
        connection.execute(AssertSqlSafe(whole)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(super) async fn count(&self, sql: &str) -> i64 {
        let org = self.organisation.id;
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await.unwrap();
        row.get(0)
    }

    /// A risk that the rules opened this night.
    pub(super) async fn risk(&self, account: &str) -> Risk {
        let reading = Reading { health: Some(34), band: Band::AtRisk, ..Reading::unknown() };
        let raised = Raised { by: self.id("dana"), why: "seen".to_owned() };
        let today = self.app.now().date_naive();
        let (risk, _) = Risk::raise(Uuid::now_v7(), account.into(), raised, reading, today, self.app.now());
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::risk::save(&mut tx, &risk).await.unwrap();
        tx.commit().await.unwrap();
        risk
    }

    async fn detected(&self, account: &str, start: Start, withheld_by: Option<&str>) -> Handoff {
        let today = self.app.now().date_naive();
        let window = Window {
            kind: WindowKind::Seats,
            reason: "96 of 100 seats".to_owned(),
            amount: Some(Money::new(1_200_000, Currency::USD)),
            opens_on: today,
            closes_on: today + chrono::Days::new(90),
            co_term: false,
            raised_by: None,
            amount_confirmed: false,
        };
        let id = Uuid::now_v7();
        let (handoff, _) = Handoff::detect(id, account.into(), window, start, withheld_by, self.app.now());
        self.save(&handoff).await;
        handoff
    }

    pub(super) async fn save(&self, handoff: &Handoff) {
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::handoff::save(&mut tx, handoff).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A window with Dana, who detected it.
    pub(super) async fn window(&self, account: &str) -> Handoff {
        self.detected(account, Start::Detector(self.id("dana")), None).await
    }

    /// One that Dana has qualified and offered to Kim.
    pub(super) async fn offered(&self, account: &str) -> Handoff {
        let window = self.window(account).await;
        let (dana, at) = (self.id("dana"), self.app.now());
        let (window, _) = window.qualify(Qualification::new("need", "Eva", "now").unwrap(), at).unwrap();
        let (window, _) = window.offer(dana, Seat::Person(self.id("kim")), at).unwrap();
        self.save(&window).await;
        window
    }

    /// One that a rule offers to the pool.
    pub(super) async fn for_pool(&self, account: &str) -> Handoff {
        let seat = Seat::Pool { name: "emea".to_owned(), accountable: self.id("lee") };
        self.detected(account, Start::Offered(seat), None).await
    }

    /// One that a rule offers to Kim, and that is withheld because of another.
    pub(super) async fn withheld(&self, account: &str, rule: &str) -> Handoff {
        self.detected(account, Start::Offered(Seat::Person(self.id("kim"))), Some(rule)).await
    }

    pub(super) async fn renewal(&self, account: &str) -> RenewalWork {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (renewal, deadline) = (date("2027-03-01"), date("2026-12-01"));
        let kim = self.id("kim");
        let work = RenewalWork::upcoming(Uuid::now_v7(), account.into(), renewal, deadline, kim, self.app.now());
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::renewal::save(&mut tx, &work).await.unwrap();
        tx.commit().await.unwrap();
        work
    }

    /// A complete night in which this account has one cause, a floor. Of several accounts the night is the same.
    pub(super) async fn diagnosed(&self, account: &str, health: u8, rule: &str) {
        let body = serde_json::json!({
            "coverage": 1.0, "families": {}, "not_checked": [], "windows": [], "auto_renew": true,
            "causes": [{"rule": rule, "points": 65, "floor": true, "headline": "A sev-1 ticket is open",
                        "actions": {"csm": "Call", "account_manager": "Wait"}, "facts": []}],
        });
        let detail = Uuid::now_v7();
        let org = self.organisation.id;
        let on = "2026-11-03";
        self.sql(&format!(
            "INSERT INTO tandem.diagnosis_detail VALUES ('{org}', '{account}', '{detail}', '{body}', '{on}'); \
             INSERT INTO tandem.diagnosis VALUES ('{org}', '{on}', '{account}', {health}, {}, 'at_risk', 'new', '{detail}', '{on}'); \
             INSERT INTO tandem.diagnosis_run (org_id, date, completed_at, accounts, live, policy_hash, night, sources) \
             VALUES ('{org}', '{on}', '{on}T02:00:00Z', 1, true, '', '{{}}', '{{}}') ON CONFLICT DO NOTHING; \
             UPDATE directory.organisation SET diagnosed_on = '{on}', diagnosed_at = '{on}T02:00:00Z'; \
             UPDATE tandem.organisation_setting SET stamp = stamp + 1",
            100 - health
        ))
        .await;
    }

    /// The CRM has another name for it now.
    pub(super) async fn renamed(&self, account: &str, name: &str) {
        let text = format!("account_id,name\n{account},{name}\n");
        let input = Input {
            name: "accounts".to_owned(),
            kind: RowKind::Accounts,
            format: Format::Csv,
            reader: Box::new(Cursor::new(text.into_bytes())),
        };
        let (store, now) = (&self.app.store, self.app.now());
        let reports = import::files(store, &self.organisation, vec![input], Actor::System, false, now).await.unwrap();
        assert!(reports.iter().all(|report| report.rejected == 0), "{reports:?}");
    }

    /// A message about the account that stands in this person's chat.
    pub(super) async fn shown(&self, who: &str, account: &str) {
        let (org, message, person) = (self.organisation.id, Uuid::now_v7(), self.id(who));
        let (place, at) = (&self.workspace.id, self.app.now());
        self.sql(&format!(
            "INSERT INTO tandem.message VALUES ('{org}', '{message}', 'preview', '{place}', '{person}', NULL, '{{}}', NULL, '{at}'); \
             INSERT INTO tandem.message_account VALUES ('{org}', '{account}', '{message}'); \
             INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, state, due_at, queued_at, settled_at) \
             VALUES ('{org}', '{}', 'preview', '{place}', '{message}', 'post', 'sent', '{at}', '{at}', '{at}')",
            Uuid::now_v7()
        ))
        .await;
    }

    /// A digest whose second group holds these risks.
    pub(super) async fn group(&self, who: &str, risks: &[Uuid]) -> Uuid {
        let (org, digest, person) = (self.organisation.id, Uuid::now_v7(), self.id(who));
        self.sql(&format!(
            "INSERT INTO tandem.digest VALUES ('{org}', '{digest}', '{person}', '2026-11-03', 'morning', '2026-11-03', false, '{{}}', '{}')",
            self.app.now()
        ))
        .await;
        for (position, risk) in risks.iter().enumerate() {
            self.sql(&format!(
                "INSERT INTO tandem.digest_item (org_id, digest_id, position, group_no, subject, account_id) \
                 VALUES ('{org}', '{digest}', {position}, 2, 'risk:{risk}', 'any')"
            ))
            .await;
        }
        digest
    }

    pub(super) async fn read_risk(&self, id: Uuid) -> Risk {
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::risk::read(&mut tx, &[id]).await.unwrap().pop().unwrap()
    }

    pub(super) async fn read_handoff(&self, id: Uuid) -> Handoff {
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::handoff::read(&mut tx, &[id]).await.unwrap().pop().unwrap()
    }

    pub(super) async fn handoffs(&self, account: &str) -> Vec<Handoff> {
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        store::handoff::of_accounts(&mut tx, &[account.into()], self.app.now()).await.unwrap()
    }

    /// What people did, the oldest first; not the setting up.
    pub(super) async fn events(&self) -> Vec<Event> {
        let mut tx = self.app.store.tenant(self.organisation.id).await.unwrap();
        let mut events = store::audit::recent(&mut tx, 10_000).await.unwrap();
        events.retain(|event| event.actor.starts_with("person:"));
        events.reverse();
        events
    }

    pub(super) async fn event_names(&self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.event).collect()
    }

    pub(super) async fn queued_redraws(&self) -> i64 {
        self.count("SELECT count(*) FROM tandem.outbox WHERE kind = 'redraw' AND state = 'queued'").await
    }

    /// What this person reads of a notice under the card that they have.
    pub(super) async fn reply(&self, who: &str, mut notice: Value) -> String {
        notice["reply"] = true.into();
        self.drawn(who, &serde_json::json!({"notice": notice})).await.summary
    }

    /// How this person reads a message.
    pub(super) async fn drawn(&self, who: &str, content: &Value) -> Message {
        let reader = Some(self.id(who));
        let drawn = content::render(&self.app, self.organisation.id, Uuid::nil(), content, reader).await;
        drawn.unwrap().unwrap()
    }

    /// What this person was told, in order.
    pub(super) async fn notices(&self, who: &str) -> Vec<Value> {
        let org = self.organisation.id;
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        let rows = sqlx::query(
            "SELECT m.content -> 'notice' FROM tandem.message m JOIN tandem.outbox o USING (org_id, message_id)
              WHERE m.person_id = $1 AND m.content ? 'notice' AND o.kind = 'post' AND o.state = 'queued'
              ORDER BY m.message_id",
        )
        .bind(self.id(who).0)
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        rows.into_iter().map(|row| row.get(0)).collect()
    }
}
