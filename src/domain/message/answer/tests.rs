use super::super::card::sample;
use super::super::text::to_text;
use super::super::view::Resolution;
use super::*;

fn lines(messages: Vec<Message>) -> String {
    messages.iter().map(|message| to_text(message, 200)).collect()
}

#[test]
fn late_clicks_get_the_present_state() {
    let (today, on) = (sample::today(), sample::day("2026-11-02"));
    let dana = || "Dana".to_owned();
    let accepted = HandoffState::Accepted { by: "Kim".into(), on: today };
    insta::assert_snapshot!(lines(vec![
        present_risk("Acme", &RiskState::Open, today),
        present_risk("Acme", &RiskState::Acknowledged { by: dana(), on, step: None, due: sample::day("2026-11-09") }, today),
        present_risk("Acme", &RiskState::Snoozed { by: "you".into(), on, until: sample::day("2026-11-20") }, today),
        present_risk("Acme", &RiskState::Resolved { by: dana(), on, how: Resolution::Fixed, note: None }, today),
        present_risk("Acme", &RiskState::Ended { on, left: false }, today),
        present_handoff("Acme", &accepted, Some(3), today),
        present_handoff("Acme", &accepted, Some(0), today),
        present_handoff("Acme", &accepted, None, today),
        present_handoff("Acme", &HandoffState::Closed { on, reason: "its dates are over".into() }, None, today),
        present_renewal("Acme", &RenewalState::Preparing { since: on }, today),
        present_renewal("Acme", &RenewalState::Renewed { by: Some(dana()), on, amount: None }, today),
        not_there(),
        look_only(&[dana(), "Kim".to_owned()]),
        cannot("Acme", &Cannot::QualifyFirst, today),
        cannot("Acme", &Cannot::Withheld(Withheld { cause: "Notice served".into(), handled_by: None, with: None, since: on }), today),
        cannot("Acme", &Cannot::NotWithheld, today),
        cannot("Acme", &Cannot::HasIt("Kim".into()), today),
        cannot("Acme", &Cannot::TooOld(on), today),
        cannot("Acme", &Cannot::Nobody, today),
        too_close_to_snooze("Acme", sample::day("2026-11-04"), today),
    ]), @"
    Acme is open: nobody has acknowledged it yet.
    Acme: already acknowledged by Dana on Mon 2 Nov; next step due Mon 9 Nov.
    Acme: already snoozed by you until Fri 20 Nov.
    Acme: already resolved by Dana on Mon 2 Nov: fixed.
    Acme has not been at risk since Mon 2 Nov.
    Acme: claimed by Kim 3 minutes ago.
    Acme: claimed by Kim just now.
    Acme: claimed by Kim on Tue 3 Nov.
    Acme: closed on Mon 2 Nov: its dates are over.
    Acme: in preparation since Mon 2 Nov.
    Acme: renewed. Recorded by Dana on Mon 2 Nov.
    This is not there any more, or not open to you.
    You can see this account. Only Dana, Kim and their leads can act on it.
    Acme: qualify it first, with need, contact and timing.
    Acme: withheld: Notice served, since Mon 2 Nov. Nobody handles it yet. To work on it all the same, press Override.
    Acme: it is not withheld, so there is nothing to override.
    Acme: already with Kim.
    Acme: that risk was over on Mon 2 Nov. Raise a new one instead.
    Acme: there is nobody to hand it to. Ask your admin to name an AM or a CSM.
    Acme cannot be snoozed: its deadline is Wed 4 Nov, tomorrow. Set a next step instead.
    ");
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    insta::assert_snapshot!(lines(vec![
        unknown_person(Some("dana@vendor.example")),
        unknown_person(None),
        no_role(),
        unknown_workspace("slack", "T012AB"),
        unknown_workspace("teams", "9f1c"),
        outsiders(),
        unknown_action(),
        expired_form(),
        still_looking(),
        still_saving(),
        done_here(),
        organisation_wide(),
        busy(),
        failed("7f3a91"),
        unknown_command("riks", Some("risks")),
        unknown_command("acme", None),
        missing_name("/account NAME"),
    ]), @r#"
    Tandem does not know you yet. Ask your admin to add you under your e-mail address dana@vendor.example; then this works at once.
    Tandem does not know you yet. Ask your admin to add you under the e-mail address of your chat account; then this works at once.
    You have no role in Tandem yet. Ask your admin to give you one.
    This workspace is not linked to an organisation in Tandem yet. Your admin links it with tandem link slack T012AB --org SLUG.
    This tenant is not linked to an organisation in Tandem yet. Your admin links it with tandem link teams 9f1c --org SLUG.
    Not here: people from outside your company can read this channel. Ask me in a direct message instead.
    This button is no longer in use. Nothing was changed. For the present state type /account NAME.
    This form is too old. Nothing was changed. Please press the button again.
    Still looking. The answer follows in a moment.
    This takes longer than usual. Please press the button once more; nothing is saved twice.
    Done. This copy stays as it was; the other copies show the new state.
    Tandem was installed for your whole Slack organisation, which it cannot serve yet. Ask your admin to install it in this workspace.
    Tandem is busy. Nothing was lost; please try again in a minute.
    That did not work, and nothing was changed. Please try again. If it stays so, tell your admin: 7f3a91.
    "riks" is no command. Did you mean /tandem risks?
    "acme" is no command. For an account type /account NAME, for the list of commands /tandem help.
    Which account? Type /account NAME. Part of the name is enough.
    "#);
}

#[test]
fn what_was_done_is_said() {
    let all = [
        Done::Noted,
        Done::CarriesOn,
        Done::NotUseful,
        Done::Nudged("Kim".into()),
        Done::Reassigned("Kim".into()),
        Done::Warned("Dana".into()),
        Done::Handed("Kim".into()),
        Done::OpportunityRaised { with: "Kim".into() },
        Done::RiskRaised,
        Done::PulseSaved,
        Done::FeedbackSaved,
        Done::ChampionSaved("Eva".into()),
        Done::Shared,
        Done::GroupAcknowledged { now: 6, before: 0 },
        Done::GroupAcknowledged { now: 1, before: 2 },
        Done::GroupSnoozed { now: 5, refused: 1, until: sample::day("2026-11-20") },
    ];
    insta::assert_snapshot!(lines(all.iter().map(|what| done("Acme", what, sample::today())).collect()), @"
    Acme: note saved.
    Acme: noted that you are on it. Nobody asks again for now.
    Acme: noted as not useful. That helps to judge this kind of card.
    Acme: Kim was reminded.
    Acme: now with Kim.
    Acme: Dana was told and has to answer.
    Acme: handed to Kim, to weigh commercially.
    Acme: new opportunity saved, now with Kim.
    Acme: risk saved.
    Acme: pulse saved. It counts in the next diagnosis.
    Acme: feedback saved. See it all with /tandem voice.
    Acme: Eva saved as champion.
    Acme: shown in this channel.
    6 accounts acknowledged. Next steps are due in 5 working days.
    1 account acknowledged; 2 had been settled before. Next steps are due in 5 working days.
    5 accounts snoozed until Fri 20 Nov. 1 stays, because its deadline comes first.
    ");
}

#[test]
fn help_lists_every_command() {
    insta::assert_snapshot!(lines(vec![help(None), help(Some(&COMMANDS[2])), welcome(Some("Dana"))]), @"
    Every morning Tandem shows what needs you. In between, ask:
    - /account NAME: One account from both angles. Part of the name is enough.
    - /tandem risks: Your accounts at risk, the largest expected loss first.
    - /tandem windows: Open chances to sell more, and who has each.
    - /tandem renewals: Your renewals, the nearest opt-out date first.
    - /tandem handoffs: What was passed to you, and what you passed on.
    - /tandem raise NAME: Report what the data does not show: an opportunity, a risk, your own read of the mood, feedback, a new champion.
    - /tandem voice: Product feedback that customers gave.
    - /tandem kpi [PERIOD]: Key figures with what they mean: yours, your team's or everybody's. This quarter, or 2026-Q3, 2026-11, 2026.
    - /tandem snoozed: What you put to sleep, and when it wakes.
    - /tandem home: Your book on one page: by band and change, your matters, your team.
    - /tandem settings: When your morning message comes, and who stands in for you.
    - /tandem help: What you can ask, and how.
    /tandem windows: Open chances to sell more, and who has each.
    Hello Dana. Each working morning I send one message: the accounts that need you, why, and what to do. On other days I stay silent unless a customer decides something. Try /account NAME or /tandem
    help. Your hour is in /tandem settings.
    ");
}
