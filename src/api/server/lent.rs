//! Answers on their way: large ones go in pieces, and so many at a time, as clients that do not read must not keep many of them.
//! Streams go on for as long as whoever asked may ask.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::crowd::Asking;
use super::purse::{Loan, Purse};
use super::rate::Client;

/// Answers that are smaller are not counted, nor cut: as many as there are connections are nothing.
const SMALL: u64 = 64 << 10;
/// The rest goes out in pieces of this size.
const PIECE: usize = 64 << 10;
/// All large answers together, in bytes.
const MOST: usize = 128 << 20;
/// When so much has gone out the allocator has it to give back.
const MUCH: usize = 32 << 20;
/// All streams together.
const MOST_STREAMS: usize = 100;

/// Comes when a stream has to end.
pub(super) type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is lent for answers.
#[derive(Debug)]
pub(super) struct Lending {
    bytes: Arc<Purse>,
    streams: Arc<Purse>,
}

impl Default for Lending {
    fn default() -> Self {
        Self { bytes: Purse::of(MOST), streams: Purse::of(MOST_STREAMS) }
    }
}

/// An answer, until it is out.
struct Lent {
    body: Body,
    /// What the body gave and has not gone out.
    rest: Bytes,
    /// What it takes, if it is large or a stream.
    loan: Option<Loan>,
    /// Of a stream.
    until: Option<Until>,
    _asking: Asking,
}

impl Lending {
    /// Whether much has gone out, since somebody asked.
    pub(super) fn leaves_much(&self) -> bool {
        self.bytes.has_sunk(MUCH)
    }

    /// Whether nothing large is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.bytes.is_whole()
    }

    /// The answer as it goes out, or what there is too much of.
    pub(super) fn lend(
        &self,
        response: Response,
        (client, asking): (Client, Asking),
        until: impl FnOnce() -> Until,
    ) -> Result<Response, &'static str> {
        let of = |purse: &Arc<Purse>, size| {
            let mut loan = purse.loan(client);
            loan.take(size).then_some(loan)
        };
        let (loan, until) = match response.body().size_hint().exact() {
            Some(size) if size <= SMALL => (None, None),
            Some(size) => {
                let loan = of(&self.bytes, usize::try_from(size).unwrap_or(usize::MAX));
                (Some(loan.ok_or("too many large answers are on their way: try again")?), None)
            }
            // Whoever gives it sees to it that it does not grow.
            None => (Some(of(&self.streams, 1).ok_or("too many streams are open: close one")?), Some(until())),
        };
        Ok(response.map(|body| Body::new(Lent { body, rest: Bytes::new(), loan, until, _asking: asking })))
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        if let Some(until) = &mut this.until
            && until.as_mut().poll(context).is_ready()
        {
            // It has come to an end like any other; whoever comes back is told why not.
            this.body = Body::empty();
            (this.rest, this.until) = (Bytes::new(), None);
            return Poll::Ready(None);
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return Poll::Ready(other),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        // Nothing is left to wait for: the next one has its chance.
        if this.rest.is_empty() && this.body.is_end_stream() {
            this.loan = None;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.body.size_hint();
        match left.exact() {
            Some(exact) => SizeHint::with_exact(exact + u64::try_from(self.rest.len()).unwrap_or(0)),
            None => left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use tokio::sync::oneshot;

    fn lend(lending: &Lending, number: u8, body: Body) -> Result<Response, &'static str> {
        let asking = Asking::on(&Arc::default());
        let client = Client::of([192, 0, 2, number].into());
        lending.lend(Response::new(body), (client, asking), || Box::pin(std::future::pending()))
    }

    fn answer(size: usize) -> Body {
        Body::from(vec![7; size])
    }

    /// Says the same for ever.
    struct Endless;

    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"and so on ")))))
        }
    }

    #[tokio::test]
    async fn a_large_answer_goes_out_whole_and_is_given_back() {
        let lending = Lending::default();
        let size = 1_000_003;
        let lent = lend(&lending, 1, answer(size)).unwrap();
        assert_eq!(lending.bytes.all(), size);
        assert_eq!(lent.body().size_hint().exact(), Some(1_000_003));
        let mut body = lent.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(pieces.iter().sum::<usize>(), size);
        assert!(pieces.iter().all(|piece| *piece <= PIECE));
        assert_eq!(lending.bytes.all(), 0);
    }

    #[test]
    fn only_so_much_is_on_its_way() {
        let lending = Lending::default();
        let many = |number| (0..100).map_while(|_| lend(&lending, number, answer(5 << 20)).ok()).collect::<Vec<_>>();
        let lent = [many(1), many(2), many(3)];
        assert_eq!(lent.each_ref().map(Vec::len), [12, 12, 1], "one client has half of it at most");
        assert!(lend(&lending, 1, answer(1000)).is_ok(), "small ones are nothing");
        drop(lent);
        assert!(lend(&lending, 1, answer(MOST + 1)).is_ok(), "one that is larger has its chance");
    }

    #[test]
    fn so_many_streams_are_of_one_client() {
        let lending = Lending::default();
        let mut streams: Vec<_> = (0..50).map(|_| lend(&lending, 1, Body::new(Endless)).unwrap()).collect();
        assert!(lend(&lending, 1, Body::new(Endless)).unwrap_err().contains("too many streams"));
        assert!(lend(&lending, 2, Body::new(Endless)).is_ok());
        streams.pop();
        assert!(lend(&lending, 1, Body::new(Endless)).is_ok());
    }

    #[tokio::test]
    async fn a_stream_ends_when_it_has_to() {
        let (end, ended) = oneshot::channel::<()>();
        let until = Box::pin(async move { drop(ended.await) });
        let with = (Client::Other, Asking::on(&Arc::default()));
        let lent = Lending::default().lend(Response::new(Body::new(Endless)), with, || until).unwrap();
        let mut body = lent.into_body();
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().unwrap().is_data());
        }
        end.send(()).unwrap();
        assert!(body.frame().await.is_none() && body.frame().await.is_none() && body.is_end_stream());
    }
}
