//! A client in no room, on a thread of its own, that calls every two milliseconds. The thread has priority over the
//! load on their shared processor.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{process::setpriority_process, thread::gettid};

use crate::{
    Error, Result,
    dial::Client,
    proc,
    stats::Histogram,
    wire::{STAMP, Speech, Stamp, Template},
};

const EVERY: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
struct Flags {
    /// Calls in flight from now on are counted.
    counting: AtomicBool,
    /// Calls sent from now on are not counted.
    counted: AtomicBool,
    ended: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Probe {
    flags: Arc<Flags>,
    thread: Option<JoinHandle<Result<Histogram>>>,
}

impl Probe {
    /// Starts to call, without counting.
    pub(crate) fn start(addr: SocketAddr, speech: Speech) -> Result<Self> {
        let flags = Arc::<Flags>::default();
        let client = Client::connect(addr, speech, "probe")?;
        let shared = flags.clone();
        let thread = thread::spawn(move || ask(client, speech, &shared));
        Ok(Self {
            flags,
            thread: Some(thread),
        })
    }

    /// Starts counting, or stops it. Each happens once.
    pub(crate) fn count(&self, counting: bool) {
        let flag = if counting {
            &self.flags.counting
        } else {
            &self.flags.counted
        };
        flag.store(true, Ordering::Relaxed);
    }

    /// Returns the latencies of the counted calls.
    pub(crate) fn end(mut self) -> Result<Histogram> {
        self.flags.ended.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Err(Error::Failed("the probe panicked".into())))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.flags.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ask(mut client: Client, speech: Speech, flags: &Flags) -> Result<Histogram> {
    goes_first();
    let echo = Template::echo(speech, STAMP);
    let mut seen = Histogram::default();
    let mut frame = Vec::new();
    let mut id = 0;
    while !flags.ended.load(Ordering::Relaxed) {
        frame.clear();
        id += 1;
        echo.write(&mut frame, id, Stamp::default());
        let counted = flags.counted.load(Ordering::Relaxed);
        let start = Instant::now();
        client.call(&frame)?;
        let took = start.elapsed();
        // A call counts if it was in flight at any time of the window: a long one may start before it and end after it.
        if !counted && flags.counting.load(Ordering::Relaxed) {
            seen.record(took.as_nanos() as u64);
        }
        thread::sleep(EVERY.saturating_sub(took));
    }
    Ok(seen)
}

/// Gives this thread real-time priority if permitted, or else the best nice value.
fn goes_first() {
    let _ = setpriority_process(None, -15);
    let _ = proc::go_first(gettid().as_raw_nonzero().get().unsigned_abs(), 10);
}
