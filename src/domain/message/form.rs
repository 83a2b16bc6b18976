//! Purpose: answers of a dialog, read into what they mean; or one clear
//! sentence at each field that cannot be read.

use chrono::{Months, NaiveDate, NaiveTime};
use uuid::Uuid;

use super::view::Resolution;
use super::{Answers, phrase};
use crate::domain::account::AccountStatus;
use crate::domain::action::Verb;
use crate::domain::money::{AmountError, Currency, Money};
use crate::domain::person::{PersonId, Workdays};
use crate::domain::signal::Pulse;

// The field ids, shared with `dialog`.
pub const STEP: &str = "step";
pub const DUE: &str = "due";
pub const UNTIL: &str = "until";
pub const HOW: &str = "how";
pub const NOTE: &str = "note";
pub const NEED: &str = "need";
pub const CONTACT: &str = "contact";
pub const TIMING: &str = "timing";
pub const AMOUNT: &str = "amount";
pub const REASON: &str = "reason";
pub const PERSON: &str = "person";
pub const GOALS: &str = "goals";
pub const USAGE: &str = "usage";
pub const ISSUES: &str = "issues";
pub const TEXT: &str = "text";
pub const WHAT: &str = "what";
pub const PULSE: &str = "pulse";
pub const NAME: &str = "name";
pub const EMAIL: &str = "email";
pub const TIME: &str = "digest_time";
pub const DAYS: &str = "workdays";
pub const BUDGET: &str = "budget";
pub const EMPTY: &str = "empty_mornings";
pub const AWAY: &str = "away_until";
pub const DELEGATE: &str = "delegate";

/// Characters of a single line.
pub const MAX_LINE: u16 = 200;
/// Characters of a paragraph.
pub const MAX_TEXT: u16 = 2000;
/// Major units; larger amounts are typing errors, and sums of them would not fit.
const MAX_AMOUNT: i64 = 1_000_000_000_000;

/// Cards a morning, at most. More is a list, which the commands give.
pub const BUDGET_MOST: u8 = 20;
/// What says that nobody stands in, since an empty choice cannot be sent.
pub const NOBODY: &str = "nobody";

/// At a field that was left empty and has to be filled in.
pub const FILL_IN: &str = "Please fill this in.";
/// At a field of which one was to be chosen.
pub const CHOOSE: &str = "Please choose one.";

/// What people raise.
pub const RAISABLE: [Verb; 6] =
    [Verb::RaiseOpportunity, Verb::RaiseRisk, Verb::RaisePulse, Verb::Note, Verb::RaiseFeedback, Verb::RaiseChampion];

/// What *Raise* offers on an account: of one that has left, what is still worth knowing.
pub fn raisable(status: AccountStatus) -> &'static [Verb] {
    match status {
        AccountStatus::Active => &RAISABLE,
        AccountStatus::Churned => &[Verb::Note, Verb::RaiseFeedback],
    }
}

/// What a submitted dialog says. Texts are trimmed, never empty, at most [`MAX_TEXT`] characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    SetNextStep {
        step: String,
        due: NaiveDate,
    },
    Snooze {
        until: NaiveDate,
    },
    Resolve {
        how: Resolution,
        note: Option<String>,
    },
    HandToAccountManager {
        note: String,
    },
    Qualify {
        need: String,
        contact: String,
        timing: String,
        amount: Option<Money>,
    },
    Decline {
        reason: String,
    },
    Pass {
        reason: String,
    },
    HandBack {
        note: String,
    },
    Won {
        amount: Money,
    },
    Lost {
        reason: String,
    },
    Override {
        reason: String,
    },
    Reassign {
        to: PersonId,
    },
    Brief {
        goals_reached: String,
        usage: String,
        open_issues: String,
    },
    /// The new ARR; `None` where it stays the same.
    Renewed {
        amount: Option<Money>,
    },
    /// The new ARR.
    Contracted {
        amount: Money,
    },
    RenewalLost {
        reason: String,
    },
    Note {
        text: String,
    },
    /// One of [`RAISABLE`]: its dialog comes next.
    Raise {
        next: Verb,
    },
    RaiseOpportunity {
        what: String,
        amount: Option<Money>,
        timing: Option<String>,
    },
    RaiseRisk {
        what: String,
    },
    RaisePulse {
        pulse: Pulse,
        reason: String,
    },
    RaiseFeedback {
        text: String,
    },
    /// The e-mail in lower case.
    RaiseChampion {
        name: String,
        email: String,
    },
    SnoozeGroup {
        until: NaiveDate,
    },
    Settings(Settings),
    /// Whose address the asker says is theirs, in lower case.
    Introduce {
        email: String,
    },
}

/// What a person chose for themself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub digest_time: NaiveTime,
    pub workdays: Workdays,
    /// 1 to [`BUDGET_MOST`].
    pub budget: u8,
    /// Whether a morning without anything to decide is said.
    pub empty_mornings: bool,
    /// Last day away, today or later.
    pub away_until: Option<NaiveDate>,
    pub delegate: Option<PersonId>,
}

impl Submission {
    /// The verb whose dialog it answers.
    pub fn verb(&self) -> Verb {
        match self {
            Submission::SetNextStep { .. } => Verb::SetNextStep,
            Submission::Snooze { .. } => Verb::Snooze,
            Submission::Resolve { .. } => Verb::Resolve,
            Submission::HandToAccountManager { .. } => Verb::HandToAccountManager,
            Submission::Qualify { .. } => Verb::Qualify,
            Submission::Decline { .. } => Verb::Decline,
            Submission::Pass { .. } => Verb::Pass,
            Submission::HandBack { .. } => Verb::HandBack,
            Submission::Won { .. } => Verb::Won,
            Submission::Lost { .. } => Verb::Lost,
            Submission::Override { .. } => Verb::Override,
            Submission::Reassign { .. } => Verb::Reassign,
            Submission::Brief { .. } => Verb::Brief,
            Submission::Renewed { .. } => Verb::Renewed,
            Submission::Contracted { .. } => Verb::Contracted,
            Submission::RenewalLost { .. } => Verb::RenewalLost,
            Submission::Note { .. } => Verb::Note,
            Submission::Raise { .. } => Verb::Raise,
            Submission::RaiseOpportunity { .. } => Verb::RaiseOpportunity,
            Submission::RaiseRisk { .. } => Verb::RaiseRisk,
            Submission::RaisePulse { .. } => Verb::RaisePulse,
            Submission::RaiseFeedback { .. } => Verb::RaiseFeedback,
            Submission::RaiseChampion { .. } => Verb::RaiseChampion,
            Submission::SnoozeGroup { .. } => Verb::SnoozeGroup,
            Submission::Settings(_) => Verb::Settings,
            Submission::Introduce { .. } => Verb::Introduce,
        }
    }
}

const BRIEF: [&str; 3] = ["Goals reached: ", "Usage: ", "Open issues: "];

/// The value brief as the text that is stored and shown, one line or more a part.
pub fn brief_text(goals_reached: &str, usage: &str, open_issues: &str) -> String {
    let parts = [goals_reached, usage, open_issues];
    BRIEF.iter().zip(parts).map(|(label, part)| format!("{label}{}", part.trim())).collect::<Vec<_>>().join("\n")
}

/// Takes [`brief_text`] apart again, for the dialog that changes it; a text of another make is all goals.
pub fn brief_parts(text: &str) -> [&str; 3] {
    let parts = text.strip_prefix(BRIEF[0]).and_then(|rest| {
        let (goals, rest) = rest.split_once("\nUsage: ")?;
        let (usage, issues) = rest.split_once("\nOpen issues: ")?;
        Some([goals, usage, issues])
    });
    parts.unwrap_or([text, "", ""])
}

/// What the answers may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The last day on which a snooze may end or a next step be due: the next future deadline.
    pub latest: Option<NaiveDate>,
    /// Today's ARR: a contraction ends below it.
    pub arr: Option<Money>,
}

/// Field id and sentence, in the order of the fields.
pub type FieldErrors = Vec<(String, String)>;

/// Reads the answers to `verb`'s dialog. A verb without a dialog is an error without a field.
pub fn parse(
    verb: Verb,
    answers: &Answers,
    today: NaiveDate,
    currency: Currency,
    limits: Limits,
) -> Result<Submission, FieldErrors> {
    let mut form = Form { answers, today, currency, limits, errors: Vec::new() };
    let read = form.read(verb);
    match read {
        Some(submission) if form.errors.is_empty() => Ok(submission),
        _ => Err(form.errors),
    }
}

struct Form<'a> {
    answers: &'a Answers,
    today: NaiveDate,
    currency: Currency,
    limits: Limits,
    errors: FieldErrors,
}

impl Form<'_> {
    /// Reads every field before judging, so that all errors are shown at once.
    fn read(&mut self, verb: Verb) -> Option<Submission> {
        Some(match verb {
            Verb::SetNextStep => {
                let (step, due) = (self.line(STEP), self.due());
                Submission::SetNextStep { step: step?, due: due? }
            }
            Verb::Snooze => Submission::Snooze { until: self.until()? },
            Verb::SnoozeGroup => Submission::SnoozeGroup { until: self.until()? },
            Verb::Resolve => {
                let how = self.choice(HOW, |value| Resolution::ALL.into_iter().find(|how| how.as_str() == value));
                let note = self.maybe(NOTE, MAX_TEXT);
                Submission::Resolve { how: how?, note }
            }
            Verb::HandToAccountManager => Submission::HandToAccountManager { note: self.text(NOTE)? },
            Verb::Qualify => {
                let (need, contact, timing) = (self.line(NEED), self.line(CONTACT), self.line(TIMING));
                let amount = self.maybe_amount();
                Submission::Qualify { need: need?, contact: contact?, timing: timing?, amount }
            }
            Verb::Decline => Submission::Decline { reason: self.text(REASON)? },
            Verb::Pass => Submission::Pass { reason: self.text(REASON)? },
            Verb::HandBack => Submission::HandBack { note: self.text(NOTE)? },
            Verb::Won => Submission::Won { amount: self.amount()? },
            Verb::Lost => Submission::Lost { reason: self.text(REASON)? },
            Verb::Override => Submission::Override { reason: self.text(REASON)? },
            Verb::Reassign => {
                Submission::Reassign { to: self.choice(PERSON, |id| Uuid::try_parse(id).ok().map(PersonId))? }
            }
            Verb::Brief => {
                let (goals, usage, issues) = (self.text(GOALS), self.text(USAGE), self.text(ISSUES));
                Submission::Brief { goals_reached: goals?, usage: usage?, open_issues: issues? }
            }
            Verb::Renewed => Submission::Renewed { amount: self.maybe_amount() },
            Verb::Contracted => Submission::Contracted { amount: self.less()? },
            Verb::RenewalLost => Submission::RenewalLost { reason: self.text(REASON)? },
            Verb::Note => Submission::Note { text: self.text(TEXT)? },
            Verb::Raise => Submission::Raise {
                next: self.choice(WHAT, |value| RAISABLE.into_iter().find(|verb| verb.as_str() == value))?,
            },
            Verb::RaiseOpportunity => {
                let (what, amount, timing) = (self.text(WHAT), self.maybe_amount(), self.maybe(TIMING, MAX_LINE));
                Submission::RaiseOpportunity { what: what?, amount, timing }
            }
            Verb::RaiseRisk => Submission::RaiseRisk { what: self.text(WHAT)? },
            Verb::RaisePulse => {
                let pulse = self.choice(PULSE, |value| value.parse().ok());
                let reason = self.text(REASON);
                Submission::RaisePulse { pulse: pulse?, reason: reason? }
            }
            Verb::RaiseFeedback => Submission::RaiseFeedback { text: self.text(TEXT)? },
            Verb::RaiseChampion => {
                let (name, email) = (self.line(NAME), self.email());
                Submission::RaiseChampion { name: name?, email: email? }
            }
            Verb::Settings => Submission::Settings(self.settings()?),
            Verb::Introduce => Submission::Introduce { email: self.email()? },
            Verb::Acknowledge
            | Verb::Reopen
            | Verb::NotUseful
            | Verb::Offer
            | Verb::Claim
            | Verb::Withdraw
            | Verb::Nudge
            | Verb::Prepare
            | Verb::Negotiate
            | Verb::ShowMore
            | Verb::Share
            | Verb::AcknowledgeGroup
            | Verb::TurnPage
            | Verb::PutOnTrial
            | Verb::BringBack
            | Verb::ConfirmIntroduction
            | Verb::RefuseIntroduction => return None,
        })
    }

    fn settings(&mut self) -> Option<Settings> {
        let digest_time = match self.given(TIME).map(|text| NaiveTime::parse_from_str(&text, "%H:%M")) {
            None => self.error(TIME, "Please pick a time."),
            Some(Err(_)) => self.error(TIME, "That is no time; expected for example 08:00."),
            Some(Ok(time)) => Some(time),
        };
        let workdays = match self.given(DAYS).map(|text| text.parse::<Workdays>()) {
            None => self.error(DAYS, "Please choose at least one day. To pause, set yourself away."),
            Some(Err(_)) => self.error(DAYS, "Those are no days; expected for example mon;tue."),
            Some(Ok(days)) => Some(days),
        };
        let budget = self.choice(BUDGET, |text| text.parse().ok().filter(|budget| (1..=BUDGET_MOST).contains(budget)));
        let empty_mornings = self.choice(EMPTY, |text| match text {
            "say" => Some(true),
            "silent" => Some(false),
            _ => None,
        });
        let away_until = match self.given(AWAY) {
            None => None,
            Some(_) => {
                let day = self.date(AWAY)?;
                if day < self.today { self.error(AWAY, "That day has passed. Pick today or later.") } else { Some(day) }
            }
        };
        let delegate = match self.given(DELEGATE).as_deref() {
            None | Some(NOBODY) => None,
            Some(id) => match Uuid::try_parse(id) {
                Ok(id) => Some(PersonId(id)),
                Err(_) => self.error(DELEGATE, CHOOSE),
            },
        };
        Some(Settings {
            digest_time: digest_time?,
            workdays: workdays?,
            budget: budget?,
            empty_mornings: empty_mornings?,
            away_until,
            delegate,
        })
    }

    fn error<T>(&mut self, id: &str, sentence: impl Into<String>) -> Option<T> {
        self.errors.push((id.to_owned(), sentence.into()));
        None
    }

    fn given(&self, id: &str) -> Option<String> {
        self.answers.get(id).map(|answer| answer.trim().to_owned()).filter(|answer| !answer.is_empty())
    }

    fn maybe(&mut self, id: &str, max: u16) -> Option<String> {
        let text = self.given(id)?;
        let length = text.chars().count();
        if length > usize::from(max) {
            return self.error(id, format!("That is {length} characters; there is room for {max}."));
        }
        Some(text)
    }

    fn required(&mut self, id: &str, max: u16) -> Option<String> {
        match self.given(id) {
            None => self.error(id, FILL_IN),
            Some(_) => self.maybe(id, max),
        }
    }

    fn line(&mut self, id: &str) -> Option<String> {
        self.required(id, MAX_LINE)
    }

    fn text(&mut self, id: &str) -> Option<String> {
        self.required(id, MAX_TEXT)
    }

    fn choice<T>(&mut self, id: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        match self.given(id).map(|value| read(&value)) {
            Some(Some(chosen)) => Some(chosen),
            _ => self.error(id, CHOOSE),
        }
    }

    fn date(&mut self, id: &str) -> Option<NaiveDate> {
        match self.given(id).map(|text| text.parse::<NaiveDate>()) {
            None => self.error(id, "Please pick a day."),
            Some(Err(_)) => self.error(id, "That is no day; expected for example 2026-11-27."),
            Some(Ok(day)) => Some(day),
        }
    }

    fn due(&mut self) -> Option<NaiveDate> {
        let day = self.date(DUE)?;
        if day < self.today {
            return self.error(DUE, "That day has passed. Pick today or later.");
        }
        // The card is silent until that day: as with a snooze, that may not hide a deadline.
        match self.limits.latest {
            Some(latest) if day > latest && latest >= self.today => {
                let latest = phrase::date(latest, self.today);
                self.error(DUE, format!("That is past the next deadline. Pick {latest} or earlier."))
            }
            _ => self.within_a_year(DUE, day),
        }
    }

    fn until(&mut self) -> Option<NaiveDate> {
        let day = self.date(UNTIL)?;
        if day <= self.today {
            return self.error(UNTIL, "Pick tomorrow or later.");
        }
        match self.limits.latest {
            Some(latest) if latest <= self.today => {
                self.error(UNTIL, "The deadline is too close to snooze this. Set a next step instead.")
            }
            Some(latest) if day > latest => {
                let latest = phrase::date(latest, self.today);
                self.error(UNTIL, format!("That is past the next deadline. Pick {latest} or earlier."))
            }
            _ => self.within_a_year(UNTIL, day),
        }
    }

    fn within_a_year(&mut self, id: &str, day: NaiveDate) -> Option<NaiveDate> {
        let last = self.today.checked_add_months(Months::new(12)).unwrap_or(NaiveDate::MAX);
        if day > last {
            let last = phrase::date(last, self.today);
            return self.error(id, format!("That is more than a year away. Pick {last} or earlier."));
        }
        Some(day)
    }

    fn amount(&mut self) -> Option<Money> {
        match self.given(AMOUNT) {
            None => self.error(AMOUNT, FILL_IN),
            Some(_) => self.maybe_amount(),
        }
    }

    fn less(&mut self) -> Option<Money> {
        let amount = self.amount()?;
        match self.limits.arr {
            Some(arr) if arr.currency == amount.currency && amount.minor >= arr.minor => {
                self.error(AMOUNT, format!("That is not less than the {arr} of today. If so, press Renewed instead."))
            }
            _ => Some(amount),
        }
    }

    fn maybe_amount(&mut self) -> Option<Money> {
        let text = self.given(AMOUNT)?;
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let sentence = match Money::parse_major(&digits, self.currency) {
            Ok(money) if money.minor <= 0 => "The amount must be more than 0.".to_owned(),
            Ok(money) if money.minor / 10_i64.pow(self.currency.exponent()) > MAX_AMOUNT => {
                "That is too large for an amount.".to_owned()
            }
            Ok(money) => return Some(money),
            Err(AmountError::TooPrecise { exponent: 0, .. }) => format!("{} has no decimals.", self.currency),
            Err(AmountError::TooPrecise { exponent, .. }) => {
                format!("{} has at most {exponent} decimals.", self.currency)
            }
            Err(AmountError::TooLarge(_)) => "That is too large for an amount.".to_owned(),
            Err(AmountError::NotANumber(_)) => "Type digits only, such as 12000 or 12000.50.".to_owned(),
        };
        self.error(AMOUNT, sentence)
    }

    fn email(&mut self) -> Option<String> {
        let email = self.line(EMAIL)?.to_lowercase();
        let whole = email.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !host.contains('@')
        });
        if whole && !email.contains(char::is_whitespace) {
            Some(email)
        } else {
            self.error(EMAIL, "That is no e-mail address; expected for example eva@acme.com.")
        }
    }
}

#[cfg(test)]
mod tests;
