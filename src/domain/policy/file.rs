//! The policy file: read over the defaults, checked, printed.

use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::{Table, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item};

use super::{Curve, Policy, measure};
use crate::domain::health::{GROWTH_WEEKS_AT_MOST, RULES};
use crate::domain::signal::{KNOWN_KINDS, Source};
use crate::domain::syntax;

/// Larger numbers are slips of the hand, and dates could not bear them.
const LARGEST: f64 = 100_000.0;

/// Why a policy file cannot be used. Each says what, where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML at all; the text names line and column.
    #[error("the policy is no valid TOML: {0}")]
    Syntax(String),
    #[error("\"{key}\" is no key of the policy; did you mean \"{nearest}\"?")]
    UnknownKey { key: String, nearest: String },
    #[error("{key} is {found}; expected {expected}")]
    WrongType { key: String, found: String, expected: String },
    /// A value that reads but makes no sense.
    #[error("{0}")]
    Nonsense(String),
}

fn broken(text: &str, message: &str, span: Option<Range<usize>>) -> PolicyError {
    PolicyError::Syntax(syntax::fault(text, message, span))
}

impl Policy {
    /// Reads a policy file: what it names overrides the defaults, the rest stays.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        let file: Table = text.parse().map_err(|e: toml::de::Error| broken(text, e.message(), e.span()))?;
        let mut merged = Table::try_from(Policy::default()).map_err(|e| PolicyError::Syntax(e.to_string()))?;
        merge(&mut merged, file, "")?;
        let policy: Policy = Value::Table(merged)
            .try_into()
            .map_err(|e: toml::de::Error| PolicyError::Nonsense(e.message().trim().to_owned()))?;
        policy.check()?;
        Ok(policy)
    }

    /// The same of a file that is to be used from now on: some limits came after policies that are stored, which stay.
    ///
    /// # Errors
    /// As [`Self::from_toml`], and what a stored policy may say still and a new one must not.
    pub fn to_use(text: &str) -> Result<Policy, PolicyError> {
        let policy = Policy::from_toml(text)?;
        let windows = &policy.windows;
        let shares = [
            ("seats_ratio", windows.seats_ratio),
            ("usage_share", windows.usage_share),
            ("growth_share", windows.growth_share),
            ("cross_sell_share", windows.cross_sell_share),
            ("requested_share", windows.requested_share),
        ];
        if let Some((key, share)) = shares.iter().find(|(_, share)| *share > 1.0) {
            return Err(PolicyError::Nonsense(format!("windows.{key} is {share}; expected a share from 0 to 1")));
        }
        if windows.growth_weeks > GROWTH_WEEKS_AT_MOST {
            let weeks = windows.growth_weeks;
            let said = format!("windows.growth_weeks is {weeks}; expected at most {GROWTH_WEEKS_AT_MOST}");
            return Err(PolicyError::Nonsense(said));
        }
        Ok(policy)
    }

    /// A policy file with one rule on trial, or not, and everything else of it, comments too, as it was. `None` where
    /// it says so already.
    ///
    /// # Errors
    /// What was no policy before.
    pub fn with_trial(text: &str, rule: &str, on_trial: bool) -> Result<Option<String>, PolicyError> {
        let mut names = Policy::from_toml(text)?.shadow;
        if names.iter().any(|name| name == rule) == on_trial {
            return Ok(None);
        }
        if on_trial {
            names.push(rule.to_owned());
        } else {
            names.retain(|name| name != rule);
        }
        let mut file: DocumentMut =
            text.parse().map_err(|e: toml_edit::TomlError| broken(text, e.message(), e.span()))?;
        file["shadow"] = toml_edit::value(names.into_iter().collect::<Array>());
        Ok(Some(file.to_string()))
    }

    /// A policy file with other numbers, and everything else of it, comments too, as it was. Each number stands under a
    /// table, a name in it, and its own key, such as `weights.usage.established`.
    ///
    /// # Errors
    /// What was no policy before, or is none with these numbers.
    pub fn with_numbers(text: &str, numbers: &[(&str, f64)]) -> Result<String, PolicyError> {
        let mut file: DocumentMut =
            text.parse().map_err(|e: toml_edit::TomlError| broken(text, e.message(), e.span()))?;
        for (path, number) in numbers {
            // The name between may have dots of its own.
            let parts = path.split_once('.').and_then(|(table, rest)| Some((table, rest.rsplit_once('.')?)));
            if let Some((table, (name, key))) = parts {
                set(file.as_item_mut(), &[table, name, key], *number);
            }
        }
        let text = file.to_string();
        Policy::from_toml(&text).map(|_| text)
    }

    /// All of it, in a form that [`Policy::from_toml`] reads back to an equal policy.
    pub fn to_toml(&self) -> String {
        // Every field is a plain value, an array or a table with text keys, so this cannot fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// Twelve hex digits of the contents: equal policies, equal versions.
    pub fn version(&self) -> String {
        hex::encode(&Sha256::digest(self.to_toml())[..6])
    }

    fn check(&self) -> Result<(), PolicyError> {
        let nonsense = |text: String| Err(PolicyError::Nonsense(text));
        for (key, curve) in self.curves() {
            if let Some(fault) = curve.fault() {
                return nonsense(format!("{key} {fault}"));
            }
        }
        for (name, measure) in &self.measures {
            if let Some(fault) = measure.fault() {
                return nonsense(format!("measures.{name} {fault}"));
            }
            if RULES.iter().any(|rule| rule.name == name) {
                return nonsense(format!("measures.{name} has the name of a built-in rule; expected another"));
            }
            let elsewhere = KNOWN_KINDS.iter().find(|kind| kind.name == name && kind.source != measure.source);
            if let Some(kind) = elsewhere {
                return nonsense(format!(
                    "measures.{name} has source = \"{}\"; {name} belongs to {}",
                    measure.source, kind.source
                ));
            }
        }
        for name in &self.shadow {
            if !self.measures.contains_key(name) && !RULES.iter().any(|rule| rule.name == name) {
                let names = RULES.iter().map(|rule| rule.name).chain(self.measures.keys().map(String::as_str));
                let nearest = nearest(name, names);
                return nonsense(format!("shadow names \"{name}\", which is no rule; did you mean \"{nearest}\"?"));
            }
        }
        for (currency, rate) in &self.rates {
            if !(rate.is_finite() && *rate > 0.0) {
                return nonsense(format!("rates.{currency} is {rate}; expected a number above 0"));
            }
        }
        self.check_numbers()
    }

    fn check_numbers(&self) -> Result<(), PolicyError> {
        let s = &self.score;
        let floors = [
            ("notice_served", self.floors.notice_served),
            ("auto_renew_off", self.floors.auto_renew_off),
            ("downgrade_requested", self.floors.downgrade_requested),
            ("opt_out_near_silent", self.floors.opt_out_near_silent),
            ("champion_departed", self.floors.champion_departed),
            ("sev1_open", self.floors.sev1_open),
            ("invoice_overdue", self.floors.invoice_overdue),
        ];
        let crm = [
            ("crm.notice_served", self.crm.notice_served),
            ("crm.auto_renew_off", self.crm.auto_renew_off),
            ("crm.downgrade_requested", self.crm.downgrade_requested),
            ("crm.champion_departed", self.crm.champion_departed),
            ("crm.competitor_named", self.crm.competitor_named),
            ("crm.meetings_rescheduled", self.crm.meetings_rescheduled),
            ("support.silence", self.support.silence),
            ("billing.discount", self.billing.discount),
            ("sentiment.nps_detractor", self.sentiment.nps_detractor),
            ("sentiment.nps_passive", self.sentiment.nps_passive),
            ("sentiment.nps_promoter", self.sentiment.nps_promoter),
            ("sentiment.pulse_red", self.sentiment.pulse_red),
            ("sentiment.pulse_amber", self.sentiment.pulse_amber),
            ("sentiment.pulse_green", self.sentiment.pulse_green),
            ("onboarding.first_value", self.onboarding.first_value),
        ];
        let shares = [
            ("score.known_share_at_least", s.known_share_at_least),
            ("usage.decline_share", self.usage.decline_share),
            ("onboarding.worst_share", self.onboarding.worst_share),
            ("guard.share", self.guard.share),
            ("precision.at_least", self.precision.at_least),
        ];
        let positive = [
            ("reading.block_days", self.reading.block_days),
            ("reading.recent_days", self.reading.recent_days),
            ("reading.baseline_days", self.reading.baseline_days),
            ("reading.peak_days", self.reading.peak_days),
            ("reading.interval_days_at_most", self.reading.interval_days_at_most),
            ("reading.baseline_observations", self.reading.baseline_observations),
            ("crm.cadence_days.enterprise", self.crm.cadence_days.enterprise),
            ("crm.cadence_days.mid_market", self.crm.cadence_days.mid_market),
            ("crm.cadence_days.smb", self.crm.cadence_days.smb),
            ("crm.contacts_target.enterprise", self.crm.contacts_target.enterprise),
            ("crm.contacts_target.mid_market", self.crm.contacts_target.mid_market),
            ("crm.contacts_target.smb", self.crm.contacts_target.smb),
            ("windows.growth_weeks", self.windows.growth_weeks),
            ("windows.open_days", self.windows.open_days),
            ("work.attention_budget", self.work.attention_budget),
            ("precision.shown_at_least", self.precision.shown_at_least),
            ("precision.days", self.precision.days),
            ("pacing.per_workspace_per_minute", self.pacing.per_workspace_per_minute),
        ];
        let fault = if !(s.watch_from < s.healthy_from && s.healthy_from <= 100 && s.watch_from > 0) {
            Some(format!(
                "score.watch_from is {} and score.healthy_from {}; expected 0 < watch_from < healthy_from ≤ 100",
                s.watch_from, s.healthy_from
            ))
        } else if s.most_without_usage > 100 {
            Some(format!("score.most_without_usage is {}; expected at most 100", s.most_without_usage))
        } else if let Some((key, floor)) =
            floors.iter().find(|(_, floor)| *floor <= f64::from(100 - s.watch_from) || *floor > 100.0)
        {
            // A floor always gives at_risk, so it must lie above the risk where `watch` ends.
            Some(format!("floors.{key} is {floor}; expected more than {} and at most 100", 100 - s.watch_from))
        } else if let Some((key, risk)) = crm.iter().find(|(_, risk)| *risk > 100.0) {
            Some(format!("{key} is {risk}; expected a risk from 0 to 100"))
        } else if let Some((key, share)) = shares.iter().find(|(_, share)| *share > 1.0) {
            Some(format!("{key} is {share}; expected a share from 0 to 1"))
        } else if let Some((key, _)) = positive.iter().find(|(_, days)| *days == 0) {
            Some(format!("{key} is 0; expected at least 1"))
        } else if !(self.windows.seats_back_to > 0.0 && self.windows.seats_back_to <= self.windows.seats_ratio) {
            Some(format!(
                "windows.seats_back_to is {}; expected more than 0 and at most windows.seats_ratio ({})",
                self.windows.seats_back_to, self.windows.seats_ratio
            ))
        } else if self.pacing.per_channel_per_second <= 0.0 {
            Some("pacing.per_channel_per_second is 0; expected more".to_owned())
        } else if !self.renewal.steps.windows(2).all(|pair| pair[0] > pair[1]) {
            Some("renewal.steps is out of order; expected five falling numbers of days".to_owned())
        } else {
            let all = [
                ("established", Source::ALL.iter().map(|s| self.weights.of(*s).established).sum::<f64>()),
                ("onboarding", Source::ALL.iter().map(|s| self.weights.of(*s).onboarding).sum::<f64>()),
            ];
            all.iter()
                .find(|(_, sum)| *sum <= 0.0)
                .map(|(phase, _)| format!("weights are all 0 for {phase} accounts; expected at least one above 0"))
        };
        fault.map_or(Ok(()), |text| Err(PolicyError::Nonsense(text)))
    }

    fn curves(&self) -> [(&'static str, &Curve); 16] {
        [
            ("usage.trend", &self.usage.trend),
            ("usage.slow_decline", &self.usage.slow_decline),
            ("usage.seat_use", &self.usage.seat_use),
            ("usage.breadth", &self.usage.breadth),
            ("crm.silence", &self.crm.silence),
            ("crm.contacts", &self.crm.contacts),
            ("support.sev1_days", &self.support.sev1_days),
            ("support.escalations", &self.support.escalations),
            ("support.csat", &self.support.csat),
            ("support.tickets", &self.support.tickets),
            ("support.oldest_days", &self.support.oldest_days),
            ("billing.overdue_days", &self.billing.overdue_days),
            ("billing.failures", &self.billing.failures),
            ("onboarding.milestones_overdue", &self.onboarding.milestones_overdue),
            ("onboarding.late_days", &self.onboarding.late_days),
            ("onboarding.engagement", &self.onboarding.engagement),
        ]
    }
}

/// Sets one number, in tables that are made where they are missing; what is written beside it stays.
fn set(item: &mut Item, path: &[&str], number: f64) {
    let Some((key, rest)) = path.split_first() else {
        if let Item::Value(value) = item {
            let beside = value.decor().clone();
            *value = number.into();
            *value.decor_mut() = beside;
        }
        return;
    };
    let inline = item.is_value();
    let Some(table) = item.as_table_like_mut() else { return };
    if !table.contains_key(key) {
        let made = match rest {
            [] => toml_edit::value(number),
            _ if inline => Item::Value(InlineTable::new().into()),
            [_] => Item::Table(toml_edit::Table::new()),
            _ => {
                let mut table = toml_edit::Table::new();
                // It has tables alone, so its own header would stand empty.
                table.set_implicit(true);
                Item::Table(table)
            }
        };
        table.insert(key, made);
    }
    if let Some(next) = table.get_mut(key) {
        set(next, rest, number);
    }
}

/// Lays the file over the defaults, whose keys and types are the schema.
fn merge(into: &mut Table, file: Table, path: &str) -> Result<(), PolicyError> {
    for (key, value) in file {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match full.as_str() {
            "rates" => free_table(into, &key, value, |name, rate| match rate {
                Value::Integer(_) | Value::Float(_) => Ok(()),
                other => Err(wrong_type(&format!("rates.{name}"), other, "a number")),
            })?,
            "measures" => free_table(into, &key, value, measure_keys)?,
            _ => {
                let Some(default) = into.get_mut(&key) else {
                    let beside = nearest(&key, into.keys().map(String::as_str));
                    let beside = if path.is_empty() { beside } else { format!("{path}.{beside}") };
                    let nearest = elsewhere(&key).unwrap_or(beside);
                    return Err(PolicyError::UnknownKey { key: full, nearest });
                };
                match (default, value) {
                    (Value::Table(inner), Value::Table(file)) => merge(inner, file, &full)?,
                    (default, value) => *default = fitting(default, value, &full)?,
                }
            }
        }
    }
    Ok(())
}

/// A key of that very name in another table of the policy: the commonest slip is a forgotten header.
fn elsewhere(key: &str) -> Option<String> {
    let all = Table::try_from(Policy::default()).ok()?;
    all.iter().find_map(|(name, table)| table.as_table()?.contains_key(key).then(|| format!("{name}.{key}")))
}

fn free_table(
    into: &mut Table,
    key: &str,
    value: Value,
    check: impl Fn(&str, &Value) -> Result<(), PolicyError>,
) -> Result<(), PolicyError> {
    let Value::Table(table) = &value else { return Err(wrong_type(key, &value, "a table")) };
    for (name, entry) in table {
        check(name, entry)?;
    }
    into.insert(key.to_owned(), value);
    Ok(())
}

fn measure_keys(name: &str, value: &Value) -> Result<(), PolicyError> {
    let at = format!("measures.{name}");
    let Value::Table(table) = value else { return Err(wrong_type(&at, value, "a table")) };
    let unknown = |path: &str, table: &Table, known: &[&str]| match table.keys().find(|k| !known.contains(&k.as_str()))
    {
        Some(key) => Err(PolicyError::UnknownKey {
            key: format!("{path}.{key}"),
            nearest: format!("{path}.{}", nearest(key, known.iter().copied())),
        }),
        None => Ok(()),
    };
    unknown(&at, table, &measure::KEYS)?;
    if let Some(Value::Table(actions)) = table.get("actions") {
        unknown(&format!("{at}.actions"), actions, &["csm", "account_manager"])?;
    }
    Value::try_into::<super::Measure>(value.clone())
        .map(|_| ())
        .map_err(|e| PolicyError::Nonsense(format!("{at}: {}", e.message().trim())))
}

/// The file's value, where it has the default's type and a possible size.
fn fitting(default: &Value, value: Value, key: &str) -> Result<Value, PolicyError> {
    let number = match (default, &value) {
        (Value::Integer(_), Value::Integer(whole)) => Some(*whole as f64),
        (Value::Float(_), Value::Integer(whole)) => Some(*whole as f64),
        (Value::Float(_), Value::Float(float)) => Some(*float),
        (Value::Integer(_), other) => return Err(wrong_type(key, other, "a whole number")),
        (Value::Float(_), other) => return Err(wrong_type(key, other, "a number")),
        (Value::Array(_), Value::Array(_)) => None,
        (Value::Array(_), other) => return Err(wrong_type(key, other, "an array")),
        (Value::Table(_), other) => return Err(wrong_type(key, other, "a table")),
        (default, other) if default.type_str() != other.type_str() => {
            return Err(wrong_type(key, other, default.type_str()));
        }
        _ => None,
    };
    match number {
        Some(number) if !(0.0..=LARGEST).contains(&number) => {
            Err(PolicyError::Nonsense(format!("{key} is {number}; expected a number from 0 to {LARGEST}")))
        }
        _ => match (default, value) {
            (Value::Float(_), Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
            (Value::Array(_), Value::Array(items)) => array(key, items),
            (_, value) => Ok(value),
        },
    }
}

/// Arrays are curves, steps or names; the shape of each point is checked here, where the key is known.
fn array(key: &str, items: Vec<Value>) -> Result<Value, PolicyError> {
    for item in &items {
        let ok = match (key, item) {
            ("shadow", Value::String(_)) => true,
            ("renewal.steps", Value::Integer(days)) => (0..=3650).contains(days),
            ("shadow" | "renewal.steps", _) => false,
            (_, Value::Array(point)) => {
                point.len() == 2
                    && point.iter().all(|n| match n {
                        Value::Integer(_) => true,
                        Value::Float(float) => float.is_finite(),
                        _ => false,
                    })
            }
            _ => false,
        };
        if !ok {
            let expected = match key {
                "shadow" => "names of rules",
                "renewal.steps" => "whole numbers of days from 0 to 3650",
                _ => "points such as [0.85, 20]",
            };
            return Err(PolicyError::WrongType {
                key: key.to_owned(),
                found: format!("an array with {item}"),
                expected: expected.to_owned(),
            });
        }
    }
    if key == "renewal.steps" && items.len() != 5 {
        return Err(PolicyError::Nonsense(format!("renewal.steps has {} numbers; expected five", items.len())));
    }
    Ok(Value::Array(items))
}

fn wrong_type(key: &str, found: &Value, expected: &str) -> PolicyError {
    let found = match found {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        other => other.to_string(),
    };
    PolicyError::WrongType { key: key.to_owned(), found, expected: expected.to_owned() }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    known.min_by_key(|name| (strsim::damerau_levenshtein(word, name), *name)).unwrap_or("").to_owned()
}
