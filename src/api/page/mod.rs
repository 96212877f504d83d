//! `/`: the status page, for people.
//!
//! One page without any other request but those to this interface: what it looks like is `page.html` and `page.css`, what it
//! does `page.js` (asking, listening, ordering), `attention.js` and `cards.js` (what is drawn of it) and `view.js` (all else). It may run nothing else: its policy names the hashes
//! of exactly these texts. `page.policy` is written by a test: `UPDATE_GOLDEN=1 cargo test --lib page`.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Stage;

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str =
    concat!(include_str!("page.js"), include_str!("attention.js"), include_str!("cards.js"), include_str!("view.js"));
const POLICY: &str = include_str!("page.policy");

static PAGE: LazyLock<String> = LazyLock::new(|| FRAME.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT));

pub(super) fn routes() -> Router<Stage> {
    Router::new().route("/", get(page))
}

async fn page() -> impl IntoResponse {
    let headers: [(HeaderName, &str); 6] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.trim_ascii_end()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, PAGE.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::testing::{Props, ask};

    fn base64(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let all = chunk.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let letter = LETTERS[usize::try_from(all >> (18 - 6 * place) & 63).unwrap()];
                text.push(if place > chunk.len() { '=' } else { char::from(letter) });
            }
        }
        text
    }

    fn hash(text: &str) -> String {
        format!("'sha256-{}'", base64(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()))
    }

    #[test]
    fn the_policy_lets_exactly_this_page_run() {
        let want = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'\n",
            hash(SCRIPT),
            hash(STYLE)
        );
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/page/page.policy"), &want).unwrap();
        } else {
            assert_eq!(POLICY, want, "UPDATE_GOLDEN=1 writes it again");
        }
        assert_eq!(base64(b"\xfb\xff"), "+/8=");
    }

    #[tokio::test]
    async fn the_page_is_one_text_that_asks_nobody_else() {
        let answer = ask(&Arc::new(Props::default()), "GET", "/", "").await;
        assert_eq!((answer.status.as_u16(), &answer.headers["x-frame-options"]), (200, &"DENY".parse().unwrap()));
        assert!(answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; "));
        let text = &answer.text;
        assert!(text.starts_with("<!doctype html>") && !text.contains("/*STYLE*/") && !text.contains("/*SCRIPT*/"));
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        for word in ["http://", "https://", "//cdn", "innerHTML", "eval(", "@import", "url("] {
            assert!(!elsewhere.contains(word), "{word}");
        }
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
        assert!(text.len() < 96 << 10, "{} bytes", text.len());
    }
}
