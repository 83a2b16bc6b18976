//! Purpose: the people at the customer and how well they are reached: those who
//! decide first, those who left last.

use chrono::NaiveDate;

use super::super::{Block, Text, phrase};
use crate::domain::account::{Contact, Persona};

/// More contacts than these are looked up in the CRM.
const CONTACTS: usize = 8;

pub(super) fn blocks(contacts: &[Contact], today: NaiveDate) -> Vec<Block> {
    if contacts.is_empty() {
        return vec![Block::Text(Text::strong("Contacts:").then(" none known."))];
    }
    let mut sorted: Vec<&Contact> = contacts.iter().collect();
    sorted.sort_by_key(|contact| {
        let rank =
            contact.persona.map_or(usize::MAX, |p| Persona::ALL.iter().position(|q| *q == p).unwrap_or_default());
        (contact.departed_on.is_some(), rank, contact.email.as_str())
    });
    let mut lines: Vec<Text> = sorted.iter().take(CONTACTS).map(|contact| contact_line(contact, today)).collect();
    if sorted.len() > CONTACTS {
        lines.push(format!("and {} more in the CRM", sorted.len() - CONTACTS).into());
    }
    vec![Block::Text(Text::strong("Contacts")), Block::Bullets(lines)]
}

fn contact_line(contact: &Contact, today: NaiveDate) -> Text {
    let mut who = Text::strong(phrase::cut(contact.name.as_deref().unwrap_or(&contact.email), 80));
    if let Some(title) = &contact.title {
        who = who.then(format!(", {}", phrase::cut(title, 80)));
    }
    if let Some(persona) = contact.persona {
        who = who.then(format!(" ({})", persona.label()));
    }
    if let Some(left) = contact.departed_on {
        let leaves = if left > today { "leaves" } else { "left" };
        return who.then(format!(": {leaves} on {}", phrase::date(left, today)));
    }
    let reached = match contact.last_interaction {
        Some(last) => format!("last contact {}", phrase::distance(last, today)),
        None => "no contact recorded".to_owned(),
    };
    let address = if contact.name.is_some() { format!(", {}", contact.email) } else { String::new() };
    let phone = contact.phone.as_ref().map(|phone| format!(", {phone}")).unwrap_or_default();
    who.then(format!(": {reached}{address}{phone}"))
}
