//! Purpose: what is asked before an action is done. One dialog per verb that
//! opens one; `form` reads the answers under the same field ids.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};

use super::form::{self, MAX_LINE, MAX_TEXT};
use super::view::{BriefView, Resolution, Withheld};
use super::{Dialog, Field, Input, Text, phrase};
use crate::domain::account::AccountStatus;
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::money::{Currency, Money};
use crate::domain::person::{PersonId, Workdays};
use crate::domain::signal::Pulse;

/// What a dialog may say and offer; what a verb does not need stays empty.
#[derive(Debug, Clone, PartialEq)]
pub struct DialogView {
    pub subject: Subject,
    /// Name of the account.
    pub account: String,
    pub status: AccountStatus,
    pub today: NaiveDate,
    /// Of the account, else of the organisation.
    pub currency: Currency,
    /// The next step as it stands.
    pub step: Option<String>,
    pub due: Option<NaiveDate>,
    /// The last day on which a snooze may end: the next future deadline.
    pub latest: Option<NaiveDate>,
    /// First name of the one who gets it next.
    pub counterpart: Option<String>,
    /// The window's estimate, or the ARR where a renewal ends.
    pub amount: Option<Money>,
    pub withheld: Option<Withheld>,
    /// Who may take it over, by name.
    pub people: Vec<(PersonId, String)>,
    pub brief: Option<BriefView>,
    /// How many accounts a group has.
    pub group: usize,
    pub settings: SettingsNow,
}

/// A person's own settings as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SettingsNow {
    pub digest_time: NaiveTime,
    pub workdays: Workdays,
    /// IANA.
    pub timezone: String,
    pub budget: u8,
    pub empty_mornings: bool,
    pub away_until: Option<NaiveDate>,
    pub delegate: Option<PersonId>,
}

impl DialogView {
    pub fn new(subject: Subject, account: impl Into<String>, today: NaiveDate, currency: Currency) -> Self {
        Self {
            subject,
            account: account.into(),
            status: AccountStatus::Active,
            today,
            currency,
            step: None,
            due: None,
            latest: None,
            counterpart: None,
            amount: None,
            withheld: None,
            people: Vec::new(),
            brief: None,
            group: 0,
            settings: SettingsNow::default(),
        }
    }

    fn counterpart(&self, otherwise: &str) -> String {
        self.counterpart.clone().unwrap_or_else(|| otherwise.to_owned())
    }
}

/// The dialog of this verb; `None` for verbs that act at one tap.
pub fn dialog(verb: Verb, view: &DialogView) -> Option<Dialog> {
    if !verb.opens_dialog() {
        return None;
    }
    let (title, submit, intro) = frame(verb, view);
    let account = phrase::cut(&view.account, 100);
    Some(Dialog {
        title: title.to_owned(),
        submit: submit.to_owned(),
        intro: Some(if matches!(verb, Verb::SnoozeGroup | Verb::Settings | Verb::Introduce) {
            Text::plain(intro)
        } else if intro.is_empty() {
            Text::strong(account)
        } else {
            Text::strong(account).then(format!("\n{intro}"))
        }),
        fields: fields(verb, view),
        action: Action::new(verb, view.subject.clone()),
    })
}

/// Title and submit at most 24 characters each; the intro stands under the account's name.
fn frame(verb: Verb, view: &DialogView) -> (&'static str, &'static str, String) {
    let none = String::new;
    match verb {
        Verb::SetNextStep => ("Next step", "Save", "The card comes back on that day.".to_owned()),
        Verb::Snooze => ("Snooze", "Snooze", "It wakes earlier if it gets worse.".to_owned()),
        Verb::Resolve => ("Resolve risk", "Resolve", none()),
        Verb::HandToAccountManager => (
            "Hand to AM",
            "Hand over",
            format!(
                "{} weighs it commercially. You both keep seeing it.",
                phrase::capital(&view.counterpart("the AM"))
            ),
        ),
        Verb::Qualify => ("Qualify window", "Qualify", "What did the customer confirm?".to_owned()),
        Verb::Decline => {
            ("Decline", "Decline", format!("It goes back to {}.", view.counterpart("the one who offered it")))
        }
        Verb::Pass => ("Pass", "Pass", "The same evidence will not bring it back for 90 days.".to_owned()),
        Verb::HandBack => ("Hand back", "Hand back", format!("It goes back to {}.", view.counterpart("the CSM"))),
        Verb::Won => ("Won", "Save", none()),
        Verb::Lost => ("Lost", "Save", "The same evidence will not bring it back for 90 days.".to_owned()),
        Verb::Override => ("Offer in spite of risk", "Override", overriding(view)),
        Verb::Reassign => ("Reassign", "Reassign", "Both are told.".to_owned()),
        Verb::Brief => ("Value brief", "Save", "What the renewal talk rests on.".to_owned()),
        Verb::Renewed => ("Renewed", "Save", none()),
        Verb::Contracted => ("Renewed for less", "Save", none()),
        Verb::RenewalLost => ("Renewal lost", "Save", none()),
        Verb::Note => ("Note", "Save", "Colleagues who can see the account can read it.".to_owned()),
        Verb::Raise => ("Raise", "Next", none()),
        Verb::RaiseOpportunity => ("New opportunity", "Raise", none()),
        Verb::RaiseRisk => (
            "Raise risk",
            "Raise",
            format!("{} is told.", phrase::capital(&view.counterpart("your colleague on the account"))),
        ),
        Verb::RaisePulse => {
            ("Pulse", "Save", "Your own read of the account. It counts in the next diagnosis.".to_owned())
        }
        Verb::RaiseFeedback => ("Product feedback", "Save", "It joins the list of /tandem voice.".to_owned()),
        Verb::RaiseChampion => ("New champion", "Save", none()),
        Verb::SnoozeGroup => (
            "Snooze all",
            "Snooze all",
            format!("{}. Each wakes earlier if it gets worse.", phrase::count(view.group, "account")),
        ),
        Verb::Settings => (
            "Settings",
            "Save",
            format!(
                "All times are those of your time zone, {}. What you save here holds from now on, whatever is imported.",
                if view.settings.timezone.is_empty() { "as imported" } else { &view.settings.timezone }
            ),
        ),
        Verb::Introduce => (
            "Introduce yourself",
            "Ask",
            "Tandem knows colleagues by their work address. Which one does your admin have for you? Your lead or an admin \
             is asked whether it is you, so that nobody can take your place."
                .to_owned(),
        ),
        // One-tap verbs never get here; a bare frame is the harmless answer.
        _ => ("Tandem", "OK", none()),
    }
}

fn overriding(view: &DialogView) -> String {
    let held = view.withheld.as_ref().map(|held| super::card::withheld(held, view.today));
    [held.unwrap_or_default(), "Your reason is kept in the audit trail.".to_owned()].join(" ").trim().to_owned()
}

fn fields(verb: Verb, view: &DialogView) -> Vec<Field> {
    match verb {
        Verb::SetNextStep => vec![
            line(form::STEP, "What happens next", "Such as: call the CFO", view.step.as_deref()),
            date(form::DUE, "By when", None, view.due.unwrap_or_else(|| workday(view.today, 5)), view.today),
        ],
        Verb::Snooze | Verb::SnoozeGroup => vec![until(view)],
        Verb::Resolve => vec![
            select(
                form::HOW,
                "How did it end?",
                Resolution::ALL.map(|how| (how.as_str().to_owned(), phrase::capital(how.label()))).into(),
            ),
            optional(text(form::NOTE, "Note", "What helped, or what was lost")),
        ],
        Verb::HandToAccountManager => {
            vec![text(form::NOTE, "What should be weighed?", "Such as: the price against the churn risk")]
        }
        Verb::Qualify => vec![
            line(form::NEED, "Need", "What they want to solve", None),
            line(form::CONTACT, "Contact", "Who decides, and who asked", None),
            line(form::TIMING, "Timing", "Such as: before the January budget", None),
            optional(amount(form::AMOUNT, "Amount a year", view, "Leave it empty if you do not know")),
        ],
        Verb::Decline | Verb::Pass | Verb::Lost | Verb::RenewalLost | Verb::Override => {
            vec![text(form::REASON, "Reason", "One sentence is enough")]
        }
        Verb::HandBack => vec![text(form::NOTE, "What should they know?", "One sentence is enough")],
        Verb::Won => vec![amount(form::AMOUNT, "Amount a year", view, "What was sold")],
        Verb::Reassign => vec![select(form::PERSON, "To whom?", people(view))],
        Verb::Brief => {
            let now = view.brief.as_ref().map(|brief| form::brief_parts(&brief.text));
            vec![
                filled(
                    text(form::GOALS, "Goals reached", "With numbers where you have them"),
                    now.map(|parts| parts[0]),
                ),
                filled(text(form::USAGE, "Usage", "Who uses it, how much, for what"), now.map(|parts| parts[1])),
                filled(text(form::ISSUES, "Open issues", "What they will bring up"), now.map(|parts| parts[2])),
            ]
        }
        Verb::Renewed => vec![optional(amount(form::AMOUNT, "New ARR", view, "Leave it empty if it stays the same"))],
        Verb::Contracted => vec![amount(form::AMOUNT, "New ARR", view, "What is left a year")],
        Verb::Note => vec![text(form::TEXT, "Note", "What a colleague should know")],
        Verb::Raise => vec![select(
            form::WHAT,
            "What did you notice?",
            form::raisable(view.status)
                .iter()
                .map(|verb| (verb.as_str().to_owned(), verb.label().to_owned()))
                .collect(),
        )],
        Verb::RaiseOpportunity => vec![
            text(form::WHAT, "What could be sold?", "What they said or asked for"),
            optional(amount(form::AMOUNT, "Amount a year", view, "A guess is fine")),
            optional(line(form::TIMING, "Timing", "Such as: after their new budget", None)),
        ],
        Verb::RaiseRisk => vec![text(form::WHAT, "What did you see or hear?", "Such as: budget cut")],
        Verb::RaisePulse => vec![
            select(
                form::PULSE,
                "How do they feel?",
                [(Pulse::Green, "Green: content"), (Pulse::Amber, "Amber: doubts"), (Pulse::Red, "Red: may leave")]
                    .map(|(pulse, label)| (pulse.as_str().to_owned(), label.to_owned()))
                    .into(),
            ),
            text(form::REASON, "Why?", "One sentence is enough"),
        ],
        Verb::RaiseFeedback => vec![text(form::TEXT, "What did they say?", "Their words, as near as you can")],
        Verb::RaiseChampion => vec![
            line(form::NAME, "Name", "Who speaks for us there now", None),
            line(form::EMAIL, "E-mail", "Their work address", None),
        ],
        Verb::Settings => settings(view),
        Verb::Introduce => {
            vec![line(form::EMAIL, "Your work e-mail", "As your admin wrote it, such as dana@acme.com", None)]
        }
        _ => Vec::new(),
    }
}

fn settings(view: &DialogView) -> Vec<Field> {
    let now = &view.settings;
    let days = [
        ("mon", "Monday"),
        ("tue", "Tuesday"),
        ("wed", "Wednesday"),
        ("thu", "Thursday"),
        ("fri", "Friday"),
        ("sat", "Saturday"),
        ("sun", "Sunday"),
    ];
    let week = [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let values =
        days.iter().zip(week).filter(|(_, day)| now.workdays.contains(*day)).map(|((id, _), _)| (*id).to_owned());
    let own = |(id, label): &(&str, &str)| ((*id).to_owned(), (*label).to_owned());
    let days = Input::Choices { values: values.collect(), options: days.iter().map(own).collect() };
    let budget: Vec<(String, String)> = (1..=form::BUDGET_MOST)
        .map(|most| (most.to_string(), format!("At most {}", phrase::count(usize::from(most), "card"))))
        .collect();
    let empty = [("say", "Tell me that nothing needs me"), ("silent", "Stay silent")];
    let mut people = vec![(form::NOBODY.to_owned(), "Nobody: my lead is asked".to_owned())];
    people.extend(self::people(view).into_iter().take(99));
    let delegate = now.delegate.map_or_else(|| form::NOBODY.to_owned(), |id| id.to_string());
    vec![
        field(form::TIME, "Morning message at", None, Input::Time { value: now.digest_time }),
        field(form::DAYS, "On these days", Some("Your working days: clocks rest on the others"), days),
        chosen(form::BUDGET, "How much at once", Some("What is urgent comes on top"), &now.budget.to_string(), budget),
        chosen(
            form::EMPTY,
            "On a morning with nothing to decide",
            None,
            if now.empty_mornings { "say" } else { "silent" },
            empty.iter().map(own).collect(),
        ),
        optional(field(
            form::AWAY,
            "Away until",
            Some("The last day that you are away. Leave it empty when you are here"),
            Input::Date { value: now.away_until.filter(|until| *until >= view.today), min: Some(view.today) },
        )),
        optional(chosen(
            form::DELEGATE,
            "Stands in for you",
            Some("Gets your cards while you are away"),
            &delegate,
            people,
        )),
    ]
}

fn chosen(id: &'static str, label: &str, hint: Option<&str>, value: &str, options: Vec<(String, String)>) -> Field {
    field(id, label, hint, Input::Select { value: Some(value.to_owned()), options })
}

fn line(id: &'static str, label: &str, hint: &str, value: Option<&str>) -> Field {
    let value = phrase::cut(value.unwrap_or_default(), usize::from(MAX_LINE));
    field(id, label, Some(hint), Input::Line { value, max: MAX_LINE })
}

fn text(id: &'static str, label: &str, hint: &str) -> Field {
    field(id, label, Some(hint), Input::Paragraph { value: String::new(), max: MAX_TEXT })
}

fn filled(mut field: Field, now: Option<&str>) -> Field {
    if let (Input::Paragraph { value, .. }, Some(now)) = (&mut field.input, now) {
        *value = phrase::cut(now, usize::from(MAX_TEXT));
    }
    field
}

fn date(id: &'static str, label: &str, hint: Option<&str>, value: NaiveDate, min: NaiveDate) -> Field {
    field(id, label, hint, Input::Date { value: Some(value), min: Some(min) })
}

fn until(view: &DialogView) -> Field {
    let tomorrow = view.today + Days::new(1);
    let week = workday(view.today, 5);
    let value = view.latest.map_or(week, |latest| week.min(latest)).max(tomorrow);
    let hint = match view.latest {
        Some(latest) => format!("At the latest {}, the next deadline", phrase::date(latest, view.today)),
        None => "At most a year".to_owned(),
    };
    date(form::UNTIL, "Until", Some(&hint), value, tomorrow)
}

/// Starts empty: an estimate that somebody confirms without looking would become a fact. The hint names it.
fn amount(id: &'static str, label: &str, view: &DialogView, hint: &str) -> Field {
    let known = match view.subject {
        Subject::Renewal(_) => view.amount.map(|arr| format!(" Now it is {arr}.")),
        _ => view.amount.map(|estimate| format!(" Estimated at {}.", phrase::about(estimate))),
    };
    let hint = format!("{hint}.{} In {}, digits only.", known.unwrap_or_default(), view.currency);
    field(id, label, Some(&hint), Input::Amount { value: String::new(), currency: view.currency })
}

fn select(id: &'static str, label: &str, options: Vec<(String, String)>) -> Field {
    field(id, label, None, Input::Select { value: None, options })
}

/// A select holds at most 100 options, of at most 75 characters each (Slack).
fn people(view: &DialogView) -> Vec<(String, String)> {
    view.people.iter().take(100).map(|(id, name)| (id.to_string(), phrase::cut(name, 75))).collect()
}

fn field(id: &'static str, label: &str, hint: Option<&str>, input: Input) -> Field {
    Field { id, label: label.to_owned(), hint: hint.map(str::to_owned), required: true, input }
}

fn optional(mut field: Field) -> Field {
    field.required = false;
    field
}

/// So many weekdays from now: a suggestion only; the person's own calendar decides what counts.
fn workday(today: NaiveDate, ahead: u8) -> NaiveDate {
    let mut day = today;
    for _ in 0..ahead {
        day = day + Days::new(1);
        while matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
            day = day + Days::new(1);
        }
    }
    day
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::card::sample;
    use super::super::form::{Limits, parse};
    use super::super::{Answers, Input};
    use super::*;

    fn view() -> DialogView {
        let person = PersonId(Uuid::from_u128(7));
        DialogView {
            latest: Some(sample::day("2026-11-27")),
            people: vec![(person, "Kim Ono".into())],
            amount: Some(sample::usd(12_000)),
            ..DialogView::new(Subject::Risk(Uuid::nil()), "Acme", sample::today(), Currency::USD)
        }
    }

    /// Answers as a person would who fills in every field.
    fn answered(dialog: &Dialog) -> Answers {
        dialog
            .fields
            .iter()
            .map(|field| {
                let answer = match &field.input {
                    _ if field.id == form::EMAIL => "eva@acme.example".to_owned(),
                    Input::Line { .. } | Input::Paragraph { .. } => "They asked twice.".to_owned(),
                    Input::Date { value, .. } => value.unwrap_or(sample::today()).to_string(),
                    Input::Amount { .. } => "12000.50".to_owned(),
                    Input::Select { options, .. } => options[0].0.clone(),
                    Input::Time { value } => value.format("%H:%M").to_string(),
                    Input::Choices { values, .. } => values.join(";"),
                };
                (field.id.to_owned(), answer)
            })
            .collect()
    }

    fn dialogs() -> Vec<(Verb, Dialog)> {
        Verb::ALL.into_iter().filter_map(|verb| Some((verb, dialog(verb, &view())?))).collect()
    }

    #[test]
    fn exactly_the_verbs_that_open_one_have_a_dialog_with_fields() {
        for verb in Verb::ALL {
            let dialog = dialog(verb, &view());
            assert_eq!(dialog.is_some(), verb.opens_dialog(), "{verb:?}");
            assert!(dialog.is_none_or(|dialog| !dialog.fields.is_empty()), "{verb:?}");
        }
    }

    #[test]
    fn every_answered_dialog_parses() {
        let limits = Limits { latest: Some(sample::day("2026-11-27")), arr: Some(sample::usd(20_000)) };
        for (verb, dialog) in dialogs() {
            let parsed = parse(verb, &answered(&dialog), sample::today(), Currency::USD, limits);
            assert_eq!(parsed.map(|submission| submission.verb()), Ok(verb));
        }
    }

    #[test]
    fn what_is_required_is_asked_for_and_the_rest_may_stay_empty() {
        for (verb, dialog) in dialogs() {
            let errors = parse(verb, &Answers::new(), sample::today(), Currency::USD, Limits::default()).err();
            let missed: Vec<String> = errors.unwrap_or_default().into_iter().map(|(id, _)| id).collect();
            let required: Vec<&str> = dialog.fields.iter().filter(|f| f.required).map(|f| f.id).collect();
            assert_eq!(missed, required, "{verb:?}");
        }
    }

    #[test]
    fn titles_and_hints_fit_the_platforms() {
        for (verb, dialog) in dialogs() {
            assert!(dialog.title.chars().count() <= 24 && dialog.submit.chars().count() <= 24, "{verb:?}");
            for field in dialog.fields {
                // Slack refuses a hint of more than 2000 and a placeholder of more than 150 characters.
                assert!(field.hint.is_none_or(|hint| hint.chars().count() <= 150), "{verb:?}");
            }
        }
    }

    #[test]
    fn a_snooze_suggests_no_day_past_the_deadline() {
        let mut view = view();
        view.latest = Some(sample::day("2026-11-05"));
        let dialog = dialog(Verb::Snooze, &view).unwrap();
        assert_eq!(dialog.fields[0].hint.as_deref(), Some("At the latest Thu 5 Nov, the next deadline"));
        let Input::Date { value, .. } = dialog.fields[0].input else { panic!("a date") };
        assert_eq!(value, view.latest);
    }

    #[test]
    fn every_dialog_reads_well() {
        let mut view = view();
        view.counterpart = Some("Kim".into());
        view.withheld = Some(Withheld {
            cause: "Notice served".into(),
            handled_by: Some("Dana".into()),
            with: None,
            since: sample::day("2026-11-02"),
        });
        view.group = 6;
        let said: Vec<String> = Verb::ALL
            .into_iter()
            .filter_map(|verb| dialog(verb, &view))
            .map(|dialog| {
                let intro = dialog.intro.map(|intro| intro.to_plain().replace('\n', ". ")).unwrap_or_default();
                let fields: Vec<String> = dialog
                    .fields
                    .iter()
                    .map(|field| {
                        let hint = field.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                        format!("{}{}{hint}", field.label, if field.required { "*" } else { "" })
                    })
                    .collect();
                format!("{} | {intro} | {} | [{}]", dialog.title, fields.join("; "), dialog.submit)
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"), @"
        Next step | Acme. The card comes back on that day. | What happens next* (Such as: call the CFO); By when* | [Save]
        Snooze | Acme. It wakes earlier if it gets worse. | Until* (At the latest Fri 27 Nov, the next deadline) | [Snooze]
        Resolve risk | Acme | How did it end?*; Note (What helped, or what was lost) | [Resolve]
        Hand to AM | Acme. Kim weighs it commercially. You both keep seeing it. | What should be weighed?* (Such as: the price against the churn risk) | [Hand over]
        Qualify window | Acme. What did the customer confirm? | Need* (What they want to solve); Contact* (Who decides, and who asked); Timing* (Such as: before the January budget); Amount a year (Leave it empty if you do not know. Estimated at about $12k. In USD, digits only.) | [Qualify]
        Decline | Acme. It goes back to Kim. | Reason* (One sentence is enough) | [Decline]
        Pass | Acme. The same evidence will not bring it back for 90 days. | Reason* (One sentence is enough) | [Pass]
        Hand back | Acme. It goes back to Kim. | What should they know?* (One sentence is enough) | [Hand back]
        Won | Acme | Amount a year* (What was sold. Estimated at about $12k. In USD, digits only.) | [Save]
        Lost | Acme. The same evidence will not bring it back for 90 days. | Reason* (One sentence is enough) | [Save]
        Offer in spite of risk | Acme. Withheld: Notice served. Handled by Dana since Mon 2 Nov. Your reason is kept in the audit trail. | Reason* (One sentence is enough) | [Override]
        Reassign | Acme. Both are told. | To whom?* | [Reassign]
        Value brief | Acme. What the renewal talk rests on. | Goals reached* (With numbers where you have them); Usage* (Who uses it, how much, for what); Open issues* (What they will bring up) | [Save]
        Renewed | Acme | New ARR (Leave it empty if it stays the same. Estimated at about $12k. In USD, digits only.) | [Save]
        Renewed for less | Acme | New ARR* (What is left a year. Estimated at about $12k. In USD, digits only.) | [Save]
        Renewal lost | Acme | Reason* (One sentence is enough) | [Save]
        Note | Acme. Colleagues who can see the account can read it. | Note* (What a colleague should know) | [Save]
        Raise | Acme | What did you notice?* | [Next]
        New opportunity | Acme | What could be sold?* (What they said or asked for); Amount a year (A guess is fine. Estimated at about $12k. In USD, digits only.); Timing (Such as: after their new budget) | [Raise]
        Raise risk | Acme. Kim is told. | What did you see or hear?* (Such as: budget cut) | [Raise]
        Pulse | Acme. Your own read of the account. It counts in the next diagnosis. | How do they feel?*; Why?* (One sentence is enough) | [Save]
        Product feedback | Acme. It joins the list of /tandem voice. | What did they say?* (Their words, as near as you can) | [Save]
        New champion | Acme | Name* (Who speaks for us there now); E-mail* (Their work address) | [Save]
        Snooze all | 6 accounts. Each wakes earlier if it gets worse. | Until* (At the latest Fri 27 Nov, the next deadline) | [Snooze all]
        Settings | All times are those of your time zone, as imported. What you save here holds from now on, whatever is imported. | Morning message at*; On these days* (Your working days: clocks rest on the others); How much at once* (What is urgent comes on top); On a morning with nothing to decide*; Away until (The last day that you are away. Leave it empty when you are here); Stands in for you (Gets your cards while you are away) | [Save]
        Introduce yourself | Tandem knows colleagues by their work address. Which one does your admin have for you? Your lead or an admin is asked whether it is you, so that nobody can take your place. | Your work e-mail* (As your admin wrote it, such as dana@acme.com) | [Ask]
        ");
    }
}
