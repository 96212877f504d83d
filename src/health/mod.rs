//! The checkers, and the state machine that makes verdicts of their results.
