//! The runs of `on_open`.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll},
};

use super::Opened;

/// One run of the callback.
pub(super) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Starts a run for a new connection. Returns `None` if no handle of the client is left.
pub(super) type Start = Box<dyn Fn(Opened) -> Option<Run> + Send + Sync>;

/// Runs `on_open`, for one connection at a time. A run goes on with its session, over the breaks of connections.
pub(super) struct Opener {
    start: Option<Start>,
    current: Option<Run>,
    /// The connection whose run begins when the current one has ended.
    next: Option<Opened>,
}

impl Opener {
    /// `start` is `None` for a client without the callback.
    pub(super) fn new(start: Option<Start>) -> Self {
        Self {
            start,
            current: None,
            next: None,
        }
    }

    /// Requests a run for a connection.
    pub(super) fn open(&mut self, opened: Opened) {
        if !opened.resumed {
            self.current = None;
        }
        // A connection that ended before its run began is reported with this one.
        let before = self.next.take();
        self.next = Some(match before {
            Some(before) => Opened {
                resumed: opened.resumed && before.resumed,
                lost: before.lost.or(opened.lost),
                ..opened
            },
            None => opened,
        });
    }

    /// Drops the run of a session that has ended.
    pub(super) fn end_session(&mut self) {
        self.current = None;
    }

    /// Polls the runs. Ready if all have ended.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<()> {
        loop {
            if let Some(current) = &mut self.current {
                std::task::ready!(current.as_mut().poll(cx));
                self.current = None;
            }
            let (Some(start), Some(next)) = (&self.start, self.next.take()) else {
                return Poll::Ready(());
            };
            self.current = start(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use std::task::Waker;
    use zocket_layers::ClientId;

    use super::{super::LostSession, *};

    type Runs = Arc<Mutex<Vec<Opened>>>;

    /// Returns an opener whose runs never end, and the connections that they began with.
    fn endless() -> (Opener, Runs) {
        let runs = Runs::default();
        let began = runs.clone();
        let start: Start = Box::new(move |opened| {
            began.lock().push(opened);
            Some(Box::pin(std::future::pending()))
        });
        (Opener::new(Some(start)), runs)
    }

    fn opened(resumed: bool) -> Opened {
        Opened {
            client_id: ClientId::random(),
            resumed,
            lost: None,
        }
    }

    fn poll(opener: &mut Opener) -> Poll<()> {
        opener.poll(&mut Task::from_waker(Waker::noop()))
    }

    #[test]
    fn a_run_goes_on_with_its_session_and_ends_with_it() {
        let (mut opener, runs) = endless();
        opener.open(opened(false));
        assert!(poll(&mut opener).is_pending());
        opener.open(opened(true));
        assert!(poll(&mut opener).is_pending());
        assert_eq!(runs.lock().len(), 1, "the first run goes on");
        opener.open(opened(false));
        assert!(poll(&mut opener).is_pending());
        assert_eq!(runs.lock().len(), 2);
    }

    #[test]
    fn a_session_that_was_lost_before_a_run_began_is_reported_to_the_next() {
        let (mut opener, runs) = endless();
        let lost = Some(LostSession {
            client_id: ClientId::random(),
            calls: 1,
        });
        opener.open(Opened {
            lost: lost.clone(),
            ..opened(false)
        });
        let last = opened(true);
        opener.open(last.clone());
        assert!(poll(&mut opener).is_pending());
        let expected = Opened {
            resumed: false,
            lost,
            ..last
        };
        assert_eq!(*runs.lock(), [expected]);
    }
}
