//! The merge-join of two sorted maps: every key of either, once, in order.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

/// A key with what is live and what is wanted under it.
pub(super) enum Joined<'a, K, V> {
    Live(&'a K, &'a V),
    Wanted(&'a K, &'a V),
    Both(&'a K, &'a V, &'a V),
}

/// Walks over the union of the keys; nothing is allocated.
pub(super) struct Join<'a, K, V> {
    live: Peekable<btree_map::Iter<'a, K, V>>,
    wanted: Peekable<btree_map::Iter<'a, K, V>>,
}

/// Joins two maps.
pub(super) fn join<'a, K: Ord, V>(live: &'a BTreeMap<K, V>, wanted: &'a BTreeMap<K, V>) -> Join<'a, K, V> {
    Join { live: live.iter().peekable(), wanted: wanted.iter().peekable() }
}

impl<'a, K: Ord, V> Iterator for Join<'a, K, V> {
    type Item = Joined<'a, K, V>;

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.live.peek(), self.wanted.peek()) {
            (Some((live, _)), Some((wanted, _))) => live.cmp(wanted),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        match order {
            Ordering::Less => self.live.next().map(|(key, live)| Joined::Live(key, live)),
            Ordering::Greater => self.wanted.next().map(|(key, wanted)| Joined::Wanted(key, wanted)),
            Ordering::Equal => {
                let (key, live) = self.live.next()?;
                let (_, wanted) = self.wanted.next()?;
                Some(Joined::Both(key, live, wanted))
            }
        }
    }
}
