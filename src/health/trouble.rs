//! What looks like our own trouble: a kind of check that begins to fail everywhere at once. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// With fewer destinations it may well be them.
const FEWEST: usize = 3;

/// A check of a destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// `tcp`, `http`, …
    pub(super) kind: &'static str,
    pub(super) destination: IpAddr,
    /// Since when its results are bad, if they are and have made it down.
    pub(super) failing_since: Option<Instant>,
    /// What begins to fail within so long of each other begins at once.
    pub(super) window: Duration,
}

#[derive(Debug)]
struct Kind {
    destinations: BTreeSet<IpAddr>,
    first: Instant,
    last: Instant,
    window: Duration,
}

/// A sentence for each kind of check that fails for all of at least three destinations, where all of them began to
/// fail at once.
pub(super) fn sentences(samples: impl IntoIterator<Item = Sample>) -> Vec<String> {
    // A kind that is well somewhere has nothing here.
    let mut kinds: BTreeMap<&'static str, Option<Kind>> = BTreeMap::new();
    for Sample { kind, destination, failing_since, window } in samples {
        let Some(since) = failing_since else {
            kinds.insert(kind, None);
            continue;
        };
        let new = || Some(Kind { destinations: BTreeSet::new(), first: since, last: since, window });
        if let Some(seen) = kinds.entry(kind).or_insert_with(new) {
            seen.destinations.insert(destination);
            seen.first = seen.first.min(since);
            seen.last = seen.last.max(since);
            seen.window = seen.window.max(window);
        }
    }
    let everywhere = kinds.into_iter().filter_map(|(kind, seen)| Some((kind, seen?)));
    everywhere
        .filter(|(_, seen)| seen.destinations.len() >= FEWEST && seen.last - seen.first <= seen.window)
        .map(|(kind, seen)| {
            let (count, apart) = (seen.destinations.len(), (seen.last - seen.first).as_secs() + 1);
            format!(
                "every {kind} check fails, on all {count} addresses that have one, and all began within {apart}s: \
                 this looks like trouble of this host or its network, not of the destinations"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn samples(kind: &'static str, begin: Instant, since: &[Option<u32>]) -> Vec<Sample> {
        let sample = |(index, since): (usize, &Option<u32>)| Sample {
            kind,
            destination: IpAddr::from([10, 0, 0, index as u8]),
            failing_since: since.map(|since| begin + since * SECOND),
            window: 8 * SECOND,
        };
        since.iter().enumerate().map(sample).collect()
    }

    #[test]
    fn a_kind_that_fails_everywhere_at_once_is_our_own_trouble() {
        let begin = Instant::now();
        let found = sentences(samples("http", begin, &[Some(2), Some(0), Some(8)]));
        assert_eq!(
            found,
            ["every http check fails, on all 3 addresses that have one, and all began within 9s: this looks like \
              trouble of this host or its network, not of the destinations"]
        );
    }

    #[test]
    fn anything_less_is_not() {
        let begin = Instant::now();
        for (why, since) in [
            ("nothing is checked", vec![]),
            ("one is well", vec![Some(0), Some(0), None, Some(0)]),
            ("the first is well", vec![None, Some(0), Some(0), Some(0)]),
            ("two may be chance", vec![Some(0), Some(0)]),
            ("they went one after another", vec![Some(0), Some(4), Some(9)]),
        ] {
            assert_eq!(sentences(samples("http", begin, &since)), Vec::<String>::new(), "{why}");
        }
    }

    #[test]
    fn three_checks_of_one_address_are_one() {
        let mut same = samples("http", Instant::now(), &[Some(0), Some(0), Some(0)]);
        same.iter_mut().for_each(|sample| sample.destination = IpAddr::from([10, 0, 0, 1]));
        assert_eq!(sentences(same), Vec::<String>::new());
    }

    #[test]
    fn kinds_stand_for_themselves() {
        let begin = Instant::now();
        let mut both = samples("exec", begin, &[Some(0), Some(0), Some(0)]);
        both.extend(samples("tcp", begin, &[None, None, None]));
        let found = sentences(both);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("every exec check fails"), "{found:?}");
    }
}
