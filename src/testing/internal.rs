//! Items that the project's fuzz targets need, and users do not. They may change in any release.

pub use super::link::Link;
use super::{
    TestApp,
    link::{LaneFaults, LinkFaults},
};

/// Connects a link to the app's HTTP server. It is cut once this number of bytes has arrived at the app, or at the client.
#[must_use]
pub fn dial(app: &TestApp, cut_to_app: Option<u64>, cut_to_client: Option<u64>) -> Link {
    let lane = |cut_at| LaneFaults {
        cut_at,
        ..LaneFaults::default()
    };
    app.dial(LinkFaults {
        to_app: lane(cut_to_app),
        to_client: lane(cut_to_client),
        ..LinkFaults::default()
    })
}
