//! `ipvsd run`, the real process: what wakes it, what it does and says, and how it ends.

mod drift;
mod edits;
mod ending;
mod failures;
mod parts;

use crate::netns::ipvsadm;

/// A configuration with one service and a destination of this weight for each.
fn web(daemon: &str, weights: &[u32]) -> String {
    let mut text = format!(
        "version = 1\n[daemon]\n{daemon}\n[[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\n\
         scheduler = \"wrr\"\n"
    );
    for (weight, host) in weights.iter().zip(1..) {
        text += &format!("[[services.destinations]]\naddress = \"10.0.0.{host}:80\"\nweight = {weight}\n");
    }
    text
}

/// The lines of `ipvsadm -Sn` for [`web`], sorted.
fn web_saved(weights: &[u32]) -> Vec<String> {
    let mut lines = vec!["-A -t 192.0.2.10:80 -s wrr".to_owned()];
    for (weight, host) in weights.iter().zip(1..) {
        lines.push(format!("-a -t 192.0.2.10:80 -r 10.0.0.{host}:80 -m -w {weight}"));
    }
    lines.sort();
    lines
}

/// `ipvsadm -Sn`, sorted.
fn saved() -> Vec<String> {
    let mut lines: Vec<String> = ipvsadm(&["-Sn"], "").lines().map(|line| line.trim_end().to_owned()).collect();
    lines.sort();
    lines
}
