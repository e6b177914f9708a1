//! The start of a node.

use std::sync::Arc;

use tokio::{sync::mpsc, time::sleep};

use super::{
    connect_error::ConnectError,
    engine::{BoxEngine, EngineEvent, EngineRequest},
    hub::{Cluster, NatsHub},
    nodes::DISCOVERY,
    options::NatsOptions,
    queue::queue,
    receiver::Receiver,
    sender::Sender,
};

impl NatsHub {
    /// Starts a node over an engine that accepts messages of `max_payload` bytes, and sends its reports to `events`:
    /// [`Connected`](EngineEvent::Connected) first. The simulator's engine is started so.
    ///
    /// # Errors
    /// [`ConnectError`] if the engine refuses a subscription.
    #[doc(hidden)]
    pub async fn over(
        mut engine: BoxEngine,
        events: mpsc::Receiver<EngineEvent>,
        max_payload: usize,
        options: NatsOptions,
    ) -> Result<Arc<Self>, ConnectError> {
        let (queue, queued) = queue(options.max_queued_bytes);
        let cluster = Arc::new(Cluster::new(&options, queue));
        cluster.accept(max_payload);
        // The first layer is the outermost.
        for layer in options.layers.into_iter().rev() {
            engine = layer(engine);
        }
        let mut sender = Sender::new(engine);
        let (subjects, node) = (&cluster.subjects, cluster.node);
        for subject in [
            subjects.everyone.clone(),
            subjects.nodes.clone(),
            subjects.node(node),
            cluster.clients.clone(),
        ] {
            let request = EngineRequest::Subscribe(subject);
            sender
                .request_in_time(request)
                .await
                .map_err(ConnectError::subscription)?;
        }
        sender
            .request_in_time(EngineRequest::Flush)
            .await
            .map_err(ConnectError::subscription)?;
        tokio::spawn(sender.run(Arc::downgrade(&cluster), queued));
        tokio::spawn(Receiver::default().run(Arc::downgrade(&cluster), events));
        // The receiver asks for the others when it learns of the connection.
        sleep(DISCOVERY).await;
        Ok(Arc::new(Self(cluster)))
    }
}
