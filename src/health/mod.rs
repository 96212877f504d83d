//! The checkers, and the state machine that makes verdicts of their results.
//!
//! ```text
//!  assignments ─▶ registry ─▶ targets ─▶ agenda ─▶ probe ─▶ machine ─▶ registry ─▶ verdicts
//!                 (whom, by value)      (when)    (a run)  (rise, fall)  (per destination)
//! ```
//!
//! All that decides is pure: `machine` (one check of one target), `agenda` (when), `registry` (whom, and what is
//! known), together in `state`. `engine` adds the clock and runs the `probe`s.

mod agenda;
mod combine;
mod engine;
mod machine;
mod meter;
mod probe;
mod registry;
mod state;
mod targets;
#[cfg(test)]
mod testing;
mod trouble;

pub use engine::{Engine, Runner};
pub use meter::Meter;
