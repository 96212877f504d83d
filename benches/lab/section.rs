//! What a section of the benchmark is.

use std::collections::BTreeMap;
use std::fmt;

use crate::guest::Lab;
use crate::run::{Runs, Spread};

/// One part of the benchmark. It has a machine of its own.
pub struct Section {
    pub name: &'static str,
    /// What it needs beside ipvsd, the C program, ipvsadm and ip.
    pub needs: &'static [Need],
    /// Of its machine, as `tests/lab/qemu --mem` takes it; `host` for what runs on the host itself.
    pub memory: &'static str,
    /// How long its machine may take, in seconds; and how long with `--quick`.
    pub seconds: [u32; 2],
    /// The figures to reach, in the order of the table.
    pub rows: &'static [Row],
    /// Runs inside the machine, as root: measures, and says each run by [`Lab::say`].
    pub measure: fn(&mut Lab) -> anyhow::Result<()>,
    /// Runs on the host: makes figures of what was measured. One for each row.
    pub report: fn(&Runs) -> anyhow::Result<Part>,
}

/// Something that the machine must hold.
pub enum Need {
    /// A program, and the Debian package that has it.
    Program(&'static str, &'static str),
    /// A clock that goes by instructions carried out (`tests/lab/qemu --icount`): nothing that the host does meanwhile is measured.
    InstructionClock,
    /// User Mode Linux in place of an emulated machine: for what must keep up with the host's own clock, and is no ratio of times.
    UserModeLinux,
    /// Another kernel than 6.12 (`tests/lab/qemu --kernel`).
    Kernel(&'static str),
    /// What a program in Perl needs: the modules of the host's, and of the packages.
    Perl,
    /// A module of the kernel.
    Module(&'static str),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Program(program, package) => write!(f, "program {program} {package}"),
            Need::InstructionClock => f.write_str("icount"),
            Need::UserModeLinux => f.write_str("uml"),
            Need::Kernel(version) => write!(f, "kernel {version}"),
            Need::Perl => f.write_str("perl"),
            Need::Module(name) => write!(f, "module {name}"),
        }
    }
}

/// A figure to reach.
pub struct Row {
    /// One word by which the section's report names it.
    pub id: &'static str,
    pub what: &'static str,
    pub against: &'static str,
    pub reach: Reach,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub enum Reach {
    /// So many times faster than what it is compared with.
    Faster(f64),
    /// At most so many times what it is compared with.
    Times(f64),
    /// At most so much, in this unit.
    Below(f64, &'static str),
    /// Only shown.
    Shown(&'static str),
}

/// What a section's report gives.
#[derive(Default)]
pub struct Part {
    /// By the rows' ids.
    pub figures: BTreeMap<&'static str, Figure>,
    /// Markdown behind the big table: what was measured, in milliseconds and so on.
    pub details: Vec<Details>,
    pub plots: Vec<Plot>,
}

/// What was measured for a row.
pub struct Figure {
    pub value: Spread,
    /// What one must know to read it: extrapolated, of what size, and so on.
    pub note: String,
}

/// A table of what was measured.
pub struct Details {
    pub title: String,
    pub head: Vec<String>,
    pub lines: Vec<Vec<String>>,
    /// A sentence or two below it.
    pub note: String,
}

/// A plot, which becomes NAME.svg.
pub struct Plot {
    pub name: &'static str,
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

pub struct Axis {
    pub label: String,
    pub logarithmic: bool,
}

pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Dashed: what it is compared with.
    pub peer: bool,
}
