//! tower's layers around NATS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tower::{limit::RateLimitLayer, load_shed::LoadShedLayer};
use zocket::{
    Target,
    cluster::{NatsHub, NatsOptions},
};

use crate::{
    member::{Member, PATIENCE, number},
    nats::Nats,
};

#[tokio::test]
async fn what_a_node_sheds_beyond_a_rate_is_missed_by_other_nodes_only_and_counted_there() {
    const SENT: u64 = 5_000;
    let nats = Nats::start().await;
    let limited = NatsOptions::default()
        .layer(LoadShedLayer::new())
        .layer(RateLimitLayer::new(100, Duration::from_secs(1)));
    let a = NatsHub::connect(&*nats.url(), limited).await.unwrap();
    let lost = Arc::new(AtomicU64::new(0));
    let counted = lost.clone();
    let counting = NatsOptions::default().on_loss(move |loss| {
        counted.fetch_add(loss.events, Ordering::Relaxed);
    });
    let b = NatsHub::connect(&*nats.url(), counting).await.unwrap();
    let (ann, bob, carl) = (Member::of(&a), Member::of(&a), Member::of(&b));
    bob.join("lobby").await;
    carl.join("lobby").await;
    for number in 0..SENT as u32 {
        ann.say(Target::room("lobby"), number).await;
    }
    assert_eq!(
        bob.hear(SENT as usize).await,
        (0..SENT as u32).collect::<Vec<_>>()
    );
    let mut heard = Vec::new();
    let accounted = async {
        while heard.len() as u64 + lost.load(Ordering::Relaxed) < SENT {
            sleep(Duration::from_millis(20)).await;
            let mut events = Vec::new();
            carl.mailbox.pull(&mut events);
            heard.extend(events.iter().map(number));
        }
    };
    let waited = timeout(PATIENCE, accounted).await;
    let lost = lost.load(Ordering::Relaxed);
    assert!(waited.is_ok(), "{} arrived, {lost} lost", heard.len());
    assert!(lost > 0 && !heard.is_empty() && heard.is_sorted());
    assert_eq!(heard.len() as u64 + lost, SENT);
}
