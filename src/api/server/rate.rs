//! How many writes a client gets through: a bucket for each, which fills again as fast as it may write.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

/// Whoever writes, as far as the server can tell clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Client {
    /// By its address; of IPv6 by its network, as one host has many of those.
    Ip(IpAddr),
    /// By its user, over a unix socket.
    User(u32),
    /// Everybody else, together.
    Other,
}

impl Client {
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Ip(match address.to_canonical() {
            // Whoever is on this host has 16 million of them.
            IpAddr::V4(address) if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) if address.is_loopback() => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// So many clients are told apart; the rest has one bucket.
const MOST_CLIENTS: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Writes that are left, in fractions.
    left: f64,
    at: Instant,
}

/// The buckets.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<Client, Bucket>);

impl Rates {
    /// Whether this client may write now, which takes one of its writes.
    pub(super) fn take(&mut self, client: Client, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second.max(1));
        let filled =
            |bucket: &Bucket| (bucket.left + now.saturating_duration_since(bucket.at).as_secs_f64() * most).min(most);
        let client = if self.0.contains_key(&client) || self.has_room(|bucket| filled(bucket) >= most) {
            client
        } else {
            Client::Other
        };
        let bucket = self.0.entry(client).or_insert(Bucket { left: most, at: now });
        let left = filled(bucket);
        let may = left >= 1.0;
        *bucket = Bucket { left: if may { left - 1.0 } else { left }, at: now };
        may
    }

    /// Whether one more can be told apart, now that those are forgotten who have all of their writes left.
    fn has_room(&mut self, is_full: impl Fn(&Bucket) -> bool) -> bool {
        if self.0.len() >= MOST_CLIENTS {
            self.0.retain(|client, bucket| *client == Client::Other || !is_full(bucket));
        }
        self.0.len() < MOST_CLIENTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client(number: u32) -> Client {
        Client::of(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let mut taken = |at: u64, tries: u32| {
            let now = start + Duration::from_millis(at);
            (0..tries).filter(|_| rates.take(client(1), 5, now)).count()
        };
        assert_eq!(taken(0, 100), 5);
        assert_eq!(taken(100, 100), 0);
        assert_eq!(taken(200, 100), 1);
        assert_eq!(taken(1_000, 100), 4);
        assert_eq!(taken(60_000, 100), 5, "no more than the burst is saved up");
    }

    #[test]
    fn one_client_does_not_take_the_writes_of_another() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        while rates.take(client(1), 3, now) {}
        assert!(rates.take(client(2), 3, now));
        assert!(rates.take(Client::User(0), 3, now));
        assert!(!rates.take(client(1), 3, now));
    }

    #[test]
    fn many_clients_take_no_more_memory() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let taken = (0..100_000).filter(|number| rates.take(client(*number), 2, now)).count();
        assert!(rates.0.len() <= MOST_CLIENTS + 1, "{}", rates.0.len());
        assert!(taken <= MOST_CLIENTS + 2, "the rest has one bucket: {taken}");
        let later = now + Duration::from_secs(2);
        assert!((0..1000).all(|number| rates.take(client(number + 200_000), 2, later)), "those who rest are forgotten");
    }

    #[test]
    fn a_network_is_one_client() {
        let of = |text: &str| Client::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("::1"), of("::"));
        assert_eq!(of("127.0.0.1"), of("127.1.2.3"), "this host is one client, whatever it calls itself");
    }
}
