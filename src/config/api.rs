//! `[api]`, resolved: where the HTTP side listens, and who may ask it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::decode::{At, Field};
use super::fault::{Fault, Faults};
use super::problem::Severity;
use super::settings::merge;
use super::tree::Place;
use super::{names, raw, values};
use crate::model::{Api, ApiListen, ApiTls};

/// The longest path that fits into a socket's address, unix(7).
const PATH_MAX: usize = 107;

const LISTEN: &str = "write for example \"127.0.0.1:4672\", \"[::1]:4672\" or \"unix:/run/ipvsd/api.sock\"";

/// The table of all files.
#[derive(Default)]
pub(super) struct Merged {
    keys: raw::Api,
    /// Where it is written first.
    place: Option<Place>,
}

impl Merged {
    /// Takes one file's table over; a key in two files is a fault.
    pub(super) fn merge(&mut self, of_file: Field<raw::Api>, faults: &mut Faults) {
        self.place = self.place.or(of_file.place());
        let of_file = of_file.into_value().unwrap_or_default();
        merge!(self.keys, of_file, "api", faults, [listen, mode, group, tls, tokens, writes_per_second]);
        merge!(self.keys, of_file, "api", faults, [default_host, metrics_services, metrics_destinations]);
    }

    /// The HTTP side that is asked for, if one is.
    pub(super) fn resolve(&self, faults: &mut Faults) -> Option<Api> {
        let place = self.place?;
        let raw::Api { listen, mode, group, tls, tokens, writes_per_second, default_host, .. } = &self.keys;
        let raw::Api { metrics_services, metrics_destinations, .. } = &self.keys;
        let plain = Api::default();
        let tokens_written = !tokens.is_absent();
        let why = "it must not depend on where ipvsd is started";
        let tokens = tokens.get().and_then(|at| values::absolute(at, "the file of tokens", why, faults));
        let place_of_tls = tls.place();
        let tls = tls.get().and_then(|at| self::tls(at, faults));
        let listen_place = listen.place().unwrap_or(place);
        let listen = match listen.get() {
            Some(at) => parse_listen(at, faults),
            None if listen.is_absent() => Some(plain.listen),
            None => None,
        };
        let listen = match listen? {
            ApiListen::Tcp(address) => {
                of_unix_only(&[("mode", mode.place()), ("group", group.place())], faults);
                who_may(address, listen_place, (tokens_written, place_of_tls.is_some()), faults);
                ApiListen::Tcp(address)
            }
            ApiListen::Unix { path, .. } => {
                if let Some(place) = place_of_tls {
                    let fault = Fault::new(place, "a unix socket has no TLS: nobody else is on the way");
                    faults.push(fault.help("remove it, or listen on an address"));
                }
                let usual = if group.is_absent() { 0o600 } else { 0o660 };
                let mode = mode.get().and_then(|at| self::mode(at, faults)).unwrap_or(usual);
                ApiListen::Unix { path, mode, group: group.get().and_then(|at| self::group(at, faults)) }
            }
        };
        let rate = writes_per_second.get();
        let rate = rate.and_then(|at| values::integer(at, "writes_per_second", 1..=1_000_000, faults));
        let mut most = |field: &Field<i128>, key: &str, usual: usize| {
            let most = field.get().and_then(|at| values::number(at, key, 1_000_000, faults));
            most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usual)
        };
        let metrics_services = most(metrics_services, "metrics_services", plain.metrics_services);
        let metrics_destinations = most(metrics_destinations, "metrics_destinations", plain.metrics_destinations);
        Some(Api {
            listen,
            tls,
            tokens,
            writes_per_second: rate.unwrap_or(plain.writes_per_second),
            default_host: default_host.get().and_then(|at| host(at, faults)),
            metrics_services,
            metrics_destinations,
        })
    }
}

/// Beyond loopback, whoever reaches it may write unless there are tokens.
fn who_may(address: SocketAddr, place: Place, (tokens, tls): (bool, bool), faults: &mut Faults) {
    if address.ip().is_loopback() {
        return;
    }
    if !tokens {
        let fault = Fault::new(place, format!("whoever reaches {address} could change the table: there are no tokens"));
        faults.push(fault.help(
            "add tokens = \"/etc/ipvsd/tokens\", a file of lines `read TOKEN` and `write TOKEN`, or listen on loopback",
        ));
    } else if !tls {
        let message = "tokens cross the network in plain text";
        let fault = Fault::new(place, message).severity(Severity::Warning);
        faults.push(fault.help("add tls = { certificate = \"/…\", key = \"/…\" }"));
    }
}

fn of_unix_only(keys: &[(&str, Option<Place>)], faults: &mut Faults) {
    for (key, place) in keys {
        if let Some(place) = place {
            let fault = Fault::new(*place, format!("`{key}` is of a unix socket, and this listens on an address"));
            faults.push(fault.help("remove it, or write listen = \"unix:/run/ipvsd/api.sock\""));
        }
    }
}

fn parse_listen(at: &At<String>, faults: &mut Faults) -> Option<ApiListen> {
    let text = at.value.trim();
    if let Some(path) = text.strip_prefix("unix:") {
        let at = At { place: at.place, value: path.to_owned() };
        let path = values::absolute(&at, "the path of a unix socket", "\"unix:/…\"", faults)?;
        if path.as_os_str().len() > PATH_MAX || path.file_name().is_none() {
            let fault = Fault::new(at.place, format!("the path of a socket is a file's, and at most {PATH_MAX} bytes"));
            faults.push(fault.help("choose a shorter one, such as \"unix:/run/ipvsd/api.sock\""));
            return None;
        }
        return Some(ApiListen::Unix { path, mode: 0, group: None });
    }
    let fault = Fault::new(at.place, format!("`{}` is no address to listen on", names::quote(text)));
    let help = match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => return Some(ApiListen::Tcp(address)),
        Ok(_) => "write the port: clients have to know it".to_owned(),
        Err(_) => match text.parse::<IpAddr>() {
            Ok(ip) => format!("write the port, too: \"{}\"", SocketAddr::new(ip, 4672)),
            Err(_) if text.starts_with('/') => format!("a unix socket is \"unix:{}\"", names::quote(text)),
            Err(_) if text.contains("://") => "it has no protocol: write the address and the port alone".to_owned(),
            Err(_) if text.starts_with(':') || text.starts_with("*:") => {
                "all addresses are \"0.0.0.0:4672\" (IPv4) or \"[::]:4672\" (both)".to_owned()
            }
            Err(_) => LISTEN.to_owned(),
        },
    };
    faults.push(fault.help(help));
    None
}

fn mode(at: &At<String>, faults: &mut Faults) -> Option<u32> {
    let digits = at.value.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(&at.value);
    let is_octal = digits.len() == 3 && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(digits, 8).ok().filter(|_| is_octal);
    if mode.is_none() {
        let fault = Fault::new(at.place, format!("`{}` are no permissions", names::quote(&at.value)));
        faults.push(fault.help("write three octal digits, such as \"0660\""));
    }
    mode
}

fn group(at: &At<String>, faults: &mut Faults) -> Option<String> {
    let name = &at.value;
    if name.is_empty() || name.contains([':', '\n', '\0', ',']) {
        let fault = Fault::new(at.place, format!("`{}` is not the name of a group", names::quote(name)));
        faults.push(fault.help("write the name as it stands in /etc/group"));
        return None;
    }
    Some(name.clone())
}

fn tls(at: &At<raw::ApiTls>, faults: &mut Faults) -> Option<ApiTls> {
    let raw::ApiTls { certificate, key, client_ca } = &at.value;
    let mut file = |field: &Field<String>, what: &str, name: &str| -> Option<PathBuf> {
        if field.is_absent() && name != "client_ca" {
            let fault = Fault::new(at.place, format!("TLS has no {what}"));
            faults.push(fault.help(format!("add `{name}`, the absolute path of a file in PEM")));
        }
        let why = "it must not depend on where ipvsd is started";
        field.get().and_then(|at| values::absolute(at, &format!("the file of the {what}"), why, faults))
    };
    let certificate = file(certificate, "certificate", "certificate");
    let key = file(key, "private key", "key");
    let client_ca = file(client_ca, "authorities of clients", "client_ca");
    Some(ApiTls { certificate: certificate?, key: key?, client_ca })
}

fn host(at: &At<String>, faults: &mut Faults) -> Option<IpAddr> {
    let host = at.value.trim().parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
    if host.is_none() {
        let fault = Fault::new(at.place, format!("`{}` is not the address of a service", names::quote(&at.value)));
        faults.push(fault.help("write an IPv4 or IPv6 address, without a port: \"192.0.2.10\""));
    }
    host
}
