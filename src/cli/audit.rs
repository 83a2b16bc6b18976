//! `tandem audit`

use std::io::Write;

use super::open::open;
use super::{Done, Format, unprinted};
use crate::app::organisation::seal;
use crate::config::Config;
use crate::store::audit::{self, Look};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no event was changed, removed or reordered
    Verify {
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print every event, one a line; with --format json as JSON Lines
    Export {
        #[arg(long)]
        org: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 2).await?;
    let mut done = Done::Well;
    match command {
        Command::Verify { org, format } => {
            let organisation = opened.organisation(&org).await?;
            seal(&opened.store, organisation.id, Look::WHOLE).await?;
            let mut tx = opened.store.tenant(organisation.id).await?;
            let verdict = audit::verify(&mut tx).await?;
            drop(tx);
            if verdict.broken.is_some() {
                done = Done::WithFaults;
            }
            match (format, &verdict.broken) {
                (Format::Json, _) => println!("{}", serde_json::to_string(&verdict)?),
                (Format::Text, None) => {
                    println!(
                        "The audit trail of {org} holds: {} events sealed, {} not sealed yet.",
                        verdict.sealed, verdict.unsealed
                    );
                }
                (Format::Text, Some(broken)) => println!("The audit trail of {org} is broken: {broken}."),
            }
        }
        Command::Export { org, format } => {
            let organisation = opened.organisation(&org).await?;
            let mut tx = opened.store.tenant(organisation.id).await?;
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            let exported = audit::export(&mut tx, |event| {
                match format {
                    Format::Json => writeln!(out, "{}", serde_json::to_string(event)?)?,
                    Format::Text => writeln!(
                        out,
                        "{}  {}  {}  {}  {}",
                        event.at.to_rfc3339(),
                        event.actor,
                        event.event,
                        event.subject,
                        event.data
                    )?,
                }
                Ok(())
            })
            .await;
            drop(tx);
            match exported.and_then(|()| Ok(out.flush()?)).map_err(|error| error.downcast::<std::io::Error>()) {
                Ok(()) => {}
                Err(Ok(error)) => {
                    unprinted(&error.to_string());
                    done = Done::WithFaults;
                }
                Err(Err(error)) => return Err(error),
            }
        }
    }
    opened.close().await?;
    Ok(done)
}
