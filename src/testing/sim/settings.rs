use std::{sync::Arc, time::Duration};

use serde_json::Value;
use url::Url;

use super::fault::FaultCounts;

/// Function that returns the connect headers of a client.
type HeadersOf = dyn Fn(usize) -> Result<Value, serde_json::Error> + Send + Sync;

/// Settings of a simulation, the same for all of its seeds.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) clients: usize,
    pub(super) counts: FaultCounts,
    pub(super) url: Url,
    pub(super) headers: Arc<HeadersOf>,
    pub(super) answer_within: Duration,
    /// True if a Close may overtake calls: the app has concurrent routes.
    pub(super) allows_overtaking: bool,
    /// True if the app may lose sessions, since their records are small.
    pub(super) may_lose_sessions: bool,
    /// True if connections go over a network, which breaks them besides the faults of a run.
    pub(super) has_network: bool,
}
