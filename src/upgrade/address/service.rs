use std::task::{Context as Task, Poll};

use http::{Extensions, HeaderMap, Request, Response};
use tower::Service;
use zocket_layers::{Code, Error, internal::network};

use super::{AddressLimitLayer, ClientAddr, open::OpenSlot};
use crate::upgrade::{inner_app::clone_and_find_app, refusable::HandshakeFuture};

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
    /// The refusal of a request beyond a limit, unless its client comes back to a session, which is counted already.
    fn admit(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Result<(), Error>
    where
        S: Clone,
    {
        let rules = &self.layer.0;
        let client = (rules.peer)(extensions).map(|peer| match &rules.proxies {
            Some(proxies) => proxies.client(headers, peer),
            None => peer.to_canonical(),
        });
        extensions.insert(ClientAddr(client));
        let network = client.map(network);
        let comes_back = || {
            let (_, app) = clone_and_find_app(&self.inner);
            app.is_some_and(|app| app.recognizes(headers))
        };
        if let Some(handshakes) = &rules.handshakes
            && let Err(wait) = handshakes.charge(network)
            && !comes_back()
        {
            return Err(Error::too_many_requests(wait));
        }
        if rules.connections < usize::MAX {
            let outer = extensions.remove::<OpenSlot>();
            let slot = match rules.open.open(network, rules.connections, outer.clone()) {
                // The session's place at its old address is free once it has this one.
                None if comes_back() => rules.open.open(network, usize::MAX, outer),
                slot => slot,
            };
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
