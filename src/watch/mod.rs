//! What wakes the loop: files that move (notify) and signals (signal-hook). Nothing here reads a
//! configuration or knows what a wake-up is for.

mod chain;
mod files;
mod signals;

pub use files::{FileWatcher, WatchTrouble};
pub use signals::{SignalWatcher, hold_reloads};
