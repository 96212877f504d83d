//! The names of sysctls.

use super::known;
use crate::config::names;
use crate::config::raw::Sysctl;

/// A name as it is written, put together from the keys of tables within tables.
pub(super) fn written(sysctl: &Sysctl) -> String {
    names::quote(&sysctl.keys.join("."))
}

/// The parts of a name: what would be folders below /proc/sys, and a file.
fn parts(keys: &[String]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        // In `conf."eth0.100".rp_filter` the dot is the interface's.
        let is_interface = matches!(&parts[..], [net, _, folder] if net == "net" && is_by_interface(folder));
        if is_interface && index + 1 < keys.len() {
            parts.push(key.replace('/', "."));
            continue;
        }
        // The first separator says which notation it is (sysctl(8)).
        match key.find(['.', '/']).and_then(|at| key.as_bytes().get(at)) {
            Some(b'/') => parts.extend(key.split('/').map(str::to_owned)),
            _ => parts.extend(key.split('.').map(|part| part.replace('/', "."))),
        }
    }
    parts
}

fn is_by_interface(folder: &str) -> bool {
    matches!(folder, "conf" | "neigh")
}

/// In the notation with dots.
fn join(parts: &[String]) -> String {
    parts.iter().map(|part| part.replace('.', "/")).collect::<Vec<_>>().join(".")
}

/// The canonical name; or what is wrong with it, and how to mend that.
pub(super) fn canonical(sysctl: &Sysctl) -> Result<String, (String, String)> {
    let written = written(sysctl);
    let no_name = |why: &str| format!("`{written}` cannot be the name of a sysctl: {why}");
    let parts = parts(&sysctl.keys);
    let name = join(&parts);
    let has = |is_bad: fn(char) -> bool| parts.iter().any(|part| part.contains(is_bad));
    if has(|character| character.is_whitespace() || character.is_control() || names::is_invisible(character)) {
        return Err((no_name("it has a space in it"), "write it without".to_owned()));
    }
    if has(|character| matches!(character, '*' | '?')) {
        let help = "write out each name that it is to stand for; for all interfaces there is `all`".to_owned();
        return Err((no_name("there are no wildcards"), help));
    }
    if parts.iter().any(String::is_empty) {
        let help = match without_root(sysctl) {
            Some(name) => format!("write \"{name}\""),
            None => "remove a separator, or write what is between two of them".to_owned(),
        };
        return Err((no_name("a part of it is empty"), help));
    }
    if parts.iter().any(|part| part == "." || part == "..") {
        let help = "write it as sysctl(8) does, for example \"net.ipv4.ip_forward\"".to_owned();
        return Err((no_name("it leads elsewhere"), help));
    }
    if parts.len() < 2 || parts.first().is_none_or(|first| first != "net") {
        return Err(match known::whole(&name) {
            Some(whole) => (format!("`{written}` is not the whole name of a sysctl"), format!("write \"{whole}\"")),
            None => {
                let help = "ipvsd takes care of the network around IPVS only; others have their place in sysctl.d";
                (format!("`{written}` is not below `net.`"), help.to_owned())
            }
        });
    }
    match &parts[..] {
        [_, _, folder, name] if is_by_interface(folder) => {
            let whole = join(&[&parts[..3], &["all".to_owned(), name.clone()]].concat());
            let help = format!("write \"{whole}\" for all interfaces, or the name of one in it, or `default`");
            Err((format!("`{written}` does not say of which interface"), help))
        }
        [_, _, folder, middle @ .., name] if is_by_interface(folder) && middle.len() > 1 => {
            let whole = join(&[&parts[..3], &[middle.join("."), name.clone()]].concat());
            let message = no_name("it has too many parts");
            Err((message, format!("a dot within the name of an interface is written as a slash: \"{whole}\"")))
        }
        _ => Ok(name),
    }
}

/// The name that a path is meant to be.
fn without_root(sysctl: &Sysctl) -> Option<String> {
    let path = sysctl.keys.join(".");
    let name = path.trim_start_matches('/').trim_start_matches("proc/sys/").to_owned();
    let name = Sysctl { keys: vec![name], place: sysctl.place, value: None };
    let is_whole = parts(&name.keys).iter().all(|part| !part.is_empty());
    if is_whole { canonical(&name).ok() } else { None }
}
