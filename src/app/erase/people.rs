//! Purpose: a contact, or a colleague, is forgotten: their rows, and their name and address in what others wrote.

use serde_json::json;

use super::steadily;
use crate::app::snapshot::Snapshot;
use crate::app::{App, absence, departure};
use crate::domain::account::AccountId;
use crate::domain::erasure::{Known, Traces};
use crate::domain::person::{OrgId, PersonId};
use crate::store::audit::{self, Actor, Entry};
use crate::store::erase::texts::Rewritten;
use crate::store::erase::{person, texts};
use crate::store::{Tenant, handoff, import, message, renewal, settings};

/// Addresses less alike than this are not meant.
const NEAR: f64 = 0.9;

/// What was known of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Of how many accounts.
    pub accounts: u64,
    /// In how many texts of colleagues they were named.
    pub texts: u64,
}

/// What was known of a colleague, and what lay with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colleague {
    /// What stands for their address from now on: `tandem transfer --from` takes it.
    pub now_called: String,
    /// Accounts in whose seats they still are.
    pub accounts: u64,
    pub handoffs: u64,
    pub renewals: u64,
    pub texts: u64,
}

/// Forgets everything of a contact.
///
/// # Errors
/// One sentence where nobody has this address, with the nearest one; the database's.
pub async fn contact(app: &App, org: OrgId, email: &str) -> anyhow::Result<Contact> {
    let email = email.trim().to_lowercase();
    let (erased, accounts) = steadily(|| try_contact(app, org, &email)).await?;
    app.outbox_bell.notify_waiters();
    Ok(Contact { accounts: accounts.len() as u64, texts: erased.texts })
}

async fn try_contact(app: &App, org: OrgId, email: &str) -> anyhow::Result<(Rewritten, Vec<AccountId>)> {
    let mut tx = app.store.tenant(org).await?;
    // No import brings them back while this goes on.
    import::take_turns(&mut tx).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let rows = person::contacts(&mut tx, email).await?;
    if rows.is_empty() {
        let colleague = snapshot.person_by_email(email).map(|_| "a colleague has it: use --person");
        let known = person::contact_emails(&mut tx).await?;
        return Err(nobody("no contact", &snapshot, email, colleague, known.iter().map(String::as_str)));
    }
    let accounts: Vec<AccountId> = rows.iter().map(|row| AccountId(row.account_id.clone())).collect();
    let mut others: Vec<String> = snapshot.people.iter().map(|person| person.name.clone()).collect();
    others.extend(person::others_at(&mut tx, &accounts, email).await?);
    let names: Vec<&str> = rows.iter().filter_map(|row| row.name.as_deref()).collect();
    let phones: Vec<&str> = rows.iter().filter_map(|row| row.phone.as_deref()).collect();
    let known = Known { emails: &[email], names: &names, phones: &phones, mentions: &[] };
    let traces = Traces::of_contact(known, &others);
    person::forget_contact(&mut tx, email).await?;
    let rewritten = rewrite(&mut tx, &accounts, &traces).await?;
    let touched: Vec<AccountId> = rewritten.accounts.iter().chain(&accounts).cloned().collect();
    message::queue_redraws(&mut tx, &touched, app.now()).await?;
    // That a contact was erased, and not who: the trail outlives the erasure.
    let data = json!({"what": "contact", "accounts": accounts.len(), "texts": rewritten.texts});
    let entry = Entry::new("data.erased", format!("organisation:{org}"), data);
    audit::record(&mut tx, Actor::System, app.now(), &[entry]).await?;
    tx.commit().await?;
    Ok((rewritten, accounts))
}

/// Forgets who a colleague is. What lay with them goes to whom it goes when somebody leaves; what they did stays, as done
/// by someone erased.
///
/// # Errors
/// One sentence where nobody has this address, with the nearest one; the database's.
pub async fn colleague(app: &App, org: OrgId, email: &str) -> anyhow::Result<Colleague> {
    let email = email.trim().to_lowercase();
    let (id, handoffs, renewals) = leave(app, org, &email).await?;
    absence::turn_all(&app.store, org, app.now()).await?;
    departure::settle(&app.store, org, app.now()).await?;
    let (rewritten, accounts, now_called) = steadily(|| try_colleague(app, org, id, &email)).await?;
    app.outbox_bell.notify_waiters();
    Ok(Colleague { now_called, accounts: accounts.len() as u64, handoffs, renewals, texts: rewritten.texts })
}

/// They are no longer here: nothing new comes to them. Killed after this, the same again finds them by their address still.
async fn leave(app: &App, org: OrgId, email: &str) -> anyhow::Result<(PersonId, u64, u64)> {
    let mut tx = app.store.tenant(org).await?;
    import::take_turns(&mut tx).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let Some(found) = snapshot.person_by_email(email).filter(|found| found.email.contains('@')) else {
        let contact = person::contacts(&mut tx, email).await?;
        let contact = (!contact.is_empty()).then_some("a contact has it: use --contact");
        let known = snapshot.people.iter().map(|person| person.email.as_str()).filter(|email| email.contains('@'));
        return Err(nobody("nobody", &snapshot, email, contact, known));
    };
    let id = found.id;
    let handoffs = handoff::held_by(&mut tx, &[id]).await?.len() as u64;
    let renewals = renewal::owned_by(&mut tx, &[id]).await?.len() as u64;
    if person::leave(&mut tx, id).await? {
        settings::touch(&mut tx).await?;
    }
    tx.commit().await?;
    Ok((id, handoffs, renewals))
}

async fn try_colleague(
    app: &App,
    org: OrgId,
    id: PersonId,
    email: &str,
) -> anyhow::Result<(Rewritten, Vec<AccountId>, String)> {
    let mut tx = app.store.tenant(org).await?;
    import::take_turns(&mut tx).await?;
    let snapshot = Snapshot::load(&mut tx).await?;
    let name = snapshot.person(id).map(|person| person.name.clone()).unwrap_or_default();
    // Where another colleague bears the same name, it is theirs too.
    let shared = snapshot.people.iter().any(|other| other.id != id && other.name == name);
    let names: &[&str] = if shared { &[] } else { &[&name] };
    let mentions = person::chat_ids(&mut tx, id).await?;
    let mentioned: Vec<&str> = mentions.iter().map(String::as_str).collect();
    let known = Known { emails: &[email], names, phones: &[], mentions: &mentioned };
    let traces = Traces::of_colleague(known);
    let accounts = person::held(&mut tx, id).await?;
    let now_called = person::forget(&mut tx, id, email, &mentions).await?;
    let rewritten = rewrite(&mut tx, &[], &traces).await?;
    settings::touch(&mut tx).await?;
    let touched: Vec<AccountId> = rewritten.accounts.iter().chain(&accounts).cloned().collect();
    message::queue_redraws(&mut tx, &touched, app.now()).await?;
    let data = json!({"what": "person", "texts": rewritten.texts});
    let entry = Entry::new("data.erased", format!("person:{id}"), data);
    audit::record(&mut tx, Actor::System, app.now(), &[entry]).await?;
    tx.commit().await?;
    Ok((rewritten, accounts, now_called))
}

async fn rewrite(tx: &mut Tenant, accounts: &[AccountId], traces: &Traces) -> anyhow::Result<Rewritten> {
    let home = |account: Option<&str>| account.is_some_and(|id| accounts.iter().any(|own| own.0 == id));
    texts::rewrite(tx, accounts, traces.words(), |account, text| traces.taken_out(text, home(account))).await
}

/// One sentence: who it is not, and who may have been meant.
fn nobody<'a>(
    who: &str,
    snapshot: &Snapshot,
    email: &str,
    instead: Option<&str>,
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Error {
    let slug = &snapshot.organisation.slug;
    let said = format!("{who} in {slug} has the e-mail \"{email}\"");
    if let Some(instead) = instead {
        return anyhow::anyhow!("{said}; {instead}");
    }
    let likeness = known.map(|known| (strsim::jaro_winkler(email, known), known));
    match likeness.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(likeness, _)| *likeness >= NEAR) {
        Some((_, near)) => anyhow::anyhow!("{said}; did you mean {near}?"),
        None => anyhow::anyhow!("{said}"),
    }
}
