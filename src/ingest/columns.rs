//! Which columns each kind of rows has, and the nearest one to a wrong name.

use crate::domain::row::RowKind;

/// One column of contract.md.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Longer cells are rejected before anything looks at them.
    pub(super) max_bytes: usize,
    /// Several values with `;` between; in JSON also a list.
    pub(super) list: bool,
    /// In JSON also true or false, which are no text.
    pub(super) boolean: bool,
}

/// The columns of one kind of rows.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) kind: RowKind,
    pub(super) columns: &'static [Column],
}

/// No kind has more columns than accounts.
pub(super) const MAX_COLUMNS: usize = ACCOUNTS.columns.len();

const fn optional(name: &'static str) -> Column {
    Column { name, required: false, max_bytes: 200, list: false, boolean: false }
}

const fn required(name: &'static str) -> Column {
    Column { required: true, ..optional(name) }
}

impl Column {
    const fn up_to(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    const fn listed(self) -> Self {
        Self { list: true, ..self }
    }

    const fn or_boolean(self) -> Self {
        Self { boolean: true, ..self }
    }
}

/// An e-mail address has at most 254 bytes (RFC 5321, 4.5.3.1.3 less the brackets).
const EMAIL: usize = 254;

// Lengths of account_id, kind and reference together stay below the 2,704
// bytes that a Postgres B-tree takes as one key.
const PEOPLE: Schema = Schema {
    kind: RowKind::People,
    columns: &[
        required("email").up_to(EMAIL),
        required("name"),
        required("roles").listed(),
        optional("timezone"),
        optional("digest_time"),
        optional("workdays").listed(),
        optional("manager_email").up_to(EMAIL),
        optional("delegate_email").up_to(EMAIL),
        optional("out_of_office_until"),
        optional("slack_user_id"),
        optional("teams_user_id"),
        optional("pool"),
    ],
};

const ACCOUNTS: Schema = Schema {
    kind: RowKind::Accounts,
    columns: &[
        required("account_id"),
        required("name").up_to(400),
        optional("segment"),
        optional("arr"),
        optional("currency"),
        optional("seats"),
        optional("plan"),
        optional("domains").up_to(4_000).listed(),
        optional("url").up_to(2_000),
        optional("goals").up_to(10_000),
        optional("start_date"),
        optional("go_live_date"),
        optional("renewal_date"),
        optional("term_months"),
        optional("notice_period_days"),
        optional("auto_renew").or_boolean(),
        optional("csm_email").up_to(EMAIL),
        optional("account_manager_email").up_to(EMAIL),
        optional("pool"),
        optional("status"),
        optional("cost_to_serve"),
    ],
};

const CONTACTS: Schema = Schema {
    kind: RowKind::Contacts,
    columns: &[
        required("account_id"),
        required("email").up_to(EMAIL),
        optional("name").up_to(400),
        optional("title").up_to(400),
        optional("phone"),
        optional("persona"),
        optional("last_interaction"),
        optional("departed_on"),
    ],
};

const SIGNALS: Schema = Schema {
    kind: RowKind::Signals,
    columns: &[
        required("account_id"),
        required("source"),
        required("kind"),
        required("observed_on"),
        required("value").or_boolean(),
        optional("reference").up_to(1_000),
    ],
};

const OUTCOMES: Schema = Schema {
    kind: RowKind::Outcomes,
    columns: &[
        required("account_id"),
        required("kind"),
        required("decided_on"),
        optional("arr_before"),
        optional("arr_after"),
        optional("currency"),
    ],
};

const QUOTAS: Schema = Schema {
    kind: RowKind::Quotas,
    columns: &[required("email").up_to(EMAIL), required("period"), required("amount"), optional("currency")],
};

const HOLIDAYS: Schema =
    Schema { kind: RowKind::Holidays, columns: &[required("date"), optional("name"), optional("country")] };

pub(super) fn schema(kind: RowKind) -> &'static Schema {
    match kind {
        RowKind::People => &PEOPLE,
        RowKind::Accounts => &ACCOUNTS,
        RowKind::Contacts => &CONTACTS,
        RowKind::Signals => &SIGNALS,
        RowKind::Outcomes => &OUTCOMES,
        RowKind::Quotas => &QUOTAS,
        RowKind::Holidays => &HOLIDAYS,
    }
}

impl Schema {
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// "Unknown columns are an error that names the nearest known one."
    pub(super) fn unknown(&self, name: &str) -> String {
        let names = self.columns.iter().map(|column| column.name);
        let nearest = nearest(name, names).map(|(known, _)| known).unwrap_or_default();
        format!("\"{name}\" is no column of {}; the nearest known one is {nearest}", self.kind.as_str())
    }
}

/// The candidate most like `text`, with its likeness from 0 to 1.
fn nearest<'c>(text: &str, candidates: impl Iterator<Item = &'c str>) -> Option<(&'c str, f64)> {
    let text = text.to_lowercase();
    candidates
        .map(|candidate| (candidate, strsim::jaro_winkler(&text, &candidate.to_lowercase())))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// The candidate that was probably meant, or `None` where none is near.
pub(super) fn meant<'c>(text: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    // Below this, what two words share is chance.
    const NEAR: f64 = 0.75;
    nearest(text, candidates).filter(|(_, likeness)| *likeness >= NEAR).map(|(candidate, _)| candidate)
}
