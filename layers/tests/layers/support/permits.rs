//! A service that counts the clones that are ready and not called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll},
};

use tower::{Layer, Service};

/// Puts a [`Probe`] around a service.
#[derive(Clone, Default)]
pub(crate) struct ProbeLayer {
    held: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl ProbeLayer {
    /// Returns the number of the probe's clones that are ready and not called. Their readiness is not available to
    /// others.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for ProbeLayer {
    type Service = Probe<S>;

    fn layer(&self, inner: S) -> Probe<S> {
        Probe {
            inner,
            layer: self.clone(),
            asked: false,
            permit: None,
        }
    }
}

/// Becomes ready at the second poll, for one call. Panics when called without readiness. A clone is not ready.
pub(crate) struct Probe<S> {
    inner: S,
    layer: ProbeLayer,
    asked: bool,
    permit: Option<Permit>,
}

struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<S: Clone> Clone for Probe<S> {
    fn clone(&self) -> Self {
        self.layer.layer(self.inner.clone())
    }
}

impl<S: Service<R>, R> Service<R> for Probe<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        if !std::mem::replace(&mut self.asked, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.permit.is_none() {
            self.layer.held.fetch_add(1, Ordering::SeqCst);
            self.permit = Some(Permit(self.layer.held.clone()));
        }
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        assert!(self.permit.take().is_some(), "called without being ready");
        self.asked = false;
        self.layer.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.call(request)
    }
}
