//! A plan that is not carried out, for programs.

use serde_json::Value;

use super::orders;
use crate::model::{Desired, Overrides};
use crate::plan::render;
use crate::plan::{Plan, guard};
use crate::reconcile::Observed;

/// The plan, with what would be refused of it, and the overrides that it goes by.
pub(crate) fn document(observed: &Observed<'_>, desired: &Desired, overrides: &Overrides) -> Value {
    let Observed { live, plan, .. } = observed;
    let mut document = render::json(plan, &desired.origins);
    document["unknown"] = live.unknown.as_slice().into();
    document["refused"] = refusal(plan, desired).into();
    document["overrides"] = orders::document(overrides, &desired.origins, Some(desired));
    document
}

/// Why a pass would refuse it.
pub(crate) fn refusal(plan: &Plan, desired: &Desired) -> Option<String> {
    guard(plan, desired.max_delete).err().map(|refusal| refusal.to_string())
}
