//! A custom stack without a context stage for its handler.

use tower::{BoxError, ServiceBuilder, ServiceExt};
use zocket::layers::{Connection, Context, DecodeLayer, Error, FanoutLayer, Frame, RescueLayer, ValidateLayer, handler_fn, stack};

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
        .layer(FanoutLayer::new())
        .layer(ValidateLayer::<Post>::new())
        .service(handler_fn(post));
    stack(whole).oneshot(frame).await?;
    Ok(())
}

fn main() {
    drop(run);
}
