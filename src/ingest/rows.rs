//! Cells → one row of each kind, with the rules that a row can be held to alone.
//! What needs other rows or the store (does the account exist?) is not asked here.

use super::cells::{CLEAR, Cells, Fault};
use super::columns::meant;
use super::{Context, CustomShape, values};
use crate::domain::account::{AccountId, Persona, Segment};
use crate::domain::money::Money;
use crate::domain::row::{
    AccountRow, ContactRow, HolidayRow, OutcomeKind, OutcomeRow, PersonRow, QuotaRow, RowKind, Rows, SignalRow,
};
use crate::domain::signal::{KNOWN_KINDS, Pulse, Shape, SignalValue, Source, known_kind};

/// One kind of rows.
pub(super) trait Row: Sized {
    const KIND: RowKind;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault>;

    /// What a file may say only once, and the column to blame; `None` where the last row wins.
    fn key(&self) -> Option<(&'static str, String)>;

    fn wrap(rows: Vec<Self>) -> Rows;
}

fn account_id(cells: &Cells<'_>) -> Result<AccountId, Fault> {
    cells.required("account_id", |text| values::id(text).map(AccountId))
}

/// Parts cannot run into each other: no cell holds a NUL.
fn composed(parts: &[&str]) -> String {
    parts.join("\0")
}

impl Row for PersonRow {
    const KIND: RowKind = RowKind::People;

    fn parse(cells: &Cells<'_>, _: &Context) -> Result<Self, Fault> {
        let row = PersonRow {
            email: cells.required("email", values::email)?,
            name: cells.required("name", values::line)?,
            // Without any role they have left.
            roles: if cells.get("roles") == CLEAR { Vec::new() } else { cells.required("roles", values::roles)? },
            timezone: cells.patch("timezone", values::timezone)?,
            digest_time: cells.patch("digest_time", values::time_of_day)?,
            workdays: cells.patch("workdays", values::workdays)?,
            manager_email: cells.patch("manager_email", values::email)?,
            delegate_email: cells.patch("delegate_email", values::email)?,
            out_of_office_until: cells.patch("out_of_office_until", values::date)?,
            slack_user_id: cells.patch("slack_user_id", values::token)?,
            teams_user_id: cells.patch("teams_user_id", values::entra_id)?,
            pool: cells.patch("pool", values::line)?,
        };
        for (column, other, what) in
            [("manager_email", &row.manager_email, "manager"), ("delegate_email", &row.delegate_email, "delegate")]
        {
            if other.set() == Some(&row.email) {
                let reason = format!("{} cannot be their own {what}", row.email);
                return Err(Fault::new(column, &row.email, reason));
            }
        }
        Ok(row)
    }

    fn key(&self) -> Option<(&'static str, String)> {
        Some(("email", self.email.clone()))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::People(rows)
    }
}

impl Row for AccountRow {
    const KIND: RowKind = RowKind::Accounts;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault> {
        let currency = cells.optional("currency", values::currency)?;
        let money = |text: &str| values::money(text, currency.unwrap_or(context.currency));
        let row = AccountRow {
            account_id: account_id(cells)?,
            name: cells.required("name", values::line)?,
            segment: cells.patch("segment", |text| values::word(text, Segment::ALL.map(Segment::as_str)))?,
            arr: cells.patch("arr", money)?,
            currency,
            seats: cells.patch("seats", |text| values::whole(text, 0..=i64::MAX))?,
            plan: cells.patch("plan", values::line)?,
            domains: cells.patch("domains", values::domains)?,
            url: cells.patch("url", values::web_address)?,
            goals: cells.patch("goals", values::paragraph)?,
            start_date: cells.patch("start_date", values::date)?,
            go_live_date: cells.patch("go_live_date", values::date)?,
            renewal_date: cells.patch("renewal_date", values::date)?,
            term_months: cells.patch("term_months", |text| values::whole_small(text, 1..=120))?,
            notice_period_days: cells.patch("notice_period_days", |text| values::whole_small(text, 0..=3650))?,
            auto_renew: cells.patch("auto_renew", values::boolean)?,
            csm_email: cells.patch("csm_email", values::email)?,
            account_manager_email: cells.patch("account_manager_email", values::email)?,
            pool: cells.patch("pool", values::line)?,
            status: cells.patch("status", |text| values::word(text, ["active", "churned"]))?,
            cost_to_serve: cells.patch("cost_to_serve", money)?,
        };
        if let (Some(start), Some(renewal)) = (row.start_date.set(), row.renewal_date.set())
            && renewal < start
        {
            let reason = format!("renewal_date {renewal} is before start_date {start}");
            return Err(Fault::new("renewal_date", cells.get("renewal_date"), reason));
        }
        Ok(row)
    }

    fn key(&self) -> Option<(&'static str, String)> {
        Some(("account_id", self.account_id.0.clone()))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Accounts(rows)
    }
}

impl Row for ContactRow {
    const KIND: RowKind = RowKind::Contacts;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault> {
        Ok(ContactRow {
            account_id: account_id(cells)?,
            email: cells.required("email", values::email)?,
            name: cells.patch("name", values::line)?,
            title: cells.patch("title", values::line)?,
            phone: cells.patch("phone", values::line)?,
            persona: cells.patch("persona", |text| values::word(text, Persona::ALL.map(Persona::as_str)))?,
            last_interaction: cells.patch("last_interaction", |text| values::past_date(text, context.today))?,
            // A leave may be known ahead.
            departed_on: cells.patch("departed_on", values::date)?,
        })
    }

    fn key(&self) -> Option<(&'static str, String)> {
        Some(("email", composed(&[&self.account_id.0, &self.email])))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Contacts(rows)
    }
}

impl Row for SignalRow {
    const KIND: RowKind = RowKind::Signals;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault> {
        let account_id = account_id(cells)?;
        let source = cells.required("source", |text| values::word(text, Source::ALL.map(Source::as_str)))?;
        let meaning = cells.required("kind", |text| meaning(source, text, context))?;
        Ok(SignalRow {
            account_id,
            source,
            kind: cells.get("kind").to_owned(),
            observed_on: cells.required("observed_on", |text| values::past_date(text, context.today))?,
            value: cells.required("value", |text| meaning.value(text))?,
            reference: cells.optional("reference", values::line)?.unwrap_or_default(),
        })
    }

    fn key(&self) -> Option<(&'static str, String)> {
        None
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Signals(rows)
    }
}

/// How a signal's value is to be read.
enum Meaning<'c> {
    Known(&'static str, Shape),
    Custom(&'c str, &'c CustomShape),
}

fn meaning<'c>(source: Source, kind: &str, context: &'c Context) -> Result<Meaning<'c>, String> {
    if let Some(known) = known_kind(source, kind) {
        return Ok(Meaning::Known(known.name, known.shape));
    }
    match context.measures.get_key_value(kind) {
        Some((name, (owner, shape))) if *owner == source => return Ok(Meaning::Custom(name, shape)),
        Some((_, (owner, _))) => return Err(format!("\"{kind}\" is a measure of {owner}, not of {source}")),
        None => {}
    }
    if let Some(elsewhere) = KNOWN_KINDS.iter().find(|known| known.name == kind) {
        return Err(format!("\"{kind}\" is a kind of {}, not of {source}", elsewhere.source));
    }
    let known = KNOWN_KINDS.iter().filter(|known| known.source == source).map(|known| known.name);
    let own = context.measures.iter().filter(|(_, (owner, _))| *owner == source).map(|(name, _)| name.as_str());
    Err(match meant(kind, known.chain(own)) {
        Some(near) => format!("\"{kind}\" is no kind of {source}; did you mean {near}?"),
        None => format!("\"{kind}\" is no kind of {source}, and no measure of the policy in use has that name"),
    })
}

impl Meaning<'_> {
    fn value(&self, text: &str) -> Result<SignalValue, String> {
        let for_kind = |name: &str, reason: String| format!("{name}: {reason}");
        match self {
            Meaning::Known(name, Shape::Gauge { max }) => {
                let number = values::number(text).map_err(|reason| for_kind(name, reason))?;
                match max {
                    Some(max) if number > *max => Err(format!("{name}: {text} is too high; expected 0 to {max}")),
                    _ => Ok(SignalValue::Number(number)),
                }
            }
            Meaning::Known(name, Shape::Count) | Meaning::Custom(name, CustomShape::Number) => {
                values::number(text).map(SignalValue::Number).map_err(|reason| for_kind(name, reason))
            }
            Meaning::Known(name, Shape::Bool) => {
                values::boolean(text).map(SignalValue::Bool).map_err(|reason| for_kind(name, reason))
            }
            Meaning::Known(name, Shape::Date) => {
                values::date(text).map(SignalValue::Date).map_err(|reason| for_kind(name, reason))
            }
            Meaning::Known(name, Shape::Pulse) => values::word::<Pulse>(text, ["green", "amber", "red"])
                .map(|pulse| SignalValue::Text(pulse.as_str().to_owned()))
                .map_err(|reason| for_kind(name, reason)),
            Meaning::Custom(name, CustomShape::Levels(levels)) => {
                if levels.iter().any(|level| level == text) {
                    Ok(SignalValue::Text(text.to_owned()))
                } else {
                    Err(format!("{name}: \"{text}\" is no level of it; expected {}", levels.join(", ")))
                }
            }
        }
    }
}

impl Row for OutcomeRow {
    const KIND: RowKind = RowKind::Outcomes;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault> {
        let currency = cells.optional("currency", values::currency)?;
        let money = |text: &str| -> Result<Money, String> { values::money(text, currency.unwrap_or(context.currency)) };
        Ok(OutcomeRow {
            account_id: account_id(cells)?,
            kind: cells.required("kind", |text| values::word(text, OutcomeKind::ALL.map(OutcomeKind::as_str)))?,
            decided_on: cells.required("decided_on", |text| values::past_date(text, context.today))?,
            arr_before: cells.patch("arr_before", money)?,
            arr_after: cells.patch("arr_after", money)?,
            currency,
        })
    }

    fn key(&self) -> Option<(&'static str, String)> {
        let day = self.decided_on.to_string();
        Some(("account_id", composed(&[&self.account_id.0, self.kind.as_str(), &day])))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Outcomes(rows)
    }
}

impl Row for QuotaRow {
    const KIND: RowKind = RowKind::Quotas;

    fn parse(cells: &Cells<'_>, context: &Context) -> Result<Self, Fault> {
        let currency = cells.optional("currency", values::currency)?.unwrap_or(context.currency);
        Ok(QuotaRow {
            email: cells.required("email", values::email)?,
            period: cells.required("period", values::quarter)?,
            amount: cells.required("amount", |text| values::money(text, currency))?,
        })
    }

    fn key(&self) -> Option<(&'static str, String)> {
        Some(("email", composed(&[&self.email, &self.period])))
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Quotas(rows)
    }
}

impl Row for HolidayRow {
    const KIND: RowKind = RowKind::Holidays;

    fn parse(cells: &Cells<'_>, _: &Context) -> Result<Self, Fault> {
        Ok(HolidayRow {
            date: cells.required("date", values::date)?,
            name: cells.patch("name", values::line)?,
            country: cells.optional("country", values::country)?,
        })
    }

    fn key(&self) -> Option<(&'static str, String)> {
        None
    }

    fn wrap(rows: Vec<Self>) -> Rows {
        Rows::Holidays(rows)
    }
}
