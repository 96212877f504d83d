//! When the loop says that it goes on: always, while it does, and never while it hangs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};

use super::*;
use crate::reconcile::notice::{Listener, Notice};

/// Far longer than anything takes that is waited for.
const WITHIN: Duration = Duration::from_secs(60);

/// Files of which somebody holds on to the second reading.
struct Slow {
    entered: Sender<()>,
    free: Receiver<()>,
}

impl ConfigSource for Slow {
    fn load(&mut self, _: bool) -> Config {
        self.entered.send(()).unwrap();
        self.free.recv().unwrap();
        Config::Unchanged
    }

    fn changed(&mut self) -> bool {
        false
    }

    fn poll(&self) -> Option<Duration> {
        None
    }
}

/// Counts, and asks to be told again soon.
struct Pulse {
    beats: Arc<AtomicUsize>,
    each: Sender<()>,
}

impl Listener for Pulse {
    fn notice(&mut self, _: &Notice) {}

    fn rests(&mut self, _: Instant) -> Option<Duration> {
        self.beats.fetch_add(1, Ordering::SeqCst);
        self.each.send(()).unwrap_or_default();
        Some(Duration::from_millis(1))
    }
}

#[test]
fn it_says_so_while_nothing_happens_and_in_a_flood_and_not_while_it_hangs() {
    let beats = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&beats);
    let (each, beating) = channel();
    let (entered, entering) = channel();
    let (release, free) = channel();
    let (wake, events) = channel();
    let looping = std::thread::spawn(move || {
        let mut players = Players::default();
        let company = Company {
            source: &mut Slow { entered, free },
            store: &mut players.store,
            overrides: &mut players.overrides,
            checker: &mut players.checker,
            listener: &mut Pulse { beats: counted, each },
            host: &mut players.host,
            board: &mut players.nobody.1,
        };
        let wanted = Desired { resync: WITHIN * 60, ..desired(&[]) };
        let first = (wanted, Record::default());
        Loop::new(&mut players.ipvs, company, first, moment(Instant::now())).run(&events, &Now::read);
    });
    for _ in 0..3 {
        beating.recv_timeout(WITHIN).unwrap();
    }
    // One SIGHUP, and the reading of the files does not come back.
    wake.send(Event::Reload).unwrap();
    entering.recv_timeout(WITHIN).unwrap();
    let stuck_at = beats.load(Ordering::SeqCst);
    // More events do not help it.
    for _ in 0..5000 {
        wake.send(Event::Health).unwrap();
    }
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(beats.load(Ordering::SeqCst), stuck_at, "it hangs, and says that it goes on");
    while beating.try_recv().is_ok() {}
    // It comes back to five thousand events: it gets round between them.
    release.send(()).unwrap();
    for _ in 0..5 {
        beating.recv_timeout(WITHIN).unwrap();
    }
    wake.send(Event::Stop).unwrap();
    looping.join().unwrap();
}

#[test]
fn it_waits_for_what_is_due_where_nobody_wants_to_hear_of_it() {
    let start = Instant::now();
    let mut players = Players::default();
    let mut looping = players.looping(desired(&[]), start);
    assert_eq!(looping.rest(start), looping.idle(start));
    assert_eq!(looping.rest(start), Duration::from_secs(30));
}
