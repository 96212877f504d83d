//! Pulse, GORB's checks: how they are written, and what they are here.
//!
//! As there, one result makes a verdict, and a check has five seconds. What `host` in `args` names is checked if it is an
//! address; a name is the Host header of a request to the backend itself.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Failed;
use super::decode::Object;
use crate::model::{Check, Http, Probe, StatusSet, Timing, Via};

const TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const ARGS_MAX: usize = 4096;
const INTERVAL_MAX: usize = 32;
const UNKNOWN_TYPE: &str = "specified pulse type is unknown";

/// As it is sent and shown; with its defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Pulse {
    #[serde(rename = "type")]
    pub kind: String,
    pub interval: String,
    pub args: Option<Map<String, Value>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { kind: "tcp".to_owned(), interval: "1m".to_owned(), args: None }
    }
}

impl Pulse {
    pub(super) fn decode(object: &Object) -> Result<Self, Failed> {
        let plain = Self::default();
        let or = |text: String, default: String| if text.is_empty() { default } else { text };
        let kind = or(object.text("type")?, plain.kind).to_lowercase();
        let interval = or(object.text("interval")?, plain.interval);
        let args = match object.get("args") {
            None => None,
            // They are kept as they are sent.
            Some(Value::Object(args)) if serde_json::to_vec(args).is_ok_and(|text| text.len() <= ARGS_MAX) => {
                Some(args.clone())
            }
            Some(Value::Object(_)) => return Err(Failed::bad(format!("pulse args are longer than {ARGS_MAX} bytes"))),
            Some(other) => return Err(object.wrong("args", other, "util.DynamicMap")),
        };
        Ok(Self { kind, interval, args })
    }

    /// What is checked; nothing is not.
    pub(super) fn check(&self) -> Result<Option<Check>, Failed> {
        if !matches!(self.kind.as_str(), "tcp" | "http" | "none") {
            return Err(Failed::bad(UNKNOWN_TYPE));
        }
        let interval = interval(&self.interval)?;
        let timing = Timing {
            interval,
            timeout: TIMEOUT.min(interval),
            rise: 1,
            fall: 1,
            jitter: 10,
            fast_interval: None,
            down_interval: None,
            down_after: Duration::from_secs(60),
        };
        let tcp = Probe::Tcp { send: None, expect: None };
        let mut check = Check { probe: tcp, timing, address: None, port: None, via: Via::default(), flap: None };
        match self.kind.as_str() {
            "none" => Ok(None),
            "http" => {
                self.http(&mut check)?;
                Ok(Some(check))
            }
            _ => Ok(Some(check)),
        }
    }

    fn http(&self, check: &mut Check) -> Result<(), Failed> {
        check.port = match self.number("port", 65_535)? {
            Some(0) => return Err(Failed::bad("pulse port is 1 to 65535")),
            port => port,
        };
        let host = self.text("host")?;
        let address = host.as_deref().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        check.address = address.map(|address| address.to_canonical());
        if let Some(address) = check.address
            && (address.is_unspecified() || address.is_multicast())
        {
            return Err(Failed::bad(format!("nothing can be checked at `{address}`")));
        }
        let host = host.filter(|_| address.is_none()).map(|host| match check.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        });
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.as_deref().is_some_and(|host| !visible(host) || host.len() > 255) {
            return Err(Failed::bad("pulse host is an address or a name"));
        }
        let path = self.text("path")?.unwrap_or_default();
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        if !visible(&path) || path.len() > 2048 {
            return Err(Failed::bad("pulse path has only printable ASCII characters without blanks, up to 2048"));
        }
        let method = self.text("method")?.unwrap_or_else(|| "GET".to_owned());
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if method.len() > 32 || !method.bytes().all(is_token) || method == "CONNECT" {
            return Err(Failed::bad("pulse method is a method of HTTP"));
        }
        let expect = self.number("expect", 599)?.unwrap_or(200);
        if expect < 100 {
            return Err(Failed::bad("pulse expect is a status of HTTP: 100 to 599"));
        }
        check.probe = Probe::Http(Http {
            tls: None,
            method,
            path,
            host,
            headers: Vec::new(),
            status: StatusSet(vec![(expect, expect)]),
            body: None,
            location: None,
        });
        Ok(())
    }

    /// An argument that is text, or a number; null and the empty text are none.
    fn text(&self, key: &str) -> Result<Option<String>, Failed> {
        match self.args.as_ref().and_then(|args| args.get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Failed::bad(format!("pulse {key} is text or a number"))),
        }
    }

    fn number(&self, key: &str, most: u16) -> Result<Option<u16>, Failed> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match text.trim().parse::<u16>() {
            Ok(number) if number <= most => Ok(Some(number)),
            _ => Err(Failed::bad(format!("pulse {key} is a number up to {most}"))),
        }
    }

    /// How a check would have been written; nothing for one that Pulse has no words for.
    pub(super) fn of(check: Option<&Check>) -> Self {
        let Some(check) = check else { return Self { kind: "none".to_owned(), ..Self::default() } };
        let mut args = Map::new();
        let mut put = |key: &str, value: String| args.insert(key.to_owned(), Value::String(value));
        if let Probe::Http(http) = &check.probe {
            put("path", http.path.clone());
            put("method", http.method.clone());
            put("expect", http.status.to_string());
            if let Some(host) = check.address.map(|address| address.to_string()).or_else(|| http.host.clone()) {
                put("host", host);
            }
        }
        if let Some(port) = check.port {
            put("port", port.to_string());
        }
        let interval = match (check.timing.interval.as_secs(), check.timing.interval.subsec_millis()) {
            (seconds, 0) if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            (seconds, 0) if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
            (seconds, 0) => format!("{seconds}s"),
            (_, _) => format!("{}ms", check.timing.interval.as_millis()),
        };
        let args = Some(args).filter(|args| !args.is_empty());
        Self { kind: check.probe.kind().to_owned(), interval, args }
    }
}

/// `[+-]digits unit`, with blanks around it only.
fn interval(text: &str) -> Result<Duration, Failed> {
    let wrong = || Failed::bad("invalid interval format");
    if text.len() > INTERVAL_MAX {
        return Err(wrong());
    }
    let text = text.trim().to_lowercase();
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text.as_str()),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (number, unit) = digits.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hours" => 3600,
        _ => return Err(wrong()),
    };
    if negative || number == 0 {
        return Err(Failed::bad("pulse interval must be positive"));
    }
    let length = number.checked_mul(seconds).map(Duration::from_secs).filter(|length| *length <= LONGEST);
    length.ok_or_else(|| Failed::bad("pulse interval must be at most 24 hours"))
}
