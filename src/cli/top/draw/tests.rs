use super::*;
use crate::cli::picture::Picture;
use crate::cli::picture::testing::{NOW, WEB, destination, night, quiet, service};
use crate::cli::top::events::Happening;
use crate::cli::top::state::{Key, News, Note, Question};
use crate::cli::top::table::Table;
use crate::daemon::orders::Target;
use crate::model::{Action, LiveDestination, Stats};
use ratatui_core::backend::TestBackend;
use ratatui_core::style::{Color, Modifier};
use ratatui_core::terminal::Terminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn state(picture: Picture, events: Vec<Happening>) -> State {
    State::new(Arc::new(Table::new(picture, events, Vec::new(), Duration::from_secs(2))))
}

/// A night, with traffic.
fn busy() -> Picture {
    let mut picture = night();
    for (number, at) in ["10.0.0.11:80", "10.0.0.14:80", "10.0.0.17:80"].into_iter().enumerate() {
        let web = picture.live.services.get_mut(&service(WEB)).unwrap();
        let live: &mut LiveDestination = web.destinations.get_mut(&destination(at)).unwrap();
        let number = number as u64 + 1;
        live.inactive_connections = 1200 * number as u32;
        live.stats = Stats {
            connections: 123_456 * number,
            connection_rate: 120 * number,
            in_byte_rate: 45_600 * number,
            out_byte_rate: 7_890_000 * number,
            ..Stats::default()
        };
        web.stats =
            Stats { connection_rate: 720, in_byte_rate: 273_600, out_byte_rate: 47_340_000, ..Stats::default() };
    }
    picture
}

fn happened() -> Vec<Happening> {
    let of = |ago: u64, at: Option<&str>, text: &str, bad| Happening {
        at: NOW - ago,
        service: Some(service(WEB)),
        destination: at.map(destination),
        text: text.to_owned(),
        bad,
    };
    vec![
        of(20, Some("10.0.0.13:80"), "edit destination 10.0.0.13:80: weight 100 → 0", false),
        of(21, Some("10.0.0.13:80"), "10.0.0.13:80 is down: http: status 500, expected 200-299", true),
        of(60, Some("10.0.0.12:80"), "10.0.0.12:80 is up", false),
        of(300, None, "failed: 1 of 4 up", true),
    ]
}

fn drawn(state: &mut State, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            let areas = fit(state, frame.area());
            page(state, &areas, Palette { color: true }, frame.buffer_mut());
        })
        .unwrap();
    terminal
}

/// The page as text, lines without the blanks at their ends.
fn text(state: &mut State, width: u16, height: u16) -> String {
    let terminal = drawn(state, width, height);
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..width {
            let symbol = buffer[(x, y)].symbol();
            if skip == 0 {
                line += symbol;
                skip = length(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn expect(name: &str, found: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/top/draw/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, found).unwrap();
    } else {
        assert_eq!(
            found,
            std::fs::read_to_string(&file).unwrap_or_default(),
            "{name}: UPDATE_GOLDEN=1 writes it again"
        );
    }
}

#[test]
fn pages_of_two_sizes_in_good_and_bad_weather() {
    for (name, picture) in [("night", busy()), ("quiet", quiet())] {
        for (width, height) in [(60, 20), (120, 40)] {
            let mut state = state(picture_of(&picture), happened());
            for _ in 0..5 {
                state.key(Key::Down);
            }
            expect(&format!("{name}-{width}x{height}.txt"), &text(&mut state, width, height));
        }
    }
}

/// The page that the documents show is one that is drawn.
#[test]
fn the_documents_show_a_page_as_it_is() {
    let mut picture = busy();
    let status = &mut picture.daemon.as_mut().unwrap().status;
    (status.trouble, status.outdated) = (None, false);
    status.suspicions.clear();
    status.host.clear();
    let web = status.services.get_mut(&service(WEB)).unwrap();
    (web.failed, web.fallback, web.up, web.of) = (false, false, 3, 4);
    for at in ["10.0.0.16:80", "10.0.0.17:80", "10.0.0.18:80"] {
        web.destinations.remove(&destination(at));
    }
    status.services.get_mut(&service("tcp://192.0.2.11:80")).unwrap().panic = false;
    let live = picture.live.services.get_mut(&service(WEB)).unwrap();
    live.destinations.retain(|key, _| web_has(key));
    live.stats.connection_rate = 360;
    let mut state = state(picture, Vec::new());
    for _ in 0..2 {
        state.key(Key::Up);
    }
    let page = text(&mut state, 118, 12);
    expect("documents-118x12.txt", &page);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["README.md", "packaging/doc/live.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        assert!(text.contains(&format!("```text\n{page}```\n")), "{document} shows another page than\n{page}");
    }
}

fn web_has(key: &crate::model::DestinationKey) -> bool {
    ["10.0.0.11:80", "10.0.0.12:80", "10.0.0.13:80", "10.0.0.14:80", "10.0.0.15:80"].contains(&key.to_string().as_str())
}

/// Pictures are made anew, for they cannot be copied.
fn picture_of(picture: &Picture) -> Picture {
    if picture.daemon.is_some() { busy() } else { quiet() }
}

#[test]
fn help_filter_and_question_have_their_place() {
    let mut state = state(busy(), Vec::new());
    state.key(Key::Char('?'));
    expect("help-60x20.txt", &text(&mut state, 60, 20));
    state.key(Key::Escape);

    state.key(Key::Char('/'));
    for character in "status 500".chars() {
        state.key(Key::Char(character));
    }
    let page = text(&mut state, 60, 20);
    assert!(page.contains("filter: status 500▏"), "{page}");
    assert!(page.contains("10.0.0.13:80") && !page.contains("10.0.0.14:80"), "{page}");
    state.key(Key::Enter);
    assert!(text(&mut state, 60, 20).contains("filter: status 500  esc clears it"));

    state.hear(News::Prepared(question("10.0.0.11:80", WEB)));
    let page = text(&mut state, 160, 20);
    let (warning, last) = page.trim_end().rsplit_once('\n').unwrap();
    assert!(warning.ends_with("has weight: it refuses new connections."), "{warning}");
    assert!(last.starts_with("drain 10.0.0.11:80 of web (3 connections open)? y/n"), "{last}");
    state.key(Key::Char('n'));
    state.key(Key::Char(' '));
    assert!(text(&mut state, 60, 20).starts_with("ipvsd top"), "and frozen:");
    assert!(text(&mut state, 60, 20).contains(" FROZEN, space goes on"));
}

/// With the words that `d` gets when it is the last one.
fn question(at: &str, of: &str) -> Question {
    Question {
        target: Target { service: service(WEB), destination: destination("10.0.0.11:80") },
        action: Action::Drain,
        text: format!("drain {at} of web (3 connections open)?"),
        warnings: vec![format!("no other destination of {of} (web) has weight: it refuses new connections")],
    }
}

/// The next key answers it: whoever presses it has to have seen what is asked, and of what one is warned.
#[test]
fn questions_and_what_came_of_them_are_never_cut() {
    let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
    let service = format!("tcp://{long}");
    for (width, height) in [(60, 10), (60, 20), (60, 40), (80, 10), (80, 24), (80, 50)] {
        for (at, of) in [("10.0.0.11:80", WEB), (long, &service)] {
            let mut state = state(busy(), happened());
            state.key(Key::End);
            state.hear(News::Prepared(question(at, of)));
            let page = text(&mut state, width, height);
            let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
            let warning = format!("no other destination of {of} (web) has weight: it refuses new connections.");
            let place = format!(" {}/{}", state.at + 1, state.lines.len());
            let all = format!("{warning} drain {at} of web (3 connections open)? y/n{place}");
            assert!(words.ends_with(&all), "{width}x{height} {at}:\n{page}");
            assert!(page.contains("SERVICE"), "{page}");

            state.key(Key::Char('n'));
            assert!(text(&mut state, width, height).contains("nothing was done"));
            let said =
                format!("{at} of {of} (web) is drained; no daemon is running: `ipvsd apply` brings it into force");
            state.hear(News::Said(Note { text: said.clone(), bad: true }));
            let page = text(&mut state, width, height);
            let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.ends_with(&(said + &place)), "{width}x{height} {at}:\n{page}");
            assert!(page.lines().any(|line| line.contains("10.0.0.18:80")), "what is selected stays in view:\n{page}");
        }
    }
    // There may be no room for that, but for the end of the question always.
    let mut state = state(busy(), Vec::new());
    state.hear(News::Prepared(question(long, &service)));
    for height in 1..6 {
        let page = text(&mut state, 60, height);
        let last = page.lines().last().unwrap_or_default();
        assert!(last.contains(" y/n ") && last.ends_with(" 1/11"), "{height}:\n{page}");
        assert_eq!(page.contains("refuses new connections."), height > 4, "{height}:\n{page}");
    }
}

#[test]
fn colours_say_what_the_words_say_and_without_them_there_is_light() {
    let style = |color: bool, at: &str, of: usize| {
        let mut state = state(busy(), Vec::new());
        let mut terminal = Terminal::new(TestBackend::new(120, 20)).unwrap();
        terminal
            .draw(|frame| {
                let areas = fit(&mut state, frame.area());
                page(&state, &areas, Palette { color }, frame.buffer_mut());
            })
            .unwrap();
        let buffer = terminal.backend().buffer();
        let line = (0..20u16)
            .find(|y| (0..120u16).map(|x| buffer[(x, *y)].symbol()).collect::<String>().contains(at))
            .unwrap_or_else(|| panic!("no {at}"));
        let text: String = (0..120u16).map(|x| buffer[(x, line)].symbol()).collect();
        let byte = text.match_indices(at).nth(of).unwrap().0;
        buffer[(text[..byte].chars().count() as u16, line)].style()
    };
    assert_eq!(style(true, "10.0.0.13:80", 0).fg, Some(Color::Red));
    assert_eq!(style(true, "10.0.0.12:80", 0).fg, Some(Color::Yellow));
    assert_eq!(style(true, "10.0.0.14:80", 0).fg, Some(Color::Reset));
    assert_eq!(style(false, "10.0.0.13:80", 0).fg, Some(Color::Reset));
    assert!(style(false, "10.0.0.13:80", 0).add_modifier.contains(Modifier::BOLD));
    assert!(style(true, "WEIGHT", 0).add_modifier.contains(Modifier::REVERSED));
}

#[test]
fn any_size_is_drawn_on() {
    for detail in [false, true] {
        for width in [0, 1, 2, 9, 23, 24, 25, 59, 60, 200] {
            for height in [0, 1, 2, 3, 4, 5, 8, 12, 20, 60] {
                for keys in [&[][..], &[Key::Char('?')], &[Key::Char('/'), Key::Char('9')], &[Key::Char(' ')]] {
                    let mut state = state(busy(), happened());
                    if detail {
                        state.key(Key::Enter);
                    }
                    for key in keys {
                        state.key(*key);
                    }
                    drawn(&mut state, width, height);
                }
            }
        }
    }
}

#[test]
fn names_are_cut_before_numbers_go_and_reasons_come_where_there_is_room() {
    let of = |width: u16| Columns::fit(&state(busy(), Vec::new()).table, width);
    let names = |width: u16| {
        let text = format!("{:?}", of(width));
        [
            "Health",
            "Weight",
            "Active",
            "ConnectionRate",
            "InRate",
            "OutRate",
            "Inactive",
            "How",
            "Connections",
            "why: Some",
        ]
        .into_iter()
        .filter(|name| text.contains(name))
        .collect::<Vec<_>>()
        .join(" ")
    };
    let first = "Health Weight Active ConnectionRate";
    assert_eq!(names(30), "");
    assert_eq!(names(60), first);
    assert_eq!(names(80), format!("{first} InRate OutRate"));
    assert_eq!(names(100), format!("{first} InRate OutRate Inactive How"));
    assert_eq!(names(110), format!("{first} InRate OutRate why: Some"));
    assert_eq!(names(160), format!("{first} InRate OutRate Inactive How why: Some"));
    assert_eq!(names(200), format!("{first} InRate OutRate Inactive How Connections why: Some"));
    let without = Columns::fit(&state(quiet(), Vec::new()).table, 120);
    assert!(!without.have_reasons() && format!("{without:?}").contains("Connections"), "{without:?}");
}

/// Only what is on the page is drawn: a table a thousand times as large takes no longer.
#[test]
fn ten_thousand_destinations_scroll_as_ten_do() {
    let mut picture = quiet();
    let web = picture.live.services.get_mut(&service(WEB)).unwrap();
    let one = web.destinations[&destination("10.0.0.11:80")].clone();
    for number in 0..10_000u32 {
        let address = std::net::Ipv4Addr::from(0x0a01_0000 + number);
        web.destinations.insert(format!("{address}:80").parse().unwrap(), one.clone());
    }
    let mut large = state(picture, Vec::new());
    assert_eq!(large.lines.len(), 10_003);
    let mut terminal = Terminal::new(TestBackend::new(100, 50)).unwrap();
    let mut cells = 0;
    fit(&mut large, Rect::new(0, 0, 100, 50));
    let begun = Instant::now();
    for _ in 0..100 {
        large.key(Key::PageDown);
        terminal
            .draw(|frame| {
                let areas = fit(&mut large, frame.area());
                page(&large, &areas, Palette { color: true }, frame.buffer_mut());
                cells += usize::from(areas.rows.height);
            })
            .unwrap();
    }
    assert_eq!((large.at, cells), (100 * 29, 100 * 30), "a page is as high as it is");
    // A hundred pages; a walk over all of it at each would take minutes in a test build.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
