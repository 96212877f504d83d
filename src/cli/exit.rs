//! Exit codes, as the manual lists them.

use std::process::ExitCode;

/// How a command ended.
///
/// | code | meaning |
/// |---|---|
/// | 0 | done, or nothing to do |
/// | 1 | failed, or not everything could be done; `doctor`, `check --host`: there is an error-level finding |
/// | 2 | `plan`: there are changes; `diff`: the two are not the same |
/// | 64 | the command line is wrong (`EX_USAGE`, sysexits.h) |
/// | 78 | the configuration is wrong (`EX_CONFIG`, sysexits.h) |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Changes = 2,
    Usage = 64,
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
