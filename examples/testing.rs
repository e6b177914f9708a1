//! An app and its tests: `cargo test --features testing --example testing`. As a program, it only prints that command.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{ClientId, Code, Context, Error, Incoming, Outgoing, Refusal, Router, Zocket};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1))]
    name: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
struct Bid {
    #[garde(range(min = 1))]
    amount: u32,
}

impl Incoming for Bid {
    const TYPE: &'static str = "auction.bid";
    type Answer = ();
}

/// A bid higher than all earlier ones.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Leads {
    name: String,
    amount: u32,
}

impl Outgoing for Leads {
    const TYPE: &'static str = "auction.leads";
}

/// Another bid is as high.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Outbid {
    highest: u32,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

struct Bidder {
    name: String,
    highest: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

async fn bid(cx: Context<Bidder>, Bid { amount }: Bid) -> Result<(), Error> {
    let highest = cx.highest.fetch_max(amount, std::sync::atomic::Ordering::SeqCst);
    if amount <= highest {
        return Err(Error::refuse(Outbid { highest }));
    }
    cx.send(Leads {
        name: cx.name.clone(),
        amount,
    })
    .broadcast();
    Ok(())
}

fn app() -> Zocket<Bidder> {
    let highest = std::sync::Arc::default();
    Zocket::builder()
        .on_connect_with(
            highest,
            async |highest, Headers { name }: Headers, _: ClientId| Ok(Bidder { name, highest }),
        )
        .build()
}

fn router(zo: &Zocket<Bidder>) -> Router<Bidder> {
    zo.router()
        .outgoing::<Leads>()
        .receive::<Bid>(zo.message().refuses::<Outbid>().handle(bid))
}

fn main() {
    let zo = app();
    drop(zo.serve(router(&zo)));
    eprintln!(
        "this example consists of its tests. Run them with: cargo test --features testing --example testing"
    );
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;
    use zocket::{Message, testing::TestApp};

    use super::*;

    #[tokio::test]
    async fn a_higher_bid_is_broadcast_and_a_lower_one_is_refused() {
        let zo = app();
        let app = TestApp::new(zo.serve(router(&zo)));
        let mut ann = app.connect(&Headers { name: "Ann".into() }).await.unwrap();
        let mut bob = app.connect(&Headers { name: "Bob".into() }).await.unwrap();

        ann.call(&Bid { amount: 5 }).await.unwrap();
        let leads = Leads {
            name: "Ann".into(),
            amount: 5,
        };
        assert_eq!(bob.expect::<Leads>().await, leads);

        let error = bob.call(&Bid { amount: 5 }).await.unwrap_err();
        assert_eq!(error.data::<Outbid>().unwrap(), Some(Outbid { highest: 5 }));
        bob.expect_nothing().await;
    }

    #[tokio::test]
    async fn a_procedure_alone_records_the_events_it_would_send() {
        let zo = app();
        let bidder = Bidder {
            name: "Ann".into(),
            highest: Default::default(),
        };
        let message = Message::of(zo.detached(bidder), &Bid { amount: 5 }).unwrap();
        let reply = zo.message().handle(bid).oneshot(message).await.unwrap();
        assert_eq!(reply.effects.len(), 1);
    }
}
