//! `tandem erase`: an organisation, a contact or a colleague is forgotten.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use anyhow::ensure;

use super::Done;
use super::keys::master_keys;
use super::open::{Opened, open};
use super::progress::{self, grouped};
use crate::app::{App, erase};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::store::directory::Organisation;
use crate::store::erase::organisation::size;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --contact and --person everything of the organisation is erased: its people, accounts, \
    history, keys, links and audit trail. On a terminal its short name has to be typed first; elsewhere nothing is asked. \
    What was posted to Slack and Teams stays there."
)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// Only this contact at a customer: their rows, and their name and address in what colleagues wrote
    #[arg(long, value_name = "EMAIL")]
    contact: Option<String>,
    /// Only this colleague: name, address, chat accounts, settings; history then says "someone erased"
    #[arg(long, value_name = "EMAIL", conflicts_with = "contact")]
    person: Option<String>,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 3).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let done = match (&args.contact, &args.person) {
        (Some(email), _) => contact(&app, &organisation, email).await,
        (None, Some(email)) => person(&app, &organisation, email).await,
        (None, None) => whole(&opened, &organisation, config).await,
    };
    opened.close().await?;
    done?;
    if let Some(folder) = config.inbox.as_ref().map(|inbox| inbox.join(&args.org)).filter(|folder| folder.exists()) {
        println!("Files in {} are kept as they came: look through them too.", folder.display());
    }
    Ok(Done::Well)
}

async fn contact(app: &App, organisation: &Organisation, email: &str) -> anyhow::Result<()> {
    let erased = erase::contact(app, organisation.id, email).await?;
    println!(
        "Erased the contact at {}, and their name or address in {}.",
        counted(erased.accounts, "account", "accounts"),
        texts(erased.texts)
    );
    println!(
        "Messages of the last 30 days that show it are drawn anew; older ones and private answers stay in chat as they are. \
         If a source still has them, the next import brings them back: delete them there too."
    );
    Ok(())
}

async fn person(app: &App, organisation: &Organisation, email: &str) -> anyhow::Result<()> {
    let erased = erase::colleague(app, organisation.id, email).await?;
    println!(
        "Erased the colleague: name, address, chat accounts, settings, sales targets and messages to them, and their name \
         or address in {}. History says \"someone erased\"; the audit trail keeps their id.",
        texts(erased.texts)
    );
    if erased.handoffs + erased.renewals > 0 {
        println!(
            "What lay with them ({}, {}) went to who comes after them.",
            counted(erased.handoffs, "open handoff", "open handoffs"),
            counted(erased.renewals, "renewal", "renewals")
        );
    }
    if erased.accounts > 0 {
        println!(
            "They still hold {}: give them on with `tandem transfer --org {} --from {} --to EMAIL`.",
            counted(erased.accounts, "account", "accounts"),
            organisation.slug,
            erased.now_called
        );
    }
    println!("If people.csv still has them, the next import brings them back as somebody new: delete them there too.");
    Ok(())
}

async fn whole(opened: &Opened, organisation: &Organisation, config: &Config) -> anyhow::Result<()> {
    let slug = &organisation.slug;
    let mut tx = opened.store.tenant(organisation.id).await?;
    let (accounts, people) = size(&mut tx).await?;
    drop(tx);
    let holds = format!("{}, {}", counted(accounts, "account", "accounts"), counted(people, "person", "people"));
    if io::stdin().is_terminal() {
        let mut terminal = io::stderr();
        write!(
            terminal,
            "This erases everything that Tandem keeps about {slug} ({}): {holds}, their history and the audit trail. It \
             can't be undone.\nType {slug} to go on: ",
            organisation.name
        )?;
        terminal.flush()?;
        let mut typed = String::new();
        io::stdin().lock().read_line(&mut typed)?;
        ensure!(typed.trim() == slug, "that is not {slug}; nothing was erased");
    }
    let progress = Arc::new(erase::Progress::default());
    let watching = progress::line({
        let progress = Arc::clone(&progress);
        move || progress.now()
    });
    let keys = || master_keys(config);
    let rows = erase::organisation(&opened.store, organisation, keys, &progress, SystemClock.now()).await;
    drop(watching);
    println!("Erased {slug}: {holds}, {} rows in all, its keys, links and audit trail.", grouped(rows?));
    println!("What was posted to Slack and Teams stays there; remove the app there too.");
    Ok(())
}

fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

fn texts(number: u64) -> String {
    counted(number, "text that a colleague wrote", "texts that colleagues wrote")
}
