//! The live table as the kernel shows it in `/proc/net/ip_vs`: so cheap that it can be read all the time, and ipvsd has no
//! part in it. IPv4 only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) weight: u32,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
}

impl Row {
    pub(crate) fn connections(&self) -> u32 {
        self.active + self.inactive
    }
}

/// Services, as `tcp 192.0.2.10:80`, and their destinations, as `10.2.0.11:8080`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) services: BTreeMap<String, BTreeMap<String, Row>>,
}

impl Table {
    /// What this thread's namespace has now.
    pub(crate) fn read() -> Self {
        let mut table = Self::default();
        let mut service = String::new();
        for line in text("/proc/thread-self/net/ip_vs").lines().skip(3) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["->", at, _, weight, active, inactive] => {
                    let number = |text: &str| text.parse().unwrap();
                    let row = Row { weight: number(weight), active: number(active), inactive: number(inactive) };
                    table.services.entry(service.clone()).or_default().insert(address(at), row);
                }
                [protocol, at, ..] => {
                    service = format!("{} {}", protocol.to_lowercase(), address(at));
                    table.services.entry(service.clone()).or_default();
                }
                [] => {}
                _ => panic!("not understood: {line}"),
            }
        }
        table
    }

    /// A destination of a service, if it is there.
    pub(crate) fn row(&self, service: &str, destination: &str) -> Option<Row> {
        self.services.get(service)?.get(destination).copied()
    }

    pub(crate) fn weight(&self, service: &str, destination: &str) -> Option<u32> {
        Some(self.row(service, destination)?.weight)
    }
}

/// All of a file of `/proc`, in as few reads as the kernel allows: each of them is a moment of its own.
fn text(path: &str) -> String {
    let mut file = File::open(path).unwrap();
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// `0A02000B:1F90` is 10.2.0.11:8080.
fn address(text: &str) -> String {
    let (address, port) = text.split_once(':').unwrap_or_else(|| panic!("not an address: {text}"));
    let number = |text| u32::from_str_radix(text, 16).unwrap_or_else(|_| panic!("not an address: {text}"));
    SocketAddrV4::new(Ipv4Addr::from(number(address)), u16::try_from(number(port)).unwrap()).to_string()
}

/// Reads until something is true; how long that took.
#[track_caller]
pub(crate) fn wait(what: &str, within: Duration, is_it: impl Fn(&Table) -> bool) -> Duration {
    let begin = Instant::now();
    loop {
        let table = Table::read();
        let took = begin.elapsed();
        if is_it(&table) {
            return took;
        }
        assert!(took < within, "not within {within:?}: {what}\n{table:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A destination, and its service before it.
pub(crate) type Key = (String, String);

/// What a watch has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The weights that each destination has had, one after another; `None` while it was not there.
    weights: BTreeMap<Key, Vec<Option<u32>>>,
    /// When that was seen to change for the last time.
    changed: BTreeMap<Key, Instant>,
    /// How often it looked.
    pub(crate) reads: usize,
}

impl Seen {
    fn look(&mut self) {
        let table = Table::read();
        for (service, destinations) in &table.services {
            for destination in destinations.keys() {
                let first = if self.reads == 0 { Vec::new() } else { vec![None] };
                self.weights.entry((service.clone(), destination.clone())).or_insert(first);
            }
        }
        for (key, weights) in &mut self.weights {
            let now = table.weight(&key.0, &key.1);
            if weights.last() != Some(&now) {
                weights.push(now);
                self.changed.insert(key.clone(), Instant::now());
            }
        }
        self.reads += 1;
    }

    /// The weights of a destination, one after another.
    #[track_caller]
    pub(crate) fn weights(&self, service: &str, destination: &str) -> &[Option<u32>] {
        &self.weights[&(service.to_owned(), destination.to_owned())]
    }

    /// When the last of them was there.
    #[track_caller]
    pub(crate) fn changed(&self, service: &str, destination: &str) -> Instant {
        self.changed[&(service.to_owned(), destination.to_owned())]
    }
}

/// Reads the table without pause, and remembers every weight.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Watch {
    /// Starts in this thread's namespace.
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            while !told.load(Ordering::Relaxed) {
                seen.look();
                thread::sleep(Duration::from_millis(3));
            }
            seen.look();
            seen
        });
        Self { stop, thread }
    }

    /// All that it has seen, to this moment.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
