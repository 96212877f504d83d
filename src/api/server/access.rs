//! Who may ask, and who may write: tokens and their roles.

use std::fmt;
use std::path::Path;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::api::Role;

/// Shorter ones could be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 512;

/// The tokens of a file. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tokens(Vec<(Role, String)>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

impl Tokens {
    /// Reads lines of `read TOKEN` and `write TOKEN`; `#` begins a comment.
    ///
    /// # Errors
    ///
    /// What is wrong, with the line, and without any token.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| Err(format!("{}, line {}: {what}", path.display(), index + 1));
            let mut words = line.split_ascii_whitespace();
            let role = match words.next() {
                None => continue,
                Some(word) if word.starts_with('#') => continue,
                Some("read") => Role::Read,
                Some("write") => Role::Write,
                Some(_) => return wrong("a line is `read TOKEN` or `write TOKEN`"),
            };
            let Some(token) = words.next() else { return wrong("there is no token") };
            if words.next().is_some_and(|word| !word.starts_with('#')) {
                return wrong("there is something behind the token; a comment begins with #");
            }
            // RFC 6750, 2.1.
            let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            if !token.bytes().all(is_one) {
                return wrong("a token has letters, digits and -._~+/= only");
            }
            if !(SHORTEST..=LONGEST).contains(&token.len()) {
                return wrong(&format!(
                    "a token is {SHORTEST} to {LONGEST} characters, such as `openssl rand -hex 32` gives"
                ));
            }
            tokens.push((role, token.to_owned()));
        }
        if tokens.is_empty() {
            return Err(format!("{} has no tokens: nobody could ask anything", path.display()));
        }
        Ok(Self(tokens))
    }

    /// The role of a token. Takes as long whether it is nearly right or not at all.
    fn role_of(&self, token: &[u8]) -> Option<Role> {
        let mut found = None;
        for (role, known) in &self.0 {
            if bool::from(known.as_bytes().ct_eq(token)) {
                found = found.max(Some(*role));
            }
        }
        found
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// It shows no token.
    NoToken,
    /// It shows one that is not known.
    Unknown,
}

/// What whoever sends these headers may do.
pub(super) fn role(tokens: Option<&Tokens>, headers: &HeaderMap) -> Result<Role, Turned> {
    let Some(tokens) = tokens else { return Ok(Role::Write) };
    let shown = headers.get(header::AUTHORIZATION).ok_or(Turned::NoToken)?.as_bytes();
    let (scheme, rest) = split(shown).ok_or(Turned::Unknown)?;
    let token = if scheme.eq_ignore_ascii_case(b"bearer") {
        rest.to_vec()
    } else if scheme.eq_ignore_ascii_case(b"basic") {
        // For browsers, and for whatever can only say it in a URL: any name, and the token for a password.
        let pair = from_base64(rest).ok_or(Turned::Unknown)?;
        let colon = pair.iter().position(|byte| *byte == b':').ok_or(Turned::Unknown)?;
        pair.get(colon + 1..).unwrap_or_default().to_vec()
    } else {
        return Err(Turned::Unknown);
    };
    tokens.role_of(&token).ok_or(Turned::Unknown)
}

fn split(shown: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = shown.iter().position(|byte| *byte == b' ')?;
    Some((shown.get(..space)?, shown.get(space..)?.trim_ascii()))
}

/// RFC 4648, 4; with or without its padding.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            // Eight bits of it.
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// Whether the query carries what looks like a token: it would stand in logs and histories.
pub(super) fn is_in_query(query: Option<&str>) -> bool {
    const NAMES: [&str; 5] = ["token", "access_token", "bearer", "api_key", "authorization"];
    let mut keys = query.unwrap_or("").split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    keys.any(|key| NAMES.iter().any(|name| key.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "read-read-read-read";
    const WRITE: &str = "write/write+write=";

    fn tokens() -> Tokens {
        let text = format!("# all of them\n\nread {READ}\n  write\t{WRITE} # the operator's\n");
        Tokens::parse(Path::new("/t"), &text).unwrap()
    }

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn a_token_is_known_by_all_of_it() {
        let tokens = tokens();
        let asked = |value: &str| role(Some(&tokens), &with(value));
        assert_eq!(asked(&format!("Bearer {READ}")), Ok(Role::Read));
        assert_eq!(asked(&format!("bearer   {WRITE}")), Ok(Role::Write));
        for bad in ["Bearer", "Bearer ", "Bearer read-read-read-rea", "Bearer read-read-read-readx", READ, "Digest x"] {
            assert_eq!(asked(bad), Err(Turned::Unknown), "{bad}");
        }
        assert_eq!(role(Some(&tokens), &HeaderMap::new()), Err(Turned::NoToken));
        assert_eq!(role(None, &HeaderMap::new()), Ok(Role::Write), "without tokens nobody has to show one");
    }

    #[test]
    fn a_browser_shows_it_as_a_password() {
        let tokens = tokens();
        let asked = |value: &str| role(Some(&tokens), &with(value));
        assert_eq!(asked("Basic YW55OnJlYWQtcmVhZC1yZWFkLXJlYWQ="), Ok(Role::Read));
        assert_eq!(asked("Basic OndyaXRlL3dyaXRlK3dyaXRlPQ=="), Ok(Role::Write));
        assert_eq!(asked("Basic OndyaXRlL3dyaXRlK3dyaXRlPQ"), Ok(Role::Write));
        for bad in ["Basic cmVhZC1yZWFkLXJlYWQtcmVhZA==", "Basic ????", "Basic", "Basic YW55Og=="] {
            assert_eq!(asked(bad), Err(Turned::Unknown), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_without_the_token() {
        let wrong = |text: &str| Tokens::parse(Path::new("/t"), text).unwrap_err();
        let cases = [
            ("", "/t has no tokens"),
            ("# nothing\n", "/t has no tokens"),
            ("read\n", "/t, line 1: there is no token"),
            ("\nadmin secretsecretsecret\n", "/t, line 2: a line is"),
            ("read secretsecretsecret more\n", "/t, line 1: there is something behind"),
            ("read secretsecretsecrät\n", "/t, line 1: a token has letters"),
            ("read secret\n", "/t, line 1: a token is 16 to 512"),
        ];
        for (text, words) in cases {
            let said = wrong(text);
            assert!(said.starts_with(words), "{text:?}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
        assert_eq!(format!("{:?}", tokens()), "2 tokens");
    }

    #[test]
    fn a_token_in_the_query_is_seen() {
        for query in ["token=x", "a=b&Access_Token=x", "bearer", "api_key="] {
            assert!(is_in_query(Some(query)), "{query}");
        }
        for query in ["", "tokens=x", "a=token", "for=5m"] {
            assert!(!is_in_query(Some(query)), "{query}");
        }
        assert!(!is_in_query(None));
    }

    #[test]
    fn all_but_looking_is_writing() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(Role::needed_for(&method.parse().unwrap()), Role::Read);
        }
        for method in ["PUT", "POST", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "BREW"] {
            assert_eq!(Role::needed_for(&method.parse().unwrap()), Role::Write);
        }
    }
}
