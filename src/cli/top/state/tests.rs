use super::*;
use crate::cli::picture::testing::{WEB, destination, night, service};
use crate::cli::top::rows::Column;
use crate::model::{DestinationKey, ServiceKey};
use std::time::Duration;

const API: &str = "tcp://192.0.2.11:80";

fn table() -> Arc<Table> {
    Arc::new(Table::new(night(), Vec::new(), Vec::new(), Duration::from_secs(2)))
}

/// A page with ten lines for the table, which has eleven.
fn state() -> State {
    let mut state = State::new(table());
    state.settle(10);
    state
}

fn press(state: &mut State, keys: &[Key]) -> Option<Effect> {
    keys.iter().map(|key| state.key(*key)).last().flatten()
}

fn typed(state: &mut State, text: &str) {
    for character in text.chars() {
        assert_eq!(state.key(Key::Char(character)), None);
    }
}

fn of(service_text: &str, at: Option<&str>) -> Option<(ServiceKey, Option<DestinationKey>)> {
    Some((service(service_text), at.map(destination)))
}

#[test]
fn lines_are_selected_and_the_page_follows() {
    let mut state = state();
    assert_eq!((state.selected(), state.lines.len()), (of(API, None), 11));
    press(&mut state, &[Key::Up, Key::Char('k')]);
    assert_eq!((state.at, state.top), (0, 0));
    press(&mut state, &[Key::Down, Key::Char('j'), Key::Down]);
    assert_eq!((state.at, state.top, state.selected()), (3, 0, of(WEB, Some("10.0.0.11:80"))));
    press(&mut state, &[Key::End]);
    assert_eq!((state.at, state.top), (10, 1));
    press(&mut state, &[Key::Down]);
    assert_eq!((state.at, state.top), (10, 1));
    press(&mut state, &[Key::PageUp]);
    assert_eq!((state.at, state.top), (1, 1));
    press(&mut state, &[Key::Char('g'), Key::PageDown]);
    assert_eq!((state.at, state.top), (9, 0));
    state.settle(3);
    assert_eq!((state.at, state.top), (9, 7), "a smaller page has what is selected on it");
    state.settle(40);
    assert_eq!((state.at, state.top), (9, 0), "a larger one is not half empty");
    state.settle(0);
    assert_eq!(state.at, 9);
}

#[test]
fn services_are_folded_and_unfolded() {
    let mut state = state();
    press(&mut state, &[Key::End, Key::Left]);
    assert_eq!((state.lines.len(), state.selected()), (3, of(WEB, None)), "what was selected is in its service now");
    press(&mut state, &[Key::Right]);
    assert_eq!(state.lines.len(), 11);
    press(&mut state, &[Key::Char('c')]);
    assert_eq!(state.lines.len(), 2);
    press(&mut state, &[Key::Char('c')]);
    assert_eq!(state.lines.len(), 11);
}

#[test]
fn sorting_keeps_what_is_selected() {
    let mut state = state();
    press(&mut state, &[Key::End]);
    let selected = state.selected();
    for key in [Key::Char('s'), Key::Char('S'), Key::Char('4'), Key::Char('r'), Key::Char('0'), Key::Char('0')] {
        press(&mut state, &[key]);
        assert_eq!(state.selected(), selected, "{key:?}");
    }
    assert_eq!(
        (state.arrangement.sort, state.arrangement.reversed),
        (Column::Health, true),
        "once more turns it round"
    );
    press(&mut state, &[Key::Char('>')]);
    assert_eq!((state.arrangement.sort, state.arrangement.reversed), (Column::Name, false));
}

#[test]
fn a_filter_is_written_kept_and_taken_back() {
    let mut state = state();
    press(&mut state, &[Key::Char('/')]);
    typed(&mut state, "downq");
    assert_eq!(state.lines.len(), 0, "a q is a letter here");
    press(&mut state, &[Key::Backspace]);
    assert_eq!(state.lines.len(), 5, "three destinations that are down, and a panic");
    press(&mut state, &[Key::Enter]);
    assert_eq!((&state.mode, state.arrangement.filter.as_str()), (&Mode::Table, "down"));
    press(&mut state, &[Key::Char('/'), Key::Control('u')]);
    typed(&mut state, "api");
    assert_eq!(state.lines.len(), 2);
    press(&mut state, &[Key::Escape]);
    assert_eq!(state.arrangement.filter, "down", "as it was before");
    press(&mut state, &[Key::Escape]);
    assert_eq!((state.arrangement.filter.as_str(), state.lines.len()), ("", 11));
    press(&mut state, &[Key::Char('/'), Key::Backspace]);
    assert_eq!(state.mode, Mode::Table, "there was nothing to take away");
}

#[test]
fn a_frozen_page_stays_and_catches_up() {
    let mut state = state();
    let mut picture = night();
    picture.live.services.remove(&service(API));
    picture.daemon.as_mut().unwrap().status.services.remove(&service(API));
    let later = Arc::new(Table::new(picture, Vec::new(), Vec::new(), Duration::from_secs(2)));
    press(&mut state, &[Key::Char(' ')]);
    state.hear(News::Table(Arc::clone(&later)));
    assert_eq!((state.lines.len(), state.frozen), (11, true));
    press(&mut state, &[Key::Char(' ')]);
    assert_eq!((state.lines.len(), state.frozen), (9, false));
    assert_eq!(state.selected(), of(WEB, None), "what was selected is gone, and so is its place");
    state.hear(News::Failed("no answer".into()));
    assert_eq!((state.trouble.as_deref(), state.lines.len()), (Some("no answer"), 9), "what was seen last stays");
    state.hear(News::Table(later));
    assert_eq!(state.trouble, None);
}

fn question() -> Question {
    let target = Target { service: service(WEB), destination: destination("10.0.0.11:80") };
    Question { target, action: Action::Drain, text: "drain it?".into(), warnings: Vec::new() }
}

#[test]
fn a_drain_is_asked_for_twice() {
    let mut state = state();
    assert_eq!(press(&mut state, &[Key::Char('d')]), None);
    assert!(state.note.as_ref().is_some_and(|note| note.bad), "a service is none: {:?}", state.note);
    let Question { target, action, .. } = question();
    press(&mut state, &[Key::Down, Key::Down, Key::Down]);
    assert_eq!(press(&mut state, &[Key::Char('d')]), Some(Effect::Prepare(target, action)));
    assert_eq!(press(&mut state, &[Key::Char('y')]), None, "nobody has asked yet");
    for key in [Key::Char('n'), Key::Escape, Key::Enter, Key::Char('q'), Key::Char('d')] {
        state.hear(News::Prepared(question()));
        assert_eq!(state.mode, Mode::Confirm(question()));
        assert_eq!(press(&mut state, &[key]), None, "{key:?}");
        assert_eq!(state.note.as_ref().map(|note| note.text.as_str()), Some("nothing was done"));
    }
    state.hear(News::Prepared(question()));
    assert_eq!(press(&mut state, &[Key::Char('y')]), Some(Effect::Give(target, action)));
    state.hear(News::Said(Note { text: "10.0.0.11:80 is drained".into(), bad: false }));
    assert_eq!(state.note.as_ref().map(|note| note.text.as_str()), Some("10.0.0.11:80 is drained"));
    assert_eq!(press(&mut state, &[Key::Char('u')]), Some(Effect::Prepare(target, Action::Undrain)));
    // It comes when somebody writes something else: that is no answer to it.
    press(&mut state, &[Key::Char('/')]);
    state.hear(News::Prepared(question()));
    typed(&mut state, "y");
    assert_eq!(state.mode, Mode::Filter(String::new()));
}

#[test]
fn some_keys_work_everywhere() {
    for mode in [Mode::Table, Mode::Help, Mode::Filter(String::new()), Mode::Confirm(question())] {
        let mut state = state();
        for (key, effect) in [('c', Effect::Quit), ('z', Effect::Suspend), ('l', Effect::Redraw)] {
            state.mode = mode.clone();
            assert_eq!(press(&mut state, &[Key::Control(key)]), Some(effect));
            assert_eq!(state.mode, mode, "{key}: it is as it was");
        }
    }
    let mut state = state();
    assert_eq!(press(&mut state, &[Key::Char('q')]), Some(Effect::Quit));
    press(&mut state, &[Key::Char('?'), Key::Char('q')]);
    assert_eq!(state.mode, Mode::Table, "any key closes the help");
    assert!(!state.has_detail());
    press(&mut state, &[Key::Enter]);
    assert!(state.has_detail());
    state.is_high = true;
    press(&mut state, &[Key::Tab]);
    assert!(!state.has_detail(), "what somebody said counts");
}

#[test]
fn no_key_makes_trouble_on_an_empty_table() {
    let mut state = State::new(Arc::default());
    for key in "jkgGhlcsSrR/ \u{7f}du?i0123456789".chars().map(Key::Char).chain([
        Key::Up,
        Key::Down,
        Key::PageUp,
        Key::PageDown,
        Key::Home,
        Key::End,
        Key::Left,
        Key::Right,
        Key::Enter,
        Key::Tab,
        Key::Escape,
        Key::Backspace,
    ]) {
        state.key(key);
        assert_eq!((state.at, state.top), (0, 0), "{key:?}");
    }
}
