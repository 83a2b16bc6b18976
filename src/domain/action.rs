//! Everything that a person can press. Each verb is declared once, here; tests
//! fail if a renderer cannot draw one, and if `app::act` does not take one.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::account::AccountId;

/// What a press asks for. The names that people see are in [`Verb::label`] (product.md, "Names that people see").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    // Risks.
    Acknowledge,
    SetNextStep,
    Snooze,
    Resolve,
    Reopen,
    NotUseful,
    /// "Weigh commercially": a CSM's risk is handed to the AM.
    HandToAccountManager,
    // Windows and handoffs.
    Qualify,
    Offer,
    Claim,
    Decline,
    Pass,
    HandBack,
    Won,
    Lost,
    Override,
    Withdraw,
    Reassign,
    Nudge,
    // Renewals.
    Prepare,
    Brief,
    Negotiate,
    Renewed,
    Contracted,
    RenewalLost,
    // Accounts.
    Note,
    Raise,
    RaiseOpportunity,
    RaiseRisk,
    RaisePulse,
    RaiseFeedback,
    RaiseChampion,
    ShowMore,
    Share,
    // A digest's grouped rest.
    AcknowledgeGroup,
    SnoozeGroup,
    // One's own page and settings.
    TurnPage,
    Settings,
    // The rules of the diagnosis.
    PutOnTrial,
    BringBack,
    // Who somebody unknown is.
    Introduce,
    ConfirmIntroduction,
    RefuseIntroduction,
}

impl Verb {
    pub const ALL: [Verb; 43] = [
        Verb::Acknowledge,
        Verb::SetNextStep,
        Verb::Snooze,
        Verb::Resolve,
        Verb::Reopen,
        Verb::NotUseful,
        Verb::HandToAccountManager,
        Verb::Qualify,
        Verb::Offer,
        Verb::Claim,
        Verb::Decline,
        Verb::Pass,
        Verb::HandBack,
        Verb::Won,
        Verb::Lost,
        Verb::Override,
        Verb::Withdraw,
        Verb::Reassign,
        Verb::Nudge,
        Verb::Prepare,
        Verb::Brief,
        Verb::Negotiate,
        Verb::Renewed,
        Verb::Contracted,
        Verb::RenewalLost,
        Verb::Note,
        Verb::Raise,
        Verb::RaiseOpportunity,
        Verb::RaiseRisk,
        Verb::RaisePulse,
        Verb::RaiseFeedback,
        Verb::RaiseChampion,
        Verb::ShowMore,
        Verb::Share,
        Verb::AcknowledgeGroup,
        Verb::SnoozeGroup,
        Verb::TurnPage,
        Verb::Settings,
        Verb::PutOnTrial,
        Verb::BringBack,
        Verb::Introduce,
        Verb::ConfirmIntroduction,
        Verb::RefuseIntroduction,
    ];

    /// Stable name on the wire: Slack's `action_id`, the preview's form field.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Acknowledge => "acknowledge",
            Verb::SetNextStep => "set_next_step",
            Verb::Snooze => "snooze",
            Verb::Resolve => "resolve",
            Verb::Reopen => "reopen",
            Verb::NotUseful => "not_useful",
            Verb::HandToAccountManager => "hand_to_am",
            Verb::Qualify => "qualify",
            Verb::Offer => "offer",
            Verb::Claim => "claim",
            Verb::Decline => "decline",
            Verb::Pass => "pass",
            Verb::HandBack => "hand_back",
            Verb::Won => "won",
            Verb::Lost => "lost",
            Verb::Override => "override",
            Verb::Withdraw => "withdraw",
            Verb::Reassign => "reassign",
            Verb::Nudge => "nudge",
            Verb::Prepare => "prepare",
            Verb::Brief => "brief",
            Verb::Negotiate => "negotiate",
            Verb::Renewed => "renewed",
            Verb::Contracted => "contracted",
            Verb::RenewalLost => "renewal_lost",
            Verb::Note => "note",
            Verb::Raise => "raise",
            Verb::RaiseOpportunity => "raise_opportunity",
            Verb::RaiseRisk => "raise_risk",
            Verb::RaisePulse => "raise_pulse",
            Verb::RaiseFeedback => "raise_feedback",
            Verb::RaiseChampion => "raise_champion",
            Verb::ShowMore => "show_more",
            Verb::Share => "share",
            Verb::AcknowledgeGroup => "acknowledge_group",
            Verb::SnoozeGroup => "snooze_group",
            Verb::TurnPage => "turn_page",
            Verb::Settings => "settings",
            Verb::PutOnTrial => "put_on_trial",
            Verb::BringBack => "bring_back",
            Verb::Introduce => "introduce",
            Verb::ConfirmIntroduction => "confirm_introduction",
            Verb::RefuseIntroduction => "refuse_introduction",
        }
    }

    /// What stands on the button.
    pub fn label(self) -> &'static str {
        match self {
            Verb::Acknowledge => "Acknowledge",
            Verb::SetNextStep => "Set next step",
            Verb::Snooze => "Snooze",
            Verb::Resolve => "Resolve",
            Verb::Reopen => "Reopen",
            Verb::NotUseful => "Not useful",
            Verb::HandToAccountManager => "Hand to AM",
            Verb::Qualify => "Qualify",
            Verb::Offer => "Offer to AM",
            Verb::Claim => "Claim",
            Verb::Decline => "Decline",
            Verb::Pass => "Pass",
            Verb::HandBack => "Hand back",
            Verb::Won => "Won",
            Verb::Lost => "Lost",
            Verb::Override => "Override",
            Verb::Withdraw => "Withdraw",
            Verb::Reassign => "Reassign",
            Verb::Nudge => "Nudge",
            Verb::Prepare => "Start preparing",
            Verb::Brief => "Add value brief",
            Verb::Negotiate => "Start negotiating",
            Verb::Renewed => "Renewed",
            Verb::Contracted => "Contracted",
            Verb::RenewalLost => "Lost",
            Verb::Note => "Note",
            Verb::Raise => "Raise",
            Verb::RaiseOpportunity => "New opportunity",
            Verb::RaiseRisk => "Raise risk",
            Verb::RaisePulse => "Pulse",
            Verb::RaiseFeedback => "Product feedback",
            Verb::RaiseChampion => "New champion",
            Verb::ShowMore => "Show more",
            Verb::Share => "Share here",
            Verb::AcknowledgeGroup => "Acknowledge all",
            Verb::SnoozeGroup => "Snooze all",
            Verb::TurnPage => "Turn page",
            Verb::Settings => "Settings",
            Verb::PutOnTrial => "Put on trial",
            Verb::BringBack => "Bring back",
            Verb::Introduce => "Introduce yourself",
            Verb::ConfirmIntroduction => "Confirm",
            Verb::RefuseIntroduction => "Refuse",
        }
    }

    /// Whether pressing it opens a dialog first. The rest act at one tap.
    pub fn opens_dialog(self) -> bool {
        match self {
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
            | Verb::RefuseIntroduction => false,
            Verb::SetNextStep
            | Verb::Snooze
            | Verb::Resolve
            | Verb::HandToAccountManager
            | Verb::Qualify
            | Verb::Decline
            | Verb::Pass
            | Verb::HandBack
            | Verb::Won
            | Verb::Lost
            | Verb::Override
            | Verb::Reassign
            | Verb::Brief
            | Verb::Renewed
            | Verb::Contracted
            | Verb::RenewalLost
            | Verb::Note
            | Verb::Raise
            | Verb::RaiseOpportunity
            | Verb::RaiseRisk
            | Verb::RaisePulse
            | Verb::RaiseFeedback
            | Verb::RaiseChampion
            | Verb::SnoozeGroup
            | Verb::Settings
            | Verb::Introduce => true,
        }
    }
}

impl FromStr for Verb {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Verb::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or(UnknownAction)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no action that Tandem knows")]
pub struct UnknownAction;

/// What a press is about: an opaque id, looked up under the presser's organisation and rights.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Account(AccountId),
    Risk(Uuid),
    /// A handoff: of an expansion window, of a risk handed to the AM, of a warning.
    Handoff(Uuid),
    Renewal(Uuid),
    /// A group of a digest's grouped rest: the digest and the group's number.
    Group(Uuid, u16),
    /// The presser's own home page: its page, from 1. Also what is the presser's own, such as their settings.
    Home(u16),
    /// A rule of the diagnosis, by its name in the policy.
    Rule(String),
    /// Who a chat user says they are.
    Introduction(Uuid),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Account(id) => write!(f, "account:{id}"),
            Subject::Risk(id) => write!(f, "risk:{id}"),
            Subject::Handoff(id) => write!(f, "handoff:{id}"),
            Subject::Renewal(id) => write!(f, "renewal:{id}"),
            Subject::Group(id, number) => write!(f, "group:{id}:{number}"),
            Subject::Home(page) => write!(f, "home:{page}"),
            Subject::Rule(name) => write!(f, "rule:{name}"),
            Subject::Introduction(id) => write!(f, "introduction:{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(':').ok_or(UnknownAction)?;
        let uuid = |id: &str| Uuid::try_parse(id).map_err(|_| UnknownAction);
        match kind {
            "account" if !id.is_empty() => Ok(Subject::Account(AccountId(id.to_owned()))),
            "risk" => Ok(Subject::Risk(uuid(id)?)),
            "handoff" => Ok(Subject::Handoff(uuid(id)?)),
            "renewal" => Ok(Subject::Renewal(uuid(id)?)),
            "group" => {
                let (id, number) = id.split_once(':').ok_or(UnknownAction)?;
                Ok(Subject::Group(uuid(id)?, number.parse().map_err(|_| UnknownAction)?))
            }
            "rule" if !id.is_empty() => Ok(Subject::Rule(id.to_owned())),
            "home" => Ok(Subject::Home(id.parse().map_err(|_| UnknownAction)?)),
            "introduction" => Ok(Subject::Introduction(uuid(id)?)),
            _ => Err(UnknownAction),
        }
    }
}

/// A verb and what it is about: what a button carries and what comes back when it is pressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Action {
    pub verb: Verb,
    pub subject: Subject,
}

impl Action {
    pub fn new(verb: Verb, subject: Subject) -> Self {
        Self { verb, subject }
    }
}

/// One string for surfaces that carry a single value (an overflow option, a dialog's private data).
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.verb.as_str(), self.subject)
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // No id of anybody's has a NUL in it, and Postgres takes none.
        let whole = Some(text).filter(|text| !text.contains('\0'));
        let (verb, subject) = whole.and_then(|text| text.split_once('|')).ok_or(UnknownAction)?;
        Ok(Self { verb: verb.parse()?, subject: subject.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_subject() -> impl Strategy<Value = Subject> {
        let uuid = any::<u128>().prop_map(Uuid::from_u128);
        prop_oneof![
            "[^\\x00\n]+".prop_map(|id| Subject::Account(AccountId(id))),
            uuid.clone().prop_map(Subject::Risk),
            uuid.clone().prop_map(Subject::Handoff),
            uuid.clone().prop_map(Subject::Renewal),
            uuid.clone().prop_map(Subject::Introduction),
            (uuid, any::<u16>()).prop_map(|(id, n)| Subject::Group(id, n)),
            any::<u16>().prop_map(Subject::Home),
            "[^\\x00\n]+".prop_map(Subject::Rule),
        ]
    }

    proptest! {
        #[test]
        fn every_action_survives_the_wire(verb in proptest::sample::select(&Verb::ALL[..]), subject in any_subject()) {
            let action = Action::new(verb, subject);
            prop_assert_eq!(action.to_string().parse::<Action>(), Ok(action));
        }

        #[test]
        fn strange_text_is_refused_and_never_a_panic(text in "\\PC*") {
            let _ = text.parse::<Action>();
        }
    }

    #[test]
    fn the_list_is_whole() {
        let mut names: Vec<_> = Verb::ALL.iter().map(|v| v.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Verb::ALL.len());
        assert_eq!("drop_table|risk:1".parse::<Action>(), Err(UnknownAction));
        assert_eq!("note|account:a\0b".parse::<Action>(), Err(UnknownAction));
    }
}
