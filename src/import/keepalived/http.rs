//! HTTP_GET and SSL_GET: what is asked for, and what has to come back.

use super::tree::Node;
use super::values::{quoted_words, switch, text, unknown, without};
use crate::import::report::Report;
use crate::model::{Http, Match, Probe, StatusSet, Tls};

/// Such a checker.
#[derive(Debug)]
pub(super) struct Get {
    secure: bool,
    virtualhost: Option<String>,
    server_name: Option<String>,
    pub urls: Vec<Url>,
}

/// One of its requests.
#[derive(Debug, Default)]
pub(super) struct Url {
    path: String,
    virtualhost: Option<String>,
    status: Vec<(u16, u16)>,
    regex: Option<String>,
    /// What the page must not hold, which no check can say.
    is_inverse: bool,
    /// Flags in front of the expression.
    flags: String,
}

impl Get {
    pub(super) fn new(secure: bool) -> Self {
        Self { secure, virtualhost: None, server_name: None, urls: Vec::new() }
    }

    pub(super) fn kind(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Takes a statement, if it is one of these.
    pub(super) fn take(&mut self, node: &Node, comments: &mut Vec<String>, report: &mut Report) -> bool {
        match node.keyword() {
            "virtualhost" => self.virtualhost = text(node, report),
            "http_protocol" => {
                if node.word(1) != Some("1.1") {
                    comments.push(without(node, "ipvsd speaks HTTP/1.1", "nothing has to be done", report));
                }
            }
            "enable_sni" | "fast_recovery" | "tls_compliant" => {
                // ipvsd does each of these.
                if switch(node, report) == Some(false) {
                    without(node, "ipvsd does that always", "nothing has to be done", report);
                }
            }
            "sni_name" => self.server_name = node.word(1).map(str::to_owned),
            "url" => {
                let mut url = Url::default();
                for child in node.children() {
                    url.word(child, comments, report);
                }
                if url.path.is_empty() {
                    let message = "a url without a path";
                    report.error(&node.statement.place, message, "keepalived leaves it out, too: write one");
                } else {
                    self.urls.push(url);
                }
            }
            _ => return false,
        }
        true
    }

    /// What becomes of one of the urls; `host` is what the real or virtual server has for all.
    pub(super) fn probe(&self, url: &Url, host: Option<&String>) -> Probe {
        let host = url.virtualhost.as_ref().or(self.virtualhost.as_ref()).or(host).cloned();
        let status = if url.status.is_empty() { vec![(200, 299)] } else { url.status.clone() };
        let body = url.regex.as_ref().filter(|_| !url.is_inverse).map(|regex| {
            Match::Regex(if url.flags.is_empty() { regex.clone() } else { format!("(?{}){regex}", url.flags) })
        });
        // keepalived takes any certificate, whatever it was told to load.
        let tls = self.secure.then(|| Tls { insecure: true, ca: None, server_name: self.server_name.clone() });
        Probe::Http(Http {
            tls,
            method: "GET".to_owned(),
            path: url.path.clone(),
            host,
            headers: Vec::new(),
            status: StatusSet(status),
            body,
            location: None,
        })
    }
}

impl Url {
    pub(super) fn without_body(http: &Http) -> Http {
        Http { body: None, ..http.clone() }
    }

    fn word(&mut self, node: &Node, comments: &mut Vec<String>, report: &mut Report) {
        match node.keyword() {
            "path" => self.path = text(node, report).unwrap_or_default(),
            "virtualhost" => self.virtualhost = text(node, report),
            "digest" => {
                let what = "ipvsd does not compare digests of pages";
                let help = "say with `body` what the page has to hold, or compare in an `exec` check";
                comments.push(without(node, what, help, report));
            }
            "status_code" => self.status_codes(node, report),
            "regex" => match &quoted_words(&node.statement.text, true)[..] {
                [expression] => self.regex = Some(expression.clone()),
                _ => drop(report.error(&node.statement.place, "regex is one word, in quotes", "it is left out")),
            },
            "regex_no_match" => {
                let what = "a body of ipvsd has to hold something, and cannot be told what not to hold";
                let help = "look for what a good page has, or write an `exec` check";
                comments.push(without(node, what, help, report));
                self.is_inverse = true;
            }
            "regex_options" => {
                for word in node.statement.words.iter().skip(1) {
                    match word.text.as_str() {
                        "caseless" => self.flags.push('i'),
                        "multiline" => self.flags.push('m'),
                        "dotall" => self.flags.push('s'),
                        "extended" => self.flags.push('x'),
                        "ungreedy" => self.flags.push('U'),
                        other => {
                            let message = format!("regex_options: {other}");
                            let help = "write the expression so that it does without; it is left out";
                            comments.push(report.warn(&word.place, message, help));
                        }
                    }
                }
            }
            "regex_min_offset" | "regex_max_offset" => {
                let help = "what comes before can be a part of the expression: (?s)^.{100,}…";
                comments.push(without(node, "ipvsd looks through the first 64 KiB of a page", help, report));
            }
            "regex_stack" | "tls_compliant" => {
                without(node, "ipvsd has nothing of the kind", "nothing has to be done", report);
            }
            _ => unknown(node, "of a url", report),
        }
    }

    fn status_codes(&mut self, node: &Node, report: &mut Report) {
        for word in node.statement.words.iter().skip(1) {
            let (from, to) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
            let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
            match code(from).zip(code(to)).filter(|(from, to)| from <= to) {
                Some(range) => self.status.push(range),
                None => {
                    let message = format!("`{}` is no status code", word.text);
                    report.error(&word.place, message, "write 200 or 200-299; it is left out");
                }
            }
        }
        self.status.sort_unstable();
        let mut apart: Vec<(u16, u16)> = Vec::new();
        for (from, to) in std::mem::take(&mut self.status) {
            match apart.last_mut() {
                Some(last) if from <= last.1 + 1 => last.1 = last.1.max(to),
                _ => apart.push((from, to)),
            }
        }
        self.status = apart;
    }
}
