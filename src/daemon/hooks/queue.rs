//! What waits for a run, and how often failures are told. No IO, no clock.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::document::Document;
use crate::model::ServiceKey;

/// So many events wait at most; what comes then is dropped.
pub(super) const QUEUE: usize = 1000;

/// And so many bytes: a million destinations that come back at once are no reason to run out of memory.
const BYTES: usize = 8 * 1024 * 1024;

/// Events in the order in which they came, and whom runs are about.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// What the runs are about. What is about no service stands in line with its kind.
    busy: BTreeSet<Option<ServiceKey>>,
    dropped: u64,
}

/// An event that waits, or whose run has started.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) document: Document,
    bytes: usize,
}

impl Queue {
    /// Queues what `make` makes, or counts it as dropped. An empty queue takes everything.
    pub(super) fn push(&mut self, make: impl FnOnce() -> Document) {
        if self.waiting.len() >= QUEUE || self.bytes >= BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let document = make();
        let bytes = document.size();
        self.bytes += bytes;
        self.waiting.push_back(Waiting { document, bytes });
    }

    /// The first that may start now, with `at_once` runs at most. It counts as running until it has
    /// [ended](Self::ended).
    pub(super) fn start(&mut self, at_once: usize) -> Option<Waiting> {
        if self.busy.len() >= at_once {
            return None;
        }
        let next = self.waiting.iter().position(|waiting| !self.busy.contains(&waiting.document.service))?;
        let waiting = self.waiting.remove(next)?;
        self.bytes -= waiting.bytes;
        self.busy.insert(waiting.document.service);
        Some(waiting)
    }

    pub(super) fn ended(&mut self, run: &Waiting) {
        self.busy.remove(&run.document.service);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn running(&self) -> usize {
        self.busy.len()
    }

    /// Forgets what waits, and says how many.
    pub(super) fn clear(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.waiting).len()
    }

    /// How many were dropped and not yet told of.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// So many in a period, and no more; what is kept back is counted.
#[derive(Debug)]
pub(super) struct Ration {
    each: u32,
    period: Duration,
    began: Option<Instant>,
    taken: u32,
    kept: u64,
}

impl Ration {
    pub(super) fn new(each: u32, period: Duration) -> Self {
        Self { each, period, began: None, taken: 0, kept: 0 }
    }

    /// Takes one: gives how many were kept back before it, or when there is the next one.
    pub(super) fn take(&mut self, now: Instant) -> Result<u64, Instant> {
        let began = match self.began {
            Some(began) if now.saturating_duration_since(began) < self.period => began,
            _ => {
                (self.began, self.taken) = (Some(now), 0);
                now
            }
        };
        if self.taken >= self.each {
            self.kept = self.kept.saturating_add(1);
            return Err(began + self.period);
        }
        self.taken += 1;
        Ok(std::mem::take(&mut self.kept))
    }

    /// As if the period were over.
    #[cfg(test)]
    pub(super) fn renew(&mut self) {
        self.began = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(service: u8, text: &str) -> Document {
        let service = (service > 0).then(|| format!("tcp://192.0.2.{service}:80").parse().unwrap());
        Document { event: "destination_up", service, about: Vec::new(), text: text.into() }
    }

    fn start(queue: &mut Queue, at_once: usize) -> Option<(String, Waiting)> {
        let waiting = queue.start(at_once)?;
        Some((String::from_utf8(waiting.document.text.clone()).unwrap(), waiting))
    }

    #[test]
    fn starts_in_order_but_one_of_a_service_at_a_time() {
        let mut queue = Queue::default();
        for (service, text) in [(1, "a"), (1, "b"), (2, "c"), (0, "d"), (0, "e"), (1, "f"), (3, "g")] {
            queue.push(|| about(service, text));
        }
        let (text, a) = start(&mut queue, 3).unwrap();
        assert_eq!(text, "a");
        assert_eq!(start(&mut queue, 3).unwrap().0, "c");
        let (text, d) = start(&mut queue, 3).unwrap();
        assert_eq!(text, "d");
        assert!(queue.start(3).is_none());
        assert_eq!((queue.len(), queue.running()), (4, 3));
        queue.ended(&a);
        let (text, b) = start(&mut queue, 3).unwrap();
        assert_eq!(text, "b");
        assert!(queue.start(2).is_none());
        assert_eq!(start(&mut queue, 9).unwrap().0, "g");
        assert!(queue.start(9).is_none());
        queue.ended(&b);
        queue.ended(&d);
        assert_eq!(start(&mut queue, 9).unwrap().0, "e");
        assert_eq!(start(&mut queue, 9).unwrap().0, "f");
        assert_eq!((queue.len(), queue.bytes), (0, 0));
    }

    #[test]
    fn drops_the_newest_and_counts() {
        let mut queue = Queue::default();
        for number in 0..QUEUE + 7 {
            queue.push(|| about(1, &number.to_string()));
        }
        assert_eq!((queue.len(), queue.dropped()), (QUEUE, 7));
        queue.push(|| unreachable!("nothing is made for what is dropped"));
        assert_eq!((queue.take_dropped(), queue.dropped()), (8, 0));
        assert_eq!(start(&mut queue, 1).unwrap().0, "0");
        assert_eq!(queue.clear(), QUEUE - 1);

        let much = "x".repeat(BYTES / 4);
        (0..6).for_each(|_| queue.push(|| about(2, &much)));
        assert_eq!((queue.len(), queue.dropped()), (4, 2));
    }

    #[test]
    fn a_ration_is_so_many_in_a_period() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ration = Ration::new(2, Duration::from_secs(60));
        assert_eq!(ration.take(at(0)), Ok(0));
        assert_eq!(ration.take(at(30)), Ok(0));
        assert_eq!(ration.take(at(31)), Err(at(60)));
        assert_eq!(ration.take(at(59)), Err(at(60)));
        assert_eq!(ration.take(at(60)), Ok(2));
        assert_eq!(ration.take(at(200)), Ok(0));
        assert_eq!(ration.take(at(200)), Ok(0));
        assert_eq!(ration.take(at(259)), Err(at(260)));
        // A clock that goes back.
        assert_eq!(ration.take(at(100)), Err(at(260)));
    }
}
