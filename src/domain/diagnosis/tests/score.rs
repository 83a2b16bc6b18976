//! Weights, coverage, floors, causes and change.

use super::customer::{Customer, account};
use crate::domain::account::Segment;
use crate::domain::diagnosis::{Band, Before, Change, Diagnosis, Previous, rounded};
use crate::domain::policy::Policy;
use crate::domain::signal::Source;

#[test]
fn risk_is_the_weighted_mean_of_what_is_known() {
    let diagnosis = account().content().diagnosis();
    assert_eq!((diagnosis.health, diagnosis.risk, diagnosis.band), (Some(100), Some(0), Band::Healthy));
    assert_eq!((diagnosis.coverage, diagnosis.not_checked), (1.0, vec![]));
    // Usage 80 × 0.6 + 56 × 0.4 = 70.4 of weight 35 in 95.
    let drop = account().content();
    let drop = Customer { signals: drop.signals.into_iter().filter(|s| s.kind != "active_users").collect(), ..drop };
    let diagnosis = drop.usage_drop(50).diagnosis();
    assert_eq!(diagnosis.risk, Some((70.4_f64 * 35.0 / 95.0).round() as u8));
    assert_eq!(diagnosis.rules(), ["usage_trend", "seat_use"]);
    assert_eq!(diagnosis.causes[0].points, (48.0_f64 * 35.0 / 95.0).round() as u8);
}

/// Exact on paper, and a hair below the half where it is summed: 30.5, 50.5.
#[test]
fn a_half_is_rounded_as_on_paper() {
    let trend = |percent: f64| {
        let values = [vec![100.0; 20], vec![percent; 2]].concat();
        account().weekly("core_actions", &values).saw("active_users", 1, 55.0)
    };
    let named = trend(92.0).saw("competitor_named", 3, true).saw("nps", 20, 9.0).diagnosis();
    assert_eq!((named.risk, named.health, named.band), (Some(31), Some(69), Band::Watch));
    let silent = trend(81.0).with(|a| a.segment = Some(Segment::Enterprise)).in_touch(0, 42);
    let silent = silent.saw("invoice_overdue_days", 1, 30.0).diagnosis();
    assert_eq!((silent.risk, silent.health, silent.band), (Some(51), Some(49), Band::AtRisk));
    // Of points the same.
    assert_eq!([rounded(30.499_999_999_999_993), rounded(30.499)], [31, 30]);
}

#[test]
fn too_little_is_unknown_and_no_usage_is_never_green() {
    // Only sentiment of this account, while another has usage, CRM and support.
    let policy = Policy::default();
    let other = account().content().evidence(&policy);
    let judge = |customer: &Customer| {
        let evidence = customer.evidence(&policy);
        let all = [other.clone(), evidence.clone()];
        let book = super::super::Book::of(all.iter(), None, &policy, super::customer::today());
        let before = Before::default();
        super::super::diagnose(
            super::customer::ORG,
            &customer.account,
            &evidence,
            &book,
            &policy,
            &before,
            super::customer::today(),
        )
    };
    let thin = judge(&account().saw("nps", 1, 10.0));
    assert_eq!((thin.health, thin.band, thin.coverage), (None, Band::Unknown, 0.08));
    let nothing = account().diagnosis();
    assert_eq!(serde_json::to_value(nothing.coverage).unwrap().to_string(), "0.0", "not -0");
    assert_eq!(thin.not_checked, [Source::Usage, Source::Crm, Source::Support, Source::Billing]);
    // Known: 25 + 15 of 95, which is 0.42 of what is connected. Good, but usage was not checked.
    let blind = judge(&account().in_touch(3, 5).support_calm());
    assert_eq!((blind.health, blind.band), (Some(69), Band::Watch));
    // Alone in its organisation, sentiment is all that is connected.
    assert_eq!(account().saw("nps", 1, 10.0).diagnosis().health, Some(69));
    assert_eq!(account().diagnosis().band, Band::Unknown);
    // A floor also where coverage is too small for a score.
    let floor = judge(&account().champion_left(3));
    assert_eq!((floor.risk, floor.health, floor.band), (Some(65), Some(35), Band::AtRisk));
}

fn floor(customer: Customer) -> (Vec<String>, Option<u8>, Band) {
    let diagnosis = customer.diagnosis();
    (diagnosis.floors().into_iter().map(str::to_owned).collect(), diagnosis.risk, diagnosis.band)
}

#[test]
fn floors() {
    let calm = || account().content();
    let stands = |rule: &str, risk: u8| (vec![rule.to_owned()], Some(risk), Band::AtRisk);
    let none = |customer: Customer| floor(customer).0.is_empty();
    assert_eq!(floor(calm().saw("notice_served", 1, true)), stands("notice_served", 90));
    assert_eq!(floor(calm().saw("auto_renew", 50, true).saw("auto_renew", 1, false)), stands("auto_renew_off", 80));
    assert_eq!(floor(calm().saw("downgrade_requested", 1, true)), stands("downgrade_requested", 70));
    assert_eq!(floor(calm().champion_left(1)), stands("champion_departed", 65));
    let sev1 = |days: f64| calm().saw("sev1_open_days", 0, days);
    assert_eq!(floor(sev1(15.0)), stands("sev1_open", 65));
    assert!(none(sev1(14.0)));
    let invoice = |days: f64| calm().saw("invoice_overdue_days", 0, days);
    assert_eq!(floor(invoice(61.0)), stands("invoice_overdue", 65));
    assert!(none(invoice(60.0)));
    let habit = |usual: f64| account().weekly("invoice_overdue_days", &[usual, usual, usual, usual, 61.0]);
    assert!(none(habit(32.0)) && !none(habit(31.0)), "at least 30 beyond its own median");
    let several = calm().saw("notice_served", 1, true).champion_left(1).diagnosis();
    assert_eq!((several.floors(), several.risk), (vec!["notice_served", "champion_departed"], Some(90)));
}

#[test]
fn near_opt_out_and_silent() {
    let silent = |days: u64, opt_out_in: u64, term: Option<i32>| {
        let customer = account().in_touch(3, days).renews_in(opt_out_in + 60).notice_period(60);
        floor(customer.with(|account| account.term_months = term)).0
    };
    assert_eq!(silent(30, 30, None), ["opt_out_near_silent"]);
    assert_eq!(silent(30, 0, Some(6)), ["opt_out_near_silent"]);
    assert!(silent(29, 30, None).is_empty() && silent(30, 31, None).is_empty() && silent(30, 30, Some(5)).is_empty());
    // Without a live interaction feed silence is not measured.
    let unmeasured = account().renews_in(80).notice_period(60).contact("c", None, Some(200));
    assert!(floor(unmeasured).0.is_empty());
}

#[test]
fn causes_put_floors_first_then_the_largest() {
    let troubled = account()
        .usage_drop(70)
        .in_touch(0, 80)
        .saw("sev1_open_days", 1, 15.0)
        .saw("payment_failures", 5, 2.0)
        .saw("csm_pulse", 3, "red");
    let diagnosis = troubled.diagnosis();
    assert_eq!(diagnosis.floors(), ["sev1_open"]);
    let rest: Vec<u8> = diagnosis.causes.iter().skip(1).map(|cause| cause.points).collect();
    assert!(rest.len() >= 4 && rest.is_sorted_by(|a, b| a >= b) && rest.iter().all(|points| *points >= 5));
}

#[test]
fn change_is_against_the_night_before() {
    let calm = account().content();
    let amber = || calm.clone().saw("csm_pulse", 1, "amber");
    let previous = |diagnosis: &Diagnosis| Previous::of(diagnosis);
    let against = |customer: &Customer, before: &Previous| {
        let before = Before { previous: Some(before), ..Before::default() };
        customer.diagnosis_by(&Policy::default(), &before).change
    };
    let healthy = previous(&calm.diagnosis());
    assert_eq!(calm.diagnosis().change, Change::New);
    assert_eq!(against(&calm, &healthy), Change::Same);
    assert_eq!(against(&amber(), &healthy), Change::Same, "four points");
    let points = |health: u8| Previous { health: Some(health), ..healthy.clone() };
    assert_eq!(against(&amber(), &points(100)), Change::Same);
    assert_eq!(against(&calm, &points(91)), Change::Same);
    assert_eq!(against(&calm, &points(90)), Change::Better);
    let band = |band| Previous { band, ..healthy.clone() };
    assert_eq!(against(&calm, &band(Band::Watch)), Change::Better);
    assert_eq!(against(&calm, &band(Band::Unknown)), Change::Same);
    let lost = calm.clone().champion_left(1);
    assert_eq!(against(&lost, &healthy), Change::Worse);
    let stood = previous(&lost.diagnosis());
    assert_eq!(against(&lost, &stood), Change::Same);
    assert_eq!(against(&lost.clone().saw("downgrade_requested", 1, true), &stood), Change::Worse, "a new floor");
    assert_eq!(against(&calm, &stood), Change::Better);
    let unknown = Previous { health: None, band: Band::Unknown, ..healthy };
    assert_eq!(against(&lost, &unknown), Change::Worse);
}

#[test]
fn rules_on_trial_count_for_nothing_and_say_what_they_would() {
    let policy = Policy::from_toml("shadow = [\"nps_low\"]").unwrap();
    let customer = account().content().saw("nps", 0, 2.0);
    let diagnosis = customer.diagnosis_by(&policy, &Before::default());
    assert_eq!((diagnosis.families[&Source::Sentiment], diagnosis.causes.len()), (None, 0));
    let evidence = customer.evidence(&policy);
    let book = super::super::Book::of(std::iter::once(&evidence), None, &policy, super::customer::today());
    let said = super::super::shadowed(&customer.account, &evidence, &book, &policy, super::customer::today());
    assert_eq!(said.iter().map(|cause| cause.rule.as_str()).collect::<Vec<_>>(), ["nps_low"]);
}

#[test]
fn measures_of_ones_own_weigh_beside_the_rules() {
    let file = r#"
        [measures.support_minutes]
        source = "support"
        aggregate = "last"
        healthy = 2.0
        critical = 12.0
        weight = 1.0
        headline = "Support takes {value} minutes a month"
        actions = { csm = "Review the three longest tickets", account_manager = "Hold the pitch" }
    "#;
    let policy = Policy::from_toml(file).unwrap();
    let customer = account().content().saw_in(Source::Support, "support_minutes", 1, 7.0);
    let judge = |customer: &Customer, policy: &Policy| customer.diagnosis_by(policy, &Before::default());
    // 50 of weight 1 beside the rules' 0 of weight 1.
    assert_eq!(judge(&customer, &policy).families[&Source::Support], Some(25));
    let only = Policy::from_toml(&file.replace("weight = 1.0", "weight = 1.0\nrules = \"off\"")).unwrap();
    let worst = customer.clone().saw_in(Source::Support, "support_minutes", 0, 12.0).saw("sev1_open_days", 0, 40.0);
    let diagnosis = judge(&worst, &only);
    assert_eq!((diagnosis.families[&Source::Support], diagnosis.floors()), (Some(100), vec![]));
    assert_eq!(diagnosis.headline("support_minutes"), "Support takes 12 minutes a month");
    assert_eq!(diagnosis.causes[0].actions.account_manager, "Hold the pitch");
    // Sums, means, maxima over the window; high can be good; text has levels.
    let read = |body: &str, values: &[(u64, f64)]| {
        let policy =
            Policy::from_toml(&format!("[measures.m]\nsource = \"billing\"\nrules = \"off\"\n{body}")).unwrap();
        let customer = values.iter().fold(account(), |c, (day, v)| c.saw_in(Source::Billing, "m", *day, *v));
        judge(&customer, &policy).families[&Source::Billing]
    };
    let values = [(1, 10.0), (11, 20.0), (40, 90.0)];
    let scale = "healthy = 0\ncritical = 100\nwindow_days = 30\n";
    assert_eq!(read(&format!("{scale}aggregate = \"sum\""), &values), Some(30));
    assert_eq!(read(&format!("{scale}aggregate = \"mean\""), &values), Some(15));
    assert_eq!(read(&format!("{scale}aggregate = \"max\""), &values), Some(20));
    assert_eq!(read("healthy = 80\ncritical = 0", &values), Some(88));
    let falling: Vec<(u64, f64)> = (0..20).map(|week| (week * 7, if week < 2 { 50.0 } else { 100.0 })).collect();
    assert_eq!(read("healthy = 1.0\ncritical = 0.0\naggregate = \"trend\"", &falling), Some(50));
    let levels = "[measures.contract]\nsource = \"billing\"\nlevels = { monthly = 100, yearly = 40 }";
    let policy = Policy::from_toml(levels).unwrap();
    let text = |level: &'static str| judge(&account().saw_in(Source::Billing, "contract", 3, level), &policy);
    assert_eq!(text("yearly").families[&Source::Billing], Some(40));
    let old = |days| judge(&account().saw_in(Source::Billing, "contract", days, "yearly"), &policy);
    assert_eq!(old(90).families[&Source::Billing], Some(40), "believed over its window");
    assert_eq!(old(91).families[&Source::Billing], None);
    assert_eq!(text("weekly").families[&Source::Billing], None, "a level that nobody declared is unknown");
    assert_eq!(text("monthly").headline("contract"), "contract is monthly");
}
