//! Purpose: the card of a renewal, on each step of its ladder: the real
//! deadline, who owns it, who prepares it, and what this step asks for.

use chrono::NaiveDate;

use super::super::view::{Angle, BriefView, Deadline, DeadlineKind, RenewalPart, RenewalState, RenewalView};
use super::super::{Block, Buttons, Text, phrase};
use super::Keys;
use crate::domain::action::{Subject, Verb};
use crate::domain::diagnosis::{RenewalRead, Stage};

/// "opt-out date Fri 27 Nov, in 24 days".
pub(in super::super) fn next_date(view: &RenewalView, today: NaiveDate) -> String {
    due(view).map(|on| super::deadline(on, today)).unwrap_or_default()
}

pub(super) fn summary(view: &RenewalView, today: NaiveDate) -> String {
    let stake = super::arr(&view.account);
    let stake = if stake.is_empty() { stake } else { format!(" · {stake}") };
    match due(view) {
        Some(on) => format!("{}: {}{stake}", view.account.name, super::deadline(on, today)),
        None => format!("{}: renewal{stake}", view.account.name),
    }
}

pub(super) fn blocks(view: &RenewalView, today: NaiveDate) -> Vec<Block> {
    let account = &view.account;
    let open = is_open(&view.state);
    let mut lines = vec![super::head(account, &["renewal".to_owned(), super::arr(account), super::health(account)])];
    if open {
        lines.push(dates(view, today).into());
        if view.read.notice_period_missing {
            lines.push("The notice period is missing: the real deadline may be earlier. Add it in the CRM.".into());
        }
        if let Some(cause) = view.causes.first() {
            lines.push(Text::plain(format!("Know first: {}", phrase::sentence(&cause.headline))));
        }
        if account.angle != Angle::Csm {
            lines.extend(super::doing(account, today).map(Text::plain));
        }
        let ask = ask(view);
        lines.push(if ask.is_empty() { Text::new() } else { Text::strong("This step:").then(format!(" {ask}")) });
    }
    lines.push(super::window_lines(&view.windows).into());
    lines.push(state(&view.state, today).into());
    if view.asked && view.part == RenewalPart::Owner {
        lines.push(super::STILL_ON_IT.into());
    }
    lines.extend(view.brief.as_ref().map(|brief| said(brief, today).into()));
    let why = if open { super::why(&view.why) } else { String::new() };
    let mut small = vec![why, people(view)];
    if open {
        small.extend(view.account.detours.iter().cloned());
    }
    small.push(super::diagnosis(account));
    super::assemble(lines, small, buttons(view))
}

/// Beneath another matter of the same account.
pub(super) fn beneath(view: &RenewalView, today: NaiveDate) -> (Vec<Text>, Buttons) {
    let open = is_open(&view.state);
    let dates = if open { dates(view, today) } else { String::new() };
    let mut lines = vec![Text::strong("Renewal").then(if dates.is_empty() { dates } else { format!(". {dates}") })];
    if open {
        if view.read.notice_period_missing {
            lines.push("The notice period is missing: the real deadline may be earlier. Add it in the CRM.".into());
        }
        let ask = ask(view);
        lines.push(if ask.is_empty() { Text::new() } else { Text::strong("This step:").then(format!(" {ask}")) });
    }
    let people = phrase::capital(&people(view));
    lines.push(format!("{} {people}.", state(&view.state, today)).into());
    if view.asked && view.part == RenewalPart::Owner {
        lines.push(super::STILL_ON_IT.into());
    }
    lines.extend(view.brief.as_ref().map(|brief| said(brief, today).into()));
    (lines, buttons(view))
}

fn is_open(state: &RenewalState) -> bool {
    matches!(state, RenewalState::Upcoming | RenewalState::Preparing { .. } | RenewalState::Negotiating { .. })
}

/// The next deadline; where none lies ahead any more, the last one, which was the renewal date.
fn due(view: &RenewalView) -> Option<Deadline> {
    let last = || view.read.renewal_date.map(|on| Deadline { on, kind: DeadlineKind::Renewal });
    view.read.deadline().or_else(last)
}

fn dates(view: &RenewalView, today: NaiveDate) -> String {
    if view.notice_served {
        let ends = view.read.renewal_date.map(|on| format!(": it ends on {}", phrase::date_and_distance(on, today)));
        return format!("They served notice{}.", ends.unwrap_or_default());
    }
    let Some(Deadline { on, kind }) = due(view) else { return String::new() };
    let said = format!("{}: {}.", phrase::capital(kind.label()), phrase::date_and_distance(on, today));
    let RenewalRead { renewal_date, opt_out_date, auto_renew, .. } = view.read;
    let day = |day| phrase::date(day, today);
    let beside = match (kind, auto_renew, renewal_date, opt_out_date) {
        (DeadlineKind::OptOut, Some(true), Some(renewal), _) => {
            format!(" Without notice it renews by itself on {}.", day(renewal))
        }
        (DeadlineKind::OptOut, _, Some(renewal), _) => format!(" Renewal date: {}.", day(renewal)),
        (DeadlineKind::Renewal, Some(false), ..) => " It does not renew by itself.".to_owned(),
        // Notice can be given until the last day: one day is both dates.
        (DeadlineKind::Renewal, Some(true), _, Some(opt_out)) if opt_out == on && on >= today => {
            " Without notice it renews by itself.".to_owned()
        }
        (DeadlineKind::Renewal, Some(true), _, Some(opt_out)) if opt_out < on && opt_out < today => {
            format!(" The opt-out date was {}.", day(opt_out))
        }
        _ => String::new(),
    };
    said + &beside
}

fn ask(view: &RenewalView) -> String {
    match (view.part, view.read.stage) {
        (_, Stage::None) => String::new(),
        (RenewalPart::Owner, stage) if view.notice_served && stage != Stage::Overdue => {
            "Win them back before then, or record what came of it.".to_owned()
        }
        (RenewalPart::Owner, Stage::D180) => "Check the contract's dates and who signs on their side.".to_owned(),
        (RenewalPart::Owner, Stage::D120) => match &view.other {
            Some(other) => format!("Start preparing: get the value brief from {other}."),
            None => "Start preparing: write down goals reached, usage and open issues.".to_owned(),
        },
        (RenewalPart::Owner, Stage::D90) => "Open the talk with the person who signs.".to_owned(),
        (RenewalPart::Owner, Stage::D60) => "Have the offer with them, with term and price.".to_owned(),
        (RenewalPart::Owner, Stage::D30) => "Get the decision in writing.".to_owned(),
        (RenewalPart::Owner, Stage::OptOutPassed) => {
            "They can no longer leave this term. Settle price and term before the renewal date.".to_owned()
        }
        (RenewalPart::Owner, Stage::Overdue) => {
            "The renewal date has passed without a result. Record it: renewed, contracted or lost.".to_owned()
        }
        (RenewalPart::Prepares, _) if view.brief.is_none() && view.state != RenewalState::Upcoming => {
            "Add the value brief: goals reached, usage, open issues.".to_owned()
        }
        (RenewalPart::Prepares | RenewalPart::Informed, _) => String::new(),
    }
}

/// Where the renewal stands, in words.
pub(in super::super) fn state(state: &RenewalState, today: NaiveDate) -> String {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    let arr =
        |amount: &Option<crate::domain::money::Money>| amount.map(|a| format!(": {a} a year")).unwrap_or_default();
    let recorded = |by: &Option<String>, day: &NaiveDate| match by {
        Some(by) => format!("Recorded by {by} on {}.", on(day)),
        None => format!("Recorded on {}, from imported data.", on(day)),
    };
    match state {
        RenewalState::Upcoming => "Work on it has not started.".to_owned(),
        RenewalState::Preparing { since } => format!("In preparation since {}.", on(since)),
        RenewalState::Negotiating { since } => format!("In negotiation since {}.", on(since)),
        RenewalState::Renewed { by, on: day, amount } => {
            format!("Renewed{}. {}", arr(amount), recorded(by, day))
        }
        RenewalState::Contracted { by, on: day, amount } => {
            format!("Renewed for less{}. {}", arr(amount), recorded(by, day))
        }
        RenewalState::Lost { by, on: day, reason } => {
            let reason = phrase::sentence(&phrase::cut(reason, 200));
            let lost = if reason.is_empty() { "Lost.".to_owned() } else { format!("Lost: {reason}") };
            format!("{lost} {}", recorded(by, day))
        }
    }
}

fn said(brief: &BriefView, today: NaiveDate) -> String {
    format!("Value brief ({}, {})\n{}", brief.by, phrase::date(brief.on, today), phrase::cut(&brief.text, 800))
}

fn people(view: &RenewalView) -> String {
    let owner = view.owner.as_ref().map_or("no owner".to_owned(), |owner| format!("owner: {owner}"));
    match (&view.other, view.account.angle) {
        (Some(other), Angle::Csm | Angle::AccountManager) if Some(other) != view.owner.as_ref() => {
            format!("{owner}, prepares: {other}")
        }
        _ => owner,
    }
}

fn buttons(view: &RenewalView) -> Buttons {
    let keys = Keys { account: &view.account, subject: Subject::Renewal(view.renewal) };
    if !view.may_act {
        return keys.look_only();
    }
    let ends = [Verb::Renewed, Verb::Contracted, Verb::RenewalLost];
    let rest = [Verb::Note, Verb::Raise, Verb::ShowMore];
    match (view.part, &view.state) {
        (RenewalPart::Owner, RenewalState::Upcoming) => {
            let first = if view.read.stage == Stage::Overdue {
                return keys.row(true, &ends[..2], &[&ends[2..], &rest[..]].concat());
            } else {
                [Verb::Prepare, Verb::Note]
            };
            keys.row(true, &first, &[&[Verb::Negotiate], &ends[..], &rest[1..]].concat())
        }
        (RenewalPart::Owner, RenewalState::Preparing { .. }) if view.asked => {
            let more = [&[Verb::Brief], &ends[..], &rest[..]].concat();
            keys.row(true, &[Verb::Acknowledge, Verb::Negotiate], &more)
        }
        (RenewalPart::Owner, RenewalState::Negotiating { .. }) if view.asked => {
            let more = [&ends[1..], &[Verb::Brief], &rest[..]].concat();
            keys.row(true, &[Verb::Acknowledge, Verb::Renewed], &more)
        }
        (RenewalPart::Owner, RenewalState::Preparing { .. }) => {
            keys.row(true, &[Verb::Negotiate, Verb::Brief], &[&ends[..], &rest[..]].concat())
        }
        (RenewalPart::Owner, RenewalState::Negotiating { .. }) => {
            keys.row(true, &ends[..2], &[&ends[2..], &[Verb::Brief], &rest[..]].concat())
        }
        (RenewalPart::Prepares, RenewalState::Preparing { .. } | RenewalState::Negotiating { .. }) => {
            keys.row(view.brief.is_none(), &[Verb::Brief, Verb::Note], &rest[1..])
        }
        (RenewalPart::Informed, state) if view.leads && is_open(state) => {
            keys.row(false, &[Verb::Nudge, Verb::Reassign], &rest)
        }
        _ => keys.row(false, &[Verb::Note, Verb::ShowMore], &[Verb::Raise]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::form::brief_text;
    use super::super::super::text::to_text;
    use super::super::super::view::*;
    use super::super::{Card, message, sample};
    use super::*;

    fn drawn(mut view: RenewalView, angle: Angle) -> String {
        view.account.angle = angle;
        let message = message(&Card::Renewal(view), sample::today());
        format!("({})\n{}", message.summary, to_text(&message, 100))
    }

    #[test]
    fn the_owner_reads_the_real_deadline_and_the_step() {
        insta::assert_snapshot!(drawn(sample::renewal(), Angle::AccountManager), @"
        (Acme: opt-out date Fri 27 Nov, in 24 days · ARR $184k)
        Acme · renewal · ARR $184k · health 34, at risk (was 52)
        Opt-out date: Fri 27 Nov, in 24 days. Without notice it renews by itself on Thu 25 Feb 2027.
        Know first: Active users fell from 80 to 28 in five weeks.
        This step: Get the decision in writing.
        Work on it has not started.
          Step: 30 days before the deadline · owner: you, prepares: Dana · diagnosis 7F3A-9C01
        [Start preparing] [Note] More: [Start negotiating] [Renewed] [Contracted] [Lost] [Raise] [Show more]
        ");
    }

    #[test]
    fn the_csm_prepares() {
        let view = RenewalView {
            part: RenewalPart::Prepares,
            owner: Some("Kim".into()),
            other: Some("you".into()),
            state: RenewalState::Preparing { since: sample::day("2026-11-02") },
            ..sample::renewal()
        };
        insta::assert_snapshot!(drawn(view, Angle::Csm), @"
        (Acme: opt-out date Fri 27 Nov, in 24 days · ARR $184k)
        Acme · renewal · ARR $184k · health 34, at risk (was 52)
        Opt-out date: Fri 27 Nov, in 24 days. Without notice it renews by itself on Thu 25 Feb 2027.
        Know first: Active users fell from 80 to 28 in five weeks.
        This step: Add the value brief: goals reached, usage, open issues.
        In preparation since Mon 2 Nov.
          Step: 30 days before the deadline · owner: Kim, prepares: you · diagnosis 7F3A-9C01
        [Add value brief] [Note] More: [Raise] [Show more]
        ");
    }

    #[test]
    fn whoever_served_notice_does_not_renew_by_itself() {
        let view = RenewalView { notice_served: true, ..sample::renewal() };
        let said = drawn(view.clone(), Angle::AccountManager);
        assert!(said.contains("They served notice: it ends on Thu 25 Feb 2027, in 114 days."), "{said}");
        assert!(said.contains("This step: Win them back before then, or record what came of it."), "{said}");
        assert!(!said.contains("by itself"), "{said}");
    }

    #[test]
    fn whoever_leads_the_owner_can_nudge_and_reassign() {
        let view = RenewalView { part: RenewalPart::Informed, leads: true, ..sample::renewal() };
        let verbs =
            |view: &RenewalView| buttons(view).shown.iter().map(|button| button.action.verb).collect::<Vec<_>>();
        assert_eq!(verbs(&view), [Verb::Nudge, Verb::Reassign]);
        assert_eq!(verbs(&RenewalView { may_act: false, ..view }), [Verb::ShowMore]);
    }

    #[test]
    fn a_missing_notice_period_is_flagged() {
        let mut view = sample::renewal();
        view.read.notice_period_missing = true;
        view.read.notice_period_days = None;
        view.read.opt_out_date = None;
        view.read.days_to_opt_out = None;
        view.read.next_deadline = view.read.renewal_date;
        view.read.auto_renew = Some(false);
        view.read.stage = Stage::D120;
        view.why = Why::LadderStep(120);
        view.brief = Some(BriefView {
            by: "Dana".into(),
            on: sample::day("2026-11-02"),
            text: brief_text("onboarding cut from 6 weeks to 2", "28 of 100 seats", "two severity-1 tickets"),
        });
        insta::assert_snapshot!(drawn(view, Angle::Both), @"
        (Acme: renewal date Thu 25 Feb 2027, in 114 days · ARR $184k)
        Acme · renewal · ARR $184k · health 34, at risk (was 52)
        Renewal date: Thu 25 Feb 2027, in 114 days. It does not renew by itself.
        The notice period is missing: the real deadline may be earlier. Add it in the CRM.
        Know first: Active users fell from 80 to 28 in five weeks.
        This step: Start preparing: get the value brief from Dana.
        Work on it has not started.
        Value brief (Dana, Mon 2 Nov)
        Goals reached: onboarding cut from 6 weeks to 2
        Usage: 28 of 100 seats
        Open issues: two severity-1 tickets
          Step: 120 days before the deadline · owner: you · diagnosis 7F3A-9C01
        [Start preparing] [Note] More: [Start negotiating] [Renewed] [Contracted] [Lost] [Raise] [Show more]
        ");
    }

    #[test]
    fn a_day_that_is_both_dates_is_told_once() {
        let mut view = sample::renewal();
        view.read.notice_period_days = Some(0);
        let last = view.read.renewal_date;
        (view.read.opt_out_date, view.read.next_deadline) = (last, last);
        let said = |view: &RenewalView| dates(view, sample::today());
        assert_eq!(said(&view), "Renewal date: Thu 25 Feb 2027, in 114 days. Without notice it renews by itself.");
        view.read.auto_renew = None;
        assert_eq!(said(&view), "Renewal date: Thu 25 Feb 2027, in 114 days.");
        view.read.auto_renew = Some(false);
        assert_eq!(said(&view), "Renewal date: Thu 25 Feb 2027, in 114 days. It does not renew by itself.");
        // It has passed, and nothing came of it yet.
        view.read.auto_renew = Some(true);
        view.read.next_deadline = None;
        let later = sample::day("2027-02-27");
        assert_eq!(dates(&view, later), "Renewal date: Thu 25 Feb, 2 days ago.");
    }

    #[test]
    fn a_passed_opt_out_and_an_end_are_said() {
        let mut view = sample::renewal();
        view.read.opt_out_date = Some(sample::day("2026-10-30"));
        view.read.days_to_opt_out = Some(-4);
        view.read.renewal_date = Some(sample::day("2027-01-28"));
        view.read.next_deadline = view.read.renewal_date;
        view.read.stage = Stage::OptOutPassed;
        view.causes.clear();
        let open = drawn(view.clone(), Angle::AccountManager);
        view.state = RenewalState::Contracted {
            by: Some("Kim".into()),
            on: sample::day("2026-11-03"),
            amount: Some(sample::usd(150_000)),
        };
        insta::assert_snapshot!(format!("{open}\n{}", drawn(view, Angle::AccountManager)), @"
        (Acme: renewal date Thu 28 Jan 2027, in 86 days · ARR $184k)
        Acme · renewal · ARR $184k · health 34, at risk (was 52)
        Renewal date: Thu 28 Jan 2027, in 86 days. The opt-out date was Fri 30 Oct.
        This step: They can no longer leave this term. Settle price and term before the renewal date.
        Work on it has not started.
          Step: 30 days before the deadline · owner: you, prepares: Dana · diagnosis 7F3A-9C01
        [Start preparing] [Note] More: [Start negotiating] [Renewed] [Contracted] [Lost] [Raise] [Show more]

        (Acme: renewal date Thu 28 Jan 2027, in 86 days · ARR $184k)
        Acme · renewal · ARR $184k · health 34, at risk (was 52)
        Renewed for less: $150k a year. Recorded by Kim on Tue 3 Nov.
          Owner: you, prepares: Dana · diagnosis 7F3A-9C01
        [Note] [Show more] More: [Raise]
        ");
    }
}
