//! The course of an account's health: what the last night carries along is what each night before it said, whatever
//! happened between them.

use chrono::{Days, NaiveDate, TimeDelta};
use tandem::app::night::{self, Run};
use tandem::app::read;
use tandem::domain::account::AccountId;
use tandem::domain::diagnosis::course::DAYS;
use tandem::store;

use super::{World, day, world};

/// What the stored nights say of an account up to the latest, by themselves.
async fn said(world: &World, account: &str) -> Vec<(NaiveDate, u8)> {
    let latest = world.snapshot().await.organisation.diagnosed_on.unwrap();
    let rows: Vec<(NaiveDate, i16)> = sqlx::query_as(
        "SELECT date, health FROM tandem.diagnosis
          WHERE org_id = $1 AND account_id = $2 AND date BETWEEN $3 AND $4 AND health IS NOT NULL ORDER BY date",
    )
    .bind(world.org.id.0)
    .bind(account)
    .bind(latest - Days::new(DAYS.into()))
    .bind(latest)
    .fetch_all(&mut *world.begin(&world.org).await)
    .await
    .unwrap();
    rows.into_iter().map(|(date, health)| (date, u8::try_from(health).unwrap())).collect()
}

impl World {
    /// Holds the answer of each account against the stored nights; how many there are of `a`.
    async fn course_is_what_was_said(&self) -> usize {
        let snapshot = self.snapshot().await;
        for account in ["a", "b"] {
            let id = AccountId::from(account);
            let answer = read::answer(&mut self.tenant().await, &snapshot, &id, self.app.now()).await.unwrap().unwrap();
            let said = said(self, account).await;
            assert_eq!(answer.history, said, "of {account}");
            let latest = snapshot.organisation.diagnosed_on.unwrap();
            let before = store::diagnosis::run_before(&mut self.tenant().await, latest).await.unwrap();
            if before.is_some_and(|before| latest - before <= TimeDelta::days(DAYS.into())) {
                let was = said.iter().find(|(date, _)| Some(*date) == before).map(|(_, health)| *health);
                assert_eq!(answer.previous_health, was, "of {account}");
            }
        }
        said(self, "a").await.len()
    }

    /// Nights that the latest one's courses do not hold, and its diagnoses without one.
    async fn not_carried(&self) -> (i32, i64) {
        sqlx::query_as(
            "SELECT cardinality(behind), (SELECT count(*) FROM tandem.diagnosis d
                                           WHERE d.org_id = $1 AND d.date = r.date AND d.course IS NULL)
               FROM tandem.diagnosis_run r WHERE r.org_id = $1 ORDER BY r.date DESC LIMIT 1",
        )
        .bind(self.org.id.0)
        .fetch_one(&mut *self.begin(&self.org).await)
        .await
        .unwrap()
    }

    async fn usage(&self, value: u32) {
        let on = (self.app.now().date_naive() - Days::new(1)).to_string();
        self.signals(&[("a", "usage", "active_users", &on, &value.to_string())]).await;
    }

    async fn history(&self, date: NaiveDate) {
        night::diagnose(&self.app, self.org.id, date, Run::History).await.unwrap();
    }
}

#[tokio::test]
async fn a_course_is_what_the_nights_said() {
    let world = world().await;
    world.pair().await;
    world.full_seats("a").await;
    let beside = world.counts(&world.other).await;
    let first = world.live().await.date;
    assert_eq!(world.course_is_what_was_said().await, 1);
    // Nights with other healths, days without any, and one on which the account is not diagnosed.
    for (days, users) in [(1, 60), (1, 20), (4, 90), (1, 5)] {
        world.clock.advance(TimeDelta::days(days));
        world.usage(users).await;
        world.live().await;
        world.course_is_what_was_said().await;
    }
    assert!(said(&world, "a").await.windows(2).any(|pair| pair[0].1 != pair[1].1), "health moves");
    world.sql("UPDATE tandem.account SET status = 'churned' WHERE account_id = 'a'").await;
    world.next().await;
    world.sql("UPDATE tandem.account SET status = 'active' WHERE account_id = 'a'").await;
    world.next().await;
    assert_eq!(world.course_is_what_was_said().await, 6, "the night without it cost it nothing");
    assert_eq!(world.not_carried().await, (0, 0));

    // A night between, and before all, that is diagnosed later; then once more, with other rows.
    let between = day("2026-11-27");
    for date in [between, first - Days::new(3)] {
        world.history(date).await;
        world.course_is_what_was_said().await;
    }
    world.sql("DELETE FROM tandem.signal WHERE account_id = 'a' AND observed_on > '2026-11-24'").await;
    world.history(between).await;
    world.history(day("2026-11-24")).await;
    assert_eq!(world.course_is_what_was_said().await, 8);
    assert_eq!(world.not_carried().await, (3, 0));
    // The latest once more, and the next: what came behind is carried on again.
    world.live().await;
    assert_eq!(world.course_is_what_was_said().await, 8);
    assert_eq!(world.not_carried().await, (0, 0));
    world.history(between).await;
    assert_eq!(world.not_carried().await, (1, 0));
    world.next().await;
    assert_eq!(world.course_is_what_was_said().await, 9);
    assert_eq!(world.not_carried().await, (0, 0));

    // An older copy of the program knows no courses.
    world.sql("UPDATE tandem.diagnosis SET course = NULL").await;
    assert_eq!(world.course_is_what_was_said().await, 9);
    world.next().await;
    assert_eq!(world.course_is_what_was_said().await, 10);
    assert_eq!(world.not_carried().await, (0, 0));

    // Three months without a night: the one before is still told, though it is not shown.
    let was = said(&world, "a").await.last().map(|(_, health)| *health);
    world.clock.advance(TimeDelta::days(i64::from(DAYS) + 10));
    world.live().await;
    assert_eq!(world.course_is_what_was_said().await, 0, "too old to be known");
    let snapshot = world.snapshot().await;
    let answer = read::answer(&mut world.tenant().await, &snapshot, &AccountId::from("a"), world.app.now()).await;
    assert_eq!(answer.unwrap().unwrap().previous_health, was);
    assert_eq!(world.counts(&world.other).await, beside, "the organisation beside it");
}
