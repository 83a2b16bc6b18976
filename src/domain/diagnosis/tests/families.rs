//! Every number of diagnosis.md's table of families, at its points and between.

use super::customer::{Customer, ORG, account, ago, ahead, today};
use crate::domain::account::{Persona, Segment};
use crate::domain::diagnosis::{Before, Book, Diagnosis, diagnose};
use crate::domain::health::Evidence;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;

/// Holds a family's printed risk against a table of inputs.
fn check<T: Copy + std::fmt::Debug>(source: Source, table: &[(T, u8)], customer: impl Fn(T) -> Customer) {
    for (input, risk) in table {
        assert_eq!(customer(*input).family(source), Some(*risk), "{source} at {input:?}");
    }
}

fn no_seats() -> Customer {
    account().with(|account| account.seats = None)
}

#[test]
fn usage_trend() {
    let table = [
        (1.2, 0),
        (0.95, 0),
        (0.90, 10),
        (0.85, 20),
        (0.70, 50),
        (0.60, 65),
        (0.50, 80),
        (0.40, 90),
        (0.30, 100),
        (0.0, 100),
    ];
    check(Source::Usage, &table, |ratio| no_seats().usage(ratio));
}

#[test]
fn usage_slow_decline() {
    // A high level nine months ago, and since then the present one: the trend is flat.
    let slid = |part: f64| {
        let mut values = vec![1000.0; 12];
        values.extend([1000.0 * part; 30]);
        no_seats().weekly("core_actions", &values)
    };
    check(Source::Usage, &[(0.85, 0), (0.775, 20), (0.70, 40), (0.60, 58), (0.50, 75), (0.30, 100)], slid);
    assert_eq!(
        slid(0.5).diagnosis().headline("usage_slow_decline"),
        "Core actions slid from a peak of 1,000 to 500 a week over seven months"
    );
}

#[test]
fn months_of_different_lengths_have_no_peak() {
    // Counted back in 31 days from today, two of them lie in one block: those of February and March.
    let months = (0..24).fold(no_seats(), |customer, month| {
        let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 16).unwrap() - chrono::Months::new(month);
        customer.saw("core_actions", (today() - day).num_days().cast_unsigned(), 1_000.0)
    });
    let diagnosis = months.diagnosis();
    assert_eq!((diagnosis.families[&Source::Usage], diagnosis.rules()), (Some(0), vec![]));
}

#[test]
fn seat_use_and_breadth() {
    let seats = |active: f64| account().saw("active_users", 1, active);
    check(Source::Usage, &[(80.0, 0), (75.0, 0), (62.5, 20), (50.0, 40), (37.5, 60), (25.0, 80), (0.0, 80)], seats);
    let breadth = |used: f64| account().saw("features_used", 1, used).saw("features_entitled", 1, 10.0);
    check(Source::Usage, &[(10.0, 0), (6.0, 0), (4.0, 35), (2.0, 70), (0.0, 70)], breadth);
    // The mean of both; and 0.4 of it beside 0.6 of the trend.
    let both = |active: f64| breadth(2.0).saw("active_users", 1, active);
    check(Source::Usage, &[(50.0, 55), (100.0, 35)], both);
    check(Source::Usage, &[(0.5, 0.6f64.mul_add(80.0, 0.4 * 56.0).round() as u8)], |ratio| account().usage(ratio));
}

#[test]
fn the_trend_is_taken_of_the_best_measure() {
    let active = no_seats().usage(0.5);
    assert!(active.diagnosis().headline("usage_trend").starts_with("Active users fell from 80 to 40"));
    let with_core = active.clone().weekly("core_actions", &[100.0; 20]).weekly("sessions", &[10.0; 20]);
    assert_eq!(with_core.family(Source::Usage), Some(0));
    let sessions = no_seats().weekly("sessions", &[&[100.0; 18][..], &[50.0; 2][..]].concat());
    assert_eq!(sessions.family(Source::Usage), Some(80));
}

#[test]
fn usage_while_onboarding() {
    let new = |customer: Customer| customer.onboarding().saw("milestones_overdue", 1, 0.0);
    // Neither trend nor slow decline; any seat in use is no risk.
    assert_eq!(new(account().usage(0.3)).family(Source::Usage), Some(0));
    assert_eq!(new(account().saw("active_users", 1, 1.0)).family(Source::Usage), Some(0));
    assert_eq!(new(account().saw("active_users", 1, 0.0)).family(Source::Usage), Some(80));
    assert_eq!(new(no_seats().usage(0.3)).family(Source::Usage), None);
}

#[test]
fn crm_events() {
    let event = |kind: &'static str| account().saw(kind, 5, true);
    let table = [("notice_served", 100), ("downgrade_requested", 85), ("competitor_named", 60)];
    check(Source::Crm, &table, event);
    assert_eq!(account().saw("auto_renew", 40, true).saw("auto_renew", 5, false).family(Source::Crm), Some(90));
    assert_eq!(account().champion_left(5).family(Source::Crm), Some(80));
    let replaced = account().champion_left(5).contact("new", Some(Persona::Champion), None);
    assert_eq!(replaced.family(Source::Crm), None);
    check(Source::Crm, &[(1.0, 0), (2.0, 45)], |count| account().saw("meeting_rescheduled", 5, count));
    assert_eq!(account().saw("meeting_rescheduled", 61, 2.0).family(Source::Crm), Some(0), "older than 60 days");
    assert_eq!(account().saw("meeting_rescheduled", 60, 2.0).family(Source::Crm), Some(45));
}

#[test]
fn crm_relationship() {
    let met = |segment: Segment, days: u64| account().with(|account| account.segment = Some(segment)).in_touch(0, days);
    for (segment, cadence) in [(Segment::Enterprise, 14), (Segment::MidMarket, 30), (Segment::Smb, 60)] {
        let table = [(cadence, 0), (cadence * 3 / 2, 25), (cadence * 2, 50), (cadence * 5 / 2, 65), (cadence * 3, 80)];
        let customer = |days| met(segment, days).saw("exec_sponsor_met", 0, false);
        check(Source::Crm, &table, customer);
    }
    for (segment, target) in [(Segment::Enterprise, 6), (Segment::MidMarket, 3), (Segment::Smb, 2)] {
        let customer = |contacts| {
            let customer = met(segment, 5).contact("old", None, Some(91));
            (0..contacts).fold(customer, |c, i| c.contact(&format!("c{i}"), None, Some(89)))
        };
        check(
            Source::Crm,
            &[(0, 70), (target, 0), (target + 1, 0), (target / 2, 35)][..if target == 3 { 3 } else { 4 }],
            customer,
        );
    }
    // Without a live interaction feed nothing is known of the relationship, contacts or not.
    assert_eq!(account().contact("c", None, Some(5)).family(Source::Crm), None);
    // A contact met lately ends the silence that the feed alone would show.
    assert_eq!(met(Segment::MidMarket, 40).contact("c", None, Some(2)).diagnosis().rules(), ["thin_contacts"]);
}

#[test]
fn support() {
    let seen = |kind: &'static str| move |value: f64| account().saw(kind, 1, value);
    let sev1 = [(0.0, 0), (3.5, 25), (7.0, 50), (10.5, 65), (14.0, 80), (17.5, 90), (21.0, 100), (40.0, 100)];
    check(Source::Support, &sev1, seen("sev1_open_days"));
    check(Source::Support, &[(0.0, 0), (1.0, 40), (2.0, 70), (5.0, 70)], seen("escalations"));
    check(
        Source::Support,
        &[(90.0, 0), (85.0, 0), (77.5, 20), (70.0, 40), (60.0, 60), (50.0, 80), (0.0, 80)],
        seen("csat"),
    );
    check(Source::Support, &[(29.0, 0), (30.0, 30), (45.0, 45), (60.0, 60), (200.0, 60)], seen("oldest_ticket_days"));
    let surge = |times: f64| account().weekly("tickets_opened", &[&[4.0; 18][..], &[4.0 * times; 2][..]].concat());
    check(Source::Support, &[(1.0, 0), (1.5, 0), (2.25, 25), (3.0, 50), (9.0, 50)], surge);
    assert_eq!(account().saw("escalations", 31, 2.0).family(Source::Support), Some(0), "older than 30 days");
}

#[test]
fn silence_in_support() {
    let quiet = |customer: Customer| customer.weekly("tickets_opened", &[0.0; 14]);
    assert_eq!(quiet(account()).family(Source::Support), Some(0), "silence alone is contentment");
    assert_eq!(quiet(account().usage(0.84)).family(Source::Support), Some(40));
    assert_eq!(quiet(account().usage(0.86)).family(Source::Support), Some(0));
    assert_eq!(quiet(account().in_touch(0, 30)).family(Source::Support), Some(40));
    assert_eq!(quiet(account().in_touch(0, 29)).family(Source::Support), Some(0));
    // Counted for less than the 90 days, tickets say nothing of silence.
    let counted = |weeks: usize| account().in_touch(0, 30).weekly("tickets_opened", &vec![0.0; weeks]);
    assert_eq!(counted(2).family(Source::Support), None);
    assert_eq!((counted(13).family(Source::Support), counted(14).family(Source::Support)), (Some(0), Some(40)));
    let seats = |seats| quiet(account().with(|account| account.seats = Some(seats)).in_touch(0, 30));
    assert_eq!((seats(20).family(Source::Support), seats(21).family(Source::Support)), (Some(0), Some(40)));
    assert_eq!(quiet(account().in_touch(0, 30)).saw("tickets_opened", 89, 1.0).family(Source::Support), Some(0));
    // A help desk that writes a row a ticket: its other kinds say that it still delivers.
    let by_ticket = |last| {
        let customer = account().in_touch(0, 30).saw("sev1_open_days", 1, 0.0);
        customer.saw("tickets_opened", last + 60, 1.0).saw("tickets_opened", last, 1.0)
    };
    assert_eq!((by_ticket(90).family(Source::Support), by_ticket(100).family(Source::Support)), (Some(0), Some(40)));
    assert_eq!(by_ticket(366).family(Source::Support), Some(0), "none in a year: nobody counts them");
    let ended = account().in_touch(0, 30).saw("tickets_opened", 160, 1.0).saw("tickets_opened", 100, 1.0);
    assert_eq!(ended.family(Source::Support), None, "support does not deliver for it");
}

#[test]
fn billing() {
    let overdue = |days: f64| account().saw("invoice_overdue_days", 1, days);
    check(Source::Billing, &[(0.0, 0), (1.0, 10), (15.5, 30), (30.0, 50), (45.0, 70), (60.0, 90), (99.0, 90)], overdue);
    // An account that is always 20 days late is judged by what goes beyond.
    let habit = |days: f64| account().weekly("invoice_overdue_days", &[20.0, 20.0, 20.0, 20.0, days]);
    check(Source::Billing, &[(20.0, 0), (21.0, 10), (50.0, 50)], habit);
    // Of a habit nothing is said where none has been seen.
    let said = |customer: Customer| customer.diagnosis().headline("invoice_overdue").to_owned();
    assert_eq!(said(overdue(34.0)), "An invoice is 34 days overdue");
    assert_eq!(said(habit(50.0)), "An invoice is 50 days overdue; this account is usually 20 days late");
    let prompt = account().weekly("invoice_overdue_days", &[0.0, 0.0, 0.0, 0.0, 34.0]);
    assert_eq!(said(prompt), "An invoice is 34 days overdue; this account usually pays on time");
    check(Source::Billing, &[(0.0, 0), (1.0, 30), (2.0, 70), (3.0, 70)], |n| account().saw("payment_failures", 9, n));
    // Known for as long as they may be counted, and no longer.
    let failed = |days| account().saw("payment_failures", days + 1, 1.0).saw("payment_failures", days, 1.0);
    assert_eq!((failed(89).family(Source::Billing), failed(91).family(Source::Billing)), (Some(70), None));
    let discount = |days: f64| account().saw("discount_expires_in_days", 10, days);
    check(Source::Billing, &[(71.0, 0), (70.0, 40), (10.0, 40), (9.0, 0)], discount);
}

#[test]
fn sentiment() {
    let table = [(0.0, 80), (6.0, 80), (7.0, 35), (8.0, 35), (9.0, 0), (10.0, 0)];
    check(Source::Sentiment, &table, |score| account().saw("nps", 180, score));
    assert_eq!(account().saw("nps", 181, 0.0).family(Source::Sentiment), None);
    check(Source::Sentiment, &[("red", 85), ("amber", 45), ("green", 0)], |c| account().saw("csm_pulse", 60, c));
    assert_eq!(account().saw("csm_pulse", 61, "red").family(Source::Sentiment), None);
    assert_eq!(account().saw("csm_pulse", 1, "green").saw("nps", 1, 3.0).family(Source::Sentiment), Some(80));
}

#[test]
fn onboarding() {
    let seen = |kind: &'static str| move |value: f64| account().onboarding().saw(kind, 1, value);
    check(Source::Onboarding, &[(0.0, 0), (1.0, 30), (2.0, 60), (3.0, 80), (7.0, 80)], seen("milestones_overdue"));
    let late = |days: u64| {
        account().onboarding().saw("go_live_planned", 90, ahead(10)).saw("go_live_forecast", 1, ahead(10 + days))
    };
    check(Source::Onboarding, &[(0, 0), (7, 13), (14, 25), (22, 43), (30, 60), (45, 80), (90, 80)], late);
    let engagement = [(90.0, 0), (70.0, 0), (55.0, 20), (40.0, 40), (30.0, 60), (20.0, 80), (0.0, 80)];
    check(Source::Onboarding, &engagement, seen("customer_engagement_pct"));
    check(Source::Onboarding, &[(90.0, 0), (91.0, 60)], seen("first_value_days"));
    // 0.6 × 80 + 0.4 × (80 + 0) / 2
    let two = seen("milestones_overdue")(3.0).saw("customer_engagement_pct", 1, 90.0);
    assert_eq!(two.family(Source::Onboarding), Some(64));
}

#[test]
fn onboarding_ends() {
    let counts = |diagnosis: &Diagnosis| diagnosis.families[&Source::Onboarding].is_some();
    let phase = |start: u64, go_live: Option<u64>| {
        let customer = account().with(|account| {
            account.start_date = Some(ago(start));
            account.go_live_date = go_live.map(ago);
        });
        counts(&customer.saw("milestones_overdue", 1, 0.0).diagnosis())
    };
    assert!(phase(200, Some(90)) && !phase(200, Some(91)));
    assert!(phase(365, None) && !phase(366, None), "at most twelve months after the start");
    // Without any onboarding signal: the first 90 days, seen by the weight of usage.
    let coverage = |start: u64| {
        let customer = account().with(|account| account.start_date = Some(ago(start))).saw("nps", 1, 9.0);
        customer.diagnosis().coverage
    };
    assert_eq!((coverage(90), coverage(91)), (0.1, 0.08));
}

#[test]
fn a_decision_that_is_taken_again_is_a_new_one() {
    let policy = Policy::default();
    let since = |customer: &Customer, evidence: &Evidence| {
        let book = Book::of(std::iter::once(evidence), None, &policy, today());
        let read = diagnose(ORG, &customer.account, evidence, &book, &policy, &Before::default(), today());
        read.causes.iter().find(|cause| cause.floor).map(|cause| cause.facts[0].as_of)
    };
    for kind in ["notice_served", "downgrade_requested"] {
        // The CRM writes one row an event. The first was in the term before, which was renewed all the same.
        let again = account().renews_in(100).saw(kind, 365, true).saw(kind, 20, true);
        let evidence = again.evidence(&policy);
        assert_eq!(since(&again, &evidence), Some(ago(20)), "{kind}");
        assert_eq!(since(&again, &evidence.clone().settled_by(ago(300))), Some(ago(20)), "{kind}");
        assert_eq!(since(&again, &evidence.settled_by(ago(20))), None, "{kind}");
        // Within one term, after an outcome.
        let twice = account().renews_in(30).saw(kind, 250, true).saw(kind, 20, true);
        let evidence = twice.evidence(&policy);
        assert_eq!(since(&twice, &evidence), Some(ago(250)), "{kind}: it stands");
        assert_eq!(since(&twice, &evidence.settled_by(ago(200))), Some(ago(20)), "{kind}");
        // A feed that repeats its state decides nothing anew.
        let repeated = account().renews_in(30).weekly(kind, &[1.0; 36]);
        assert_eq!(since(&repeated, &repeated.evidence(&policy).settled_by(ago(200))), None, "{kind}");
    }
}

#[test]
fn decisions_stand_until_contradicted_or_the_renewal_has_passed() {
    let served = |days: u64| account().renews_in(100).saw("notice_served", days, true);
    assert_eq!(served(200).diagnosis().floors(), ["notice_served"]);
    assert!(served(200).saw("notice_served", 3, false).diagnosis().floors().is_empty());
    assert!(served(300).diagnosis().floors().is_empty(), "of the term before");
    let overdue = account().with(|a| a.renewal_date = Some(ago(2))).saw("notice_served", 30, true);
    assert!(overdue.diagnosis().floors().is_empty());
    // An outcome settles it.
    let policy = crate::domain::policy::Policy::default();
    let evidence = served(10).evidence(&policy);
    assert_eq!(evidence.clone().settled_by(ago(11)), evidence);
    assert_ne!(evidence.clone().settled_by(ago(10)), evidence);
    // Never having had auto-renewal is no signal; having lost it is.
    let off = account().saw("auto_renew", 5, false);
    assert!(off.diagnosis().floors().is_empty());
    assert_eq!(off.with(|a| a.auto_renew = Some(true)).diagnosis().floors(), ["auto_renew_off"]);
}
