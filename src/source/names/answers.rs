//! What names stand for, as far as that is known.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::model::Family;

/// The addresses of names, in order: the first is the one that was the first for longest.
pub type Answers = BTreeMap<String, Vec<IpAddr>>;

/// A name has so many addresses; more are left out.
const MOST: usize = 256;

/// What an answer makes of what was known.
#[derive(Debug, PartialEq, Eq)]
pub struct Learnt {
    pub addresses: Vec<IpAddr>,
    /// What is wrong with the answer, in words.
    pub remark: Option<String>,
}

/// What is known after an answer. Addresses that stay keep their order, however a server turns it round. And of a family that a
/// name had addresses of, the last stay if it has none any more: one record may be served badly, and the other well.
pub fn learn(before: &[IpAddr], found: &[IpAddr]) -> Learnt {
    let (usable, useless): (Vec<IpAddr>, Vec<IpAddr>) = found.iter().map(IpAddr::to_canonical).partition(is_usable);
    let mut remark =
        useless.first().map(|address| format!("it stands for {address} as well, which is not taken for a destination"));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for family in [Family::V4, Family::V6] {
        let of_family = |address: &&IpAddr| Family::of(**address) == family;
        let known = before.iter().filter(of_family);
        if usable.iter().any(|address| of_family(&address)) {
            addresses.extend(known.filter(|address| usable.contains(address)));
        } else if before.iter().any(|address| of_family(&address)) {
            addresses.extend(known);
            remark = Some(format!("it has no {} address any more: the last ones stay", family.word()));
        }
    }
    for address in usable {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.len() > MOST {
        remark = Some(format!("it has {} addresses: the first {MOST} of them are taken", addresses.len()));
        addresses.truncate(MOST);
    }
    Learnt { addresses, remark }
}

/// The kernel takes no others: `ip_vs_new_dest`. But it would take link-local ones of IPv4, and this host's own: whoever means that writes the address, and what a
/// name says of it is a file of hosts that calls this one 127.0.1.1, or a resolver that has gone astray.
fn is_usable(address: &IpAddr) -> bool {
    if address.is_loopback() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local()),
    }
}

/// How it stands with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// When it was looked up well last.
    pub known_at: Option<Instant>,
    /// Why it is not as it should be, and since when.
    pub trouble: Option<(String, Instant)>,
}

#[derive(Debug, Default)]
struct Seen {
    answers: Arc<Answers>,
    /// Of all names that are looked up.
    conditions: BTreeMap<String, Condition>,
}

/// What is known, for whoever asks. A clone is the same.
#[derive(Clone, Default)]
pub struct Window(Arc<Mutex<Seen>>);

impl Window {
    /// One that shows what was known before.
    pub fn new(answers: Answers) -> Self {
        Self(Arc::new(Mutex::new(Seen { answers: Arc::new(answers), ..Seen::default() })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        // Whoever held it did nothing but copy, or replace what is whole at any time.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn answers(&self) -> Arc<Answers> {
        self.with(|seen| Arc::clone(&seen.answers))
    }

    /// Each name that is looked up, with what it stands for.
    pub fn view(&self) -> Vec<(String, Condition, Vec<IpAddr>)> {
        self.with(|seen| {
            let of = |(host, condition): (&String, &Condition)| {
                (host.clone(), condition.clone(), seen.answers.get(host).cloned().unwrap_or_default())
            };
            seen.conditions.iter().map(of).collect()
        })
    }

    #[cfg(test)]
    pub(crate) fn tell(&self, answers: Answers) {
        self.with(|seen| seen.answers = Arc::new(answers));
    }

    pub(super) fn put(&self, answers: Arc<Answers>, conditions: BTreeMap<String, Condition>) {
        self.with(|seen| *seen = Seen { answers, conditions });
    }
}
