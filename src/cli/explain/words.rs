//! Why the weight of a destination is what it is, in sentences. Pure.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::cli::picture::Picture;
use crate::cli::picture::health::clean;
use crate::daemon::orders::Target;
use crate::model::{Forced, Health, OnDown, Override, WeightOverride};
use crate::plan::connections;
use crate::plan::render::words::{clock, count, rough};
use crate::reconcile::{DestinationStatus, Failing};

/// A sentence, and what it is about: a word for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Reason {
    pub(in crate::cli) kind: &'static str,
    pub(in crate::cli) text: String,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Explanation {
    target: Target,
    name: Option<String>,
    /// In the kernel; nothing if it is not there.
    weight: Option<u32>,
    configured: Option<u32>,
    /// What should be in the kernel; nothing if it should not be there, or nobody knows.
    effective: Option<u32>,
    pub(in crate::cli) reasons: Vec<Reason>,
}

impl Explanation {
    /// One paragraph.
    pub(in crate::cli) fn text(&self) -> String {
        self.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub(in crate::cli) fn document(&self) -> Value {
        let Self { target: Target { service, destination }, name, weight, configured, effective, reasons } = self;
        let reason = |Reason { kind, text }: &Reason| json!({ "kind": kind, "text": text });
        json!({
            "service": service,
            "name": name,
            "destination": destination,
            "weight": weight,
            "configured": configured,
            "effective": effective,
            "reasons": reasons.iter().map(reason).collect::<Vec<_>>(),
            "text": self.text(),
        })
    }
}

/// Why the weight of a destination is what it is.
pub(in crate::cli) fn explain(picture: &Picture, target: Target) -> Explanation {
    let scene = Scene::new(picture, target);
    let mut told = Told::default();
    scene.tell(&mut told);
    Explanation {
        target,
        name: picture.name(&target.service).map(str::to_owned),
        weight: scene.live.map(|live| live.settings.weight),
        configured: scene.configured,
        effective: scene.wanted(),
        reasons: told.0,
    }
}

#[derive(Default)]
struct Told(Vec<Reason>);

impl Told {
    fn say(&mut self, kind: &'static str, text: impl Into<String>) {
        // Some of the words are a server's.
        self.0.push(Reason { kind, text: clean(&text.into()) });
    }
}

impl Scene<'_> {
    fn tell(&self, told: &mut Told) {
        self.head(told);
        if self.is_leaving() {
            self.leaving(told);
        } else if self.is_fallback {
            self.fallback(told);
        } else if self.configured.is_none() {
            self.nobodys(told);
        } else {
            self.configuration(told);
        }
        self.operator(told);
        self.source(told);
        self.health(told);
        self.ramp(told);
        self.difference(told);
        self.thresholds(told);
        self.surroundings(told);
    }

    fn head(&self, told: &mut Told) {
        let title = self.title();
        match self.weight() {
            Some(weight) => told.say("weight", format!("{title} has weight {weight} in the kernel.")),
            None if self.picture.live.services.contains_key(&self.key) => {
                told.say("absent", format!("{title} is not in the kernel's table."));
            }
            None => told.say("absent", format!("{title} is not in the kernel's table, and nor is the service.")),
        }
    }

    fn configuration(&self, told: &mut Told) {
        let Some(configured) = self.configured else { return };
        let text = match (configured, self.weight()) {
            (0, Some(0)) => {
                "So says the configuration: it gets no new connections, and those that it has go on.".into()
            }
            (_, Some(weight)) if weight == configured => "So says the configuration.".into(),
            _ => format!("The configuration says {configured}."),
        };
        told.say("configured", text);
    }

    fn fallback(&self, told: &mut Told) {
        let in_use = match self.of_service {
            Some(service) if service.fallback => "it is in use, for no other destination of the service has weight",
            Some(_) => "it is not in use, for others have weight",
            None if self.live.is_some() => "it is in use",
            None => "it is not in use",
        };
        told.say("fallback", format!("It is the fallback of the service: {in_use}."));
    }

    /// It is in the kernel and on its way out, or in the files' past.
    fn leaving(&self, told: &mut Told) {
        let left = self.live.map_or(0, connections);
        let until = match self.status.and_then(|status| status.drain) {
            Some(drain) => Some(drain.until),
            None => {
                let drains = self.picture.record.drains.get(&self.key);
                drains.and_then(|drains| drains.get(&self.destination)).map(|drain| drain.until)
            }
        };
        let until = match until {
            Some(until) => format!(", at {} ({} more) at the latest", clock(until, self.now), self.until(until)),
            None => String::new(),
        };
        let text = match left {
            0 => format!("It has no connections left, and is deleted{until}."),
            _ => format!("It drains: {}, and it is deleted when they have ended{until}.", self.left()),
        };
        told.say("leaving", format!("The configuration does not have it any more. {text}"));
    }

    /// It is in no configuration, and was put there by somebody else.
    fn nobodys(&self, told: &mut Told) {
        if self.picture.desired.is_none() && self.of_service.is_none() {
            let text = "Whether it is configured is not known, for the configuration is not good: see `ipvsd check`.";
            told.say("unknown", text);
        } else if self.picture.desired.as_ref().is_some_and(|desired| desired.manage.covers(&self.key)) {
            let text = "No configuration has it, and the files are the whole truth here (`manage`): a pass deletes it.";
            told.say("unwanted", text);
        } else if self.live.is_some() {
            let text = "No configuration has it, and ipvsd did not put it there: it is foreign, its weight is what \
                        somebody else has set, and ipvsd leaves it alone.";
            told.say("foreign", text);
        } else {
            told.say("unknown", "No configuration has it.");
        }
    }

    /// What was ordered by hand, but for health.
    fn operator(&self, told: &mut Told) {
        let Override { drained_since, weight, health: _ } = self.given;
        if let Some(WeightOverride { weight, since, until }) = weight {
            let instead = self.configured.map_or_else(String::new, |configured| format!(" instead of {configured}"));
            let time = self.time(since, until);
            let lifted = self.command("weight", " --reset");
            told.say(
                "weight_override",
                format!("An operator has set {weight}{instead}, {time}; {lifted} takes that back."),
            );
        }
        if let Some(since) = drained_since {
            let left = match self.live.map_or(0, connections) {
                0 => String::new(),
                _ => format!(", and {}", self.left()),
            };
            let lifted = self.command("undrain", "");
            let since = clock(since, self.now);
            told.say(
                "drained",
                format!(
                    "An operator has drained it since {since}: it gets no new connections{left}; {lifted} takes that back."
                ),
            );
            if self.live.is_some_and(|live| live.persistent_connections > 0) {
                let text = "What is persistent sends its clients here all the same, until they have been away for the \
                            service's persistence timeout (unless net.ipv4.vs.expire_quiescent_template is 1).";
                told.say("persistent", text);
            }
        }
    }

    fn time(&self, since: u64, until: Option<u64>) -> String {
        match until {
            Some(until) => format!("until {} ({} more)", clock(until, self.now), self.until(until)),
            None => format!("since {}", clock(since, self.now)),
        }
    }

    /// What it comes from.
    fn source(&self, told: &mut Told) {
        if let Some(quiesced) = self.status.and_then(|status| status.quiesced) {
            let why = quiesced.to_string();
            let why = why.strip_prefix("its").map_or(why.clone(), |rest| format!("Its{rest}"));
            told.say("quiesced", format!("{why}, and so it gets no new connections."));
        }
    }

    fn health(&self, told: &mut Told) {
        if self.is_fallback {
            return;
        }
        let plain = DestinationStatus::default();
        let status = self.status.unwrap_or(&plain);
        let DestinationStatus { health, checks, reason, since, flapping, .. } = status;
        let colon = if reason.is_empty() { "" } else { ": " };
        let since = since.map(|since| format!(" for {}", rough(self.now.saturating_sub(since)))).unwrap_or_default();
        if let Some(given) = self.given.health.filter(|_| !self.is_leaving()) {
            let time = self.time(given.since, given.until);
            let lifted = self.command("health", " auto");
            let besides = match checks {
                Some(checks) => format!(", whatever its checks say ({checks}{colon}{reason})"),
                None => String::new(),
            };
            let follows = if given.health == Forced::Down { self.follows_down() } else { "" };
            let health = given.health;
            told.say(
                "health_override",
                format!("An operator says that it is {health}{besides}, {time}{follows}; {lifted} takes that back."),
            );
            return;
        }
        match health {
            Some(Health::Down) if self.is_suspect() => told.say(
                "suspect",
                format!(
                    "Its checks say that it is down{since}{colon}{reason}. But so many of the service's destinations went \
                     down at once that the checker is suspected (panic_threshold): their weights are kept."
                ),
            ),
            Some(Health::Down) => {
                let flaps = if *flapping { " (it changes too often, and is held down)" } else { "" };
                let follows = self.follows_down();
                told.say("down", format!("It has been down{since}{flaps}{colon}{reason}{follows}."));
            }
            Some(Health::Unknown) => {
                let until = match self.on_down() {
                    OnDown::Quiesce if status.effective == 0 => ": until they do, it gets no connections",
                    OnDown::Delete if self.live.is_none() => ": until they do, it stays out of the table",
                    OnDown::Quiesce | OnDown::Delete | OnDown::Ignore => "",
                };
                told.say("unchecked", format!("Its checks have not spoken yet{until}."));
            }
            Some(Health::Up) if reason.is_empty() => told.say("up", format!("It has been up{since}.")),
            Some(Health::Up) => told.say("up", format!("It has been up{since}, but its last check failed: {reason}.")),
            None => self.unchecked(told),
        }
    }

    fn follows_down(&self) -> &'static str {
        match self.on_down() {
            OnDown::Quiesce => "; what is down gets weight 0, and its connections go on (on_down = \"quiesce\")",
            OnDown::Delete => "; what is down is taken out of the table (on_down = \"delete\")",
            OnDown::Ignore => "; what is down keeps its weight here (on_down = \"ignore\")",
        }
    }

    /// Nobody says anything of its health.
    fn unchecked(&self, told: &mut Told) {
        if self.configured.is_none() {
            return;
        }
        let checks = self.policy.and_then(|policy| policy.checks.get(&self.destination));
        let names: Vec<&str> = checks.iter().flat_map(|checks| &checks.list).map(|named| named.name.as_str()).collect();
        if names.is_empty() {
            told.say("no_checks", "It has no checks, and counts as up.");
        } else if self.picture.daemon.is_none() {
            let names = names.join(", ");
            let zero = match self.weight() {
                Some(0) if self.full() > 0 && !self.is_drained() => {
                    "; until one does, a weight of 0 stands for down, and stays"
                }
                _ => "",
            };
            told.say("no_daemon", format!("No daemon is running that would make its checks ({names}){zero}."));
        }
    }

    fn ramp(&self, told: &mut Told) {
        let Some((status, full)) = self.status.and_then(|status| Some((status, status.ramp_to?))) else { return };
        let effective = status.effective;
        let share = u64::from(effective) * 100 / u64::from(full.max(1));
        let length = self.policy.map(|policy| policy.slow_start.as_secs()).filter(|length| *length > 0);
        let length = length.map_or_else(String::new, |length| format!(", which takes {} in all", rough(length)));
        told.say("slow_start", format!("It is on its way up (slow_start): {effective} of {full}, {share} %{length}."));
    }

    /// Why the kernel has something else than it should.
    fn difference(&self, told: &mut Told) {
        let (wanted, weight) = (self.wanted(), self.weight());
        if let Some(Failing { destination, reason, tries, since, retry_at, .. }) = self.failing() {
            let what = if destination.is_some() { "it" } else { "its service" };
            let times = count(usize::try_from(*tries).unwrap_or(usize::MAX), "time");
            let next = rough(retry_at.saturating_sub(self.now));
            let since = clock(*since, self.now);
            let should = wanted.filter(|_| wanted != weight).map(|wanted| format!(" It should have weight {wanted}."));
            told.say(
                "failing",
                format!(
                    "The kernel does not do what it is asked for {what} ({times} since {since}, again in {next}): {reason}.{}",
                    should.unwrap_or_default()
                ),
            );
            return;
        }
        let Some(wanted) = wanted.filter(|wanted| weight != Some(*wanted) && !self.is_leaving()) else { return };
        if self.picture.daemon.is_none() && weight == Some(0) && self.is_checked() && !self.is_drained() {
            // Said already: it stands for down.
            return;
        }
        let left = self.picture.record.left_destination(&self.key, &self.destination);
        let who = if self.picture.daemon.is_some() { "the next pass" } else { "`ipvsd apply`" };
        match (left, weight) {
            (Some(left), Some(_)) if left.weight == wanted => told.say(
                "drift",
                format!("ipvsd had left it at {wanted}, and somebody else has changed it: that is drift, and {who} repairs it."),
            ),
            (Some(_), None) => told.say(
                "drift",
                format!("ipvsd had put it there, and somebody else has taken it away: that is drift, and {who} repairs it."),
            ),
            (_, Some(_)) => told.say("pending", format!("It should be {wanted}: {who} sees to that.")),
            (_, None) => told.say("pending", format!("It should be there with weight {wanted}: {who} adds it.")),
        }
    }

    /// The kernel gives no new connections to what has as many as it may have.
    fn thresholds(&self, told: &mut Told) {
        let Some(live) = self.live.filter(|live| live.settings.max_connections > 0) else { return };
        let has = u64::from(live.active_connections) + u64::from(live.inactive_connections);
        let most = live.settings.max_connections;
        if has >= u64::from(most) {
            told.say(
                "full",
                format!("It has {has} connections, and may have {most} (max_connections): the kernel gives it no more for now."),
            );
        }
    }

    /// What is so of all of it.
    fn surroundings(&self, told: &mut Told) {
        let Some(status) = self.picture.daemon_status() else {
            let text = "No daemon is running: nothing of this changes by itself.";
            if self.configured.is_some() || self.is_leaving() {
                told.say("no_daemon", text);
            }
            return;
        };
        if status.pass_at == 0 {
            told.say("no_pass", "The daemon has not ended its first pass yet.");
        }
        if let Some(trouble) = &status.trouble {
            let ago = rough(self.now.saturating_sub(status.pass_at));
            told.say("trouble", format!("The last pass, {ago} ago, came to nothing: {trouble}."));
        }
        if status.outdated {
            let text = "The files are refused (see `ipvsd check`), and what is in force is an older configuration.";
            told.say("outdated", text);
        }
    }
}

#[cfg(test)]
mod tests;
