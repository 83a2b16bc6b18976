//! An organisation's first morning over 600 accounts: a backlog, not 600 alarms.

use std::fmt::Write as _;

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
    bot.skip();
    bot.finish().await;
}
