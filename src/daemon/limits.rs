//! How many descriptors the daemon may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is needed besides checks: hooks, the control socket, netlink, the log.
const BESIDES: u64 = 128;
/// The connections of the HTTP side take so many.
const API: u64 = 1100;
/// A check that is a program takes so many; others take one.
const EACH: u64 = 3;

/// Takes as many as the system lets this process have. The usual 1024 are fewer than checks may need that run at the same
/// time, and to a check that gets none its destination seems to be down. What is said if that is too few is for the log.
pub(super) fn take_all(checks_at_once: usize, with_api: bool) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        return say_if_few(needed(checks_at_once, with_api), current);
    }
    say_if_few(needed(checks_at_once, with_api), maximum);
}

fn say_if_few(needed: u64, limit: Option<u64>) {
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        warn!(
            "ipvsd may have {limit} open files, and as many checks and connections at once as it is told may need {needed}: \
             raise LimitNOFILE, or lower daemon.checks_at_once"
        );
    }
}

fn needed(checks_at_once: usize, with_api: bool) -> u64 {
    let besides = BESIDES + if with_api { API } else { 0 };
    u64::try_from(checks_at_once).unwrap_or(u64::MAX).saturating_mul(EACH).saturating_add(besides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_it_may_have() {
        take_all(1000, true);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert!(needed(1000, false) > 1024);
        assert!(needed(0, true) > 1024);
    }
}
