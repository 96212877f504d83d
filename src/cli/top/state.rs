//! What somebody sees of the table, and what keys do to that. Pure: keys and news go in, what is to be done comes out.

use std::sync::Arc;

use super::rows::{Arrangement, Column, Line, lines};
use super::table::Table;
use crate::daemon::orders::Target;
use crate::model::{Action, DestinationKey, ServiceKey};

/// A key, whatever the terminal's name for it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Left,
    Right,
    Enter,
    Tab,
    Escape,
    Backspace,
    Char(char),
    Control(char),
}

/// What a key asks of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    Suspend,
    /// Draw all of it anew.
    Redraw,
    /// See whether it may be, and what would come of it; nothing is done yet.
    Prepare(Target, Action),
    Give(Target, Action),
}

/// What comes from outside.
pub(super) enum News {
    Table(Arc<Table>),
    /// The kernel could not be looked at: what was seen last stays.
    Failed(String),
    /// It may be, if somebody says so.
    Prepared(Question),
    Said(Note),
}

/// Something to say yes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) target: Target,
    pub(super) action: Action,
    pub(super) text: String,
    pub(super) warnings: Vec<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) bad: bool,
}

/// What the keys mean just now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Table,
    /// A filter is being written; what it was before.
    Filter(String),
    Confirm(Question),
    Help,
}

/// See the module.
#[derive(Default)]
pub(super) struct State {
    pub(super) table: Arc<Table>,
    /// What has come while the page is frozen.
    waiting: Option<Arc<Table>>,
    pub(super) frozen: bool,
    pub(super) arrangement: Arrangement,
    pub(super) lines: Vec<Line>,
    /// Which of the lines is selected.
    pub(super) at: usize,
    /// The first line that is on the page, and how many are.
    pub(super) top: usize,
    room: usize,
    pub(super) mode: Mode,
    /// Whether there is a pane that tells more of what is selected, as somebody said; else there is one on a high terminal.
    detail: Option<bool>,
    pub(super) is_high: bool,
    pub(super) note: Option<Note>,
    /// Why the kernel cannot be looked at.
    pub(super) trouble: Option<String>,
}

impl State {
    pub(super) fn new(table: Arc<Table>) -> Self {
        let mut state = Self { table, ..Self::default() };
        state.arrange();
        state
    }

    /// Takes what has come.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Table(table) => {
                self.trouble = None;
                if self.frozen {
                    self.waiting = Some(table);
                } else {
                    self.show(table);
                }
            }
            News::Failed(why) => self.trouble = Some(why),
            News::Prepared(question) if self.mode == Mode::Table => self.mode = Mode::Confirm(question),
            News::Prepared(_) => {}
            News::Said(note) => self.note = Some(note),
        }
    }

    /// So many lines of the table are on the page.
    pub(super) fn settle(&mut self, room: usize) {
        self.room = room;
        self.at = self.at.min(self.lines.len().saturating_sub(1));
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(room.max(1)));
        // No page ends in empty lines while there are some before it.
        self.top = self.top.min(self.lines.len().saturating_sub(room.max(1)));
    }

    fn show(&mut self, table: Arc<Table>) {
        let selected = self.selected();
        self.table = table;
        self.rearrange(selected);
    }

    /// Puts the lines in order again; what was selected stays selected, if it is there.
    fn arrange(&mut self) {
        let selected = self.selected();
        self.rearrange(selected);
    }

    fn rearrange(&mut self, selected: Option<(ServiceKey, Option<DestinationKey>)>) {
        self.lines = lines(&self.table, &self.arrangement);
        if let Some((service, destination)) = selected {
            let find = |of: (ServiceKey, Option<DestinationKey>)| {
                self.lines.iter().position(|line| self.keys(line).is_some_and(|keys| keys == of))
            };
            // What is folded is in its service.
            if let Some(at) = find((service, destination)).or_else(|| find((service, None))) {
                self.at = at;
            }
        }
        self.settle(self.room);
    }

    fn keys(&self, line: &Line) -> Option<(ServiceKey, Option<DestinationKey>)> {
        let service = self.table.services.get(line.service)?;
        let destination = match line.destination {
            Some(index) => Some(service.destinations.get(index)?.0),
            None => None,
        };
        Some((service.key, destination))
    }

    /// What is selected.
    pub(super) fn selected(&self) -> Option<(ServiceKey, Option<DestinationKey>)> {
        self.keys(self.lines.get(self.at)?)
    }

    /// Does what a key means.
    pub(super) fn key(&mut self, key: Key) -> Option<Effect> {
        match key {
            Key::Control('c') => return Some(Effect::Quit),
            Key::Control('z') => return Some(Effect::Suspend),
            Key::Control('l') => return Some(Effect::Redraw),
            _ => {}
        }
        match std::mem::take(&mut self.mode) {
            Mode::Table => self.table_key(key),
            // Any key closes it.
            Mode::Help => None,
            Mode::Confirm(question) => self.answer(question, key),
            Mode::Filter(before) => {
                self.filter_key(before, key);
                None
            }
        }
    }

    fn table_key(&mut self, key: Key) -> Option<Effect> {
        self.note = None;
        let page = self.room.saturating_sub(1).max(1);
        match key {
            Key::Char('q') => return Some(Effect::Quit),
            Key::Up | Key::Char('k') => self.go(self.at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.go(self.at.saturating_add(1)),
            Key::PageUp | Key::Control('b') => self.go(self.at.saturating_sub(page)),
            Key::PageDown | Key::Control('f') => self.go(self.at.saturating_add(page)),
            Key::Home | Key::Char('g') => self.go(0),
            Key::End | Key::Char('G') => self.go(usize::MAX),
            Key::Left | Key::Char('h') => self.fold(true),
            Key::Right | Key::Char('l') => self.fold(false),
            Key::Char('c') => self.fold_all(),
            Key::Char('s' | '>') => self.sort(self.arrangement.sort.next(1)),
            Key::Char('S' | '<') => self.sort(self.arrangement.sort.next(-1)),
            Key::Char('r') => {
                self.arrangement.reversed = !self.arrangement.reversed;
                self.arrange();
            }
            Key::Char(' ') => self.freeze(),
            Key::Char('/') => self.mode = Mode::Filter(self.arrangement.filter.clone()),
            Key::Escape => self.filter(String::new()),
            Key::Enter | Key::Tab | Key::Char('i') => self.detail = Some(!self.has_detail()),
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('d') => return self.order(Action::Drain),
            Key::Char('u') => return self.order(Action::Undrain),
            Key::Char(digit @ '0'..='9') => self.sort_by_number(digit),
            Key::Char(_) | Key::Control(_) | Key::Backspace => {}
        }
        None
    }

    fn go(&mut self, to: usize) {
        self.at = to;
        self.settle(self.room);
    }

    /// A second time turns the order around.
    fn sort(&mut self, column: Column) {
        self.arrangement.reversed = column == self.arrangement.sort && !self.arrangement.reversed;
        self.arrangement.sort = column;
        self.arrange();
    }

    /// 1 is the first column, 0 the tenth.
    fn sort_by_number(&mut self, digit: char) {
        let number = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        let index = if number == 0 { 9 } else { number - 1 };
        if let Some(column) = Column::ALL.get(index) {
            self.sort(*column);
        }
    }

    fn fold(&mut self, fold: bool) {
        let Some((service, _)) = self.selected() else { return };
        if fold {
            self.arrangement.folded.insert(service);
        } else {
            self.arrangement.folded.remove(&service);
        }
        self.arrange();
    }

    /// All of them, or, if all are, none.
    fn fold_all(&mut self) {
        let all = || self.table.services.iter().map(|service| service.key);
        let folded = all().all(|key| self.arrangement.folded.contains(&key));
        self.arrangement.folded = if folded { Default::default() } else { all().collect() };
        self.arrange();
    }

    fn freeze(&mut self) {
        self.frozen = !self.frozen;
        if let Some(table) = self.waiting.take_if(|_| !self.frozen) {
            self.show(table);
        }
    }

    fn filter(&mut self, filter: String) {
        if self.arrangement.filter != filter {
            self.arrangement.filter = filter;
            self.arrange();
        }
    }

    fn filter_key(&mut self, before: String, key: Key) {
        let mut filter = self.arrangement.filter.clone();
        match key {
            Key::Enter => return,
            Key::Escape => return self.filter(before),
            Key::Char(character) => filter.push(character),
            Key::Backspace if filter.is_empty() => return,
            Key::Backspace => drop(filter.pop()),
            Key::Control('u') => filter.clear(),
            Key::Up => self.go(self.at.saturating_sub(1)),
            Key::Down => self.go(self.at.saturating_add(1)),
            _ => {}
        }
        self.filter(filter);
        self.mode = Mode::Filter(before);
    }

    /// Asks whether it may be, before anybody is asked whether it should.
    fn order(&mut self, action: Action) -> Option<Effect> {
        match self.selected() {
            Some((service, Some(destination))) => Some(Effect::Prepare(Target { service, destination }, action)),
            Some((_, None)) => {
                let text = "select a destination: a service is not drained as a whole".to_owned();
                self.note = Some(Note { text, bad: true });
                None
            }
            None => None,
        }
    }

    fn answer(&mut self, question: Question, key: Key) -> Option<Effect> {
        if matches!(key, Key::Char('y' | 'Y')) {
            self.note = Some(Note { text: "…".to_owned(), bad: false });
            return Some(Effect::Give(question.target, question.action));
        }
        self.note = Some(Note { text: "nothing was done".to_owned(), bad: false });
        None
    }

    /// Whether there is a pane that tells more of what is selected.
    pub(super) fn has_detail(&self) -> bool {
        self.detail.unwrap_or(self.is_high)
    }
}

#[cfg(test)]
mod tests;
