//! The number of the `IPVS` generic netlink family, and the module behind it.

use std::process::{Command, Stdio};

use super::refused_request;
use crate::ipvs::codec::{Request, decode_family_id};
use crate::ipvs::{Errno, Error};
use crate::netlink::{Answer, Link};

/// Looks the family up. Kernels since 5.15 load the module at that; for others, and where that failed,
/// `modprobe ip_vs` is tried once.
pub(super) fn resolve(link: &mut Link) -> Result<u16, Error> {
    if let Some(family) = look_up(link)? {
        return Ok(family);
    }
    let outcome = load_module();
    look_up(link)?.ok_or(Error::NoFamily(outcome))
}

fn look_up(link: &mut Link) -> Result<Option<u16>, Error> {
    const DOING: &str = "look up the IPVS family";
    let mut answered = Ok(None);
    let mut batch = link.batch();
    Request::ResolveFamily.push(&mut batch, 0);
    link.exchange(batch, DOING, &mut |_, answer| match answer {
        Answer::Data { payload, .. } => {
            answered = match decode_family_id(payload) {
                Some(family) => Ok(Some(family)),
                None => Err(Error::Protocol("the answer has no family number in it".to_owned())),
            };
        }
        Answer::Refused(Errno::NOENT, _) => {}
        Answer::Refused(errno, text) => answered = Err(refused_request(DOING, errno, text)),
    })?;
    answered
}

/// Runs `modprobe ip_vs`, and says how it went.
fn load_module() -> String {
    let run = Command::new("modprobe").arg("ip_vs").stdin(Stdio::null()).stdout(Stdio::null()).output();
    match run {
        Err(error) => format!("`modprobe ip_vs` could not be run: {error}"),
        Ok(output) if output.status.success() => {
            "`modprobe ip_vs` succeeded, and the kernel still has no IPVS in this network namespace".to_owned()
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let first = text.lines().next().unwrap_or("no message").trim();
            format!("`modprobe ip_vs` failed: {first}")
        }
    }
}
