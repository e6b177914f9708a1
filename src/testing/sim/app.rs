use std::{fmt, future::Future, pin::Pin};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tower::{BoxError, Service};

use crate::{app::Zocket, core::Shutdown, testing::TestApp};

type Shuts = dyn Fn(Shutdown) -> Pin<Box<dyn Future<Output = usize>>>;

/// The app of one run of a simulation.
pub struct SimApp {
    test_app: TestApp,
    connections: Box<dyn Fn() -> usize>,
    has_sessions: Box<dyn Fn() -> bool>,
    shutdown: Box<Shuts>,
    checks: Vec<Box<dyn FnOnce()>>,
}

impl SimApp {
    /// Serves the service that `zo.serve(router)` returned, or any HTTP service around it.
    pub fn new<C, S, B>(zo: &Zocket<C>, service: S) -> Self
    where
        C: Send + Sync + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let (counted, shut_down) = (zo.clone(), zo.clone());
        let sessions = zo.core.sessions.clone();
        Self {
            test_app: TestApp::new(service),
            connections: Box::new(move || counted.connections()),
            has_sessions: Box::new(move || !sessions.is_empty()),
            shutdown: Box::new(move |shutdown| {
                let zo = shut_down.clone();
                Box::pin(async move { zo.shutdown(shutdown).await })
            }),
            checks: Vec::new(),
        }
    }

    /// Adds a check of the app's own state. It runs after every connection has ended, and fails the run by a panic.
    #[must_use]
    pub fn at_end(mut self, check: impl FnOnce() + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    pub(super) const fn test_app(&self) -> &TestApp {
        &self.test_app
    }

    pub(super) fn connections(&self) -> usize {
        (self.connections)()
    }

    /// Returns true if the app has memory for a session.
    pub(super) fn has_sessions(&self) -> bool {
        (self.has_sessions)()
    }

    pub(super) async fn shut_down(&self, shutdown: Shutdown) -> usize {
        (self.shutdown)(shutdown).await
    }

    pub(super) fn check(self) {
        for check in self.checks {
            check();
        }
    }
}

impl fmt::Debug for SimApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimApp")
    }
}
