//! What to do: the pure way from a live table and an effective one to an ordered list of operations.
//!
//! No IO, no clock, no log. The same inputs give the same plan.

mod operation;

pub use operation::{Cause, Operation, Step};
