//! `tandem demo`: one command, no account anywhere. An embedded Postgres of its
//! own, a sample organisation, its diagnosis, and a page on which each person's
//! messages can be seen and clicked, up to the next morning.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use tokio::net::TcpListener;

use super::Done;
use super::serve::stop_signal;
use crate::app::organisation::{self, NewOrganisation};
use crate::app::sample::{self, Sample};
use crate::app::{App, import, morning, night};
use crate::clock::{Clock, MockClock, SystemClock};
use crate::config::Config;
use crate::delivery::{Delivery, Senders};
use crate::domain::calendar;
use crate::domain::money::Currency;
use crate::domain::person::Person;
use crate::domain::routing::Model;
use crate::domain::row::Rows;
use crate::http::demo::{Demo, router};
use crate::http::{Drain, serve};
use crate::postgres;
use crate::scheduler;
use crate::store::audit::Actor;
use crate::store::directory::{self, Organisation, Platform, Workspace};
use crate::store::{self, Store, migrate, settings};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// The sample is made from this seed: everybody sees the same book.
const SEED: u64 = 7;
/// The sample organisation's own zone.
const ZONE: Tz = chrono_tz::America::New_York;
/// Weeks of earlier diagnoses, so that health has a history to show.
const HISTORY_WEEKS: u64 = 13;
/// The page's own delivery may hold the lane: how long it is waited for, so that a message bears its own time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody waits for a chat platform here.
const POLICY: &str =
    "[pacing]\nper_channel_per_second = 1000.0\nper_workspace_per_minute = 60000\n\n[rates]\nEUR = 1.08\nGBP = 1.27\n";

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let begun = Instant::now();
    // Before anything is made: a port in use should cost nothing.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {} is in use by another program; choose another with --port", args.port)
        }
        _ => anyhow::anyhow!("can't listen on {address}: {error}"),
    })?;
    let stop = stop_signal()?;
    let server = postgres::start(postgres::Settings::demo(&config.data_dir, config.pg_bin.clone())).await?;
    let store = Store::connect(server.connect_options(), 16, store::PATIENCE).await?;
    migrate::run(&store).await?;

    let today = first_day(calendar::local_date(ZONE, SystemClock.now()));
    let clock = MockClock::new(midnight(today));
    let app = App::new(store.clone(), Arc::new(clock.clone()));
    let sample = sample::organisation(SEED, today);
    let (organisation, workspace) = organisation(&app, &sample).await?;
    let org = organisation.id;
    let world = World {
        sample: Arc::new(sample),
        first: today,
        organisation,
        delivery: Delivery::new(app.clone(), Senders { preview: true, ..Senders::default() }),
        app: app.clone(),
        clock,
    };
    world.history(today).await?;
    world.night_before(today).await?;
    world.morning(today).await?;

    let next = {
        let world = world.clone();
        Arc::new(move || {
            let world = world.clone();
            Box::pin(async move { world.next_morning().await }) as futures_util::future::BoxFuture<'static, _>
        })
    };
    let routes = router(Demo::new(app, org, workspace, next));
    greet(listener.local_addr()?, begun.elapsed());

    // Clicks queue messages between mornings: a colleague's offer arrives while one looks.
    let (stopping, stopped) = tokio::sync::watch::channel(false);
    let delivering = tokio::spawn({
        let delivery = world.delivery.clone();
        let mut stopped = stopped;
        async move {
            delivery
                .run(async move {
                    let _ = stopped.wait_for(|stopping| *stopping).await;
                })
                .await;
        }
    });
    let served = serve(listener, routes, Drain::new(), async move {
        stop.await;
        stopping.send_replace(true);
    })
    .await;
    delivering.await.context("delivery panicked")?;
    store.close().await;
    server.stop().await?;
    served?;
    Ok(Done::Well)
}

fn greet(address: SocketAddr, took: Duration) {
    println!("Tandem demo, ready in {:.1} s. Open:", took.as_secs_f64());
    println!();
    println!("    http://{address}/");
    println!();
    println!("Try: read Dana's morning and press Acknowledge; look at the same account as Tom, its account manager;");
    println!(
        "     qualify an expansion window and claim it as the other side; type /account and a name; go to the next morning."
    );
    println!("Nothing leaves this machine, and everything is gone when it stops (Ctrl-C).");
}

/// The sample begins on a working day.
fn first_day(today: NaiveDate) -> NaiveDate {
    match today.weekday() {
        Weekday::Sat => today + Days::new(2),
        Weekday::Sun => today + Days::new(1),
        _ => today,
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

async fn organisation(app: &App, sample: &Sample) -> anyhow::Result<(Organisation, Workspace)> {
    let now = app.now();
    let new = NewOrganisation {
        slug: "lumenstack".to_owned(),
        name: "Lumenstack".to_owned(),
        model: Model::Pair,
        timezone: ZONE,
        currency: Currency::USD,
    };
    let made = organisation::create(&app.store, new, now).await?;
    let workspace = Workspace { platform: Platform::Preview, id: made.slug.clone() };
    organisation::link(&app.store, made.id, &workspace, now).await?;
    let mut tx = app.store.tenant(made.id).await?;
    settings::use_policy(&mut tx, POLICY, now).await?;
    tx.commit().await?;
    let sample = sample.clone();
    let sets = vec![
        Rows::People(sample.people),
        Rows::Accounts(sample.accounts),
        Rows::Contacts(sample.contacts),
        Rows::Signals(sample.signals),
        Rows::Outcomes(sample.outcomes),
        Rows::Quotas(sample.quotas),
        Rows::Holidays(sample.holidays),
    ];
    import::rows(&app.store, &made, sets, Actor::System, now).await?;
    Ok((made, workspace))
}

/// The sample organisation and its clock.
#[derive(Clone)]
struct World {
    app: App,
    clock: MockClock,
    delivery: Delivery,
    organisation: Organisation,
    sample: Arc<Sample>,
    /// The day for which the sample was made.
    first: NaiveDate,
}

impl World {
    /// Earlier diagnoses, a week apart: history only, no message moves.
    async fn history(&self, today: NaiveDate) -> anyhow::Result<()> {
        for weeks in (1..=HISTORY_WEEKS).rev() {
            night::diagnose(&self.app, self.organisation.id, today - Days::new(7 * weeks), night::Run::History).await?;
        }
        Ok(())
    }

    /// The night before the first morning: whoever wakes in the east reads it.
    async fn night_before(&self, today: NaiveDate) -> anyhow::Result<()> {
        self.clock.set(calendar::night_at(ZONE, today - Days::new(1)));
        night::night(&self.app, self.organisation.id).await?;
        // In the west yesterday's morning is still to come then: the page begins with today's, for everybody.
        let mut tx = self.app.store.tenant(self.organisation.id).await?;
        let snapshot = self.app.snapshot(&mut tx).await?;
        let next: Vec<_> = snapshot
            .people
            .iter()
            .filter(|person| person.active)
            .map(|person| {
                let begins = calendar::instant(person.timezone, today, NaiveTime::MIN);
                (person.id, snapshot.calendar(person).next_digest_at(person.digest_time, begins))
            })
            .collect();
        directory::set_next_digests(&mut tx, &next).await?;
        tx.commit().await
    }

    /// Lives through a day until everybody's morning message is there, as the service would: each
    /// thing owed at its own moment.
    async fn morning(&self, day: NaiveDate) -> anyhow::Result<()> {
        let end = midnight(day) + TimeDelta::hours(24);
        // Time is skipped here on purpose: nobody has to hear that nothing was looked after meanwhile.
        let mut tx = self.app.store.tenant(self.organisation.id).await?;
        directory::set_next_watch(&mut tx, end + TimeDelta::days(7)).await?;
        tx.commit().await?;
        let (mut last, mut last_clock) = (None, None);
        loop {
            let mut tx = self.app.store.directory().await?;
            let (next, day_or_night) = directory::next_due_of(&mut tx, self.organisation.id).await?;
            drop(tx);
            let Some(due) = day_or_night.filter(|due| *due < end) else { break };
            // A clock that ends before that rings at its own moment, and not with the next night.
            if let Some(clock) = next.filter(|next| *next < due && last_clock < Some(*next)) {
                last_clock = Some(clock);
                self.live_at(clock).await?;
                continue;
            }
            // A night of the small hours is no reason to be awake: only mornings move the page's time.
            self.live_at(due).await?;
            if last == Some(due) {
                anyhow::bail!("what is owed at {due} stays owed; the log says why");
            }
            last = Some(due);
        }
        self.live_at(self.clock.now() + TimeDelta::minutes(5)).await
    }

    /// Does what is owed at a moment, or now where that is past.
    async fn live_at(&self, moment: DateTime<Utc>) -> anyhow::Result<()> {
        self.clock.set(moment.max(self.clock.now()));
        scheduler::tick(&self.app).await?;
        self.delivery.drain(Some(self.organisation.id), PATIENCE).await?;
        Ok(())
    }

    async fn next_morning(&self) -> anyhow::Result<()> {
        let today = calendar::local_date(ZONE, self.clock.now());
        let mut day = today + Days::new(1);
        loop {
            self.deliver(day - Days::new(1)).await?;
            // Weekends pass too: nights are diagnosed, and whoever works then has a morning.
            self.morning(day).await?;
            if !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && self.somebody_has_a_morning_on(day).await? {
                return Ok(());
            }
            day = day + Days::new(1);
        }
    }

    /// False on a day that is off for all: then nobody has a morning to look at.
    async fn somebody_has_a_morning_on(&self, day: NaiveDate) -> anyhow::Result<bool> {
        let mut tx = self.app.store.tenant(self.organisation.id).await?;
        let snapshot = self.app.snapshot(&mut tx).await?;
        let has_one =
            |person: &Person| morning::gets_mornings(person) && morning::off(&snapshot, person, day).is_none();
        Ok(snapshot.people.iter().any(has_one))
    }

    /// What the sources have to say about a day, when it is over.
    async fn deliver(&self, day: NaiveDate) -> anyhow::Result<()> {
        let signals = self.sample.signals_on(self.first, day);
        let sets = vec![Rows::Signals(signals)];
        import::rows(&self.app.store, &self.organisation, sets, Actor::System, self.app.now()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_begins_on_a_working_day() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d).unwrap();
        assert_eq!(first_day(day(20)), day(20));
        assert_eq!(first_day(day(21)), day(23));
        assert_eq!(first_day(day(22)), day(23));
    }
}
