//! A server's address: taken apart, checked, and never with a secret in it.

use spark_results::machine::clean;

/// Where a server's interface begins, as `http://host:port/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    text: String,
    host: String,
}

/// Whether a server is on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It is: its energy is this machine's.
    Here,
    /// It is not, or nobody knows.
    Elsewhere,
}

impl Base {
    /// From what a person writes: `http://localhost:8080`, with or without `/v1`. Errors: no such address, or one that holds a name,
    /// a password or a query, since addresses are written down.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = || clean(text.split('@').next_back().unwrap_or(text));
        let (scheme, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
            .ok_or_else(|| format!("{}: no address; write http://HOST:PORT or https://HOST", shown()))?;
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') || text.contains(['?', '#']) {
            return Err(format!(
                "{}: an address is written down, so nothing secret may stand in it; give a key in the environment (--api-key-env)",
                clean(host.rsplit('@').next().unwrap_or_default())
            ));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(fits) {
            return Err(format!("{}: no host; write http://HOST:PORT or https://HOST", shown()));
        }
        let path = rest[host.len()..].trim_end_matches('/');
        let version = if path.ends_with("/v1") { "" } else { "/v1" };
        Ok(Self { text: format!("{scheme}://{host}{path}{version}"), host: host.to_owned() })
    }
    /// The address of one of its paths.
    pub fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.text)
    }
    /// `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }
    /// Whether it begins with https.
    pub fn is_tls(&self) -> bool {
        self.text.starts_with("https:")
    }
    /// Whether the server is on this machine: by its loopback address or name.
    pub fn place(&self) -> Host {
        let name = match self.host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => self.host.split(':').next().unwrap_or_default(),
        };
        let loopback = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if loopback || name == "localhost" { Host::Here } else { Host::Elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        let at = |text: &str| Base::parse(text).map(|base| base.at("models"));
        assert_eq!(at("http://localhost:8080").unwrap(), "http://localhost:8080/v1/models");
        assert_eq!(at("http://localhost:8080/v1/").unwrap(), "http://localhost:8080/v1/models");
        assert_eq!(at("https://a.example/openai/v1").unwrap(), "https://a.example/openai/v1/models");
        let here = |text: &str| Base::parse(text).unwrap().place() == Host::Here;
        assert!(here("http://127.0.0.1:1") && here("http://[::1]:80") && here("http://localhost"));
        assert!(!here("http://192.168.0.2:1") && !here("https://localhost.example"));
    }

    #[test]
    fn what_is_none_or_holds_a_secret_is_refused_without_saying_it() {
        for bad in ["", "localhost:8080", "ftp://x", "http://", "http:///v1", "http://a b", "http://x\u{1b}[31m"] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
        for secret in ["http://me:hunter2@host", "https://host/v1?key=hunter2", "http://host/#hunter2"] {
            let said = Base::parse(secret).unwrap_err();
            assert!(said.contains("--api-key-env") && !said.contains("hunter2"), "{said}");
        }
    }
}
