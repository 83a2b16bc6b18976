//! `tandem send`: a date's digests now, whatever the hour.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use uuid::Uuid;

use super::open::open;
use super::{Done, Format, slack, teams};
use crate::app::App;
use crate::app::morning::{self, Asked, Queued};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::delivery::{Delivery, Drained, Senders, SlackSender};
use crate::domain::calendar;
use crate::slack::client;
use crate::store::{digest, outbox};
use crate::tokens;

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

/// As many as delivery has in `serve`. Each plans its statements and fills its caches for itself: with 24 a morning of
/// thousands took longer.
const CONNECTIONS: u32 = 16;
/// How long lanes that others hold are waited for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, CONNECTIONS).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let slack = slack::connect(config, &opened, &app).await?;
    if let Some(slack) = &slack {
        let proven = slack.tokens.prove().await;
        let refused =
            |error: &client::Error| matches!(error, client::Error::Unauthorized(_) | client::Error::Denied { .. });
        match proven {
            // Slack is down, perhaps, or can't say: what is queued goes out when it can.
            Err(tokens::Error::Unproven(error)) if !refused(&error) => {}
            // Nothing is queued for a workspace that the token does not open.
            proven => proven?,
        }
    }
    let teams = teams::connect(config)?;
    anyhow::ensure!(
        slack.is_some() || teams.is_some(),
        "there is nowhere to send to: set SLACK_BOT_TOKEN, or TEAMS_APP_ID with its secret and tenant"
    );

    let mut tx = app.store.tenant(organisation.id).await?;
    let snapshot = app.snapshot(&mut tx).await?;
    let leftovers = digest::open(&mut tx).await?;
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
    let (answers, did) = delivery.drain_beside(queueing, Some(organisation.id), PATIENCE).await?;
    let (mut queued, mut already, mut nowhere) = (Vec::new(), Vec::new(), 0);
    for (asked, answer) in answers {
        match answer? {
            Queued::Now(message) => queued.push(message),
            Queued::Already => already.push((asked.person, asked.date)),
            Queued::Not => {}
            Queued::Nowhere => nowhere += 1,
        }
    }
    // What an earlier run had left open is of this one.
    already.retain(|morning| leftovers.iter().all(|open| (open.person, open.date) != *morning));
    let posts: Vec<Uuid> = queued.iter().copied().chain(leftovers.iter().map(|open| open.message)).collect();
    let mut tx = app.store.tenant(organisation.id).await?;
    let waiting = outbox::open_posts(&mut tx).await?;
    // `serve` may hold the lane: then it is the one that sends what was queued here.
    let ended = outbox::ended_posts(&mut tx, &posts).await?;
    // Whoever repeats the call is to hear of them again: nobody else does anything about it.
    let given_up_before = digest::given_up(&mut tx, &already).await?;
    drop(tx);
    opened.close().await?;
    let (queued, sent) = (queued.len(), ended.sent);
    let by_others = sent.saturating_sub(did.digests.sent);
    let given_up = ended.given_up + given_up_before;
    let already = already.len() as u64 - given_up_before;
    let Drained { sent: others_sent, given_up: others_given_up } = did.others;
    match args.format {
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "queued": queued, "sent": sent, "sent_by_others": by_others, "already_sent": already, "given_up": given_up,
                "other_messages": {"sent": others_sent, "given_up": others_given_up}, "no_workspace": nowhere, "waiting": waiting,
            })
        ),
        Format::Text => {
            println!("{queued} queued, {sent} sent, {already} already sent, {given_up} given up");
            if by_others > 0 {
                println!("{by_others} of those were sent by another process that runs beside, such as `tandem serve`.");
            }
            if others_sent + others_given_up > 0 {
                println!("Besides mornings: {others_sent} sent, {others_given_up} given up.");
            }
            if waiting > 0 {
                println!(
                    "{waiting} wait for their hour or a later try; `tandem serve` sends them, or another `tandem send`."
                );
            }
        }
    }
    if nowhere > 0 {
        let who = if nowhere == 1 { "1 person has".to_owned() } else { format!("{nowhere} people have") };
        let slug = &args.org;
        eprintln!("tandem: {who} no workspace to send to; link one with `tandem link slack TEAM_ID --org {slug}`");
    }
    let is_well = given_up + others_given_up + nowhere == 0;
    Ok(if is_well { Done::Well } else { Done::WithFaults })
}
