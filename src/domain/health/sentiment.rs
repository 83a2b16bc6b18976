//! Sentiment: the worse of NPS and of the colleague's pulse.

use super::case::{Case, highest};
use super::reduce::Look;
use super::wording::{day, fact, fact_text, number};
use super::{Observation, Rule};
use crate::domain::diagnosis::Fact;
use crate::domain::signal::{Pulse, Source};

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    nps: Option<Observation>,
    /// By severity: green 0, amber 1, red 2.
    pulse: Option<Observation>,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        match look.kind {
            "nps" => self.nps = look.last(),
            "csm_pulse" => self.pulse = look.last(),
            _ => {}
        }
    }
}

fn pulse_of(severity: f64) -> Pulse {
    match severity {
        s if s >= 2.0 => Pulse::Red,
        s if s >= 1.0 => Pulse::Amber,
        _ => Pulse::Green,
    }
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let (read, rules) = (&case.evidence.sentiment, &case.policy.sentiment);
    let nps = read.nps.and_then(Observation::known).map(|nps| match nps.value {
        score if score < rules.nps_passive_from => rules.nps_detractor,
        score if score < rules.nps_promoter_from => rules.nps_passive,
        _ => rules.nps_promoter,
    });
    let pulse = read.pulse.and_then(Observation::known).map(|pulse| match pulse_of(pulse.value) {
        Pulse::Red => rules.pulse_red,
        Pulse::Amber => rules.pulse_amber,
        Pulse::Green => rules.pulse_green,
    });
    let (rule, risk) = highest(&[case.on(Rule::NpsLow, nps), case.on(Rule::Pulse, pulse)])?;
    parts.push((rule, risk));
    Some(risk)
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let (read, sentiment) = (&case.evidence.sentiment, Source::Sentiment);
    match rule {
        Rule::NpsLow => {
            let nps = read.nps?;
            let headline = format!("NPS answer of {} out of 10 on {}", number(nps.value), day(nps.as_of));
            Some((headline, vec![fact("NPS", nps.value, "of 10", sentiment, nps.as_of)]))
        }
        Rule::Pulse => {
            let pulse = read.pulse?;
            let colour = pulse_of(pulse.value).as_str();
            let headline = format!("The CSM's pulse was set to {colour} on {}", day(pulse.as_of));
            Some((headline, vec![fact_text("Pulse", colour, sentiment, pulse.as_of)]))
        }
        _ => None,
    }
}
