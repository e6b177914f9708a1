//! Resumption of a session: received frames, acknowledgements, and the wait for a client whose connection broke.

mod state;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zocket_layers::{
    Close, DataFrame, Frame,
    protocol::{Head, ProtocolFrame},
};

pub(super) use self::state::Resume;
use self::state::Window;
use super::{
    End, Session,
    deadlines::{is_late, saturating_add},
    outbound::FRAME_WEIGHT,
};
use crate::core::{ResumeSlot, closes::BAD_ACK};

/// Time after which received frames are acknowledged.
pub(in crate::connection) const ACK_AFTER: Duration = Duration::from_secs(1);
/// Smallest change of a record that is reported, in bytes.
const REPORTED_CHANGE: usize = 1 << 10;
/// Longest time that a handshake in progress holds a session whose window has ended.
const HOLD: Duration = Duration::from_secs(5);

impl Session {
    /// Counts frames from now on, and keeps those that are sent until they are acknowledged.
    pub(in crate::connection) fn with_resume(
        mut self,
        slot: Arc<ResumeSlot>,
        contract: Option<Arc<str>>,
    ) -> Self {
        self.outbound.keep(self.limits().record, slot.range().clone());
        self.resume = Some(Box::new(Resume::new(slot, contract)));
        self
    }

    /// Returns the place where a new socket of the session arrives. `None` for a client that did not offer to resume.
    pub(in crate::connection) fn slot(&self) -> Option<&Arc<ResumeSlot>> {
        self.resume.as_ref().map(|resume| &resume.slot)
    }

    /// Returns the number of the last frame that was received.
    pub(in crate::connection) fn received(&self) -> u64 {
        self.resume.as_ref().map_or(0, |resume| resume.received)
    }

    // Frames in.

    /// Counts a frame that was received, and handles it if it is a protocol frame. Returns true if it was one.
    pub(super) fn receive_protocol(&mut self, frame: &Frame) -> bool {
        let kind = frame.head().and_then(Head::protocol_frame);
        if self.resume.is_some() && self.receive_counted(kind, frame) {
            return true;
        }
        let is_ping = kind == Some(ProtocolFrame::Ping);
        self.pings += u32::from(is_ping);
        is_ping
    }

    fn receive_counted(&mut self, kind: Option<ProtocolFrame>, frame: &Frame) -> bool {
        let Some(resume) = &mut self.resume else {
            return false;
        };
        // A pong proves nothing: it is sent without a thought for the welcome.
        if !resume.is_proven && kind != Some(ProtocolFrame::Pong) {
            resume.is_proven = true;
            resume.slot.prove();
        }
        match kind {
            Some(ProtocolFrame::Ping) => return false,
            Some(ProtocolFrame::Pong | ProtocolFrame::Welcome) => return true,
            Some(ProtocolFrame::Ack) => {
                let codec = self.connection.form().codec;
                let n = frame
                    .head()
                    .and_then(|head| codec.read_ack(frame.data().bytes(), head));
                let acknowledged = n.is_some_and(|n| self.outbound.acknowledge(n).is_ok());
                resume.has_bad_ack |= !acknowledged;
                return true;
            }
            _ => {}
        }
        resume.received += 1;
        resume.untold += frame.len() + FRAME_WEIGHT;
        if resume.untold > self.connection.limits().record / 4 {
            self.acknowledge();
        }
        kind == Some(ProtocolFrame::Void)
    }

    /// Returns the Close for a client that acknowledged what was never sent.
    pub(in crate::connection) fn violation(&self) -> Option<Close> {
        let resume = self.resume.as_ref()?;
        resume.has_bad_ack.then_some(BAD_ACK)
    }

    // Acknowledgements.

    /// Queues the acknowledgement of all frames that were received, unless the client was told already.
    pub(in crate::connection) fn acknowledge(&mut self) {
        let Some(resume) = &mut self.resume else {
            return;
        };
        let received = resume.received;
        resume.untold = 0;
        resume.untold_since = None;
        if std::mem::replace(&mut resume.told, received) != received {
            let ack = self.connection.form().codec.ack(received);
            self.outbound.push_uncounted(ack);
        }
    }

    /// Starts the time until the next acknowledgement, if one is due. Returns true if it has started.
    pub(super) fn start_ack(&mut self, now: Instant) -> bool {
        let Some(resume) = &mut self.resume else {
            return false;
        };
        let starts = resume.received > resume.told && resume.untold_since.is_none();
        if starts {
            resume.untold_since = Some(now);
        }
        starts
    }

    /// Returns the time of the next acknowledgement.
    pub(super) fn ack_deadline(&self) -> Option<Instant> {
        let since = self.resume.as_ref()?.untold_since?;
        Some(saturating_add(since, ACK_AFTER))
    }

    // Breaks and new sockets.

    /// Returns true if the connection breaks with this end, and the session may wait for its client.
    pub(in crate::connection) fn survives(&self, end: &End) -> bool {
        self.resume.as_ref().is_some_and(|resume| resume.slot.may_park())
            && end.is_break()
            && !self.pipeline_has_failed
            && self.is_app_open()
    }

    /// Begins to wait for the client. What the old socket has not written wholly is written again.
    pub(in crate::connection) fn park(&mut self, now: Instant) {
        let end = saturating_add(now, self.limits().resume_within);
        self.pings = 0;
        if let Some(resume) = &mut self.resume {
            resume.untold_since = None;
            resume.window = Some(Window {
                end,
                is_held: false,
                is_excused: false,
            });
            resume.slot.park();
        }
    }

    /// Reports the bytes of the record, which all sessions of the app have a bound for. While the client is connected, it
    /// reports changes by an eighth, and at least [`REPORTED_CHANGE`], because all sessions write to the sum.
    pub(super) fn report_record(&mut self) {
        let Some(resume) = &mut self.resume else {
            return;
        };
        let kept = self.outbound.kept();
        if resume.window.is_some() {
            let waiting = self.outbound.weight() + self.slow_reader.waiting;
            resume.reported = None;
            return resume.slot.report(kept, Some(waiting));
        }
        let is_known = resume.reported.is_some_and(|reported| {
            let change = (reported / 8).max(REPORTED_CHANGE);
            (kept > 0) == (reported > 0) && kept.abs_diff(reported) <= change
        });
        if !is_known {
            resume.reported = Some(kept);
            resume.slot.report(kept, None);
        }
    }

    /// Returns true while the session waits for its client.
    pub(in crate::connection) fn is_parked(&self) -> bool {
        self.window_end().is_some()
    }

    /// Returns the time at which the session expires. `None` while its client is connected.
    pub(in crate::connection) fn window_end(&self) -> Option<Instant> {
        Some(self.resume.as_ref()?.window.as_ref()?.end)
    }

    /// Returns true if a handshake in progress holds the session beyond its window, which it may do once.
    pub(in crate::connection) fn holds(&mut self, now: Instant) -> bool {
        let Some(resume) = &mut self.resume else {
            return false;
        };
        let Some(window) = &mut resume.window else {
            return true;
        };
        if window.is_held || resume.slot.try_end() {
            return false;
        }
        *window = Window {
            end: saturating_add(now, HOLD),
            is_held: true,
            ..*window
        };
        true
    }

    /// Returns true if the window has ended. One whose end is noticed late is extended once by `Limits::pong_within`: the
    /// process was stopped, so the client could not come back.
    pub(super) fn has_expired(&mut self, now: Instant) -> bool {
        let limits = self.deadlines.limits();
        let Some(window) = self.resume.as_mut().and_then(|resume| resume.window.as_mut()) else {
            return false;
        };
        if window.end > now {
            return false;
        }
        if window.is_excused || !is_late(window.end, now, limits) {
            return true;
        }
        window.end = saturating_add(now, limits.pong_within);
        window.is_excused = true;
        false
    }

    /// Continues with a new socket, whose client has the frames up to number `n`: queues the welcome, and all frames that
    /// the client lacks.
    pub(in crate::connection) fn resume(&mut self, n: u64, welcome: DataFrame, now: Instant) {
        self.outbound.rewind(n, welcome);
        self.deadlines.restart(now);
        self.slow_reader.end_refusal();
        self.pings = 0;
        if let Some(resume) = &mut self.resume {
            (resume.told, resume.untold, resume.untold_since) = (resume.received, 0, None);
            (resume.is_proven, resume.window) = (false, None);
            resume.slot.unpark();
        }
    }

    /// Records that nothing can resume the session any more.
    pub(super) fn end_resumption(&self) {
        if let Some(resume) = &self.resume {
            resume.slot.close();
        }
    }
}
