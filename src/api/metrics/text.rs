//! The text format of OpenMetrics 1.0.

use std::fmt::{Display, Write as _};

use super::catalogue::{Kind, Metric};
use crate::reconcile::Durations;

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// The samples of one family; no other family may come between them.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    metric: &'static Metric,
    /// What stands before the labels.
    name: String,
}

/// Labels as they stand in a sample, without the braces.
pub(super) fn labels<const N: usize>(pairs: [(&str, &str); N]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        label(&mut text, name, value);
    }
    text
}

fn label(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
}

/// Writing into a string cannot fail.
fn put(text: &mut String, value: impl Display) {
    let _ = write!(text, "{value}");
}

impl Page {
    /// About as much as so many services and destinations take: a text that grows is copied each time.
    pub(super) fn with_room_for(objects: usize) -> Self {
        Self(String::with_capacity((16 << 10) + objects.saturating_mul(3 << 10)))
    }

    pub(super) fn family(&mut self, metric: &'static Metric) -> Family<'_> {
        let Metric { name, kind, unit, labels: _, help } = metric;
        put(&mut self.0, format_args!("# TYPE {name} {}\n", kind.as_str()));
        if !unit.is_empty() {
            put(&mut self.0, format_args!("# UNIT {name} {unit}\n"));
        }
        put(&mut self.0, format_args!("# HELP {name} {help}\n"));
        let suffix = if *kind == Kind::Counter { "_total" } else { "" };
        Family { name: format!("{name}{suffix}"), page: self, metric }
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, metric: &'static Metric, value: impl Display) {
        self.family(metric).sample("", value);
    }

    pub(super) fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

impl Family<'_> {
    /// A sample with these labels.
    pub(super) fn sample(&mut self, labels: &str, value: impl Display) {
        self.line("", labels, "", value);
    }

    /// A sample with these labels, and the last label of the metric.
    pub(super) fn sample_of(&mut self, labels: &str, last: &str, value: impl Display) {
        let text = &mut self.page.0;
        text.push_str(&self.name);
        text.push('{');
        text.push_str(labels);
        if !labels.is_empty() {
            text.push(',');
        }
        text.push_str(self.metric.labels.last().copied().unwrap_or("of"));
        text.push_str("=\"");
        // These are words of ours.
        text.push_str(last);
        text.push_str("\"} ");
        put(text, value);
        text.push('\n');
    }

    pub(super) fn histogram(&mut self, labels: &str, durations: &Durations) {
        let mut all = 0;
        let bounds = Durations::BOUNDS.iter().map(|bound| format!("{bound:?}")).chain(["+Inf".to_owned()]);
        for (index, bound) in bounds.enumerate() {
            all += durations.counts.get(index).copied().unwrap_or(0);
            self.line("_bucket", labels, &format!("le=\"{bound}\""), all);
        }
        self.line("_sum", labels, "", durations.sum);
        self.line("_count", labels, "", all);
    }

    fn line(&mut self, suffix: &str, labels: &str, more: &str, value: impl Display) {
        let text = &mut self.page.0;
        text.push_str(&self.name);
        text.push_str(suffix);
        if !labels.is_empty() || !more.is_empty() {
            text.push('{');
            text.push_str(labels);
            if !labels.is_empty() && !more.is_empty() {
                text.push(',');
            }
            text.push_str(more);
            text.push('}');
        }
        text.push(' ');
        put(text, value);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        assert_eq!(labels([("a", "x\"y\\z\n"), ("b", "ä")]), "a=\"x\\\"y\\\\z\\n\",b=\"ä\"");
    }
}
