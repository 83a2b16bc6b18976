//! CRM: the worst of what was decided or happened, and of the relationship.
//!
//! Decisions where the plan leaves room:
//! - An `interaction` feed is live for an account while its own rows are within
//!   their validity, or while the CRM still delivers for the account and has
//!   delivered an interaction in the last year. Many CRMs write a row only when
//!   two people met: then the very silence that matters would look like a feed that
//!   has ended.
//! - Contacts in touch are known only where some contact's last interaction is.
//! - A decision is dated by the first day of its present run, and belongs to the
//!   term in which that day lies. Many CRMs write one row an event and never take
//!   it back: a row that follows after more than the kind's validity decides anew,
//!   one that comes sooner repeats what stands.
//! - A first `auto_renew = false` is a switch only if the account's column says true.

use chrono::NaiveDate;

use super::Rule;
use super::case::{Case, highest};
use super::reduce::Look;
use super::series;
use super::wording::{day, days, fact, fact_date, fact_text, few, few_first, number};
use crate::domain::account::{Account, Contact, Persona};
use crate::domain::diagnosis::Fact;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;

/// Something somebody decided: it stands until contradicted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Decision {
    /// Since when it stands.
    since: Option<NaiveDate>,
    /// When it was decided anew, the latest time: that stands where the first is settled.
    anew: Option<NaiveDate>,
    /// Some row, whatever it says, is within its validity.
    read: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::domain) struct Read {
    notice: Decision,
    downgrade: Decision,
    auto_renew_off: Decision,
    champion_left: Option<NaiveDate>,
    /// The latest signal, else the account's column.
    pub(super) auto_renew: Option<bool>,
    competitor: Decision,
    rescheduled: Option<(f64, NaiveDate)>,
    interaction: Interaction,
    /// Contacts in touch, and the day of the latest touch.
    in_touch: Option<(u32, NaiveDate)>,
    pub(in crate::domain) new_department: Option<NaiveDate>,
    pub(in crate::domain) expansion_requested: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Interaction {
    live: bool,
    first_row: Option<NaiveDate>,
    last_row: Option<NaiveDate>,
    last_contact: Option<NaiveDate>,
}

impl Read {
    pub(super) fn take(&mut self, look: &Look<'_>) {
        let windows = &look.policy.windows;
        match look.kind {
            "notice_served" => self.notice = decision(look),
            "downgrade_requested" => self.downgrade = decision(look),
            "auto_renew" => self.take_auto_renew(look),
            "competitor_named" => {
                let since = look.stands_within(look.policy.validity.competitor_named);
                self.competitor = Decision { since, anew: None, read: look.valid };
            }
            "meeting_rescheduled" => {
                let sum = look.sum(look.policy.crm.meetings_days).filter(|_| look.valid);
                self.rescheduled = sum.map(|sum| (sum.value, sum.as_of));
            }
            "interaction" => {
                let contact = look.points.iter().rev().find(|point| point.1 > 0.0);
                self.interaction = Interaction {
                    live: look.valid,
                    first_row: look.points.first().map(|point| series::date_of(point.0)),
                    last_row: look.points.last().map(|point| series::date_of(point.0)),
                    last_contact: contact.map(|point| series::date_of(point.0)),
                };
            }
            "new_department" => self.new_department = look.stands_within(windows.department_days),
            "expansion_requested" => self.expansion_requested = look.stands_within(windows.requested_days),
            _ => {}
        }
    }

    fn take_auto_renew(&mut self, look: &Look<'_>) {
        let Some((on, since)) = look.run_start() else { return };
        self.auto_renew = Some(on);
        // A run that begins the series was true before only if the account's column says so.
        let had_it = look.points.iter().any(|point| point.1 > 0.0) || look.account.auto_renew == Some(true);
        self.auto_renew_off = Decision { since: Some(since).filter(|_| !on && had_it), anew: None, read: look.valid };
    }

    /// What the contacts and the other kinds say together.
    pub(super) fn finish(
        &mut self,
        account: &Account,
        contacts: &[Contact],
        crm_live: bool,
        date: NaiveDate,
        policy: &Policy,
    ) {
        self.auto_renew = self.auto_renew.or(account.auto_renew);
        let left = |contact: &Contact| contact.departed_on.filter(|day| *day <= date);
        let champions = || contacts.iter().filter(|contact| contact.persona == Some(Persona::Champion));
        if champions().all(|champion| left(champion).is_some()) {
            self.champion_left = champions().filter_map(left).max();
        }
        let touch = |contact: &Contact| contact.last_interaction.filter(|day| *day <= date);
        let latest = contacts.iter().filter_map(touch).max();
        let oldest = series::number_of(date) - series::days_of(policy.crm.contacts_days);
        let fresh = |contact: &&Contact| {
            left(contact).is_none() && touch(contact).is_some_and(|day| series::number_of(day) >= oldest)
        };
        let count = u32::try_from(contacts.iter().filter(fresh).count()).unwrap_or(u32::MAX);
        self.in_touch = latest.map(|day| (count, day));
        self.interaction.last_contact = self.interaction.last_contact.max(latest);
        let year = series::days_of(policy.reading.history_days);
        let in_year = |day: NaiveDate| series::number_of(date) - series::number_of(day) <= year;
        self.interaction.live |= crm_live && self.interaction.last_row.is_some_and(in_year);
    }

    /// Forgets decisions of a term that is over.
    pub(super) fn drop_before(&mut self, term_start: Option<NaiveDate>) {
        if let Some(start) = term_start {
            self.keep_decisions(|since| since >= start);
        }
    }

    pub(super) fn settle(&mut self, decided_on: NaiveDate) {
        self.keep_decisions(|since| since > decided_on);
    }

    fn keep_decisions(&mut self, keep: impl Fn(NaiveDate) -> bool) {
        for decision in [&mut self.notice, &mut self.downgrade, &mut self.auto_renew_off] {
            decision.since = [decision.since, decision.anew].into_iter().flatten().find(|day| keep(*day));
        }
        self.champion_left = self.champion_left.filter(|since| keep(*since));
    }

    /// The day since which a decision stands.
    pub(super) fn decided(&self, rule: Rule) -> Option<NaiveDate> {
        match rule {
            Rule::NoticeServed => self.notice.since,
            Rule::AutoRenewOff => self.auto_renew_off.since,
            Rule::DowngradeRequested => self.downgrade.since,
            Rule::ChampionDeparted => self.champion_left,
            Rule::CompetitorNamed => self.competitor.since,
            _ => None,
        }
    }
}

fn decision(look: &Look<'_>) -> Decision {
    let since = look.run_start().filter(|(stands, _)| *stands).map(|(_, since)| since);
    Decision { since, anew: since.and_then(|since| look.begins_anew_after(since)), read: look.valid }
}

/// Days since the last two-way contact, known only with a live interaction feed;
/// where no contact was ever seen, since the feed began. The day is that contact.
pub(super) fn silent_days(case: &Case<'_>) -> Option<(i64, Option<NaiveDate>)> {
    let interaction = case.evidence.crm.interaction;
    let from = interaction.last_contact.or(interaction.first_row).filter(|_| interaction.live)?;
    Some((case.days_since(from), interaction.last_contact))
}

pub(super) fn score(case: &Case<'_>, parts: &mut Vec<(Rule, f64)>) -> Option<f64> {
    let (rules, read) = (&case.policy.crm, &case.evidence.crm);
    let event = |decision: Decision, risk: f64| decision.since.map(|_| risk).or(decision.read.then_some(0.0));
    let meetings = read
        .rescheduled
        .map(|(count, _)| if count >= f64::from(rules.meetings) { rules.meetings_rescheduled } else { 0.0 });
    let segment = case.account.segment;
    let cadence = f64::from(rules.cadence_days.of(segment));
    let silence = silent_days(case).map(|(days, _)| rules.silence.at(days as f64 / cadence));
    let target = f64::from(rules.contacts_target.of(segment));
    let contacts = read.in_touch.filter(|_| read.interaction.live);
    let thin = contacts.map(|(count, _)| rules.contacts.at(f64::from(count) / target));
    let (rule, risk) = highest(&[
        case.on(Rule::NoticeServed, event(read.notice, rules.notice_served)),
        case.on(Rule::AutoRenewOff, event(read.auto_renew_off, rules.auto_renew_off)),
        case.on(Rule::DowngradeRequested, event(read.downgrade, rules.downgrade_requested)),
        case.on(Rule::ChampionDeparted, read.champion_left.map(|_| rules.champion_departed)),
        case.on(Rule::CompetitorNamed, event(read.competitor, rules.competitor_named)),
        case.on(Rule::MeetingsRescheduled, meetings),
        case.on(Rule::ContactSilence, silence),
        case.on(Rule::ThinContacts, thin),
    ])?;
    parts.push((rule, risk));
    Some(risk)
}

pub(super) fn describe(case: &Case<'_>, rule: Rule) -> Option<(String, Vec<Fact>)> {
    let (rules, read, crm) = (&case.policy.crm, &case.evidence.crm, Source::Crm);
    let decided = |what: &str, label: &str| {
        read.decided(rule).map(|since| (format!("{what} {}", day(since)), vec![fact_date(label, since, crm, since)]))
    };
    match rule {
        Rule::NoticeServed => decided("Notice to end the contract was served on", "Notice served on"),
        Rule::DowngradeRequested => decided("A downgrade was requested on", "Downgrade requested on"),
        Rule::CompetitorNamed => decided("A competitor was named on", "Competitor named on"),
        Rule::AutoRenewOff => {
            let since = read.decided(rule)?;
            let mut state = fact_text("Auto-renewal", "off", crm, since);
            state.previous = Some(crate::domain::diagnosis::FactValue::Text("on".to_owned()));
            Some((format!("Auto-renewal was switched off on {}", day(since)), vec![state]))
        }
        Rule::ChampionDeparted => {
            let left = read.champion_left?;
            // Without the name: a diagnosis is kept longer than a person may want to be remembered.
            let headline = format!("The champion left on {} and no other champion is active", day(left));
            Some((headline, vec![fact_date("Champion left on", left, crm, left)]))
        }
        Rule::MeetingsRescheduled => {
            let (count, as_of) = read.rescheduled?;
            let window = rules.meetings_days;
            let headline = format!("{} meetings were rescheduled in the last {window} days", few_first(count));
            Some((headline, vec![fact("Meetings rescheduled", count, "meetings", crm, as_of)]))
        }
        Rule::ContactSilence => {
            let (silent, last) = silent_days(case)?;
            let cadence = f64::from(rules.cadence_days.of(case.account.segment));
            let headline =
                format!("No two-way contact for {}; the aim is every {}", days(silent as f64), days(cadence));
            Some((headline, silence_facts(case, silent, last)))
        }
        Rule::ThinContacts => {
            let (count, as_of) = read.in_touch?;
            let target = f64::from(rules.contacts_target.of(case.account.segment));
            let who = match count {
                0 => "No contact was in touch".to_owned(),
                1 => "Only one contact was in touch".to_owned(),
                _ => format!("Only {} contacts were in touch", few(f64::from(count))),
            };
            let headline = format!("{who} in the last {} days; the aim is {}", rules.contacts_days, number(target));
            let facts = vec![
                fact("Contacts in touch", f64::from(count), "contacts", crm, as_of),
                fact("Aim", target, "contacts", crm, case.date),
            ];
            Some((headline, facts))
        }
        Rule::OptOutNearSilent => {
            let (silent, last) = silent_days(case)?;
            let opt_out = case.account.opt_out_date()?;
            let left = (opt_out - case.date).num_days();
            let when = match left {
                0 => "today".to_owned(),
                _ => format!("in {}, on {}", days(left as f64), day(opt_out)),
            };
            let headline = format!("The opt-out date is {when}, and there was no contact for {}", days(silent as f64));
            Some((headline, silence_facts(case, silent, last)))
        }
        _ => None,
    }
}

fn silence_facts(case: &Case<'_>, silent: i64, last: Option<NaiveDate>) -> Vec<Fact> {
    let silence = fact("Days since the last two-way contact", silent as f64, "days", Source::Crm, case.date);
    let last = last.map(|last| fact_date("Last two-way contact", last, Source::Crm, last));
    std::iter::once(silence).chain(last).collect()
}
