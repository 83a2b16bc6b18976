//! What stands beside the morning: pictures, the home page, settings, channels.

mod channels;
mod home;
mod introductions;
mod many;
mod pictures;
mod roster;
mod settings;
mod sharing;

use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use crate::support::bot::TestBot;

const PEOPLE: &str = "email,name,roles,timezone,digest_time,manager_email,pool,slack_user_id\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,08:00,,,Ulea\n\
    ada@x.eu,Ada Quinn,admin,Europe/Berlin,08:00,,,Uada\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,08:00,lea@x.eu,,Udana\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,08:00,lea@x.eu,,Ukim\n\
    pat@x.eu,Pat Moss,account_manager,Europe/Berlin,08:00,lea@x.eu,emea,Upat\n";

const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email,pool\n\
    acme,Acme,100000,100,2027-02-28,12,30,dana@x.eu,kim@x.eu,\n\
    bolt,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,,emea\n\
    calm,Calm,20000,100,2027-09-30,12,30,dana@x.eu,kim@x.eu,\n";

/// Tuesday after its night, before anybody's morning: Acme served notice, Bolt's seats are full, Calm is well.
async fn tuesday() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    let mut signals = "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-20,true\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        for (account, users) in [("acme", 60), ("bolt", 95), ("calm", 60)] {
            signals += &format!("{account},usage,active_users,{day},{users}\n");
        }
    }
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-24T01:00:00Z").await;
    bot.skip();
    bot
}
