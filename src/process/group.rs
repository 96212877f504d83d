//! A process group that is killed and reaped as a whole.
//!
//! The id of a group is the pid of its first process, and may be another's as soon as both are gone. So the group is
//! killed only while that process is not reaped: a pidfd tells of its end, and leaves it a zombie.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, pidfd_open, waitid, waitpgid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Between two looks at a process, where there is nothing that tells of its end.
const LOOK: Duration = Duration::from_millis(5);

/// Between two looks for those that the group's first process has left behind, and so many of them.
const HEIRS_LOOK: Duration = Duration::from_millis(1);
const HEIRS_LOOKS: u32 = 100;

/// Killed ones that were still not dead when last seen, and that nobody waits for: in uninterruptible sleep, mostly.
static LEFT: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Killed ones that somebody waits for still.
static DYING: AtomicUsize = AtomicUsize::new(0);

/// With so many of both nothing more is started: each try would leave another one, for as long as what they hang at (a
/// file server, mostly) is away.
const MOST_LEFT: usize = 1024;

/// The group of a program that runs. Dropped, it is killed, and reaped when it has ended.
#[derive(Debug)]
pub(super) struct Group {
    /// Absent when it is reaped.
    first: Option<Child>,
    id: Pid,
    /// Readable when the first process has ended. Absent before Linux 5.3, or where the runtime has no room for it.
    ended: Option<AsyncFd<OwnedFd>>,
}

impl Group {
    /// Starts the program; the command has to ask for a group of its own.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        hear_of_ends();
        reap_left();
        room_for_more(left())?;
        let first = command.spawn()?;
        let id = Pid::from_child(&first);
        let ended = pidfd_open(id, PidfdFlags::empty()).ok().and_then(await_readable);
        Ok(Self { first: Some(first), id, ended })
    }

    /// Waits until the first process has ended. It is not reaped.
    pub(super) async fn ended(&self) {
        while !self.has_ended() {
            match &self.ended {
                Some(pidfd) => match pidfd.readable().await {
                    // Ready for no reason is not ready.
                    Ok(mut ready) if !self.has_ended() => ready.clear_ready(),
                    Ok(_) => {}
                    Err(_) => sleep(LOOK).await,
                },
                None => sleep(LOOK).await,
            }
        }
    }

    fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error is that somebody else has reaped it.
        self.first.is_none() || !matches!(waitid(WaitId::Pid(self.id), look), Ok(None))
    }

    /// Kills the group, and the first process wherever it is. Does nothing once it is reaped.
    pub(super) fn kill(&mut self) {
        if let Some(first) = &mut self.first {
            // Mostly there is nobody left. Somebody may have become another user, and then it is not for us to say.
            let _ = kill_process_group(self.id, Signal::KILL);
            let _ = first.kill();
        }
    }

    /// Reaps the first process, if it has ended, and whatever of the group is ours to reap.
    pub(super) async fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(first) = &mut self.first else { return Ok(None) };
        let status = first.try_wait();
        if !matches!(status, Ok(None)) {
            self.first = None;
            self.reap_heirs().await;
        }
        status
    }

    /// As the first process of a container (or a subreaper) we inherit the children of what we run. Elsewhere there are
    /// none, and that is known at once.
    async fn reap_heirs(&self) {
        for _ in 0..HEIRS_LOOKS {
            match waitpgid(self.id, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => sleep(HEIRS_LOOK).await,
                Err(_) => return,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        let Some(mut first) = self.first.take() else { return };
        if !matches!(first.try_wait(), Ok(None)) {
            return;
        }
        let left = Left::new(Group { first: Some(first), id: self.id, ended: self.ended.take() });
        // Dying takes a moment. Where the runtime ends as well, the task is dropped before it has begun.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(left.reap())),
            Err(_) => drop(left),
        }
    }
}

/// A group that is killed, and still to be reaped.
struct Left {
    group: Group,
}

impl Left {
    fn new(group: Group) -> Self {
        DYING.fetch_add(1, Ordering::Relaxed);
        Self { group }
    }

    async fn reap(mut self) {
        self.group.ended().await;
        let _ = self.group.reap().await;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        DYING.fetch_sub(1, Ordering::Relaxed);
        if let Some(first) = self.group.first.take() {
            LEFT.lock().unwrap_or_else(PoisonError::into_inner).push(first);
            reap_left();
        }
    }
}

#[expect(
    deprecated,
    reason = "deprecated for what does not keep its descriptor open; this does, and it takes no unsafe"
)]
fn await_readable(pidfd: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(pidfd, Interest::READABLE).ok()
}

/// How many were killed and are not dead.
fn left() -> usize {
    DYING.load(Ordering::Relaxed) + LEFT.lock().unwrap_or_else(PoisonError::into_inner).len()
}

fn room_for_more(left: usize) -> io::Result<()> {
    match left {
        MOST_LEFT.. => Err(io::Error::other(format!("{left} programs that were killed have not ended yet"))),
        _ => Ok(()),
    }
}

/// Reaps those of the left ones that have ended by now.
fn reap_left() {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|first| matches!(first.try_wait(), Ok(None)));
}

/// Whoever started us may have had SIGCHLD ignored. That is inherited, and then the kernel reaps by itself, and nobody
/// learns how a program ended (wait(2)). A handler that does nothing is enough against it.
fn hear_of_ends() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        const SIGCHLD: i32 = signal_hook::consts::SIGCHLD;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        if ignored & (1 << (SIGCHLD - 1)) != 0 {
            let _ = signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)));
        }
    });
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn what_does_not_die_is_counted_and_with_too_many_nothing_is_started() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _context = runtime.enter();
        let begin = || Group::start(Command::new("/bin/sleep").arg("1000").process_group(0)).unwrap();
        // As if the kill had not reached them.
        let mut dying: Vec<Left> = (0..3).map(|_| Left::new(begin())).collect();
        assert!(left() >= 3);
        dying.iter_mut().for_each(|left| left.group.kill());
        runtime.block_on(async {
            for left in dying {
                left.reap().await;
            }
        });
        assert!(room_for_more(MOST_LEFT - 1).is_ok());
        let refused = room_for_more(MOST_LEFT).unwrap_err();
        assert_eq!(refused.to_string(), "1024 programs that were killed have not ended yet");
    }

    #[test]
    fn without_a_pidfd_its_end_is_looked_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut group = Group::start(Command::new("/bin/sh").args(["-c", "exit 3"]).process_group(0)).unwrap();
            assert!(group.ended.take().is_some(), "there is a pidfd on this kernel");
            group.ended().await;
            assert!(group.first.is_some());
            assert_eq!(group.reap().await.unwrap().unwrap().code(), Some(3));
            // Now the id may be another's.
            group.kill();
            assert!(group.reap().await.unwrap().is_none());
        });
    }
}
