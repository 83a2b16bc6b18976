//! The sample organisation, diagnosed: what its stories were made to show is found.

use std::collections::{BTreeMap, BTreeSet};

use tandem::app::sample::{self, Sample, Story};
use tandem::domain::account::AccountId;
use tandem::domain::diagnosis::{Band, Diagnosis, Stage, WindowKind};
use tandem::domain::health::RULES;
use tandem::store::diagnosis::Gist;
use tandem::store::{self, import};

use super::{World, day, world};

async fn load(world: &World, sample: &Sample) {
    let now = world.app.now();
    let mut tx = world.tenant().await;
    let mut refused = Vec::new();
    refused.extend(import::people(&mut tx, &sample.people).await.unwrap().rejected);
    refused.extend(import::accounts(&mut tx, &sample.accounts, day("2026-11-23"), now).await.unwrap().rejected);
    refused.extend(import::contacts(&mut tx, &sample.contacts).await.unwrap().rejected);
    refused.extend(import::signals(&mut tx, &sample.signals).await.unwrap().rejected);
    refused.extend(import::outcomes(&mut tx, &sample.outcomes).await.unwrap().rejected);
    assert!(refused.is_empty(), "{refused:?}");
    tandem::store::settings::touch(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// What a story must show: a rule among the causes, if one belongs to it.
fn rule_of(story: Story) -> Option<&'static str> {
    Some(match story {
        Story::Collapse => "usage_trend",
        Story::NoticeServed => "notice_served",
        Story::AutoRenewOff => "auto_renew_off",
        Story::DowngradeRequested => "downgrade_requested",
        Story::ChampionLeft | Story::FragileGrowth => "champion_departed",
        Story::Sev1 => "sev1_open",
        Story::LatePayer => "invoice_overdue",
        Story::SilentBeforeOptOut => "opt_out_near_silent",
        Story::OnboardingLate | Story::OnboardingBlockedByUs => "milestones_overdue",
        Story::CompetitorNamed => "competitor_named",
        Story::MeetingsMoved => "meetings_rescheduled",
        Story::Escalated => "escalations",
        Story::LowCsat => "csat_low",
        Story::TicketSurge => "ticket_surge",
        Story::OldTicket => "old_ticket",
        Story::SuspiciousSilence => "support_silence",
        Story::PaymentFailures => "payment_failures",
        Story::DiscountEnding => "discount_expiring",
        Story::Detractor => "nps_low",
        Story::PulseRed => "pulse",
        Story::SlowFade => "usage_slow_decline",
        Story::OnboardingSlipping => "go_live_late",
        Story::OnboardingUnattended => "low_engagement",
        Story::OnboardingSlowValue => "slow_first_value",
        Story::OneModule => "feature_breadth",
        Story::SingleThreaded => "thin_contacts",
        _ => return None,
    })
}

fn band_of(story: Story) -> Band {
    match story {
        story if story <= Story::OnboardingLate => Band::AtRisk,
        story if story <= Story::NoUsage => Band::Watch,
        story if story <= Story::AutoRenewBack => Band::Healthy,
        _ => Band::Unknown,
    }
}

fn window_of(story: Story) -> Option<WindowKind> {
    Some(match story {
        Story::SeatPressure | Story::FragileGrowth => WindowKind::Seats,
        Story::LimitHit => WindowKind::Usage,
        Story::Growing => WindowKind::Growth,
        Story::NewDepartment => WindowKind::CrossSell,
        Story::AskedForMore | Story::RequestedButAtRisk => WindowKind::Requested,
        _ => return None,
    })
}

fn faults(sample: &Sample, found: &BTreeMap<String, Diagnosis>) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, story) in &sample.stories {
        let Some(diagnosis) = found.get(&id.0) else {
            if *story != Story::Churned {
                faults.push(format!("{story:?}: {id} was not diagnosed"));
            }
            continue;
        };
        let rules: Vec<&str> = diagnosis.causes.iter().map(|cause| cause.rule.as_str()).collect();
        let told = format!("{story:?} {}: {:?} {:?} {rules:?}", diagnosis.name, diagnosis.health, diagnosis.band);
        if *story == Story::Churned {
            faults.push(format!("{told}: it has left"));
        } else if diagnosis.band != band_of(*story) {
            faults.push(format!("{told}: expected {:?}", band_of(*story)));
        }
        if let Some(rule) = rule_of(*story).filter(|rule| !rules.contains(rule)) {
            faults.push(format!("{told}: no {rule}"));
        }
        if let Some(kind) = window_of(*story).filter(|kind| diagnosis.windows.iter().all(|w| w.kind != *kind)) {
            faults.push(format!("{told}: no window {kind:?}"));
        }
    }
    faults
}

#[tokio::test]
async fn every_story_of_the_sample_is_found() {
    let world = world().await;
    let sample = sample::organisation(7, day("2026-11-23"));
    load(&world, &sample).await;
    let report = world.live().await;
    assert_eq!((report.accounts, report.rejected.len(), report.unrouted), (75, 0, 0));
    let found = world.diagnoses("2026-11-23").await;
    let faults = faults(&sample, &found);
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    // A fragile account's window is withheld; what the customer asked for never is.
    let of = |story: Story| {
        let (AccountId(id), _) = sample.stories.iter().find(|(_, told)| *told == story).unwrap();
        &found[id]
    };
    let windows = |story| of(story).windows.iter().map(|w| (w.kind, w.withheld_by.as_deref())).collect::<Vec<_>>();
    assert_eq!(windows(Story::FragileGrowth), [(WindowKind::Seats, Some("champion_departed"))]);
    assert_eq!(windows(Story::RequestedButAtRisk), [(WindowKind::Requested, None)]);
    assert!(of(Story::NoticeMissing).renewal.notice_period_missing);
    assert_eq!(of(Story::OptOutPassed).renewal.stage, Stage::OptOutPassed);
    assert_eq!(of(Story::RenewalOverdue).renewal.stage, Stage::Overdue);

    let fired: BTreeSet<&str> =
        found.values().flat_map(|diagnosis| &diagnosis.causes).map(|cause| cause.rule.as_str()).collect();
    let silent: Vec<&str> = RULES.iter().map(|rule| rule.name).filter(|rule| !fired.contains(rule)).collect();
    assert!(silent.is_empty(), "rules that no account of the sample shows: {silent:?}");
    let floors: BTreeSet<&str> = found
        .values()
        .flat_map(|diagnosis| &diagnosis.causes)
        .filter(|cause| cause.floor)
        .map(|cause| cause.rule.as_str())
        .collect();
    assert_eq!(floors.len(), RULES.iter().filter(|rule| rule.floor).count(), "{floors:?}");

    // What the night moved: risks exactly where an account is at risk, windows and renewals where they were found.
    assert_eq!(report.events.get("risk.opened"), report.bands.get(&Band::AtRisk));
    let windows = found.values().map(|diagnosis| diagnosis.windows.len()).sum::<usize>();
    assert_eq!(report.events.get("window.opened").copied().unwrap_or(0) as usize, windows);
    assert!(report.events.get("renewal.step").is_some_and(|steps| *steps >= 10), "{:?}", report.events);
    let again = world.live().await;
    assert!(again.events.is_empty(), "{:?}", again.events);
}

/// What lines and the choice of cards read is what the whole diagnosis says, also of a row that an older release wrote.
#[tokio::test]
async fn a_gist_says_what_the_diagnosis_says() {
    let world = world().await;
    load(&world, &sample::organisation(7, day("2026-11-23"))).await;
    let date = world.live().await.date;
    let found = world.diagnoses("2026-11-23").await;
    let policy = &world.snapshot().await.policy;
    let ids: Vec<AccountId> = found.keys().map(|id| AccountId(id.clone())).collect();
    let accounts = store::account::some(&mut world.tenant().await, &ids).await.unwrap();
    let gists = || async { store::diagnosis::gists(&mut world.tenant().await, date, &accounts, policy).await.unwrap() };
    let told = gists().await;
    assert_eq!(told.len(), found.len());
    for (id, gist) in &told {
        let Diagnosis { band, risk, causes, renewal, .. } = &found[&id.0];
        let cause = causes.first().map(|cause| cause.rule.clone());
        let decisions: Vec<String> = found[&id.0].decisions().map(str::to_owned).collect();
        let whole = Gist { band: *band, risk: *risk, decisions, cause, renewal: renewal.clone() };
        assert_eq!(gist, &whole, "{}", id.0);
    }
    // An older release knows none of the three, and writes over a row without them.
    world.sql("UPDATE tandem.diagnosis SET cause = 'usage_trend', auto_renew = NOT auto_renew, gist_of = org_id").await;
    assert_eq!(gists().await, told);
    world.sql("UPDATE tandem.diagnosis SET cause = NULL, auto_renew = NULL, gist_of = NULL").await;
    assert_eq!(gists().await, told);
    // The date once more puts it right.
    world.live().await;
    world.sql("UPDATE tandem.diagnosis_detail SET body = '{}'").await;
    assert_eq!(gists().await, told);
}
