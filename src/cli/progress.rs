//! How far an import, a diagnosis, a fit, an export or an erasure is, on a terminal and only there.

use std::io::{self, IsTerminal, Read, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::app::import::Progress;

/// Between two looks: often enough to see it move.
const LOOK: Duration = Duration::from_millis(250);
/// Before so much of a file is dealt with, what is left is a guess of no worth.
const SOME: f64 = 0.01;

/// What is known of one input while it is read.
pub(super) struct Gauge {
    name: String,
    /// Of the whole file, where it is one.
    bytes: Option<u64>,
    read: Arc<AtomicU64>,
    progress: Arc<Progress>,
}

impl Gauge {
    pub(super) fn new(name: String, bytes: Option<u64>) -> Self {
        Self { name, bytes, read: Arc::default(), progress: Arc::default() }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    pub(super) fn counting<R: Read + Send>(&self, from: R) -> impl Read + Send + use<R> {
        Counting { from, read: Arc::clone(&self.read) }
    }

    fn is_read(&self) -> bool {
        !self.progress.is_done() && self.read.load(Ordering::Relaxed) > 0
    }

    fn line(&self, elapsed: Duration) -> String {
        // Rows read wait to be stored, so bytes alone would promise too much: of those read, so many are dealt with.
        let read = self.bytes.map(|bytes| self.read.load(Ordering::Relaxed) as f64 / bytes.max(1) as f64);
        let dealt_with = self.progress.rows() as f64 / self.progress.read().max(1) as f64;
        of_rows(&self.name, self.progress.rows(), read.map(|read| read.min(1.0) * dealt_with.min(1.0)), elapsed)
    }
}

struct Counting<R> {
    from: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Takes the line away when it is dropped.
pub(super) struct Watching(Option<AbortHandle>);

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // Whoever closed the terminal wants no line taken away.
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Shows the input that is being read, until what comes back is dropped. Nothing where standard error is no terminal.
pub(super) fn watch(gauges: Vec<Gauge>) -> Watching {
    if !io::stderr().is_terminal() {
        return Watching(None);
    }
    let task = tokio::spawn(async move {
        let mut begun: Option<(usize, Instant)> = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(at) = gauges.iter().position(Gauge::is_read) else { continue };
            let since = match begun {
                Some((of, since)) if of == at => since,
                _ => begun.insert((at, Instant::now())).1,
            };
            let _ = write!(io::stderr(), "\r\x1b[K{}", gauges[at].line(since.elapsed()));
        }
    });
    Watching(Some(task.abort_handle()))
}

/// Shows how many accounts are diagnosed, until what comes back is dropped.
pub(super) fn diagnosed(so_far: Arc<AtomicU64>) -> Watching {
    line(move || match so_far.load(Ordering::Relaxed) {
        0 => "reading what the sources say".to_owned(),
        accounts => format!("{} accounts diagnosed", grouped(accounts)),
    })
}

/// Shows what `now` says, until what comes back is dropped. Nothing where standard error is no terminal.
pub(super) fn line(now: impl Fn() -> String + Send + 'static) -> Watching {
    if !io::stderr().is_terminal() {
        return Watching(None);
    }
    let task = tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let _ = write!(io::stderr(), "\r\x1b[K{}", now());
        }
    });
    Watching(Some(task.abort_handle()))
}

/// `share`: how much of it is done, 0 to 1, where that is known.
fn of_rows(name: &str, rows: u64, share: Option<f64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let mut line = format!("{name}: {} rows, {} a second", grouped(rows), grouped((rows as f64 / seconds) as u64));
    if let Some(share) = share {
        line += &format!(", {:.0} %", share * 100.0);
        if share > SOME {
            line += &format!(", {} left", spoken(Duration::from_secs_f64(seconds * (1.0 - share) / share)));
        }
    }
    line
}

/// 1200000 → 1,200,000
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn spoken(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=99 => format!("{seconds} s"),
        seconds @ 100..=5_399 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_rows_speed_and_time_left() {
        let after = Duration::from_secs;
        insta::assert_snapshot!([
            of_rows("signals.csv", 412_000, Some(0.34), after(4)),
            of_rows("signals.csv", 0, Some(0.001), after(0)),
            of_rows("signals.csv", 1_200_000, Some(0.02), after(100)),
            of_rows("standard input", 5_000, None, after(2)),
        ].join("\n"), @"
        signals.csv: 412,000 rows, 103,000 a second, 34 %, 7 s left
        signals.csv: 0 rows, 0 a second, 0 %
        signals.csv: 1,200,000 rows, 12,000 a second, 2 %, 82 min left
        standard input: 5,000 rows, 2,500 a second
        ");
    }
}
