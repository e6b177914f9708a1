//! A custom stack with its stages in the wrong order.

use tower::{BoxError, ServiceBuilder, ServiceExt};
use zocket::layers::{Connection, Context, ContextLayer, DecodeLayer, Error, FanoutLayer, Frame, RescueLayer, ValidateLayer, handler_fn, stack};

struct User;

#[derive(serde::Deserialize, schemars::JsonSchema, garde::Validate)]
struct Post {
    #[garde(skip)]
    text: String,
}

async fn post(_: Context<User>, input: Post) -> Result<usize, Error> {
    Ok(input.text.len())
}

async fn run(ann: Connection, frame: Frame) -> Result<(), BoxError> {
    let whole = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(ContextLayer::<User>::new())
        .layer(ValidateLayer::<Post>::new())
        .layer(FanoutLayer::new())
        .service(handler_fn(post));
    stack(whole).oneshot(frame).await?;
    Ok(())
}

fn main() {
    drop(run);
}
