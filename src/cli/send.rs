//! `tandem send`: a date's digests now, whatever the hour.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use super::open::open;
use super::{Done, Format, slack, teams};
use crate::app::App;
use crate::app::morning::{self, Asked, Queued};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::delivery::{Delivery, Senders, SlackSender};
use crate::domain::calendar;
use crate::store::message;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// The local date; default each person's today
    #[arg(long)]
    date: Option<NaiveDate>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How long lanes that others hold are waited for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    slack::check_supported(config)?;
    let opened = open(config, 24).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let slack = slack::connect(config, &opened, &app).await?;
    let teams = teams::connect(config)?;
    anyhow::ensure!(
        slack.is_some() || teams.is_some(),
        "there is nowhere to send to: set SLACK_BOT_TOKEN, or TEAMS_APP_ID with its secret and tenant"
    );

    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    drop(tx);
    anyhow::ensure!(
        snapshot.organisation.diagnosed_on.is_some(),
        "{} has no diagnosis yet; run `tandem diagnose --org {}`",
        args.org,
        args.org
    );
    let now = SystemClock.now();
    let asked = snapshot.people.iter().map(|person| Asked {
        person: person.id,
        date: args.date.unwrap_or_else(|| calendar::local_date(person.timezone, now)),
        late: false,
    });
    let queueing = morning::queue(&app, organisation.id, asked.collect());
    let sender = slack.map(|slack| SlackSender { client: slack.client, tokens: slack.tokens });
    let senders = Senders { slack: sender, teams: teams.map(|teams| teams.sender()), preview: false };
    let delivery = Delivery::new(app.clone(), senders);
    let (answers, drained) = delivery.drain_beside(queueing, Some(organisation.id), PATIENCE).await?;
    let (mut queued, mut already) = (0_u64, 0_u64);
    for (_, answer) in answers {
        match answer? {
            Queued::Now(_) => queued += 1,
            Queued::Already => already += 1,
            Queued::Not => {}
        }
    }
    let mut tx = app.store.tenant(organisation.id).await?;
    let waiting = message::open_posts(&mut tx).await?;
    drop(tx);
    opened.close().await?;
    match args.format {
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "queued": queued, "sent": drained.sent, "already_sent": already, "given_up": drained.given_up, "waiting": waiting,
            })
        ),
        Format::Text => {
            println!("{queued} queued, {} sent, {already} already sent, {} given up", drained.sent, drained.given_up);
            if waiting > 0 {
                println!("{waiting} wait for a later try; `tandem serve` sends them, or another `tandem send`.");
            }
        }
    }
    Ok(if drained.given_up > 0 { Done::WithFaults } else { Done::Well })
}
