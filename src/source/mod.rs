//! Further sources of desired state: what is not written down, and comes and goes by itself.
//!
//! A source keeps a picture of what it has seen last, and wakes the loop when that has changed. What follows from the picture is a
//! pure function of it and of the configuration. A source that cannot see keeps its picture: nothing is taken away because of
//! an error.

pub mod docker;
pub mod names;
mod news;

pub use news::News;
