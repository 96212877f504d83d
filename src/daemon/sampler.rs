//! Reads what the kernel counts, while there is somebody to read it for.
//!
//! A thread with a socket of its own, so that neither the loop nor whoever asks waits for the kernel. It reads every two seconds
//! while somebody has asked within half a minute, every ten for five minutes more (a scrape a minute finds counters that are
//! fresh), and then sleeps. A read that takes long makes it rest longer: it never works more than a twentieth of the time.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::warn;

use crate::api::Sample;
use crate::ipvs::{Error, Ipvs};

const OFTEN: Duration = Duration::from_secs(2);
const WHILE_WATCHED: Duration = Duration::from_secs(30);
const SELDOM: Duration = Duration::from_secs(10);
const FOR_A_WHILE: Duration = Duration::from_secs(5 * 60);
/// Of so many parts of the time it works in one.
const PARTS: u32 = 20;

/// The thread. Ends with the value.
pub struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Has the counters kept fresh, and gets them. A clone is of the same thread.
#[derive(Debug, Clone, Default)]
pub struct SampleReader(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    sample: Arc<Sample>,
    /// When somebody asked last.
    asked: Option<Instant>,
    ending: bool,
}

impl SampleReader {
    /// What was read last; at first, nothing.
    pub fn get(&self) -> Arc<Sample> {
        let mut state = self.0.state();
        state.asked = Some(Instant::now());
        let sample = Arc::clone(&state.sample);
        drop(state);
        self.0.changed.notify_one();
        sample
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever held it did nothing but copy or replace what is in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sampler {
    /// Starts the thread, which opens its socket when somebody asks for the first time.
    pub fn start(open: impl FnMut() -> Result<Box<dyn Ipvs>, Error> + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("ipvsd-sample".to_owned()).spawn(move || work(&of_thread, open))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub fn reader(&self) -> SampleReader {
        SampleReader(Arc::clone(&self.shared))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.state().ending = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A read of the kernel has its own deadline. A panic was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, mut open: impl FnMut() -> Result<Box<dyn Ipvs>, Error>) {
    let mut kernel: Option<Box<dyn Ipvs>> = None;
    let mut read: Option<(Instant, Duration)> = None;
    let mut said = false;
    loop {
        let mut state = shared.state();
        loop {
            if state.ending {
                return;
            }
            let now = Instant::now();
            state = match wait(state.asked, read, now) {
                Some(Duration::ZERO) => break,
                Some(wait) => shared.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        drop(state);
        let started = Instant::now();
        let ipvs = match &mut kernel {
            Some(ipvs) => Ok(ipvs),
            none => open().map(|ipvs| none.insert(ipvs)),
        };
        match ipvs.and_then(|ipvs| ipvs.read()) {
            Ok(live) => {
                said = false;
                let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_millis());
                let sample = Arc::new(Sample { unix_ms: u64::try_from(unix_ms).unwrap_or(u64::MAX), live });
                let before = std::mem::replace(&mut shared.state().sample, sample);
                // A large one takes a while to free, which is nobody's wait.
                drop(before);
            }
            Err(error) => {
                kernel = None;
                if !std::mem::replace(&mut said, true) {
                    warn!("what the kernel counts cannot be read, and is shown as it was: {error}");
                }
            }
        }
        let now = Instant::now();
        read = Some((now, now - started));
    }
}

/// How long until the next read, if there is to be one: `asked` last, `read` last at that time, taking so long.
fn wait(asked: Option<Instant>, read: Option<(Instant, Duration)>, now: Instant) -> Option<Duration> {
    let since = now.saturating_duration_since(asked?);
    let Some((at, took)) = read else { return Some(Duration::ZERO) };
    let pause = match since {
        since if since <= WHILE_WATCHED => OFTEN,
        since if since <= FOR_A_WHILE => SELDOM,
        _ => return None,
    };
    Some((at + pause.max(took * (PARTS - 1))).saturating_duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::Fake;
    use std::sync::mpsc;

    const AMPLE: Duration = Duration::from_secs(20);

    #[test]
    fn it_reads_often_while_watched_seldom_for_a_while_and_then_not_at_all() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let quick = Duration::from_millis(1);
        let pause = |asked: u64, now: u64| wait(Some(at(asked)), Some((at(now), quick)), at(now));
        assert_eq!(wait(None, None, at(0)), None, "nobody has asked");
        assert_eq!(wait(Some(at(0)), None, at(0)), Some(Duration::ZERO));
        assert_eq!(pause(0, 29), Some(OFTEN));
        assert_eq!(pause(0, 31), Some(SELDOM));
        assert_eq!(pause(0, 299), Some(SELDOM));
        assert_eq!(pause(0, 301), None);
        let old = wait(Some(at(400)), Some((at(300), quick)), at(400));
        assert_eq!(old, Some(Duration::ZERO), "whoever asks again is not kept waiting");
        let slow = Duration::from_secs(1);
        assert_eq!(wait(Some(at(9)), Some((at(9), slow)), at(9)), Some(slow * 19), "a large table is read less often");
    }

    #[test]
    fn whoever_asks_has_it_read_and_the_end_ends_it() {
        let (opened, openings) = mpsc::channel();
        let sampler = Sampler::start(move || {
            opened.send(()).unwrap();
            Ok(Box::new(Fake::new()))
        })
        .unwrap();
        assert!(openings.recv_timeout(Duration::from_millis(50)).is_err(), "nobody has asked yet");
        let reader = sampler.reader();
        assert_eq!(reader.get().unix_ms, 0);
        openings.recv_timeout(AMPLE).unwrap();
        let started = Instant::now();
        while reader.get().unix_ms == 0 {
            assert!(started.elapsed() < AMPLE);
            thread::sleep(Duration::from_millis(1));
        }
        drop(sampler);
        assert!(reader.get().unix_ms > 0, "what was read stays");
    }

    #[test]
    fn what_fails_is_tried_again() {
        let (opened, openings) = mpsc::channel();
        let mut fails = true;
        let sampler = Sampler::start(move || {
            opened.send(()).unwrap();
            let mut fake = Fake::new();
            if std::mem::take(&mut fails) {
                fake.fail_next(Error::Protocol("on purpose".into()));
            }
            Ok(Box::new(fake))
        })
        .unwrap();
        let reader = sampler.reader();
        reader.get();
        openings.recv_timeout(AMPLE).unwrap();
        openings.recv_timeout(AMPLE).unwrap();
        let started = Instant::now();
        while reader.get().unix_ms == 0 {
            assert!(started.elapsed() < AMPLE);
            thread::sleep(Duration::from_millis(5));
        }
    }
}
