//! Plans for people and for programs: text and JSON, made of the same data.

mod attributes;
mod comparison;
mod detail;
mod host;
mod json;
mod lines;
mod notes;
mod style;
mod text;
pub mod words;

pub use attributes::{Attribute, destination_changes, service_changes};
pub use comparison::{comparison_json, comparison_text};
pub use detail::{detail, unchanged_text};
pub use host::{host_json, host_note_line, host_operation_line, host_value, sync_settings};
pub use json::{destination as destination_json, json, service as service_json};
pub use lines::{OperationLine, operation_line};
pub use notes::note_line;
pub use style::Style;
pub use text::text;

use std::collections::BTreeMap;

use crate::model::{ServiceKey, ServiceOrigin};

/// Where services come from: for their names.
type Origins = BTreeMap<ServiceKey, ServiceOrigin>;
