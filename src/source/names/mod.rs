//! Names of destinations: what they stand for, looked up again and again.
//!
//! [`follow`] is the thin edge; a look-up waits on a thread of its own, bounded in number and in time. What an answer makes of what
//! was known before is a pure function, [`learn`]: a name that cannot be looked up keeps what it stood for, and none is ever taken to
//! stand for nothing.

mod answers;
mod follow;
mod lookup;
#[cfg(test)]
mod tests;

pub use answers::{Answers, Condition, Learnt, Window, learn};
pub use follow::{Wanted, follow, once};
pub use lookup::{Lookups, PATIENCE, Resolver, System};
