use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::account::{AccountStatus, Persona, Segment};
use crate::domain::money::Currency;
use crate::domain::person::Role;
use crate::domain::row::{OutcomeKind, Patch};
use crate::domain::signal::{KNOWN_KINDS, Shape, SignalValue, Source, known_kind};

mod files;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 23).unwrap()
}

fn sample() -> Sample {
    organisation(7, today())
}

/// The first account of this story.
fn told(sample: &Sample, story: Story) -> &AccountRow {
    let (id, _) = sample.stories.iter().find(|(_, told)| *told == story).unwrap();
    sample.accounts.iter().find(|account| account.account_id == *id).unwrap()
}

fn series(sample: &Sample, account: &AccountRow, kind: &str) -> Vec<(i64, SignalValue)> {
    let of = |row: &&SignalRow| row.account_id == account.account_id && row.kind == kind;
    sample.signals.iter().filter(of).map(|row| ((today() - row.observed_on).num_days(), row.value.clone())).collect()
}

fn numbers(sample: &Sample, account: &AccountRow, kind: &str) -> Vec<f64> {
    series(sample, account, kind).iter().filter_map(|(_, value)| value.number()).collect()
}

#[test]
fn the_same_seed_and_day_give_the_same_rows() {
    assert_eq!(sample(), sample());
    assert_ne!(sample().signals, organisation(8, today()).signals);
    assert_eq!(sample().stories, organisation(8, today() + TimeDelta::days(40)).stories);
}

#[test]
fn the_sources_go_on_after_the_first_day_and_each_turn_is_told_once() {
    let sample = sample();
    let known: BTreeSet<&AccountId> = sample.accounts.iter().map(|account| &account.account_id).collect();
    let mut said = BTreeSet::new();
    let mut turns = 0;
    for after in 0..14 {
        let day = today() + TimeDelta::days(after);
        let rows = sample.signals_on(today(), day);
        assert_eq!(rows, sample.signals_on(today(), day));
        for row in &rows {
            assert!(known.contains(&row.account_id) && row.observed_on == day, "{row:?}");
            assert!(said.insert((row.account_id.clone(), row.kind.clone(), day, row.reference.clone())), "{row:?}");
            turns += usize::from(matches!(row.value, SignalValue::Bool(_)));
        }
    }
    assert_eq!(turns, 9, "every turn's account is in the book");
    // No source falls silent: each has delivered in the second week too.
    for source in [Source::Usage, Source::Support, Source::Crm, Source::Onboarding] {
        let second = (7..14).flat_map(|after| sample.signals_on(today(), today() + TimeDelta::days(after)));
        assert!(second.filter(|row| row.source == source).count() > 2, "{source:?}");
    }
    // A ticket that is open grows older.
    let account = told(&sample, Story::Sev1);
    let last = *numbers(&sample, account, "sev1_open_days").last().unwrap();
    let next = (0..7).flat_map(|after| sample.signals_on(today(), today() + TimeDelta::days(after)));
    let grown = next.filter(|row| row.account_id == account.account_id && row.kind == "sev1_open_days");
    assert_eq!(grown.filter_map(|row| row.value.number()).collect::<Vec<_>>(), [last + 7.0]);
}

#[test]
fn the_book_has_the_size_of_a_real_one() {
    let sample = sample();
    assert_eq!((sample.people.len(), sample.accounts.len()), (10, 77));
    let names: BTreeSet<&str> = sample.accounts.iter().map(|account| account.name.as_str()).collect();
    let ids: BTreeSet<&AccountId> = sample.accounts.iter().map(|account| &account.account_id).collect();
    assert_eq!((names.len(), ids.len()), (77, 77));
    for segment in Segment::ALL {
        let share = sample.accounts.iter().filter(|account| account.segment.set() == Some(&segment)).count();
        assert!(share >= 15, "{segment:?} {share}");
    }
    let in_currency = |currency| sample.accounts.iter().filter(|account| account.currency == Some(currency)).count();
    assert!(in_currency(Currency::EUR) >= 4 && in_currency(Currency::GBP) >= 4 && in_currency(Currency::USD) >= 50);
    let arr: Vec<i64> = sample.accounts.iter().filter_map(|account| account.arr.set()).map(|arr| arr.minor).collect();
    assert!(arr.iter().min().is_some_and(|least| (600_000..1_000_000).contains(least)), "{arr:?}");
    assert!(arr.iter().max().is_some_and(|most| (80_000_000..=90_000_000).contains(most)), "{arr:?}");
    assert!((20_000..60_000).contains(&sample.signals.len()), "{} signals", sample.signals.len());
}

#[test]
fn every_role_zone_and_routing_occurs() {
    let sample = sample();
    let has = |role| sample.people.iter().filter(|person| person.roles.contains(&role)).count();
    assert_eq!(Role::ALL.map(has), [4, 4, 1, 1, 1]);
    assert!(sample.people.iter().any(|person| person.roles.len() == 2));
    assert_eq!(sample.people.iter().filter(|person| person.pool.set().is_some()).count(), 2);
    let zones: BTreeSet<&str> =
        sample.people.iter().filter_map(|person| person.timezone.set()).map(|tz| tz.name()).collect();
    for zone in ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Europe/London"] {
        assert!(zones.contains(zone), "{zone}");
    }
    let away = sample.people.iter().find(|person| person.out_of_office_until.set().is_some_and(|day| *day > today()));
    let emails: BTreeSet<&str> = sample.people.iter().map(|person| person.email.as_str()).collect();
    assert!(away.is_some_and(|person| person.delegate_email.set().is_some()));
    for person in &sample.people {
        for other in [&person.manager_email, &person.delegate_email].into_iter().filter_map(Patch::set) {
            assert!(emails.contains(other.as_str()) && *other != person.email, "{other}");
        }
    }
    let routes: BTreeSet<(bool, bool, bool)> = sample
        .accounts
        .iter()
        .map(|row| (row.csm_email.set().is_some(), row.account_manager_email.set().is_some(), row.pool.set().is_some()))
        .collect();
    for route in
        [(true, true, false), (true, false, true), (false, true, false), (true, false, false), (false, false, false)]
    {
        assert!(routes.contains(&route), "CSM, AM, pool: {route:?}");
    }
    for email in sample.accounts.iter().flat_map(|row| [row.csm_email.set(), row.account_manager_email.set()]).flatten()
    {
        assert!(emails.contains(email.as_str()), "{email}");
    }
    for quota in &sample.quotas {
        assert!(emails.contains(quota.email.as_str()) && quota.amount.minor > 0);
    }
}

#[test]
fn every_story_is_told_and_the_bands_are_mixed_as_planned() {
    use Story::*;
    let sample = sample();
    let mut told: BTreeMap<Story, usize> = BTreeMap::new();
    for (_, story) in &sample.stories {
        *told.entry(*story).or_default() += 1;
    }
    // The enum's order is that of the bands.
    let within = |from: Story, to: Story| told.range(from..=to).map(|(_, n)| n).sum::<usize>();
    let bands = [
        within(Collapse, OnboardingLate),
        within(CompetitorNamed, NoUsage),
        within(Steady, AutoRenewBack),
        within(NoSignals, JustSigned),
        within(Churned, Churned),
    ];
    assert_eq!(bands, [11, 17, 42, 5, 2]);
    assert_eq!(told.len(), 50, "a story has no account: {told:?}");
}

#[test]
fn rows_pass_the_rules_that_files_are_held_to() {
    for (seed, today) in [
        (7, today()),
        (1, NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()),
        (99, NaiveDate::from_ymd_opt(2027, 1, 1).unwrap()),
    ] {
        let sample = organisation(seed, today);
        for row in &sample.accounts {
            assert!(row.start_date.set() <= row.renewal_date.set() && row.start_date.set().is_some(), "{}", row.name);
            assert!(row.start_date.set().is_some_and(|start| *start < today), "{}", row.name);
            assert!(row.seats.set().is_some_and(|seats| *seats >= 10), "{}", row.name);
            assert!(row.cost_to_serve.set().is_some_and(|cost| cost.minor > 0), "{}", row.name);
        }
        let mut keys = BTreeSet::new();
        for row in &sample.signals {
            let known = known_kind(row.source, &row.kind).unwrap_or_else(|| panic!("{} {}", row.source, row.kind));
            let fits = match (known.shape, &row.value) {
                (Shape::Gauge { max }, SignalValue::Number(n)) => *n >= 0.0 && max.is_none_or(|max| *n <= max),
                (Shape::Count, SignalValue::Number(n)) => *n >= 0.0,
                (Shape::Bool, SignalValue::Bool(_)) | (Shape::Date, SignalValue::Date(_)) => true,
                (Shape::Pulse, SignalValue::Text(text)) => ["green", "amber", "red"].contains(&text.as_str()),
                _ => false,
            };
            assert!(fits, "{row:?}");
            assert!(row.observed_on < today && (today - row.observed_on).num_days() <= 280, "{row:?}");
            let key = (row.account_id.clone(), row.source, row.kind.clone(), row.observed_on, row.reference.clone());
            assert!(keys.insert(key), "twice: {row:?}");
        }
        let mut emails = BTreeSet::new();
        for row in &sample.contacts {
            assert!(emails.insert((row.account_id.clone(), row.email.clone())), "twice: {}", row.email);
            assert!(row.last_interaction.set().is_some_and(|day| *day < today), "{row:?}");
        }
        for row in &sample.outcomes {
            assert!(row.decided_on < today, "{row:?}");
        }
        let days: BTreeSet<_> = sample.holidays.iter().map(|row| (row.date, row.country.clone())).collect();
        assert_eq!(days.len(), sample.holidays.len());
    }
}

#[test]
fn six_sources_deliver_and_nearly_every_kind_is_seen() {
    let sample = sample();
    let sources: BTreeSet<Source> = sample.signals.iter().map(|row| row.source).collect();
    assert_eq!(sources.len(), Source::ALL.len());
    let seen: BTreeSet<&str> = sample.signals.iter().map(|row| row.kind.as_str()).collect();
    let unseen: Vec<&str> = KNOWN_KINDS.iter().map(|kind| kind.name).filter(|kind| !seen.contains(kind)).collect();
    assert_eq!(unseen, Vec::<&str>::new());
    let oldest = sample.signals.iter().map(|row| (today() - row.observed_on).num_days()).max();
    assert!(oldest.is_some_and(|days| days >= 265), "{oldest:?}");
}

#[test]
fn decisions_and_indicators_are_where_the_stories_say() {
    let sample = sample();
    let of = |story| told(&sample, story);
    let last = |story, kind: &str| numbers(&sample, of(story), kind).last().copied().unwrap_or_default();

    let active = numbers(&sample, of(Story::Collapse), "active_users");
    assert!(active[active.len() - 1] < 0.4 * active[active.len() - 12], "{active:?}");
    assert_eq!(series(&sample, of(Story::NoticeServed), "notice_served").len(), 1);
    let renew: Vec<SignalValue> =
        series(&sample, of(Story::AutoRenewOff), "auto_renew").into_iter().map(|(_, v)| v).collect();
    assert_eq!(renew, [SignalValue::Bool(true), SignalValue::Bool(false)]);
    assert_eq!(of(Story::AutoRenewOff).auto_renew, Patch::Set(false));
    assert!(last(Story::Sev1, "sev1_open_days") > 14.0);
    assert!(last(Story::LatePayer, "invoice_overdue_days") > 60.0);
    assert!(last(Story::LateByHabit, "invoice_overdue_days") > 30.0);
    assert_eq!(last(Story::Steady, "invoice_overdue_days"), 0.0);
    assert!(
        last(Story::TicketSurge, "tickets_opened")
            >= 3.0 * numbers(&sample, of(Story::TicketSurge), "tickets_opened")[0].max(1.0) - 4.0
    );
    assert_eq!(numbers(&sample, of(Story::ContentedSilence), "tickets_opened").iter().sum::<f64>(), 0.0);
    for story in [Story::SeatPressure, Story::FragileGrowth] {
        let seats = *of(story).seats.set().unwrap() as f64;
        assert!(numbers(&sample, of(story), "seats_assigned").iter().all(|n| n / seats >= 0.85));
    }
    assert!(last(Story::LimitHit, "entitlement_used_pct") >= 90.0);
    let growing = numbers(&sample, of(Story::Growing), "core_actions");
    assert!(growing[growing.len() - 1] > 1.25 * growing[growing.len() - 12], "{growing:?}");
    assert!(series(&sample, of(Story::SilentBeforeOptOut), "interaction").iter().all(|(days, _)| *days > 30));
    assert_eq!(series(&sample, of(Story::MeetingsMoved), "meeting_rescheduled").len(), 2);
    assert!(last(Story::OnboardingLate, "milestones_overdue") >= 3.0);
    assert!(last(Story::OnboardingBlockedByUs, "blocked_by_us") > 0.0);
    let delivered = |story| {
        let id = &of(story).account_id;
        sample.signals.iter().filter(|row| row.account_id == *id).map(|row| row.source).collect::<BTreeSet<_>>()
    };
    assert_eq!(delivered(Story::NoSignals), BTreeSet::new());
    assert_eq!(delivered(Story::TooLittle), BTreeSet::from([Source::Billing, Source::Sentiment]));
    assert!(!delivered(Story::NoUsage).contains(&Source::Usage) && delivered(Story::NoUsage).len() == 4);
    assert_eq!(delivered(Story::JustSigned), BTreeSet::from([Source::Crm]));
    assert!(numbers(&sample, of(Story::Stale), "active_users").len() > 5);
}

#[test]
fn contracts_and_contacts_are_where_the_stories_say() {
    let sample = sample();
    let of = |story| told(&sample, story);
    let opt_out_in = |row: &AccountRow| {
        Some((*row.renewal_date.set()? - today()).num_days() - i64::from(*row.notice_period_days.set()?))
    };
    let steps: BTreeSet<i64> = sample.accounts.iter().filter_map(opt_out_in).collect();
    for step in [180, 120, 90, 60, 30] {
        assert!(steps.contains(&step), "no step at {step}");
    }
    assert_eq!(of(Story::NoticeMissing).notice_period_days, Patch::Keep);
    assert_eq!(of(Story::MonthlyTerm).term_months, Patch::Set(1));
    assert!(opt_out_in(of(Story::OptOutPassed)).is_some_and(|days| days < 0));
    assert!(of(Story::OptOutPassed).renewal_date.set().is_some_and(|day| *day > today()));
    assert!(of(Story::RenewalOverdue).renewal_date.set().is_some_and(|day| *day < today()));
    assert!(opt_out_in(of(Story::SilentBeforeOptOut)).is_some_and(|days| (0..30).contains(&days)));
    assert_eq!(of(Story::Churned).status, Patch::Set(AccountStatus::Churned));

    let champions = |story| {
        let of_story = sample.contacts.iter().filter(|row| row.account_id == of(story).account_id);
        let champions: Vec<_> = of_story.filter(|row| row.persona.set() == Some(&Persona::Champion)).collect();
        (champions.iter().filter(|row| row.departed_on.set().is_some()).count(), champions.len())
    };
    assert_eq!(champions(Story::ChampionLeft), (1, 1));
    assert_eq!(champions(Story::FragileGrowth), (1, 1));
    assert_eq!(champions(Story::ChampionReplaced), (1, 2));
    assert_eq!(champions(Story::Steady), (0, 1));

    let ended = |kind| sample.outcomes.iter().filter(|row| row.kind == kind).count();
    assert_eq!(ended(OutcomeKind::Churned), 2);
    assert!(OutcomeKind::ALL.iter().all(|kind| ended(*kind) > 0), "{:?}", OutcomeKind::ALL.map(ended));
    assert!(ended(OutcomeKind::Renewed) >= 10, "{}", ended(OutcomeKind::Renewed));
}
