//! `tandem serve`: webhooks, scheduler and delivery in one process.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::open::{Opened, open, open_as_it_is};
use super::{Done, slack, teams};
use crate::app::inbox::Inbox;
use crate::app::{App, organisation};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::delivery::{Delivery, Senders, SlackSender};
use crate::http::{Drain, Http, Metrics, SlackDoor, roster, router, serve, socket};
use crate::scheduler;
use crate::store::{directory, migrate};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fail instead of bringing the database up to date
    #[arg(long)]
    no_migrate: bool,
}

/// Connections: webhooks have their share, and neither imports nor mornings can take it.
const WEBHOOK_CONNECTIONS: u32 = 16;
const API_CONNECTIONS: u32 = 6;
const WORK_CONNECTIONS: u32 = 16;
/// Of the scheduler, whose nights delivery does not wait for.
const NIGHT_CONNECTIONS: u32 = 14;

/// From the signal to the end of all work: reliability.md, 17.
const STOPPED_WITHIN: Duration = Duration::from_secs(24);

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    slack::check_whole(config)?;
    let teams = teams::connect(config)?;
    let listener = listen(config).await?;
    let stop = stop_signal()?;
    let opened = if args.no_migrate {
        let opened = open_as_it_is(config, WEBHOOK_CONNECTIONS).await?;
        migrate::check(&opened.store).await?;
        opened
    } else {
        open(config, WEBHOOK_CONNECTIONS).await?
    };
    finish_organisations(&opened).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock)).with_inbox(inbox(config));
    let slack = slack::connect(config, &opened, &app).await?;

    let api = app.beside(API_CONNECTIONS);
    let work = app.beside(WORK_CONNECTIONS);
    let drain = Drain::new();
    let secrets: Vec<_> = config.slack.signing_secret.iter().cloned().collect();
    let door = slack.as_ref().map(|slack| {
        let (api, client) = (slack.api.clone(), slack.client.clone());
        SlackDoor::new(secrets, api, client, slack.tokens.clone(), slack.install.clone())
    });
    let sender = slack.map(|slack| SlackSender { client: slack.client, tokens: slack.tokens });
    let tokens = sender.as_ref().map(|sender| sender.tokens.clone());
    if sender.is_none() && teams.is_none() {
        tracing::warn!(
            "no chat platform is configured: nothing will be delivered; set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET, \
             or TEAMS_APP_ID, TEAMS_APP_SECRET and TEAMS_TENANT_ID"
        );
    }
    let senders = Senders { slack: sender, teams: teams.as_ref().map(teams::Teams::sender), preview: false };
    let delivery = Delivery::new(work.clone(), senders);
    let http = Http::new(app.clone(), api, door, Metrics::install()?, drain.clone());
    let http = http.with_teams(teams.as_ref().map(teams::Teams::door));
    let routes = router(http.clone());

    let (stopping, stopped) = watch::channel(false);
    let until = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stopping| *stopping).await;
    };
    let scheduling = tokio::spawn(scheduler::run(app.beside(NIGHT_CONNECTIONS), stopped.clone()));
    let listing = tokio::spawn(roster::run(http.clone(), stopped.clone()));
    let hearing = config.slack.app_token.clone().map(|token| tokio::spawn(socket::run(http, token, stopped.clone())));
    let refreshing = tokio::spawn({
        let stopped = stopped.clone();
        async move {
            if let Some(tokens) = tokens {
                tokens.run(stopped).await;
            }
        }
    });
    let delivering = tokio::spawn({
        let (delivery, stopped) = (delivery, until(stopped.clone()));
        async move { delivery.run(stopped).await }
    });
    println!("Tandem listens on http://{}", listener.local_addr()?);
    let stopped_at = OnceLock::new();
    let serving = serve(listener, routes, drain, async {
        stop.await;
        tracing::info!("stopping");
        stopped_at.get_or_init(Instant::now);
        stopping.send_replace(true);
    });
    let served = serving.await;
    let by = *stopped_at.get_or_init(Instant::now) + STOPPED_WITHIN;
    ended("the scheduler", scheduling, by).await?;
    if let Some(hearing) = hearing {
        ended("Socket Mode", hearing, by).await?;
    }
    ended("the listing of workspaces", listing, by).await?;
    ended("the refreshing of tokens", refreshing, by).await?;
    ended("delivery", delivering, by).await?;
    opened.close().await?;
    served?;
    Ok(Done::Well)
}

/// Waits for work that was told to stop, and cuts it off where it has not ended by then.
async fn ended(what: &'static str, work: JoinHandle<()>, by: Instant) -> anyhow::Result<()> {
    let cut_off = work.abort_handle();
    match tokio::time::timeout_at(by.into(), work).await {
        Ok(ended) => ended.with_context(|| format!("{what} panicked")),
        Err(_) => {
            cut_off.abort();
            tracing::warn!(what, "stopped before it had ended");
            Ok(())
        }
    }
}

/// The folder of files to take before each diagnosis.
pub(super) fn inbox(config: &Config) -> Option<Inbox> {
    let folder = config.inbox.clone()?;
    Some(Inbox::new(folder, config.warehouses.clone()))
}

async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.bind).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("{} is in use by another program; choose another address with TANDEM_BIND", config.bind)
        }
        _ => anyhow::anyhow!("can't listen on {}: {error}", config.bind),
    })
}

/// Completes at SIGTERM or SIGINT.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// An organisation whose making was interrupted gets the rest of it.
async fn finish_organisations(opened: &Opened) -> anyhow::Result<()> {
    let mut tx = opened.store.directory().await?;
    let organisations = directory::organisations(&mut tx).await?;
    drop(tx);
    for organisation in organisations {
        organisation::finish(&opened.store, &organisation, SystemClock.now()).await?;
    }
    Ok(())
}
