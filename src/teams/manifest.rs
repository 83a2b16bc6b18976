//! The app package that an administrator uploads to Teams: `manifest.json` and
//! two icons in a zip.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use url::Url;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::inbound::Scope;
use crate::domain::command::{COMMANDS, Usage};

/// Valid in every tenant that is kept up to date; the same file is valid under 1.25.
const VERSION: &str = "1.23";
const SCHEMA: &str = "https://developer.microsoft.com/en-us/json-schemas/teams/v1.23/MicrosoftTeams.schema.json";
/// Teams shows ten commands at most; `help` lists them all.
pub const LISTED: [&str; 10] =
    ["account", "risks", "windows", "renewals", "handoffs", "raise", "kpi", "home", "settings", "help"];
/// Drawn by `manifests/teams/icons.py`.
const COLOR: &[u8] = include_bytes!("../../manifests/teams/color.png");
const OUTLINE: &[u8] = include_bytes!("../../manifests/teams/outline.png");

/// The manifest of the bot with this app id, whose service has this public address.
pub fn manifest(app_id: &str, base_url: &Url) -> Value {
    let base = base_url.as_str().trim_end_matches('/');
    let scopes = [Scope::Personal, Scope::Team, Scope::GroupChat].map(|scope| match scope {
        Scope::Personal => "personal",
        Scope::Team => "team",
        Scope::GroupChat => "groupChat",
    });
    json!({
        "$schema": SCHEMA,
        "manifestVersion": VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "id": app_id,
        "developer": {
            "name": "Tandem",
            "websiteUrl": base,
            "privacyUrl": base,
            "termsOfUseUrl": base,
        },
        "name": {"short": "Tandem", "full": "Tandem for customer success and account management"},
        "description": {
            "short": "Each morning: the accounts that need you, why, and what to do.",
            "full": "Tandem makes one diagnosis of every customer account each night and brings it each morning from two \
                     angles: to Customer Success Managers the accounts at risk, with the cause and the action; to Account \
                     Managers the chances to sell more and the renewal deadlines, with the health of the account. \
                     Acknowledge, snooze, qualify, claim and hand over with one press. Your company runs it itself: \
                     account data stay there and go to your own chats only. Type help to see what you can ask.",
        },
        "icons": {"color": "color.png", "outline": "outline.png"},
        "accentColor": "#155E5A",
        "bots": [{
            "botId": app_id,
            "scopes": scopes,
            "isNotificationOnly": false,
            "supportsFiles": false,
            "supportsCalling": false,
            "supportsVideo": false,
            "commandLists": [{"scopes": scopes, "commands": commands()}],
        }],
        "permissions": ["identity", "messageTeamMembers"],
        "validDomains": base_url.host_str().into_iter().collect::<Vec<_>>(),
    })
}

fn commands() -> Vec<Value> {
    let usage = |word: &&str| COMMANDS.iter().find(|usage| usage.word == *word);
    let listed = |usage: &Usage| json!({"title": usage.word, "description": usage.does});
    LISTED.iter().filter_map(usage).map(listed).collect()
}

/// The zip, ready to upload. The same bytes for the same manifest.
pub fn package(app_id: &str, base_url: &Url) -> anyhow::Result<Vec<u8>> {
    let manifest = serde_json::to_vec_pretty(&manifest(app_id, base_url))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("manifest.json", manifest.as_slice()), ("color.png", COLOR), ("outline.png", OUTLINE)] {
        zip.start_file(name, stored)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{self, Command};

    fn made() -> Value {
        manifest("11111111-2222-3333-4444-555555555555", &"https://tandem.example.com/".parse().unwrap())
    }

    #[test]
    fn every_listed_command_works_as_it_is_listed() {
        let commands = made()["bots"][0]["commandLists"][0]["commands"].clone();
        assert_eq!(commands.as_array().map(Vec::len), Some(LISTED.len()));
        for listed in commands.as_array().unwrap() {
            let (title, does) = (listed["title"].as_str().unwrap(), listed["description"].as_str().unwrap());
            assert!(title.len() <= 32 && does.len() <= 128, "{title}");
            assert!(!does.contains('/'), "{title}: {does}");
            assert!(!matches!(command::parse("", title), Command::Unknown { .. }), "{title}");
        }
    }

    #[test]
    fn within_teams_limits() {
        let text = |pointer: &str| made().pointer(pointer).unwrap().as_str().unwrap().chars().count();
        assert!(text("/name/short") <= 30 && text("/name/full") <= 100);
        assert!(text("/description/short") <= 80 && text("/description/full") <= 4000);
        assert_eq!(made()["validDomains"], json!(["tandem.example.com"]));
    }

    #[test]
    fn icons_are_pictures_of_the_right_size() {
        for (bytes, size) in [(COLOR, 192_u32), (OUTLINE, 32)] {
            assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
            assert_eq!((&bytes[16..20], &bytes[20..24]), (&size.to_be_bytes()[..], &size.to_be_bytes()[..]));
            // Eight bits, with transparency.
            assert_eq!(&bytes[24..26], &[8, 6]);
        }
    }

    #[test]
    fn the_package_opens_and_is_the_same_each_time() {
        let base = "https://tandem.example.com/".parse().unwrap();
        let made = package("11111111-2222-3333-4444-555555555555", &base).unwrap();
        assert_eq!(made, package("11111111-2222-3333-4444-555555555555", &base).unwrap());
        let opened = zip::ZipArchive::new(Cursor::new(made)).unwrap();
        assert_eq!(opened.len(), 3);
    }
}
