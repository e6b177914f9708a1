//! Check of the page that opens a WebSocket, by the request's `Origin` (RFC 6454, RFC 6455, section 10.2).
//!
//! A browser sends the cookies of a site with every WebSocket to that site, whichever page opens it, and CORS does not
//! apply. Only the `Origin` says which page it was, and a page can't forge it. [`Origins`] is the rule.
//! [`Builder::origins`](crate::Builder::origins) applies it to an app, and [`OriginLayer`] to any HTTP service:
//!
//! ```
//! use http::{Request, StatusCode};
//! use tower::{Layer, ServiceExt};
//! use zocket::{Zocket, origin::{OriginLayer, Origins}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let zo = Zocket::builder().build();
//! let origins = Origins::list(["https://chat.example.org", "capacitor://localhost"])?;
//! let service = OriginLayer::new(origins).layer(zo.serve(zo.router()));
//!
//! let request = Request::get("/ws").header("origin", "https://evil.example").body(())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```
//!
//! Clients other than browsers send any `Origin`, or none. The check protects users from other pages, and not the
//! server from clients.

mod choice;
mod layer;
mod parsed;
mod rule;
mod service;

pub(crate) use self::choice::{AmbientCredential, OriginChoice};
pub use self::{
    choice::UnchosenOrigins,
    layer::OriginLayer,
    rule::{OriginError, Origins},
    service::OriginService,
};
