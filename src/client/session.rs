//! The session with the server. It outlives its connections, if the server can resume it.

use std::{
    collections::HashSet,
    error::Error,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    select,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use zocket_layers::ClientId;

use super::{
    CallError, LostSession, Opened, Outage, Sent, Welcome,
    acks::Acks,
    call::{Request, answer},
    inbox::Listeners,
    record::{NeverSent, Record},
    token::Token,
    unanswered::{Limits, Unanswered},
    wire::{self, ServerFrame},
};

/// The session with the server: its calls, and the state by which it is resumed.
pub(super) struct Session {
    offers_resume: bool,
    /// The id in the present session. `None` if there is none.
    client_id: Option<ClientId>,
    unanswered: Unanswered,
    /// Size limit of one sent message, in bytes.
    max_message: usize,
    /// `None` for a session that ends with its connection.
    resumption: Option<Resumption>,
    /// The session that has ended since the last connection opened.
    lost: Option<LostSession>,
}

struct Resumption {
    token: Token,
    record: Record,
    acks: Acks,
    /// Time for which the server keeps the session after a break.
    parked_for: Duration,
    /// The end of that time, since the last connection broke.
    parked_until: Option<Instant>,
}

/// The server has acknowledged messages that were never sent, or resumed a session that the client does not have.
pub(super) struct Fault;

impl From<Fault> for Outage {
    fn from(_: Fault) -> Self {
        let message = "expected the server to continue this client's session, got the numbers of another one";
        Self::Broken(Arc::from(Box::<dyn Error + Send + Sync>::from(message)))
    }
}

impl From<NeverSent> for Fault {
    fn from(_: NeverSent) -> Self {
        Self
    }
}

/// The cause of a session's end.
pub(super) enum End {
    /// Its owner has closed the client.
    Closed,
    /// The server has ended the session. It acknowledges with that, and begins nothing that it received later.
    ByServer,
    /// Anything else: nothing is known about the messages that were sent.
    Lost,
}

impl Session {
    pub(super) fn new(offers_resume: bool) -> Self {
        Self {
            offers_resume,
            client_id: None,
            unanswered: Unanswered::new(),
            max_message: usize::MAX,
            resumption: None,
            lost: None,
        }
    }

    // ------------------------------------------------------------------------------------------------ connections

    /// Returns the offer that concerns resumption, for a handshake that begins now and that holds the session. From
    /// here on nothing may be received from an older connection, since the offer names the last frame.
    pub(super) fn offer(&self) -> Option<String> {
        if !self.offers_resume {
            return None;
        }
        Some(match &self.resumption {
            Some(Resumption { token, acks, .. }) => {
                format!("zocket.resume.{}.{}", token.as_str(), acks.received())
            }
            None => "zocket.resume".to_owned(),
        })
    }

    /// Continues or begins with the welcome of a new connection.
    pub(super) fn open(&mut self, welcome: &Welcome) -> Result<Opened, Fault> {
        if welcome.resumed {
            self.resume(welcome).inspect_err(|_| self.end(&End::Lost))?;
        } else {
            let end = self.end_before(welcome.ended());
            self.end(&end);
            self.resumption = self.begin(welcome);
        }
        self.client_id = Some(welcome.client_id);
        self.max_message = welcome.max_message();
        self.unanswered.limit(welcome.max_calls().map(|calls| Limits {
            calls,
            bytes: welcome.max_message(),
        }));
        Ok(Opened {
            client_id: welcome.client_id,
            resumed: welcome.resumed,
            lost: self.lost.take(),
        })
    }

    /// Returns the end of the session before a new one. `ended` is the number of the last message that it has received, if the
    /// server knows.
    fn end_before(&mut self, ended: Option<u64>) -> End {
        let record = self.resumption.as_mut().map(|resumption| &mut resumption.record);
        let acknowledged = record.zip(ended).map(|(record, ended)| record.acknowledge(ended));
        match acknowledged {
            Some(Ok(())) => End::ByServer,
            _ => End::Lost,
        }
    }

    fn begin(&self, welcome: &Welcome) -> Option<Resumption> {
        let token = welcome.token().filter(|_| self.offers_resume)?;
        Some(Resumption {
            token,
            record: Record::new(welcome.max_record()),
            acks: Acks::new(welcome.ack_every(), welcome.max_record()),
            parked_for: welcome.parked_for(),
            parked_until: None,
        })
    }

    fn resume(&mut self, welcome: &Welcome) -> Result<(), Fault> {
        let resumption = self.resumption.as_mut().ok_or(Fault)?;
        resumption.token = welcome.token().ok_or(Fault)?;
        resumption.record.resume(welcome.received().ok_or(Fault)?)?;
        resumption.acks.resume(welcome.ack_every(), welcome.max_record());
        resumption.parked_for = welcome.parked_for();
        resumption.parked_until = None;
        Ok(())
    }

    /// Returns true if the session goes on when its connection breaks.
    pub(super) fn is_resumable(&self) -> bool {
        self.resumption.is_some()
    }

    /// Records that the connection broke. The server keeps the session for some time.
    pub(super) fn park(&mut self) {
        if let Some(resumption) = &mut self.resumption {
            resumption.parked_until = Some(Instant::now() + resumption.parked_for);
        }
    }

    fn parked_until(&self) -> Option<Instant> {
        self.resumption.as_ref().and_then(|it| it.parked_until)
    }

    /// Completes `work`, and ends the session when the server no longer keeps it.
    pub(super) async fn parked_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if let Some(until) = self.parked_until() {
            select! {
                biased;
                // First, since no handshake may begin with the session once the time has passed.
                () = sleep_until(until) => self.end(&End::Lost),
                done = &mut work => return done,
            }
        }
        work.await
    }

    /// Fails the calls that were sent, and forgets the session.
    pub(super) fn end(&mut self, end: &End) {
        let resumption = self.resumption.take();
        let unbegun: HashSet<_> = match (end, &resumption) {
            (End::ByServer, Some(resumption)) => resumption.record.ids().collect(),
            _ => HashSet::new(),
        };
        let mut calls = 0;
        self.unanswered.fail(|id| match end {
            End::Closed => CallError::Closed,
            _ if unbegun.contains(&id) => CallError::Disconnected { sent: Sent::No },
            End::ByServer | End::Lost => {
                calls += 1;
                CallError::Disconnected { sent: Sent::Unknown }
            }
        });
        if let Some(client_id) = self.client_id.take() {
            self.lost.get_or_insert(LostSession { client_id, calls });
        }
    }

    // --------------------------------------------------------------------------------------------------- messages

    /// Polls for an acknowledgement that is due.
    pub(super) fn poll_ack(&mut self, cx: &mut Task<'_>) -> Poll<Utf8Bytes> {
        match &mut self.resumption {
            Some(resumption) => resumption.acks.poll(cx).map(|number| wire::ack(number).into()),
            None => Poll::Pending,
        }
    }

    /// Returns the next message that the server lacks.
    pub(super) fn next_again(&mut self) -> Option<Utf8Bytes> {
        let unanswered = &mut self.unanswered;
        let record = &mut self.resumption.as_mut()?.record;
        // The server never runs a call that was given up meanwhile, and does not answer it.
        record.next_again(|id| unanswered.forget_given_up(id))
    }

    /// Returns true if one more message may be sent. Messages that are sent again come first.
    pub(super) fn may_send(&self) -> bool {
        self.resumption.as_ref().is_none_or(|it| it.record.has_room())
    }

    /// Returns true if that message may be a call.
    pub(super) fn may_call(&self) -> bool {
        self.unanswered.has_room()
    }

    /// Begins a request. Returns its frame, if it is sent.
    pub(super) fn begin_request(&mut self, request: Request) -> Option<Utf8Bytes> {
        let Request {
            frame,
            id,
            reply,
            claim,
        } = request;
        if reply.is_closed() || !claim.take() {
            return None;
        }
        let (bytes, limit) = (frame.len(), self.max_message);
        if bytes > limit {
            answer(reply, Err(CallError::TooLarge { bytes, limit }));
            return None;
        }
        let frame = Utf8Bytes::from(frame);
        if let Some(resumption) = &mut self.resumption {
            resumption.record.push(frame.clone(), id);
        }
        match id {
            Some(id) => self.unanswered.insert(id, reply, bytes),
            None => answer(reply, Ok(Bytes::new())),
        }
        Some(frame)
    }

    /// Handles a received frame.
    pub(super) fn receive(&mut self, frame: &Bytes, listeners: &Listeners) -> Result<(), Fault> {
        let read = wire::read(frame);
        if let Some(resumption) = &mut self.resumption
            && read.as_ref().map_or(true, ServerFrame::is_counted)
        {
            resumption.acks.count(frame.len());
        }
        match read {
            Ok(ServerFrame::Answer(id, result)) => {
                self.unanswered.answer(id, result.map_err(CallError::Refused));
            }
            Ok(ServerFrame::Event(event_type, payload)) => listeners.dispatch(&event_type, &payload),
            Ok(ServerFrame::Ack(number)) => {
                if let Some(resumption) = &mut self.resumption {
                    resumption.record.acknowledge(number.ok_or(Fault)?)?;
                }
            }
            Ok(ServerFrame::Welcome(_) | ServerFrame::Ping | ServerFrame::Pong | ServerFrame::Unknown) => {}
            Err(error) => tracing::warn!(%error, "a frame was ignored: it is not of the protocol"),
        }
        Ok(())
    }
}
