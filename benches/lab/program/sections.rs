//! The same measurements by two clocks.
//!
//! An ordinary one on two processors: what entering the kernel and waiting for another processor cost is in it, and whatever the
//! host does meanwhile is, too. And one that goes by instructions, on one processor: it repeats to the percent, and leaves out both.

use super::{measure_by_clock, measure_by_instructions, report};
use crate::section::{Need, Reach, Row, Section};

const KEEPALIVED: Need = Need::Program("keepalived", "keepalived");

pub const SECTION: Section = Section {
    name: "program",
    needs: &[Need::Kernel("6.1"), KEEPALIVED, Need::Program("ldirectord", "ldirectord"), Need::Perl],
    memory: "3G",
    seconds: [2400, 300],
    rows: &[
        Row { id: "restore", what: OPERATIONS, against: RESTORE, reach: Reach::Faster(50.0) },
        Row { id: "restore-process", what: APPLY, against: RESTORE, reach: Reach::Faster(25.0) },
        Row {
            id: "single",
            what: OPERATIONS,
            against: "one request and one acknowledgement per operation on one socket (C)",
            reach: Reach::Faster(4.0),
        },
        Row {
            id: "keepalived",
            what: APPLY,
            against: "keepalived 2.2 from start to a full table",
            reach: Reach::Faster(5.0),
        },
        Row { id: "batch", what: OPERATIONS, against: BATCH, reach: Reach::Times(1.25) },
        Row { id: "converged", what: CONVERGED, against: DUMPS, reach: Reach::Times(1.3) },
    ],
    measure: measure_by_clock,
    report: report::by_clock,
};

pub const BY_INSTRUCTIONS: Section = Section {
    name: "instructions",
    needs: &[Need::InstructionClock, KEEPALIVED],
    memory: "3G",
    seconds: [3600, 300],
    rows: &[
        Row { id: "batch-instructions", what: OPERATIONS, against: BATCH, reach: Reach::Times(1.25) },
        Row { id: "converged-instructions", what: CONVERGED, against: DUMPS, reach: Reach::Times(1.3) },
        Row {
            id: "converged-narrow",
            what: CONVERGED,
            against: "the same dumps, received a page at a time, which costs the kernel least",
            reach: Reach::Times(1.3),
        },
    ],
    measure: measure_by_instructions,
    report: report::by_instructions,
};

const OPERATIONS: &str = "cold apply, the operations themselves";
const APPLY: &str = "cold apply, `ipvsd apply` as a whole process";
const CONVERGED: &str = "a pass over a converged table";
const RESTORE: &str = "`ipvsadm -R` of the same rules";
const BATCH: &str = "a minimal C program that sends the same messages batched";
const DUMPS: &str = "the bare dumps of the same table in that C program";
