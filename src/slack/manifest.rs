//! The app manifests that an administrator uploads to Slack.

use serde_json::Value;

/// What the files under `manifests/` say in place of the public address.
const PLACEHOLDER: &str = "https://tandem.example.com";

/// The manifest for this public address; for Socket Mode, which needs none, without addresses.
pub fn manifest(base_url: &str, socket_mode: bool) -> Value {
    let text = if socket_mode {
        include_str!("../../manifests/slack-socket.json")
    } else {
        include_str!("../../manifests/slack-http.json")
    };
    // Part of the program and parsed by the tests below.
    let mut manifest = serde_json::from_str(text).expect("the manifest file is JSON");
    readdress(&mut manifest, base_url.trim_end_matches('/'));
    manifest
}

/// The scopes that the manifests ask for.
pub fn bot_scopes() -> Vec<String> {
    let manifest = manifest("", true);
    let scopes = manifest.pointer("/oauth_config/scopes/bot").and_then(Value::as_array);
    scopes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn readdress(value: &mut Value, base_url: &str) {
    match value {
        Value::String(text) => {
            if let Some(path) = text.strip_prefix(PLACEHOLDER) {
                *text = format!("{base_url}{path}");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| readdress(item, base_url)),
        Value::Object(map) => map.values_mut().for_each(|item| readdress(item, base_url)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value, pointer: &str) -> String {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or("absent").to_owned()
    }

    #[test]
    fn addresses_are_those_of_the_installation() {
        let manifest = manifest("https://bot.north.example/", false);
        assert_eq!(text(&manifest, "/features/slash_commands/0/url"), "https://bot.north.example/slack/commands");
        assert_eq!(
            text(&manifest, "/settings/interactivity/request_url"),
            "https://bot.north.example/slack/interactions"
        );
        assert_eq!(
            text(&manifest, "/settings/event_subscriptions/request_url"),
            "https://bot.north.example/slack/events"
        );
        assert_eq!(text(&manifest, "/oauth_config/redirect_urls/0"), "https://bot.north.example/slack/oauth/callback");
        assert!(!manifest.to_string().contains(PLACEHOLDER));
    }

    #[test]
    fn socket_mode_differs_in_nothing_but_addresses() {
        let (mut http, mut socket) = (manifest("https://a.example", false), manifest("https://a.example", true));
        assert!(!socket.to_string().contains("https://"));
        assert_eq!(socket["settings"]["socket_mode_enabled"], Value::Bool(true));
        for manifest in [&mut http, &mut socket] {
            manifest["settings"]["socket_mode_enabled"] = Value::Null;
            for command in manifest["features"]["slash_commands"].as_array_mut().unwrap() {
                command.as_object_mut().unwrap().remove("url");
            }
            for pointer in ["/settings/interactivity", "/settings/event_subscriptions", "/oauth_config"] {
                let part = manifest.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
                part.remove("request_url");
                part.remove("redirect_urls");
            }
        }
        assert_eq!(http, socket);
    }

    #[test]
    fn within_slacks_limits() {
        let manifest = manifest("https://a.example", false);
        assert!(text(&manifest, "/display_information/name").len() <= 35);
        assert!(text(&manifest, "/display_information/description").len() <= 140);
    }
}
