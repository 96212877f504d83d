//! Netlink attributes (type, length, value, padded to four bytes) on byte slices.

/// `NLA_TYPE_MASK`: the bits of an attribute's type that are the type.
const NLA_TYPE_MASK: u16 = 0x3fff;
/// `NLA_F_NESTED`.
const NLA_F_NESTED: u16 = 0x8000;

/// The longest text that is written; the kernel refuses anything longer than a name of its own, so the cut is never silent.
const LONGEST_TEXT: usize = 255;

/// An attribute's length is a number of 16 bits, and counts its header.
const LONGEST_VALUE: usize = u16::MAX as usize - 4;

/// Rounds up to netlink's alignment of four bytes.
pub(super) fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// An attribute as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    pub kind: u16,
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// A number of one to eight bytes in host byte order; `None` for any other length.
    pub fn number(&self) -> Option<u64> {
        match *self.value {
            [byte] => Some(u64::from(byte)),
            [a, b] => Some(u64::from(u16::from_ne_bytes([a, b]))),
            [a, b, c, d] => Some(u64::from(u32::from_ne_bytes([a, b, c, d]))),
            [a, b, c, d, e, f, g, h] => Some(u64::from_ne_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    /// A number that fits `T`.
    pub fn as_number<T: TryFrom<u64>>(&self) -> Option<T> {
        self.number()?.try_into().ok()
    }

    /// Two bytes in network byte order.
    pub fn as_be16(&self) -> Option<u16> {
        Some(u16::from_be_bytes(self.value.try_into().ok()?))
    }

    /// Text up to the first NUL; `None` if it is not UTF-8.
    pub fn as_text(&self) -> Option<&'a str> {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        str::from_utf8(&self.value[..end]).ok()
    }

    /// The attributes nested in it.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes(self.value)
    }
}

/// Walks attributes. A length that makes no sense ends the walk: nothing after it can be trusted.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (header, _) = self.0.split_first_chunk::<4>()?;
        let [l0, l1, k0, k1] = *header;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([k0, k1]) & NLA_TYPE_MASK, value })
    }
}

/// Writes the body of a message, at the end of a buffer.
#[derive(Debug)]
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    /// The family's own header, before any attribute.
    pub fn header(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        self.0.resize(aligned(self.0.len()), 0);
    }

    /// An attribute of raw bytes, at most 65,531 of them.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        let value = &value[..value.len().min(LONGEST_VALUE)];
        self.start(kind, value.len());
        self.0.extend_from_slice(value);
        self.pad(value.len());
    }

    /// A byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.small(kind, 1, [value, 0, 0, 0]);
    }

    /// A number in host byte order.
    pub fn u16(&mut self, kind: u16, value: u16) {
        let [a, b] = value.to_ne_bytes();
        self.small(kind, 2, [a, b, 0, 0]);
    }

    /// A number in network byte order.
    pub fn be16(&mut self, kind: u16, value: u16) {
        let [a, b] = value.to_be_bytes();
        self.small(kind, 2, [a, b, 0, 0]);
    }

    /// A number in host byte order.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.small(kind, 4, value.to_ne_bytes());
    }

    /// Text with its closing NUL.
    pub fn text(&mut self, kind: u16, value: &str) {
        let value = &value.as_bytes()[..value.len().min(LONGEST_TEXT)];
        self.start(kind, value.len() + 1);
        self.0.extend_from_slice(value);
        self.0.push(0);
        self.pad(value.len() + 1);
    }

    /// An attribute of one to four bytes with its padding, in one go: nearly all are.
    fn small(&mut self, kind: u16, length: u8, [a, b, c, d]: [u8; 4]) {
        let ([l0, l1], [k0, k1]) = ((u16::from(length) + 4).to_ne_bytes(), kind.to_ne_bytes());
        self.0.extend_from_slice(&[l0, l1, k0, k1, a, b, c, d]);
    }

    /// The header of an attribute with a value of that length.
    fn start(&mut self, kind: u16, length: usize) {
        let ([l0, l1], [k0, k1]) = (u16::try_from(length + 4).unwrap_or(u16::MAX).to_ne_bytes(), kind.to_ne_bytes());
        self.0.extend_from_slice(&[l0, l1, k0, k1]);
    }

    /// What is missing behind a value of that length.
    fn pad(&mut self, length: usize) {
        self.0.extend_from_slice(&[0; 3][..aligned(length) - length]);
    }

    /// An attribute that holds what `body` writes, far below 64 KiB.
    pub fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Writer<'_>)) {
        let start = self.0.len();
        self.start(kind | NLA_F_NESTED, 0);
        body(&mut Writer(self.0));
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}
