//! The checks of a draft: each once, and such as a configuration can have.

use std::time::Duration;

use super::names::{Names, plain};
use super::report::{Place, Report};
use crate::config::{DraftCheck, objection_to_check};
use crate::model::{Check, Probe, Timing, Via};

const SHORTEST: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MOST_IN_A_ROW: u32 = 100;

/// The checks that have been found so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    names: Names,
    pub list: Vec<DraftCheck>,
}

/// When the other program runs a check, in its words.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub interval: Duration,
    pub timeout: Duration,
    /// What passes until it is asked again after a failure.
    pub retry_after: Option<Duration>,
    /// So many failures in a row count.
    pub fall: u32,
}

/// A check that connects where the destination is.
pub(super) fn check(probe: Probe, timing: Timing) -> Check {
    Check { probe, timing, address: None, port: None, via: Via::default(), flap: None }
}

impl When {
    /// The same for ipvsd, which counts intervals from start to start, and has no run that is longer than an interval.
    /// `said` gets the words for comments.
    pub(super) fn timing(self, place: &Place, report: &mut Report, said: &mut Vec<String>) -> Timing {
        let interval = self.interval.clamp(SHORTEST, DAY);
        let mut timeout = self.timeout.clamp(Duration::from_millis(1), DAY);
        if timeout > interval {
            let message = format!(
                "a check of ipvsd takes no longer than its interval: the timeout of {} is written as {}",
                seconds(timeout),
                seconds(interval)
            );
            said.push(report.warn(place, message, "if servers may take longer, write a longer interval and timeout"));
            timeout = interval;
        }
        let mut fall = self.fall.max(1);
        if fall > MOST_IN_A_ROW {
            let message = format!("{fall} failures in a row are written as {MOST_IN_A_ROW}, the most that there is");
            said.push(report.warn(place, message, "if it is to take longer still, write a longer interval"));
            fall = MOST_IN_A_ROW;
        }
        let fast = self.retry_after.map(|after| after.max(timeout).max(SHORTEST));
        let fast_interval = fast.filter(|fast| *fast < interval && fall > 1);
        Timing {
            interval,
            timeout,
            rise: 1,
            fall,
            jitter: 10,
            fast_interval,
            down_interval: None,
            down_after: Duration::from_secs(60),
        }
    }
}

/// A duration in words.
pub(super) fn seconds(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("{} s", time.as_secs()) } else { format!("{} s", time.as_secs_f64()) }
}

impl Checks {
    /// The name of such a check, to which `comments` belong. If no configuration can have it, that is said, and the words are
    /// those for a comment: the destination is up then, whatever happens.
    pub(super) fn name(
        &mut self,
        wanted: &str,
        check: Check,
        comments: Vec<String>,
        place: &Place,
        report: &mut Report,
    ) -> Result<String, String> {
        if let Some(same) = self.list.iter_mut().find(|other| other.check == check) {
            for comment in comments {
                // The same of another line says nothing new.
                let words = |text: &str| text.split_once(": ").map(|(_, words)| words.to_owned());
                if !same.comments.iter().any(|other| words(other) == words(&comment)) {
                    same.comments.push(comment);
                }
            }
            return Ok(same.name.clone());
        }
        if let Some((why, help)) = objection_to_check(&check) {
            return Err(report.error(place, format!("the check is left out: {why}"), help));
        }
        let wanted = plain(wanted);
        // Those two names are ipvsd's own.
        let name = self.names.take(&if matches!(wanted.as_str(), "tcp" | "none") {
            format!("check-{wanted}")
        } else {
            wanted
        });
        self.list.push(DraftCheck { name: name.clone(), comments, check });
        Ok(name)
    }
}

/// One echo request, by the program that has the right to send it.
pub(super) fn ping(address: std::net::IpAddr, timeout: Duration) -> Probe {
    let wait = timeout.as_secs().max(1).to_string();
    let argv = ["/usr/bin/ping", "-n", "-q", "-c", "1", "-W", &wait, &address.to_string()];
    Probe::Exec { argv: argv.iter().map(|word| (*word).to_owned()).collect() }
}
