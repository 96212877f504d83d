//! What is lent to clients for a while: so much to all of them together, and half of that to one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::rate::Client;

/// Bytes, or whatever is counted.
#[derive(Debug)]
pub(super) struct Purse {
    most: usize,
    lent: Mutex<Lent>,
}

#[derive(Debug, Default)]
struct Lent {
    all: usize,
    /// The most that it was since somebody asked.
    high: usize,
    /// Only those who have something.
    of: HashMap<Client, usize>,
}

/// What one request has of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Loan {
    purse: Arc<Purse>,
    client: Client,
    size: usize,
}

impl Purse {
    pub(super) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { most, lent: Mutex::default() })
    }

    /// Nothing yet, to be added to.
    pub(super) fn loan(self: &Arc<Self>, client: Client) -> Loan {
        Loan { purse: Arc::clone(self), client, size: 0 }
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        // It is whole after each of its uses.
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so much more was lent than is now, and twice as much. That is said once.
    pub(super) fn has_sunk(&self, by: usize) -> bool {
        let mut lent = self.lent();
        let has_sunk = lent.high - lent.all >= by && lent.all <= lent.high / 2;
        if has_sunk {
            lent.high = lent.all;
        }
        has_sunk
    }

    /// Whether nobody has anything of it.
    pub(super) fn is_whole(&self) -> bool {
        self.lent().all == 0
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> usize {
        self.lent().all
    }
}

impl Loan {
    /// Takes so much more, if it is there. What is larger than all that may be lent has its chance when nothing else is.
    pub(super) fn take(&mut self, more: usize) -> bool {
        let Purse { most, .. } = *self.purse;
        let mut lent = self.purse.lent();
        let its = lent.of.get(&self.client).copied().unwrap_or(0);
        let fits = |had: usize, most: usize| had == 0 || had.saturating_add(more) <= most;
        if !fits(lent.all, most) || !fits(its, most / 2) {
            return false;
        }
        // Neither can overflow: one that is alone is the first, and all others fit.
        lent.all += more;
        lent.high = lent.high.max(lent.all);
        lent.of.insert(self.client, its + more);
        drop(lent);
        self.size += more;
        true
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut lent = self.purse.lent();
        lent.all -= self.size;
        if let Some(its) = lent.of.get_mut(&self.client) {
            *its -= self.size;
            if *its == 0 {
                lent.of.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(purse: &Arc<Purse>, client: u8, size: usize) -> Option<Loan> {
        let mut loan = purse.loan(Client::of([192, 0, 2, client].into()));
        loan.take(size).then_some(loan)
    }

    #[test]
    fn one_client_gets_half_and_all_get_all() {
        let purse = Purse::of(100);
        let first = [take(&purse, 1, 30).unwrap(), take(&purse, 1, 20).unwrap()];
        assert!(take(&purse, 1, 1).is_none(), "half of it");
        let _second = take(&purse, 2, 50).unwrap();
        assert!(take(&purse, 3, 1).is_none(), "that is all");
        drop(first);
        assert!(take(&purse, 3, 50).is_some());
    }

    #[test]
    fn what_is_larger_has_its_chance_and_all_comes_back() {
        let purse = Purse::of(100);
        let large = take(&purse, 1, usize::MAX).unwrap();
        assert!(take(&purse, 2, 1).is_none());
        drop(large);
        assert!(take(&purse, 1, 60).is_some(), "one alone may be more than its half");
        let mut loan = purse.loan(Client::Other);
        assert!(loan.take(30) && loan.take(20) && !loan.take(1));
        drop(loan);
        assert_eq!((purse.all(), purse.lent().of.len()), (0, 0));
    }

    #[test]
    fn what_was_lent_is_remembered_until_somebody_asks() {
        let purse = Purse::of(100);
        let (first, second) = (take(&purse, 1, 40).unwrap(), take(&purse, 2, 40).unwrap());
        assert!(!purse.has_sunk(30) && !purse.is_whole(), "it is all still lent");
        drop(first);
        assert!(!purse.has_sunk(60) && purse.has_sunk(30) && !purse.has_sunk(30));
        drop(second);
        assert!(purse.has_sunk(30) && !purse.has_sunk(30) && purse.is_whole());
    }
}
