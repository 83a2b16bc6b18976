//! Purpose: the answer to `/account acme`: both angles of one account, with the
//! evidence behind every cause, and what was not checked.

mod contacts;
mod facts;
pub mod history;

use chrono::NaiveDate;
use uuid::Uuid;

use super::card::{self, window_line};
use super::chart::Mark;
use super::view::{AccountView, NoteView, RenewalState, RiskState, WindowLine};
use super::{Block, Button, Buttons, Message, Text, form, phrase};
use crate::domain::account::{Account, AccountStatus, Contact};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::diagnosis::{Cause, Diagnosis, Fact, FactValue};
use crate::domain::health::wording;
use crate::domain::signal::Source;

#[derive(Debug, Clone, PartialEq)]
pub struct AccountAnswer {
    pub account: AccountView,
    pub status: AccountStatus,
    pub plan: Option<String>,
    pub seats: Option<i64>,
    /// The latest; `None` before the first.
    pub diagnosis: Option<Diagnosis>,
    /// Older than 36 hours.
    pub stale: bool,
    /// Sources whose values are those of an earlier night, because their feed fell silent.
    pub stale_sources: Vec<Source>,
    pub risk: Option<OpenRisk>,
    pub windows: Vec<WindowLine>,
    pub renewal: Option<RenewalLine>,
    pub goals: Option<String>,
    pub contacts: Vec<Contact>,
    pub onboarding: Option<OnboardingView>,
    pub last_note: Option<NoteView>,
    /// Health per diagnosis, oldest first.
    pub history: Vec<(NaiveDate, u8)>,
    /// What happened meanwhile.
    pub events: Vec<Mark>,
    /// The health from which an account is healthy, and from which it is watched.
    pub bands: (u8, u8),
    /// An account manager warns and notes where there is a CSM.
    pub settles_risks: bool,
    pub may_raise: bool,
    /// Asked in a channel in which it may be shown.
    pub may_share: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRisk {
    pub id: Uuid,
    pub state: RiskState,
    pub since: NaiveDate,
    /// Who raised it and why; `None` where the rules opened it.
    pub raised: Option<NoteView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalLine {
    pub state: RenewalState,
    pub owner: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OnboardingView {
    pub milestones_done: Option<u32>,
    pub milestones_total: Option<u32>,
    pub overdue: u32,
    pub blocked_by_us: u32,
    pub blocked_by_customer: u32,
    pub go_live_planned: Option<NaiveDate>,
    pub go_live_forecast: Option<NaiveDate>,
}

/// Of an account that has left.
const LEFT: &str = "no longer a customer";

/// The private answer.
pub fn message(view: &AccountAnswer, today: NaiveDate) -> Message {
    let account = &view.account;
    let arr = card::arr(account);
    let standing = match view.status {
        AccountStatus::Active => card::health(account),
        AccountStatus::Churned => LEFT.to_owned(),
    };
    let mut title = format!("{} · {standing}", account.name);
    if !arr.is_empty() {
        title.push_str(&format!(" · {arr}"));
    }
    let mut blocks = vec![Block::Heading(phrase::cut(&title, 150)), Block::Facts(facts::pairs(view, today))];
    blocks.extend(causes(view, today));
    blocks.extend(history::block(view, today));
    blocks.extend(windows(view, today));
    blocks.extend(paragraph("Goals", view.goals.as_deref()));
    blocks.extend(onboarding(view, today));
    blocks.extend(contacts::blocks(&view.contacts, today));
    if let Some(note) = &view.last_note {
        let text = format!("Last note ({}, {}): ", note.by, phrase::date(note.on, today));
        blocks.push(Block::Text(Text::strong(text.trim_end()).then(format!(" {}", phrase::cut(&note.text, 500)))));
    }
    let footer = footer(view, today);
    if !footer.is_empty() {
        blocks.push(Block::Context(footer));
    }
    let buttons = buttons(view);
    if !buttons.shown.is_empty() {
        blocks.push(Block::Buttons(buttons));
    }
    Message { summary: title, blocks }
}

fn causes(view: &AccountAnswer, today: NaiveDate) -> Vec<Block> {
    let Some(diagnosis) = &view.diagnosis else {
        return vec![Block::Text(match view.status {
            AccountStatus::Active => "No diagnosis yet: the first one runs tonight.".into(),
            AccountStatus::Churned => "Not diagnosed: the account has left.".into(),
        })];
    };
    if diagnosis.causes.is_empty() {
        let said = match view.stale_sources.as_slice() {
            [] => "Nothing stands out in what was checked.".to_owned(),
            stale => {
                let stale: Vec<String> = stale.iter().map(ToString::to_string).collect();
                format!(
                    "Values of an earlier night stand: no new data came from {}. Neither they nor the rest name a cause.",
                    phrase::and(&stale)
                )
            }
        };
        return vec![Block::Text(Text::strong("Causes").then(format!("\n{said}")))];
    }
    let mut blocks = vec![Block::Text(Text::strong("Why, and what to do"))];
    for cause in &diagnosis.causes {
        blocks.push(Block::Text(cause_text(cause)));
        let facts: Vec<String> = cause.facts.iter().map(|fact| fact_line(fact, today)).collect();
        if !facts.is_empty() {
            blocks.push(Block::Context(facts.join("\n").into()));
        }
    }
    blocks
}

fn cause_text(cause: &Cause) -> Text {
    let weight =
        if cause.floor { " (decides on its own)".to_owned() } else { format!(" ({} points of risk)", cause.points) };
    let mut text = Text::strong(cause.headline.trim_end_matches('.')).then(weight);
    if !cause.actions.csm.is_empty() {
        text = text.then(format!("\nCSM: {}", phrase::sentence(&cause.actions.csm)));
    }
    if !cause.actions.account_manager.is_empty() {
        text = text.then(format!("\nAM: {}", phrase::sentence(&cause.actions.account_manager)));
    }
    text
}

/// "Active users: 28, before 80 · usage, Sun 1 Nov". A unit that the label says already is left out.
fn fact_line(fact: &Fact, today: NaiveDate) -> String {
    let said = fact.label.to_lowercase().contains(&fact.unit);
    let value = value(&fact.value, if said { "" } else { &fact.unit }, today);
    let before =
        fact.previous.as_ref().map(|was| format!(", before {}", self::value(was, "", today))).unwrap_or_default();
    format!("{}: {value}{before} · {}, {}", fact.label, fact.source, phrase::date(fact.as_of, today))
}

fn value(value: &FactValue, unit: &str, today: NaiveDate) -> String {
    let bare = match value {
        FactValue::Bool(true) => return "yes".to_owned(),
        FactValue::Bool(false) => return "no".to_owned(),
        FactValue::Date(day) => return phrase::date(*day, today),
        FactValue::Text(text) => return phrase::cut(text, 100),
        FactValue::Number(number) => wording::number(*number),
    };
    match unit {
        "" => bare,
        "%" => format!("{bare}%"),
        unit => format!("{bare} {unit}"),
    }
}

fn windows(view: &AccountAnswer, today: NaiveDate) -> Vec<Block> {
    if view.windows.is_empty() {
        return Vec::new();
    }
    let lines = view.windows.iter().map(|line| {
        let until = phrase::date(line.closes_on, today);
        match &line.withheld {
            Some(held) => {
                let bare = WindowLine { withheld: None, holder: None, ..line.clone() };
                Text::plain(format!("{}, open until {until}. {}", window_line(&bare), card::withheld(held, today)))
            }
            None => Text::plain(format!("{}, open until {until}", window_line(line))),
        }
    });
    vec![Block::Text(Text::strong("Expansion windows")), Block::Bullets(lines.collect())]
}

fn paragraph(label: &str, text: Option<&str>) -> Option<Block> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    Some(Block::Text(Text::strong(format!("{label}:")).then(format!(" {}", phrase::cut(text, 800)))))
}

fn onboarding(view: &AccountAnswer, today: NaiveDate) -> Option<Block> {
    let read = view.onboarding.as_ref()?;
    let mut parts = Vec::new();
    if let (Some(done), Some(total)) = (read.milestones_done, read.milestones_total) {
        parts.push(format!("{done} of {total} milestones done"));
    }
    if read.overdue > 0 {
        parts.push(format!("{} overdue", read.overdue));
    }
    if read.blocked_by_us > 0 {
        parts.push(format!("{} blocked by us", read.blocked_by_us));
    }
    if read.blocked_by_customer > 0 {
        parts.push(format!("{} blocked by the customer", read.blocked_by_customer));
    }
    match (read.go_live_planned, read.go_live_forecast) {
        (Some(planned), Some(forecast)) if forecast > planned => parts.push(format!(
            "go-live forecast {}, {} after plan",
            phrase::date(forecast, today),
            phrase::count(usize::try_from((forecast - planned).num_days()).unwrap_or_default(), "day")
        )),
        (Some(planned), _) => parts.push(format!("go-live planned {}", phrase::date(planned, today))),
        (None, Some(forecast)) => parts.push(format!("go-live forecast {}", phrase::date(forecast, today))),
        (None, None) => {}
    }
    (!parts.is_empty()).then(|| Block::Text(Text::strong("Onboarding:").then(format!(" {}.", parts.join(", ")))))
}

fn footer(view: &AccountAnswer, today: NaiveDate) -> Text {
    let mut parts = Vec::new();
    if let Some(diagnosis) = &view.diagnosis {
        let stale = if view.stale { " (old: newer facts are not in it)" } else { "" };
        let (id, date) = (phrase::short_id(diagnosis.id), phrase::date(diagnosis.date, today));
        parts.push(format!("Diagnosis {id} of {date}{stale}"));
        if diagnosis.not_checked.is_empty() {
            parts.push("every source checked".to_owned());
        } else {
            let missing: Vec<String> = diagnosis.not_checked.iter().map(ToString::to_string).collect();
            parts.push(format!("not checked, nothing to score: {}", missing.join(", ")));
        }
    }
    if !view.stale_sources.is_empty() {
        let names: Vec<String> = view.stale_sources.iter().map(ToString::to_string).collect();
        parts.push(format!("no new data, values of an earlier night: {}", names.join(", ")));
    }
    let text = Text::plain(parts.join(" · "));
    match &view.account.url {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            let gap = if text.is_empty() { "" } else { " · " };
            text.then(gap).then_link("Open in the CRM", url)
        }
        _ => text,
    }
}

fn buttons(view: &AccountAnswer) -> Buttons {
    let account = Subject::Account(view.account.id.clone());
    let button = |verb, subject: &Subject| Button::new(Action::new(verb, subject.clone()), &view.account.name);
    let mut shown = Vec::new();
    let mut more = Vec::new();
    if view.settles_risks {
        match view.risk.as_ref().map(|risk| (Subject::Risk(risk.id), &risk.state)) {
            Some((risk, RiskState::Open)) => {
                shown.push(button(Verb::Acknowledge, &risk).primary());
                more.extend([Verb::SetNextStep, Verb::Snooze, Verb::Resolve].map(|verb| button(verb, &risk)));
            }
            Some((risk, RiskState::Acknowledged { .. } | RiskState::Snoozed { .. })) => {
                shown.push(button(Verb::SetNextStep, &risk));
                more.extend([Verb::Snooze, Verb::Resolve].map(|verb| button(verb, &risk)));
            }
            Some((_, RiskState::Resolved { .. } | RiskState::Ended { .. })) | None => {}
        }
    }
    if view.may_raise {
        shown.push(button(Verb::Raise, &account));
        let note = button(Verb::Note, &account);
        if shown.len() < 2 { shown.push(note) } else { more.push(note) }
    }
    if view.may_share {
        more.push(button(Verb::Share, &account));
    }
    if shown.is_empty() {
        shown.append(&mut more);
    }
    Buttons { shown, more }
}

/// What `/tandem raise acme` asks.
pub fn what_to_raise(account: &Account) -> Message {
    let subject = Subject::Account(account.id.clone());
    let button = |verb: &Verb| Button::new(Action::new(*verb, subject.clone()), &account.name);
    let mut shown: Vec<Button> = form::raisable(account.status).iter().map(button).collect();
    let more = shown.split_off(shown.len().min(2));
    let question = format!("What is it about {}?", account.name);
    Message {
        summary: question.clone(),
        blocks: vec![Block::Text(question.into()), Block::Buttons(Buttons { shown, more })],
    }
}

/// Several accounts fit what was typed: at most nine are offered, each with what was to be done with the one that is
/// meant.
pub fn several(typed: &str, matches: &[Account], verb: Verb) -> Message {
    let names: Vec<String> = matches.iter().take(9).map(|one| told_apart(one, matches, 60)).collect();
    let summary = format!("Which account do you mean by \"{}\"?", phrase::cut(typed, 60));
    let mut buttons: Vec<Button> = matches
        .iter()
        .take(9)
        .map(|one| {
            let action = Action::new(verb, Subject::Account(one.id.clone()));
            let mut button = Button::new(action, &told_apart(one, matches, 60));
            button.label = told_apart(one, matches, 30);
            button
        })
        .collect();
    let more = if buttons.len() > 2 { buttons.split_off(2) } else { Vec::new() };
    let mut blocks = vec![
        Block::Text(summary.as_str().into()),
        Block::Bullets(names.into_iter().map(Text::from).collect()),
        Block::Buttons(Buttons { shown: buttons, more }),
    ];
    if matches.len() > 9 {
        blocks.push(Block::Context("There are more. Type a longer part of the name.".into()));
    }
    Message { summary, blocks }
}

/// The name, cut to so many characters; with the account's id behind it where another has the same name.
fn told_apart(one: &Account, all: &[Account], most: usize) -> String {
    if all.iter().filter(|other| other.name == one.name).count() < 2 {
        return phrase::cut(&one.name, most);
    }
    let id = phrase::cut(&one.id.0, most / 2);
    let room = most.saturating_sub(id.chars().count() + 3);
    format!("{} ({id})", phrase::cut(&one.name, room))
}

/// Forbidden and absent get the same sentence, so that nobody learns which customers exist.
pub fn not_found(typed: &str) -> Message {
    Message::sentence(format!(
        "No account \"{}\" that you can see. Check the spelling, or type just a part of the name.",
        phrase::cut(typed, 60)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::super::view::Withheld;
    use super::*;
    use crate::domain::account::{Persona, Segment};
    use crate::domain::diagnosis::{Band, Change};

    fn contact(email: &str, name: Option<&str>, persona: Persona) -> Contact {
        Contact {
            account_id: "a-1".into(),
            email: email.into(),
            name: name.map(str::to_owned),
            title: None,
            phone: None,
            persona: Some(persona),
            last_interaction: None,
            departed_on: None,
        }
    }

    fn diagnosis() -> Diagnosis {
        let read: Diagnosis = serde_json::from_value(serde_json::json!({
            "id": Uuid::nil(),
            "account_id": "a-1",
            "name": "Acme",
            "date": "2026-11-03",
            "health": 34,
            "band": "at_risk",
            "risk": 66,
            "coverage": 0.8,
            "families": {},
            "not_checked": ["sentiment", "onboarding"],
            "causes": sample::causes(),
            "windows": [],
            "renewal": sample::renewal().read,
            "change": "worse",
        }))
        .unwrap();
        Diagnosis { renewal: sample::renewal().read, ..read }
    }

    fn answer() -> AccountAnswer {
        let mut held = sample::window_line();
        held.withheld = Some(Withheld {
            cause: "Active users fell from 80 to 28".into(),
            handled_by: Some("Dana".into()),
            with: None,
            since: sample::day("2026-11-02"),
        });
        AccountAnswer {
            account: AccountView {
                url: Some("https://crm.example/acme".into()),
                segment: Some(Segment::MidMarket),
                ..sample::account()
            },
            status: AccountStatus::Active,
            plan: Some("Team".into()),
            seats: Some(100),
            diagnosis: Some(diagnosis()),
            stale: false,
            stale_sources: vec![Source::Billing],
            risk: Some(OpenRisk {
                id: Uuid::nil(),
                state: RiskState::Open,
                since: sample::day("2026-11-02"),
                raised: None,
            }),
            windows: vec![held],
            renewal: Some(RenewalLine { state: RenewalState::Upcoming, owner: Some("Kim".into()) }),
            goals: Some("Cut onboarding from 6 weeks to 2".into()),
            contacts: vec![
                Contact {
                    departed_on: Some(sample::day("2026-10-02")),
                    ..contact("eva@acme.example", Some("Eva"), Persona::Champion)
                },
                contact("it@acme.example", None, Persona::Admin),
                Contact {
                    title: Some("CFO".into()),
                    last_interaction: Some(sample::day("2026-10-22")),
                    ..contact("li@acme.example", Some("Li Wei"), Persona::EconomicBuyer)
                },
            ],
            onboarding: Some(OnboardingView {
                milestones_done: Some(4),
                milestones_total: Some(9),
                overdue: 2,
                blocked_by_us: 1,
                blocked_by_customer: 0,
                go_live_planned: Some(sample::day("2026-11-01")),
                go_live_forecast: Some(sample::day("2026-11-20")),
            }),
            last_note: Some(NoteView {
                by: "Kim".into(),
                on: sample::day("2026-10-30"),
                text: "They asked for the contract".into(),
            }),
            history: vec![
                (sample::day("2026-08-04"), 78),
                (sample::day("2026-09-04"), 70),
                (sample::day("2026-10-04"), 28),
                (sample::day("2026-11-03"), 34),
            ],
            events: vec![Mark { on: sample::day("2026-11-02"), what: "risk opened".into() }],
            bands: (70, 50),
            settles_risks: true,
            may_raise: true,
            may_share: true,
        }
    }

    fn drawn(view: &AccountAnswer) -> String {
        to_text(&message(view, sample::today()), 100)
    }

    #[test]
    fn an_account_that_has_left_is_promised_no_diagnosis() {
        let said = |status| drawn(&AccountAnswer { status, diagnosis: None, ..answer() });
        assert!(said(AccountStatus::Active).contains("the first one runs tonight"));
        let left = said(AccountStatus::Churned);
        assert!(left.starts_with("Acme · no longer a customer · ARR $184k\n"), "{left}");
        assert!(left.contains("Not diagnosed: the account has left."), "{left}");
    }

    #[test]
    fn a_risk_says_why_it_ended() {
        let said = |left| {
            let state = RiskState::Ended { on: sample::day("2026-11-02"), left };
            let risk = OpenRisk { id: Uuid::nil(), state, since: sample::day("2026-10-01"), raised: None };
            let drawn = drawn(&AccountAnswer { risk: Some(risk), ..answer() });
            drawn.lines().find_map(|line| Some(line.strip_prefix("Risk")?.trim().to_owned())).unwrap()
        };
        assert_eq!(said(false), "since Thu 1 Oct. Ended on Mon 2 Nov: health came back.");
        assert_eq!(said(true), "since Thu 1 Oct. Ended on Mon 2 Nov: the account has left.");
    }

    #[test]
    fn a_raised_risk_says_what_was_raised_by_whom_and_when() {
        let mut view = answer();
        if let Some(risk) = &mut view.risk {
            let on = sample::day("2026-11-02");
            risk.raised = Some(NoteView { by: "Dana".into(), on, text: "Sponsor leaves in January".into() });
        }
        let said = drawn(&view);
        assert!(said.contains("Raised     Dana, Mon 2 Nov: Sponsor leaves in January.\n"), "{said}");
    }

    #[test]
    fn whoever_served_notice_does_not_renew_by_itself() {
        let mut view = answer();
        if let Some(diagnosis) = &mut view.diagnosis {
            diagnosis.causes[0].rule = "notice_served".into();
        }
        let said = drawn(&view);
        assert!(said.contains("notice served, ends Thu 25 Feb 2027") && !said.contains("by itself"), "{said}");
    }

    #[test]
    fn nothing_stands_out_only_where_all_was_checked_tonight() {
        let mut view = answer();
        if let Some(diagnosis) = &mut view.diagnosis {
            diagnosis.causes.clear();
        }
        let said = drawn(&view);
        let stands = "Values of an earlier night stand: no new data came from billing.";
        assert!(said.contains(stands) && !said.contains("Nothing stands out"), "{said}");
        view.stale_sources.clear();
        assert!(drawn(&view).contains("Nothing stands out in what was checked."));
    }

    #[test]
    fn a_day_that_is_both_dates_is_told_once_and_what_ends_has_no_opt_out() {
        let mut view = answer();
        let mut said = |opt_out: &str, auto_renew| {
            let read = &mut view.diagnosis.as_mut().unwrap().renewal;
            (read.opt_out_date, read.next_deadline) = (Some(sample::day(opt_out)), read.renewal_date);
            read.auto_renew = auto_renew;
            drawn(&view).lines().find_map(|line| Some(line.strip_prefix("Deadline")?.trim().to_owned())).unwrap()
        };
        assert_eq!(said("2027-02-25", Some(true)), "renews by itself Thu 25 Feb 2027, in 114 days");
        assert_eq!(said("2027-02-25", None), "renewal date Thu 25 Feb 2027, in 114 days");
        assert_eq!(said("2026-11-27", Some(false)), "ends unless renewed Thu 25 Feb 2027, in 114 days");
    }

    #[test]
    fn both_angles_and_all_evidence() {
        insta::assert_snapshot!(drawn(&answer()), @"
        Acme · health 34, at risk (was 52) · ARR $184k
        ==============================================
        Change     worse: health was 52
        Risk       since Mon 2 Nov. Not acknowledged yet.
        Deadline   opt-out date Fri 27 Nov, in 24 days · renews by itself Thu 25 Feb 2027
        Renewal    not started, owner: Kim
        People     CSM: Dana · AM: Kim
        Size       mid-market · plan Team · 100 seats

        Why, and what to do

        Active users fell from 80 to 28 in five weeks (31 points of risk)
        CSM: Ask the champion what changed and book a training for the team that stopped.
        AM: Hold the pitch until usage is back.
          Active users: 28, before 80 · usage, Sun 1 Nov

        An invoice is 65 days late (31 points of risk)
        CSM: Ask who pays it.
        AM: Settle it before the renewal talk.
          Active users: 28, before 80 · usage, Sun 1 Nov

        Health, last 90 days
        ▇▆▃▃
        Health fell from 78 to 34 since 4 Aug, lowest 28 on 4 Oct; risk opened 2 Nov.

        Expansion windows
        - more seats, about $12k, open until Fri 29 Jan 2027. Withheld: Active users fell from 80 to 28.
          Handled by Dana since Mon 2 Nov.

        Goals: Cut onboarding from 6 weeks to 2

        Onboarding: 4 of 9 milestones done, 2 overdue, 1 blocked by us, go-live forecast Fri 20 Nov, 19 days
        after plan.

        Contacts
        - Li Wei, CFO (economic buyer): last contact 12 days ago, li@acme.example
        - it@acme.example (admin): no contact recorded
        - Eva (champion): left on Fri 2 Oct

        Last note (Kim, Fri 30 Oct): They asked for the contract
          Diagnosis 0000-0000 of Tue 3 Nov · not checked, nothing to score: sentiment, onboarding · no new
          data, values of an earlier night: billing · Open in the CRM (https://crm.example/acme)
        [Acknowledge] [Raise] More: [Set next step] [Snooze] [Resolve] [Note] [Share here]
        ");
    }

    #[test]
    fn an_unread_account_says_what_is_missing() {
        let view = AccountAnswer {
            account: AccountView {
                health: None,
                previous_health: None,
                band: Band::Unknown,
                change: Change::New,
                arr: None,
                csm: None,
                diagnosis: None,
                ..sample::account()
            },
            diagnosis: None,
            risk: None,
            windows: Vec::new(),
            renewal: None,
            goals: None,
            contacts: Vec::new(),
            onboarding: None,
            last_note: None,
            history: Vec::new(),
            plan: None,
            seats: None,
            settles_risks: false,
            may_raise: false,
            may_share: false,
            ..answer()
        };
        insta::assert_snapshot!(drawn(&view), @"
        Acme · not diagnosed yet
        ========================
        People   CSM: none · AM: Kim

        No diagnosis yet: the first one runs tonight.

        Contacts: none known.
          no new data, values of an earlier night: billing
        ");
    }

    #[test]
    fn several_and_none() {
        let matches = ["Acme Corp", "Acme Labs", "Acme Rail"].map(|name| Account::new(name, name));
        let text = to_text(&several("acme", &matches, Verb::ShowMore), 80);
        insta::assert_snapshot!(format!("{text}\n{}", to_text(&not_found("acme"), 100)), @r#"
        Which account do you mean by "acme"?
        - Acme Corp
        - Acme Labs
        - Acme Rail
        [Acme Corp] [Acme Labs] More: [Acme Rail]

        No account "acme" that you can see. Check the spelling, or type just a part of the name.
        "#);
        let twins = [("x2", "Twin"), ("x3", "Twin"), ("x4", "Twins")].map(|(id, name)| Account::new(id, name));
        let to_raise = several("twin", &twins, Verb::Raise);
        assert!(to_text(&to_raise, 80).contains("[Twin (x2)] [Twin (x3)] More: [Twins]"));
        assert!(to_raise.buttons().all(|button| button.action.verb == Verb::Raise));
    }

    #[test]
    fn an_account_that_has_left_is_still_written_about() {
        let asked = |status| to_text(&what_to_raise(&Account { status, ..Account::new("a", "Acme") }), 100);
        insta::assert_snapshot!([AccountStatus::Active, AccountStatus::Churned].map(asked).join("\n"), @"
        What is it about Acme?
        [New opportunity] [Raise risk] More: [Pulse] [Note] [Product feedback] [New champion]

        What is it about Acme?
        [Note] [Product feedback]
        ");
    }
}
