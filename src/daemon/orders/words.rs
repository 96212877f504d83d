//! What is said of an override, and of what it does. Pure.

use super::known::{Known, Standing, Target};
use crate::model::{Action, Forced, HealthOverride, Override, WeightOverride};
use crate::plan::render::words::{clock, rough};

impl Action {
    /// Why it cannot be said of a destination that stands so.
    pub(crate) fn refusal(self, known: &Known, target: Target) -> Option<String> {
        let standing = known.standing(target);
        match self {
            Action::Weight { .. } if standing.is_leaving() => {
                Some(format!("{}: its weight is 0 until it is gone", leaving(known, target)))
            }
            Action::Health { .. } if standing.is_leaving() => {
                Some(format!("{}: its health is what its checks say until it is gone", leaving(known, target)))
            }
            Action::Health { .. } if known.is_fallback(target) => Some(format!(
                "{} is the fallback, which has no health: it is in use while no other destination is up",
                title(known, target)
            )),
            Action::Weight { .. } | Action::Drain | Action::Health { .. }
                if standing.configured.is_none() && !standing.is_leaving() =>
            {
                Some(format!("{} is not in the configuration any more", title(known, target)))
            }
            Action::Drain
            | Action::Weight { .. }
            | Action::Health { .. }
            | Action::Undrain
            | Action::ResetWeight
            | Action::ResetHealth => None,
        }
    }

    /// Whether there is nothing to do, since the destination is on its way out already.
    pub(crate) fn is_moot(self, standing: Standing) -> bool {
        self == Action::Drain && standing.is_leaving()
    }

    /// What is so now.
    pub(crate) fn sentence(
        self,
        known: &Known,
        target: Target,
        (before, after): (Override, Override),
        now: u64,
    ) -> String {
        let standing = known.standing(target);
        if self.is_moot(standing) {
            return leaving(known, target);
        }
        let title = title(known, target);
        let configured = standing.configured.map_or_else(String::new, |weight| format!(" (configured: {weight})"));
        let until = |seconds: Option<u64>| match seconds {
            Some(seconds) => format!("until {}", clock(now.saturating_add(seconds), now)),
            None => "until it is taken back".to_owned(),
        };
        let forced = before.health.map(|given| given.health);
        match self {
            Action::Drain => match before.drained_since {
                Some(since) => format!("{title} is drained already, since {}", clock(since, now)),
                None => format!("{title} is drained"),
            },
            Action::Undrain if before.drained_since.is_none() => format!("{title} was not drained"),
            Action::Undrain => {
                let mut text = format!("{title} is not drained any more");
                if let Some(weight) = after.weight {
                    text += &format!("; its weight is {} by override", weight.weight);
                }
                if forced == Some(Forced::Down) {
                    text += "; it is down by override";
                }
                text
            }
            Action::ResetWeight if before.weight.is_none() => format!("no weight was set for {title}"),
            Action::ResetWeight => format!("{title} has its own weight again{configured}"),
            Action::Weight { weight, seconds } => {
                let all_the_same = match (before.drained_since, forced) {
                    (Some(_), _) => "; it stays drained all the same",
                    (None, Some(Forced::Down)) => "; it stays down all the same",
                    (None, _) => "",
                };
                format!("{title} has weight {weight} {}{configured}{all_the_same}", until(seconds))
            }
            Action::ResetHealth | Action::Health { .. } => {
                let all_the_same = before.drained_since.map_or("", |_| "; it stays drained all the same");
                match self {
                    Action::Health { health, seconds } => {
                        format!("{title} counts as {health} {}{all_the_same}", until(seconds))
                    }
                    _ if forced.is_none() => format!("no health was set for {title}"),
                    _ => format!("{title} has its own health again{all_the_same}"),
                }
            }
        }
    }

    /// What a person should know before it happens: `known` is as it was.
    pub(crate) fn warning(self, known: &Known, target: Target) -> Option<String> {
        let standing = known.standing(target);
        if self.is_moot(standing) {
            return None;
        }
        let is_down = matches!(self, Action::Health { health: Forced::Down, .. });
        let service = known.services.get(&target.service);
        if is_down && service.is_some_and(|service| service.ignores_down) {
            let service = service_title(known, target);
            return Some(format!(
                "{service} has on_down = \"ignore\": what is down keeps its weight; `ipvsd drain` takes new connections away"
            ));
        }
        let to_zero = is_down || matches!(self, Action::Drain | Action::Weight { weight: 0, .. });
        if to_zero && known.is_last(target) {
            let fallback = service.is_some_and(|service| service.fallback.is_some());
            let service = service_title(known, target);
            let left = if fallback { "only the fallback is left" } else { "it refuses new connections" };
            return Some(format!("no other destination of {service} has weight: {left}"));
        }
        // One that is down may well be out of the table, be it that it is said to be up now.
        let has_to_be_there = !self.lifts() && !matches!(self, Action::Health { .. });
        if has_to_be_there && known.live && standing.live.is_none() {
            return Some(format!("{} is not in the kernel's table yet", title(known, target)));
        }
        None
    }
}

fn leaving(known: &Known, target: Target) -> String {
    format!("{} is not in the configuration any more, and on its way out already", title(known, target))
}

fn service_title(known: &Known, target: Target) -> String {
    match known.name(&target.service) {
        Some(name) => format!("{} ({name})", target.service),
        None => target.service.to_string(),
    }
}

/// `10.0.0.11:8080 of tcp://192.0.2.10:80 (web)`
pub(crate) fn title(known: &Known, target: Target) -> String {
    format!("{} of {}", target.destination, service_title(known, target))
}

/// What is overridden, in words: `drained by override since 13:40 UTC`, `weight 10 by override until 14:05 UTC (4m30s more)`,
/// `down by override since 13:40 UTC`.
pub(crate) fn words(given: Override, now: u64) -> Vec<String> {
    let Override { drained_since, weight, health } = given;
    let time = |since: u64, until: Option<u64>| match until {
        Some(until) => format!("until {} ({} more)", clock(until, now), rough(until.saturating_sub(now))),
        None => format!("since {}", clock(since, now)),
    };
    let drained = drained_since.map(|since| format!("drained by override {}", time(since, None)));
    let weight = weight
        .map(|WeightOverride { weight, since, until }| format!("weight {weight} by override {}", time(since, until)));
    let health =
        health.map(|HealthOverride { health, since, until }| format!("{health} by override {}", time(since, until)));
    drained.into_iter().chain(weight).chain(health).collect()
}
