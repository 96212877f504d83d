//! A thread for what waits on many sockets at once: one for checks, hooks and the control socket, and one for the HTTP side, so that
//! whatever clients do, checks are made in time.
//!
//! It carries a current-thread tokio runtime, so nothing in it may take long or wait otherwise than by `await`. A task
//! that panics ends alone, and is logged. The loop has its own thread and goes on without this one.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc as orders;
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tracing::{error, warn};

/// The thread for all that is not HTTP.
const NAME: &str = "ipvsd-io";

/// For what waits for the disk or takes long. Whoever has something done there sees to it that it is one or two at a time; these are as
/// many as all of them together, so that nobody waits for another one's disk.
const BLOCKING_THREADS: usize = 12;

/// How long a runtime that is merely dropped may take to end.
const WHEN_DROPPED: Duration = Duration::from_secs(1);

/// What the thread is asked for.
enum Order {
    /// Starts a task that stays on the thread.
    Local(Box<dyn FnOnce() + Send>),
    End,
}

/// The thread. Ends with the value.
#[derive(Debug)]
pub struct Runtime {
    spawner: Spawner,
    /// Absent once it was waited for. The receiver is cut off when the thread is about to end.
    thread: Option<(thread::JoinHandle<()>, mpsc::Receiver<()>)>,
}

/// Starts tasks on the thread, from any thread. When the runtime has ended they are dropped instead.
#[derive(Clone)]
pub struct Spawner {
    tokio: tokio::runtime::Handle,
    orders: orders::UnboundedSender<Order>,
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the thread for all that is not HTTP.
    pub fn start() -> io::Result<Self> {
        Self::named(NAME)
    }

    /// Starts a thread. Fails where the system has no room for it, or for its descriptors.
    pub fn named(name: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name(format!("{name}-file"))
            .build()?;
        let (send_orders, orders) = orders::unbounded_channel();
        let spawner = Spawner { tokio: runtime.handle().clone(), orders: send_orders };
        let (about_to_end, ended) = mpsc::channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _about_to_end = about_to_end;
            carry(runtime, orders);
        })?;
        Ok(Self { spawner, thread: Some((thread, ended)) })
    }

    /// For those who have tasks.
    pub fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Whether the thread is there. If it is not, that has been logged.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|(_, ended)| ended.try_recv() == Err(mpsc::TryRecvError::Empty))
    }

    /// Drops all tasks, wherever they wait, and joins the thread. One that does not get there `within` this time is left
    /// behind, and that is logged.
    pub fn end(mut self, within: Duration) {
        self.end_within(within);
    }

    fn end_within(&mut self, within: Duration) {
        let Some((thread, ended)) = self.thread.take() else { return };
        // It hears nothing any more only if it has ended.
        let _ = self.spawner.orders.send(Order::End);
        if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(within) {
            warn!("the thread {} does not end: it is left behind", thread.thread().name().unwrap_or_default());
            return;
        }
        // Its panics were caught and logged.
        let _ = thread.join();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end_within(WHEN_DROPPED);
    }
}

impl Spawner {
    /// Starts a task. It runs to its end, until it is aborted, or until the runtime ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.tokio.spawn(guarded(task))
    }

    /// Starts a task that cannot leave the thread: `make` is called there, after those that were asked for before.
    pub fn spawn_local<F: Future<Output = ()> + 'static>(&self, make: impl FnOnce() -> F + Send + 'static) {
        // Where the runtime has ended, the task goes the way of the others.
        let _ = self.orders.send(Order::Local(Box::new(move || drop(spawn_local(guarded(make()))))));
    }
}

/// The thread's work.
fn carry(runtime: tokio::runtime::Runtime, mut orders: orders::UnboundedReceiver<Order>) {
    let local = LocalSet::new();
    let work = async {
        while let Some(Order::Local(start)) = orders.recv().await {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(start)) {
                log(&*panic);
            }
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(local.run_until(work));
        // Tasks are dropped where they can still make use of the runtime.
        let _context = runtime.enter();
        drop(local);
    }));
    // What reads a file is not waited for.
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.shutdown_background()));
    if let Err(panic) = outcome.and(ended) {
        let name = thread::current().name().unwrap_or_default().to_owned();
        error!("the thread {name} has died, and ipvsd goes on without: {}", words(&*panic));
    }
}

/// The task; a panic of it is logged, and then it is over.
async fn guarded(task: impl Future<Output = ()>) {
    let mut task = Box::pin(task);
    let outcome = poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    if let Err(panic) = outcome.await {
        log(&*panic);
    }
}

fn log(panic: &(dyn Any + Send)) {
    error!("a task has panicked, the others go on: {}", words(panic));
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("for no reason given")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    const AMPLE: Duration = Duration::from_secs(30);

    /// Says when it is dropped, and on which thread.
    struct Witness(mpsc::Sender<String>);

    impl Drop for Witness {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().name().unwrap_or_default().to_owned());
        }
    }

    #[test]
    fn carries_tasks_of_both_kinds_on_its_thread() {
        let runtime = Runtime::start().unwrap();
        let (send, receive) = mpsc::channel();
        let also_send = send.clone();
        runtime.spawner().spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            send.send(thread::current().name().map(str::to_owned)).unwrap();
        });
        runtime.spawner().spawn_local(move || {
            let stays = Rc::new(also_send);
            async move {
                tokio::task::yield_now().await;
                stays.send(thread::current().name().map(str::to_owned)).unwrap();
            }
        });
        for _ in 0..2 {
            assert_eq!(receive.recv_timeout(AMPLE).unwrap().as_deref(), Some(NAME));
        }
        assert!(runtime.is_alive());
        runtime.end(AMPLE);
    }

    #[test]
    fn a_panic_ends_one_task() {
        let runtime = Runtime::start().unwrap();
        let spawner = runtime.spawner();
        let (send, receive) = mpsc::channel();
        let patient = send.clone();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        spawner.spawn(async move {
            wait.await.unwrap();
            patient.send("the patient one").unwrap();
        });
        spawner.spawn(async { panic!("on purpose") });
        spawner.spawn_local(|| async { panic!("on {}", "purpose") });
        spawner.spawn_local(|| -> std::future::Ready<()> { panic!("before there is a task") });
        spawner.spawn_local(|| async { std::panic::panic_any(3) });
        spawner.spawn_local(move || async move {
            send.send("the last one").unwrap();
        });
        assert_eq!(receive.recv_timeout(AMPLE).unwrap(), "the last one");
        go.send(()).unwrap();
        assert_eq!(receive.recv_timeout(AMPLE).unwrap(), "the patient one");
        assert!(runtime.is_alive());
    }

    #[test]
    fn its_end_drops_what_waits_where_it_waits() {
        for merely_dropped in [false, true] {
            let runtime = Runtime::start().unwrap();
            let spawner = runtime.spawner();
            let (send, dropped) = mpsc::channel();
            let (begin, begun) = mpsc::channel();
            let (witness, begin_too) = (Witness(send.clone()), begin.clone());
            let task = spawner.spawn(async move {
                let _witness = witness;
                begin_too.send(()).unwrap();
                std::future::pending().await
            });
            let witness = Witness(send.clone());
            spawner.spawn_local(move || async move {
                let _witness = witness;
                begin.send(()).unwrap();
                tokio::time::sleep(AMPLE * 10).await;
            });
            for _ in 0..2 {
                begun.recv_timeout(AMPLE).unwrap();
            }
            if merely_dropped {
                drop(runtime)
            } else {
                runtime.end(AMPLE)
            }
            assert_eq!(dropped.try_iter().collect::<Vec<_>>(), [NAME, NAME]);
            assert!(task.is_finished());

            // Too late: dropped, wherever that is.
            let (witness, another) = (Witness(send.clone()), Witness(send));
            let late = spawner.spawn(async move { drop(witness) });
            assert!(late.is_finished());
            spawner.spawn_local(move || async move { drop(another) });
            assert_eq!(dropped.try_iter().count(), 2);
        }
    }

    #[test]
    fn whoever_blocks_it_does_not_block_its_end() {
        let runtime = Runtime::start().unwrap();
        let (begin, begun) = mpsc::channel();
        let (release, blocked) = mpsc::channel::<()>();
        runtime.spawner().spawn(async move {
            begin.send(()).unwrap();
            let _ = blocked.recv();
        });
        begun.recv_timeout(AMPLE).unwrap();
        runtime.end(Duration::from_millis(10));
        drop(release);
    }

    #[test]
    fn a_read_that_hangs_does_not_hold_up_its_end() {
        let runtime = Runtime::start().unwrap();
        let (begin, begun) = mpsc::channel();
        let (release, blocked) = mpsc::channel::<()>();
        runtime.spawner().spawn(async move {
            let read = tokio::task::spawn_blocking(move || {
                begin.send(()).unwrap();
                let _ = blocked.recv();
            });
            let _ = read.await;
        });
        begun.recv_timeout(AMPLE).unwrap();
        let started = std::time::Instant::now();
        runtime.end(AMPLE);
        assert!(started.elapsed() < AMPLE);
        drop(release);
    }

    #[test]
    fn its_death_is_noticed() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let runtime = Runtime::start().unwrap();
        let (send, dropped) = mpsc::channel();
        let witness = Witness(send);
        runtime.spawner().spawn(async move {
            let _witness = witness;
            std::future::pending().await
        });
        // A panic within a panic, where nothing reckons with it.
        runtime.spawner().spawn_local(|| -> std::future::Ready<()> { std::panic::panic_any(Bomb) });
        let (_, ended) = runtime.thread.as_ref().unwrap();
        assert_eq!(ended.recv_timeout(AMPLE), Err(mpsc::RecvTimeoutError::Disconnected));
        assert!(!runtime.is_alive());
        assert_eq!(dropped.try_iter().count(), 1);
        assert!(runtime.spawner().spawn(async {}).is_finished());
        runtime.end(AMPLE);
    }
}
