//! What tells containers to stop: asked of those that got another signal than the usual ones, a few at a time.

use std::collections::VecDeque;

use tokio::task::JoinSet;

use super::client::{Client, SHORT, SMALL};
use super::wire::Inspected;

/// So many are asked at the same time …
const AT_ONCE: usize = 64;
/// … and so many wait for their turn.
const MOST: usize = 65_536;

/// A container, what it is known by here, and the signal that it got.
struct Question {
    id: String,
    of: String,
    signal: u32,
}

/// What became of a question.
pub(super) struct Reply {
    pub of: String,
    pub signal: u32,
    /// The signal that tells it to stop.
    pub stop_signal: u32,
}

/// See the module. Dropped, it asks no more.
pub(super) struct Questions {
    client: Client,
    /// `/v1.41`, or nothing.
    prefix: String,
    waiting: VecDeque<Question>,
    under_way: JoinSet<Result<Reply, String>>,
}

impl Questions {
    pub(super) fn new(client: Client, prefix: String) -> Self {
        Self { client, prefix, waiting: VecDeque::new(), under_way: JoinSet::new() }
    }

    /// Asks a container, when it is its turn.
    pub(super) fn ask(&mut self, id: String, of: String, signal: u32) {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_id && self.waiting.len() < MOST {
            self.waiting.push_back(Question { id, of, signal });
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        while self.under_way.len() < AT_ONCE {
            let Some(Question { id, of, signal }) = self.waiting.pop_front() else { return };
            let (client, path) = (self.client.clone(), format!("{}/containers/{id}/json", self.prefix));
            self.under_way.spawn(async move {
                let inspected: Inspected = client.get(&path, SMALL, SHORT).await?.json()?;
                Ok(Reply { of, signal, stop_signal: inspected.stop_signal() })
            });
        }
    }

    /// The next that was answered; nothing while none is asked. Dropped while it waits, it loses none.
    pub(super) async fn next(&mut self) -> Option<Reply> {
        loop {
            let done = self.under_way.join_next().await?;
            self.go_on();
            // One that does not answer has ended, perhaps: a list will say so.
            if let Ok(Ok(reply)) = done {
                return Some(reply);
            }
        }
    }
}
