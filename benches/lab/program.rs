//! Programming a table: from an empty one to a full one, and a pass over one that is full.

use crate::guest::Lab;
use crate::run::Runs;
use crate::section::{Need, Part, Reach, Row, Section};

pub const SECTION: Section = Section {
    name: "program",
    needs: &[Need::Program("keepalived", "keepalived")],
    memory: "3G",
    seconds: [1500, 200],
    rows: &[Row {
        id: "cold",
        what: "cold apply, the operations",
        against: "`ipvsadm -R`",
        reach: Reach::Faster(50.0),
    }],
    measure,
    report,
};

fn measure(_lab: &mut Lab) -> anyhow::Result<()> {
    anyhow::bail!("nothing is measured yet")
}

fn report(_runs: &Runs) -> anyhow::Result<Part> {
    Ok(Part::default())
}
