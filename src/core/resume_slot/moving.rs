//! Sessions whose clients come to another node.

use super::{ResumeSlot, Secret, state::SlotEnd};

/// The reason why a session is left alone by a question of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum NotMoved {
    /// Whoever has asked does not have the token, or has frames that were never sent.
    Stranger,
    /// The headers are not those that were accepted last.
    Headers,
}

impl ResumeSlot {
    /// Asks the session to end, since its client has come to another node with the frames up to number `n`. `has_token` is
    /// true for the secret of the client's token, and `has_headers` for that secret and the fingerprint of the client's
    /// headers. A session that ends already goes on to do so.
    ///
    /// # Errors
    /// The reason why nothing of the session has changed.
    pub(in crate::core) fn request_move(
        &self,
        n: u64,
        has_token: impl Fn(Secret) -> bool,
        has_headers: impl Fn(Secret, u64) -> bool,
    ) -> Result<(), NotMoved> {
        let mut state = self.state.lock();
        let mut secrets = [state.proven, state.offered].into_iter().flatten();
        let secret = secrets.find(|secret| has_token(*secret));
        let secret = secret
            .filter(|_| n <= self.range.sent())
            .ok_or(NotMoved::Stranger)?;
        // A session that has ended knows its client no more.
        if state.end < SlotEnd::Departed && !has_headers(secret, state.caller.fingerprint) {
            return Err(NotMoved::Headers);
        }
        state.end = state.end.max(SlotEnd::Moved);
        drop(state);
        self.notify();
        Ok(())
    }
}
