//! Teams from the outside: who is let in, what people see and press, what
//! arrives, and that nothing is less than in Slack.

mod channels;
mod doctor;
mod door;
mod every;
mod home;
mod life;
mod outsiders;
mod parity;
mod sending;
mod surfaces;

use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::Platform;

use crate::support::bot::{TEAM, TestBot};
use crate::support::teams::Card;

/// Dana and Kim are in Teams, Lea and Vic in neither chat.
const PEOPLE: &str = "email,name,roles,timezone,digest_time,manager_email,teams_user_id\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,08:30,,AAD-lea\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,aad-Dana\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,lea@x.eu,aad-kim\n\
    vic@x.eu,Vic Hale,viewer,Europe/Berlin,08:00,,\n";

const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
    acme,Acme,100000,100,2027-02-28,12,30,dana@x.eu,kim@x.eu\n\
    bolt,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,kim@x.eu\n";

/// Acme serves notice; Bolt's seats are full, so a window opens.
fn signals() -> String {
    let mut rows = "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-20,true\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        rows += &format!("bolt,usage,active_users,{day},95\nacme,usage,active_users,{day},60\n");
    }
    rows
}

/// Lea, who leads them, hears of what goes wrong from now on.
async fn lea_is_admin(bot: &TestBot) {
    let lea = "email,name,roles\nlea@x.eu,Lea Lead,lead;admin\n";
    bot.import_to(&bot.org, RowKind::People, lea).await;
}

/// The Sunday before the first night, with everybody in Teams and nobody in Slack.
async fn sunday() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, &signals()).await;
    bot.unlink(Platform::Slack, TEAM).await;
    bot.link_tenants().await;
    bot
}

/// Monday, when Dana and Kim have their mornings.
async fn monday() -> (TestBot, Card, Card) {
    let bot = sunday().await;
    // The tenant beside is served by the same bot; its mornings are no part of this.
    bot.unlink_beside().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let (dana, kim) = (bot.hears("dana").await, bot.hears("kim").await);
    bot.clock.advance(chrono::TimeDelta::minutes(10));
    (bot, dana, kim)
}
