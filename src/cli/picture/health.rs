//! How well services and destinations are, and why, in words. Pure.

use super::Picture;
use crate::daemon::orders;
use crate::model::{DestinationKey, Forced, Health, LiveDestination, ServiceKey, Share};
use crate::plan::connections;
use crate::plan::render::words::{count, rough};
use crate::reconcile::{
    DestinationStatus, DockerFinding, DockerStatus, DrainStatus, Failing, HostTrouble, NameStatus, ServiceStatus,
    Status,
};

/// How a row is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mood {
    Plain,
    Quiesced,
    Bad,
}

/// What is said behind a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Said {
    pub(in crate::cli) health: String,
    pub(in crate::cli) why: String,
    pub(in crate::cli) mood: Mood,
}

/// Whether there is anything to say of anybody's health.
pub(in crate::cli) fn is_known(status: &Status) -> bool {
    status.services.values().any(|service| {
        service.failed
            || service.panic
            || service.fallback
            || service.destinations.values().any(|destination| {
                destination.health.is_some() || destination.drain.is_some() || !destination.why.is_empty()
            })
    })
}

/// Of a destination: `down`, and `down 2m: http: status 500, expected 200-299`.
pub(in crate::cli) fn destination(
    picture: &Picture,
    service: &ServiceKey,
    key: &DestinationKey,
    live: Option<&LiveDestination>,
) -> Said {
    let unknown = DestinationStatus::default();
    let status = picture.destination_status(service, key).unwrap_or(&unknown);
    let given = picture.given(service, key);
    // What is leaving is as its checks say.
    let forced = given.health.map(|given| given.health).filter(|_| status.drain.is_none());
    let connections = live.map(connections);
    let (health, mood) = match status {
        // What is done on purpose is nothing to worry about.
        _ if forced == Some(Forced::Down) => ("down", Mood::Quiesced),
        _ if forced == Some(Forced::Up) && given.drained_since.is_none() => ("up", Mood::Plain),
        DestinationStatus { flapping: true, .. } if forced.is_none() => ("flapping", Mood::Bad),
        DestinationStatus { health: Some(Health::Down), .. } if forced.is_none() => ("down", Mood::Bad),
        DestinationStatus { drain: Some(_), .. } => ("draining", Mood::Quiesced),
        _ if given.drained_since.is_some() => match connections {
            None | Some(0) => ("drained", Mood::Quiesced),
            Some(_) => ("draining", Mood::Quiesced),
        },
        DestinationStatus { health: Some(health), .. } => (health.as_str(), Mood::Plain),
        DestinationStatus { health: None, .. } => ("–", Mood::Plain),
    };
    let quiesced = live.is_some_and(|live| live.settings.weight == 0);
    let mood = if quiesced && mood == Mood::Plain { Mood::Quiesced } else { mood };

    let mut parts = Vec::new();
    parts.extend(of_checks(status, forced, picture.now));
    if let Some(DrainStatus { connections: counted, until }) = status.drain {
        let left = connections.unwrap_or(counted);
        let left = count(usize::try_from(left).unwrap_or(usize::MAX), "connection");
        let more = rough(until.saturating_sub(picture.now));
        parts.push(format!("draining: {left}, at most {more} more"));
    }
    for words in orders::words(given, picture.now) {
        match connections {
            Some(left) if left > 0 && words.starts_with("drained") => {
                let left = count(usize::try_from(left).unwrap_or(usize::MAX), "connection");
                parts.push(format!("{words}, {left} left"));
            }
            _ => parts.push(words),
        }
    }
    // What was said already with more to it is not said again: `down`, `drained by override`.
    for why in status.why.split("; ").map(str::trim).filter(|why| !why.is_empty()) {
        if !parts.iter().any(|part| first_word(part) == first_word(why)) {
            parts.push(why.to_owned());
        }
    }
    if live.is_none() {
        parts.push("not in the kernel's table".to_owned());
    }
    Said { health: health.to_owned(), why: clean(&parts.join("; ")), mood }
}

fn first_word(text: &str) -> &str {
    text.split([' ', ':', ',', ';']).next().unwrap_or_default()
}

/// What the checks say, if that needs saying.
fn of_checks(status: &DestinationStatus, forced: Option<Forced>, now: u64) -> Option<String> {
    let DestinationStatus { health, checks, reason, since, .. } = status;
    let colon = if reason.is_empty() { "" } else { ": " };
    let health = if forced.is_some() { checks } else { health };
    match (health, forced) {
        (Some(Health::Down), Some(_)) => Some(format!("its checks say down{colon}{reason}")),
        (Some(Health::Up), Some(Forced::Down)) if reason.is_empty() => Some("its checks say up".to_owned()),
        (Some(Health::Down), None) => {
            let time = since.map_or_else(String::new, |since| format!(" {}", rough(now.saturating_sub(since))));
            Some(format!("down{time}{colon}{reason}"))
        }
        (Some(Health::Up | Health::Unknown), _) if !reason.is_empty() => Some(format!("last check: {reason}")),
        (Some(Health::Up | Health::Unknown) | None, _) => None,
    }
}

/// Of a service: `failed`, and `failed: 1 of 4 up, min_healthy 2`.
pub(in crate::cli) fn service(picture: &Picture, key: &ServiceKey) -> Said {
    let Some(status) = picture.status(key) else {
        return Said { health: String::new(), why: String::new(), mood: Mood::Plain };
    };
    let ServiceStatus { name, up, of, failed, panic, fallback, fallback_to: _, ignores_down: _, destinations } = status;
    let checked = destinations.values().any(|destination| destination.health.is_some());
    let leaving = name.is_none() && destinations.values().any(|destination| destination.drain.is_some());
    let health = match () {
        () if *failed => "failed".to_owned(),
        () if *panic => "panic".to_owned(),
        () if leaving => "draining".to_owned(),
        () if !checked => String::new(),
        () if up == of => "up".to_owned(),
        () => format!("{up} of {of} up"),
    };
    let mut parts = Vec::new();
    if *failed {
        let least = min_healthy(picture, key).map_or_else(String::new, |least| format!(", min_healthy {least}"));
        parts.push(format!("failed: {up} of {of} up{least}"));
    }
    if *panic {
        parts.push(format!(
            "panic: {up} of {of} up, and so many went down at once that the checker is suspected: weights are kept"
        ));
    }
    if *fallback {
        parts.push("fallback in use".to_owned());
    }
    if leaving {
        parts.push("not in the configuration any more".to_owned());
    }
    if !picture.live.services.contains_key(key) {
        parts.push("not in the kernel's table".to_owned());
    }
    let mood = if *failed || *panic { Mood::Bad } else { Mood::Plain };
    Said { health, why: clean(&parts.join("; ")), mood }
}

fn min_healthy(picture: &Picture, key: &ServiceKey) -> Option<String> {
    let policy = picture.desired.as_ref()?.policies.get(key)?;
    policy.min_healthy.map(|least| match least {
        Share::Count(number) => number.to_string(),
        Share::Percent(percent) => format!("{percent}%"),
    })
}

/// What somebody should look at, a line each.
pub(in crate::cli) fn attention(status: &Status, now: u64) -> Vec<String> {
    let mut lines = Vec::new();
    if status.pass_at == 0 {
        lines.push("the daemon has not ended its first pass yet".to_owned());
    }
    if status.outdated {
        lines.push(
            "the configuration in force is older than the files, which are refused; see `ipvsd check`".to_owned(),
        );
    }
    if let Some(trouble) = &status.trouble {
        lines.push(format!("the last pass, {} ago: {trouble}", rough(now.saturating_sub(status.pass_at))));
    }
    lines.extend(of_failing(status, now));
    lines.extend(status.suspicions.iter().cloned());
    lines.extend(status.host.iter().map(|HostTrouble { object, reason }| format!("{object}: {reason}")));
    lines.extend(status.docker.iter().flat_map(|docker| of_docker(docker, now)));
    lines.extend(status.names.iter().filter_map(|name| of_name(name, now)));
    lines.iter().map(|line| clean(line)).collect()
}

/// What the kernel does not take, the first of it.
fn of_failing(status: &Status, now: u64) -> Vec<String> {
    const MOST: usize = 5;
    let line = |failing: &Failing| {
        let Failing { service, reason, tries, retry_at, .. } = failing;
        let name = status.services.get(service).and_then(|service| service.name.as_ref());
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        let times = count(usize::try_from(*tries).unwrap_or(usize::MAX), "time");
        let next = rough(retry_at.saturating_sub(now));
        format!("{}{name}: {reason}; tried {times}, again in {next}", failing.object())
    };
    let mut lines: Vec<String> = status.failing.iter().take(MOST).map(line).collect();
    let more = status.failing.len().saturating_sub(MOST) + status.failing_more;
    if more > 0 {
        lines.push(format!("and {more} more that the kernel does not take; `ipvsd show --output json` has them"));
    }
    lines
}

/// Why the engine is not followed, and what is wrong with its containers.
fn of_docker(docker: &DockerStatus, now: u64) -> Vec<String> {
    let DockerStatus { engine, away_since, trouble, listed_at, findings, .. } = docker;
    let mut lines = Vec::new();
    let ago = |at: &u64| rough(now.saturating_sub(*at));
    match (trouble, listed_at) {
        (Some(why), _) => {
            let since = away_since.as_ref().map(|at| format!(" since {}", ago(at))).unwrap_or_default();
            lines.push(format!(
                "the Docker engine {engine} cannot be followed{since}, what is known of its containers stays: {why}"
            ));
        }
        (None, None) => lines.push(format!("the Docker engine {engine} has not been listed yet")),
        (None, Some(_)) => {}
    }
    lines.extend(
        findings.iter().map(|DockerFinding { container, message }| format!("container {container}: {message}")),
    );
    lines
}

/// Why a name is not as it should be.
fn of_name(name: &NameStatus, now: u64) -> Option<String> {
    let NameStatus { name, addresses, known_at: _, away_since, trouble } = name;
    let since = away_since.map(|at| format!(" since {}", rough(now.saturating_sub(at)))).unwrap_or_default();
    let known = match addresses.len() {
        0 => "nothing is known of it".to_owned(),
        1 => "one address is known".to_owned(),
        many => format!("{many} addresses are known"),
    };
    Some(format!("the name {name} is not as it should be{since}, {known}: {}", trouble.as_ref()?))
}

/// Without what a terminal would act on: some of the words are a server's.
pub(in crate::cli) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_take_wants_attention() {
        let service: ServiceKey = "tcp://192.0.2.10:80".parse().unwrap();
        let failing = |last: u8| Failing {
            service,
            destination: (last > 0).then(|| format!("10.0.0.{last}:80").parse().unwrap()),
            reason: "the kernel has no scheduler nonesuch".to_owned(),
            tries: 3,
            since: 900,
            retry_at: 1010,
        };
        let mut status = Status { pass_at: 990, failing: (0..8).map(failing).collect(), ..Status::default() };
        status.failing_more = 2;
        status.services.insert(service, ServiceStatus { name: Some("web".to_owned()), ..ServiceStatus::default() });
        let lines = attention(&status, 1000);
        assert_eq!(lines.len(), 6);
        assert_eq!(
            lines[..2],
            [
                "tcp://192.0.2.10:80 (web): the kernel has no scheduler nonesuch; tried 3 times, again in 10s",
                "10.0.0.1:80 of tcp://192.0.2.10:80 (web): the kernel has no scheduler nonesuch; tried 3 times, again in 10s",
            ]
        );
        assert_eq!(lines[5], "and 5 more that the kernel does not take; `ipvsd show --output json` has them");
    }
}
