//! Which rows a page shows, and in which order: sorted, filtered, and folded. Pure.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::table::{Row, ServiceRow, Table};
use crate::cli::picture::health::Mood;
use crate::model::ServiceKey;

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Column {
    /// As addresses are sorted, by name where there is one.
    #[default]
    Name,
    How,
    Weight,
    Active,
    Inactive,
    Connections,
    ConnectionRate,
    InRate,
    OutRate,
    Health,
}

impl Column {
    /// From the left to the right.
    pub(super) const ALL: [Self; 10] = [
        Self::Name,
        Self::How,
        Self::Weight,
        Self::Active,
        Self::Inactive,
        Self::Connections,
        Self::ConnectionRate,
        Self::InRate,
        Self::OutRate,
        Self::Health,
    ];

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Name => "SERVICE / DESTINATION",
            Self::How => "FORWARD",
            Self::Weight => "WEIGHT",
            Self::Active => "ACTIVE",
            Self::Inactive => "INACT",
            Self::Connections => "CONNS",
            Self::ConnectionRate => "CONN/S",
            Self::InRate => "IN B/S",
            Self::OutRate => "OUT B/S",
            Self::Health => "HEALTH",
        }
    }

    /// The one `by` places to the right of it, around the ends.
    pub(super) fn next(self, by: isize) -> Self {
        let count = Self::ALL.len().cast_signed();
        let at = Self::ALL.iter().position(|column| *column == self).unwrap_or(0).cast_signed();
        let next = (at + by).rem_euclid(count).cast_unsigned();
        Self::ALL.get(next).copied().unwrap_or_default()
    }

    /// Texts begin with the first letter, numbers with the largest, health with the worst.
    fn compare(self, one: &Row, other: &Row) -> Ordering {
        match self {
            Self::Name => one.title.cmp(&other.title),
            Self::How => one.how.cmp(&other.how),
            Self::Health => rank(one).cmp(&rank(other)).then_with(|| one.said.health.cmp(&other.said.health)),
            number => number.of(other).cmp(&number.of(one)),
        }
    }

    /// Of what is not in the kernel, nothing, which is less than any.
    pub(super) fn of(self, row: &Row) -> Option<u64> {
        let numbers = row.numbers?;
        match self {
            Self::Weight => Some(numbers.weight),
            Self::Active => Some(numbers.active),
            Self::Inactive => Some(numbers.inactive),
            Self::Connections => Some(numbers.connections),
            Self::ConnectionRate => Some(numbers.connection_rate),
            Self::InRate => Some(numbers.in_rate),
            Self::OutRate => Some(numbers.out_rate),
            Self::Name | Self::How | Self::Health => None,
        }
    }
}

fn rank(row: &Row) -> u8 {
    match (row.said.mood, row.said.health.as_str()) {
        (Mood::Bad, _) => 0,
        (Mood::Quiesced, "down") => 1,
        (Mood::Quiesced, _) => 2,
        (Mood::Plain, "unknown") => 3,
        (Mood::Plain, "up") => 5,
        (Mood::Plain, "" | "–") => 6,
        (Mood::Plain, _) => 4,
    }
}

/// A row that is shown, by its places in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) service: usize,
    pub(super) destination: Option<usize>,
}

/// How somebody wants to see the table.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrangement {
    pub(super) sort: Column,
    pub(super) reversed: bool,
    /// Words that all have to be there, in any case.
    pub(super) filter: String,
    /// Services whose destinations are not shown; with a filter, they are.
    pub(super) folded: BTreeSet<ServiceKey>,
}

/// The rows in their order.
pub(super) fn lines(table: &Table, arrangement: &Arrangement) -> Vec<Line> {
    let Arrangement { sort, reversed, filter, folded } = arrangement;
    let filter = filter.to_lowercase();
    let words: Vec<&str> = filter.split_whitespace().collect();
    let turn = |order: Ordering| if *reversed { order.reverse() } else { order };
    let mut services: Vec<(usize, &ServiceRow)> = table.services.iter().enumerate().collect();
    services.sort_by(|(_, one), (_, other)| turn(sort.compare(&one.row, &other.row)));
    let mut lines = Vec::new();
    for (service, ServiceRow { key, row, destinations }) in services {
        let of_service: Vec<bool> = words.iter().map(|word| has(row, word, true)).collect();
        let mut shown: Vec<(usize, &Row)> = destinations.iter().map(|(_, row)| row).enumerate().collect();
        if !words.is_empty() {
            // What the service is called counts for its destinations; how well it is does not.
            let named: Vec<bool> = words.iter().map(|word| has(row, word, false)).collect();
            let passes = |row: &Row| words.iter().zip(&named).all(|(word, named)| *named || has(row, word, true));
            shown.retain(|(_, row)| passes(row));
            if shown.is_empty() && !of_service.iter().all(|found| *found) {
                continue;
            }
        }
        lines.push(Line { service, destination: None });
        if words.is_empty() && folded.contains(key) {
            continue;
        }
        // Of destinations the table's own order is that of their addresses, as numbers.
        shown.sort_by(|one, other| match sort {
            Column::Name => turn(one.0.cmp(&other.0)),
            _ => turn(sort.compare(one.1, other.1)),
        });
        lines.extend(shown.into_iter().map(|(index, _)| Line { service, destination: Some(index) }));
    }
    lines
}

/// Whether a word, in small letters, is in a row.
fn has(row: &Row, word: &str, also_health: bool) -> bool {
    let contains = |text: &str| text.to_lowercase().contains(word);
    contains(&row.title)
        || contains(&row.how)
        || (also_health && (contains(&row.said.health) || contains(&row.said.why)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::picture::testing::{WEB, destination, night, service};
    use std::time::Duration;

    fn table() -> Table {
        let mut picture = night();
        let web = picture.live.services.get_mut(&service(WEB)).unwrap();
        for (at, rate) in [("10.0.0.11:80", 5), ("10.0.0.14:80", 50), ("10.0.0.17:80", 20)] {
            web.destinations.get_mut(&destination(at)).unwrap().stats.connection_rate = rate;
        }
        Table::new(picture, Vec::new(), Vec::new(), Duration::from_secs(2))
    }

    /// The last number of the address of each destination, and the names of services.
    fn shown(arrangement: &Arrangement) -> String {
        let table = table();
        let name = |line: &Line| {
            let title = &table.row(line.service, line.destination).unwrap().title;
            match line.destination {
                None => title.split(' ').next().unwrap().to_owned(),
                Some(_) => title.trim_end_matches(":80").rsplit('.').next().unwrap().to_owned(),
            }
        };
        lines(&table, arrangement).iter().map(name).collect::<Vec<_>>().join(" ")
    }

    fn sorted(sort: Column, reversed: bool) -> String {
        shown(&Arrangement { sort, reversed, ..Arrangement::default() })
    }

    fn filtered(filter: &str) -> String {
        shown(&Arrangement { filter: filter.to_owned(), folded: [service(WEB)].into(), ..Arrangement::default() })
    }

    #[test]
    fn each_column_sorts_services_and_destinations_in_them() {
        assert_eq!(sorted(Column::Name, false), "api 11 web 11 12 13 14 15 16 17 18");
        assert_eq!(sorted(Column::Name, true), "web 18 17 16 15 14 13 12 11 api 11");
        assert_eq!(sorted(Column::Active, false), "web 15 11 13 12 14 16 17 18 api 11");
        assert_eq!(sorted(Column::ConnectionRate, false), "web 14 17 11 12 13 15 16 18 api 11");
        assert_eq!(sorted(Column::Weight, false), "web 11 17 14 12 13 15 16 18 api 11");
        assert_eq!(sorted(Column::Health, false), "web 13 18 16 12 15 17 11 14 api 11");
        for column in Column::ALL {
            assert_eq!(sorted(column, false).split(' ').count(), 11, "{column:?}");
        }
        assert_eq!(Column::Name.next(-1), Column::Health);
        assert_eq!(Column::Health.next(1), Column::Name);
    }

    #[test]
    fn a_filter_goes_by_all_its_words_and_unfolds() {
        assert_eq!(filtered(""), "api 11 web");
        assert_eq!(filtered("WEB"), "web 11 12 13 14 15 16 17 18");
        assert_eq!(filtered("0.11"), "api 11 web 11");
        assert_eq!(filtered("web down"), "web 13 16 18");
        assert_eq!(filtered("status 500"), "web 13");
        assert_eq!(filtered("panic"), "api");
        assert_eq!(filtered("nowhere"), "");
    }
}
