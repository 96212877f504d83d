//! Walks over sorted maps in step.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;

/// A key with what is live and what is wanted under it.
pub(super) enum Joined<'a, K, L, W> {
    Live(&'a K, &'a L),
    Wanted(&'a K, &'a W),
    Both(&'a K, &'a L, &'a W),
}

impl<'a, K, L, W> Joined<'a, K, L, W> {
    pub(super) fn key(&self) -> &'a K {
        match self {
            Joined::Live(key, _) | Joined::Wanted(key, _) | Joined::Both(key, ..) => key,
        }
    }
}

/// The merge-join of two sorted maps: every key of either, once, in order. Nothing is allocated.
pub(super) struct Join<'a, K, L, W> {
    live: Peekable<btree_map::Iter<'a, K, L>>,
    wanted: Peekable<btree_map::Iter<'a, K, W>>,
}

/// Joins two maps.
pub(super) fn join<'a, K: Ord, L, W>(live: &'a BTreeMap<K, L>, wanted: &'a BTreeMap<K, W>) -> Join<'a, K, L, W> {
    Join { live: live.iter().peekable(), wanted: wanted.iter().peekable() }
}

impl<'a, K: Ord, L, W> Iterator for Join<'a, K, L, W> {
    type Item = Joined<'a, K, L, W>;

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

/// Look-ups in a sorted map, of keys in rising order: all of them together walk over it once.
pub(super) struct Follow<I: Iterator>(Peekable<I>);

impl<'a, K: Ord + 'a, V: 'a, I: Iterator<Item = (&'a K, &'a V)>> Follow<I> {
    pub(super) fn new(entries: I) -> Self {
        Self(entries.peekable())
    }

    /// What is there under `key`, which lies behind the one of the last call.
    pub(super) fn find(&mut self, key: &K) -> Option<&'a V> {
        loop {
            match self.0.peek()?.0.cmp(key) {
                Ordering::Less => drop(self.0.next()),
                Ordering::Equal => return self.0.next().map(|(_, value)| value),
                Ordering::Greater => return None,
            }
        }
    }
}
