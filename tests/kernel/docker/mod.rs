//! Containers of a real engine behind the balancer. The lab has to be started with `--docker --mem 1024M`.

mod auto;
mod demonstration;
mod engine;
mod fates;
mod macvlan;
mod requests;
mod restarts;

use engine::Engine;

const FILE: &str = "ipvsd.toml";

/// Containers that are wanted are known by their events: an hour passes before a list is asked for by the clock.
fn configuration(engine: &Engine, of_docker: &str, rest: &str) -> String {
    let socket = engine.socket();
    format!(
        "version = 1\n[daemon]\nresync = \"1h\"\n[docker]\nsocket = \"{}\"\nresync = \"1h\"\n{of_docker}\n\
         [checks.port]\ntcp = {{}}\ninterval = \"500ms\"\ntimeout = \"400ms\"\nrise = 1\nfall = 3\n{rest}",
        socket.display()
    )
}
