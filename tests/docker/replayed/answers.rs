//! What is answered to a request, were all well.

use serde_json::{Value, json};

use super::connection::{Filters, Request};
use super::{State, recorded};

/// An answer with a body of its own length.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    fn ok(body: &Value) -> Self {
        Self { status: 200, body: format!("{body}\n") }
    }

    /// As the engine words its errors.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self { status, body: format!("{}\n", json!({ "message": message })) }
    }

    /// To anything but `/events`.
    pub(super) fn to(request: &Request, state: &State) -> Self {
        match request.path.as_str() {
            "/_ping" => Self { status: 200, body: "OK".to_owned() },
            "/version" => Self::ok(&recorded::body("version.json")),
            "/info" => Self::ok(&recorded::body(if state.swarm.is_some() { "swarm.info" } else { "info.json" })),
            "/containers/json" => match Filters::of(request) {
                Ok(filters) => {
                    let all = ["1", "true", "True"].contains(&request.query("all").unwrap_or_default().as_str());
                    let wanted = |one: &&Value| (all || runs(one) || filters.has("status")) && filters.pass(one);
                    Self::ok(&state.containers.iter().filter(wanted).cloned().collect())
                }
                Err(error) => Self::error(400, &error),
            },
            "/services" => Self::swarm(state.swarm.as_ref().map(|(services, _)| services)),
            "/tasks" => match Filters::of(request) {
                Ok(filters) => {
                    let wanted = |task: &&Value| filters.pass_task(task);
                    let of = |tasks: &Vec<Value>| tasks.iter().filter(wanted).cloned().collect::<Vec<Value>>();
                    Self::swarm(state.swarm.as_ref().map(|(_, tasks)| of(tasks)).as_ref())
                }
                Err(error) => Self::error(400, &error),
            },
            "/nodes" => match state.swarm {
                Some(_) => Self::ok(&recorded::body("swarm.nodes")),
                None => Self::swarm(None),
            },
            path => {
                let name = path.strip_prefix("/containers/").and_then(|rest| rest.strip_suffix("/json"));
                match (name, name.and_then(|name| state.inspected.get(name))) {
                    (_, Some(inspected)) => Self::ok(inspected),
                    (Some(name), None) => Self::error(404, &format!("No such container: {name}")),
                    (None, None) => Self::error(404, "page not found"),
                }
            }
        }
    }

    fn swarm(list: Option<&Vec<Value>>) -> Self {
        let none = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node \
                    to swarm and try again.";
        list.map_or_else(|| Self::error(503, none), |list| Self::ok(&json!(list)))
    }
}

/// Whether it is in a list without `all=1`.
fn runs(container: &Value) -> bool {
    ["running", "paused", "restarting"].contains(&container["State"].as_str().unwrap_or_default())
}
