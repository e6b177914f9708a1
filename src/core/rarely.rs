use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Lines of one kind in a minute.
const LINES: u32 = 16;
const MINUTE: Duration = Duration::from_secs(60);

/// Bounds the lines of one kind in the log, since what others send may cause any number of them.
#[derive(Debug, Default)]
pub(crate) struct Rarely(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    lines: u32,
    omitted: u64,
}

impl Rarely {
    /// Returns the number of lines that were omitted since the last one. None if this one is to be omitted, too.
    pub(crate) fn line(&self) -> Option<u64> {
        let (mut state, now) = (self.0.lock(), Instant::now());
        if state
            .since
            .is_none_or(|since| now.duration_since(since) >= MINUTE)
        {
            (state.since, state.lines) = (Some(now), 0);
        }
        if state.lines >= LINES {
            state.omitted += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_beyond_the_bound_of_a_minute_are_counted() {
        let rarely = Rarely::default();
        for _ in 0..LINES {
            assert_eq!(rarely.line(), Some(0));
        }
        assert_eq!([(); 3].map(|()| rarely.line()), [None; 3]);
        tokio::time::advance(MINUTE).await;
        assert_eq!([(); 2].map(|()| rarely.line()), [Some(3), Some(0)]);
    }
}
