//! NATS that is too slow for what is sent.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zocket::{Code, cluster::NatsOptions};

use crate::{
    member::{Member, number},
    nats::Nats,
    proxy::{Carries, Proxy},
    station::{LOBBY, PATIENCE, Station, print_recovery},
};

/// Sends events of a kilobyte until one is refused. Asserts that a member of the same node receives what was accepted at once,
/// and nothing else. Returns the number of events and the time that they took.
fn say_until_overloaded(station: &Station, member: &Member) -> (u32, Duration) {
    let (mut said, mut spent) = (0, Duration::ZERO);
    loop {
        let began = Instant::now();
        let result = station.try_say(1_000);
        spent += began.elapsed();
        // Nothing was awaited since it was sent.
        let mut events = Vec::new();
        member.mailbox.pull(&mut events);
        let heard: Vec<_> = events.iter().map(number).collect();
        match result {
            Ok(number) => assert_eq!(heard, [number]),
            Err(error) => {
                assert_eq!(error.code(), Code::OVERLOADED);
                assert!(heard.is_empty(), "what is refused is delivered to nobody");
                return (said, spent);
            }
        }
        said += 1;
    }
}

#[tokio::test]
async fn slow_nats_delays_no_local_delivery_and_what_exceeds_the_bound_is_refused_before_it() {
    let nats = Nats::start().await;
    let proxy = Proxy::to(nats.port).await;
    let options = NatsOptions::default().max_queued_bytes(1 << 20);
    let slow = Station::connect_with(&proxy.url(), 1, options).await;
    let far = Station::connect(&nats.url(), 2).await;
    let member = Member::of(&slow.hub);
    member.join(LOBBY).await;
    slow.say().await;
    member.hear(1).await;
    far.accounts_for(&slow).await;

    const BYTES_PER_SECOND: usize = 20_000;
    proxy.carry(Carries::Slowly(BYTES_PER_SECOND));
    let mut spent = Duration::ZERO;
    let full = async {
        loop {
            let (said, took) = say_until_overloaded(&slow, &member);
            spent += took;
            // The buffers of NATS's client and of the system are full, too.
            if said == 0 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, full).await.expect("the bound is never reached");
    assert!(slow.said() > 3_000, "{}", slow.said());
    let network = Duration::from_secs(u64::from(slow.said()) * 1_000) / BYTES_PER_SECOND as u32;
    assert!(
        spent < network / 10,
        "{spent:?}, and the network takes {network:?}"
    );

    proxy.carry(Carries::Everything);
    let began = Instant::now();
    let says = async {
        loop {
            // Until the queue has space, it is refused.
            drop(slow.try_say(0));
            sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = says => {}
        _ = far.hears_again(&slow) => {}
    }
    print_recovery("slow NATS is fast again", began.elapsed());
    far.accounts_for(&slow).await;
    slow.accounts_for(&slow).await;
    assert_eq!(slow.lost_of(&slow), 0);
}
