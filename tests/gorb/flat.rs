//! What a change costs follows the change, not what else there is.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::Shared;

/// The middle of what changes of one backend's weight take in a table of so many services, and the reads of the kernel for each.
fn cost(services: u32) -> (Duration, usize) {
    let mut config = "version = 1\n[daemon]\nresync = \"1h\"\n".to_owned();
    for number in 0..services {
        let (high, low) = (number / 200, number % 200 + 1);
        write!(
            config,
            "[[services]]\nname = \"s{number}\"\naddress = \"tcp://198.18.{high}.{low}:80\"\n[[services.destinations]]\n\
             address = \"10.0.0.1:80\"\n"
        )
        .unwrap();
    }
    let kernel = Shared::default();
    let world = kernel.world(&config);
    world.done("PUT", "/service/web", r#"{"port":80}"#);
    world.done("PUT", "/service/web/r", r#"{"host":"10.0.0.1","port":80}"#);
    let before = kernel.0.lock().unwrap().reads();
    let mut took: Vec<Duration> = (0..21)
        .map(|weight| {
            let start = Instant::now();
            world.done("PATCH", "/service/web/r", &format!(r#"{{"weight":{weight}}}"#));
            start.elapsed()
        })
        .collect();
    let reads = kernel.0.lock().unwrap().reads() - before;
    took.sort();
    (took[10], reads)
}

#[test]
fn a_change_costs_the_same_among_four_thousand_services() {
    let (few, few_reads) = cost(4);
    let (many, many_reads) = cost(4000);
    assert_eq!(few_reads, many_reads);
    // To read all files again takes some hundred times as long.
    assert!(many < few * 4 + Duration::from_millis(5), "{few:?} among 4 services, {many:?} among 4000");
}
