//! `tandem transfer`: a book, or one account, changes hands.

use std::sync::Arc;

use super::open::open;
use super::{Done, Format};
use crate::app::App;
use crate::app::transfer::{self, Transferred};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::message::phrase::count;
use crate::store::audit::Actor;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// E-mail of who holds the book now; may have left
    #[arg(long, value_name = "EMAIL")]
    from: String,
    /// E-mail of who takes over
    #[arg(long, value_name = "EMAIL")]
    to: String,
    /// Only this account, by its id
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let done =
        transfer::transfer(&app, organisation.id, &args.from, &args.to, args.account.as_deref(), Actor::System).await;
    opened.close().await?;
    let done = done?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string(&done)?),
        Format::Text if done.accounts == 0 => println!("{} holds no account; nothing went over.", args.from),
        Format::Text => println!("{}", said(&done, &args.from, &args.to)),
    }
    Ok(Done::Well)
}

fn said(done: &Transferred, from: &str, to: &str) -> String {
    format!(
        "{} went from {from} to {to}: {} as CSM, {} as account manager; with them {} and {}. Both are told in chat.",
        count(done.accounts, "account"),
        done.as_csm,
        done.as_account_manager,
        count(done.handoffs, "open handoff"),
        count(done.renewals, "renewal")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_said_in_the_singular() {
        let one = Transferred { accounts: 1, as_csm: 1, as_account_manager: 0, handoffs: 1, renewals: 1 };
        insta::assert_snapshot!(said(&one, "dana@x.eu", "sam@x.eu"), @"1 account went from dana@x.eu to sam@x.eu: 1 as CSM, 0 as account manager; with them 1 open handoff and 1 renewal. Both are told in chat.");
        let more = Transferred { accounts: 42, as_csm: 42, as_account_manager: 2, handoffs: 3, renewals: 0 };
        insta::assert_snapshot!(said(&more, "dana@x.eu", "sam@x.eu"), @"42 accounts went from dana@x.eu to sam@x.eu: 42 as CSM, 2 as account manager; with them 3 open handoffs and 0 renewals. Both are told in chat.");
    }
}
