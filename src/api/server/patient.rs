//! A connection whose other end has to take what it asked for: one that does not read holds what was written for it.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// While there is more than the connection takes, so much has to go …
const AT_LEAST: usize = 1 << 20;
/// … in this time.
const WITHIN: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Patient<S> {
    stream: S,
    within: Duration,
    /// Runs from when the connection took no more, until enough has gone or all of it.
    stuck: Option<Pin<Box<Sleep>>>,
    /// What has gone since.
    gone: usize,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::with(stream, WITHIN)
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    fn with(stream: S, within: Duration) -> Self {
        Self { stream, within, stuck: None, gone: 0 }
    }

    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) => {
                self.gone += count;
                if self.gone >= AT_LEAST {
                    self.stuck = None;
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let within = self.within;
                let gone = &mut self.gone;
                let stuck = self.stuck.get_or_insert_with(|| {
                    *gone = 0;
                    Box::pin(sleep_until(Instant::now() + within))
                });
                if stuck.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end does not read")));
                }
            }
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes when all has been written.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if flushed.is_ready() {
            this.stuck = None;
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn who_does_not_read_is_given_up() {
        run(async {
            let (near, _far) = duplex(1000);
            let mut patient = Patient::with(near, Duration::from_millis(50));
            let error = patient.write_all(&[0; 5000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn who_reads_too_slowly_is_given_up() {
        run(async {
            let (near, mut far) = duplex(1000);
            let mut patient = Patient::with(near, Duration::from_millis(60));
            let slow = async {
                let mut byte = [0];
                while far.read(&mut byte).await.is_ok_and(|count| count > 0) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                written = patient.write_all(&[0; 500_000]) => assert!(written.is_err()),
                () = slow => panic!("it went on for ever"),
            }
        });
    }

    #[test]
    fn who_reads_gets_all_however_long_nothing_comes() {
        run(async {
            let (near, mut far) = duplex(1000);
            let mut patient = Patient::with(near, Duration::from_millis(40));
            let reader = tokio::spawn(async move {
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.unwrap();
                all.len()
            });
            for _ in 0..3 {
                patient.write_all(&[0; 5000]).await.unwrap();
                patient.flush().await.unwrap();
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            drop(patient);
            assert_eq!(reader.await.unwrap(), 15_000);
        });
    }
}
