//! The plays: what each role does about a cause this week.
//!
//! A CSM moves value (use, outcomes, people, fixes), an account manager moves the
//! contract (terms, deadlines, money). Each play names the other's part where the
//! two would otherwise trip over each other.

use super::case::Case;
use super::onboarding::Blocked;
use super::wording::day;
use super::{RULES, Rule};
use crate::domain::diagnosis::RoleActions;

pub(super) fn play(case: &Case<'_>, rule: Rule) -> RoleActions {
    usual(rule).unwrap_or_else(|| match rule {
        Rule::OptOutNearSilent => opt_out(case),
        _ => onboarding(case, rule),
    })
}

/// The play of a rule, by its name, that is the same for every account; `None` where it depends on the account, and for
/// measures of one's own.
pub fn usual_play(rule: &str) -> Option<RoleActions> {
    usual(RULES.iter().find(|declared| declared.name == rule)?.rule)
}

fn usual(rule: Rule) -> Option<RoleActions> {
    let (csm, account_manager) = match rule {
        Rule::UsageTrend => (
            "Call the champion this week: ask what changed, which team stopped, and agree one use to win back by date",
            "Pause any expansion pitch; get from the CSM what changed before you talk about terms",
        ),
        Rule::UsageSlowDecline => (
            "Compare who used it at the peak with who does now; offer the teams that fell away a working session on their goal",
            "Bring the drift into the next commercial talk as a value question, not as a price question",
        ),
        Rule::SeatUse => (
            "Get the list of idle seats, agree with the admin who is to be enabled or removed, and book the training",
            "Expect a request to cut seats: prepare a right-sized offer with a longer term before they ask",
        ),
        Rule::FeatureBreadth => (
            "Pick the one unused feature closest to their goals and show it to its users in a 30-minute session",
            "Hold back on bigger plans until the features they pay for are used; ask what they bought them for",
        ),
        Rule::NoticeServed => (
            "Ask for an exit call with the person who decided within five days; bring goals reached and the open issues, and listen for the reason",
            "Confirm dates and what the notice covers, reach the economic buyer with an executive of ours, and put a save offer on paper this week",
        ),
        Rule::AutoRenewOff => (
            "Ask the champion who switched it off and what they are now comparing; have the value summary ready for that person",
            "Treat it as an open renewal from today: book the renewal talk with the economic buyer and learn the procurement path",
        ),
        Rule::DowngradeRequested => (
            "Find out which part gives them no value, and whether a team or a goal was lost; show the use that a smaller plan would end",
            "Do not answer with a discount: meet the buyer, offer two options that keep the core, and trade any cut for term",
        ),
        Rule::ChampionDeparted => (
            "Get an introduction to the successor, rerun the kick-off with their goals, and name a second champion",
            "Call the economic buyer before the successor reviews vendors: confirm that the budget and the sponsor still stand",
        ),
        Rule::CompetitorNamed => (
            "Ask openly what the other product promises; show the same on their own data, and fix what they are missing or say when",
            "Learn who evaluates, by when and on which criteria; bring switching cost and reference customers to the buyer",
        ),
        Rule::MeetingsRescheduled => (
            "Offer a 20-minute slot with a reason that is theirs, and try a second contact if it moves again",
            "Ask the buyer directly whether priorities have moved; do not wait for the next review",
        ),
        Rule::ContactSilence => (
            "Call, do not write: bring one finding from their own usage, and agree the next date before you hang up",
            "Try the economic buyer with a concrete reason (renewal date, price change, roadmap); tell the CSM who answered",
        ),
        Rule::ThinContacts => (
            "Ask your contact for two introductions, to a daily user and to the owner of the budget, and invite them to the next review",
            "Map who signs and who can veto; get one more decision maker into the next meeting",
        ),
        Rule::Sev1Open => (
            "Take ownership in front of the customer: daily update, a named engineer, a date; escalate inside today",
            "Stay out of commercial talk until it is closed; call the sponsor once to say who is on it",
        ),
        Rule::Escalations => (
            "Write down cause, fix and date for each escalation, and go through them with the customer in one call",
            "Ask the sponsor how much trust it has cost; agree with the CSM on amends before the customer asks for credits",
        ),
        Rule::CsatLow => (
            "Read the last five bad answers, call two of the people who gave them, and bring the pattern to support",
            "Know the pattern before your next meeting, and say what we changed before you talk about the contract",
        ),
        Rule::TicketSurge => (
            "Sort the new tickets by cause: a release, a new team, or missing training; answer the cause, not each ticket",
            "If a new team causes them, there may be a need to sell to later; for now help the CSM to get it stable",
        ),
        Rule::OldTicket => (
            "Get a date or an honest no for the oldest ticket from engineering, and tell the customer in person",
            "Ask the CSM for that ticket's state before any call: it will be their first question",
        ),
        Rule::SupportSilence => (
            "Do not take quiet for content: call two users and ask how they work around what does not work",
            "Check with the buyer that the project still has an owner and a budget",
        ),
        Rule::InvoiceOverdue => (
            "Ask your contact whether the invoice is stuck in a process or held back for a reason we caused",
            "Call accounts payable and the buyer: settle what is disputed, agree a payment date, and tell finance",
        ),
        Rule::PaymentFailures => (
            "Let the admin know that the payment method fails before access is affected",
            "Get the billing contact to renew the card or move to invoice, and check that nobody cancelled it on purpose",
        ),
        Rule::DiscountExpiring => (
            "Have the value summary ready: the price will be compared with the use before it goes up",
            "Tell the buyer the coming price now, with the options: a longer term, a bigger plan, or the list price",
        ),
        Rule::NpsLow => (
            "Call the person who answered within the week, ask what would have made it a nine, and close the loop in writing",
            "Ask the CSM what lies behind the score; leave referral and expansion requests for later",
        ),
        Rule::Pulse => (
            "Write down the one thing that must change for the pulse to turn, who does it and by when",
            "Sit down with the CSM for 15 minutes: what worries them, and what the contract could do about it",
        ),
        Rule::OptOutNearSilent | Rule::MilestonesOverdue | Rule::GoLiveLate => return None,
        Rule::LowEngagement => (
            "Ask the sponsor to free named people with hours for the rollout, and cut the plan to the first use that pays",
            "Remind the buyer what the delay costs of the term they pay for, and get the sponsor to back the plan",
        ),
        Rule::SlowFirstValue => (
            "Choose the smallest use that shows value and bring it live this week, with the customer's own data",
            "Do not plan expansion on it; agree with the buyer what first value means, and when they will see it",
        ),
    };
    Some(RoleActions { csm: csm.into(), account_manager: account_manager.into() })
}

/// Who is blocked decides the addressee.
fn onboarding(case: &Case<'_>, rule: Rule) -> RoleActions {
    let what = if rule == Rule::GoLiveLate { "the go-live" } else { "the overdue milestones" };
    let (csm, account_manager) = match case.evidence.onboarding.blocked() {
        Blocked::ByUs => (
            format!(
                "It is on us: get an owner and a date for {what} from our implementation lead, and tell the customer both"
            ),
            "Call the buyer before they call you: own the delay, and agree with the CSM what we offer for it",
        ),
        Blocked::ByCustomer => (
            format!(
                "It is on the customer: go through {what} with their project lead, and agree who frees what by when"
            ),
            "Take it to the economic buyer: name what their side must free, and what the delay costs them of the term",
        ),
        Blocked::ByBoth => (
            format!(
                "Both sides are blocked: make one plan for {what} with one owner on each side, and review it weekly"
            ),
            "Get the buyer and our implementation lead into one call to back the joint plan",
        ),
        Blocked::Unsaid => (
            format!("Find out who holds up {what}, record it, and set a new date with that person"),
            "Ask the sponsor whether the date still matters to them; do not sell on top of a late start",
        ),
    };
    RoleActions { csm: csm.into(), account_manager: account_manager.into() }
}

fn opt_out(case: &Case<'_>) -> RoleActions {
    let until = case.account.opt_out_date().map_or_else(String::new, |date| format!(" before {}", day(date)));
    RoleActions {
        csm: format!(
            "Reach anyone at the customer{until}: call the champion and two users, and bring the goals reached"
        )
        .into(),
        account_manager: format!(
            "Call the economic buyer{until} and ask plainly whether they will renew; silence now can become notice"
        )
        .into(),
    }
}
