//! Bytes as they come → plain UTF-8 with bare line feeds, and no row without end.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;

use super::Refused;

/// A longer row is taken for a quote that is never closed; reading stops there.
pub const MAX_ROW_BYTES: u64 = 4 << 20;

/// How much is looked at to find the header's end.
const HEAD_BYTES: usize = 64 << 10;

/// Stands after the last byte of delimited text. A reader that meets it in a
/// row of its own has seen every row closed; one that finds it inside a cell
/// has met a quote without its partner, which the csv crate does not report.
pub(super) const END_MARK: &[u8] = b"\n\0end of file\0\n";

/// The bytes of a row that is [`END_MARK`] alone.
pub(super) const END_ROW: &[u8] = b"\0end of file\0";

/// What has gone through an [`Input`], shared with whoever reads from it.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    since_row: Rc<Cell<u64>>,
    total: Rc<Cell<u64>>,
}

impl Meter {
    /// A row has ended: the next may again be [`MAX_ROW_BYTES`] long.
    pub(super) fn row_ended(&self) {
        self.since_row.set(0);
    }

    /// Bytes of the text itself so far, the end mark not counted.
    pub(super) fn total(&self) -> u64 {
        self.total.get()
    }
}

pub(super) struct Input<'r> {
    head: Vec<u8>,
    given: usize,
    /// Met while the head was read; due once the head is used up.
    error: Option<io::Error>,
    rest: Box<dyn Read + 'r>,
    after_cr: bool,
    meter: Meter,
    end_mark: &'static [u8],
}

/// Unpacks gzip, takes a byte order mark off, and refuses what is no text in UTF-8.
pub(super) fn open<'r>(reader: Box<dyn Read + 'r>, name: &str) -> Result<Input<'r>, Refused> {
    let mut input = Input {
        head: Vec::new(),
        given: 0,
        error: None,
        rest: reader,
        after_cr: false,
        meter: Meter::default(),
        end_mark: b"",
    };
    input.fill_head(|head| head.len() >= 4);
    if input.head.starts_with(&[0x1f, 0x8b]) {
        let packed = io::Cursor::new(std::mem::take(&mut input.head));
        input.rest = Box::new(MultiGzDecoder::new(packed.chain(input.rest)));
    } else if name.to_lowercase().ends_with(".gz") {
        return Err(Refused::whole(name, "named .gz but not compressed with gzip"));
    }
    input.fill_head(|head| head.contains(&b'\n') || head.len() >= HEAD_BYTES);
    if let Some(what) = foreign(&input.head) {
        return Err(Refused::whole(name, format!("{what}; expected text in UTF-8")));
    }
    if input.head.starts_with(b"\xef\xbb\xbf") {
        input.given = 3;
    }
    Ok(input)
}

/// What this is instead of text in UTF-8, where its first bytes say so.
fn foreign(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("this is text in UTF-16"),
        // Without a mark: every second byte of Latin text is zero.
        [0, first, ..] | [first, 0, ..] if first.is_ascii_graphic() => Some("this is text in UTF-16"),
        [b'P', b'K', 3, 4, ..] => Some("this is a zip archive or a spreadsheet (save the sheet as CSV)"),
        [0x1f, 0x8b, ..] => Some("this is compressed twice"),
        _ => None,
    }
}

impl Input<'_> {
    /// Reads until `enough`, the end, or a fault, which is kept for later.
    fn fill_head(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let mut chunk = [0; 4096];
        while !enough(&self.head) && self.error.is_none() {
            match self.rest.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => self.head.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// The first line, or as much of it as was looked at.
    pub(super) fn first_line(&self) -> &[u8] {
        let head = self.head.get(self.given..).unwrap_or_default();
        head.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default()
    }

    /// Whether the first byte that is no blank opens an object or a list.
    pub(super) fn looks_like_json(&self) -> bool {
        self.is_json_list() || self.first_byte() == Some(b'{')
    }

    pub(super) fn is_json_list(&self) -> bool {
        self.first_byte() == Some(b'[')
    }

    fn first_byte(&self) -> Option<u8> {
        self.head.get(self.given..)?.iter().copied().find(|b| !b.is_ascii_whitespace())
    }

    pub(super) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Puts [`END_MARK`] behind the last byte.
    pub(super) fn with_end_mark(self) -> Self {
        Self { end_mark: END_MARK, ..self }
    }

    /// Whether all of the end mark has been handed out.
    pub(super) fn is_used_up(&self) -> bool {
        self.end_mark.is_empty()
    }

    fn read_raw(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.head.get(self.given..).unwrap_or_default();
        if !left.is_empty() {
            let n = left.len().min(buf.len());
            buf[..n].copy_from_slice(&left[..n]);
            self.given += n;
            return Ok(n);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.rest.read(buf),
        }
    }

    /// Makes `\r\n` and `\r` one `\n`, so that lines count the same everywhere. The bytes left.
    fn unify_line_ends(&mut self, buf: &mut [u8]) -> usize {
        if !self.after_cr && !buf.contains(&b'\r') {
            return buf.len();
        }
        let mut kept = 0;
        for at in 0..buf.len() {
            let byte = buf[at];
            let second_half = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            if !second_half {
                buf[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
        }
        kept
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.meter.since_row.get() > MAX_ROW_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("a row is longer than {MAX_ROW_BYTES} bytes; is a quote never closed?"),
            ));
        }
        loop {
            let n = self.read_raw(buf)?;
            if n == 0 {
                let n = self.end_mark.len().min(buf.len());
                buf[..n].copy_from_slice(&self.end_mark[..n]);
                self.end_mark = &self.end_mark[n..];
                return Ok(n);
            }
            let kept = self.unify_line_ends(&mut buf[..n]);
            if kept > 0 {
                self.meter.since_row.set(self.meter.since_row.get() + kept as u64);
                self.meter.total.set(self.meter.total.get() + kept as u64);
                return Ok(kept);
            }
        }
    }
}
