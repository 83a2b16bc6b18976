//! Settings: environment variables, or the same keys in a TOML file named by
//! `--config` (contract.md, "Configuration"). The environment goes before the
//! file. Read once, here, and handed down as plain values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::SecretString;
use url::Url;

use crate::app::inbox::is_postgres;
use crate::domain::syntax;
use crate::vault::MasterKeys;

/// Every key of the contract.
const KEYS: [&str; 23] = [
    "DATABASE_URL",
    "TANDEM_DATA_DIR",
    "TANDEM_PG_BIN",
    "TANDEM_BIND",
    "TANDEM_BASE_URL",
    "TANDEM_SECRET_KEY",
    "TANDEM_INBOX",
    "TANDEM_API_URL_SLACK",
    "TANDEM_ORG",
    "TANDEM_LOG",
    "TANDEM_LOG_FORMAT",
    "SLACK_SIGNING_SECRET",
    "SLACK_CLIENT_ID",
    "SLACK_CLIENT_SECRET",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "TEAMS_APP_ID",
    "TEAMS_APP_SECRET",
    "TEAMS_TENANT_ID",
    "TEAMS_OPENID_URL",
    "TEAMS_LOGIN_URL",
    "TEAMS_SERVICE_URLS",
    "XDG_DATA_HOME",
];

#[derive(Debug, Clone)]
pub struct Config {
    pub database: Database,
    pub data_dir: PathBuf,
    pub pg_bin: Option<PathBuf>,
    pub bind: SocketAddr,
    pub base_url: Option<Url>,
    /// Under which stored tokens are encrypted; without them a key file in the data directory.
    pub secret_keys: Option<MasterKeys>,
    pub log: Log,
    pub slack: Slack,
    pub teams: Teams,
    /// Which organisation `SLACK_BOT_TOKEN` belongs to.
    pub org: Option<String>,
    /// The folder whose files are imported before each diagnosis.
    pub inbox: Option<PathBuf>,
    /// Variables of the operator's own, by name: those that hold a Postgres address are warehouses that rows may come
    /// from, and of the others it can be said why they are none.
    pub warehouses: BTreeMap<String, SecretString>,
}

#[derive(Debug, Clone)]
pub enum Database {
    Url(SecretString),
    Embedded,
}

#[derive(Debug, Clone)]
pub struct Log {
    /// A `tracing` filter.
    pub filter: String,
    pub json: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Slack {
    pub api_url: Option<String>,
    pub signing_secret: Option<SecretString>,
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    /// Turns Socket Mode on.
    pub app_token: Option<SecretString>,
    pub bot_token: Option<SecretString>,
}

/// What `cli::teams` checks for being whole.
#[derive(Debug, Clone, Default)]
pub struct Teams {
    pub app_id: Option<String>,
    pub app_secret: Option<SecretString>,
    pub tenant_id: Option<String>,
    pub openid_url: Option<String>,
    pub login_url: Option<String>,
    pub service_urls: Option<String>,
}

impl Config {
    /// Reads the file, if one is named, and the environment over it.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let (mut values, mut warehouses) = match file {
            Some(path) => from_file(path)?,
            None => Default::default(),
        };
        for (name, value) in environment()? {
            let name = name.as_str();
            if let Some(key) = KEYS.iter().find(|key| **key == name) {
                values.insert((*key).to_owned(), value);
            } else if is_ours(name) {
                anyhow::bail!("the environment variable {name} is no setting of Tandem{}", did_you_mean(name));
            } else if is_postgres(&value) || !warehouses.contains_key(name) {
                warehouses.insert(name.to_owned(), value.into());
            }
        }
        values.retain(|_, value| !value.is_empty());
        Ok(Self { warehouses, ..Self::from_values(&values)? })
    }

    fn from_values(values: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let get = |key: &str| values.get(key).cloned();
        let secret = |key: &str| get(key).map(SecretString::from);
        let database = match get("DATABASE_URL") {
            Some(url) => {
                anyhow::ensure!(
                    is_postgres(&url),
                    "DATABASE_URL has to begin with postgres://, for example postgres://tandem:secret@localhost/tandem"
                );
                Database::Url(url.into())
            }
            None => Database::Embedded,
        };
        let bind = get("TANDEM_BIND").unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let bind = bind.parse().with_context(|| {
            format!("TANDEM_BIND is \"{bind}\"; expected an address and a port, for example 127.0.0.1:8080")
        })?;
        let base_url = get("TANDEM_BASE_URL")
            .map(|url| {
                Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).with_context(|| {
                    format!("TANDEM_BASE_URL is \"{url}\"; expected for example https://tandem.example.com")
                })
            })
            .transpose()?;
        let secret_keys = get("TANDEM_SECRET_KEY")
            .map(|list| MasterKeys::parse(&list).map_err(|error| anyhow::anyhow!("TANDEM_SECRET_KEY: {error}")))
            .transpose()?;
        let json = match get("TANDEM_LOG_FORMAT").as_deref() {
            None | Some("text") => false,
            Some("json") => true,
            Some(other) => anyhow::bail!("TANDEM_LOG_FORMAT is \"{other}\"; expected json or text"),
        };
        let data_dir = match get("TANDEM_DATA_DIR") {
            Some(path) => std::path::absolute(path).context("TANDEM_DATA_DIR")?,
            None => default_data_dir(get("XDG_DATA_HOME"))?,
        };
        Ok(Self {
            database,
            data_dir,
            pg_bin: get("TANDEM_PG_BIN").map(PathBuf::from),
            bind,
            base_url,
            secret_keys,
            log: Log {
                filter: get("TANDEM_LOG").unwrap_or_else(|| "info,sqlx=error,tiny_skia=error".to_owned()),
                json,
            },
            slack: Slack {
                api_url: get("TANDEM_API_URL_SLACK"),
                signing_secret: secret("SLACK_SIGNING_SECRET"),
                client_id: get("SLACK_CLIENT_ID"),
                client_secret: secret("SLACK_CLIENT_SECRET"),
                app_token: secret("SLACK_APP_TOKEN"),
                bot_token: secret("SLACK_BOT_TOKEN"),
            },
            teams: Teams {
                app_id: get("TEAMS_APP_ID"),
                app_secret: secret("TEAMS_APP_SECRET"),
                tenant_id: get("TEAMS_TENANT_ID"),
                openid_url: get("TEAMS_OPENID_URL"),
                login_url: get("TEAMS_LOGIN_URL"),
                service_urls: get("TEAMS_SERVICE_URLS"),
            },
            org: get("TANDEM_ORG"),
            inbox: get("TANDEM_INBOX").map(PathBuf::from),
            warehouses: BTreeMap::new(),
        })
    }
}

/// What is set, as far as it is text.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn environment() -> anyhow::Result<Vec<(String, String)>> {
    let mut set = Vec::new();
    // vars_os, since a variable of somebody else's that is not UTF-8 must not end the program.
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => set.push((name, value)),
            Err(_) => anyhow::ensure!(!is_ours(&name), "the environment variable {name} is not UTF-8"),
        }
    }
    Ok(set)
}

/// Whether a variable is a setting, or was meant to be one.
fn is_ours(name: &str) -> bool {
    KEYS.contains(&name) || (name.starts_with("TANDEM_") && !name.starts_with("TANDEM_TEST_"))
}

type Settings = (BTreeMap<String, String>, BTreeMap<String, SecretString>);

/// The file's settings, and the warehouses in its table `[warehouses]`.
fn from_file(path: &Path) -> anyhow::Result<Settings> {
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("the configuration file {name} can't be read"))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let fault = syntax::fault(&text, error.message(), error.span());
        anyhow::anyhow!("the configuration file {name} is not TOML: {fault}")
    })?;
    let (mut values, mut warehouses) = Settings::default();
    for (key, value) in table {
        if key == "warehouses"
            && let toml::Value::Table(named) = &value
        {
            for (warehouse, address) in named {
                let address = address.as_str().filter(|address| is_postgres(address)).with_context(|| {
                    format!("{name}: the warehouse {warehouse} has no address in quotes that begins with postgres://")
                })?;
                warehouses.insert(warehouse.clone(), address.to_owned().into());
            }
            continue;
        }
        anyhow::ensure!(
            KEYS.contains(&key.as_str()),
            "{name}: \"{key}\" is no setting of Tandem{}",
            did_you_mean(&key)
        );
        let text = match value {
            toml::Value::String(text) => text,
            other => anyhow::bail!("{name}: {key} is {}; expected a text in quotes", other.type_str()),
        };
        values.insert(key, text);
    }
    Ok((values, warehouses))
}

fn did_you_mean(name: &str) -> String {
    KEYS.iter()
        .map(|key| (strsim::damerau_levenshtein(key, name), key))
        .min()
        .filter(|(distance, _)| *distance <= 4)
        .map(|(_, key)| format!("; did you mean {key}?"))
        .unwrap_or_default()
}

fn default_data_dir(xdg: Option<String>) -> anyhow::Result<PathBuf> {
    if let Some(base) = xdg {
        return Ok(PathBuf::from(base).join("tandem"));
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/tandem"));
    }
    std::env::home_dir()
        .map(|home| home.join(".local/share/tandem"))
        .context("there is no home directory to keep data in; set TANDEM_DATA_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::from_values(&values).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_values_are_named_with_what_is_expected() {
        insta::assert_snapshot!(config(&[("TANDEM_BIND", "8080")]).unwrap_err(),
            @r#"TANDEM_BIND is "8080"; expected an address and a port, for example 127.0.0.1:8080"#);
        insta::assert_snapshot!(config(&[("DATABASE_URL", "mysql://x")]).unwrap_err(),
            @"DATABASE_URL has to begin with postgres://, for example postgres://tandem:secret@localhost/tandem");
        insta::assert_snapshot!(config(&[("TANDEM_BASE_URL", "tandem.example.com")]).unwrap_err(),
            @r#"TANDEM_BASE_URL is "tandem.example.com"; expected for example https://tandem.example.com"#);
        insta::assert_snapshot!(config(&[("TANDEM_SECRET_KEY", "c2hvcnQ=")]).unwrap_err(),
            @"TANDEM_SECRET_KEY: key 1 has 5 bytes; expected 32, such as `openssl rand -base64 32` prints");
        assert!(did_you_mean("TANDEM_BINDD").contains("TANDEM_BIND?"));
    }

    #[test]
    fn secrets_do_not_show() {
        let config =
            config(&[("SLACK_BOT_TOKEN", "xoxb-canary"), ("DATABASE_URL", "postgres://u:canary@h/d")]).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }

    #[test]
    fn a_file_is_checked_key_by_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tandem.toml");
        std::fs::write(&path, "TANDEM_BIMD = \"127.0.0.1:1\"").unwrap();
        assert!(from_file(&path).unwrap_err().to_string().contains("did you mean TANDEM_BIND?"));
        std::fs::write(&path, "TANDEM_BIND = 8080").unwrap();
        assert!(from_file(&path).unwrap_err().to_string().contains("expected a text in quotes"));
    }

    #[test]
    fn a_file_that_is_not_toml_is_blamed_without_its_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tandem.toml");
        std::fs::write(&path, "TANDEM_LOG = \"info\"\nSLACK_BOT_TOKEN = \"xoxb-canary").unwrap();
        let said = format!("{:?}", from_file(&path).unwrap_err());
        assert!(said.contains("line 2, column") && !said.contains("canary"), "{said}");
    }
}
