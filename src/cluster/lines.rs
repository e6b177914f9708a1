use crate::core::Rarely;

/// Lines in the log that other nodes cause, by kind.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) unreadable: Rarely,
    pub(super) strangers: Rarely,
    pub(super) came: Rarely,
    pub(super) expired: Rarely,
    pub(super) ended: Rarely,
    pub(super) undelivered: Rarely,
    pub(super) unmanaged: Rarely,
    pub(super) unanswered: Rarely,
    pub(super) lost: Rarely,
    pub(super) too_slow: Rarely,
    pub(super) foreign_ids: Rarely,
}
