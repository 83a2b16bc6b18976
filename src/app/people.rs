//! Which colleague a chat user is, found out when they first write or press.

use serde_json::json;

use super::App;
use crate::domain::person::{OrgId, PersonId};
use crate::store::audit::{self, Actor, Entry};
use crate::store::directory::{self, Platform, Workspace};
use crate::store::{person, settings};

/// Links a chat user to the active colleague of this e-mail address; `None` where there is none, or where
/// either of the two already belongs to somebody else: then an admin has to say who is who.
///
/// The caller has made sure that the platform vouches for the address and that the user is a colleague there:
/// guests, strangers and bots are never linked.
pub async fn link(
    app: &App,
    org: OrgId,
    workspace: &Workspace,
    user_id: &str,
    email: &str,
) -> anyhow::Result<Option<PersonId>> {
    let mut tx = app.store.tenant(org).await?;
    let organisation = directory::own_organisation(&mut tx).await?;
    let email = email.trim().to_lowercase();
    let everyone = person::all(&mut tx, organisation.timezone).await?;
    let Some(found) = everyone.iter().find(|stored| stored.person.active && stored.person.email == email) else {
        return Ok(None);
    };
    let id = found.person.id;
    let imported = match workspace.platform {
        Platform::Slack => &found.slack_user_id,
        Platform::Teams => &found.teams_user_id,
        Platform::Preview => &None,
    };
    if imported.as_ref().is_some_and(|imported| !imported.eq_ignore_ascii_case(user_id)) {
        return Ok(None);
    }
    let here = person::chat_users(&mut tx).await?.into_iter().filter(|(place, ..)| place == workspace);
    for (_, user, person) in here {
        match (user == user_id, person == id) {
            (true, true) => return Ok(Some(id)),
            (false, false) => {}
            _ => return Ok(None),
        }
    }
    person::save_chat_user(&mut tx, workspace, id, user_id, None).await?;
    let data = json!({
        "platform": workspace.platform.as_str(), "workspace": workspace.id, "user": user_id, "how": "email",
    });
    let entry = Entry::new("person.linked", format!("person:{id}"), data);
    audit::record(&mut tx, Actor::Person(id), app.now(), &[entry]).await?;
    // Other processes keep who is who in memory while the stamp holds.
    settings::touch(&mut tx).await?;
    tx.commit().await?;
    Ok(Some(id))
}
