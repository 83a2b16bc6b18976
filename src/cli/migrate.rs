//! `tandem migrate`

use super::Done;
use super::open::open_as_it_is;
use crate::config::{Config, Database};
use crate::store::migrate::roles_sql;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the SQL that makes the roles, for a DBA, and change nothing
    #[arg(long)]
    print: bool,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    if args.print {
        let login = match &config.database {
            Database::Url(url) => login_of(secrecy::ExposeSecret::expose_secret(url)),
            Database::Embedded => "tandem".to_owned(),
        };
        print!("{}", roles_sql(&login));
        return Ok(Done::Well);
    }
    let opened = open_as_it_is(config, 2).await?;
    let count = crate::store::migrate::run(&opened.store).await?;
    opened.close().await?;
    match count {
        0 => println!("The database is up to date."),
        1 => println!("The database is up to date: one migration done."),
        n => println!("The database is up to date: {n} migrations done."),
    }
    Ok(Done::Well)
}

fn login_of(url: &str) -> String {
    url::Url::parse(url)
        .ok()
        .map(|url| url.username().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "tandem".into())
}
