//! `ipvsd show --watch`: the same page again and again, on a terminal in one place.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::cli::layout::{cut, cut_styled};
use crate::cli::output::Out;
use crate::cli::screen::{Asked, Keys, Screen, Wishes, size};
use crate::plan::render::words::clock;
use crate::reconcile::unix_now;

/// Calls `page` every so often, and prints what it gives, until a signal ends it: on a terminal over the page before, else
/// one block after the other.
pub(super) fn watch(
    every: Duration,
    out: &mut Out,
    mut page: impl FnMut() -> Result<String, Failure>,
) -> Result<(), Failure> {
    let (tell, told) = channel();
    let _wishes = Wishes::hear(move |asked| tell.send(asked).unwrap_or_default())?;
    // What fails at once is said as ever, and not on another screen.
    let mut text = page()?;
    let screen = if size().is_some() { Some(Screen::enter(Keys::Cooked)?) } else { None };
    loop {
        let begun = Instant::now();
        let printed = unix_now();
        match &screen {
            Some(_) => draw(&text, &title(every, printed))?,
            None => out.text(&format!("{}\n\n{text}\n", title(every, printed)))?,
        }
        // A table that takes long to read is not read all the time.
        let pause = every.max(begun.elapsed());
        match rest(&told, pause, screen.as_ref(), &mut || draw(&text, &title(every, printed)))? {
            Rest::Over => {}
            Rest::End => return Ok(()),
        }
        // What fails now may go well the next time.
        text = page().unwrap_or_else(|failure| format!("error: {}\n", failure.words()));
    }
}

enum Rest {
    Over,
    End,
}

/// Waits, and does meanwhile what signals ask for.
fn rest(
    told: &Receiver<Asked>,
    pause: Duration,
    screen: Option<&Screen>,
    draw: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Rest> {
    let until = Instant::now() + pause;
    loop {
        match (told.recv_timeout(until.saturating_duration_since(Instant::now())), screen) {
            (Err(RecvTimeoutError::Timeout), _) => return Ok(Rest::Over),
            (Ok(Asked::End) | Err(RecvTimeoutError::Disconnected), _) => return Ok(Rest::End),
            (Ok(Asked::Suspend), Some(screen)) => {
                screen.suspend()?;
                draw()?;
            }
            (Ok(Asked::Resume), Some(screen)) => {
                screen.retake()?;
                draw()?;
            }
            (Ok(Asked::Resize), Some(_)) => draw()?,
            (Ok(Asked::Suspend), None) => {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?
            }
            (Ok(Asked::Resume | Asked::Resize), None) => {}
        }
    }
}

fn title(every: Duration, now: u64) -> String {
    format!("ipvsd show, every {}, {}", humantime::format_duration(every), clock(now, now))
}

fn draw(text: &str, title: &str) -> io::Result<()> {
    let (width, height) = size().unwrap_or((80, 24));
    let mut stdout = io::stdout().lock();
    stdout.write_all(page(text, &format!("{title}; ^C ends"), width, height).as_bytes())?;
    stdout.flush()
}

/// What draws the page over the one before, in one go: each line to its end, so that nothing flickers.
fn page(text: &str, title: &str, width: usize, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.saturating_sub(2);
    let (shown, more) = match lines.len() {
        all if all <= room => (all, None),
        all => {
            let shown = room.saturating_sub(1);
            (shown, Some(format!("… {} more lines", all - shown)))
        }
    };
    // The last column is left free: some terminals go to the next line after it.
    let width = width.saturating_sub(1);
    let mut out = String::from("\x1b[H");
    let mut line = |text: &str| {
        if out.len() > 3 {
            out.push_str("\r\n");
        }
        out.push_str(text);
        out.push_str("\x1b[K");
    };
    line(&cut(title, width));
    if height > 1 {
        line("");
    }
    for text in lines.iter().take(shown) {
        line(&cut_styled(text, width));
    }
    if let Some(more) = more.filter(|_| room > 0) {
        line(&cut(&more, width));
    }
    out.push_str("\x1b[J");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_fits_and_clears_the_rest() {
        let text = "one\ntwo is long\nthree\n";
        assert_eq!(
            page(text, "title", 9, 9),
            "\x1b[Htitle\x1b[K\r\n\x1b[K\r\none\x1b[K\r\ntwo is …\x1b[K\r\nthree\x1b[K\x1b[J"
        );
        assert_eq!(
            page(text, "title", 40, 4),
            "\x1b[Htitle\x1b[K\r\n\x1b[K\r\none\x1b[K\r\n… 2 more lines\x1b[K\x1b[J"
        );
        assert_eq!(page("", "title", 4, 1), "\x1b[Hti…\x1b[K\x1b[J");
        for (width, height) in [(0, 0), (1, 1), (2, 2), (80, 3)] {
            let page = page(text, "title", width, height);
            assert!(page.matches("\r\n").count() < height.max(1), "{width}x{height}: {page:?}");
        }
    }
}
