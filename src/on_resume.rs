//! The `on_resume` callback, which decides whether a client may come back to its session.

use std::future::Future;

use http::request::Parts;
use zocket_layers::{Checker, Context, Error, Input};

use crate::{
    core::{Rejection, Resume},
    upgrade::HeaderRules,
};

/// Returns the function that validates a client's headers, then calls the app's callback.
pub(crate) fn resume<C, F, H, Fut>(f: F) -> Resume<C>
where
    F: Fn(H, Parts, Context<C>) -> Fut + Send + Sync + 'static,
    H: Input,
    Fut: Future<Output = Result<bool, Error>> + Send + 'static,
{
    let rules = HeaderRules::<H>::new(Checker::new());
    Box::new(move |request, context| match rules.read(&request) {
        Ok(headers) => {
            let future = f(headers, request, context);
            Box::pin(async move { future.await.map_err(Rejection::Refused) })
        }
        Err(issues) => Box::pin(std::future::ready(Err(Rejection::Headers(issues)))),
    })
}
