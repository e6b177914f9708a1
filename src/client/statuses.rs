use tokio::sync::watch;

use super::Status;

/// The statuses of a client: see [`Client::statuses`](super::Client::statuses). A reader that is late sees only the
/// latest one.
///
/// ```no_run
/// # async fn example(client: zocket::client::Client) {
/// let mut statuses = client.statuses();
/// while let Some(status) = statuses.changed().await {
///     println!("{status:?}");
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Statuses(watch::Receiver<Status>);

impl Statuses {
    pub(super) fn new(mut receiver: watch::Receiver<Status>) -> Self {
        receiver.mark_unchanged();
        Self(receiver)
    }

    /// Waits until the status differs from the one at the last call, or at the creation, and returns it. Returns `None`
    /// when the client is closed and [`Status::Closed`] has been returned.
    pub async fn changed(&mut self) -> Option<Status> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// Waits for a status that the predicate accepts, the current one included, and returns it. Returns `None` if the
    /// client is closed and its last status is not accepted either.
    pub async fn wait_for(&mut self, is_wanted: impl FnMut(&Status) -> bool) -> Option<Status> {
        self.0.wait_for(is_wanted).await.ok().map(|status| status.clone())
    }
}
