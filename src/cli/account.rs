//! `tandem account`: an account's card as text.

use std::sync::Arc;

use super::Done;
use super::digest::WIDTH;
use super::open::open;
use crate::app::{App, query};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::message::text::to_text;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// The account's name, or its id
    name: String,
    /// E-mail of the person through whose eyes to look
    #[arg(long = "as", value_name = "EMAIL")]
    reader: Option<String>,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let reader = match &args.reader {
        None => None,
        Some(email) => {
            let mut tx = app.store.tenant(organisation.id).await?;
            let snapshot = app.snapshot(&mut tx).await?;
            let person = snapshot.person_by_email(email).map(|person| person.id);
            Some(person.ok_or_else(|| anyhow::anyhow!("nobody in {} has the e-mail \"{email}\"", args.org))?)
        }
    };
    let message = query::account_by_name(&app, organisation.id, reader, &args.name).await?;
    opened.close().await?;
    let message = message.ok_or_else(|| anyhow::anyhow!("no account matches \"{}\"", args.name))?;
    println!("{}", to_text(&message, WIDTH));
    Ok(Done::Well)
}
