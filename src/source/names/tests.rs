use super::*;
use crate::model::Family;
use crate::reconcile::Event;
use crate::source::News;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|text| ip(text)).collect()
}

#[test]
fn an_answer_never_empties_what_is_known() {
    for (before, found, want, remark) in [
        (&[][..], &["10.0.0.1", "10.0.0.2"][..], &["10.0.0.1", "10.0.0.2"][..], false),
        // A server that turns its answers round changes nothing.
        (&["10.0.0.1", "10.0.0.2"], &["10.0.0.2", "10.0.0.1"], &["10.0.0.1", "10.0.0.2"], false),
        (&["10.0.0.1", "10.0.0.2"], &["10.0.0.3", "10.0.0.2"], &["10.0.0.2", "10.0.0.3"], false),
        // One of two records was not answered.
        (&["10.0.0.1", "2001:db8::1"], &["2001:db8::2"], &["10.0.0.1", "2001:db8::2"], true),
        (&["10.0.0.1"], &["0.0.0.0"], &["10.0.0.1"], true),
        (&[], &["0.0.0.0", "224.0.0.1", "fe80::1", "255.255.255.255", "169.254.1.1", "::"], &[], true),
        (&[], &["::ffff:10.0.0.1"], &["10.0.0.1"], false),
        // This host by a file of hosts, or a resolver that has gone astray.
        (&["10.0.0.1"], &["127.0.0.53"], &["10.0.0.1"], true),
        (&["10.0.0.1"], &["::1", "10.0.0.2"], &["10.0.0.2"], true),
    ] {
        let learnt = learn(&ips(before), &ips(found));
        assert_eq!((learnt.addresses, learnt.remark.is_some()), (ips(want), remark), "{before:?} {found:?}");
    }
    let many: Vec<IpAddr> = (0..300u32).map(|last| IpAddr::from((0x0a00_0000 + last).to_be_bytes())).collect();
    let learnt = learn(&[], &many);
    assert_eq!(learnt.addresses, &many[..256]);
    assert!(learnt.remark.unwrap().contains("300 addresses"));
}

type Book = BTreeMap<String, Result<Vec<IpAddr>, String>>;

/// Knows what it is told, and counts how often each was asked.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<(Book, BTreeMap<String, usize>)>>);

impl Fake {
    fn tell(&self, host: &str, answer: Result<&[&str], &str>) {
        self.0.lock().unwrap().0.insert(host.to_owned(), answer.map(ips).map_err(str::to_owned));
    }

    fn asked(&self, host: &str) -> usize {
        self.0.lock().unwrap().1.get(host).copied().unwrap_or(0)
    }
}

impl Resolver for Fake {
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let mut book = self.0.lock().unwrap();
        *book.1.entry(host.to_owned()).or_default() += 1;
        book.0.get(host).cloned().unwrap_or(Err("no such name".to_owned()))
    }
}

struct Scene {
    fake: Fake,
    window: Window,
    wanted: watch::Sender<Wanted>,
    woken: mpsc::UnboundedReceiver<Event>,
    kept: mpsc::UnboundedReceiver<Answers>,
}

fn wanted(hosts: &[&str], every: u64) -> Wanted {
    Wanted {
        hosts: hosts.iter().map(|host| ((*host).to_owned(), [Family::V4].into())).collect(),
        every: Duration::from_secs(every),
    }
}

impl Scene {
    fn start(fake: Fake, known: Answers, hosts: &[&str]) -> Self {
        let window = Window::new(known);
        let (sender, receiver) = watch::channel(wanted(hosts, 30));
        let (wake, woken) = mpsc::unbounded_channel();
        let (keep, kept) = mpsc::unbounded_channel();
        let wake = Box::new(move |event| _ = wake.send(event));
        let news = News { wake, keep: Arc::new(move |answers: &Answers| _ = keep.send(answers.clone())) };
        tokio::spawn(follow(receiver, window.clone(), Lookups::new(fake.clone(), 2), news));
        Self { fake, window, wanted: sender, woken, kept }
    }

    fn known(&self, host: &str) -> Vec<String> {
        self.window.answers().get(host).into_iter().flatten().map(IpAddr::to_string).collect()
    }

    fn trouble(&self, host: &str) -> Option<String> {
        let view = self.window.view();
        let (_, condition, _) = view.into_iter().find(|(name, ..)| name == host)?;
        condition.trouble.map(|(why, _)| why)
    }

    /// Until something is so; a look-up is on a thread, so time alone does not tell.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if is_so(self) {
                return;
            }
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("never: {what}");
    }
}

/// The clock stands still but for this.
async fn advance(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_name_stands_for_is_followed_and_the_last_good_stays() {
    // Else the clock jumps while a thread is at work.
    tokio::time::resume();
    let fake = Fake::default();
    fake.tell("web", Ok(&["10.0.0.1", "10.0.0.2"]));
    let mut scene = Scene::start(fake, Answers::new(), &["web", "db"]);
    scene.until("both were asked", |scene| scene.trouble("db").is_some() && !scene.known("web").is_empty()).await;
    assert_eq!(scene.known("web"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(scene.woken.recv().await, Some(Event::Names));
    assert_eq!(scene.kept.recv().await.unwrap().len(), 1);
    assert_eq!(scene.trouble("db").as_deref(), Some("no such name"));
    assert_eq!(scene.trouble("web"), None);

    // It is asked again when it is time, and not before.
    tokio::time::pause();
    let asked = scene.fake.asked("web");
    scene.fake.tell("web", Ok(&["10.0.0.2", "10.0.0.3"]));
    advance(29).await;
    tokio::time::resume();
    scene.until("the other was tried again", |scene| scene.fake.asked("db") >= 2).await;
    assert_eq!(scene.fake.asked("web"), asked);
    tokio::time::pause();
    advance(2).await;
    tokio::time::resume();
    scene.until("the change is known", |scene| scene.known("web") == ["10.0.0.2", "10.0.0.3"]).await;
    assert_eq!(scene.woken.recv().await, Some(Event::Names));

    // The server is gone.
    scene.fake.tell("web", Err("no answer"));
    tokio::time::pause();
    advance(31).await;
    tokio::time::resume();
    scene.until("it is said", |scene| scene.trouble("web").is_some()).await;
    assert_eq!(scene.known("web"), ["10.0.0.2", "10.0.0.3"]);
    assert!(scene.woken.try_recv().is_err(), "nothing has changed");

    // And back.
    scene.fake.tell("web", Ok(&["10.0.0.3"]));
    tokio::time::pause();
    advance(11).await;
    tokio::time::resume();
    scene.until("it is well again", |scene| scene.trouble("web").is_none()).await;
    assert_eq!(scene.known("web"), ["10.0.0.3"]);

    // One of the services has nothing of it.
    let both: BTreeSet<Family> = [Family::V4, Family::V6].into();
    let hosts = [("web".to_owned(), both), ("db".to_owned(), [Family::V4].into())].into();
    scene.wanted.send_replace(Wanted { hosts, every: Duration::from_secs(30) });
    scene.until("that is said", |scene| scene.trouble("web").is_some_and(|why| why.contains("no IPv6 address"))).await;

    // What nobody wants is forgotten.
    scene.wanted.send_replace(wanted(&["db"], 30));
    scene.until("it is forgotten", |scene| scene.window.view().len() == 1 && scene.known("web").is_empty()).await;
}

#[tokio::test]
async fn what_was_kept_counts_until_the_first_answer() {
    let known = Answers::from([("web".to_owned(), ips(&["10.0.0.9"]))]);
    let scene = Scene::start(Fake::default(), known, &["web"]);
    assert_eq!(scene.known("web"), ["10.0.0.9"]);
    scene.until("it was asked", |scene| scene.trouble("web").is_some()).await;
    assert_eq!(scene.known("web"), ["10.0.0.9"]);
}

/// Answers nobody until it is let go.
struct Slow(Mutex<std::sync::mpsc::Receiver<()>>);

impl Resolver for Slow {
    fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        _ = self.0.lock().unwrap().recv();
        Ok(ips(&["10.0.0.1"]))
    }
}

#[test]
fn a_resolver_that_hangs_is_not_waited_for() {
    let (let_go, waits) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let lookups = Lookups::new(Slow(Mutex::new(waits)), 1);
    // A thread that works keeps a paused clock from jumping; the deadline is brought about by hand.
    let (answers, troubles) = runtime.block_on(async {
        let hosts: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
        let (looking, ()) = tokio::join!(once(hosts, &lookups), async {
            for _ in 0..PATIENCE.as_secs() + 1 {
                tokio::task::yield_now().await;
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        });
        looking
    });
    assert!(answers.is_empty());
    assert_eq!(troubles.len(), 2);
    assert!(troubles["b"].contains("does not answer"), "{troubles:?}");
    drop(let_go);
}

#[test]
fn the_systems_resolver_says_what_is_wrong_in_a_few_words() {
    assert!(System.resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
    let why = System.resolve("nowhere.invalid").unwrap_err();
    assert!(!why.contains("failed to lookup"), "{why}");
}
