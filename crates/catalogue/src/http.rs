//! `[http]`: where Kept serves, and the Prometheus that the live page asks for alerts.

use std::net::{Ipv4Addr, SocketAddr};

use crate::problem::Problems;
use crate::text::section::Section;
use crate::text::tree::Table;
use crate::text::values;

/// `[http]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    /// Where `/metrics` and the rest are served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The Prometheus that the live page asks for alerts; without one it says that it can't tell.
    pub prometheus: Option<HttpUrl>,
}

/// A URL that is spoken to in plain HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpUrl {
    /// Where to connect: `host:port`, an IPv6 address in brackets.
    pub host_and_port: String,
    /// What comes before every path: empty, or beginning with a slash and not ending with one.
    pub path: String,
}

/// Reads it.
pub(crate) fn read(table: &Table, problems: &Problems) -> Http {
    let section = Section::new(table, "[http]", &["listen", "prometheus_url"], problems);
    let parse = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("\"{text}\" is not an IP address and a port, like 127.0.0.1:9464"))
    };
    let listen = section.parsed("listen", parse).map(|address| address.value);
    let prometheus = section.parsed("prometheus_url", url).map(|url| url.value);
    Http {
        listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464))),
        prometheus,
    }
}

/// `http://host[:port][/path]`, port 80 if nothing is said.
fn url(text: &str) -> Result<HttpUrl, String> {
    let example = "like http://localhost:9090";
    let Some(rest) = text.strip_prefix("http://") else {
        let why = if text.starts_with("https://") {
            "only plain http:// is spoken here"
        } else {
            "it must begin with http://"
        };
        return Err(format!("\"{text}\": {why}, {example}"));
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let host_and_port = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
    let host_is_legal = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if values::host_and_port(&host_and_port).is_err()
        || !host.chars().all(host_is_legal)
        || !path.chars().all(is_legal)
    {
        return Err(format!("\"{text}\" is not a URL, {example}"));
    }
    Ok(HttpUrl {
        host_and_port,
        path: path.trim_end_matches('/').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, host_and_port: &str, path: &str) {
        let expected = HttpUrl {
            host_and_port: host_and_port.into(),
            path: path.into(),
        };
        assert_eq!(url(text), Ok(expected));
    }

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        check("http://localhost:9090", "localhost:9090", "");
        check("http://prometheus/", "prometheus:80", "");
        check("http://10.0.0.1:9090/a/b/", "10.0.0.1:9090", "/a/b");
        check("http://[::1]:9090", "[::1]:9090", "");
        check("http://[::1]/x", "[::1]:80", "/x");
    }

    #[test]
    fn what_would_break_a_request_is_refused() {
        for bad in [
            "localhost:9090",
            "https://prometheus",
            "http://",
            "http:///path",
            "http://user@host:1",
            "http://host:0",
            "http://host:9090/a b",
            "http://host:9090/a?b=c",
            "http://host\r\nX: y/",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
