//! Whoever watches over a thread hears of each answer that it gets.
//!
//! A pass over a large table is thousands of exchanges: between two of them the thread is plainly alive, however long all of
//! them take, and nobody above has to know.

use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static TOLD: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Has `told` called at the end of each exchange of this thread, good or bad, from now on. It must not wait.
pub fn on_exchange(told: impl Fn() + 'static) {
    TOLD.set(Some(Rc::new(told)));
}

/// An exchange has come to its end.
pub(super) fn made() {
    // Not while it is called: it may do as it likes here.
    let told = TOLD.with_borrow(Clone::clone);
    if let Some(told) = told {
        told();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::netlink::{Family, Flags, Link};

    #[test]
    fn each_exchange_is_heard_of_in_its_thread() {
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        on_exchange(move || counted.set(counted.get() + 1));
        let mut link = Link::open(Family::Route).unwrap();
        let ask = |link: &mut Link| {
            let mut batch = link.batch();
            // RTM_GETLINK, all of them; struct ifinfomsg.
            batch.push(18, Flags::DUMP, |body| body.0.extend_from_slice(&[0; 16]));
            link.exchange(batch, "list interfaces", &mut |_, _| ()).unwrap();
        };
        for exchanges in 1..=3 {
            ask(&mut link);
            assert_eq!(count.get(), exchanges);
        }
        std::thread::spawn(move || ask(&mut Link::open(Family::Route).unwrap())).join().unwrap();
        assert_eq!(count.get(), 3);
    }
}
