//! What a lead's morning compares with, and what it says when it is drawn again later.

use tandem::app::content;
use tandem::domain::message::Block;
use tandem::domain::person::PersonId;
use tandem::domain::row::RowKind;

use super::sunday;

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
