//! What happens after the first day: each source goes on as it did in the last
//! week, and a few customers decide something, so that a later morning has news.

use chrono::{NaiveDate, TimeDelta};

use super::Sample;
use crate::domain::account::AccountId;
use crate::domain::row::SignalRow;
use crate::domain::signal::{SignalValue, Source};

/// Days after the first on which it is told; the customer, by name; the kind of `crm` that turns true, or false.
type Turn = (i64, &'static str, &'static str, bool);

/// One piece of news for most mornings of the first two weeks, for several people.
const TURNS: [Turn; 9] = [
    (0, "Kingfisher Rail", "notice_served", true),
    (0, "Verity Municipal Works", "expansion_requested", true),
    (1, "Larkspur Legal", "downgrade_requested", true),
    (2, "Falkirk Marine", "competitor_named", true),
    (4, "Nettlecombe Housing", "auto_renew", true),
    (5, "Nettlecombe Housing", "auto_renew", false),
    (6, "Trellis Software", "new_department", true),
    (7, "Willowmere Care Homes", "expansion_requested", true),
    (8, "Solstice Eyewear", "notice_served", true),
];

const WEEK: i64 = 7;

/// Kinds that count how long something has lasted: a week later it has lasted a week longer.
const AGES: [&str; 2] = ["sev1_open_days", "invoice_overdue_days"];

impl Sample {
    /// What the sources deliver about a day, made for `first`, that is not before it: the same for the same days.
    pub fn signals_on(&self, first: NaiveDate, day: NaiveDate) -> Vec<SignalRow> {
        let after = (day - first).num_days();
        let mut rows: Vec<SignalRow> = self.signals.iter().filter_map(|row| again(row, first, day)).collect();
        rows.extend(TURNS.iter().filter(|turn| turn.0 == after).filter_map(|(_, name, kind, value)| {
            Some(SignalRow {
                account_id: self.named(name)?,
                source: Source::Crm,
                kind: (*kind).to_owned(),
                observed_on: day,
                value: SignalValue::Bool(*value),
                reference: String::new(),
            })
        }));
        rows
    }

    fn named(&self, name: &str) -> Option<AccountId> {
        self.accounts.iter().find(|account| account.name == name).map(|account| account.account_id.clone())
    }
}

/// A row of the last week, whole weeks later; `None` for one of another weekday, and for what happens only once.
fn again(row: &SignalRow, first: NaiveDate, day: NaiveDate) -> Option<SignalRow> {
    let later = (day - row.observed_on).num_days();
    let in_last_week = row.observed_on < first && row.observed_on >= first - TimeDelta::days(WEEK);
    if !in_last_week || later % WEEK != 0 {
        return None;
    }
    let value = match &row.value {
        SignalValue::Number(days) if AGES.contains(&row.kind.as_str()) && *days > 0.0 => {
            SignalValue::Number(days + later as f64)
        }
        SignalValue::Number(number) => SignalValue::Number(*number),
        // A decision or an opinion is said once; a project's dates are said each week.
        SignalValue::Date(date) => SignalValue::Date(*date),
        SignalValue::Bool(_) | SignalValue::Text(_) => return None,
    };
    let happens_once = matches!(row.kind.as_str(), "escalations" | "meeting_rescheduled" | "payment_failures");
    let reference = if row.reference.is_empty() { String::new() } else { format!("{}-{later}", row.reference) };
    (!happens_once).then(|| SignalRow { observed_on: day, value, reference, ..row.clone() })
}
