//! The load of `benches/run`: data to import, signed requests at a steady rate
//! or as fast as they are answered, and a Slack that says yes. See benches/README.md.

mod bare;
mod book;
mod request;
mod slack;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than any measurement: a peer that hangs ends the run instead of holding it up.
const GIVE_UP: Duration = Duration::from_secs(120);

const USAGE: &str = "usage: load book DIR ACCOUNTS PEOPLE | load slack PORT | load bare PORT DATABASE_URL ORG_ID
       load commands URL CONNECTIONS SECONDS RATE|max NAMES.txt
       load clicks URL CONNECTIONS SECONDS RATE|max RISKS.txt

Prints one JSON object. SLACK_SIGNING_SECRET signs; BENCH_TEAM is the workspace.";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread: the load must leave the two cores to what is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.as_slice() {
        ["book", folder, accounts, people] => book::write(
            folder.as_ref(),
            accounts.parse().context("ACCOUNTS is a number")?,
            people.parse().context("PEOPLE is a number")?,
        ),
        ["slack", port] => runtime.block_on(slack::serve(port.parse().context("PORT is a number")?)),
        ["bare", port, database, org] => {
            // What is measured has both cores, as the others have.
            let both = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let (port, org) = (port.parse().context("PORT is a number")?, org.parse().context("ORG_ID is a uuid")?);
            both.block_on(bare::serve(port, database, org))
        }
        [kind @ ("commands" | "clicks"), url, connections, seconds, rate, lines] => {
            let lines = std::fs::read_to_string(lines).with_context(|| format!("read {lines}"))?;
            let signer = request::Signer::from_environment(url)?;
            let requests: Vec<Vec<u8>> = lines
                .lines()
                .map(|line| if *kind == "commands" { signer.command(line) } else { signer.click(line) })
                .collect();
            let load = Load {
                address: signer.address.clone(),
                connections: connections.parse().context("CONNECTIONS is a number")?,
                within: Duration::from_secs(seconds.parse().context("SECONDS is a number")?),
                rate: if *rate == "max" { None } else { Some(rate.parse().context("RATE is a number or max")?) },
                // A click that was done cannot be done again; commands may be asked again and again.
                again: *kind == "commands",
                expected: if *kind == "commands" { "blocks" } else { "" },
            };
            runtime.block_on(load.run(requests))
        }
        // `cargo bench` names no part: nothing is measured without somebody who looks at it.
        [] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

/// A measurement.
struct Load {
    address: String,
    connections: usize,
    within: Duration,
    /// Requests a second; `None` for as many as are answered.
    rate: Option<f64>,
    again: bool,
    /// What every answer has to contain.
    expected: &'static str,
}

impl Load {
    async fn run(self, requests: Vec<Vec<u8>>) -> anyhow::Result<()> {
        let (load, requests, next) = (Arc::new(self), Arc::new(requests), Arc::new(AtomicUsize::new(0)));
        let begun = Instant::now();
        let workers: Vec<_> = (0..load.connections)
            .map(|_| tokio::spawn(load.clone().connection(requests.clone(), next.clone(), begun)))
            .collect();
        let mut times: Vec<Duration> = Vec::new();
        for worker in workers {
            times.extend(tokio::time::timeout(GIVE_UP, worker).await.context("the measurement hangs")???);
        }
        let took = begun.elapsed().as_secs_f64();
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times.get(place.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        println!(
            r#"{{"answers":{},"seconds":{took:.2},"per_second":{:.0},"p50_ms":{:.2},"p99_ms":{:.2},"max_ms":{:.2}}}"#,
            times.len(),
            times.len() as f64 / took,
            at(0.5),
            at(0.99),
            at(1.0),
        );
        Ok(())
    }

    /// One connection's share. At a rate, time counts from when a request was due, not from when it
    /// could be sent: a server that stalls is charged for all who wait.
    async fn connection(
        self: Arc<Self>,
        requests: Arc<Vec<Vec<u8>>>,
        next: Arc<AtomicUsize>,
        begun: Instant,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut stream = TcpStream::connect(&self.address).await.context("connect")?;
        stream.set_nodelay(true)?;
        let mut times = Vec::new();
        let mut buffer = Vec::with_capacity(1 << 16);
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            if turn >= requests.len() && !self.again {
                return Ok(times);
            }
            let due = match self.rate {
                Some(rate) => begun + Duration::from_secs_f64(turn as f64 / rate),
                None => Instant::now(),
            };
            if due.duration_since(begun) >= self.within {
                return Ok(times);
            }
            tokio::time::sleep_until(due.into()).await;
            stream.write_all(&requests[turn % requests.len()]).await?;
            self.answer(&mut stream, &mut buffer).await?;
            times.push(due.elapsed());
        }
    }

    async fn answer(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
        buffer.clear();
        let head = loop {
            anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        anyhow::ensure!(text.starts_with("http/1.1 200"), "answered {text}");
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        loop {
            let whole = match length {
                Some(length) => buffer.len() >= head + length,
                None => buffer.ends_with(b"0\r\n\r\n"),
            };
            if whole {
                break;
            }
            anyhow::ensure!(stream.read_buf(buffer).await? > 0, "the connection was closed");
        }
        let expected = self.expected.as_bytes();
        let found = expected.is_empty() || buffer[head..].windows(expected.len()).any(|part| part == expected);
        anyhow::ensure!(found, "answered {}", String::from_utf8_lossy(buffer));
        Ok(())
    }
}
