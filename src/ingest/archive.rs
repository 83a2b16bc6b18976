//! Gzip that was damaged on its way: what it unpacks to may be wrong long before its checksum says so.

use std::fs::File;
use std::io::{self, Read, Seek};

use flate2::read::MultiGzDecoder;

/// How gzip begins.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A file of rows. Where it is an archive, it is unpacked to its end before any of it is given: one that was damaged
/// gives nothing, one that was merely cut off gives what is left of it.
#[derive(Debug)]
pub struct Sound {
    file: File,
    checked: bool,
}

impl From<File> for Sound {
    fn from(file: File) -> Self {
        Self { file, checked: false }
    }
}

impl Read for Sound {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            self.checked = true;
            self.check()?;
        }
        self.file.read(buf)
    }
}

impl Sound {
    fn check(&mut self) -> io::Result<()> {
        // A pipe comes only once.
        if !self.file.metadata()?.is_file() {
            return Ok(());
        }
        let mut first = Vec::new();
        (&self.file).take(2).read_to_end(&mut first)?;
        self.file.rewind()?;
        if first != MAGIC {
            return Ok(());
        }
        let unpacked = io::copy(&mut MultiGzDecoder::new(&self.file), &mut io::sink());
        self.file.rewind()?;
        match unpacked {
            Err(error) if is_damage(&error) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the archive is damaged ({error}), so nothing of it was taken; fetch it again"),
            )),
            // Whatever else is wrong is met again, with the rows before it.
            _ => Ok(()),
        }
    }
}

/// Gzip, unpacked as it comes.
pub(super) struct Unpacked<R>(pub(super) MultiGzDecoder<R>);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| match is_damage(&error) {
            true => io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the archive is damaged ({error}), so rows before this may be wrong: import a good copy of it"),
            ),
            false => error,
        })
    }
}

/// Whether the bytes are not those that were packed. What stands behind an archive, whose own checksum was right, is
/// told by flate2 as a wrong header.
fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput && error.to_string() != "invalid gzip header"
}
