//! The command line: one file per command.

mod account;
mod audit;
mod channel;
mod demo;
mod diagnose;
mod digest;
mod doctor;
mod erase;
mod export;
mod figures;
mod import;
mod key;
mod keys;
mod link;
mod manifest;
mod migrate;
mod model;
mod open;
mod org;
mod policy;
mod progress;
mod send;
mod serve;
mod slack;
mod teams;
mod transfer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::Config;

/// One diagnosis of every customer account each night, delivered each morning from two angles.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// TOML file with the same keys as the environment variables
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: a sample organisation and a page on this machine; no account anywhere needed
    Demo(demo::Args),
    /// The service: webhooks, scheduler, delivery
    Serve(serve::Args),
    /// Bring the database up to date
    Migrate(migrate::Args),
    /// Make and list organisations
    #[command(subcommand)]
    Org(org::Command),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Encrypt stored tokens under another key
    #[command(subcommand)]
    Keys(keys::Command),
    /// Say which Slack workspace or Teams tenant belongs to which organisation
    #[command(subcommand)]
    Link(link::Command),
    /// Say which pools and leads read a channel instead of direct messages
    #[command(subcommand)]
    Channel(channel::Command),
    /// Read people, accounts, contacts, signals, outcomes, quotas and holidays from files
    Import(import::Args),
    /// Diagnose every account for a date and store it
    Diagnose(diagnose::Args),
    /// Show, try, fit or switch the diagnosis policy
    #[command(subcommand)]
    Policy(policy::Command),
    /// Print a morning's messages; send nothing
    Digest(digest::Args),
    /// Queue a date's digests now, whatever the hour, and deliver them
    Send(send::Args),
    /// Print an account's card
    Account(account::Args),
    /// Give a book, or one account, to somebody else, with a brief
    Transfer(transfer::Args),
    /// Print key figures and the failure measures of the organisation model
    Figures(figures::Args),
    /// Show, change or check the organisation model
    #[command(subcommand)]
    Model(model::Command),
    /// Check everything that a morning needs
    Doctor(doctor::Args),
    /// Write the app manifest ready to upload
    Manifest(manifest::Args),
    /// Print or check the audit trail
    #[command(subcommand)]
    Audit(audit::Command),
    /// Write everything that is kept about an organisation to a folder
    Export(export::Args),
    /// Forget an organisation, a contact or a colleague
    Erase(erase::Args),
}

/// How a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

/// What a command came to: exit code 0 or 1. Wrong usage is clap's 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Well,
    /// Its output says what went wrong.
    WithFaults,
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(panicked));
    let cli = Cli::parse();
    let outcome = Config::load(cli.config.as_deref()).and_then(|config| {
        start_logging(&config)?;
        rustls::crypto::ring::default_provider()
            .install_default()
            .map_err(|_| anyhow::anyhow!("the TLS provider was installed twice"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(cli.command, config))
    });
    match outcome {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::WithFaults) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tandem: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Says where a panic was, never what it said: that may hold somebody's data. What cannot be printed ends the command
/// with a sentence instead.
fn panicked(info: &std::panic::PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or_default();
    if let Some(why) = said.strip_prefix("failed printing to stdout: ") {
        unprinted(why);
        std::process::exit(1);
    }
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked");
}

/// Says that what a command prints is lost, as on a full disk. A reader that closed its end of the pipe (`| head`) has
/// what it wanted.
fn unprinted(why: &str) {
    let closed = std::io::Error::from(rustix::io::Errno::PIPE);
    if why != closed.to_string() {
        eprintln!("tandem: standard output can't be written, so what this command says is lost: {why}");
    }
}

async fn run(command: Command, config: Config) -> anyhow::Result<Done> {
    match command {
        Command::Demo(args) => demo::run(args, &config).await,
        Command::Serve(args) => serve::run(args, &config).await,
        Command::Digest(args) => digest::run(args, &config).await,
        Command::Send(args) => send::run(args, &config).await,
        Command::Account(args) => account::run(args, &config).await,
        Command::Figures(args) => figures::run(args, &config).await,
        Command::Doctor(args) => doctor::run(args, &config).await,
        Command::Manifest(args) => manifest::run(args, &config),
        Command::Migrate(args) => migrate::run(args, &config).await,
        Command::Org(command) => org::run(command, &config).await,
        Command::Key(command) => key::run(command, &config).await,
        Command::Keys(command) => keys::run(command, &config).await,
        Command::Link(command) => link::run(command, &config).await,
        Command::Channel(command) => channel::run(command, &config).await,
        Command::Transfer(args) => transfer::run(args, &config).await,
        Command::Import(args) => import::run(args, &config).await,
        Command::Diagnose(args) => diagnose::run(args, &config).await,
        Command::Policy(command) => policy::run(command, &config).await,
        Command::Model(command) => model::run(command, &config).await,
        Command::Audit(command) => audit::run(command, &config).await,
        Command::Export(args) => export::run(args, &config).await,
        Command::Erase(args) => erase::run(args, &config).await,
    }
}

/// An error and its causes as one sentence, each said once.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

fn start_logging(config: &Config) -> anyhow::Result<()> {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;

    let filter = EnvFilter::try_new(&config.log.filter).map_err(|error| {
        anyhow::anyhow!(
            "TANDEM_LOG is \"{}\", which is no filter ({error}); expected for example info or tandem=debug",
            config.log.filter
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if config.log.json {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
