//! The kernel's timeouts and synchronisation daemons.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Kernel, dump, refused_request};
use crate::ipvs::codec::{Request, decode_daemon, decode_timeouts};
use crate::ipvs::{Errno, Error, Refusal, Setting};
use crate::model::{SyncRole, SyncSettings, Timeout};
use crate::netlink::Answer;

impl Kernel {
    pub(super) fn read_timeouts(&mut self) -> Result<BTreeMap<Timeout, u32>, Error> {
        const DOING: &str = "read the timeouts";
        self.reading(|kernel| {
            let mut answered = Err(Error::Protocol("no answer to the question for the timeouts".to_owned()));
            let mut batch = kernel.link.batch();
            Request::Timeouts.push(&mut batch, kernel.family);
            kernel.link.exchange(batch, DOING, &mut |_, answer| {
                answered = match answer {
                    Answer::Data { payload, .. } => Ok(decode_timeouts(payload)),
                    Answer::Refused(errno, text) => Err(refused_request(DOING, errno, text)),
                };
            })?;
            answered
        })
    }

    pub(super) fn read_daemons(&mut self) -> Result<BTreeMap<SyncRole, SyncSettings>, Error> {
        self.reading(|kernel| {
            let found = RefCell::new(Ok(BTreeMap::new()));
            dump(
                (&mut kernel.link, kernel.family),
                Request::DumpDaemons,
                "read the synchronisation daemons",
                &mut |message| {
                    let mut found = found.borrow_mut();
                    match (decode_daemon(message), found.as_mut()) {
                        (Ok((role, settings)), Ok(daemons)) => drop(daemons.insert(role, settings)),
                        (Err(words), _) => *found = Err(Error::Protocol(words.to_owned())),
                        (Ok(_), Err(_)) => {}
                    }
                },
                &mut || *found.borrow_mut() = Ok(BTreeMap::new()),
            )?;
            found.into_inner()
        })
    }

    /// Sends one request that changes something, and gives back the refusal.
    pub(super) fn change(&mut self, setting: Setting<'_>) -> Result<Result<(), Refusal>, Error> {
        let doing = match setting {
            Setting::Timeout(..) => "set a timeout",
            Setting::StartSync(..) => "start a synchronisation daemon",
            Setting::StopSync(_) => "stop a synchronisation daemon",
        };
        let mut refused = None;
        let mut batch = self.link.batch();
        Request::Set(setting).push(&mut batch, self.family);
        if let Setting::StopSync(_) = setting {
            // Stopping a thread that has not begun to run ends it, and is EINTR to the kernel (`kthread_stop`), for which
            // netlink sends no answer at all (`netlink_rcv_skb`). The answer to a second request tells that it was done.
            Request::Info.push(&mut batch, self.family);
        }
        self.link.exchange(batch, doing, &mut |index, answer| {
            if let (0, Answer::Refused(errno, text)) = (index, answer) {
                refused = Some((errno, text));
            }
        })?;
        match refused {
            None => Ok(Ok(())),
            Some((Errno::PERM, _)) => Err(Error::NotPermitted),
            Some((errno, text)) => Ok(Err(Refusal::of_setting(setting, errno, text))),
        }
    }
}
