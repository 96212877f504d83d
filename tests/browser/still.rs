//! A stage whose status and counters are what they are set to, behind the real server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ipvsd::api::{self, About, Backstage, Broadcast, Sample};
use ipvsd::daemon::Runtime;
use ipvsd::model::{
    Api, ApiListen, DestinationKey, DestinationSettings, Forward, Health, Live, LiveDestination, LiveService,
    Scheduler, ServiceFlags, ServiceKey, ServiceSettings, Stats,
};
use ipvsd::reconcile::{DestinationStatus, Event, ServiceStatus, Status, Verdicts, unix_now};
use tokio::sync::watch;

/// What there is to see.
pub struct Still {
    about: About,
    pub status: Mutex<Status>,
    /// Of the kernel; the rates of all of it move.
    pub live: Mutex<Live>,
    broadcast: Broadcast,
}

impl Still {
    pub fn new(status: Status, live: Live) -> Arc<Self> {
        let about = About { version: "1.2.3".into(), pid: 42, started: unix_now() - 600 };
        Arc::new(Self { about, status: Mutex::new(status), live: Mutex::new(live), broadcast: Broadcast::default() })
    }
}

impl Backstage for Still {
    fn about(&self) -> &About {
        &self.about
    }

    fn status(&self) -> Arc<Status> {
        Arc::new(self.status.lock().unwrap().clone())
    }

    fn verdicts(&self) -> Arc<Verdicts> {
        Arc::default()
    }

    fn sample(&self) -> Arc<Sample> {
        let mut live = self.live.lock().unwrap();
        for service in live.services.values_mut() {
            for (place, destination) in service.destinations.values_mut().enumerate() {
                let stats = &mut destination.stats;
                stats.connection_rate = 10 + (stats.connection_rate + 7) % (50 + place as u64);
            }
        }
        let unix_ms = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        Arc::new(Sample { unix_ms: u64::try_from(unix_ms).unwrap(), live: live.clone() })
    }

    fn wake(&self, _: Event) {}

    fn unix(&self) -> u64 {
        unix_now()
    }

    fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }
}

/// A daemon's HTTP side, until it is dropped: then it is gone at once, as if the process were killed.
pub struct House {
    runtime: Option<Runtime>,
    _wanted: watch::Sender<Option<Arc<Api>>>,
    pub address: SocketAddr,
}

impl House {
    /// On this port, or any.
    pub fn open(stage: &Arc<Still>, port: u16, tokens: Option<PathBuf>) -> Self {
        let listen = ApiListen::Tcp(([127, 0, 0, 1], port).into());
        let (wanted, of_server) = watch::channel(Some(Arc::new(Api { listen, tokens, ..Api::default() })));
        let (told, listening) = watch::channel(None);
        let runtime = Runtime::start().unwrap();
        let stage: Arc<dyn Backstage> = stage.clone();
        runtime.spawner().spawn(api::serve(api::router(stage), of_server, told));
        let started = Instant::now();
        loop {
            if let Some(ApiListen::Tcp(address)) = *listening.borrow() {
                return Self { runtime: Some(runtime), _wanted: wanted, address };
            }
            assert!(started.elapsed() < Duration::from_secs(20), "it does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.runtime.take().unwrap().end(Duration::from_secs(5));
    }
}

/// So many services, each with so many destinations, all of them up.
pub fn many(services: u16, destinations: u16) -> (Status, Live) {
    let mut status = Status { pass_at: unix_now(), pass_why: "resync".into(), ..Status::default() };
    let mut live = Live::default();
    for number in 0..services {
        let [high, low] = number.to_be_bytes();
        let key: ServiceKey = format!("tcp://192.0.{high}.{low}:80").parse().unwrap();
        let count = usize::from(destinations);
        let mut told =
            ServiceStatus { name: Some(format!("web-{number}")), up: count, of: count, ..ServiceStatus::default() };
        let mut found = service();
        for last in 0..destinations {
            let [upper, lower] = last.to_be_bytes();
            let place = u32::from_be_bytes([10, low, upper, lower]);
            let destination =
                DestinationKey { address: std::net::Ipv4Addr::from(place).into(), port: 8000 + u16::from(high) };
            told.destinations.insert(destination, up());
            found.destinations.insert(destination, flowing(u64::from(last)));
        }
        status.services.insert(key, told);
        live.services.insert(key, found);
    }
    (status, live)
}

pub fn service() -> LiveService {
    let settings =
        ServiceSettings { scheduler: Scheduler::new("wlc"), flags: ServiceFlags::default(), persistence: None };
    LiveService { settings, stats: Stats::default(), destinations: Default::default() }
}

pub fn up() -> DestinationStatus {
    DestinationStatus {
        health: Some(Health::Up),
        checks: Some(Health::Up),
        since: Some(unix_now() - 4000),
        configured: Some(100),
        effective: 100,
        ..DestinationStatus::default()
    }
}

pub fn down(reason: &str) -> DestinationStatus {
    DestinationStatus {
        health: Some(Health::Down),
        checks: Some(Health::Down),
        reason: reason.into(),
        effective: 0,
        why: "down".into(),
        ..up()
    }
}

pub fn flowing(rate: u64) -> LiveDestination {
    let settings = DestinationSettings { forward: Forward::Nat, weight: 100, max_connections: 0, min_connections: 0 };
    LiveDestination {
        settings,
        active_connections: 12,
        inactive_connections: 0,
        persistent_connections: 0,
        stats: Stats { connection_rate: rate, ..Stats::default() },
    }
}
