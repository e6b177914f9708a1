use std::task::{Context as Task, Poll};

use http::{Extensions, HeaderMap, Request, Response};
use tower::Service;
use zocket_layers::{Code, Error, internal::network};

use super::{AddressLimitLayer, ClientAddr, open::OpenSlot};
use crate::upgrade::refusable::HandshakeFuture;

/// The service of [`AddressLimitLayer`].
#[derive(Debug, Clone)]
pub struct AddressLimitService<S> {
    inner: S,
    layer: AddressLimitLayer,
}

impl<S> AddressLimitService<S> {
    pub(super) const fn new(inner: S, layer: AddressLimitLayer) -> Self {
        Self { inner, layer }
    }

    /// Finds the client's address, and counts the request.
    ///
    /// # Errors
    /// The refusal of a request beyond a limit.
    fn admit(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Result<(), Error> {
        let rules = &self.layer.0;
        let client = (rules.peer)(extensions).map(|peer| match &rules.proxies {
            Some(proxies) => proxies.client(headers, peer),
            None => peer.to_canonical(),
        });
        extensions.insert(ClientAddr(client));
        let network = client.map(network);
        if let Some(handshakes) = &rules.handshakes {
            handshakes.charge(network).map_err(Error::too_many_requests)?;
        }
        if rules.connections < usize::MAX {
            let outer = extensions.remove::<OpenSlot>();
            let slot = rules.open.open(network, rules.connections, outer);
            extensions.insert(slot.ok_or_else(|| {
                Error::new(
                    Code::TOO_MANY_REQUESTS,
                    "too many open connections from this address",
                )
            })?);
        }
        Ok(())
    }
}

impl<S, B, R> Service<Request<B>> for AddressLimitService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HandshakeFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let admitted = self.admit(&parts.headers, &mut parts.extensions);
        let request = Request::from_parts(parts, body);
        match admitted {
            Ok(()) => HandshakeFuture::inner(self.inner.call(request)),
            Err(error) => HandshakeFuture::refuse(&mut self.inner, request, &error.into()),
        }
    }
}
