//! The night as a use case: what it reads, stores and moves, on real Postgres,
//! with a second organisation beside the first.

mod course;
mod sample;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Executor as _, Postgres, Row as _, Transaction};
use tandem::app::clocks::{self, What};
use tandem::app::import::{self, Input};
use tandem::app::night::{self, Run, RunReport};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::app::{App, policy, snapshot::Snapshot};
use tandem::clock::MockClock;
use tandem::domain::account::AccountId;
use tandem::domain::calendar::WorkCalendar;
use tandem::domain::diagnosis::{Band, Change, Diagnosis, GuardChange};
use tandem::domain::handoff::{self, Handoff};
use tandem::domain::money::Currency;
use tandem::domain::person::PersonId;
use tandem::domain::policy::Policy;
use tandem::domain::routing::{Model, Seat};
use tandem::domain::row::RowKind;
use tandem::ingest::Format;
use tandem::store::audit::Actor;
use tandem::store::directory::{self, Organisation, Owed};
use tandem::store::{self, Tenant};
use uuid::Uuid;

use crate::support::cluster::{self, TestDb};

/// Monday, 02:00 in Berlin.
const NIGHT: &str = "2026-11-23T01:00:00Z";

struct World {
    db: TestDb,
    app: App,
    clock: MockClock,
    org: Organisation,
    /// The organisation beside it; most tests leave it as it is and look that it stays so.
    other: Organisation,
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

async fn world() -> World {
    let db = cluster::database().await;
    let store = db.store().await;
    let clock = MockClock::new(at(NIGHT));
    let new = |slug: &str| NewOrganisation {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        model: Model::Pair,
        timezone: chrono_tz::Europe::Berlin,
        currency: Currency::EUR,
    };
    let org = organisation::create(&store, new("here"), at(NIGHT)).await.unwrap();
    let other = organisation::create(&store, new("beside"), at(NIGHT)).await.unwrap();
    World { db, app: App::new(store, Arc::new(clock.clone())), clock, org, other }
}

const PEOPLE: &str = "email,name,roles,manager_email,timezone\n\
    lea@x.eu,Lea Lead,lead,,Europe/Berlin\n\
    dana@x.eu,Dana Csm,csm,lea@x.eu,Europe/Berlin\n\
    tom@x.eu,Tom Am,account_manager,lea@x.eu,Europe/Berlin\n";

/// One account with full seats, so that a window opens; `a` has a pair, `b` an account manager alone.
const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
    a,Acme,100000,100,2027-09-30,12,30,dana@x.eu,tom@x.eu\n\
    b,Bolt,50000,100,2027-09-30,12,30,,tom@x.eu\n";

impl World {
    async fn import(&self, org: &Organisation, kind: RowKind, csv: &str) {
        let input = Input {
            name: format!("{}.csv", kind.as_str()),
            kind,
            format: Format::Csv,
            reader: Box::new(Cursor::new(csv.to_owned().into_bytes())),
        };
        let reports =
            import::files(&self.app.store, org, vec![input], Actor::System, false, self.app.now()).await.unwrap();
        assert_eq!(reports[0].rejected, 0, "{:?}", reports[0].rejections);
    }

    async fn pair(&self) {
        for org in [&self.org, &self.other] {
            self.import(org, RowKind::People, PEOPLE).await;
            self.import(org, RowKind::Accounts, ACCOUNTS).await;
        }
    }

    /// Rows of `kind,observed_on,value` of accounts.
    async fn signals(&self, rows: &[(&str, &str, &str, &str, &str)]) {
        let mut csv = "account_id,source,kind,observed_on,value\n".to_owned();
        for (account, source, kind, on, value) in rows {
            csv += &format!("{account},{source},{kind},{on},{value}\n");
        }
        self.import(&self.org, RowKind::Signals, &csv).await;
    }

    /// Weekly seats in use of an account, in the six weeks before the first night.
    async fn full_seats(&self, account: &str) {
        let days: Vec<String> = (0..7).map(|week| (day("2026-11-22") - Days::new(week * 7)).to_string()).collect();
        let rows: Vec<_> = days.iter().map(|on| (account, "usage", "active_users", on.as_str(), "95")).collect();
        self.signals(&rows).await;
    }

    async fn live(&self) -> RunReport {
        let today = tandem::domain::calendar::local_date(self.org.timezone, self.app.now());
        night::diagnose(&self.app, self.org.id, today, Run::Live).await.unwrap()
    }

    /// Moves to the next night and runs it.
    async fn next(&self) -> RunReport {
        self.clock.advance(TimeDelta::days(1));
        self.live().await
    }

    async fn diagnoses(&self, date: &str) -> BTreeMap<String, Diagnosis> {
        let mut all = BTreeMap::new();
        night::each_diagnosis(&self.app, self.org.id, day(date), |diagnosis| {
            all.insert(diagnosis.account_id.0.clone(), diagnosis.clone());
            Ok(())
        })
        .await
        .unwrap();
        all
    }

    async fn bytes(&self, date: NaiveDate) -> String {
        let mut lines = String::new();
        night::each_diagnosis(&self.app, self.org.id, date, |diagnosis| {
            lines += &serde_json::to_string(diagnosis)?;
            lines.push('\n');
            Ok(())
        })
        .await
        .unwrap();
        lines
    }

    async fn tenant(&self) -> Tenant {
        self.app.store.tenant(self.org.id).await.unwrap()
    }

    async fn snapshot(&self) -> Arc<Snapshot> {
        self.app.snapshot(&mut self.tenant().await).await.unwrap()
    }

    async fn person(&self, email: &str) -> PersonId {
        self.snapshot().await.person_by_email(email).unwrap().id
    }

    /// Every handoff of an account, the newest last.
    async fn handoffs(&self, account: &str) -> Vec<Handoff> {
        let long_ago = at("2000-01-01T00:00:00Z");
        store::handoff::of_accounts(&mut self.tenant().await, &[AccountId::from(account)], long_ago).await.unwrap()
    }

    async fn save(&self, handoff: &Handoff) {
        let mut tx = self.tenant().await;
        store::handoff::save(&mut tx, handoff).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A transaction for SQL as the application's, for what no use case would write or read.
    async fn begin(&self, org: &Organisation) -> Transaction<'static, Postgres> {
        let mut tx = self.db.pool.begin().await.unwrap();
        let begin = format!("SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", org.id);
        tx.execute(AssertSqlSafe(begin)).await.unwrap();
        tx
    }

    async fn sql(&self, sql: &str) {
        let mut tx = self.begin(&self.org).await;
        tx.execute(AssertSqlSafe(sql.replace("ORG", &format!("'{}'", self.org.id)))).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Rows of what nights write, per table, of one organisation.
    async fn counts(&self, org: &Organisation) -> Vec<(&'static str, i64)> {
        let mut tx = self.begin(org).await;
        let mut counts = Vec::new();
        for table in ["diagnosis", "diagnosis_run", "diagnosis_detail", "risk", "handoff", "renewal", "outbox"] {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM tandem.{table}"));
            counts.push((table, sqlx::query(sql).fetch_one(&mut *tx).await.unwrap().get(0)));
        }
        let events = "SELECT count(*) FROM tandem.audit_event WHERE event NOT IN ('diagnosis.run', 'data.imported')";
        counts.push(("events", sqlx::query(events).fetch_one(&mut *tx).await.unwrap().get(0)));
        counts
    }
}

#[tokio::test]
async fn the_same_night_again_changes_nothing() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.signals(&[("b", "crm", "notice_served", "2026-11-10", "true")]).await;
    let beside = world.counts(&world.other).await;
    let first = world.live().await;
    assert_eq!((first.accounts, &first.rejected), (2, &Vec::new()));
    let (bytes, counts) = (world.bytes(first.date).await, world.counts(&world.org).await);
    let second = world.live().await;
    assert_eq!(world.bytes(first.date).await, bytes);
    assert_eq!(world.counts(&world.org).await, counts);
    assert!(second.events.is_empty(), "{:?}", second.events);
    assert_eq!(second.bands, first.bands);
    assert_eq!(world.counts(&world.other).await, beside, "the organisation beside it");
    // The next night finds the same: one narrow row more an account, no second copy of equal causes.
    let third = world.next().await;
    assert!(third.events.is_empty(), "{:?}", third.events);
    assert!(world.diagnoses("2026-11-24").await.values().all(|diagnosis| diagnosis.change == Change::Same));
}

#[tokio::test]
async fn what_is_handed_over_is_what_is_stored() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.signals(&[("b", "crm", "notice_served", "2026-11-10", "true")]).await;
    let date = day("2026-11-23");
    let mut handed = String::new();
    let report = night::diagnose_each(&world.app, world.org.id, date, Run::Live, &mut |diagnosis| {
        handed += &serde_json::to_string(&diagnosis).unwrap();
        handed.push('\n');
    })
    .await
    .unwrap();
    assert_eq!((report.accounts, handed), (2, world.bytes(date).await));
    // What was read on the night itself is stored without its date, so that the next night needs no copy of it.
    world.next().await;
    let counts: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((counts["diagnosis"], counts["diagnosis_detail"]), (4, 2));
    let of = |all: BTreeMap<String, Diagnosis>| all["b"].causes[0].facts.iter().map(|fact| fact.as_of).max();
    assert!(of(world.diagnoses("2026-11-24").await) >= of(world.diagnoses("2026-11-23").await));
}

/// Until the run is whole, readers see the one before: also when the same date is diagnosed again and breaks off.
#[tokio::test]
async fn nobody_reads_half_a_night() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    let date = world.live().await.date;
    let before = world.bytes(date).await;
    world.signals(&[("b", "crm", "notice_served", "2026-11-10", "true")]).await;
    let (app, org) = (world.app.clone(), world.org.id);
    let broken = tokio::spawn(async move {
        night::diagnose_each(&app, org, date, Run::Live, &mut |_| panic!("the process was killed here")).await
    });
    assert!(broken.await.is_err());
    assert_eq!(world.bytes(date).await, before);
    // What had moved by then has moved once: the same night goes on from there.
    assert_eq!(store::risk::open(&mut world.tenant().await).await.unwrap().len(), 1);
    let again = world.live().await;
    assert_eq!((again.accounts, again.events.get("risk.opened")), (2, None));
    assert_ne!(world.bytes(date).await, before);
    assert_eq!(store::risk::open(&mut world.tenant().await).await.unwrap().len(), 1);
}

/// What a page of a night that broke off has committed is there when the night is made again.
#[tokio::test]
async fn a_first_night_that_broke_off_is_made_again() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    let (app, org, date) = (world.app.clone(), world.org.id, day("2026-11-23"));
    let broken = tokio::spawn(async move {
        night::diagnose_each(&app, org, date, Run::Live, &mut |_| panic!("the process was killed here")).await
    });
    assert!(broken.await.is_err());
    let left: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((left["diagnosis"], left["diagnosis_detail"]), (0, 2), "bodies, and nothing that refers to them");
    let report = world.live().await;
    assert_eq!((report.date, report.accounts, report.rejected), (date, 2, Vec::new()));
    let made: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((made["diagnosis"], made["diagnosis_detail"]), (2, 2));
    assert_eq!(world.diagnoses("2026-11-23").await.len(), 2);
}

#[tokio::test]
async fn another_date_writes_history_only() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.signals(&[("b", "crm", "notice_served", "2026-10-10", "true")]).await;
    let date = day("2026-11-02");
    let report = night::diagnose(&world.app, world.org.id, date, Run::on(date, day("2026-11-23"))).await.unwrap();
    assert_eq!((report.run, report.accounts, report.events.len()), (Run::History, 2, 0));
    let written: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((written["diagnosis"], written["diagnosis_run"]), (2, 1));
    assert_eq!((written["risk"], written["handoff"], written["renewal"]), (0, 0, 0));
    assert_eq!(world.snapshot().await.organisation.diagnosed_on, None, "no digest reads it");
    // The first night is still the first, and says so of what it opens.
    let live = world.live().await;
    let first = store::diagnosis::first_run(&mut world.tenant().await).await.unwrap();
    assert_eq!(first, Some(live.date));
    assert_eq!(world.snapshot().await.organisation.diagnosed_on, Some(live.date));
    assert_eq!(live.events.get("risk.opened"), Some(&1));
    let again = world.diagnoses("2026-11-23").await;
    assert_eq!(again["b"].change, Change::Same, "against the date before, whatever it moved");
    // A window opens on a night of its own day, not on the date of a run that moved nothing.
    assert_eq!(world.diagnoses("2026-11-02").await["a"].windows.len(), 1);
    assert_eq!(again["a"].windows[0].opens_on, live.date);
    // History after the night moves nothing either.
    let counts = world.counts(&world.org).await;
    night::diagnose(&world.app, world.org.id, date, Run::History).await.unwrap();
    assert_eq!(world.counts(&world.org).await, counts);
}

#[tokio::test]
async fn a_window_opens_once_and_goes_where_it_is_routed() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.full_seats("b").await;
    let report = world.live().await;
    assert_eq!(report.events.get("window.opened"), Some(&2));
    let (dana, tom) = (world.person("dana@x.eu").await, world.person("tom@x.eu").await);
    let with_csm = world.handoffs("a").await.remove(0);
    assert_eq!((with_csm.state_name(), with_csm.accountable()), ("detected", Some(dana)));
    let without = world.handoffs("b").await.remove(0);
    assert_eq!((without.state_name(), without.accountable()), ("offered", Some(tom)));
    world.next().await;
    assert_eq!((world.handoffs("a").await.len(), world.handoffs("b").await.len()), (1, 1));

    // Passed: the same evidence stays quiet; the diagnosis shows it no more.
    let (passed, _) = with_csm.pass(dana, "no budget", world.app.now()).unwrap();
    world.save(&passed).await;
    world.next().await;
    assert_eq!(world.handoffs("a").await.len(), 1);
    assert!(world.diagnoses("2026-11-25").await["a"].windows.is_empty());
    assert_eq!(world.diagnoses("2026-11-25").await["b"].windows.len(), 1);

    // At risk: withheld from the account manager, and no clock.
    world.signals(&[("b", "crm", "notice_served", "2026-11-25", "true")]).await;
    let report = world.next().await;
    assert!(world.handoffs("b").await[0].is_withheld());
    let worse = &report.worse[0];
    assert_eq!((worse.account.0.as_str(), worse.decisions.as_slice()), ("b", &["notice_served".to_owned()][..]));
}

#[tokio::test]
async fn a_won_window_does_not_come_back_on_the_same_evidence() {
    let world = world().await;
    world.pair().await;
    world.full_seats("b").await;
    world.live().await;
    let tom = world.person("tom@x.eu").await;
    let offered = world.handoffs("b").await.remove(0);
    let (accepted, _) = offered.accept(tom, world.app.now()).unwrap();
    let (won, _) = accepted.won(tom, None, world.app.now()).unwrap();
    world.save(&won).await;
    world.next().await;
    assert_eq!(world.handoffs("b").await.len(), 1);
}

#[tokio::test]
async fn clocks_offer_on_and_give_back() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.live().await;
    let (dana, tom, lea) =
        (world.person("dana@x.eu").await, world.person("tom@x.eu").await, world.person("lea@x.eu").await);
    let shown = async |at: DateTime<Utc>| {
        let snapshot = world.snapshot().await;
        let handoff = world.handoffs("a").await.remove(0);
        let holder = snapshot.person(handoff.accountable().unwrap()).unwrap();
        let calendar = WorkCalendar::of(holder, snapshot.holidays.of(holder.timezone));
        world.save(&handoff.delivered(at, handoff::Clocks::default(), &calendar)).await;
    };
    let settled = async || -> Vec<What> {
        clocks::settle_all(&world.app, world.org.id).await.unwrap().into_iter().map(|moved| moved.what).collect()
    };
    // Monday 08:00 in Berlin; five business days end on Friday at closing time, and are asked about a day before.
    shown(at("2026-11-23T07:00:00Z")).await;
    world.clock.set(at("2026-11-26T15:59:00Z"));
    assert!(settled().await.is_empty());
    world.clock.set(at("2026-11-26T16:00:00Z"));
    assert_eq!(settled().await, [What::Reminded { who: dana }]);
    world.clock.set(at("2026-11-27T15:59:00Z"));
    assert!(settled().await.is_empty(), "once");
    world.clock.set(at("2026-11-27T16:00:00Z"));
    assert_eq!(settled().await, [What::OfferedUnqualified { held_by: dana, to: tom }]);
    let offered = world.handoffs("a").await.remove(0);
    assert_eq!((offered.state_name(), offered.accountable(), offered.is_csql()), ("offered", Some(tom), false));
    assert!(settled().await.is_empty(), "the clock waits to be shown");

    shown(at("2026-11-30T08:00:00Z")).await;
    // Nobody looked for a day: the reminder comes late, and a whole day is left after it.
    world.clock.set(at("2026-12-03T12:00:00Z"));
    assert_eq!(settled().await, [What::Reminded { who: tom }]);
    world.clock.set(at("2026-12-04T11:59:00Z"));
    assert!(settled().await.is_empty());
    world.clock.set(at("2026-12-04T12:00:00Z"));
    assert_eq!(settled().await, [What::Expired { late: tom, back_to: lea, lead: lea }]);
    let back = world.handoffs("a").await.remove(0);
    assert_eq!((back.state_name(), back.accountable()), ("expired", Some(lea)), "a rule had offered it");
    world.clock.set(at("2027-06-01T12:00:00Z"));
    assert!(settled().await.is_empty());
}

#[tokio::test]
async fn renewal_steps_are_reached_and_an_outcome_ends_them() {
    let world = world().await;
    world.import(&world.org, RowKind::People, PEOPLE).await;
    // Opt-out on 22 May 2027: 180 days after 23 November.
    let account = |renewal: &str, csm: &str, am: &str| {
        format!(
            "account_id,name,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
             a,Acme,{renewal},12,0,{csm},{am}\n"
        )
    };
    world.import(&world.org, RowKind::Accounts, &account("2027-05-22", "dana@x.eu", "tom@x.eu")).await;
    world.clock.set(at("2026-11-22T01:00:00Z"));
    assert!(world.live().await.events.is_empty());
    let report = world.next().await;
    assert_eq!(report.events.get("renewal.step"), Some(&1));
    let latest =
        async || store::renewal::latest(&mut world.tenant().await, &[AccountId::from("a")]).await.unwrap().remove(0);
    assert_eq!(latest().await.owner(), world.person("tom@x.eu").await);
    // The account changes hands: so does the work.
    world.import(&world.org, RowKind::Accounts, &account("2027-05-22", "dana@x.eu", "\\N")).await;
    let report = world.next().await;
    assert_eq!(report.events.get("book.transferred"), Some(&1));
    assert_eq!(latest().await.owner(), world.person("dana@x.eu").await);

    world.clock.set(at("2027-01-22T01:00:00Z"));
    assert_eq!(world.live().await.events.get("renewal.step"), Some(&1), "120 days");
    let outcomes = "account_id,kind,decided_on,arr_after,currency\na,renewed,2027-02-01,120000,EUR\n";
    world.clock.set(at("2027-02-02T01:00:00Z"));
    world.import(&world.org, RowKind::Outcomes, outcomes).await;
    assert_eq!(world.live().await.events.get("renewal.renewed"), Some(&1));
    world.clock.set(at("2027-03-22T01:00:00Z"));
    assert!(world.live().await.events.is_empty(), "an end state stops the steps");
}

#[tokio::test]
async fn one_poisoned_account_does_not_spoil_the_night() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    let first = world.live().await;
    assert_eq!(first.accounts, 2);
    let poison = "INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, words)
                  VALUES (ORG, 'a', 'onboarding', 'go_live_planned', '2026-11-20', 'soon')";
    world.sql(poison).await;
    let again = world.live().await;
    assert_eq!((again.accounts, again.rejected.len()), (1, 1));
    assert_eq!(again.rejected[0].account_id, AccountId::from("a"));
    assert!(again.rejected[0].reason.contains("\"soon\""), "{}", again.rejected[0].reason);
    assert_eq!(world.diagnoses("2026-11-23").await.keys().collect::<Vec<_>>(), ["b"], "no row of the earlier run");
    // A corrupt row of what people do is one account's fault too.
    world.sql("DELETE FROM tandem.signal WHERE words = 'soon'").await;
    world.sql("UPDATE tandem.handoff SET need = 'half a qualification' WHERE account_id = 'a'").await;
    let report = world.live().await;
    assert_eq!(report.rejected.len(), 1);
    assert!(report.rejected[0].reason.contains("handoff"), "{}", report.rejected[0].reason);
}

/// What the database refuses to move is one account's fault too: the others are made anew, and are whole.
#[tokio::test]
async fn an_account_whose_moves_are_refused_stands_alone() {
    let world = world().await;
    world.pair().await;
    for account in ["a", "b"] {
        world.signals(&[(account, "crm", "notice_served", "2026-11-10", "true")]).await;
    }
    let refuse = "ALTER TABLE tandem.risk ADD CHECK (account_id <> 'b')";
    world.db.pool.execute(refuse).await.unwrap();
    let report = world.live().await;
    assert_eq!((report.accounts, report.rejected.len()), (1, 1));
    assert_eq!(report.rejected[0].account_id, AccountId::from("b"));
    let all = world.diagnoses("2026-11-23").await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(all["a"].causes[0].rule, "notice_served");
    let risks = store::risk::open(&mut world.tenant().await).await.unwrap();
    assert_eq!(risks.iter().map(|risk| risk.account.0.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn a_feed_that_breaks_is_withheld_and_told_once() {
    let world = world().await;
    world.import(&world.org, RowKind::People, PEOPLE).await;
    let ids: Vec<String> = (0..12).map(|n| format!("acc-{n:02}")).collect();
    let mut accounts = "account_id,name,seats,csm_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for id in &ids {
        accounts += &format!("{id},Account {id},100,dana@x.eu\n");
        // Seats nearly full, hardly used, and as they should be.
        let used = match id.as_str() {
            "acc-10" => 95,
            "acc-11" => 20,
            _ => 80,
        };
        for back in 0..120 {
            signals += &format!("{id},usage,active_users,{},{used}\n", day("2026-11-22") - Days::new(back));
        }
    }
    world.import(&world.org, RowKind::Accounts, &accounts).await;
    world.import(&world.org, RowKind::Signals, &signals).await;
    assert!(world.live().await.guard_events.is_empty());
    let before = world.diagnoses("2026-11-23").await;
    let healthy = before["acc-00"].clone();
    assert_eq!((before["acc-10"].windows.len(), before["acc-11"].causes[0].rule.as_str()), (1, "seat_use"));

    let mut zeros = "account_id,source,kind,observed_on,value\n".to_owned();
    for id in &ids {
        zeros += &format!("{id},usage,active_users,2026-11-23,0\n");
    }
    world.import(&world.org, RowKind::Signals, &zeros).await;
    let broken = world.next().await;
    assert_eq!(broken.guard_events.iter().map(|event| event.change).collect::<Vec<_>>(), [GuardChange::Raised]);
    let all = world.diagnoses("2026-11-24").await;
    let kept = &all["acc-00"];
    assert_eq!((kept.health, kept.stale.len(), kept.change), (healthy.health, 1, Change::Same));
    assert_eq!(all["acc-10"].windows, before["acc-10"].windows, "an outage closes none");
    assert_eq!(all["acc-11"].causes, before["acc-11"].causes, "whose value stands, its causes do");
    assert!(world.live().await.guard_events == broken.guard_events, "the same night tells the same");
    assert!(world.next().await.guard_events.is_empty(), "and the next is silent about it");
    world.import(&world.org, RowKind::Signals, &zeros.replace("2026-11-23,0", "2026-11-25,80")).await;
    let recovered = world.next().await;
    assert_eq!(recovered.guard_events.iter().map(|event| event.change).collect::<Vec<_>>(), [GuardChange::Recovered]);
}

#[tokio::test]
async fn an_account_that_has_left_has_nothing_open() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.signals(&[("a", "crm", "notice_served", "2026-11-10", "true")]).await;
    let first = world.live().await;
    assert_eq!(first.events.get("risk.opened"), Some(&1));
    let left = "account_id,name,status\na,Acme,churned\n";
    world.import(&world.org, RowKind::Accounts, left).await;
    let report = world.next().await;
    assert_eq!(
        (report.accounts, report.events.get("risk.ended"), report.events.get("window.closed")),
        (1, Some(&1), Some(&1))
    );
    assert!(world.handoffs("a").await.iter().all(|handoff| !handoff.is_open()));
    assert!(store::risk::open(&mut world.tenant().await).await.unwrap().is_empty());
    assert!(world.next().await.events.is_empty());
}

#[tokio::test]
async fn a_risk_that_ends_by_itself_has_nothing_left_to_weigh() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    world.signals(&[("a", "crm", "notice_served", "2026-11-10", "true")]).await;
    world.live().await;
    let mut tx = world.tenant().await;
    let risk = store::risk::open(&mut tx).await.unwrap().remove(0);
    let people = store::person::all(&mut tx, world.org.timezone).await.unwrap();
    let id = |email: &str| people.iter().find(|known| known.person.email == email).unwrap().person.id;
    let matter = handoff::Matter::RiskToWeigh { risk: risk.id, note: "price?".to_owned() };
    let to = Seat::Person(id("tom@x.eu"));
    let made = Handoff::hand_over(Uuid::now_v7(), "a".into(), matter, id("dana@x.eu"), to, world.app.now());
    world.save(&made.unwrap().0).await;
    let weighed = async || world.handoffs("a").await.into_iter().find(|handoff| handoff.window().is_none()).unwrap();
    // The notice is taken back.
    world.signals(&[("a", "crm", "notice_served", "2026-11-24", "false")]).await;
    world.next().await;
    world.next().await;
    assert!(weighed().await.is_open(), "it may still come back");
    let report = world.next().await;
    let times = |event| report.events.get(event).copied();
    assert_eq!((times("risk.ended"), times("handoff.withdrawn")), (Some(1), Some(1)));
    assert_eq!(weighed().await.state_name(), "closed");
    assert!(world.next().await.events.is_empty());
}

#[tokio::test]
async fn a_churn_outcome_settles_decisions() {
    let world = world().await;
    world.pair().await;
    world.signals(&[("a", "crm", "notice_served", "2026-11-10", "true")]).await;
    world.live().await;
    assert_eq!(world.diagnoses("2026-11-23").await["a"].band, Band::AtRisk);
    world.import(&world.org, RowKind::Outcomes, "account_id,kind,decided_on\na,churned,2026-11-23\n").await;
    world.next().await;
    assert!(world.diagnoses("2026-11-24").await["a"].causes.iter().all(|cause| !cause.floor));
    let risk = store::risk::open(&mut world.tenant().await).await.unwrap().remove(0);
    assert!(risk.latest().churned, "and stays a decision until somebody has said what became of it");
}

#[tokio::test]
async fn two_replicas_owe_one_night() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    let replica = App::new(world.db.store().await, Arc::new(world.clock.clone()));
    let (org, app) = (world.org.id, world.app.clone());
    let one = tokio::spawn(async move { night::night(&app, org).await });
    let two = tokio::spawn(async move { night::night(&replica, org).await });
    let (one, two) = (one.await.unwrap().unwrap(), two.await.unwrap().unwrap());
    assert!(one.is_some() != two.is_some(), "one of them made it, the other saw that");
    let counts: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((counts["diagnosis_run"], counts["handoff"]), (1, 1));
    let mut directory = world.app.store.directory().await.unwrap();
    let due = directory::due(&mut directory, at("2026-12-01T00:00:00Z"), 100, None).await.unwrap();
    let next = due.iter().find(|due| due.org == org && due.owed == Owed::Night).unwrap();
    assert_eq!(next.at, at("2026-11-24T01:00:00Z"));
    assert!(due.iter().any(|due| due.org == org && matches!(due.owed, Owed::Digest(_))));
}

#[tokio::test]
async fn dates_too_old_are_forgotten_with_their_causes() {
    let world = world().await;
    world.pair().await;
    world.signals(&[("a", "crm", "notice_served", "2025-08-01", "true")]).await;
    let long_ago = day("2025-09-01");
    night::diagnose(&world.app, world.org.id, long_ago, Run::History).await.unwrap();
    assert_eq!(world.diagnoses("2025-09-01").await.len(), 2, "asked for, it is there to be read");
    world.live().await;
    assert!(world.diagnoses("2025-09-01").await.is_empty());
    let counts: BTreeMap<_, _> = world.counts(&world.org).await.into_iter().collect();
    assert_eq!((counts["diagnosis"], counts["diagnosis_run"], counts["diagnosis_detail"]), (2, 1, 2));
}

#[tokio::test]
async fn a_policy_is_tried_before_it_is_used() {
    let world = world().await;
    world.pair().await;
    world
        .signals(&[
            ("a", "support", "csat", "2026-11-10", "90"),
            ("a", "billing", "payment_failures", "2026-11-10", "1"),
            ("a", "crm", "competitor_named", "2026-11-10", "true"),
        ])
        .await;
    assert!(night::trial(&world.app, world.org.id, &Policy::default()).await.is_err(), "nothing to hold it against");
    world.live().await;
    let counts = world.counts(&world.org).await;
    let same = night::trial(&world.app, world.org.id, &Policy::default()).await.unwrap();
    assert_eq!((same.accounts, same.moved.len()), (2, 0));
    let stern = "[score]\nhealthy_from = 90\nwatch_from = 80\n";
    let trial = night::trial(&world.app, world.org.id, &Policy::from_toml(stern).unwrap()).await.unwrap();
    assert_eq!(trial.moved.len(), 1);
    let moved = &trial.moved[0];
    assert_eq!((moved.account.0.as_str(), moved.from.1, moved.to.1), ("a", Band::Watch, Band::AtRisk));
    assert!(!moved.why.is_empty());
    assert_eq!(world.counts(&world.org).await, counts, "nothing was written");
    // What newer data moves is no doing of the policy on trial.
    world.signals(&[("b", "crm", "notice_served", "2026-11-20", "true")]).await;
    let newer = night::trial(&world.app, world.org.id, &Policy::from_toml(stern).unwrap()).await.unwrap();
    let moved: Vec<&str> = newer.moved.iter().map(|moved| moved.account.0.as_str()).collect();
    assert_eq!((newer.accounts, moved, newer.moved_anyway), (2, vec!["a"], 1));

    policy::switch(&world.app.store, world.org.id, stern, Actor::System, world.app.now()).await.unwrap();
    world.live().await;
    assert_eq!(world.diagnoses("2026-11-23").await["a"].band, Band::AtRisk);
    let events = store::audit::recent(&mut world.tenant().await, 50).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.event == "policy.changed").count(), 1);
    assert!(policy::switch(&world.app.store, world.org.id, "[scor]", Actor::System, world.app.now()).await.is_err());
}

#[tokio::test]
async fn a_column_that_is_corrected_on_the_same_day_rewrites_no_day_before() {
    let world = world().await;
    world.pair().await;
    let renews = async |on: bool| {
        let row = format!("account_id,name,auto_renew\na,Acme,{on}\n");
        world.import(&world.org, RowKind::Accounts, &row).await;
    };
    let told = async || -> Vec<String> {
        let mut tx = world.db.pool.begin().await.unwrap();
        let begin = format!("SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", world.org.id);
        tx.execute(AssertSqlSafe(begin)).await.unwrap();
        let sql =
            "SELECT observed_on || ': ' || number FROM tandem.signal WHERE kind = 'auto_renew' ORDER BY observed_on";
        sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap()
    };
    renews(true).await;
    world.clock.advance(TimeDelta::days(10));
    renews(false).await;
    assert_eq!(told().await, ["2026-11-23: 1", "2026-12-03: 0"]);
    renews(true).await;
    assert_eq!(told().await, ["2026-11-23: 1", "2026-12-03: 1"], "it was on all the time");
    world.clock.advance(TimeDelta::days(1));
    renews(false).await;
    renews(true).await;
    renews(false).await;
    assert_eq!(told().await, ["2026-11-23: 1", "2026-12-03: 1", "2026-12-04: 0"]);
    world.live().await;
    assert_eq!(world.diagnoses("2026-12-04").await["a"].causes[0].rule, "auto_renew_off");
}
