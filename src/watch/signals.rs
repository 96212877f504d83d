//! Signals, as wake-ups.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::reconcile::Event;

/// Turns SIGHUP into [`Event::Reload`], and SIGTERM and SIGINT into [`Event::Stop`].
///
/// A second SIGTERM or SIGINT ends the process on the spot: nothing that ipvsd does is harmed by that, and
/// nobody should have to wait for it.
pub struct SignalWatcher {
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

/// Lets SIGHUP pass by until it is watched for, instead of ending the process: what it asks for is going to be done anyway.
pub fn hold_reloads() -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, Arc::default()).map(drop)
}

impl SignalWatcher {
    /// Starts a thread that calls `wake` for each signal.
    pub fn start(wake: impl Fn(Event) + Send + 'static) -> io::Result<Self> {
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stopping))?;
            signal_hook::flag::register(signal, Arc::clone(&stopping))?;
        }
        let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
        let handle = signals.handle();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                wake(if signal == SIGHUP { Event::Reload } else { Event::Stop });
            }
        })?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for SignalWatcher {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It only forwards signals; had it panicked, there would be nothing left to do about it here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_before_anybody_watches_ends_nothing() {
        hold_reloads().unwrap();
        signal_hook::low_level::raise(SIGHUP).unwrap();
    }
}
