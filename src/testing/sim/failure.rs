use std::fmt;

/// A rule of the protocol that a run has broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    Lost,
    Doubled,
    OutOfOrder,
    Other,
}

impl Failure {
    pub(super) fn lost(message: String) -> Self {
        let kind = FailureKind::Lost;
        Self { kind, message }
    }

    pub(super) fn doubled(message: String) -> Self {
        let kind = FailureKind::Doubled;
        Self { kind, message }
    }

    pub(super) fn out_of_order(message: String) -> Self {
        let kind = FailureKind::OutOfOrder;
        Self { kind, message }
    }

    pub(super) fn other(message: String) -> Self {
        let kind = FailureKind::Other;
        Self { kind, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FailureKind::Lost => "lost: ",
            FailureKind::Doubled => "doubled: ",
            FailureKind::OutOfOrder => "out of order: ",
            FailureKind::Other => "",
        };
        write!(f, "{kind}{}", self.message)
    }
}
