//! What an override changes, and what is said of it. Pure.

use super::known::{Known, Standing, Target};
use crate::cli::times::{clock, rough};
use crate::model::{Override, WeightOverride};

/// What an operator wants of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Drain,
    Undrain,
    /// For so many seconds, or until it is taken back.
    Weight {
        weight: u32,
        seconds: Option<u64>,
    },
    ResetWeight,
}

impl Action {
    /// Whether it takes something back.
    fn lifts(self) -> bool {
        matches!(self, Action::Undrain | Action::ResetWeight)
    }

    /// The order for a destination after this one, `now` in seconds since 1970. What is drained stays drained since then.
    pub(super) fn on(self, before: Override, now: u64) -> Override {
        match self {
            Action::Drain => Override { drained_since: before.drained_since.or(Some(now)), ..before },
            Action::Undrain => Override { drained_since: None, ..before },
            Action::Weight { weight, seconds } => {
                let until = seconds.map(|seconds| now.saturating_add(seconds));
                Override { weight: Some(WeightOverride { weight, since: now, until }), ..before }
            }
            Action::ResetWeight => Override { weight: None, ..before },
        }
    }

    /// Why it cannot be ordered of a destination that stands so.
    pub(super) fn refusal(self, known: &Known, target: Target) -> Option<String> {
        let standing = known.standing(target);
        match self {
            Action::Weight { .. } if standing.is_leaving() => {
                Some(format!("{}: its weight is 0 until it is gone", leaving(known, target)))
            }
            Action::Weight { .. } | Action::Drain if standing.configured.is_none() && !standing.is_leaving() => {
                Some(format!("{} is not in the configuration any more", title(known, target)))
            }
            Action::Drain | Action::Weight { .. } | Action::Undrain | Action::ResetWeight => None,
        }
    }

    /// Whether there is nothing to order, since the destination is on its way out already.
    pub(super) fn is_moot(self, standing: Standing) -> bool {
        self == Action::Drain && standing.is_leaving()
    }

    /// What is so now.
    pub(super) fn sentence(
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
        match (self, before.drained_since, before.weight) {
            (Action::Drain, Some(since), _) => format!("{title} is drained already, since {}", clock(since, now)),
            (Action::Drain, None, _) => format!("{title} is drained"),
            (Action::Undrain, None, _) => format!("{title} was not drained"),
            (Action::Undrain, Some(_), _) => {
                let weight = after
                    .weight
                    .map_or_else(String::new, |weight| format!("; its weight is {} by override", weight.weight));
                format!("{title} is not drained any more{weight}")
            }
            (Action::ResetWeight, _, None) => format!("no weight was ordered for {title}"),
            (Action::ResetWeight, _, Some(_)) => format!("{title} has its own weight again{configured}"),
            (Action::Weight { weight, seconds }, drained, _) => {
                let until = match seconds {
                    Some(seconds) => format!("until {}", clock(now.saturating_add(seconds), now)),
                    None => "until it is taken back".to_owned(),
                };
                let drained = if drained.is_some() { "; it stays drained all the same" } else { "" };
                format!("{title} has weight {weight} {until}{configured}{drained}")
            }
        }
    }

    /// What a person should know before it happens: `known` is as it was.
    pub(super) fn warning(self, known: &Known, target: Target) -> Option<String> {
        let standing = known.standing(target);
        if self.is_moot(standing) {
            return None;
        }
        let to_zero = matches!(self, Action::Drain | Action::Weight { weight: 0, .. });
        if to_zero && known.is_last(target) {
            let service = service_title(known, target);
            let fallback = known.services.get(&target.service).is_some_and(|service| service.fallback.is_some());
            let left = if fallback { "only the fallback is left" } else { "it refuses new connections" };
            return Some(format!("no other destination of {service} has weight: {left}"));
        }
        if !self.lifts() && known.live && standing.live.is_none() {
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
pub(super) fn title(known: &Known, target: Target) -> String {
    format!("{} of {}", target.destination, service_title(known, target))
}

/// What is ordered, in words: `drained by override since 13:40 UTC`, `weight 10 by override until 14:05 UTC (4m30s more)`.
pub(crate) fn words(order: Override, now: u64) -> Vec<String> {
    let Override { drained_since, weight } = order;
    let drained = drained_since.map(|since| format!("drained by override since {}", clock(since, now)));
    let weight = weight.map(|WeightOverride { weight, since, until }| match until {
        Some(until) => {
            format!(
                "weight {weight} by override until {} ({} more)",
                clock(until, now),
                rough(until.saturating_sub(now))
            )
        }
        None => format!("weight {weight} by override since {}", clock(since, now)),
    });
    drained.into_iter().chain(weight).collect()
}
