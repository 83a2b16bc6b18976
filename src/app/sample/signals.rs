//! The course of an account → the rows that its sources would have delivered,
//! at the cadence of each: usage and support weekly, billing and pulse monthly,
//! NPS quarterly, CRM when something happens, onboarding weekly.

use chrono::NaiveDate;

use super::course::{Billing, Course, Crm, EventValue, Onboarding, Sentiment, Support, Usage};
use super::{before, working};
use crate::domain::dice::Dice;
use crate::domain::row::{AccountRow, SignalRow};
use crate::domain::signal::{SignalValue, Source};

/// Nine months.
const HISTORY: i64 = 273;

/// Collects the rows of one account.
struct Pen<'a> {
    account: &'a AccountRow,
    today: NaiveDate,
    /// Nothing was delivered before this many days ago …
    from: i64,
    /// … nor within these.
    silent_for: i64,
    rows: Vec<SignalRow>,
}

impl Pen<'_> {
    fn write(&mut self, source: Source, kind: &str, days_ago: i64, value: SignalValue) {
        self.refer(source, kind, days_ago, value, String::new());
    }

    fn number(&mut self, source: Source, kind: &str, days_ago: i64, value: f64) {
        self.write(source, kind, days_ago, SignalValue::Number(value.round().max(0.0)));
    }

    fn refer(&mut self, source: Source, kind: &str, days_ago: i64, value: SignalValue, reference: String) {
        if days_ago < self.silent_for || days_ago > self.from {
            return;
        }
        let day = before(self.today, days_ago);
        // People act on working days; machines report on all.
        let observed_on = if source == Source::Crm { working(day) } else { day };
        let account_id = self.account.account_id.clone();
        self.rows.push(SignalRow { account_id, source, kind: kind.to_owned(), observed_on, value, reference });
    }

    /// Days ago of what is reported each `every` days, the oldest first.
    fn every(&self, every: i64, last: i64) -> Vec<i64> {
        let mut days: Vec<i64> = (0..).map(|n| last + n * every).take_while(|day| *day <= self.from).collect();
        days.reverse();
        days
    }
}

/// All signals of one account.
pub(super) fn signals(account: &AccountRow, course: &Course, today: NaiveDate, dice: &mut Dice) -> Vec<SignalRow> {
    let age = account.start_date.set().map_or(HISTORY, |start| (today - *start).num_days());
    let mut pen =
        Pen { account, today, from: age.min(HISTORY), silent_for: course.silent_for.max(1), rows: Vec::new() };
    if let Some(usage_course) = &course.usage {
        usage(&mut pen, usage_course, dice);
    }
    if let Some(crm_course) = &course.crm {
        crm(&mut pen, crm_course, dice);
    }
    if let Some(support_course) = &course.support {
        support(&mut pen, support_course, dice);
    }
    if let Some(billing_course) = &course.billing {
        billing(&mut pen, billing_course, dice);
    }
    if let Some(mood) = &course.sentiment {
        sentiment(&mut pen, mood, dice);
    }
    if let Some(project) = &course.onboarding {
        onboarding(&mut pen, project, age);
    }
    pen.rows
}

/// Major units a year: USD, EUR and GBP all have cents.
fn arr(account: &AccountRow) -> f64 {
    account.arr.set().map_or(0.0, |money| money.minor as f64 / 100.0)
}

fn seats(account: &AccountRow) -> f64 {
    account.seats.set().map_or(0.0, |seats| *seats as f64)
}

fn usage(pen: &mut Pen<'_>, course: &Usage, dice: &mut Dice) {
    let seats = seats(pen.account);
    let actions_each = dice.between(40.0, 90.0).round();
    let sessions_each = dice.between(9.0, 15.0).round();
    let entitled = dice.whole(12, 30) as f64;
    let now = course.level_at(0);
    // One noise for all three: fewer people mean fewer actions.
    for day in pen.every(7, 1) {
        let level = dice.near(course.level_at(day) / now, 0.015);
        let active = seats * course.seat_use * level;
        pen.number(Source::Usage, "active_users", day, active.min(seats));
        pen.number(Source::Usage, "core_actions", day, active * actions_each);
        pen.number(Source::Usage, "sessions", day, active * sessions_each);
        pen.number(Source::Usage, "seats_assigned", day, (seats * course.assigned).floor());
        pen.number(Source::Usage, "entitlement_used_pct", day, dice.near(course.entitlement, 0.02));
    }
    for day in pen.every(30, 4) {
        pen.number(Source::Usage, "features_used", day, (entitled * course.breadth).round());
        pen.number(Source::Usage, "features_entitled", day, entitled);
        pen.number(Source::Usage, "integrations_active", day, (entitled / 6.0).round());
        pen.number(Source::Usage, "api_calls", day, dice.near(seats * 120.0 * course.level_at(day) / now, 0.1));
    }
    if let Some(day) = course.limit_hit {
        pen.write(Source::Usage, "plan_limit_hit", day, SignalValue::Bool(true));
    }
}

fn crm(pen: &mut Pen<'_>, course: &Crm, dice: &mut Dice) {
    let link = |n: usize| format!("https://crm.lumenstack.example/activity/{n}");
    for (n, day) in pen.every(course.every, course.last).into_iter().enumerate() {
        // The last contact is part of the story; the earlier ones vary by a day.
        let day = if day == course.last { day } else { day + dice.whole(0, 1) };
        pen.refer(Source::Crm, "interaction", day, SignalValue::Number(1.0), link(n + 1));
    }
    let arr = arr(pen.account);
    for event in &course.events {
        let value = match event.value {
            EventValue::Yes => SignalValue::Bool(true),
            EventValue::No => SignalValue::Bool(false),
            EventValue::Once => SignalValue::Number(1.0),
            EventValue::PartOfArr(part) => SignalValue::Number((arr * part / 100.0).round() * 100.0),
        };
        pen.write(Source::Crm, event.kind, event.days_ago, value);
    }
}

fn support(pen: &mut Pen<'_>, course: &Support, dice: &mut Dice) {
    for day in pen.every(7, 2) {
        let usual = match course.lately {
            Some(lately) if day <= 35 => lately,
            _ => course.weekly,
        };
        // At most one more or less, and never half: a surge is a story, not noise.
        let opened = match usual {
            0 => 0,
            1..=3 => usual + dice.whole(0, 1),
            _ => usual + dice.whole(-1, 1),
        };
        pen.number(Source::Support, "tickets_opened", day, opened as f64);
        pen.number(Source::Support, "tickets_open", day, (opened + usual / 2) as f64);
        // A long story ages by the day; otherwise the oldest is one of the usual ones.
        let oldest = if course.oldest > 18 { (course.oldest - day).max(2) } else { course.oldest };
        pen.number(Source::Support, "oldest_ticket_days", day, oldest as f64);
        pen.number(Source::Support, "sev1_open_days", day, (course.sev1_for - day).max(0) as f64);
    }
    for day in pen.every(30, 8) {
        let before_trouble = day > 60 && course.csat < 80.0;
        let csat = if before_trouble { 87.0 } else { course.csat };
        pen.number(Source::Support, "csat", day, dice.near(csat, 0.015).min(100.0));
        pen.number(Source::Support, "tickets_reopened", day, f64::from(u8::from(dice.chance(0.2))));
    }
    for day in course.escalations {
        pen.number(Source::Support, "escalations", *day, 1.0);
    }
}

fn billing(pen: &mut Pen<'_>, course: &Billing, dice: &mut Dice) {
    let monthly = (arr(pen.account) / 12.0).round();
    for day in pen.every(30, 6) {
        pen.number(Source::Billing, "mrr", day, monthly);
        let late = if course.habit > 0 { course.habit + dice.whole(-3, 3) } else { 0 };
        if course.overdue <= course.habit || day > course.overdue {
            pen.number(Source::Billing, "invoice_overdue_days", day, late as f64);
        }
        if let Some(ends_in) = course.discount_ends_in {
            pen.number(Source::Billing, "discount_expires_in_days", day, (ends_in + day) as f64);
        }
    }
    if course.overdue > course.habit {
        // Once an invoice is late the ledger is looked at each week.
        for day in pen.every(7, 1).into_iter().filter(|day| *day <= course.overdue) {
            pen.number(Source::Billing, "invoice_overdue_days", day, (course.overdue - day) as f64);
            pen.number(Source::Billing, "invoice_overdue_amount", day, monthly * 3.0);
        }
    }
    for day in course.failures {
        pen.number(Source::Billing, "payment_failures", *day, 1.0);
    }
}

fn sentiment(pen: &mut Pen<'_>, course: &Sentiment, dice: &mut Dice) {
    for (n, day) in pen.every(91, 20).into_iter().rev().enumerate() {
        // Earlier answers were kinder where the last is poor.
        let earlier = if course.nps < 7.0 { 7.0 } else { course.nps };
        pen.number(Source::Sentiment, "nps", day, if n == 0 { course.nps } else { earlier });
    }
    let pulse_day = dice.whole(5, 14);
    for (n, day) in pen.every(30, pulse_day).into_iter().rev().enumerate() {
        let pulse = if n == 0 { course.pulse } else { "green" };
        pen.write(Source::Sentiment, "csm_pulse", day, SignalValue::Text(pulse.to_owned()));
    }
}

/// A project of twelve milestones, planned to go live 75 days after the start.
fn onboarding(pen: &mut Pen<'_>, course: &Onboarding, age: i64) {
    const MILESTONES: i64 = 12;
    const PLANNED: i64 = 75;
    let days_to_plan = PLANNED - age;
    let planned = before(pen.today, -days_to_plan);
    for day in pen.every(7, 2) {
        let worked = (age - day).max(0);
        // Trouble came in the last six weeks, a milestone or a week at a time.
        let trouble = ((42 - day) as f64 / 42.0).clamp(0.0, 1.0);
        let so_far = |today: i64| (today as f64 * trouble).round() as i64;
        let due = (MILESTONES * worked / PLANNED).min(MILESTONES);
        let overdue = if day <= 15 { course.overdue } else { so_far(course.overdue) };
        let late_by = if day <= 15 { course.late_by } else { so_far(course.late_by) };
        pen.number(Source::Onboarding, "milestones_total", day, MILESTONES as f64);
        pen.number(Source::Onboarding, "milestones_done", day, (due - overdue).max(0) as f64);
        pen.number(Source::Onboarding, "milestones_overdue", day, overdue as f64);
        pen.number(Source::Onboarding, "blocked_by_customer", day, course.blocked_by_customer.min(overdue) as f64);
        pen.number(Source::Onboarding, "blocked_by_us", day, course.blocked_by_us.min(overdue) as f64);
        pen.write(Source::Onboarding, "go_live_planned", day, SignalValue::Date(planned));
        pen.write(Source::Onboarding, "go_live_forecast", day, SignalValue::Date(before(planned, -late_by)));
        let engagement = if day <= 15 { course.engagement } else { course.engagement.max(75.0) };
        pen.number(Source::Onboarding, "customer_engagement_pct", day, engagement);
    }
    if let Some(days) = course.first_value_days {
        for day in [10, 3] {
            pen.number(Source::Onboarding, "first_value_days", day, (days - day) as f64);
        }
    }
}
