//! What both sides are measured by: answers to risks, handoffs, qualified leads.

use super::trail::{self, Offer, Standing, What};
use super::{Facts, Figure, FigureId, Value, median, share};
use crate::domain::message::phrase;

pub(super) fn figures(facts: &Facts) -> Vec<Figure> {
    let offers = trail::offers(&facts.steps, &facts.running);
    let counted: Vec<&Offer> =
        offers.iter().filter(|offer| facts.span_at.contains(offer.at) && facts.whose.has(offer.whose())).collect();
    vec![acknowledged(facts), in_time(facts, &counted), accepted(facts, &counted), converted(facts)]
}

/// Hours from the opening of each risk to its first answer, where that fell into the span.
fn acknowledged(facts: &Facts) -> Figure {
    let mut hours = Vec::new();
    for steps in trail::by_subject(&facts.steps).values() {
        let mut opened = None;
        for step in steps {
            match (step.what, opened) {
                (What::RiskOpened, _) => opened = Some(step.at),
                (What::RiskAnswered, Some(since)) => {
                    opened = None;
                    if facts.span_at.contains(step.at) && facts.whose.has(step.by) {
                        hours.push(trail::hours(since, step.at));
                    }
                }
                (What::RiskEnded, _) => opened = None,
                _ => {}
            }
        }
    }
    let value = median(hours).map(Value::Hours).ok_or_else(|| "no risk was answered in the period".to_owned());
    Figure::of(FigureId::TimeToAcknowledge, value)
}

fn count(facts: &Facts, offers: &[&Offer], standing: &[Standing]) -> usize {
    offers.iter().filter(|offer| standing.contains(&offer.standing(facts.now))).count()
}

fn in_time(facts: &Facts, offers: &[&Offer]) -> Figure {
    let in_time = count(facts, offers, &[Standing::InTime]);
    let missed = count(facts, offers, &[Standing::Late, Standing::Expired]);
    let value =
        share(in_time as f64, (in_time + missed) as f64, "no offer of the period was accepted, expired or overdue");
    let left_out = count(facts, offers, &[Standing::Declined, Standing::Withdrawn]);
    Figure::of(FigureId::SlaAttainment, value)
        .note(left_out, |n| format!("Left out: {} declined or taken back.", phrase::count(n, "offer")))
}

fn accepted(facts: &Facts, offers: &[&Offer]) -> Figure {
    let qualified: Vec<&Offer> = offers.iter().copied().filter(|offer| offer.qualified).collect();
    let accepted = count(facts, &qualified, &[Standing::InTime])
        + qualified
            .iter()
            .filter(|offer| {
                offer.standing(facts.now) == Standing::Late && matches!(offer.end, trail::End::Accepted { .. })
            })
            .count();
    let refused = count(facts, &qualified, &[Standing::Declined, Standing::Expired]);
    let none = "no offer of a qualified window was answered or expired in the period";
    Figure::of(FigureId::CsqlAcceptance, share(accepted as f64, (accepted + refused) as f64, none))
}

fn converted(facts: &Facts) -> Figure {
    let (mut won, mut ended) = (0, 0);
    for steps in trail::by_subject(&facts.steps).values() {
        let (mut qualified, mut accepted) = (false, false);
        for step in steps {
            let counts = qualified && facts.span_at.contains(step.at) && facts.whose.has(step.by);
            match step.what {
                What::Qualified => qualified = true,
                What::Accepted => accepted = true,
                What::Won if counts => {
                    won += 1;
                    ended += 1;
                }
                What::Lost if counts => ended += 1,
                What::Passed if counts && accepted => ended += 1,
                _ => {}
            }
        }
    }
    let value = share(f64::from(won), f64::from(ended), "no qualified window was won or lost in the period");
    Figure::of(FigureId::CsqlConversion, value)
}
