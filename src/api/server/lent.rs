//! Answers on their way: large ones go in pieces, and so many at a time, as clients that do not read must not keep many of them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::crowd::Asking;

/// Answers that are smaller are not counted, nor cut: as many as there are connections are nothing.
const SMALL: u64 = 64 << 10;
/// The rest goes out in pieces of this size.
const PIECE: usize = 64 << 10;
/// All large answers together, in bytes. One alone may be larger.
const MOST: usize = 256 << 20;

/// Bytes of large answers that are on their way.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

/// An answer, until it is out.
pub(super) struct Lent {
    body: Body,
    /// What the body gave and has not gone out.
    rest: Bytes,
    /// What it takes of the budget, if it is large.
    share: Option<Share>,
    _asking: Asking,
}

struct Share {
    size: usize,
    budget: Arc<Budget>,
}

impl Lent {
    /// The answer as it goes out, or nothing if there is no room for it.
    pub(super) fn of(response: Response, budget: &Arc<Budget>, asking: Asking) -> Result<Response, ()> {
        // A stream has no size, and whoever gives it sees to it that it does not grow.
        let size = response.body().size_hint().exact().filter(|size| *size > SMALL);
        let share = size.map(|size| Share::of(budget, usize::try_from(size).unwrap_or(usize::MAX))).transpose()?;
        Ok(response.map(|body| Body::new(Self { body, rest: Bytes::new(), share, _asking: asking })))
    }
}

impl Share {
    fn of(budget: &Arc<Budget>, size: usize) -> Result<Self, ()> {
        let taken = budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
            (all == 0 || all.saturating_add(size) <= MOST).then(|| all.saturating_add(size))
        });
        taken.map(|_| Self { size, budget: Arc::clone(budget) }).map_err(|_| ())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.size, Ordering::Relaxed);
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
            this.share = None;
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

    fn answer(size: usize) -> Response {
        Response::new(Body::from(vec![7; size]))
    }

    fn asking() -> Asking {
        Asking::on(&Arc::default())
    }

    fn taken(budget: &Budget) -> usize {
        budget.0.load(Ordering::Relaxed)
    }

    #[test]
    fn a_large_answer_goes_out_whole_and_is_given_back() {
        let budget = Arc::default();
        let size = 1_000_003;
        let lent = Lent::of(answer(size), &budget, asking()).unwrap();
        assert_eq!(taken(&budget), size);
        assert_eq!(lent.body().size_hint().exact(), Some(1_000_003));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pieces = runtime.block_on(async {
            let mut body = lent.into_body();
            let mut pieces = Vec::new();
            while let Some(frame) = body.frame().await {
                pieces.push(frame.unwrap().into_data().unwrap().len());
            }
            pieces
        });
        assert_eq!(pieces.iter().sum::<usize>(), size);
        assert!(pieces.iter().all(|piece| *piece <= PIECE));
        assert_eq!(taken(&budget), 0);
    }

    #[test]
    fn only_so_much_is_on_its_way() {
        let budget = Arc::default();
        let lent: Vec<_> = (0..100).map_while(|_| Lent::of(answer(10 << 20), &budget, asking()).ok()).collect();
        assert_eq!(lent.len(), 25);
        assert!(Lent::of(answer(1000), &budget, asking()).is_ok(), "small ones are nothing");
        drop(lent);
        assert!(Lent::of(answer(MOST + 1), &budget, asking()).is_ok(), "one that is larger has its chance");
    }
}
