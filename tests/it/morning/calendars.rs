//! Mornings by the calendar: once a person and working day, never before their hour.

use std::collections::BTreeMap;

use tandem::domain::row::RowKind;

use super::sunday;
use crate::support::bot::TestBot;

impl TestBot {
    /// How many digests each local date had, and how many of them came late.
    async fn mornings(&self) -> (i64, i64) {
        let all = self.number(&self.org, "SELECT count(*) FROM tandem.digest").await;
        (all, self.number(&self.org, "SELECT count(*) FROM tandem.digest WHERE late").await)
    }

    /// Digests to somebody so far.
    fn mornings_of(&self, who: &str) -> usize {
        let place = Self::place(who);
        let all = self.slack.standing().into_iter();
        all.filter(|post| post.channel == place && post.thread_ts.is_none() && post.blocks.contains("Good morning"))
            .count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_owed_while_down_comes_once_and_says_that_it_is_late() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    // Down from 07:50 to 08:40 in Berlin: Noa's hour was before, Dana's and the pool's within.
    bot.at("2026-11-23T02:30:00Z").await;
    bot.at("2026-11-23T07:40:00Z").await;
    let danas = bot.next_post("dana");
    assert!(danas.text().contains("This message is late today."), "{}", danas.text());
    assert!(!bot.next_post("noa").text().contains("late today"));
    for _ in 0..3 {
        bot.tick().await;
    }
    assert_eq!(bot.mornings_of("dana"), 1);
    // Lea's hour is 08:30: ten minutes late as well.
    assert_eq!(bot.mornings().await, (5, 4));
    bot.skip();
    bot.finish().await;
}

/// Down over the whole night and the next: the diagnosis is made at the start, and nobody gets yesterday's message.
#[tokio::test(flavor = "multi_thread")]
async fn days_that_were_slept_through_are_not_made_up_for() {
    let bot = sunday().await;
    bot.at("2026-11-25T12:00:00Z").await;
    assert_eq!(bot.mornings_of("dana"), 0, "the morning that was owed was Monday's");
    bot.at("2026-11-26T01:00:00Z").await;
    bot.at("2026-11-26T07:00:00Z").await;
    assert_eq!(bot.mornings_of("dana"), 1);
    assert!(bot.next_post("dana").text().contains("Thursday 26 November 2026"));
    bot.skip();
    bot.finish().await;
}

/// Two weeks, tick by tick: weekends, a holiday of everybody's, an empty morning on all the other days.
#[tokio::test(flavor = "multi_thread")]
async fn weekends_and_holidays_are_silent() {
    let bot = sunday().await;
    bot.import(RowKind::Holidays, "date,name\n2026-12-01,Founders' day\n").await;
    let mut days: BTreeMap<String, usize> = BTreeMap::new();
    for day in 23..=34 {
        let date = if day <= 30 { format!("2026-11-{day}") } else { format!("2026-12-0{}", day - 30) };
        bot.at(&format!("{date}T01:00:00Z")).await;
        let before = bot.mornings_of("dana");
        bot.at(&format!("{date}T07:00:00Z")).await;
        days.insert(date, bot.mornings_of("dana") - before);
    }
    let silent: Vec<&String> = days.iter().filter(|(_, count)| **count == 0).map(|(date, _)| date).collect();
    assert_eq!(silent, ["2026-11-28", "2026-11-29", "2026-12-01"]);
    assert!(days.values().all(|count| *count <= 1), "{days:?}");
    bot.skip();
    bot.finish().await;
}

/// The clocks change on 25 October 2026 and on 28 March 2027 in Berlin, on 1 November and 14 March in New York.
#[tokio::test(flavor = "multi_thread")]
async fn the_hour_stays_the_hour_when_the_clocks_change() {
    for (start, mornings) in [
        // Friday before and Monday after, in each person's own hour as UTC.
        (
            "2026-10-23",
            [
                ("2026-10-23T06:00:00Z", "dana"),
                ("2026-10-23T13:00:00Z", "kim"),
                ("2026-10-26T07:00:00Z", "dana"),
                ("2026-10-26T13:00:00Z", "kim"),
            ],
        ),
        (
            "2027-03-26",
            [
                ("2027-03-26T07:00:00Z", "dana"),
                ("2027-03-26T13:00:00Z", "kim"),
                ("2027-03-29T06:00:00Z", "dana"),
                ("2027-03-29T13:00:00Z", "kim"),
            ],
        ),
    ] {
        let bot = sunday_before(start).await;
        for (at, who) in mornings {
            let time: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
            let (night, early) = (time.date_naive(), time - chrono::TimeDelta::seconds(1));
            bot.at(&format!("{night}T01:30:00Z")).await;
            let before = bot.mornings_of(who);
            bot.at(&early.to_rfc3339()).await;
            assert_eq!(bot.mornings_of(who), before, "{who} before {at}");
            bot.at(at).await;
            assert_eq!(bot.mornings_of(who), before + 1, "{who} at {at}");
        }
        let late = "SELECT count(*) FROM tandem.digest d JOIN tandem.person p USING (org_id, person_id) \
                    WHERE d.late AND p.email IN ('dana@x.eu', 'kim@x.eu')";
        assert_eq!(bot.number(&bot.org, late).await, 0, "theirs are not late");
        bot.skip();
        bot.finish().await;
    }
}

/// As `sunday`, the evening before this date.
async fn sunday_before(date: &str) -> TestBot {
    let date: chrono::NaiveDate = date.parse().unwrap();
    let bot =
        TestBot::new(tandem::domain::routing::Model::Pair, &format!("{}T20:00:00Z", date.pred_opt().unwrap())).await;
    bot.import(RowKind::People, super::PEOPLE).await;
    bot.import(RowKind::Accounts, super::ACCOUNTS).await;
    bot
}
