//! Settings in the words of the configuration.
//!
//! Each function gives the text that a person would have to write to get the value, so that what a plan, the
//! log and `ipvsd show` say can be found in the file.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::{Duration, UNIX_EPOCH};

use crate::model::{
    Checksum, DestinationSettings, Forward, Netmask, Persistence, Scheduler, ServiceFlags, ServiceSettings, Tunnel,
    TunnelType,
};

const DAY: u64 = 86_400;

/// Cuts a text that is longer than `most` bytes, and lets that be seen.
pub fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let mut end = most.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

/// Seconds as a duration: `45s`, `1m30s`, `1d`.
pub fn duration(seconds: u64) -> String {
    let mut text = String::new();
    let mut rest = seconds;
    for (unit, length) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= length {
            let _ = write!(text, "{}{unit}", rest / length);
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A time in seconds since 1970 as `13:40 UTC`, or as `2026-01-05 13:40 UTC` if it is not on the day of `now`.
pub fn clock(at: u64, now: u64) -> String {
    let mut text = String::new();
    // 2026-01-05T13:40:00Z; it writes no year past 9999, which is nobody's time.
    let written = match UNIX_EPOCH.checked_add(Duration::from_secs(at)) {
        Some(time) => write!(text, "{}", humantime::format_rfc3339_seconds(time)),
        None => Err(fmt::Error),
    };
    match (written, text.get(..10), text.get(11..16)) {
        (Ok(()), Some(_), Some(time)) if at / DAY == now / DAY => format!("{time} UTC"),
        (Ok(()), Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => "a time that cannot be".to_owned(),
    }
}

/// Seconds in the two largest units that they have: `4m30s`, `1d2h`.
pub fn rough(seconds: u64) -> String {
    let keep = [DAY, 3_600, 60].into_iter().find(|unit| seconds >= *unit);
    let finest = match keep {
        Some(DAY) => 3_600,
        Some(3_600) => 60,
        _ => 1,
    };
    duration(seconds / finest * finest)
}

/// The prefix length, or the mask itself where it is none: `24`, `255.0.255.0`.
pub fn netmask(netmask: Netmask) -> String {
    match netmask {
        Netmask::Prefix(length) => length.to_string(),
        Netmask::Odd(mask) => mask.to_string(),
    }
}

/// `timeout 5m netmask 24 engine sip`.
pub fn persistence(persistence: &Persistence) -> String {
    let Persistence { timeout, netmask: mask, engine } = persistence;
    let mut text = format!("timeout {} netmask {}", duration(u64::from(*timeout)), netmask(*mask));
    if let Some(engine) = engine {
        let _ = write!(text, " engine {engine}");
    }
    text
}

/// The names of a scheduler's flags that are set; [`ServiceFlags::ONE_PACKET`] has a key of its own.
pub fn scheduler_flags(scheduler: &Scheduler, flags: ServiceFlags) -> Vec<String> {
    ServiceFlags(flags.0 & !ServiceFlags::ONE_PACKET.0).names(scheduler)
}

/// `ipip`, `gue`, `gre`, or `type-77` for what ipvsd does not know.
pub fn tunnel_type(kind: TunnelType) -> Cow<'static, str> {
    match kind {
        TunnelType::Ipip => "ipip".into(),
        TunnelType::Gue => "gue".into(),
        TunnelType::Gre => "gre".into(),
        TunnelType::Other(number) => format!("type-{number}").into(),
    }
}

/// `off`, `on`, `remote`, or the bits in hexadecimal for what ipvsd does not know.
pub fn checksum(checksum: Checksum) -> Cow<'static, str> {
    match checksum {
        Checksum::Off => "off".into(),
        Checksum::On => "on".into(),
        Checksum::Remote => "remote".into(),
        Checksum::Other(bits) => format!("{bits:#x}").into(),
    }
}

/// The method, with the tunnel's type, port and checksum where they are set: `nat`, `tunnel ipip`,
/// `tunnel gue port 6080 checksum on`, `method-5`.
pub fn forward(forward: &Forward) -> Cow<'static, str> {
    match forward {
        Forward::Nat | Forward::Dr | Forward::Local | Forward::Bypass => forward.name().into(),
        Forward::Other(method) => format!("method-{method}").into(),
        Forward::Tunnel(Tunnel { kind, port, checksum: sum }) => {
            let mut text = format!("tunnel {}", tunnel_type(*kind));
            if *port != 0 {
                let _ = write!(text, " port {port}");
            }
            if *sum != Checksum::Off {
                let _ = write!(text, " checksum {}", checksum(*sum));
            }
            text.into()
        }
    }
}

/// A number of connections; 0 is `none`.
pub fn threshold(connections: u32) -> Cow<'static, str> {
    if connections == 0 { "none".into() } else { connections.to_string().into() }
}

/// All that is set on a service: `scheduler mh, scheduler_flags mh-port, persistence timeout 5m netmask 24`.
/// What is off is not mentioned.
pub fn service(settings: &ServiceSettings) -> String {
    written(|text| write_service(text, settings))
}

/// [`service`], to `out`.
pub(super) fn write_service(out: &mut impl Write, settings: &ServiceSettings) -> fmt::Result {
    let ServiceSettings { scheduler, flags, persistence: sticky } = settings;
    write!(out, "scheduler {scheduler}")?;
    let names = scheduler_flags(scheduler, *flags);
    if !names.is_empty() {
        write!(out, ", scheduler_flags {}", names.join(" "))?;
    }
    if flags.contains(ServiceFlags::ONE_PACKET) {
        out.write_str(", one_packet")?;
    }
    if let Some(sticky) = sticky {
        write!(out, ", persistence {}", persistence(sticky))?;
    }
    Ok(())
}

/// All that is set on a destination: `forward nat, weight 100, max_connections 1000, min_connections 800`.
/// Thresholds that are not set are not mentioned.
pub fn destination(settings: &DestinationSettings) -> String {
    written(|text| write_destination(text, settings))
}

/// [`destination`], to `out`.
pub(super) fn write_destination(out: &mut impl Write, settings: &DestinationSettings) -> fmt::Result {
    let DestinationSettings { forward: method, weight, max_connections, min_connections } = settings;
    write!(out, "forward {}, weight {weight}", forward(method))?;
    if *max_connections != 0 {
        write!(out, ", max_connections {max_connections}")?;
    }
    if *min_connections != 0 {
        write!(out, ", min_connections {min_connections}")?;
    }
    Ok(())
}

/// A text never fails to be written to.
fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    let _ = write(&mut text);
    text
}

/// `3 connections left, deleted after 4m30s at the latest`.
pub fn draining(connections: u64, seconds: u64) -> String {
    let left = count(usize::try_from(connections).unwrap_or(usize::MAX), "connection");
    format!("{left} left, deleted after {} at the latest", duration(seconds))
}

/// `1 destination`, `2 destinations`; `entry` becomes `entries`, `address` `addresses`.
pub fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) if noun.ends_with('s') => format!("{number} {noun}es"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_the_configuration_takes_them() {
        for (seconds, want) in [
            (0, "0s"),
            (45, "45s"),
            (60, "1m"),
            (90, "1m30s"),
            (3_600, "1h"),
            (86_401, "1d1s"),
            (4_294_967, "49d17h2m47s"),
        ] {
            assert_eq!(duration(seconds), want);
            assert_eq!(humantime::parse_duration(want).unwrap().as_secs(), seconds);
        }
    }

    #[test]
    fn what_is_foreign_has_words_too() {
        assert_eq!(forward(&Forward::Other(5)), "method-5");
        let tunnel = Tunnel { kind: TunnelType::Other(77), port: 1, checksum: Checksum::Other(6) };
        assert_eq!(forward(&Forward::Tunnel(tunnel)), "tunnel type-77 port 1 checksum 0x6");
        assert_eq!(netmask(Netmask::Odd("255.0.255.0".parse().unwrap())), "255.0.255.0");
        assert_eq!(scheduler_flags(&Scheduler::new("sh"), ServiceFlags(0x54)), ["sh-port", "0x40"]);
    }

    #[test]
    fn a_time_of_today_is_short() {
        // 2026-01-05T00:00:00Z
        let midnight = 1_767_571_200;
        assert_eq!(clock(midnight + 49_200, midnight), "13:40 UTC");
        assert_eq!(clock(midnight - 1, midnight), "2026-01-04 23:59 UTC");
        assert_eq!(clock(midnight + DAY, midnight), "2026-01-06 00:00 UTC");
        for impossible in [u64::MAX, i64::MAX as u64, 253_402_300_800] {
            assert_eq!(clock(impossible, midnight), "a time that cannot be");
        }
    }

    #[test]
    fn rough_durations_have_two_units() {
        for (seconds, want) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (270, "4m30s"),
            (3_661, "1h1m"),
            (86_399, "23h59m"),
            (93_784, "1d2h"),
            (40 * DAY + 1, "40d"),
        ] {
            assert_eq!(rough(seconds), want);
        }
    }

    #[test]
    fn what_is_cut_is_cut_between_letters() {
        for (text, most, want) in
            [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("aéé", 5, "aéé"), ("aééé", 5, "a…"), ("ab", 1, "…")]
        {
            let mut cut = text.to_owned();
            shorten(&mut cut, most);
            assert_eq!(cut, want);
        }
    }
}
