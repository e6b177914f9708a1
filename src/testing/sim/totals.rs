use std::{fmt, ops::AddAssign};

/// Counts of all runs of a simulation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Runs.
    pub seeds: u64,
    /// Connections whose client has received a welcome.
    pub connections: u64,
    /// Connections that a fault has cut, or left half open.
    pub cuts: u64,
    /// Connections that were left open and replaced.
    pub abandoned: u64,
    /// Connections whose client has given up a silent app.
    pub silent: u64,
    /// Connections that the app has closed.
    pub closed_by_app: u64,
    /// Shutdowns.
    pub shutdowns: u64,
    /// Frames in both directions.
    pub frames: u64,
    /// Events that clients have received.
    pub events: u64,
    /// Calls.
    pub calls: u64,
    /// Calls without an answer, whose connection or session has ended.
    pub unanswered: u64,
    /// Sessions that continued on another connection.
    pub resumes: u64,
    /// Events and answers that are missing. A run fails at the first one.
    pub lost: u64,
    /// Events and answers that came twice. A run fails at the first one.
    pub doubled: u64,
    /// Events that came in another order. A run fails at the first one.
    pub out_of_order: u64,
    /// Hash of the time, client, direction and length of all frames. Equal runs have equal fingerprints.
    pub fingerprint: u64,
}

impl AddAssign<&Self> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.connections += other.connections;
        self.cuts += other.cuts;
        self.abandoned += other.abandoned;
        self.silent += other.silent;
        self.closed_by_app += other.closed_by_app;
        self.shutdowns += other.shutdowns;
        self.frames += other.frames;
        self.events += other.events;
        self.calls += other.calls;
        self.unanswered += other.unanswered;
        self.resumes += other.resumes;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        // Independent of the order in which threads add their runs.
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds: {} connections, {} cuts, {} left open, {} silent, {} closed by the app, {} shutdowns, {} frames, \
             {} events, {} calls, {} of them unanswered at the end of their connection, {} resumes; {} lost, {} doubled, \
             {} out of order",
            self.seeds,
            self.connections,
            self.cuts,
            self.abandoned,
            self.silent,
            self.closed_by_app,
            self.shutdowns,
            self.frames,
            self.events,
            self.calls,
            self.unanswered,
            self.resumes,
            self.lost,
            self.doubled,
            self.out_of_order
        )
    }
}
