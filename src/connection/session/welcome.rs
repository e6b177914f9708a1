use std::time::Duration;

use serde_json::{Value, json};
use zocket_layers::{
    DataFrame,
    internal::{Broken, is_broken},
};

use super::{Session, resume::ACK_AFTER};
use crate::upgrade::{FEATURES, RESUMPTION};

impl Session {
    /// Returns the first frame of a new session in the extended protocol. `contract` is the hash of the contract, and `ended`
    /// the number of the last frame that the client's former session has received, if the handshake has ended that.
    pub(in crate::connection) fn welcome(&self, contract: Option<&str>, ended: Option<u64>) -> DataFrame {
        self.welcome_with(contract, false, ended)
    }

    /// Returns the first frame on a further socket of the session.
    pub(in crate::connection) fn welcome_back(&self) -> DataFrame {
        let contract = self.resume.as_ref().and_then(|resume| resume.contract());
        self.welcome_with(contract, true, None)
    }

    fn welcome_with(&self, contract: Option<&str>, is_resumed: bool, ended: Option<u64>) -> DataFrame {
        let (form, limits) = (self.connection.form(), self.limits());
        let has_resumption = !limits.resume_within.is_zero();
        let features = FEATURES
            .iter()
            .filter(|name| has_resumption || **name != RESUMPTION);
        let mut payload = json!({
            "clientId": self.client_id(),
            "features": features.collect::<Vec<_>>(),
            "limits": { "message": limits.message },
            "heartbeatMs": millis(limits.ping_after),
        });
        if let Some(contract) = contract {
            payload["contract"] = json!(contract);
        }
        if self.options.has_flow {
            payload["limits"]["calls"] = json!(self.options.max_calls(limits));
        }
        self.add_resumption(&mut payload, is_resumed);
        if let Some(ended) = ended {
            payload["ended"] = json!(ended);
        }
        form.codec.welcome(&payload)
    }

    /// Adds the members for a client that offered to resume.
    fn add_resumption(&self, payload: &mut Value, is_resumed: bool) {
        let Some(slot) = self.slot() else {
            return;
        };
        let limits = self.limits();
        payload["session"] = json!(slot.offer());
        payload["resumed"] = json!(is_resumed);
        let asks_again = u64::from(is_resumed && is_broken(Broken::Deduplication));
        payload["received"] = json!(self.received().saturating_sub(asks_again));
        payload["sent"] = json!(slot.range().sent());
        payload["ackMs"] = json!(millis(ACK_AFTER));
        payload["parkedMs"] = json!(millis(limits.resume_within));
        payload["limits"]["record"] = json!(limits.record);
    }
}

/// Returns a duration in milliseconds, at least 1. Timers of browsers have no more than 31 bits.
fn millis(duration: Duration) -> u32 {
    const MAX: u32 = i32::MAX.unsigned_abs();
    u32::try_from(duration.as_millis()).unwrap_or(MAX).clamp(1, MAX)
}
