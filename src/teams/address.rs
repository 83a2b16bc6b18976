//! Which addresses may be called: the services that Microsoft runs bots through,
//! and the two that identity comes from.
//!
//! A token and an activity that agree on an attacker's service address pass
//! Microsoft's own validators, and the answer would carry our token there. So a
//! service address counts only if its host is on a list of ours.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Where Teams' bot service answers: the public cloud, then GCC, GCC High and DoD (learn.microsoft.com,
/// "Send and receive messages with a bot", and the government pages beside it).
const SERVICES: [&str; 4] = [
    "https://smba.trafficmanager.net/teams/",
    "https://smba.infra.gcc.teams.microsoft.com/",
    "https://smba.infra.gov.teams.microsoft.us/",
    "https://smba.infra.dod.teams.microsoft.us/",
];
const OPENID: &str = "https://login.botframework.com/v1/.well-known/openidconfiguration";
const LOGIN: &str = "https://login.microsoftonline.com/";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" can't be called; expected https, or http on loopback, such as {1}")]
pub struct BadAddress(String, &'static str);

/// The service addresses that may be called, by scheme, host and port. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrls(Vec<ServiceUrl>);

/// A service address that was found on the list. Ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceUrl(Url);

/// An address of Microsoft's identity services: `https`, or plain `http` on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Default for ServiceUrls {
    fn default() -> Self {
        // Constants, parsed in the tests below.
        Self(SERVICES.iter().filter_map(|text| callable(text).map(ServiceUrl::slashed)).collect())
    }
}

impl ServiceUrls {
    /// Reads a list separated by commas.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let urls: Vec<ServiceUrl> = parts
            .map(|part| callable(part).map(ServiceUrl::slashed).ok_or_else(|| BadAddress(part.to_owned(), SERVICES[0])))
            .collect::<Result<_, _>>()?;
        if urls.is_empty() { Err(BadAddress(text.to_owned(), SERVICES[0])) } else { Ok(Self(urls)) }
    }

    /// The address as it may be called; `None` if it is not on the list.
    pub fn admit(&self, text: &str) -> Option<ServiceUrl> {
        let url = callable(text)?;
        let place =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        self.0.iter().any(|listed| place(&listed.0) == place(&url)).then(|| ServiceUrl::slashed(url))
    }

    /// Where to write to a tenant that was never heard from.
    pub fn usual(&self) -> &ServiceUrl {
        &self.0[0]
    }

    /// Whether Teams is played on this machine, where a proxy would only be in the way.
    pub(super) fn is_loopback(&self) -> bool {
        self.0.iter().all(|listed| is_loopback(&listed.0))
    }
}

impl ServiceUrl {
    fn slashed(mut url: Url) -> Self {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Self(url)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address of a resource under `v3`, each part encoded.
    pub(super) fn resource(&self, parts: &[&str]) -> Url {
        let mut url = self.0.clone();
        // An http address always has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v3").extend(parts);
        }
        url
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Endpoint {
    /// Microsoft's OpenID metadata for bots.
    pub fn openid() -> Self {
        // A constant, parsed in the tests below.
        Self(Url::parse(OPENID).expect("the constant is a URL"))
    }

    /// Microsoft's login, without a tenant.
    pub fn login() -> Self {
        Self(Url::parse(LOGIN).expect("the constant is a URL"))
    }

    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        callable(text).map(Self).ok_or_else(|| BadAddress(text.to_owned(), OPENID))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Where a token for this tenant is asked for.
    pub(super) fn token_of(&self, tenant: &str) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([tenant, "oauth2", "v2.0", "token"]);
        }
        url
    }
}

/// An address without a name or a query in it; `https`, or `http` on loopback.
fn callable(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let safe = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    (bare && safe && url.has_host()).then_some(url)
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
    fn microsofts_own_addresses_are_callable() {
        assert_eq!(ServiceUrls::default().0.len(), SERVICES.len());
        assert_eq!(ServiceUrls::default().usual().as_str(), SERVICES[0]);
        assert_eq!(Endpoint::parse(OPENID), Ok(Endpoint::openid()));
        assert_eq!(
            Endpoint::login().token_of("9f1c").as_str(),
            "https://login.microsoftonline.com/9f1c/oauth2/v2.0/token"
        );
        assert!(Endpoint::parse("http://login.example.com/").is_err());
    }

    #[test]
    fn only_listed_hosts_are_called() {
        let microsoft = ServiceUrls::default();
        let played = ServiceUrls::parse("http://127.0.0.1:3980/, https://bots.example.com").unwrap();
        for good in ["https://smba.trafficmanager.net/amer/", "https://smba.trafficmanager.net/emea/9f1c/"] {
            assert_eq!(microsoft.admit(good).unwrap().as_str(), good);
        }
        assert_eq!(
            microsoft.admit("https://SMBA.trafficmanager.net/uk").unwrap().as_str(),
            "https://smba.trafficmanager.net/uk/"
        );
        assert!(played.admit("http://127.0.0.1:3980/x").is_some());
        for bad in [
            "http://smba.trafficmanager.net/amer/",
            "https://smba.trafficmanager.net:8443/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://smba.trafficmanager.net@evil.example/",
            "https://evil.example/smba.trafficmanager.net/",
            "https://smba.trafficmanager.net/?to=evil",
            "http://127.0.0.1:9/",
            "http://169.254.169.254/",
            "smba.trafficmanager.net",
            "",
        ] {
            assert!(microsoft.admit(bad).is_none(), "{bad}");
            assert!(played.admit(bad).is_none(), "{bad}");
        }
        assert!(ServiceUrls::parse(" , ").is_err());
        insta::assert_snapshot!(ServiceUrls::parse("http://10.0.0.1/").unwrap_err(), @r#""http://10.0.0.1/" can't be called; expected https, or http on loopback, such as https://smba.trafficmanager.net/teams/"#);
    }

    #[test]
    fn parts_of_an_address_stay_parts() {
        let service = ServiceUrls::default().admit("https://smba.trafficmanager.net/emea/").unwrap();
        assert_eq!(
            service.resource(&["conversations", "19:a/b@thread.tacv2;messageid=1", "activities"]).as_str(),
            "https://smba.trafficmanager.net/emea/v3/conversations/19:a%2Fb@thread.tacv2;messageid=1/activities"
        );
    }
}
