//! The tcp check: connect; send, if there is something to send; read, if something is expected.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::{Search, missing};
use super::phase::Phase;
use super::{ANSWER_LIMIT, Job, connect};
use crate::model::Match;

pub(super) async fn run(
    job: &Job,
    send: Option<&[u8]>,
    expect: Option<&Match>,
    phase: &mut Phase,
) -> Result<(), String> {
    let mut stream = connect::tcp(job).await?;
    let when = if send.is_some() { "after the request" } else { "before an answer" };
    let broken = |error: std::io::Error| match connect::is_reset(&error) {
        true => format!("the connection was reset {when}"),
        false => connect::reason(&error),
    };
    if let Some(request) = send {
        *phase = Phase::Sending;
        stream.write_all(request).await.map_err(broken)?;
    }
    let Some(expected) = expect else { return Ok(()) };
    *phase = if send.is_some() { Phase::Asked } else { Phase::Listening };
    let mut search = Search::new(expected)?;
    let mut answer = Vec::new();
    loop {
        if answer.len() == answer.capacity() {
            answer.reserve(answer.len().clamp(1024, ANSWER_LIMIT));
        }
        let more = stream.read_buf(&mut answer).await.map_err(broken)? > 0;
        answer.truncate(ANSWER_LIMIT);
        let end = !more || answer.len() == ANSWER_LIMIT;
        if search.found(&answer, end) {
            return Ok(());
        }
        if !more && answer.is_empty() {
            return Err("the connection was closed without an answer".to_owned());
        }
        if !more {
            return Err(missing("the answer", expected));
        }
        if end {
            return Err(format!("{} (within its first 64 KiB)", missing("the answer", expected)));
        }
        if !matches!(phase, Phase::Answering(_)) {
            *phase = Phase::Answering(missing("the answer", expected));
        }
    }
}
