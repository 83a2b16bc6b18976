//! What a lead's morning compares with, and what it says when it is drawn again later.

use tandem::app::content;
use tandem::domain::message::Block;
use tandem::domain::person::PersonId;
use tandem::domain::renewal_work::{Outcome, RenewalWork};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store;

use super::{PEOPLE, sunday};
use crate::support::bot::TestBot;

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_reads_the_change_since_their_own_last_morning_and_an_old_message_says_now() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:30:00Z").await;
    let monday = bot.next_post("lea");
    assert!(monday.text().contains("€100k in 1 account") && !monday.text().contains("since Sun"), "{}", monday.text());
    bot.skip();
    for day in ["2026-11-26", "2026-11-27"] {
        bot.at(&format!("{day}T01:00:00Z")).await;
        bot.at(&format!("{day}T07:30:00Z")).await;
        bot.skip();
    }
    // Calm falls over the weekend; by Sunday's night it is known, and on Monday it is news to the lead.
    let rows = "account_id,source,kind,observed_on,value\ncalm,crm,notice_served,2026-11-27,true\n";
    bot.import(RowKind::Signals, rows).await;
    for day in ["2026-11-28", "2026-11-29", "2026-11-30"] {
        bot.at(&format!("{day}T01:00:00Z")).await;
        bot.skip();
    }
    bot.at("2026-11-30T07:30:00Z").await;
    let next = bot.next_post("lea");
    assert!(next.text().contains("€120k in 2 accounts, up €20k since Fri 27 Nov"), "{}", next.text());
    assert!(next.text().contains("Your team") && !next.text().contains("Your team now"), "{}", next.text());
    bot.skip();
    // Drawn again, last week's message shows the team as it stands now, and says so.
    let digest = "SELECT m.content::text FROM tandem.message m \
                    JOIN tandem.digest d ON d.digest_id = (m.content ->> 'digest')::uuid \
                    JOIN tandem.person p ON p.person_id = d.person_id AND p.email = 'lea@x.eu' \
                   WHERE d.local_date = '2026-11-23'";
    let content: serde_json::Value = serde_json::from_str(&bot.text(&bot.org, digest).await).unwrap();
    let lea = bot.text(&bot.org, "SELECT person_id::text FROM tandem.person WHERE email = 'lea@x.eu'").await;
    let lea = PersonId(lea.parse().unwrap());
    let again = content::render(&bot.app, bot.org.id, uuid::Uuid::nil(), &content, Some(lea)).await.unwrap().unwrap();
    assert!(again.blocks.contains(&Block::Heading("Your team now, Mon 30 Nov".into())), "{again:?}");
    assert!(again.blocks.contains(&Block::Heading("Good morning, Lea · Monday 23 November 2026".into())), "{again:?}");
    bot.finish().await;
}

/// What is found by day makes that day's diagnosis anew: to who has had their morning it is news all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_fell_after_the_leads_morning_is_news_in_the_next() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:30:00Z").await;
    bot.skip();
    bot.clock.set("2026-11-23T10:00:00Z".parse().unwrap());
    let rows = "account_id,source,kind,observed_on,value\ncalm,crm,notice_served,2026-11-23,true\n";
    bot.import_to(&bot.org, RowKind::Signals, rows).await;
    bot.tick().await;
    bot.skip();
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:30:00Z").await;
    let tuesday = bot.next_post("lea");
    assert!(tuesday.text().contains("€120k in 2 accounts, up €20k since Mon 23 Nov"), "{}", tuesday.text());
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quarters_renewals_are_those_of_the_terms_that_end_in_it() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    let accounts = "account_id,name,arr,renewal_date,term_months,notice_period_days,auto_renew,status,csm_email\n\
        near,Near,100000,2026-12-20,12,60,true,active,dana@x.eu\n\
        next,Next,50000,2027-01-31,12,90,true,active,dana@x.eu\n\
        gone,Gone,20000,2026-12-31,12,30,true,churned,dana@x.eu\n\
        monthly,Monthly,1200,2026-12-01,1,0,true,active,dana@x.eu\n";
    bot.import(RowKind::Accounts, accounts).await;
    let dana = bot.text(&bot.org, "SELECT person_id::text FROM tandem.person WHERE email = 'dana@x.eu'").await;
    let dana = PersonId(dana.parse().unwrap());
    let mut tx = bot.app.store.tenant(bot.org.id).await.unwrap();
    // The opt-out dates of Near and Next were both in this quarter; Next renews in the one after it. Monthly renews by
    // itself every month, and nobody has anything to settle about it.
    for (account, renewal, deadline, outcome) in [
        ("near", "2026-12-20", "2026-10-21", Outcome::Renewed { arr_after: None }),
        ("next", "2027-01-31", "2026-11-02", Outcome::Renewed { arr_after: None }),
        ("gone", "2026-12-31", "2026-12-01", Outcome::Lost { reason: "went elsewhere".to_owned() }),
    ] {
        let id = uuid::Uuid::now_v7();
        let (renewal, deadline) = (renewal.parse().unwrap(), deadline.parse().unwrap());
        let work = RenewalWork::upcoming(id, account.into(), renewal, deadline, dana, bot.app.now());
        let (work, _) = work.end(dana, outcome, bot.app.now()).unwrap();
        store::renewal::save(&mut tx, &work).await.unwrap();
    }
    tx.commit().await.unwrap();
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:30:00Z").await;
    let leas = bot.next_post("lea").text();
    assert!(leas.contains("2 due, €120k; 2 settled, 1 lost"), "{leas}");
    assert!(!leas.contains("found after the opt-out date"), "it was renewed: {leas}");
    bot.skip();
    bot.finish().await;
}

/// A team that has many of the accounts is read along all of them, another one account by account.
#[tokio::test(flavor = "multi_thread")]
async fn a_team_of_most_accounts_is_counted_like_one_of_few() {
    let bot = sunday().await;
    bot.import(RowKind::People, "email,name,roles\nzoe@x.eu,Zoe Adler,csm\n").await;
    let accounts = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        base,Zinc,70000,100,2026-12-20,12,60,zoe@x.eu,\n\
        bond,Bond,30000,100,2026-12-20,12,60,dana@x.eu,kim@x.eu\n";
    bot.import(RowKind::Accounts, accounts).await;
    let rows = "account_id,source,kind,observed_on,value\nbase,crm,notice_served,2026-11-20,true\n";
    bot.import(RowKind::Signals, rows).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:30:00Z").await;
    bot.skip();
    let digest = "SELECT m.content::text FROM tandem.message m
                    JOIN tandem.digest d ON d.digest_id = (m.content ->> 'digest')::uuid
                    JOIN tandem.person p ON p.person_id = d.person_id AND p.email = 'lea@x.eu'";
    let content: serde_json::Value = serde_json::from_str(&bot.text(&bot.org, digest).await).unwrap();
    let lea = bot.text(&bot.org, "SELECT person_id::text FROM tandem.person WHERE email = 'lea@x.eu'").await;
    let lea = PersonId(lea.parse().unwrap());
    // What follows is said of the organisation.
    let drawn = || async {
        let message = content::render(&bot.app, bot.org.id, uuid::Uuid::nil(), &content, Some(lea)).await;
        let blocks = message.unwrap().unwrap().blocks.into_iter();
        blocks.take_while(|block| *block != Block::Heading("This week".into())).collect::<Vec<_>>()
    };
    let of_most = drawn().await;
    // Days later something is stuck too.
    bot.clock.set("2026-12-03T12:00:00Z".parse().unwrap());
    let later = drawn().await;
    let others: String = (0..40).map(|n| format!("bo{n},Zinc {n},1000,zoe@x.eu\n")).collect();
    bot.import(RowKind::Accounts, &format!("account_id,name,arr,csm_email\n{others}")).await;
    assert_eq!(drawn().await, later);
    bot.clock.set("2026-11-23T07:30:00Z".parse().unwrap());
    assert_eq!(drawn().await, of_most);
    let said = format!("{of_most:?}{later:?}");
    for what in ["€100k in 1 account", "1 due, €30k", "Stuck"] {
        assert!(said.contains(what), "no {what:?} in {said}");
    }
    assert!(!said.contains("Zinc"), "it is another's: {said}");
    bot.finish().await;
}
