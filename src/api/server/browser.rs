//! Browsers carry other people's pages. What such a page makes a browser send is told from what its owner sends.
//!
//! - A page anywhere can make a browser write to `http://127.0.0.1:4672` (a form, a fetch without reading): what says that it
//!   comes from another site does not write.
//! - A page can have its own name point to 127.0.0.1 and then read as well (DNS rebinding): what is open to everybody on this
//!   host answers to names of this host only.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// Whether a request comes out of a page of another site.
pub(super) fn is_cross_site(headers: &HeaderMap, uri: &Uri) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or("");
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    match (authority, host(headers, uri)) {
        (Some(authority), Some(host)) => !authority.eq_ignore_ascii_case(host),
        _ => true,
    }
}

/// Whether it was sent to a name of this host. Whoever names none is no browser.
pub(super) fn is_for_this_host(headers: &HeaderMap, uri: &Uri) -> bool {
    if headers.get_all(header::HOST).iter().count() > 1 {
        return false;
    }
    let Some(host) = host(headers, uri) else { return !headers.contains_key(header::HOST) };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    // What the request line says goes over the header, RFC 9112, 3.2.2.
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn path() -> Uri {
        "/service".parse().unwrap()
    }

    #[test]
    fn what_another_page_sends_is_told_apart() {
        let cases = [
            (false, &[][..]),
            (false, &[("host", "127.0.0.1:4672")]),
            (false, &[("host", "127.0.0.1:4672"), ("origin", "http://127.0.0.1:4672")]),
            (false, &[("host", "Web:4672"), ("origin", "https://web:4672")]),
            (true, &[("host", "127.0.0.1:4672"), ("origin", "http://127.0.0.1:4673")]),
            (true, &[("host", "127.0.0.1:4672"), ("origin", "http://evil.example")]),
            (true, &[("host", "127.0.0.1:4672"), ("origin", "null")]),
            (true, &[("origin", "http://127.0.0.1:4672")]),
            (true, &[("host", "a"), ("origin", "ftp://a")]),
            (true, &[("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "cross-site")]),
            (true, &[("host", "a"), ("sec-fetch-site", "same-site")]),
            (false, &[("host", "a"), ("sec-fetch-site", "same-origin")]),
            (false, &[("host", "a"), ("sec-fetch-site", "none")]),
        ];
        for (cross, list) in cases {
            assert_eq!(is_cross_site(&headers(list), &path()), cross, "{list:?}");
        }
    }

    #[test]
    fn names_of_this_host_are_known() {
        for host in ["localhost", "LocalHost:4672", "127.0.0.1", "127.8.9.1:1", "[::1]:4672", "[::1]"] {
            assert!(is_for_this_host(&headers(&[("host", host)]), &path()), "{host}");
        }
        for host in ["evil.example:4672", "localhost.evil.example", "192.0.2.1", "", "[::2]", "127.0.0.1.evil.example"]
        {
            assert!(!is_for_this_host(&headers(&[("host", host)]), &path()), "{host}");
        }
        assert!(is_for_this_host(&HeaderMap::new(), &path()));
        assert!(!is_for_this_host(&headers(&[("host", "localhost"), ("host", "evil.example")]), &path()));
        let elsewhere = "http://evil.example/service".parse().unwrap();
        assert!(!is_for_this_host(&headers(&[("host", "localhost")]), &elsewhere));
    }
}
