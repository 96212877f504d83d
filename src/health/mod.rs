//! The checkers, and the state machine that makes verdicts of their results.

#[allow(dead_code, reason = "the engine that runs it is not here yet")]
mod probe;
