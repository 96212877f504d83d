use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::daemon::control::{AskError, ask_events, ask_status, tell_overrides};
use crate::reconcile::{Board as _, DrainEnd, Listener as _, Notice, Status};

/// A daemon's side, served by a thread with a runtime of its own until it is dropped.
struct Served {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    board: StatusCell,
    broadcast: Broadcast,
    woken: Arc<Mutex<Vec<Event>>>,
}

impl Served {
    fn start(state_dir: &Path) -> Self {
        let socket = bind(state_dir).unwrap();
        let board = StatusCell::default();
        let broadcast = Broadcast::default();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let events = Arc::clone(&woken);
        let shared = Arc::new(Shared {
            board: board.clone(),
            verdicts: None,
            broadcast: broadcast.clone(),
            sources: None,
            wake: Box::new(move |event| events.lock().unwrap().push(event)),
            clock: Box::new(|| (Instant::now(), 0)),
            started: 1000,
            place: Place::here().unwrap(),
        });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    ended = serve(socket, shared) => panic!("{ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self { stop: Some(stop), thread: Some(thread), board, broadcast, woken }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn client(state_dir: &Path) -> UnixStream {
    let stream = UnixStream::connect(path(state_dir)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn raw(state_dir: &Path, request: &[u8]) -> String {
    let mut stream = client(state_dir);
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_daemon_tells_its_status_and_takes_a_poke() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ask_status(dir.path()).unwrap(), None);
    let mut served = Served::start(dir.path());
    assert_eq!(fs::metadata(path(dir.path())).unwrap().permissions().mode() & 0o777, 0o600);
    let answer = ask_status(dir.path()).unwrap().unwrap();
    assert_eq!((answer.pid, answer.started), (std::process::id(), 1000));
    assert_eq!((answer.status, answer.place), (Status::default(), Place::here().unwrap()));

    let mut status = Status { pass_at: 7, pass_why: "start".into(), ..Status::default() };
    status.services.entry("fwmark6:7".parse().unwrap()).or_default().name = Some("web".into());
    served.board.post(status.clone());
    assert_eq!(ask_status(dir.path()).unwrap().unwrap().status, status);

    assert!(tell_overrides(dir.path()).unwrap());
    assert_eq!(*served.woken.lock().unwrap(), [Event::Overrides]);
    drop(served);
    assert!(!tell_overrides(dir.path()).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "the file of the socket is gone");
}

#[test]
fn a_daemon_tells_what_happened_whether_it_has_an_http_side_or_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ask_events(dir.path()).unwrap(), None);
    let mut served = Served::start(dir.path());
    assert_eq!(ask_events(dir.path()).unwrap(), Some(Vec::new()));
    for destination in ["10.0.0.1:80", "10.0.0.2:80"] {
        served.broadcast.notice(&Notice::DrainDone {
            service: "fwmark:7".parse().unwrap(),
            name: None,
            destination: destination.parse().unwrap(),
            connections: 3,
            why: DrainEnd::Deadline,
        });
    }
    let events = ask_events(dir.path()).unwrap().unwrap();
    let told: Vec<(&str, &str)> =
        events.iter().map(|of| (of.event.as_str(), of.data["destination"].as_str().unwrap())).collect();
    assert_eq!(told, [("drain_done", "10.0.0.1:80"), ("drain_done", "10.0.0.2:80")]);
    assert!(events[0].id < events[1].id);
}

#[test]
fn what_is_no_question_gets_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path());
    for request in [&b"\n"[..], b"{\"ask\":\"bogus\"}\n", b"[]\n", b"\xff\xfe\0\n", b"{\"ask\":{\"status\":1}}\n"] {
        let answer = raw(dir.path(), request);
        assert!(answer.starts_with("{\"error\":\"not understood: ") && answer.ends_with("}\n"), "{answer}");
    }
    let answer = raw(dir.path(), &[b' '; REQUEST_MAX + 1]);
    assert_eq!(answer, "{\"error\":\"the request is longer than 4096 bytes\"}\n");
    assert!(served.woken.lock().unwrap().is_empty());
}

#[test]
fn clients_that_say_nothing_or_half_of_it_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::start(dir.path());
    let mut hostile = Vec::new();
    for number in 0..3 * MOST_CONNECTIONS {
        let mut stream = client(dir.path());
        if number % 2 == 0 {
            stream.write_all(b"{\"ask\":").unwrap();
        }
        hostile.push(stream);
    }
    assert!(ask_status(dir.path()).unwrap().is_some());
    assert!(tell_overrides(dir.path()).unwrap());
    // The oldest have been let go of, and nobody waits for their time to run out.
    let mut byte = [0];
    assert!(matches!(hostile[0].read(&mut byte), Ok(0) | Err(_)));
    drop(served);
    assert!(matches!(hostile.last_mut().unwrap().read(&mut byte), Ok(0) | Err(_)), "the end is the end for all");
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let mut served = Served::start(dir.path());
    // More than fits into a socket's buffer.
    served.board.post(Status { suspicions: vec!["x".repeat(1 << 20)], ..Status::default() });
    let mut lazy: Vec<UnixStream> = (0..8).map(|_| client(dir.path())).collect();
    for stream in &mut lazy {
        stream.write_all(b"{\"ask\":\"status\"}\n").unwrap();
    }
    assert_eq!(ask_status(dir.path()).unwrap().unwrap().status.suspicions[0].len(), 1 << 20);
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // Dropping the listener leaves its file, as a kill would.
    drop(UnixListener::bind(path(dir.path())).unwrap());
    assert_eq!(ask_status(dir.path()).unwrap(), None, "nobody listens there");
    drop(bind(dir.path()).unwrap());
    fs::write(path(dir.path()), "precious").unwrap();
    assert!(matches!(bind(dir.path()), Err(ControlError::Taken(_))));
    assert_eq!(fs::read_to_string(path(dir.path())).unwrap(), "precious");
}

#[test]
fn a_path_that_no_socket_can_have_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let fits = dir.path().join("x".repeat(PATH_MAX - "/control.sock".len() - 1 - dir.path().as_os_str().len()));
    fs::create_dir(&fits).unwrap();
    drop(bind(&fits).unwrap());
    let long = dir.path().join("x".repeat(120));
    assert!(matches!(bind(&long), Err(ControlError::TooLong(_))));
    assert_eq!(ask_status(&long).unwrap(), None);
}

#[test]
fn a_daemon_that_talks_nonsense_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(path(dir.path())).unwrap();
    let answers = ["", "{\"error\":\"no\"}\n", "{\"pid\":1}\n", "hello"];
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let thread = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            // Its question is read, so that the close is an orderly one.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            io::copy(&mut stream, &mut io::sink()).unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for answer in answers {
        assert!(matches!(ask_status(dir.path()), Err(AskError::Odd(_))), "{answer:?}");
    }
    thread.join().unwrap();
    assert_eq!(served.load(Ordering::Relaxed), answers.len());
}
