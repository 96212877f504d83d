//! What a plan leaves as it is, and where things come from: for those who are shown a plan without the files beside it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{OperationLine, Origins, destination_json, service_json, words};
use crate::model::{DestinationKey, Live, ServiceKey, Table};
use crate::plan::Plan;

/// Adds to the plan as JSON: `text` and `origin` to each operation, and `unchanged_entries`, what is wanted and stays as it is.
pub fn detail(document: &mut Value, plan: &Plan, origins: &Origins, (live, wanted): (&Live, &Table)) {
    if let Some(operations) = document["operations"].as_array_mut() {
        for (value, step) in operations.iter_mut().zip(&plan.steps) {
            value["text"] = OperationLine(&step.operation).to_string().into();
            value["origin"] = origins.get(step.operation.service()).map_or(
                Value::Null,
                |origin| json!({ "file": origin.file.display().to_string(), "line": origin.line }),
            );
        }
    }
    document["unchanged_entries"] = unchanged(plan, origins, live, wanted).into();
}

/// What stays as it is, for people: nothing if there is no such thing.
pub fn unchanged_text(plan: &Plan, origins: &Origins, (live, wanted): (&Live, &Table)) -> String {
    let touched = touched(plan);
    let mut text = String::new();
    for (key, service) in &wanted.services {
        let Some(found) = live.services.get(key) else { continue };
        let kept = service.destinations.keys().filter(|key_of| !touched.contains(&(key, Some(**key_of))));
        let kept = kept.filter_map(|destination| Some((destination, found.destinations.get(destination)?)));
        let mut lines: Vec<String> = Vec::new();
        for (destination, live) in kept {
            let mut line = format!("      {destination}  ");
            // Writing to a String does not fail.
            let _ = words::write_destination(&mut line, &live.settings);
            lines.push(line);
        }
        let is_same = !touched.contains(&(key, None));
        if lines.is_empty() && !is_same {
            continue;
        }
        let name = origins.get(key).map(|origin| format!(" ({})", origin.name)).unwrap_or_default();
        let mut line = format!("    {key}{name}");
        if is_same {
            line.push_str("  ");
            let _ = words::write_service(&mut line, &found.settings);
        }
        lines.insert(0, line);
        text += &(lines.join("\n") + "\n");
    }
    if text.is_empty() { text } else { format!("\nUnchanged:\n\n{text}") }
}

/// What the plan has an operation for.
fn touched(plan: &Plan) -> BTreeSet<(&ServiceKey, Option<DestinationKey>)> {
    plan.steps.iter().map(|step| (step.operation.service(), step.operation.destination().copied())).collect()
}

fn unchanged(plan: &Plan, origins: &Origins, live: &Live, wanted: &Table) -> Vec<Value> {
    let touched = touched(plan);
    let mut entries = Vec::new();
    for (key, service) in &wanted.services {
        let Some(found) = live.services.get(key) else { continue };
        let name = origins.get(key).map(|origin| &origin.name);
        let mut put = |kind: &str, destination: Option<&DestinationKey>, settings: Value| {
            entries.push(json!({
                "kind": kind, "service": key, "name": name, "destination": destination, "settings": settings,
            }));
        };
        if !touched.contains(&(key, None)) {
            put("service", None, service_json(&found.settings));
        }
        for destination in service.destinations.keys() {
            if let Some(found) = found.destinations.get(destination)
                && !touched.contains(&(key, Some(*destination)))
            {
                put("destination", Some(destination), destination_json(&found.settings));
            }
        }
    }
    entries
}
