use std::sync::atomic::{AtomicU8, Ordering};

use zocket_layers::Close;

use super::closes::{GOING_AWAY, RESTARTING};

/// Progress of the app's shutdown, for one connection. The shutdown advances it, and wakes the connection's task, which
/// reads it.
#[derive(Debug, Default)]
pub(crate) struct Ending(AtomicU8);

/// Stage of a connection during the shutdown of its app. Stages are reached in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The app is not shut down.
    Open,
    /// Messages in flight are answered. No other message begins.
    Drain,
    /// The connection is closed once no message is in flight.
    CloseWhenIdle,
    /// The connection is closed, whatever is in flight.
    Close,
}

const STAGES: [Stage; 4] = [Stage::Open, Stage::Drain, Stage::CloseWhenIdle, Stage::Close];
/// Bit that is set for a restart.
const RESTART: u8 = 0x80;

impl Ending {
    /// Returns the stage of the connection.
    pub(crate) fn stage(&self) -> Stage {
        let stage = self.0.load(Ordering::Acquire) & !RESTART;
        STAGES.get(usize::from(stage)).copied().unwrap_or(Stage::Close)
    }

    /// Advances the connection to a stage, unless it has passed it.
    pub(super) fn advance(&self, stage: Stage, restarts: bool) {
        let restart = if restarts { RESTART } else { 0 };
        // With the bit of a restart in both operands, the maximum is that of the stages.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            Some((now & !RESTART).max(stage as u8) | restart)
        });
    }

    /// Returns the Close that the shutdown sends.
    pub(crate) fn close(&self) -> Close {
        match self.0.load(Ordering::Acquire) & RESTART {
            0 => GOING_AWAY,
            _ => RESTARTING,
        }
    }
}
