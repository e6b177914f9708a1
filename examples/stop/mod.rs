//! The signal that ends a server, for the examples.

use std::io;

use tokio::signal::ctrl_c;

/// Waits for Ctrl+C, or on Unix for SIGTERM, which service managers send.
pub(crate) async fn asked_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            pressed = ctrl_c() => pressed,
        }
    }
    #[cfg(not(unix))]
    ctrl_c().await
}
