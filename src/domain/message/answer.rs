//! Purpose: short private answers to a press or a command: the present state
//! where a click came late, what was done, and what to do where it cannot be done.

use chrono::{NaiveDate, NaiveDateTime};

use super::card;
use super::phrase::{self, cut};
use super::view::{HandoffState, RenewalState, RiskState, Withheld};
use super::{Block, Button, Buttons, Message, Text};
use crate::domain::command::{COMMANDS, Usage};

/// A stale or repeated click on a risk: how it stands now.
pub fn present_risk(account: &str, state: &RiskState, today: NaiveDate) -> Message {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    Message::sentence(match state {
        RiskState::Open => format!("{account} is open: nobody has acknowledged it yet."),
        RiskState::Acknowledged { by, on: day, due, .. } => {
            format!("{account}: already acknowledged by {by} on {}; next step due {}.", on(day), on(due))
        }
        RiskState::Snoozed { by, until, .. } => format!("{account}: already snoozed by {by} until {}.", on(until)),
        RiskState::Resolved { by, on: day, how, .. } => {
            format!("{account}: already resolved by {by} on {}: {}.", on(day), how.label())
        }
        RiskState::Ended { on: day, left: true } => format!("{account} left; its risk ended on {}.", on(day)),
        RiskState::Ended { on: day, left: false } => format!("{account} has not been at risk since {}.", on(day)),
    })
}

/// A stale, repeated or late click on a handoff. `minutes_ago` where it moved within the last hour.
pub fn present_handoff(account: &str, state: &HandoffState, minutes_ago: Option<u32>, today: NaiveDate) -> Message {
    let said = match (state, minutes_ago) {
        (HandoffState::Accepted { by, .. }, Some(0)) => format!("Claimed by {by} just now."),
        (HandoffState::Accepted { by, .. }, Some(minutes)) => {
            format!("Claimed by {by} {} ago.", phrase::count(minutes as usize, "minute"))
        }
        (state, _) => card::handoff_state(state, today),
    };
    Message::sentence(format!("{account}: {}", lower_first(&said)))
}

/// A stale, repeated or late click on a renewal.
pub fn present_renewal(account: &str, state: &RenewalState, today: NaiveDate) -> Message {
    Message::sentence(format!("{account}: {}", lower_first(&card::renewal_state(state, today))))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Forbidden and absent alike: what was pressed is not there for this person.
pub fn not_there() -> Message {
    Message::sentence("This is not there any more, or not open to you.")
}

/// The person may see the account and not act on it. `who` may: first names.
pub fn look_only(who: &[String]) -> Message {
    Message::sentence(match who {
        [] => "You can see this account. Only its CSM, its AM and their leads can act on it.".to_owned(),
        who => {
            let names = [who, &["their leads".to_owned()]].concat();
            format!("You can see this account. Only {} can act on it.", phrase::and(&names))
        }
    })
}

/// The chat user is nobody that the organisation imported. `email` is the address of the chat account, where known.
pub fn unknown_person(email: Option<&str>) -> Message {
    let address = match email {
        Some(email) => format!("your e-mail address {}", cut(email, 120)),
        None => "the e-mail address of your chat account".to_owned(),
    };
    Message::sentence(format!(
        "Tandem does not know you yet. Ask your admin to add you under {address}; then this works at once."
    ))
}

/// To a guest, or somebody of another company, colleague or not.
pub fn guest() -> Message {
    Message::sentence(
        "You are a guest here, and Tandem tells guests and people of other companies nothing about customers.",
    )
}

/// What only those may press who administer the organisation.
pub fn admins_only() -> Message {
    Message::sentence("Only your admins can do that.")
}

/// A rule went on trial, or came back from it.
pub fn trial(rule: &str, on_trial: bool) -> Message {
    Message::sentence(if on_trial {
        format!(
            "{rule} is on trial from the next diagnosis on: still computed and counted, no longer shown. Bring back undoes it."
        )
    } else {
        format!("{rule} is shown again from the next diagnosis on. Put on trial undoes it.")
    })
}

/// It was so before.
pub fn trial_already(rule: &str, on_trial: bool) -> Message {
    Message::sentence(if on_trial {
        format!("{rule} is on trial already. Nothing was changed.")
    } else {
        format!("{rule} is not on trial. Nothing was changed.")
    })
}

/// A known person without a role.
pub fn no_role() -> Message {
    Message::sentence("You have no role in Tandem yet. Ask your admin to give you one.")
}

/// `platform` is "slack" or "teams"; `id` the workspace's or tenant's.
pub fn unknown_workspace(platform: &str, id: &str) -> Message {
    let place = if platform == "teams" { "tenant" } else { "workspace" };
    Message {
        summary: format!("This {place} is not linked to an organisation in Tandem yet."),
        blocks: vec![Block::Text(
            Text::plain(format!(
                "This {place} is not linked to an organisation in Tandem yet. Your admin links it with "
            ))
            .then_code(format!("tandem link {platform} {} --org SLUG", cut(id, 60)))
            .then("."),
        )],
    }
}

/// Nothing about a customer is said where outsiders read.
pub fn outsiders() -> Message {
    Message::sentence(
        "Not here: people from outside your company can read this channel. Ask me in a direct message instead.",
    )
}

/// To whoever wants to show an account in a channel that outsiders read; `code` as delivery knows it.
pub fn not_here(code: &str) -> Message {
    Message::sentence(match code {
        "too_many_members" => {
            "This channel has too many members to be sure that no guest reads along, so nothing about an account is shown here."
        }
        _ => return outsiders(),
    })
}

/// To whoever wants to show an account in a channel that Tandem is not in.
pub fn not_invited() -> Message {
    Message::sentence("Tandem is not in this channel. Invite it with /invite @Tandem, then press Share here again.")
}

/// The same in Teams, where a team gets an app.
pub fn not_added() -> Message {
    Message::sentence("Tandem is not in this channel's team. Add it there under Apps, then press Share here again.")
}

/// *Share here*, pressed where there is no channel.
pub fn no_channel() -> Message {
    Message::sentence("There is no channel here to share to. Ask for the account in a channel, then press Share here.")
}

/// Said in a channel, where everybody reads it: nothing about what was asked.
pub fn answered_privately() -> Message {
    Message::sentence("I answered you in our own chat.")
}

/// The same, where there is no own chat yet.
pub fn no_private_chat() -> Message {
    Message::sentence(
        "I can't write to you alone yet, so I don't answer here. Add Tandem to your own apps and ask me there.",
    )
}

/// Once, when the app is added to a team or a group chat.
pub fn welcome_team() -> Message {
    let text = Text::plain(
        "This is Tandem. Mention me with a question; I answer you alone, in our own chat, so nothing about a customer is \
         said here until one of you presses Share here. For the list of commands ask me for ",
    )
    .then_code("/tandem help")
    .then(".");
    Message { summary: "This is Tandem.".to_owned(), blocks: vec![Block::Text(text)] }
}

/// A dialog that could not be opened at once: the button of this label opens it.
pub fn open_dialog(title: &str, button: Button) -> Message {
    Message {
        summary: title.to_owned(),
        blocks: vec![
            Block::Text(Text::plain(format!("{title}: press the button for the form."))),
            Block::Buttons(Buttons { shown: vec![button], more: Vec::new() }),
        ],
    }
}

/// A button that this version does not know.
pub fn unknown_action() -> Message {
    Message {
        summary: "This button is no longer in use. Nothing was changed.".to_owned(),
        blocks: vec![Block::Text(
            Text::plain("This button is no longer in use. Nothing was changed. For the present state type ")
                .then_code("/account NAME")
                .then("."),
        )],
    }
}

/// A form that was open for too long, or was sent twice.
pub fn expired_form() -> Message {
    Message::sentence("This form is too old. Nothing was changed. Please press the button again.")
}

/// The answer takes longer than chat waits; it follows by itself.
pub fn still_looking() -> Message {
    Message::sentence("Still looking. The answer follows in a moment.")
}

/// A dialog was submitted and its saving takes longer than chat waits.
pub fn still_saving() -> Message {
    Message::sentence("This takes longer than usual. Please press the button once more; nothing is saved twice.")
}

/// A press worked on a message that only this person sees, and that cannot be redrawn.
pub fn done_here() -> Message {
    Message::sentence("Done. This copy stays as it was; the other copies show the new state.")
}

/// Installed for a whole Slack organisation instead of one of its workspaces.
pub fn organisation_wide() -> Message {
    Message::sentence(
        "Tandem was installed for your whole Slack organisation, which it cannot serve yet. \
         Ask your admin to install it in this workspace.",
    )
}

pub fn busy() -> Message {
    Message::sentence("Tandem is busy. Nothing was lost; please try again in a minute.")
}

/// `reference` is what the log has.
pub fn failed(reference: &str) -> Message {
    Message::sentence(format!(
        "That did not work, and nothing was changed. Please try again. If it stays so, tell your admin: {reference}."
    ))
}

/// Snoozing would hide the deadline.
pub fn too_close_to_snooze(account: &str, deadline: NaiveDate, today: NaiveDate) -> Message {
    Message::sentence(format!(
        "{account} cannot be snoozed: its deadline is {}. Set a next step instead.",
        phrase::date_and_distance(deadline, today)
    ))
}

/// Why a move is refused though nothing is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cannot {
    QualifyFirst,
    Withheld(Withheld),
    NotWithheld,
    /// First name, or "you".
    HasIt(String),
    /// A risk that ended too long ago to be the same episode.
    TooOld(NaiveDate),
    /// Nobody there to hand it to.
    Nobody,
    /// The account has left.
    Left,
}

pub fn cannot(account: &str, why: &Cannot, today: NaiveDate) -> Message {
    Message::sentence(match why {
        Cannot::QualifyFirst => format!("{account}: qualify it first, with need, contact and timing."),
        Cannot::Withheld(held) => {
            format!(
                "{account}: {} To work on it all the same, press Override.",
                lower_first(&card::withheld(held, today))
            )
        }
        Cannot::NotWithheld => format!("{account}: it is not withheld, so there is nothing to override."),
        Cannot::HasIt(who) => format!("{account}: already with {who}."),
        Cannot::TooOld(ended) => {
            format!("{account}: that risk was over on {}. Raise a new one instead.", phrase::date(*ended, today))
        }
        Cannot::Left => {
            format!("{account} is no longer a customer. You can still write a note or save product feedback.")
        }
        Cannot::Nobody => format!("{account}: there is nobody to hand it to. Ask your admin to name an AM or a CSM."),
    })
}

/// What a press did where no card shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The same press came again; it has had its effect.
    Before,
    Noted,
    /// "Still on it?" was answered with yes.
    CarriesOn,
    NotUseful,
    /// First name.
    Nudged(String),
    Reassigned(String),
    Warned(String),
    Handed(String),
    OpportunityRaised {
        /// Who has it now.
        with: String,
    },
    RiskRaised,
    PulseSaved,
    FeedbackSaved,
    ChampionSaved(String),
    Shared,
    /// Of a group: how many moved, how many had been settled before.
    GroupAcknowledged {
        now: usize,
        before: usize,
    },
    GroupSnoozed {
        now: usize,
        /// Kept awake by a deadline before the chosen day.
        refused: usize,
        until: NaiveDate,
    },
}

/// `next`: when the next morning message comes, and in which time zone that is; `None` for whoever gets none. `away`:
/// until when, and who stands in meanwhile, where anybody does.
pub fn settings_saved(
    next: Option<(NaiveDateTime, &str)>,
    away: Option<(NaiveDate, Option<String>)>,
    today: NaiveDate,
) -> Message {
    let away = away.map(|(until, who)| {
        let who = who.unwrap_or_else(|| "Nobody".to_owned());
        format!(" {who} stands in for you until {}.", phrase::date(until, today))
    });
    let next = next.map(|(next, zone)| next_morning(&phrase::date(next.date(), today), next, zone));
    Message::sentence(format!("Saved.{}{}", next.unwrap_or_default(), away.unwrap_or_default()))
}

pub fn settings_same(next: Option<(NaiveDateTime, &str)>) -> Message {
    let next = next.map(|(next, zone)| next_morning(&next.format("%a %-d %b").to_string(), next, zone));
    Message::sentence(format!("Nothing was changed.{}", next.unwrap_or_default()))
}

fn next_morning(day: &str, next: NaiveDateTime, zone: &str) -> String {
    format!(" Your next morning message comes on {day} at {} ({zone}).", next.format("%H:%M"))
}

pub fn done(account: &str, done: &Done, today: NaiveDate) -> Message {
    Message::sentence(match done {
        Done::Before => format!("{account}: this was done before. Nothing was changed again."),
        Done::Noted => format!("{account}: note saved."),
        Done::CarriesOn => format!("{account}: noted that you are on it. Nobody asks again for now."),
        Done::NotUseful => format!("{account}: noted as not useful. That helps to judge this kind of card."),
        Done::Nudged(who) => format!("{account}: {who} was reminded."),
        Done::Reassigned(who) => format!("{account}: now with {who}."),
        Done::Warned(who) => format!("{account}: {who} was told and has to answer."),
        Done::Handed(who) => format!("{account}: handed to {who}, to weigh commercially."),
        Done::OpportunityRaised { with } => format!("{account}: new opportunity saved, now with {with}."),
        Done::RiskRaised => format!("{account}: risk saved."),
        Done::PulseSaved => format!("{account}: pulse saved. It counts in the next diagnosis."),
        Done::FeedbackSaved => format!("{account}: feedback saved. See it all with /tandem voice."),
        Done::ChampionSaved(name) => format!("{account}: {} saved as champion.", cut(name, 80)),
        Done::Shared => format!("{account}: shown in this channel."),
        Done::GroupAcknowledged { now: 0, .. } | Done::GroupSnoozed { now: 0, refused: 0, .. } => {
            "All of these had been settled before. Nothing was changed.".to_owned()
        }
        Done::GroupAcknowledged { now, before: 0 } => {
            format!("{} acknowledged. Next steps are due in 5 working days.", phrase::count(*now, "account"))
        }
        Done::GroupAcknowledged { now, before } => format!(
            "{} acknowledged; {before} had been settled before. Next steps are due in 5 working days.",
            phrase::count(*now, "account")
        ),
        Done::GroupSnoozed { now, refused, until } => {
            let kept = match refused {
                0 => String::new(),
                1 => " 1 stays, because its deadline comes first.".to_owned(),
                many => format!(" {many} stay, because their deadlines come first."),
            };
            format!("{} snoozed until {}.{kept}", phrase::count(*now, "account"), phrase::date(*until, today))
        }
    })
}

/// A word that is no command.
pub fn unknown_command(typed: &str, nearest: Option<&str>) -> Message {
    let typed = cut(typed, 40);
    let text = match nearest {
        Some(nearest) => {
            let usage = COMMANDS.iter().find(|usage| usage.word == nearest).map_or(nearest, |usage| usage.usage);
            Text::plain(format!("\"{typed}\" is no command. Did you mean ")).then_code(usage).then("?")
        }
        None => Text::plain(format!("\"{typed}\" is no command. For an account type "))
            .then_code("/account NAME")
            .then(", for the list of commands ")
            .then_code("/tandem help")
            .then("."),
    };
    Message { summary: text.to_plain(), blocks: vec![Block::Text(text)] }
}

/// A command that needs an account's name.
pub fn missing_name(usage: &str) -> Message {
    let text = Text::plain("Which account? Type ").then_code(usage).then(". Part of the name is enough.");
    Message { summary: text.to_plain(), blocks: vec![Block::Text(text)] }
}

/// Every command, or the one that was asked about.
pub fn help(topic: Option<&Usage>) -> Message {
    let line = |usage: &Usage| Text::new().then_code(usage.usage).then(format!(": {}", usage.does));
    if let Some(usage) = topic {
        let text = line(usage);
        return Message { summary: text.to_plain(), blocks: vec![Block::Text(text)] };
    }
    Message {
        summary: "What Tandem can do for you".to_owned(),
        blocks: vec![
            Block::Text("Every morning Tandem shows what needs you. In between, ask:".into()),
            Block::Bullets(COMMANDS.iter().map(line).collect()),
        ],
    }
}

/// Once, when the app is installed or a person first writes.
pub fn welcome(name: Option<&str>) -> Message {
    let hello = name.map_or("Hello".to_owned(), |name| format!("Hello {}", cut(name, 60)));
    let text = Text::plain(format!(
        "{hello}. Each working morning I send one message: the accounts that need you, why, and what to do. \
         On other days I stay silent unless a customer decides something. Try "
    ))
    .then_code("/account NAME")
    .then(" or ")
    .then_code("/tandem help")
    .then(". Your hour is in ")
    .then_code("/tandem settings")
    .then(".");
    Message { summary: format!("{hello}. This is Tandem."), blocks: vec![Block::Text(text)] }
}

#[cfg(test)]
mod tests;
