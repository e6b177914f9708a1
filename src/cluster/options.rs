use std::{fmt, sync::Arc, time::Duration};

use tower::{BoxError, Layer, Service, ServiceExt, util::BoxService};
use uuid::Uuid;
use zocket_layers::Limits;

use super::engine::{BoxEngine, EngineRequest};

/// Options of a [`NatsHub`](super::NatsHub): `NatsOptions::default().prefix("shop")`.
#[non_exhaustive]
pub struct NatsOptions {
    pub(super) prefix: String,
    pub(super) limits: Limits,
    pub(super) max_queued_bytes: usize,
    pub(super) on_loss: Option<Arc<dyn Fn(Loss) + Send + Sync>>,
    pub(super) connect: async_nats::ConnectOptions,
    pub(super) layers: Vec<EngineLayer>,
}

type EngineLayer = Box<dyn FnOnce(BoxEngine) -> BoxEngine + Send>;

/// Events of another node that have not arrived here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The node that has sent them.
    pub node: Uuid,
    /// The recipients that they were for.
    pub recipients: Recipients,
    /// Number of events.
    pub events: u64,
}

/// Recipients of events of other nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recipients {
    /// All clients.
    Everyone,
    /// The members of this room.
    Room(Arc<str>),
    /// Some clients of this node. Nobody knows which ones.
    Clients,
}

impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Room(room) => write!(f, "room {room}"),
            Self::Clients => f.write_str("clients"),
        }
    }
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            prefix: "zocket".to_owned(),
            limits: Limits::default(),
            max_queued_bytes: 64 << 20,
            on_loss: None,
            connect: async_nats::ConnectOptions::new().reconnect_delay_callback(until_next_attempt),
            layers: Vec::new(),
        }
    }
}

impl NatsOptions {
    /// Sets the beginning of all subjects, of at most 1,024 bytes. Apps with different prefixes can share a NATS server.
    /// Default: `zocket`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the limits of rooms on this node, as in [`LocalHub::with_limits`](crate::LocalHub::with_limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the number of bytes of events that may wait to be sent to other nodes. Beyond it, a message that sends fails with
    /// OVERLOADED. As many bytes may wait of lists of clients and rooms, in actions, queries and answers. Default: 64 MiB.
    #[must_use]
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes;
        self
    }

    /// Calls a function for each loss of events between nodes. It is called by the task that receives, so it must return
    /// soon.
    #[must_use]
    pub fn on_loss(mut self, on_loss: impl Fn(Loss) + Send + Sync + 'static) -> Self {
        self.on_loss = Some(Arc::new(on_loss));
        self
    }

    /// Sets the options of the connection: credentials, TLS, a name. The hub sets `no_echo` and `ping_interval` itself.
    /// Default: those of NATS's client, and an attempt at least once per second while NATS is away.
    #[must_use]
    pub fn connection(mut self, options: async_nats::ConnectOptions) -> Self {
        self.connect = options;
        self
    }

    /// Puts a tower layer around the engine, such as a timeout or a limit. The first layer is the outermost.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxEngine> + Send + 'static,
        L::Service: Service<EngineRequest, Response = ()> + Send + 'static,
        <L::Service as Service<EngineRequest>>::Error: Into<BoxError>,
        <L::Service as Service<EngineRequest>>::Future: Send,
    {
        let put = move |inner| BoxService::new(layer.layer(inner).map_err(Into::into));
        self.layers.push(Box::new(put));
        self
    }
}

/// Returns the time before an attempt to connect, from 1.
fn until_next_attempt(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    match attempt {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_millis(2_u64.saturating_pow(doublings)).min(Duration::from_secs(1)),
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("prefix", &self.prefix)
            .field("limits", &self.limits)
            .field("max_queued_bytes", &self.max_queued_bytes)
            .finish_non_exhaustive()
    }
}
