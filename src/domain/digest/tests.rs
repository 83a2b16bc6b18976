use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::domain::calendar::BusinessHours;
use crate::domain::money::Currency;
use crate::domain::person::Workdays;

/// A Monday.
const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();

static NO_HOLIDAYS: BTreeSet<NaiveDate> = BTreeSet::new();

fn calendar() -> WorkCalendar<'static> {
    WorkCalendar { zone: Tz::UTC, workdays: Workdays::MON_FRI, holidays: &NO_HOLIDAYS, hours: BusinessHours::default() }
}

fn rates() -> Rates {
    Rates::new(Currency::EUR, BTreeMap::from([(Currency::USD, 0.5)]))
}

fn chf() -> Currency {
    "CHF".parse().unwrap()
}

fn eur(thousands: i64) -> Option<Money> {
    Some(Money::new(thousands * 100_000, Currency::EUR))
}

fn card(n: u128, about: fn(Uuid) -> CardRef, stake: Option<Money>) -> Card {
    Card {
        about: about(Uuid::from_u128(n)),
        account: AccountId(format!("a{n:03}")),
        name: format!("Account {n}"),
        stake,
        risk: Some(60),
        decision: None,
        next_deadline: None,
        cause: "usage_trend".to_owned(),
        mine: true,
        offered: false,
        withheld: false,
        backlog: false,
        attention: Attention::default(),
    }
}

fn planned(cards: &[Card], angle: Angle, budget: usize) -> Plan {
    let rates = rates();
    let morning = Morning { today: TODAY, angle, budget: Budget(budget), rates: &rates, calendar: calendar() };
    plan(cards, &morning)
}

/// Account numbers in the order of the cards.
fn order(cards: &[Card], budget: usize) -> Vec<u128> {
    planned(cards, Angle::Both, budget).cards.iter().map(|shown| number(shown.lead.0)).collect()
}

fn number(about: CardRef) -> u128 {
    let (CardRef::Risk(id) | CardRef::Window(id) | CardRef::Handed(id) | CardRef::Renewal(id)) = about;
    id.as_u128()
}

fn back(days: u64) -> Option<NaiveDate> {
    Some(TODAY - Days::new(days))
}

fn ahead(days: u64) -> Option<NaiveDate> {
    Some(TODAY + Days::new(days))
}

#[test]
fn decisions_then_expected_loss_and_the_deadline() {
    let small_decision = Card { decision: Some("served notice".to_owned()), ..card(1, CardRef::Risk, eur(5)) };
    let large = card(2, CardRef::Risk, eur(100));
    let near = Card { next_deadline: ahead(18), ..card(3, CardRef::Risk, eur(60)) };
    let window = card(4, CardRef::Window, eur(61));
    let dollars = card(5, CardRef::Risk, Some(Money::new(30_000_000, Currency::USD)));
    let francs = card(6, CardRef::Risk, Some(Money::new(900_000_000, chf())));
    let healthy_renewal = Card { risk: Some(3), next_deadline: ahead(30), ..card(7, CardRef::Renewal, eur(100)) };
    let unknown_arr = card(8, CardRef::Risk, None);
    // 60 k × 60% × 1.9 = 68.4; window 61; 100 × 60% = 60; $300k at 0.5 = 90; renewal 100 × 10% × 1.83 = 18.3.
    let cards = [unknown_arr, francs, healthy_renewal, window, large, near, dollars, small_decision];
    assert_eq!(order(&cards, 99), [1, 5, 3, 4, 2, 7, 6, 8]);
}

/// The product exists because a deadline passed that only the CRM knew: it waits behind no larger sum.
#[test]
fn a_deadline_of_this_week_comes_right_after_the_decisions() {
    let decision = Card { decision: Some("served notice".to_owned()), ..card(1, CardRef::Risk, eur(5)) };
    let renewal = |n, days, stake| Card { risk: Some(3), next_deadline: days, ..card(n, CardRef::Renewal, eur(stake)) };
    // Five working days ahead of this Monday is the next one; the day after it may wait.
    let (smaller, last) = (renewal(2, ahead(2), 20), renewal(3, ahead(7), 61));
    let (later, passed) = (renewal(4, ahead(8), 61), renewal(5, back(1), 61));
    let large = Card { next_deadline: ahead(88), ..card(6, CardRef::Risk, eur(900)) };
    let cards = [large, passed, later, last, smaller, decision];
    assert_eq!(order(&cards, 99), [1, 3, 2, 6, 5, 4]);
    assert_eq!(order(&cards, 1), [1, 3], "in the morning itself, and no line of its rest");
}

#[test]
fn offers_and_decisions_are_outside_the_budget_but_a_backlog_is_not() {
    let risks = || (1..=4).map(|n| card(n, CardRef::Risk, eur(100 - n as i64)));
    let offer = Card { offered: true, mine: false, ..card(8, CardRef::Window, eur(1)) };
    let decision = Card { decision: Some("served notice".to_owned()), ..card(9, CardRef::Risk, eur(1)) };
    let cards: Vec<Card> = risks().chain([offer.clone(), decision.clone()]).collect();
    assert_eq!(order(&cards, 2), [9, 1, 2, 8]);
    let first_day: Vec<Card> = cards.iter().cloned().map(|card| Card { backlog: true, ..card }).collect();
    assert_eq!(order(&first_day, 2), [9, 1]);
}

#[test]
fn the_rest_is_grouped_and_says_when_it_comes_back() {
    let cards: Vec<Card> = (1..=7)
        .map(|n| {
            let cause = if n % 2 == 0 { "sev1_open" } else { "usage_trend" };
            Card { cause: cause.to_owned(), ..card(n, CardRef::Risk, eur(100 - n as i64)) }
        })
        .collect();
    let plan = planned(&cards, Angle::Csm, 2);
    let lines: Vec<String> = plan
        .rest
        .iter()
        .map(|group| {
            let items: Vec<_> =
                group.items.iter().map(|item| format!("{} {}", item.name, item.comes_back.weekday())).collect();
            format!("{} ({}): {}", group.cause, group.comes_back, items.join(", "))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    usage_trend (2026-11-24): Account 3 Tue, Account 5 Wed, Account 7 Thu
    sev1_open (2026-11-24): Account 4 Tue, Account 6 Wed
    ");
}

#[test]
fn a_card_comes_again_for_a_reason_only() {
    let calendar = calendar();
    let due = |attention: Attention| attention.due(TODAY, &calendar);
    let shown = |days| Attention { last_shown: back(days), ..Attention::default() };
    assert_eq!(due(Attention::default()), Some(Due::New));
    // From Tuesday the 17th four working days, from Monday the 16th five.
    assert_eq!(due(shown(6)), None);
    assert_eq!(due(shown(7)), Some(Due::Unanswered));
    assert_eq!(due(Attention { acknowledged: true, next_step: ahead(1), ..shown(30) }), None);
    assert_eq!(due(Attention { acknowledged: true, next_step: Some(TODAY), ..shown(1) }), Some(Due::NextStep));
    // Away on that day: today then, once; later again like anything unanswered.
    assert_eq!(due(Attention { acknowledged: true, next_step: back(2), ..shown(4) }), Some(Due::NextStep));
    assert_eq!(due(Attention { acknowledged: true, next_step: back(4), ..shown(4) }), None);
    assert_eq!(due(Attention { open_since: Some(TODAY), ..shown(1) }), Some(Due::Back));
    assert_eq!(due(Attention { open_since: back(1), ..shown(1) }), None);
    assert_eq!(due(Attention { acknowledged: true, next_step: back(9), ..shown(9) }), Some(Due::Unanswered));
    assert_eq!(
        due(Attention { acknowledged: true, next_step: ahead(9), worse: back(1), ..shown(3) }),
        Some(Due::Worse)
    );
    assert_eq!(due(Attention { acknowledged: true, worse: back(3), ..shown(3) }), None, "shown with it already");
    assert_eq!(due(Attention { acknowledged: true, step_reached: Some(TODAY), ..shown(1) }), Some(Due::Step));
}

#[test]
fn each_angle_gets_its_side() {
    let not_mine = |card: Card| Card { mine: false, ..card };
    let far_risk = not_mine(Card { next_deadline: ahead(181), ..card(1, CardRef::Risk, eur(1)) });
    let near_risk = not_mine(Card { next_deadline: ahead(180), ..card(2, CardRef::Risk, eur(1)) });
    let decided = not_mine(Card { decision: Some("served notice".to_owned()), ..card(3, CardRef::Risk, eur(1)) });
    let renewal = not_mine(card(4, CardRef::Renewal, eur(1)));
    let held = card(5, CardRef::Window, eur(1));
    let others = not_mine(card(6, CardRef::Window, eur(1)));
    let withheld = Card { withheld: true, offered: true, ..not_mine(card(7, CardRef::Window, eur(1))) };
    let cards = [far_risk, near_risk, decided, renewal, held, others, withheld];
    let seen = |angle| -> Vec<u128> {
        cards.iter().filter(|card| Angle::shows(angle, card, TODAY)).map(|card| number(card.about)).collect()
    };
    assert_eq!(seen(Angle::Csm), [1, 2, 3, 5, 7]);
    assert_eq!(seen(Angle::AccountManager), [2, 3, 4, 5]);
    assert_eq!(seen(Angle::Both), [1, 2, 3, 4, 5]);
    for angle in [Angle::AccountManager, Angle::Both] {
        assert_eq!(planned(&cards, angle, 9).withheld, [CardRef::Window(Uuid::from_u128(7))]);
    }
}

#[test]
fn a_morning_counts_each_account_once_and_adds_only_what_has_a_rate() {
    let risk = card(1, CardRef::Risk, eur(110));
    let asleep = Attention { last_shown: back(1), ..Attention::default() };
    let silent = Card { attention: asleep, ..card(2, CardRef::Risk, eur(300)) };
    let same_account = Card { about: CardRef::Risk(Uuid::from_u128(99)), ..risk.clone() };
    let francs = card(3, CardRef::Risk, Some(Money::new(900_000, chf())));
    let windows = [card(4, CardRef::Window, None), card(5, CardRef::Window, eur(12))];
    let mut cards = vec![risk, silent, same_account, francs, card(6, CardRef::Renewal, eur(9))];
    cards.extend(windows);
    // A warning is nothing to sell, whatever its account pays.
    cards.push(Card { offered: true, ..card(7, CardRef::Handed, eur(184)) });
    let totals = planned(&cards, Angle::Both, 5).totals;
    assert_eq!((totals.at_risk, totals.windows, totals.renewals), (3, 2, 1));
    let said = |sum: &Sum| sum.amounts().iter().map(Money::to_string).collect::<Vec<_>>().join(" and ");
    assert_eq!((said(&totals.arr), said(&totals.amount)), ("€410k and CHF 9k".to_owned(), "€12k".to_owned()));
    assert_eq!(Sum::of([], &rates()).amounts(), []);
}

fn any_card() -> impl Strategy<Value = (u128, Card)> {
    let date = || proptest::option::of((-12_i64..12).prop_map(|days| TODAY + chrono::TimeDelta::days(days)));
    let about = [CardRef::Risk as fn(Uuid) -> CardRef, CardRef::Window, CardRef::Handed, CardRef::Renewal];
    let about = proptest::sample::select(about.to_vec());
    let currency = proptest::sample::select(vec![Currency::EUR, Currency::USD, chf()]);
    let money = proptest::option::of((0_i64..5, currency).prop_map(|(n, currency)| Money::new(n * 1_000, currency)));
    let flags = any::<[bool; 6]>();
    (1_u128..60, about, money, 0_u8..4, date(), (date(), date(), date(), date()), flags).prop_map(
        |(n, about, stake, risk, next_deadline, (shown, next_step, step_reached, worse), flags)| {
            let one = Card {
                risk: (risk > 0).then_some(risk * 30),
                decision: (flags[0] && flags[1]).then(|| "served notice".to_owned()),
                next_deadline,
                cause: format!("rule{}", n % 3),
                mine: flags[2],
                offered: flags[3] && flags[1],
                withheld: flags[4] && flags[1],
                backlog: flags[5] && flags[1],
                attention: Attention {
                    last_shown: shown.filter(|day| *day < TODAY),
                    acknowledged: flags[4],
                    next_step,
                    step_reached,
                    worse,
                    open_since: None,
                },
                ..card(n, about, stake)
            };
            (n, one)
        },
    )
}

proptest! {
    #[test]
    fn mornings_are_whole_bounded_and_the_same_for_any_order_of_input(
        cards in proptest::collection::btree_map(1_u128..60, any_card(), 0..40),
        angle in proptest::sample::select(&[Angle::Csm, Angle::AccountManager, Angle::Both][..]),
        budget in 0_usize..8,
        turn in 0_usize..40,
    ) {
        let cards: BTreeMap<CardRef, Card> = cards.into_values().map(|(_, card)| (card.about, card)).collect();
        let cards: Vec<Card> = cards.into_values().collect();
        let plan = planned(&cards, angle, budget);

        let mut turned = cards.clone();
        if !turned.is_empty() {
            let at = turn % turned.len();
            turned.rotate_left(at);
            turned.reverse();
        }
        prop_assert_eq!(&planned(&turned, angle, budget), &plan);

        // No account with something due is lost, none without appears, none stands twice.
        let calendar = calendar();
        let by_ref: BTreeMap<CardRef, &Card> = cards.iter().map(|card| (card.about, card)).collect();
        let mine = |card: &&Card| angle.shows(card, TODAY);
        let is_due = |card: &&Card| card.due(TODAY, &calendar).is_some();
        let due: BTreeSet<&AccountId> = cards.iter().filter(mine).filter(is_due).map(|card| &card.account).collect();
        let items: Vec<&Item> = plan.rest.iter().flat_map(|group| &group.items).collect();
        let shown = plan.cards.iter().map(|shown| &by_ref[&shown.lead.0].account);
        let planned: Vec<&AccountId> = shown.chain(items.iter().map(|item| &item.account)).collect();
        prop_assert_eq!(planned.len(), due.len());
        prop_assert_eq!(planned.iter().copied().collect::<BTreeSet<_>>(), due);
        // A card has all that is theirs on the account, each once, and its lead is due.
        for shown in &plan.cards {
            let account = &by_ref[&shown.lead.0].account;
            prop_assert!(is_due(&by_ref[&shown.lead.0]));
            let on_it: Vec<CardRef> =
                std::iter::once(shown.lead.0).chain(shown.others.iter().map(|(about, _)| *about)).collect();
            let theirs: BTreeSet<CardRef> = cards
                .iter()
                .filter(|card| card.account == *account && (mine(card) || angle.withholds(card)))
                .map(|card| card.about)
                .collect();
            prop_assert_eq!(on_it.len(), theirs.len());
            prop_assert_eq!(on_it.into_iter().collect::<BTreeSet<_>>(), theirs);
        }

        let outside = |card: &Card| !card.backlog && (card.offered || card.decision.is_some());
        let of_account = |about: &CardRef| {
            let account = by_ref[about].account.clone();
            cards.iter().filter(mine).filter(is_due).filter(move |card| card.account == account)
        };
        let inside = plan.cards.iter().filter(|shown| !of_account(&shown.lead.0).any(outside)).count();
        prop_assert!(inside <= budget);
        prop_assert!(items.is_empty() || inside == budget, "room was left");
        for item in &items {
            prop_assert!(!of_account(&item.about).any(outside));
            prop_assert!(calendar.is_working_day(item.comes_back) && item.comes_back > TODAY);
        }
        for group in &plan.rest {
            prop_assert!(group.items.iter().all(|item| by_ref[&item.about].cause == group.cause));
            prop_assert_eq!(Some(group.comes_back), group.items.iter().map(|item| item.comes_back).min());
        }
        // Decisions first, then what cannot wait, and within a tier never a smaller score before a larger: of an account its weightiest counts.
        let rates = rates();
        // Of a Monday the fifth working day ahead is the next Monday.
        let is_near = |deadline: NaiveDate| (TODAY..=TODAY + Days::new(7)).contains(&deadline);
        let tier_of = |card: &Card| match card.next_deadline {
            _ if card.decision.is_some() => 0,
            Some(deadline) if is_near(deadline) => 1,
            _ => 2,
        };
        let weight = |shown: &Shown| {
            let first = of_account(&shown.lead.0).map(tier_of).min();
            let tier = of_account(&shown.lead.0).filter(move |card| Some(tier_of(card)) == first);
            let scores = tier.map(|card| score(card, TODAY, &rates)).collect::<Vec<_>>();
            (first, scores.into_iter().max_by(|a, b| a.partial_cmp(b).unwrap()).flatten())
        };
        for pair in plan.cards.windows(2) {
            let ((first, one), (second, two)) = (weight(&pair[0]), weight(&pair[1]));
            prop_assert!(first <= second);
            if first == second {
                prop_assert!(one >= two);
            }
        }
    }
}

#[test]
fn an_account_has_one_card_with_all_that_is_open_there() {
    let of_acme = |card: Card| Card { account: "acme".into(), ..card };
    let asleep = Attention { last_shown: back(1), ..Attention::default() };
    let risk = of_acme(Card { attention: asleep, ..card(1, CardRef::Risk, eur(100)) });
    let offer = of_acme(Card { offered: true, mine: false, ..card(2, CardRef::Window, eur(5)) });
    let renewal = of_acme(card(3, CardRef::Renewal, eur(100)));
    let other = card(4, CardRef::Risk, eur(50));
    let cards = [risk.clone(), offer.clone(), renewal, other];
    let plan = planned(&cards, Angle::Both, 1);
    let shown: Vec<(u128, Vec<(u128, bool)>)> = plan
        .cards
        .iter()
        .map(|shown| {
            let others = shown.others.iter().map(|(about, due)| (number(*about), due.is_some())).collect();
            (number(shown.lead.0), others)
        })
        .collect();
    // The offer leads, the renewal is due as well, the silent risk comes along; and what was offered takes no room.
    assert_eq!(shown, [(2, vec![(1, false), (3, true)]), (4, vec![])]);
    // A window that is withheld stands on the account's card, where there is one.
    let held = Card { withheld: true, ..offer };
    let alone = planned(std::slice::from_ref(&held), Angle::AccountManager, 1);
    assert_eq!((alone.cards.len(), alone.withheld.len()), (0, 1));
    let risk = Card { attention: Attention::default(), ..risk };
    let together = planned(&[risk.clone(), held.clone()], Angle::AccountManager, 1);
    assert_eq!((together.cards[0].others.len(), together.withheld.len()), (1, 0));
    // Its CSM can do nothing about it meanwhile: alone it is silent.
    let csms = Card { mine: true, offered: false, ..held };
    assert_eq!(planned(std::slice::from_ref(&csms), Angle::Csm, 1).cards, []);
    assert_eq!(planned(&[risk, csms], Angle::Csm, 1).cards[0].others.len(), 1);
}
