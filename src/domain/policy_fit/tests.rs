use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::*;
use crate::domain::account::{Account, AccountId};
use crate::domain::diagnosis::Book;
use crate::domain::figures::decisions::Imported;
use crate::domain::health::Evidence;
use crate::domain::row::OutcomeKind;
use crate::domain::signal::{Signal, SignalValue, Source};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn tally(lost: &[u8], kept: &[u8]) -> Tally {
    let mut tally = Tally::default();
    lost.iter().for_each(|risk| tally.add(*risk, true));
    kept.iter().for_each(|risk| tally.add(*risk, false));
    tally
}

fn many(risks: &[(u8, usize)]) -> Vec<u8> {
    risks.iter().flat_map(|(risk, times)| vec![*risk; *times]).collect()
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

#[test]
fn auc_counts_ties_half() {
    // 80 beats all four kept; 40 beats 10 and 20, ties one 40 and loses to 60: (4 + 2 + 0.5) of 8 pairs.
    near(tally(&[80, 40], &[10, 20, 40, 60]).auc(), 6.5 / 8.0);
    near(tally(&[50; 7], &[50; 3]).auc(), 0.5);
    near(tally(&[90], &[10]).auc(), 1.0);
    near(tally(&[10], &[90]).auc(), 0.0);
    near(tally(&[], &[10, 20]).auc(), 0.5);
}

#[test]
fn lift_and_recall_are_of_the_highest_risks() {
    // 20 outcomes, 4 lost. The tenth is two: 99 lost, 90 kept. Half of it is lost, a fifth of all: 2.5 times.
    let kept: Vec<u8> = (60..75).chain([90]).collect();
    let book = tally(&[99, 80, 70, 10], &kept);
    near(book.lift(0.1), 2.5);
    // The fifth is four: 99 lost, 90, then 80 lost, then 74. Two of four losses.
    near(book.recall(0.2), 0.5);
    // Ten outcomes of one risk, five of them lost: whichever two are taken, one is lost on average.
    let ties = tally(&[30; 5], &[30; 5]);
    near(ties.lift(0.1), 1.0);
    near(ties.recall(0.2), 0.2);
    // 11 outcomes: a tenth is 1.1, so two are looked at.
    near(tally(&[90], &[80, 1, 1, 1, 1, 1, 1, 1, 1, 1]).lift(0.1), 5.5);
    near(tally(&[], &[1, 2]).lift(0.1), 1.0);
    near(tally(&[], &[1, 2]).recall(0.2), 0.0);
}

#[test]
fn calibration_error_is_the_mean_distance_of_equal_groups() {
    // A book in which a risk of 20 meant a quarter lost and one of 80 three quarters.
    let fitted =
        [(20, 250, 750), (80, 750, 250)].into_iter().fold(Tally::default(), |mut tally, (risk, lost, kept)| {
            (0..lost).for_each(|_| tally.add(risk, true));
            (0..kept).for_each(|_| tally.add(risk, false));
            tally
        });
    let scale = Scale::of(&fitted);
    assert!((scale.chance(20) - 0.25).abs() < 0.002 && (scale.chance(80) - 0.75).abs() < 0.002, "{scale:?}");
    assert!(fitted.calibration_error(&scale) < 0.002);
    // Elsewhere half of either is lost: a quarter off in one group, a quarter off in the other.
    let even = tally(&[[20; 20], [80; 20]].concat(), &[[20; 20], [80; 20]].concat());
    assert!((even.calibration_error(&scale) - 0.25).abs() < 0.002);
    // Under 40 outcomes there is one group, in which what is too much and what is too little even out.
    let few = tally(&[[20; 8], [80; 8]].concat(), &[[20; 8], [80; 8]].concat());
    assert!(few.calibration_error(&scale) < 0.002);
    near(Tally::default().calibration_error(&scale), 0.0);
}

#[test]
fn a_scale_finds_the_curve_and_never_falls() {
    // By hand: lost half of the time at 0 and always or never beyond, the maximum of likelihood has no slope there.
    let falling = Scale::of(&tally(&many(&[(10, 30), (90, 10)]), &many(&[(10, 10), (90, 30)])));
    near(falling.chance(10), falling.chance(90));
    near(falling.chance(0), 40.5 / 81.0);
    let parted = Scale::of(&tally(&[90; 30], &[10; 30]));
    assert!(parted.chance(90) > 0.98 && parted.chance(10) < 0.02, "{parted:?}");
    let empty = Scale::of(&Tally::default());
    near(empty.chance(50), 0.5);
}

/// One measure in each source and no rules: a family's risk is the number that a signal says.
fn bare_policy() -> Policy {
    let measures = ["usage", "crm", "support", "billing", "sentiment"].map(|source| {
        format!("[measures.m_{source}]\nsource = \"{source}\"\nhealthy = 0\ncritical = 100\nrules = \"off\"\n")
    });
    Policy::from_toml(&measures.concat()).unwrap()
}

const READ_ON: &str = "2026-06-01";

fn signals(said: &[(Source, &str, f64)]) -> Vec<Signal> {
    let observed_on = day(READ_ON) - Days::new(3);
    let signal = |&(source, kind, value): &(Source, &str, f64)| {
        let (kind, value) = (kind.to_owned(), SignalValue::Number(value));
        Signal { source, kind, observed_on, value, reference: String::new() }
    };
    said.iter().map(signal).collect()
}

/// What each family's measure says.
fn of_families(risks: [Option<f64>; 5]) -> Vec<(Source, &'static str, f64)> {
    let kinds = ["m_usage", "m_crm", "m_support", "m_billing", "m_sentiment"];
    let said = Source::ALL.into_iter().zip(kinds).zip(risks);
    said.filter_map(|((source, kind), risk)| Some((source, kind, risk?))).collect()
}

fn sample(policy: &Policy, id: &str, risks: [Option<f64>; 5], lost: bool) -> Sample {
    read(policy, id, &of_families(risks), lost)
}

fn read(policy: &Policy, id: &str, said: &[(Source, &str, f64)], lost: bool) -> Sample {
    let (read_on, account, signals) = (day(READ_ON), Account::new(id, id), signals(said));
    let evidence = Evidence::reduce(&account, &[], &signals, read_on, policy);
    let book = Book::of(std::iter::once(&evidence), None, policy, read_on);
    Sample::read(&account, &evidence, &book, policy, lost)
}

/// So many accounts with risks drawn evenly, lost with the chance that `truth` gives.
fn book(policy: &Policy, accounts: usize, seed: u64, truth: impl Fn(&[f64; 5]) -> f64) -> Vec<Sample> {
    (0..accounts)
        .map(|i| {
            let mut dice = Dice::new(seed, i as u64);
            let risks = [(); 5].map(|()| dice.between(0.0, 100.0).round());
            let lost = dice.chance(truth(&risks));
            sample(policy, &format!("a{i:04}"), risks.map(Some), lost)
        })
        .collect()
}

/// Support alone tells who leaves; the default policy gives it 15 of 95.
fn support_tells(risks: &[f64; 5]) -> f64 {
    1.0 / (1.0 + (4.5 - 0.07 * risks[2]).exp())
}

#[test]
fn a_sample_has_the_risk_of_the_diagnosis() {
    use crate::domain::diagnosis::{Before, diagnose};
    use crate::domain::person::OrgId;

    let policy = bare_policy();
    for risks in [[Some(90.0), Some(10.0), None, Some(40.0), Some(0.0)], [None, None, Some(77.0), None, Some(3.0)]] {
        let read = sample(&policy, "acme", risks, true);
        let account = Account::new("acme", "acme");
        let signals = signals(&of_families(risks));
        let evidence = Evidence::reduce(&account, &[], &signals, day(READ_ON), &policy);
        let whole = Book::of(std::iter::once(&evidence), None, &policy, day(READ_ON));
        let org = OrgId(uuid::Uuid::nil());
        let diagnosis = diagnose(org, &account, &evidence, &whole, &policy, &Before::default(), day(READ_ON));
        assert_eq!(diagnosis.risk, Some(read.rounded_risk(&Knobs::of(&policy), &policy.score)));
    }
}

#[test]
fn a_planted_signal_is_found_and_noise_is_not() {
    let policy = bare_policy();
    let planted = fit(&book(&policy, 400, 7, support_tells), &policy, 0.3, 1).unwrap();
    let key = |fit: &Fit, key: &str| fit.numbers.iter().find(|number| number.key == key).unwrap().fit;
    let support = key(&planted, "weights.support.established");
    assert!(support >= 45.0, "{:#?}", planted.numbers);
    assert_eq!(planted.verdict, Verdict::Better, "{planted:#?}");
    assert!(planted.fit.auc.value > planted.in_use.auc.value + 0.1, "{planted:#?}");
    assert!(planted.fit.recall_at_20.value > planted.in_use.recall_at_20.value);
    assert_eq!((planted.fitted_on.accounts, planted.held_out.accounts), (280, 120));

    for seed in 1..=4 {
        let noise = fit(&book(&policy, 200, seed, |_| 0.3), &policy, 0.3, seed).unwrap();
        assert_ne!(noise.verdict, Verdict::Better, "{noise:#?}");
    }
}

#[test]
fn weights_of_onboarding_and_of_measures_are_fitted_where_there_is_enough() {
    let policy = bare_policy();
    let mut samples = book(&policy, 200, 7, support_tells);
    samples.iter_mut().for_each(|sample| sample.onboarding = true);
    let onboarding = fit(&samples, &policy, 0.3, 1).unwrap();
    let key = |fit: &Fit, key: &str| fit.numbers.iter().find(|number| number.key == key).unwrap().fit;
    assert!(key(&onboarding, "weights.support.onboarding") > 15.0, "{:#?}", onboarding.numbers);
    assert_eq!(key(&onboarding, "weights.support.established"), 15.0, "nobody there tells");

    // Two measures share a source: one foretells, the other is drawn by lot.
    let other = "[measures.m_other]\nsource = \"support\"\nhealthy = 0\ncritical = 100\nweight = 6\n";
    let policy = Policy::from_toml(&(bare_policy().to_toml() + "\n" + other)).unwrap();
    let samples: Vec<Sample> = (0..300)
        .map(|i| {
            let mut dice = Dice::new(11, i);
            let [tells, other] = [(); 2].map(|()| dice.between(0.0, 100.0).round());
            let lost = dice.chance(support_tells(&[0.0, 0.0, tells, 0.0, 0.0]));
            read(
                &policy,
                &format!("a{i:04}"),
                &[(Source::Support, "m_support", tells), (Source::Support, "m_other", other)],
                lost,
            )
        })
        .collect();
    let measures = fit(&samples, &policy, 0.3, 1).unwrap();
    let (tells, other) = (key(&measures, "measures.m_support.weight"), key(&measures, "measures.m_other.weight"));
    assert!(tells >= 2.0 * other && other >= 0.75 && tells <= 8.0, "{:#?}", measures.numbers);
    assert!(measures.fit.auc.value > measures.in_use.auc.value + 0.05, "{measures:#?}");
}

#[test]
fn rows_in_another_order_change_nothing_and_another_seed_holds_out_others() {
    let policy = bare_policy();
    let mut samples = book(&policy, 150, 3, support_tells);
    let first = fit(&samples, &policy, 0.3, 1).unwrap();
    samples.reverse();
    samples.swap(3, 90);
    assert_eq!(fit(&samples, &policy, 0.3, 1).unwrap(), first);
    assert_ne!(fit(&samples, &policy, 0.3, 2).unwrap().in_use, first.in_use);
}

#[test]
fn an_account_is_never_in_both_parts() {
    let policy = bare_policy();
    let mut samples = book(&policy, 120, 5, |_| 0.4);
    for sample in samples.clone().into_iter().step_by(3) {
        samples.push(Sample { as_of: sample.as_of - Days::new(365), lost: false, ..sample });
    }
    let parts = split::split(&samples, 0.3, 1).unwrap();
    let ids =
        |samples: &[&Sample]| samples.iter().map(|s| s.account.clone()).collect::<std::collections::BTreeSet<_>>();
    let (fitted_on, held_out) = (ids(&parts.fitted_on), ids(&parts.held_out));
    assert!(fitted_on.is_disjoint(&held_out));
    assert_eq!((fitted_on.len() + held_out.len(), parts.fitted_on.len() + parts.held_out.len()), (120, 160));
    let lost = |samples: &[&Sample]| Part::of(samples).accounts_lost;
    let share = f64::from(lost(&parts.held_out)) / f64::from(lost(&parts.held_out) + lost(&parts.fitted_on));
    assert!((share - 0.3).abs() < 0.02, "{share}");
    // Another account moves nobody else's lot.
    let fewer = split::split(&samples[..100], 0.3, 1).unwrap();
    let moved = ids(&fewer.held_out).difference(&held_out).count();
    assert!(moved < 10, "{moved} accounts are held out in a smaller book alone");
}

#[test]
fn too_few_are_refused_with_what_is_there_and_what_it_takes() {
    let policy = bare_policy();
    let said = |accounts: usize, holdout: f64| {
        let samples = book(&policy, accounts, 2, |risks| if risks[0] < 40.0 { 1.0 } else { 0.0 });
        fit(&samples, &policy, holdout, 1).map(|_| ()).map_err(|needed| needed.to_string())
    };
    insta::assert_snapshot!(said(50, 0.3).unwrap_err(), @"15 accounts were lost (churned or contracted) and 35 kept; it takes 32 of both, 20 to fit on and 10 others to measure on");
    insta::assert_snapshot!(said(0, 0.5).unwrap_err(), @"0 accounts were lost (churned or contracted) and 0 kept; it takes 40 of both, 20 to fit on and 10 others to measure on");
}

fn outcome(kind: OutcomeKind, on: &str) -> Imported {
    Imported { account: AccountId("acme".into()), on: day(on), kind, before: None, after: None }
}

fn said(kind: &str, on: &str, value: bool) -> Signal {
    let (kind, value) = (kind.to_owned(), SignalValue::Bool(value));
    Signal { source: Source::Crm, kind, observed_on: day(on), value, reference: String::new() }
}

#[test]
fn an_account_is_read_before_its_decision_and_before_it_was_announced() {
    use OutcomeKind::{Churned, Contracted, Expanded, Renewed};
    let account = Account::new("acme", "Acme");
    let today = day("2026-11-26");
    let of = |outcomes: &[Imported], signals: &[Signal]| {
        let decided = decided(&account, outcomes, signals, today);
        pairs(&decided, &Notices::of([].iter()), 60)
            .into_iter()
            .map(|pair| (pair.as_of.to_string(), pair.lost))
            .collect::<Vec<_>>()
    };
    let pair = |as_of: &str, lost: bool| (as_of.to_owned(), lost);
    assert_eq!(of(&[outcome(Churned, "2026-10-31")], &[]), [pair("2026-09-01", true)]);
    // Notice came three months before: sixty days before the end it would foretell itself.
    let notice = said("notice_served", "2026-07-31", true);
    assert_eq!(of(&[outcome(Churned, "2026-10-31")], std::slice::from_ref(&notice)), [pair("2026-06-01", true)]);
    // So it is where the customer stayed after all.
    assert_eq!(of(&[outcome(Renewed, "2026-10-31")], &[notice]), [pair("2026-06-01", false)]);
    // What was announced before an earlier result, or a term ago, belongs to that one.
    let old = [said("notice_served", "2025-04-01", true), said("downgrade_requested", "2026-03-01", true)];
    let both = [outcome(Contracted, "2026-04-30"), outcome(Renewed, "2026-10-31")];
    assert_eq!(of(&both, &old), [pair("2025-12-31", true), pair("2026-09-01", false)]);
    // Auto-renewal that never was on was not switched off.
    let never = said("auto_renew", "2026-08-01", false);
    assert_eq!(of(&[outcome(Churned, "2026-10-31")], std::slice::from_ref(&never)), [pair("2026-09-01", true)]);
    let off = [said("auto_renew", "2026-01-01", true), never];
    assert_eq!(of(&[outcome(Churned, "2026-10-31")], &off), [pair("2026-06-02", true)]);
    // Two on a day are one, and a loss; one that is yet to come is not known.
    let same = [outcome(Renewed, "2026-10-31"), outcome(Contracted, "2026-10-31"), outcome(Expanded, "2026-12-24")];
    assert_eq!(of(&same, &[]), [pair("2026-09-01", true)]);
}

#[test]
fn the_kept_are_read_as_long_before_as_the_lost() {
    let decided = |id: usize, announced: Option<u64>, lost: bool| Decided {
        account: AccountId(format!("a{id}")),
        on: day("2026-10-31"),
        announced,
        lost,
    };
    let lost = [decided(0, Some(90), true), decided(1, None, true), decided(2, Some(40), true)];
    let notices = Notices::of(lost.iter().chain(&[decided(3, Some(7), false)]));
    let before = |decided: &Decided| {
        let read = pairs(std::slice::from_ref(decided), &notices, 60)[0].as_of;
        (day("2026-10-31") - read).num_days() - 60
    };
    assert_eq!(lost.each_ref().map(before), [90, 0, 40]);
    assert_eq!(before(&decided(3, Some(7), false)), 7, "what was announced is read before it");
    let mut kept: Vec<i64> = (4..304).map(|id| before(&decided(id, None, false))).collect();
    kept.sort_unstable();
    let third = |days: i64| kept.iter().filter(|before| **before == days).count();
    assert_eq!(third(0) + third(40) + third(90), 300);
    assert!([0, 40, 90].iter().all(|days| (80..=120).contains(&third(*days))), "{kept:?}");
}

#[test]
fn what_is_known_only_as_it_is_now_is_left_out() {
    let mut account = Account::new("acme", "Acme");
    account.seats = Some(100);
    account.renewal_date = Some(day("2027-01-31"));
    account.notice_period_days = Some(30);
    account.auto_renew = Some(true);
    let outcomes = [outcome(OutcomeKind::Expanded, "2026-05-01"), outcome(OutcomeKind::Renewed, "2026-10-31")];
    let early = as_then(&account, &outcomes, day("2026-03-01"));
    assert_eq!((early.seats, early.renewal_date, early.notice_period_days, early.auto_renew), (None, None, None, None));
    assert_eq!(as_then(&account, &outcomes, day("2026-09-01")).seats, Some(100));
}

proptest! {
    #[test]
    fn figures_know_the_order_of_risks_alone(lost in proptest::collection::vec(0_u8..=50, 1..60), kept in proptest::collection::vec(0_u8..=50, 1..60), rising in proptest::sample::subsequence((0..=100).collect::<Vec<u8>>(), 51)) {
        // Any map that keeps the order.
        let rank = |risk: &u8| rising[usize::from(*risk)];
        let (before, after) = (tally(&lost, &kept), tally(&lost.iter().map(rank).collect::<Vec<_>>(), &kept.iter().map(rank).collect::<Vec<_>>()));
        prop_assert_eq!(before.auc().to_bits(), after.auc().to_bits());
        prop_assert_eq!(before.lift(0.1).to_bits(), after.lift(0.1).to_bits());
        prop_assert_eq!(before.recall(0.2).to_bits(), after.recall(0.2).to_bits());
        prop_assert!((0.0..=1.0).contains(&before.auc()) && (0.0..=1.0).contains(&before.recall(0.2)));
        // Turned round, it is as wrong as it was right.
        let turned = tally(&lost.iter().map(|risk| 100 - risk).collect::<Vec<_>>(), &kept.iter().map(|risk| 100 - risk).collect::<Vec<_>>());
        prop_assert!((before.auc() + turned.auc() - 1.0).abs() < 1e-12);
        // By counting every pair.
        let pairs: f64 = lost.iter().flat_map(|l| kept.iter().map(move |k| match l.cmp(k) { std::cmp::Ordering::Greater => 1.0, std::cmp::Ordering::Equal => 0.5, std::cmp::Ordering::Less => 0.0 })).sum();
        prop_assert!((before.auc() - pairs / (lost.len() * kept.len()) as f64).abs() < 1e-12);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]
    #[test]
    fn a_fit_stays_within_its_bounds_and_reads_back(seed in 0_u64..1_000, tells in 0_usize..5, weights in proptest::array::uniform5(1_u8..=60)) {
        let mut policy = bare_policy();
        for (source, weight) in Source::ALL.into_iter().zip(weights) {
            policy.weights.of_mut(source).established = f64::from(weight) / 2.0;
        }
        let samples = book(&policy, 110, seed, |risks| if risks[tells] > 50.0 { 0.8 } else { 0.2 });
        if let Ok(fit) = fit(&samples, &policy, 0.3, seed) {
            let sum = |policy: &Policy| Source::ALL.iter().map(|source| policy.weights.of(*source).established).sum::<f64>();
            prop_assert!((sum(&fit.policy) - sum(&policy)).abs() < 1e-6);
            for source in Source::ALL {
                let (now, was) = (fit.policy.weights.of(source).established, policy.weights.of(source).established);
                prop_assert!(now > 0.0 || was == 0.0, "{source} went from {was} to {now}");
                prop_assert_eq!(fit.policy.weights.of(source).onboarding, policy.weights.of(source).onboarding);
            }
            let moved: Vec<(&str, f64)> = fit.numbers.iter().map(|number| (number.key.as_str(), number.fit)).collect();
            let text = Policy::with_numbers(&policy.to_toml(), &moved).unwrap();
            prop_assert_eq!(Policy::from_toml(&text).unwrap(), fit.policy);
        }
    }
}
