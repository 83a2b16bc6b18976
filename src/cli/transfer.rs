//! `tandem transfer`: a book, or one account, changes hands.

use std::sync::Arc;

use super::open::open;
use super::{Done, Format};
use crate::app::{App, transfer};
use crate::clock::SystemClock;
use crate::config::Config;
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
        Format::Text => println!(
            "{} went from {} to {}: {} as CSM, {} as account manager; with them {} open handoffs and {} renewals. Both are told in chat.",
            if done.accounts == 1 { "1 account".to_owned() } else { format!("{} accounts", done.accounts) },
            args.from,
            args.to,
            done.as_csm,
            done.as_account_manager,
            done.handoffs,
            done.renewals
        ),
    }
    Ok(Done::Well)
}
