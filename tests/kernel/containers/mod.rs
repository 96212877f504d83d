//! Containers of an engine that is replayed: what a real one would have to be made to do, and what it was recorded doing.

mod auto;
mod burst;
mod labels;
mod scenes;
mod swarm;
mod troubles;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::netns;
use crate::program::Program;
use crate::replayed::Replayed;

const FILE: &str = "ipvsd.toml";
const SERVICE: &str = "-t 192.0.2.10:80";
const LIST: &str = "/containers/json";
/// As [`crate::recorded::container`] takes them.
const WEB: [(&str, &str); 1] = [("ipvsd.service", "web")];

/// An engine, a namespace with an empty table, and a configuration that goes by the engine's events, not by the clock.
fn stage(of_web: &str) -> (Replayed, Program) {
    netns::enter();
    let (engine, program) = (Replayed::start(), Program::new());
    let text = format!(
        "version = 1\n[daemon]\nresync = \"1h\"\nmax_delete = \"100%\"\n[docker]\nsocket = \"{}\"\nresync = \"1h\"\n\
         [checks.exec]\nexec = {{ argv = [\"/bin/true\"] }}\n\
         [[services]]\nname = \"web\"\naddress = \"tcp://192.0.2.10:80\"\ndocker = {{ {of_web} }}\n\
         [[services]]\nname = \"plain\"\naddress = \"tcp://192.0.2.11:80\"\n\
         destinations = [{{ address = \"10.0.0.1:80\" }}]\n",
        engine.socket().display()
    );
    program.write(FILE, &text);
    (engine, program)
}

/// The weights of these destinations.
fn of(destinations: &[(&str, u32)]) -> BTreeMap<String, u32> {
    destinations.iter().map(|(at, weight)| ((*at).to_owned(), *weight)).collect()
}

/// Streams events.
fn tell(engine: &Replayed, events: &[Value]) {
    for event in events {
        engine.event(event);
    }
}
