use proptest::prelude::*;

use super::super::card::sample;
use super::*;

fn answers(pairs: &[(&str, &str)]) -> Answers {
    pairs.iter().map(|(id, answer)| ((*id).to_owned(), (*answer).to_owned())).collect()
}

fn read(verb: Verb, pairs: &[(&str, &str)], latest: Option<&str>) -> Result<Submission, FieldErrors> {
    let limits = Limits { latest: latest.map(sample::day), arr: Some(sample::usd(184_000)) };
    parse(verb, &answers(pairs), sample::today(), Currency::USD, limits)
}

fn refused(verb: Verb, pairs: &[(&str, &str)], latest: Option<&str>) -> String {
    let errors = read(verb, pairs, latest).unwrap_err();
    errors.iter().map(|(id, sentence)| format!("{id}: {sentence}")).collect::<Vec<_>>().join(" / ")
}

#[test]
fn every_error_is_one_clear_sentence() {
    let long = "x".repeat(201);
    let said = [
        refused(Verb::SetNextStep, &[], None),
        refused(Verb::SetNextStep, &[(STEP, &long), (DUE, "2026-11-02")], None),
        refused(Verb::SetNextStep, &[(STEP, "call"), (DUE, "soon")], None),
        refused(Verb::SetNextStep, &[(STEP, "call"), (DUE, "2028-01-01")], None),
        refused(Verb::SetNextStep, &[(STEP, "call"), (DUE, "2026-11-28")], Some("2026-11-27")),
        refused(Verb::Snooze, &[(UNTIL, "2026-11-03")], None),
        refused(Verb::Snooze, &[(UNTIL, "2026-11-28")], Some("2026-11-27")),
        refused(Verb::Snooze, &[(UNTIL, "2026-11-28")], Some("2026-11-03")),
        refused(Verb::Won, &[(AMOUNT, "12,000")], None),
        refused(Verb::Won, &[(AMOUNT, "0")], None),
        refused(Verb::Won, &[(AMOUNT, "1.999")], None),
        refused(Verb::Won, &[(AMOUNT, "9999999999999")], None),
        refused(Verb::Contracted, &[(AMOUNT, "184000")], None),
        refused(Verb::Resolve, &[(HOW, "whatever")], None),
        refused(Verb::RaiseChampion, &[(NAME, "Eva"), (EMAIL, "eva at acme")], None),
        refused(Verb::Reassign, &[(PERSON, "kim")], None),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    step: Please fill this in. / due: Please pick a day.
    step: That is 201 characters; there is room for 200. / due: That day has passed. Pick today or later.
    due: That is no day; expected for example 2026-11-27.
    due: That is more than a year away. Pick Wed 3 Nov 2027 or earlier.
    due: That is past the next deadline. Pick Fri 27 Nov or earlier.
    until: Pick tomorrow or later.
    until: That is past the next deadline. Pick Fri 27 Nov or earlier.
    until: The deadline is too close to snooze this. Set a next step instead.
    amount: Type digits only, such as 12000 or 12000.50.
    amount: The amount must be more than 0.
    amount: USD has at most 2 decimals.
    amount: That is too large for an amount.
    amount: That is not less than the $184k of today. If so, press Renewed instead.
    how: Please choose one.
    email: That is no e-mail address; expected for example eva@acme.com.
    person: Please choose one.
    ");
}

#[test]
fn answers_come_out_clean() {
    assert_eq!(
        read(Verb::Won, &[(AMOUNT, " 12 000.50 ")], None),
        Ok(Submission::Won { amount: Money::new(1_200_050, Currency::USD) })
    );
    assert_eq!(
        read(Verb::RaiseChampion, &[(NAME, " Eva "), (EMAIL, "Eva@Acme.Example")], None),
        Ok(Submission::RaiseChampion { name: "Eva".into(), email: "eva@acme.example".into() })
    );
    assert_eq!(
        read(Verb::Snooze, &[(UNTIL, "2026-11-27")], Some("2026-11-27")),
        Ok(Submission::Snooze { until: sample::day("2026-11-27") })
    );
    assert_eq!(read(Verb::Claim, &[], None), Err(Vec::new()));
}

proptest! {
    #[test]
    fn a_brief_comes_apart_as_it_was_put_together(goals in "[a-z][a-z \n]{0,20}[a-z]", usage in "[a-z0-9]{1,9}", issues in "[a-z]{1,9}") {
        let text = brief_text(&goals, &usage, &issues);
        prop_assert_eq!(brief_parts(&text), [goals.as_str(), &usage, &issues]);
    }

    #[test]
    fn no_snooze_passes_the_deadline(until in -30..800_i64, latest in proptest::option::of(-30..800_i64)) {
        let at = |days: i64| sample::today() + chrono::Duration::days(days);
        let form = answers(&[(UNTIL, &at(until).to_string())]);
        let limits = Limits { latest: latest.map(at), arr: None };
        if let Ok(Submission::Snooze { until }) = parse(Verb::Snooze, &form, sample::today(), Currency::USD, limits) {
            prop_assert!(until > sample::today());
            prop_assert!(limits.latest.is_none_or(|latest| until <= latest));
        }
    }

    #[test]
    fn any_answer_is_read_or_refused_at_its_field(
        verb in proptest::sample::select(&Verb::ALL[..]),
        answer in "\\PC{0,30}",
    ) {
        let ids = [STEP, DUE, UNTIL, HOW, NOTE, NEED, CONTACT, TIMING, AMOUNT, REASON, PERSON, GOALS, USAGE, ISSUES,
            TEXT, WHAT, PULSE, NAME, EMAIL, TIME, DAYS, BUDGET, EMPTY, AWAY, DELEGATE];
        let form: Answers = ids.iter().map(|id| ((*id).to_owned(), answer.clone())).collect();
        match parse(verb, &form, sample::today(), Currency::USD, Limits::default()) {
            Ok(submission) => prop_assert_eq!(submission.verb(), verb),
            Err(errors) => prop_assert!(errors.iter().all(|(id, _)| ids.contains(&id.as_str()))),
        }
    }
}
