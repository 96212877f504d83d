//! How far a run came, for the reason when its time is over.

use std::time::Duration;

/// What a run is waiting for.
#[derive(Debug)]
pub(super) enum Phase {
    Connecting,
    /// Connected; the TLS handshake is not through.
    Securing,
    /// Connected; not all of the request is sent.
    Sending,
    /// Connected; the other side is to speak first.
    Listening,
    /// The request is sent.
    Asked,
    /// The datagram is sent.
    Sent,
    /// A datagram is sent, and to hear nothing is what was hoped for.
    Silent,
    /// The answer has begun: what is still wrong with it.
    Answering(String),
}

impl Phase {
    /// The result of a run that was in this phase when its time was over.
    pub(super) fn after(&self, timeout: Duration) -> Result<(), String> {
        let time = humantime::format_duration(timeout);
        Err(match self {
            Phase::Connecting => format!("no connection within {time}"),
            Phase::Securing => format!("no answer within {time} (connected, in the TLS handshake)"),
            Phase::Sending => format!("no answer within {time} (connected, sending the request)"),
            Phase::Listening => format!("no answer within {time} (connected)"),
            Phase::Asked => format!("no answer within {time} (connected, sent the request)"),
            Phase::Sent => format!("no answer within {time}"),
            Phase::Silent => return Ok(()),
            Phase::Answering(wrong) => format!("{wrong} within {time}"),
        })
    }
}
