use std::fmt;

use zocket_layers::Close;

/// The reason why a connection ended, as `on_disconnect` receives it in its second form,
/// `async fn(Context<C>, Reason)`.
///
/// ```
/// use zocket::{Context, Reason, Zocket};
///
/// let zo = Zocket::builder().on_disconnect(async |cx: Context, reason: Reason| match reason {
///     // Everyone's connection ends, and nobody has left.
///     Reason::Shutdown => {}
///     _ => println!("{} left: {reason}", cx.client_id()),
/// });
/// # drop(zo);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The peer sent a Close frame, with this code and reason. The code is 1005 if the frame had none (RFC 6455, section
    /// 7.1.5).
    ClosedByPeer(Close),
    /// The server sent this Close: a handler or another client's handler closed the connection, `on_open` failed, the
    /// peer violated RFC 6455, or the pipeline failed for good. PROTOCOL.md lists the codes below 4000.
    ClosedByServer(Close),
    /// The connection was lost without a Close frame, as when a network fails, and the session could not wait for its
    /// client: see [`Expired`](Self::Expired) for one that could.
    Cut,
    /// The peer did not answer a ping within [`Limits::pong_within`](crate::Limits::pong_within).
    Silent,
    /// More than [`Limits::outbound`](crate::Limits::outbound) bytes waited for the peer: the server closed with 3002.
    SlowReader,
    /// The peer's socket accepted no byte for [`Limits::write_within`](crate::Limits::write_within). It was dropped without
    /// a Close frame, which could not have been written either.
    Unwritable,
    /// A message waited longer than [`Limits::stall`](crate::Limits::stall) to begin: the server closed with 3001.
    Stalled,
    /// The connection was lost, and the client did not resume its session within
    /// [`Limits::resume_within`](crate::Limits::resume_within), or came back when the session could not be resumed any
    /// more. Also the reason if all such sessions together have exceeded a limit of [`AppLimits`](crate::AppLimits), or
    /// `on_resume` has refused the client.
    Expired,
    /// The client has come to [another node](crate::guide::deploying#more-than-one-process) of the app, where it gets a new
    /// session. A connection that was still open is closed with 3501.
    Moved,
    /// The app shut down: [`Zocket::shutdown`](crate::Zocket::shutdown).
    Shutdown,
    /// The tokio runtime was dropped with the connection open. `on_disconnect` is then polled once, outside of any
    /// runtime, so it can't await.
    RuntimeDropped,
    /// `on_connect` succeeded, and the WebSocket was never opened: the client went away, a layer replaced the 101, or
    /// the 101 was not sent within [`AppLimits::open_within`](crate::AppLimits::open_within).
    NeverOpened,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, close) = match self {
            Self::ClosedByPeer(close) => ("the peer", close),
            Self::ClosedByServer(close) => ("the server", close),
            Self::Cut => return f.write_str("cut"),
            Self::Silent => return f.write_str("silent"),
            Self::SlowReader => return f.write_str("slow reader"),
            Self::Unwritable => return f.write_str("unwritable"),
            Self::Stalled => return f.write_str("stalled"),
            Self::Expired => return f.write_str("expired"),
            Self::Moved => return f.write_str("moved"),
            Self::Shutdown => return f.write_str("shutdown"),
            Self::RuntimeDropped => return f.write_str("runtime dropped"),
            Self::NeverOpened => return f.write_str("never opened"),
        };
        write!(f, "closed by {by}: {}", close.code)?;
        match &*close.reason {
            "" => Ok(()),
            reason => write!(f, " {reason}"),
        }
    }
}
