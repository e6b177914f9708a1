//! The start of a client: its channels, its task and its first handle.

use std::{pin::Pin, sync::Arc};

use tokio::sync::{mpsc, watch};

use super::{
    Client, Opened, Status,
    call::{Queue, Queues},
    commands::Commands,
    config::Config,
    driver::{Channels, Driver},
    handle::{HandleSettings, Shared},
    opener::{Opener, Start},
};

/// The callback of [`Builder::on_open`](super::Builder::on_open).
pub(super) type OnOpen =
    Arc<dyn Fn(Client, Opened) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Spawns the task that owns the connection. Returns the first handle.
pub(super) fn spawn(config: Config, settings: HandleSettings, on_open: Option<OnOpen>) -> Client {
    let (queue, requests) = mpsc::channel(settings.max_calls);
    let (first, first_requests) = mpsc::channel(settings.max_calls);
    let (commands, received_commands) = watch::channel(Commands::default());
    let commands = Arc::new(commands);
    let (status_sender, status) = watch::channel(Status::Connecting { attempts: 0 });
    // One notice suffices, since a ping answers all of them.
    let (timed_out, timeouts) = mpsc::channel(1);
    let shared = Shared::new(settings, status, timed_out);
    let channels = Channels {
        queues: Queues {
            first: Queue::new(first_requests),
            others: Queue::new(requests),
        },
        commands: received_commands,
        status: status_sender,
        listeners: shared.listeners.clone(),
        timeouts,
    };
    // Weak, since the driver closes the connection when the last handle is dropped.
    let weak = Arc::downgrade(&commands);
    let opener = on_open.map(|on_open| -> Start {
        let shared = shared.clone();
        Box::new(move |opened| {
            let client = Client::new(first.clone(), shared.clone(), weak.upgrade()?);
            Some(on_open(client, opened))
        })
    });
    tokio::spawn(Driver::new(config, channels, Opener::new(opener)).run());
    Client::new(queue, shared, commands)
}
