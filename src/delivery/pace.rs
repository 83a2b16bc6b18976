//! How fast a lane may call: a token bucket for the workspace, a gap for each
//! place, and the platform's own Retry-After.
//!
//! On tokio's time, since limits are about real seconds, whatever the
//! organisation's clock says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::domain::policy::Pacing;

/// One lane's limits and what of them is used up.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two calls at the steady rate.
    interval: Duration,
    /// How far ahead of the steady rate a burst may be: the bucket holds one second's worth.
    burst: Duration,
    /// For each place: so many posts in so long, the shortest time first. Never empty.
    windows: Vec<Window>,
    used: Mutex<Used>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    long: Duration,
    posts: usize,
}

/// Half of what Teams allows in one conversation (7 in 1 s, 8 in 2 s, 60 in 30 s, 1800 in an hour; learn.microsoft.com,
/// "Optimize your bot with rate limiting"): the other half is for answers, and for a lane that has just changed hands.
const TEAMS: [Window; 4] = [
    Window { long: Duration::from_millis(1_020), posts: 3 },
    Window { long: Duration::from_millis(2_040), posts: 4 },
    Window { long: Duration::from_millis(30_600), posts: 30 },
    Window { long: Duration::from_secs(3_660), posts: 900 },
];
/// Of the 25 a second that Tandem keeps to in one tenant, five are for answers.
const TEAMS_PER_MINUTE: u32 = 20 * 60;

/// How far ahead tokens are taken by whoever waits for them.
const AHEAD: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct Used {
    /// When the bucket is full again; before that, each interval gives back one token.
    full_at: Instant,
    /// The posts in each place, oldest first; those that no window counts any more are forgotten.
    places: BTreeMap<String, VecDeque<Instant>>,
    blocked_until: Option<Instant>,
}

impl Pace {
    /// Starts with a full bucket: whoever held the lane before left it so, or said until when to wait.
    pub(super) fn new(pacing: &Pacing, now: Instant) -> Self {
        // A policy has more than zero here; the bounds keep the division in what a Duration holds. A fiftieth more than
        // asked for, since the second post may travel faster.
        let gap = Duration::from_secs_f64(1.02 / pacing.per_channel_per_second.clamp(0.001, 1_000_000.0));
        Self::with(pacing.per_workspace_per_minute, vec![Window { long: gap, posts: 1 }], now)
    }

    pub(super) fn teams(now: Instant) -> Self {
        Self::with(TEAMS_PER_MINUTE, TEAMS.to_vec(), now)
    }

    fn with(per_minute: u32, windows: Vec<Window>, now: Instant) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        let burst = Duration::from_secs(1).saturating_sub(interval);
        let used = Used { full_at: now, places: BTreeMap::new(), blocked_until: None };
        Self { interval, burst, windows, used: Mutex::new(used) }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // A panic while holding this lock cannot leave an instant half-written.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many may hold tokens that can't be used yet: enough to lose no time between two calls, and so few that whoever
    /// comes by another way is served soon.
    pub(super) fn ahead(&self) -> usize {
        let tokens = AHEAD.as_nanos() / self.interval.as_nanos().max(1);
        usize::try_from(tokens).unwrap_or_default().clamp(1, Semaphore::MAX_PERMITS)
    }

    /// Takes a token and says from when it may be used. First come, first served.
    pub(super) fn take(&self, now: Instant) -> Instant {
        let mut used = self.used();
        let at = used.full_at.checked_sub(self.burst).map_or(now, |earliest| earliest.max(now));
        used.full_at = used.full_at.max(at) + self.interval;
        at
    }

    /// From when this place may be posted to; `None` where it may be now.
    pub(super) fn ready_at(&self, place: &str, now: Instant) -> Option<Instant> {
        let used = self.used();
        let posts = used.places.get(place)?;
        let free = |window: &Window| {
            // The window is full for as long as the oldest of its last posts stands in it.
            let oldest = posts.len().checked_sub(window.posts)?;
            Some(*posts.get(oldest)? + window.long).filter(|free| *free > now)
        };
        self.windows.iter().filter_map(free).max()
    }

    /// A post to this place was sent off at `at`.
    pub(super) fn posted(&self, place: &str, at: Instant) {
        let mut used = self.used();
        let longest = self.windows.iter().map(|window| window.long).max().unwrap_or_default();
        let counts = |post: &Instant| *post + longest > at;
        used.places.retain(|_, posts| {
            while posts.front().is_some_and(|post| !counts(post)) {
                posts.pop_front();
            }
            !posts.is_empty()
        });
        used.places.entry(place.to_owned()).or_default().push_back(at);
    }

    /// The platform said Retry-After; the later of several counts.
    pub(super) fn block(&self, until: Instant) {
        let mut used = self.used();
        used.blocked_until = Some(used.blocked_until.map_or(until, |before| before.max(until)));
    }

    /// Until when nothing may be called; `None` where calls are free.
    pub(super) fn blocked(&self, now: Instant) -> Option<Instant> {
        self.used().blocked_until.filter(|until| *until > now)
    }

    /// How long the next holder of the lane must wait so that two holders together keep the limits of one.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let used = self.used();
        // Longer windows are kept so wide that two holders together stay within the platform's.
        let shortest = self.windows.iter().map(|window| window.long).min().unwrap_or_default();
        let places = used.places.values().filter_map(|posts| Some(*posts.back()? + shortest)).max();
        // Tokens that were taken and will not be used, since the process ends, count for nothing.
        let full_at = used.full_at.min(now + self.burst + self.interval);
        let clear = places.into_iter().chain([full_at]).chain(used.blocked_until).max().unwrap_or(now);
        clear.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pacing(per_minute: u32, per_second: f64) -> Pacing {
        Pacing { per_channel_per_second: per_second, per_workspace_per_minute: per_minute }
    }

    #[test]
    fn four_hundred_calls_at_twenty_a_second_take_nineteen_seconds() {
        let start = Instant::now();
        let pace = Pace::new(&pacing(1200, 1.0), start);
        let last = (0..400).map(|_| pace.take(start)).last().unwrap();
        assert_eq!(last - start, Duration::from_secs(19));
        assert_eq!(pace.rest(last), Duration::from_secs(1), "until the bucket is full");
    }

    #[test]
    fn the_next_holder_does_not_wait_for_tokens_that_nobody_used() {
        let start = Instant::now();
        let pace = Pace::new(&pacing(240, 1.0), start);
        for _ in 0..128 {
            pace.take(start);
        }
        assert_eq!(pace.rest(start), Duration::from_secs(1));
    }

    #[test]
    fn few_tokens_are_taken_ahead() {
        let ahead = |per_minute| Pace::new(&pacing(per_minute, 1.0), Instant::now()).ahead();
        assert_eq!([1, 240, 1200, 60_000].map(ahead), [1, 1, 5, 250]);
    }

    #[test]
    fn a_place_waits_its_gap_and_a_block_holds_everything() {
        let start = Instant::now();
        let pace = Pace::new(&pacing(240, 2.0), start);
        assert_eq!(pace.ready_at("C1", start), None);
        pace.posted("C1", start);
        assert_eq!(pace.ready_at("C1", start), Some(start + Duration::from_millis(510)));
        assert_eq!(pace.ready_at("C1", start + Duration::from_millis(510)), None);
        assert_eq!(pace.ready_at("C2", start), None);
        assert_eq!(pace.rest(start), Duration::from_millis(510));
        pace.block(start + Duration::from_secs(7));
        pace.block(start + Duration::from_secs(3));
        assert_eq!(pace.blocked(start + Duration::from_secs(6)), Some(start + Duration::from_secs(7)));
        assert_eq!(pace.blocked(start + Duration::from_secs(7)), None);
        assert_eq!(pace.rest(start), Duration::from_secs(7));
    }

    /// Whoever posts as soon as it may stays within half of each of Teams' limits.
    #[test]
    fn a_conversation_in_teams_keeps_every_window() {
        let mut now = Instant::now();
        let pace = Pace::teams(now);
        let mut posts = Vec::new();
        for _ in 0..2_000 {
            now = pace.ready_at("a:1", now).unwrap_or(now);
            pace.posted("a:1", now);
            posts.push(now);
        }
        for (long, most) in [(1, 3), (2, 4), (30, 30), (3600, 900)] {
            for (at, post) in posts.iter().enumerate() {
                let within = posts[at..].iter().take_while(|other| **other < *post + Duration::from_secs(long)).count();
                assert!(within <= most, "{within} in {long} s");
            }
        }
        assert!(posts[2] == posts[0] && posts[3] > posts[0], "a digest of three parts goes at once");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However callers come, no span of time has more calls than the bucket and the rate allow.
        #[test]
        fn the_limit_holds_in_every_span(per_minute in 1_u32..3000, waits in prop::collection::vec(0_u64..2000, 1..60)) {
            let mut now = Instant::now();
            let pace = Pace::new(&pacing(per_minute, 1.0), now);
            let mut calls = Vec::new();
            for wait in waits {
                now += Duration::from_millis(wait);
                let at = pace.take(now);
                prop_assert!(at >= now);
                calls.push(at);
            }
            prop_assert!(calls.is_sorted());
            let rate = f64::from(per_minute) / 60.0;
            for (first, from) in calls.iter().enumerate() {
                for (last, to) in calls.iter().enumerate().skip(first) {
                    let allowed = rate.max(1.0) + rate * (*to - *from).as_secs_f64();
                    prop_assert!((last - first + 1) as f64 <= allowed + 1e-6);
                }
            }
        }
    }
}
