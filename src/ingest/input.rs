//! Bytes as they come → plain UTF-8 with bare line feeds, and no row without end.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

use super::Refused;
use super::archive::{MAGIC, Unpacked};
use super::quotes::{Strays, Watch};

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

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What has gone through an [`Input`], shared with whoever reads from it.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    since_row: Rc<Cell<u64>>,
    total: Rc<Cell<u64>>,
}

/// What to do about text in a foreign encoding.
pub(super) const SAVE_AS_UTF_8: &str = "save the file as UTF-8, or run iconv -f";

/// What bytes that are not UTF-8 probably are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misread {
    /// Windows-1252, of which Latin-1 is a part. It is a guess, so nothing is stored by it.
    Foreign,
    /// UTF-8 that was damaged: before the fault, characters of several bytes are whole, which is no chance.
    Damaged,
}

impl Misread {
    /// `None` where the bytes are UTF-8.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let whole = std::str::from_utf8(bytes).err()?.valid_up_to();
        Some(if bytes[..whole].is_ascii() { Self::Foreign } else { Self::Damaged })
    }

    /// A piece of them as it reads then.
    pub(super) fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Foreign => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
            Self::Damaged => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// The sentence about it.
    pub(super) fn sentence(self, bytes: &[u8]) -> String {
        let reads = super::cells::cut(self.text(bytes).trim());
        match self {
            Self::Foreign => {
                format!("not in UTF-8; in Windows-1252 it reads \"{reads}\": {SAVE_AS_UTF_8} WINDOWS-1252 -t UTF-8")
            }
            Self::Damaged => {
                format!(
                    "damaged: it reads \"{reads}\", where \u{fffd} stands for bytes that are no UTF-8; export it again"
                )
            }
        }
    }
}

/// Bytes that are not UTF-8 by themselves, as they read, and the sentence about them.
pub(super) fn misread(bytes: &[u8]) -> (String, String) {
    let misread = Misread::of(bytes).unwrap_or(Misread::Foreign);
    (misread.text(bytes), misread.sentence(bytes))
}

/// Whether text ends before its last character does.
pub(super) fn ends_within_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
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
    quotes: Option<Watch>,
    /// What was guessed about the encoding, in one sentence.
    note: Option<String>,
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
        quotes: None,
        note: None,
    };
    input.fill_head(|head| head.len() >= 4);
    if let (true, Some(error)) = (input.head.is_empty(), &input.error) {
        return Err(Refused::whole(name, error.to_string()));
    }
    if input.head.starts_with(&MAGIC) {
        let packed = io::Cursor::new(std::mem::take(&mut input.head));
        input.rest = Box::new(Unpacked(MultiGzDecoder::new(packed.chain(input.rest))));
    } else if name.to_lowercase().ends_with(".gz") {
        return Err(Refused::whole(name, "named .gz but not compressed with gzip"));
    }
    input.fill_head(|head| head.contains(&b'\n') || head.len() >= HEAD_BYTES);
    if let Some(encoding) = utf_16(&input.head) {
        input.note =
            Some(format!("{name}: this is text in {}; it was read as such, UTF-8 is expected", encoding.name()));
        input.decode(encoding);
        input.fill_head(|head| head.contains(&b'\n') || head.len() >= HEAD_BYTES);
    }
    if let Some(what) = foreign(&input.head) {
        return Err(Refused::whole(name, format!("{what}; expected text in UTF-8")));
    }
    if input.head.starts_with(BYTE_ORDER_MARK) {
        input.given = BYTE_ORDER_MARK.len();
    }
    Ok(input)
}

/// What this is instead of text in UTF-8, where its first bytes say so.
fn foreign(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Some("this is text in UTF-32 (mend it with iconv -f UTF-32 -t UTF-8)")
        }
        [0, 0, 0, 0, ..] => Some("this begins with zero bytes: the file was damaged when it was written"),
        [b'P', b'K', 3, 4, ..] => Some("this is a zip archive or a spreadsheet (save the sheet as CSV)"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("this is an old Excel workbook (save the sheet as CSV)"),
        [b'%', b'P', b'D', b'F', ..] => Some("this is a PDF (export the table as CSV)"),
        [b'P', b'A', b'R', b'1', ..] => Some("this is a Parquet file (export the table as CSV or NDJSON)"),
        [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', b'Z', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Some("this is compressed, and not with gzip (unpack it first)")
        }
        [0x1f, 0x8b, ..] => Some("this is compressed twice"),
        _ if is_markup(head) => Some("this is a web page or XML, perhaps the log-in page instead of the export"),
        _ => None,
    }
}

/// No header of ours and no JSON begins with an angle bracket.
fn is_markup(head: &[u8]) -> bool {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    text.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<')
}

/// By its mark, or without one by every second byte of Latin text, which is zero.
fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        [first, 0, second, 0, ..] if first.is_ascii_graphic() && second.is_ascii_graphic() => Some(UTF_16LE),
        [0, first, 0, second, ..] if first.is_ascii_graphic() && second.is_ascii_graphic() => Some(UTF_16BE),
        _ => None,
    }
}

/// Another encoding, read as UTF-8. What makes no sense in it ends the file: nothing is stored by a guess.
struct Decoded<R> {
    from: R,
    encoding: &'static Encoding,
    decoder: Decoder,
    text: String,
    given: usize,
    ended: bool,
    /// Met behind the text decoded so far.
    damaged: bool,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        while self.given == self.text.len() && !self.ended {
            if self.damaged {
                let reason = format!("what follows is no text in {}", self.encoding.name());
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            let n = self.from.read(&mut chunk)?;
            let last = n == 0;
            self.text.clear();
            self.given = 0;
            // Enough for whatever the chunk can become, so that all of it is taken.
            self.text.reserve(self.decoder.max_utf8_buffer_length_without_replacement(n).unwrap_or(4 * 4096));
            let (done, _) = self.decoder.decode_to_string_without_replacement(&chunk[..n], &mut self.text, last);
            self.damaged = matches!(done, DecoderResult::Malformed(..));
            self.ended = last && !self.damaged;
        }
        let left = &self.text.as_bytes()[self.given..];
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.given += n;
        Ok(n)
    }
}

/// Nothing but a fault that was met earlier.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl<'r> Input<'r> {
    /// Reads the rest, and the head again, as text in this encoding.
    fn decode(&mut self, encoding: &'static Encoding) {
        let head = io::Cursor::new(std::mem::take(&mut self.head));
        let rest = std::mem::replace(&mut self.rest, Box::new(io::empty()));
        let rest: Box<dyn Read + 'r> = match self.error.take() {
            Some(error) => Box::new(Broken(Some(error))),
            None => rest,
        };
        let decoder = encoding.new_decoder_with_bom_removal();
        let from = head.chain(rest);
        let text = String::new();
        self.rest = Box::new(Decoded { from, encoding, decoder, text, given: 0, ended: false, damaged: false });
    }

    /// What was guessed about the encoding.
    pub(super) fn note(&self) -> Option<String> {
        self.note.clone()
    }

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

    /// The first line that is not blank, or as much of it as was looked at.
    pub(super) fn first_line(&self) -> &[u8] {
        let head = self.head.get(self.given..).unwrap_or_default();
        head.split(|b| matches!(b, b'\n' | b'\r')).find(|line| !line.trim_ascii().is_empty()).unwrap_or_default()
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

    /// Looks out for stray quotes from here on.
    pub(super) fn watching_quotes(self, separator: u8) -> (Self, Strays) {
        let watch = Watch::new(separator);
        let strays = watch.strays();
        (Self { quotes: Some(watch), ..self }, strays)
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
                if let Some(watch) = &mut self.quotes {
                    watch.look(&buf[..kept]);
                }
                self.meter.since_row.set(self.meter.since_row.get() + kept as u64);
                self.meter.total.set(self.meter.total.get() + kept as u64);
                return Ok(kept);
            }
        }
    }
}
