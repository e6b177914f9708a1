//! A test's client that comes back to its session.

use std::{future::Future, panic::Location};

use futures_util::SinkExt;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{
    TestClient, WAIT_LIMIT,
    connection::{Connection, SharedRecord},
};
use crate::{
    client::{Outage, headers::Headers},
    testing::{Handshake, app::Opened, record::Record},
    upgrade::KitHandshake,
};

/// State from which a client comes back to its session.
pub(in crate::testing) struct Resumption {
    handshake: Handshake,
    headers: Headers,
    pub(super) record: SharedRecord,
    kit: KitHandshake,
}

impl Resumption {
    /// Begins the session of a first connection.
    pub(in crate::testing) async fn begin(
        handshake: Handshake,
        headers: Headers,
        opened: &mut Opened,
    ) -> Self {
        let record = SharedRecord::new(Record::begin(&opened.session).into());
        acknowledge(opened, &record).await;
        Self {
            handshake,
            headers,
            record,
            kit: opened.kit.clone(),
        }
    }

    /// Returns the reason of a Close by which the client leaves.
    pub(super) fn goodbye(&self) -> &'static str {
        match self.record.lock().is_some() {
            true => "bye",
            false => "",
        }
    }
}

/// Sends the first acknowledgement of a connection. Once the app has read it, it parks the session after a cut.
async fn acknowledge(opened: &mut Opened, record: &SharedRecord) {
    let ack = record
        .lock()
        .as_mut()
        .and_then(|record| record.take_ack(Instant::now()));
    if let Some(ack) = ack {
        // The connection's task notices that it is broken.
        let _ = opened.stream.send(Message::text(ack)).await;
    }
}

impl TestClient {
    /// Waits until the app has noticed that the connection was [`cut`](Self::cut), and waits for this client: its session
    /// is parked.
    ///
    /// # Panics
    /// If the session has ended instead: without [`TestApp::resume_within`](super::super::TestApp::resume_within), and
    /// if `on_open` had not completed. If the app does not notice in time.
    #[track_caller]
    pub fn parked(&self) -> impl Future<Output = ()> {
        let place = Location::caller();
        async move {
            let Some(sessions) = self.resumption.kit.sessions() else {
                panic!("{place}: expected an app of zocket behind the service of `TestApp::new`");
            };
            match timeout(WAIT_LIMIT, sessions.parked(&self.client_id())).await {
                Ok(true) => {}
                Ok(false) => panic!("{place}: expected a session that is parked, but it has ended"),
                Err(_) => {
                    panic!(
                        "{place}: expected a session that is parked within {WAIT_LIMIT:?}, but it is connected"
                    )
                }
            }
        }
    }

    /// Connects again, with the same handshake and headers, as a client does that has lost its connection. Returns true
    /// if the session goes on. Then everything that was sent to the client arrives, and calls that were pending are
    /// answered. Otherwise the app has made a new session, with another [`client_id`](Self::client_id), and calls that
    /// were pending fail. The connection is cut if it is not yet.
    ///
    /// A session goes on if `on_open` had completed before the cut, and if the client comes back within
    /// [`TestApp::resume_within`](super::super::TestApp::resume_within).
    ///
    /// # Errors
    /// Those of [`TestApp::connect`](super::super::TestApp::connect).
    ///
    /// # Panics
    /// If the client does not offer to resume its session, because the app is tested without
    /// [`TestApp::resume_within`](super::super::TestApp::resume_within).
    #[track_caller]
    pub fn resume(&mut self) -> impl Future<Output = Result<bool, Outage>> {
        let place = Location::caller();
        async move {
            let handshake = self.resumption.handshake.clone();
            let headers = self.resumption.headers.clone();
            self.resume_at(handshake, headers, place).await
        }
    }

    pub(in crate::testing) async fn resume_at(
        &mut self,
        handshake: Handshake,
        headers: Headers,
        place: &Location<'_>,
    ) -> Result<bool, Outage> {
        assert!(
            self.resumption.record.lock().is_some(),
            "{place}: expected a client that may resume its session: set `TestApp::resume_within`"
        );
        // Frames that were read before the cut count as received.
        self.cut();
        while self.end.is_none() {
            self.receive("the end of the connection", place).await;
        }
        let now = Instant::now();
        let offer = self.resumption.record.lock().as_mut().map(|record| {
            record.break_off(now, now);
            record.offer()
        });
        let mut opened = handshake.open(headers, offer).await?;
        let is_resumed = opened.session.resumed;
        {
            let mut record = self.resumption.record.lock();
            match &mut *record {
                Some(record) if is_resumed => {
                    if let Err(violation) = record.resume(&opened.session) {
                        panic!("{place}: {violation}");
                    }
                }
                record => *record = Record::begin(&opened.session),
            }
        }
        if !is_resumed {
            self.lost_id = self.last_id;
        }
        acknowledge(&mut opened, &self.resumption.record).await;
        self.end = None;
        self.resumption.kit = opened.kit;
        self.welcome = opened.welcome;
        self.connection = Connection::new(opened.stream, opened.link, self.resumption.record.clone());
        Ok(is_resumed)
    }
}
