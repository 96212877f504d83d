//! A terminal that is ours for a while, and is given back as it was: at the end, while we are stopped, and after a panic.

use std::io::{self, Write as _};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;

use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::{Handle, Signals};

/// The other screen, without a cursor, from an empty page; and what it takes to be back.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// How the terminal was, while it is ours.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// How keys come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// Line by line, and ^C is a signal: they are not read.
    Cooked,
    /// Each as it is pressed, and none of them is a signal.
    Raw,
}

/// The terminal of standard input and output, until this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    keys: Keys,
}

impl Screen {
    /// Takes the terminal. From now on, a panic of any thread gives it back before it is printed.
    pub(super) fn enter(keys: Keys) -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        take(keys)?;
        Ok(Self { keys })
    }

    /// Stops this process, as ^Z does, and is back when it goes on.
    pub(super) fn suspend(&self) -> io::Result<()> {
        give_back();
        kill_process(getpid(), Signal::STOP)?;
        take(self.keys)
    }

    /// Takes the terminal again, after somebody else may have had it.
    pub(super) fn retake(&self) -> io::Result<()> {
        take(self.keys)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take(keys: Keys) -> io::Result<()> {
    let stdin = io::stdin();
    let now = tcgetattr(&stdin)?;
    let mut wanted = now.clone();
    match keys {
        // What somebody types does not come to stand on the page.
        Keys::Cooked => wanted.local_modes.remove(LocalModes::ECHO),
        Keys::Raw => wanted.make_raw(),
    }
    // Once more after a stop: what it was at first is what it is to be again.
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
    tcsetattr(&stdin, OptionalActions::Now, &wanted)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(ENTER)?;
    stdout.flush()
}

/// Once for each time that it was taken. There is nobody left to tell what cannot be done.
fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(LEAVE).and_then(|()| stdout.flush());
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

/// Columns and lines, if it is a terminal that knows.
pub(super) fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let or = |found: u16, usual| if found == 0 { usual } else { usize::from(found) };
    Some((or(size.ws_col, 80), or(size.ws_row, 24)))
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    End,
    /// ^Z of whoever reads keys line by line, or `kill -TSTP`.
    Suspend,
    /// It goes on after a stop that nobody could see coming.
    Resume,
    /// The terminal has another size.
    Resize,
}

/// The signals that a terminal sends. Ends with the value.
pub(super) struct Wishes {
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Wishes {
    /// Starts a thread that calls `tell` for each of them. A second one that asks for the end is the end on the spot.
    pub(super) fn hear(tell: impl Fn(Asked) + Send + 'static) -> io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&ending))?;
        }
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH])?;
        let handle = signals.handle();
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                tell(match signal {
                    SIGTSTP => Asked::Suspend,
                    SIGCONT => Asked::Resume,
                    SIGWINCH => Asked::Resize,
                    _ => {
                        ending.store(true, Ordering::Relaxed);
                        Asked::End
                    }
                });
            }
        })?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Wishes {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It only forwards signals.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::OFlags;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::fs::File;
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    /// Runs a test of this file alone, on a terminal of its own. Gives what it wrote, and whether the terminal is as it was.
    fn on_a_terminal(test: &str) -> (String, bool) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
        let before = tcgetattr(&theirs).unwrap();
        let stdio = || Stdio::from(theirs.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("cli::screen::tests::{test}"), "--ignored", "--nocapture"])
            .env("RUST_BACKTRACE", "0")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let reader = thread::spawn(move || {
            let mut written = Vec::new();
            // It ends with an error, when nobody has the other end any more.
            let _ = File::from(ours).read_to_end(&mut written);
            String::from_utf8_lossy(&written).into_owned()
        });
        child.wait().unwrap();
        let after = tcgetattr(&theirs).unwrap();
        drop((theirs, child));
        let same = (before.local_modes, before.input_modes, before.output_modes)
            == (after.local_modes, after.input_modes, after.output_modes);
        (reader.join().unwrap(), same)
    }

    #[track_caller]
    fn is_given_back(test: &str, says: &str) {
        let (written, same) = on_a_terminal(test);
        let at = |part: &str| written.find(part).unwrap_or_else(|| panic!("no {part:?} in {written:?}"));
        let (enter, leave) = (at(std::str::from_utf8(ENTER).unwrap()), at(std::str::from_utf8(LEAVE).unwrap()));
        assert!(enter < leave && leave < at(says), "{written:?}");
        assert!(same, "{written:?}");
    }

    #[test]
    fn a_terminal_is_given_back_at_the_end_and_after_a_panic_before_it_is_printed() {
        is_given_back("takes_it_and_ends", "it has ended");
        is_given_back("takes_it_and_panics", "on purpose");
        is_given_back("takes_it_and_has_a_thread_that_panics", "in a thread");
    }

    #[test]
    #[ignore = "another test runs it on a terminal"]
    fn takes_it_and_ends() {
        drop(Screen::enter(Keys::Raw).unwrap());
        println!("it has ended");
    }

    #[test]
    #[ignore = "another test runs it on a terminal"]
    fn takes_it_and_panics() {
        let _screen = Screen::enter(Keys::Raw).unwrap();
        panic!("on purpose");
    }

    #[test]
    #[ignore = "another test runs it on a terminal"]
    fn takes_it_and_has_a_thread_that_panics() {
        let _screen = Screen::enter(Keys::Raw).unwrap();
        let _ = thread::spawn(|| panic!("in a thread")).join();
    }
}
