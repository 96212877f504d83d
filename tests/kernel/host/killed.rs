//! kill -9 in the middle: nothing is left that nobody owns.

use super::*;
use crate::netns::{self, ip_batch};
use crate::program::{SOON, end};
use std::time::Instant;

#[test]
fn what_a_killed_apply_added_is_owned_by_the_next() {
    let _kernel = netns::enter();
    ip_batch("link add ipvs1 type dummy\naddress add 203.0.113.9/32 dev ipvs1\n");
    let program = Program::new();
    let head = "[host]\naddresses = { interface = \"ipvs0\" }\nsysctls = { \"net.ipv4.vs.conntrack\" = 1 }\n[daemon]\nmax_delete = \"100%\"";
    let services: Vec<String> = (0..150).map(|n| format!("tcp://10.78.0.{}:80", n + 1)).collect();
    let services: Vec<&str> = services.iter().map(String::as_str).collect();
    let begin = Instant::now();
    let (full, empty) = (configuration(head, &services), configuration(head, &[]));
    program.write(FILE, &full);
    applied(&program, &[]);
    let whole = begin.elapsed();
    let mut cut = 0;
    for round in 0..30 {
        program.write(FILE, if round % 2 == 0 { &empty } else { &full });
        let mut child = program.command(FILE, &["apply"]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(fastrand::f64()));
        child.kill().unwrap();
        cut += usize::from(end(child).code.is_none());
    }
    println!("{cut} of 30 were cut short; a whole one takes {whole:?}");
    assert!(cut >= 5, "only {cut} were cut short");
    program.write(FILE, &full);
    applied(&program, &[]);
    assert_eq!(addresses("ipvs0").len(), services.len());
    program.write(FILE, &empty);
    applied(&program, &["--restore-host"]);
    assert_eq!((link("ipvs0"), addresses("ipvs1")), (None, set(&["203.0.113.9/32"])));
    assert_eq!(sysctl("net.ipv4.vs.conntrack"), "0", "what it was at the very first is still known");
    assert!(begin.elapsed() < SOON * 4);
}
