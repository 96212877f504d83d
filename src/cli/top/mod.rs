//! `ipvsd top`: a page of the terminal that follows the table.
//!
//! - `reader` is a thread that looks at the kernel and the daemon, and gives orders;
//! - `table` is what one look has found, `rows` what of it is shown and in which order, `state` what keys do to that, and `draw`
//!   how it looks: all of them pure;
//! - here is the loop that waits for keys, signals and news, and draws.

mod draw;
mod events;
mod reader;
mod rows;
mod state;
mod table;

use std::io::{self, BufWriter, Stdout};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use clap::Args;
use ratatui_core::layout::Position;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::output::Out;
use super::screen::{Asked, Keys, Screen, Wishes, size};
use super::times::parse_every;
use super::{Exit, Failure, Global, Outcome};
use draw::Palette;
use reader::{Ask, Reader};
use state::{Effect, Key, News, State};

/// A page is as large as a terminal, and written in one go.
const PAGE: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct Top {
    /// How often the kernel is looked at: seconds, or a duration; a table that takes long to read is looked at less often
    #[arg(long, short = 'n', value_name = "SECONDS", default_value = "2", value_parser = parse_every)]
    interval: Duration,
    /// Also what ipvsd keeps for itself: services that carry checks through IPVS
    #[arg(long)]
    all: bool,
}

/// What the loop waits for.
enum Message {
    Key(Key),
    Signal(Asked),
    News(News),
    /// There is no reading of keys any more.
    Deaf,
    /// The thread that reads the kernel has ended, which it does only by a panic.
    Blind,
}

/// Tells that a thread has ended, however it did.
struct Farewell(Sender<Message>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send(Message::Blind);
    }
}

impl Top {
    pub(super) fn run(&self, global: &Global, out: &mut Out) -> Outcome {
        use std::io::IsTerminal as _;
        if size().is_none() || !io::stdin().is_terminal() {
            return Err(Failure::Usage(
                "`top` needs a terminal; for a pipe or a file there are `ipvsd show` and `ipvsd show --watch`"
                    .to_owned(),
            ));
        }
        if global.config() == Path::new("-") {
            return Err(Failure::Usage(
                "`top` reads keys from standard input, and no configuration; give a path".to_owned(),
            ));
        }
        // What cannot be read at all is said as by any other command, and not on a page.
        let mut reader = Reader::new(global.clone(), out.listening(), self.interval, self.all);
        let state = State::new(reader.look()?);
        let palette = Palette { color: out.color() };
        let (send, messages) = channel();
        let (ask, asks) = channel();
        let (tell, farewell) = (teller(&send, Message::News), Farewell(send.clone()));
        thread::Builder::new().name("reader".to_owned()).spawn(move || {
            let _farewell = farewell;
            reader.work(&asks, tell);
        })?;
        let _wishes = Wishes::hear(teller(&send, Message::Signal))?;
        let screen = Screen::enter(Keys::Raw)?;
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&send))?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(PAGE, io::stdout())))?;
        let mut page = Page { state, palette, terminal, screen, ask };
        page.draw()?;
        // It ends with a message, or when both threads are gone.
        while let Ok(first) = messages.recv() {
            // Whatever has come meanwhile is drawn once.
            for message in std::iter::once(first).chain(messages.try_iter()) {
                if page.take(message)? == Next::End {
                    return Ok(Exit::Done);
                }
            }
            page.draw()?;
        }
        Ok(Exit::Done)
    }
}

fn teller<T: 'static>(send: &Sender<Message>, message: fn(T) -> Message) -> impl Fn(T) + Send + 'static {
    let send = send.clone();
    // Nobody listens any more when the loop has ended.
    move |told| send.send(message(told)).unwrap_or_default()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    End,
}

/// The page and what it takes to draw it.
struct Page {
    state: State,
    palette: Palette,
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    screen: Screen,
    ask: Sender<Ask>,
}

impl Page {
    fn draw(&mut self) -> io::Result<()> {
        let Self { state, palette, terminal, .. } = self;
        terminal.draw(|frame| {
            let areas = draw::fit(state, frame.area());
            draw::page(state, &areas, *palette, frame.buffer_mut());
        })?;
        Ok(())
    }

    /// All of it is drawn the next time, on an empty screen. (What the library calls clearing asks the terminal where its cursor is,
    /// and the answer would go to whoever reads the keys.)
    fn renew(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize((Position::ORIGIN, size).into())
    }

    fn take(&mut self, message: Message) -> Result<Next, Failure> {
        let effect = match message {
            Message::Key(key) => self.state.key(key),
            Message::News(news) => {
                self.state.hear(news);
                None
            }
            Message::Signal(Asked::End) | Message::Deaf => Some(Effect::Quit),
            Message::Blind => return Err(blind()),
            Message::Signal(Asked::Suspend) => Some(Effect::Suspend),
            Message::Signal(Asked::Resume) => {
                self.screen.retake()?;
                Some(Effect::Redraw)
            }
            // The terminal is asked for its size each time that it is drawn on.
            Message::Signal(Asked::Resize) => None,
        };
        match effect {
            None => {}
            Some(Effect::Quit) => return Ok(Next::End),
            Some(Effect::Suspend) => {
                self.screen.suspend()?;
                self.renew()?;
            }
            Some(Effect::Redraw) => self.renew()?,
            Some(Effect::Prepare(target, action)) => self.ask(Ask::Prepare(target, action))?,
            Some(Effect::Give(target, action)) => self.ask(Ask::Give(target, action))?,
        }
        Ok(Next::On)
    }

    fn ask(&self, ask: Ask) -> Result<(), Failure> {
        self.ask.send(ask).map_err(|_| blind())
    }
}

fn blind() -> Failure {
    Failure::Other(anyhow::Error::msg("the thread that reads the kernel has ended"))
}

/// Reads keys until there are none any more.
fn read_keys(send: &Sender<Message>) {
    loop {
        let message = match event::read() {
            Ok(event::Event::Key(key)) => match key_of(key) {
                Some(key) => Message::Key(key),
                None => continue,
            },
            Ok(event::Event::Resize(..)) => Message::Signal(Asked::Resize),
            Ok(_) => continue,
            Err(_) => Message::Deaf,
        };
        let is_end = matches!(message, Message::Deaf);
        if send.send(message).is_err() || is_end {
            return;
        }
    }
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Tab => Key::Tab,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Char(character) if control => Key::Control(character.to_ascii_lowercase()),
        KeyCode::Char(character) => Key::Char(character),
        _ => return None,
    })
}
