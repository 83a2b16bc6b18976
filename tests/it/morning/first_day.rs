//! An organisation's first morning over 600 accounts: a backlog, not 600 alarms.

use std::fmt::Write as _;

use tandem::app::night;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use crate::support::bot::TestBot;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_morning_of_a_large_book_is_a_backlog() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    let people = "email,name,roles\ndana@x.eu,Dana Reyes,csm\nkim@x.eu,Kim Okafor,account_manager\n";
    bot.import_to(&bot.org, RowKind::People, people).await;
    let mut accounts =
        "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n"
            .to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 0..600 {
        let arr = 10_000 + n * 100;
        writeln!(accounts, "a{n:03},Account {n:03},{arr},100,2027-09-30,12,30,dana@x.eu,kim@x.eu").unwrap();
        // A third is in trouble, a third is full, a third is quiet.
        for (week, day) in
            ["10-04", "10-11", "10-18", "10-25", "11-01", "11-08", "11-15", "11-22"].into_iter().enumerate()
        {
            let users = match n % 3 {
                0 if week >= 5 => 5,
                0 => 90,
                1 => 96,
                _ => 60,
            };
            writeln!(signals, "a{n:03},usage,active_users,2026-{day},{users}").unwrap();
        }
        if n % 3 == 0 {
            for (source, kind, value) in [
                ("support", "csat", 10),
                ("support", "escalations", 4),
                ("billing", "invoice_overdue_days", 90),
                ("sentiment", "nps", 1),
            ] {
                writeln!(signals, "a{n:03},{source},{kind},2026-11-20,{value}").unwrap();
            }
        }
    }
    bot.import_to(&bot.org, RowKind::Accounts, &accounts).await;
    bot.import_to(&bot.org, RowKind::Signals, &signals).await;

    bot.at("2026-11-23T01:00:00Z").await;
    let number = async |sql: &str| bot.number(&bot.org, sql).await;
    let at_risk = number("SELECT count(*) FROM tandem.diagnosis WHERE band = 'at_risk'").await;
    let windows = number("SELECT count(*) FROM tandem.handoff WHERE accountable IS NOT NULL").await;
    assert!(at_risk >= 150 && windows >= 150, "a backlog: {at_risk} at risk, {windows} windows");
    let clocks = "SELECT count(*) FROM tandem.handoff WHERE clock_since IS NOT NULL";
    assert_eq!(number(clocks).await, 0, "no clock starts before a card was shown");
    assert_eq!(bot.unseen_lines(), [], "nobody is woken at night");

    bot.at("2026-11-23T07:00:30Z").await;
    let morning = bot.next_post("dana");
    let cards = "SELECT count(*) FROM tandem.digest_item i JOIN tandem.digest d USING (org_id, digest_id)
                   JOIN tandem.person p ON p.org_id = d.org_id AND p.person_id = d.person_id
                  WHERE p.email = 'dana@x.eu' AND i.group_no IS NULL";
    assert_eq!(number(cards).await, 5, "the budget holds");
    assert!(morning.text().contains("600 accounts"), "{}", morning.text());
    assert!(morning.summary.contains(&format!("{at_risk} at risk")), "{}", morning.summary);
    assert!(number(clocks).await <= 10, "clocks run for what was shown only: {}", number(clocks).await);
    let first =
        "First read of 600 accounts: the 5 cards that matter most today. The rest follows as you work through it.";
    assert!(morning.text().contains(first), "{}", morning.text());
    bot.skip();

    // On the days after, what was shown is silent for its five working days, and the next ones come: five a day.
    for (day, shown) in [("2026-11-24", 10), ("2026-11-25", 15)] {
        bot.at(&format!("{day}T01:00:00Z")).await;
        assert_eq!(bot.unseen_lines(), [], "nothing got worse over night");
        bot.at(&format!("{day}T07:00:30Z")).await;
        let morning = bot.next_post("dana");
        assert!(!morning.text().contains("First read"), "{}", morning.text());
        let cards = format!("{cards} AND d.local_date = '{day}'");
        assert_eq!(number(&cards).await, 5, "the budget holds on {day}");
        let different =
            "SELECT count(DISTINCT i.subject) FROM tandem.digest_item i JOIN tandem.digest d USING (org_id, digest_id)
                           JOIN tandem.person p ON p.org_id = d.org_id AND p.person_id = d.person_id
                          WHERE p.email = 'dana@x.eu' AND i.group_no IS NULL";
        assert_eq!(number(different).await, shown, "no card twice by {day}");
        bot.skip();
    }
    bot.finish().await;
}

/// Whoever sets Tandem up diagnoses by hand at noon; what people read the next morning is their first all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_morning_may_come_a_day_after_the_first_diagnosis() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, "email,name,roles\ndana@x.eu,Dana Reyes,csm\n").await;
    bot.import(RowKind::Accounts, "account_id,name,arr,csm_email\na1,Acme,1000,dana@x.eu\n").await;
    let notice = "account_id,source,kind,observed_on,value\na1,crm,notice_served,2026-11-20,true\n";
    bot.import(RowKind::Signals, notice).await;
    let today = "2026-11-22".parse().unwrap();
    night::diagnose(&bot.app, bot.org.id, today, night::Run::Live).await.unwrap();
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:30Z").await;
    let first = bot.next_post("dana").text();
    assert!(first.contains("First read of 1 account: 1 needs you today."), "{first}");
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:30Z").await;
    let second = bot.next_post("dana").text();
    assert!(!second.contains("First read"), "{second}");
    bot.finish().await;
}
