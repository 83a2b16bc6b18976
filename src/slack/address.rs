//! Which addresses may be called: Slack's Web API, and the `response_url` that
//! a payload brings along.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

const SLACK_API: &str = "https://slack.com/api/";
/// The host of every address that Slack hands out to upload a file to.
const SLACK_FILES: &str = "files.slack.com";
/// The host of every `response_url` that Slack itself hands out.
const SLACK_HOOKS: &str = "hooks.slack.com";

/// The base of the Web API. Always ends in a slash; `https`, or plain `http` on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl {
    base: Url,
    /// Set in the configuration, so that its host may also stand in a `response_url`.
    custom: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no address for Slack's Web API; expected https, or http on loopback, such as {SLACK_API}")]
pub struct BadApiUrl(String);

impl Default for ApiUrl {
    fn default() -> Self {
        // A constant, parsed in the tests below.
        let base = Url::parse(SLACK_API).expect("the constant is a URL");
        Self { base, custom: false }
    }
}

impl ApiUrl {
    /// Reads a configured base address; a missing slash at its end is added.
    pub fn parse(text: &str) -> Result<Self, BadApiUrl> {
        let bad = || BadApiUrl(text.to_owned());
        let mut base = Url::parse(text.trim()).map_err(|_| bad())?;
        if !may_be_called(&base) || base.query().is_some() || base.fragment().is_some() {
            return Err(bad());
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { custom: base.as_str() != SLACK_API, base })
    }

    /// The address of a method such as `chat.postMessage`.
    pub(super) fn method(&self, name: &str) -> String {
        format!("{}{name}", self.base)
    }

    /// Where somebody agrees to let the app in: on the API's host, beside its base.
    pub(super) fn consent(&self) -> Url {
        let mut url = self.base.clone();
        url.set_path("/oauth/v2/authorize");
        url
    }

    /// Where a Socket Mode connection is opened, as the address of its upgrade; `None` for any host but Slack's, or the
    /// configured one.
    pub(super) fn socket(&self, text: &str) -> Option<Url> {
        let mut url = Url::parse(text).ok()?;
        let scheme = match url.scheme() {
            "wss" => "https",
            "ws" => "http",
            _ => return None,
        };
        url.set_scheme(scheme).ok()?;
        let slack = url.host_str().is_some_and(|host| host == "slack.com" || host.ends_with(".slack.com"));
        let configured = self.custom && url.host() == self.base.host();
        ((slack || configured) && may_be_called(&url)).then_some(url)
    }

    /// Whether the API is played on this machine, where a proxy would only be in the way.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.base)
    }
}

/// Where a private answer can be posted: 5 times, within 30 minutes.
///
/// The address itself is the credential, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(Url);

impl ResponseUrl {
    /// `None` unless the address is `https://hooks.slack.com/…` or on the configured API host:
    /// whoever may put an address here could otherwise make this service call any host.
    pub fn parse(text: &str, api: &ApiUrl) -> Option<Self> {
        allowed(text, SLACK_HOOKS, api).map(Self)
    }

    pub(super) fn as_url(&self) -> &Url {
        &self.0
    }
}

/// Where the bytes of one file go. The address itself is the credential, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadUrl(Url);

impl UploadUrl {
    /// `None` unless the address is `https://files.slack.com/…` or on the configured API host.
    pub(super) fn parse(text: &str, api: &ApiUrl) -> Option<Self> {
        allowed(text, SLACK_FILES, api).map(Self)
    }

    pub(super) fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for UploadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadUrl(…)")
    }
}

/// An address on this host of Slack's, or on the configured one.
fn allowed(text: &str, host: &str, api: &ApiUrl) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let slack = url.scheme() == "https" && url.host_str() == Some(host) && url.port().is_none();
    let configured = api.custom && url.host() == api.base.host();
    ((slack || configured) && may_be_called(&url)).then_some(url)
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseUrl(…)")
    }
}

fn may_be_called(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    bare && match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_https_or_loopback() {
        assert_eq!(ApiUrl::default().method("auth.test"), "https://slack.com/api/auth.test");
        assert_eq!(ApiUrl::parse("https://slack.com/api"), Ok(ApiUrl::default()));
        assert_eq!(ApiUrl::default().consent().as_str(), "https://slack.com/oauth/v2/authorize");
        assert_eq!(
            ApiUrl::parse("http://127.0.0.1:8190/api").unwrap().consent().as_str(),
            "http://127.0.0.1:8190/oauth/v2/authorize"
        );
        for good in ["http://127.0.0.1:8190/api", "http://[::1]:8190/api/", "http://localhost/api"] {
            assert!(ApiUrl::parse(good).is_ok_and(|api| api.is_loopback()), "{good}");
        }
        for bad in
            ["http://slack.com/api/", "ftp://slack.com/", "slack.com", "https://me:pw@slack.com/api/", "https://h/a?b"]
        {
            assert!(ApiUrl::parse(bad).is_err(), "{bad}");
        }
        insta::assert_snapshot!(ApiUrl::parse("http://10.0.0.1/").unwrap_err(), @r#""http://10.0.0.1/" is no address for Slack's Web API; expected https, or http on loopback, such as https://slack.com/api/"#);
    }

    #[test]
    fn a_response_goes_to_slack_or_the_configured_host_only() {
        let slack = ApiUrl::default();
        let played = ApiUrl::parse("http://127.0.0.1:8190/api").unwrap();
        let allowed = |text, api| ResponseUrl::parse(text, api).is_some();
        assert!(allowed("https://hooks.slack.com/actions/T1/2/3", &slack));
        assert!(allowed("https://hooks.slack.com/actions/T1/2/3", &played));
        assert!(allowed("http://127.0.0.1:8190/response/1", &played));
        for bad in [
            "http://hooks.slack.com/actions/T1/2/3",
            "https://hooks.slack.com:8443/actions/T1/2/3",
            "https://hooks.slack.com.evil.example/",
            "https://hooks.slack.com@evil.example/",
            "https://user@hooks.slack.com/",
            "https://slack.com/api/",
            "http://127.0.0.1:8190/response/1",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "//hooks.slack.com/x",
            "",
        ] {
            assert!(!allowed(bad, &slack), "{bad}");
        }
        let remote = ApiUrl::parse("https://slack.example.com/api/").unwrap();
        assert!(allowed("https://slack.example.com/hook", &remote));
        assert!(!allowed("http://slack.example.com/hook", &remote), "plain http stays on loopback");
    }

    #[test]
    fn sockets_are_opened_to_slack_or_the_configured_host_only() {
        let (slack, played) = (ApiUrl::default(), ApiUrl::parse("http://127.0.0.1:8190/api").unwrap());
        let address = |text: &str, api: &ApiUrl| api.socket(text).map(String::from);
        assert_eq!(
            address("wss://wss-primary.slack.com/link/?ticket=x", &slack).as_deref(),
            Some("https://wss-primary.slack.com/link/?ticket=x")
        );
        assert_eq!(address("ws://127.0.0.1:8190/link", &played).as_deref(), Some("http://127.0.0.1:8190/link"));
        for bad in [
            "ws://wss-primary.slack.com/",
            "wss://slack.com.evil.example/",
            "wss://evilslack.com/",
            "https://slack.com/",
            "ws://127.0.0.1:8190/link",
            "",
        ] {
            assert_eq!(address(bad, &slack), None, "{bad}");
        }
    }

    #[test]
    fn files_go_to_slack_or_the_configured_host_only() {
        let slack = ApiUrl::default();
        let played = ApiUrl::parse("http://127.0.0.1:8190/api").unwrap();
        assert!(UploadUrl::parse("https://files.slack.com/upload/v1/abc", &slack).is_some());
        assert!(UploadUrl::parse("http://127.0.0.1:8190/upload/1", &played).is_some());
        for bad in [
            "http://files.slack.com/upload/v1/abc",
            "https://hooks.slack.com/upload",
            "https://files.slack.com.evil.example/",
            "http://127.0.0.1:8190/upload/1",
        ] {
            assert!(UploadUrl::parse(bad, &slack).is_none(), "{bad}");
        }
        let url = UploadUrl::parse("https://files.slack.com/upload/v1/secret", &slack);
        assert!(!format!("{url:?}").contains("secret"));
    }

    #[test]
    fn a_response_url_is_not_printed() {
        let url = ResponseUrl::parse("https://hooks.slack.com/actions/T1/2/secret", &ApiUrl::default());
        assert!(!format!("{url:?}").contains("secret"));
    }
}
