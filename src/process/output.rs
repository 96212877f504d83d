//! The end of what a program writes.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::sleep;

/// So many bytes are kept, and so long is the text at most.
const KEPT: usize = 1024;
/// Read at once.
const CHUNK: usize = 8 * 1024;
/// Beyond so many bytes, it is read with pauses.
const FLOOD: u64 = 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(1);

/// The last bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Whether there was more before them.
    cut: bool,
}

impl Tail {
    /// Reads to the end of the stream, which may never come.
    pub(super) async fn read(&mut self, mut output: Receiver) {
        let mut chunk = vec![0; CHUNK];
        let mut total: u64 = 0;
        // An error is the end as well: there is nothing to be done about it.
        while let Ok(count @ 1..) = output.read(&mut chunk).await {
            self.push(chunk.get(..count).unwrap_or_default());
            total = total.saturating_add(count as u64);
            if total > FLOOD {
                sleep(PAUSE).await;
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(KEPT);
        let bytes = bytes.get(from..).unwrap_or_default();
        let over = (self.bytes.len() + bytes.len()).saturating_sub(KEPT);
        self.cut |= from > 0 || over > 0;
        self.bytes.drain(..over);
        self.bytes.extend_from_slice(bytes);
    }

    /// One line: whatever is blank or would move a cursor is one space, what is no UTF-8 is U+FFFD. Starts with `…` if
    /// there was more.
    pub(super) fn into_text(self) -> String {
        // A character that the cut went through is left out.
        let torn = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let start = if self.cut { self.bytes.iter().take(3).take_while(torn).count() } else { 0 };
        let text = String::from_utf8_lossy(self.bytes.get(start..).unwrap_or_default());
        let words: Vec<&str> = text.split(is_harmful).filter(|word| !word.is_empty()).collect();
        let text = words.join(" ");
        if !self.cut && text.len() <= KEPT {
            return text;
        }
        let mut from = text.len().saturating_sub(KEPT - '…'.len_utf8());
        while !text.is_char_boundary(from) {
            from += 1;
        }
        format!("…{}", text.get(from..).unwrap_or_default())
    }
}

/// Blanks, control characters, and what turns the direction of text around.
fn is_harmful(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chunks: &[&[u8]]) -> String {
        let mut tail = Tail::default();
        chunks.iter().for_each(|chunk| tail.push(chunk));
        tail.into_text()
    }

    #[test]
    fn becomes_one_harmless_line() {
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[b"all ", b"is\nwell\n"]), "all is well");
        assert_eq!(text(&[b"\x1b[31mred\x07\0\r\n\tbell\x7f"]), "[31mred bell");
        assert_eq!(text(&["a\u{202e}b\u{9b}c\u{2028}d".as_bytes()]), "a b c d");
        assert_eq!(text(&[b"caf\xc3", b"\xa9 \xff!"]), "café \u{fffd}!");
    }

    #[test]
    fn keeps_the_end_within_a_kibibyte() {
        for len in [1, 1023, 1024, 1025, 3000, 100_000] {
            for unit in ["x", "é", "€", "😀", "\u{fffd}"] {
                let whole = unit.repeat(len);
                for chunk in [7, 1024, 5000] {
                    let chunks: Vec<&[u8]> = whole.as_bytes().chunks(chunk).collect();
                    let text = text(&chunks);
                    assert!(text.len() <= 1024, "{len} {unit} {chunk}: {}", text.len());
                    assert!(text.len() > 1024 - 8 || text == whole, "{len} {unit} {chunk}: {}", text.len());
                    let end = text.strip_prefix('…').unwrap_or(&text);
                    assert!(whole.ends_with(end) && (end.len() == whole.len()) == (text == whole));
                }
            }
        }
        // Each byte becomes three.
        let text = text(&[&[0xff; 1024]]);
        assert!(text.len() <= 1024 && text.starts_with("…\u{fffd}"), "{}", text.len());
    }
}
