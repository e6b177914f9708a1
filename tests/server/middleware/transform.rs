//! Middleware that changes messages, answers and errors: filters, maps, then, and_then.

use std::time::Duration;

use tower::{
    BoxError,
    filter::{AsyncFilterLayer, FilterLayer},
    util::{AndThenLayer, MapErrLayer, MapFutureLayer, MapRequestLayer, MapResponseLayer, ThenLayer},
};
use zocket::{Code, Error, RawPayload, Reply};

use super::{
    position::{At, ErrorAt, FutureAt, Position, WholeApp, serve, serve_atomic},
    site::{Script, Step, answer, ask, begin, connect},
};

cells! {
    a_filter_refuses_with_its_own_code_before_the_handler,
    an_async_filter_may_wait_before_it_refuses,
    map_request_changes_the_handlers_input,
    map_response_changes_the_answer,
    map_err_changes_the_refusal,
    map_future_wraps_the_handlers_future,
    then_can_replace_an_error_with_an_answer,
    and_then_can_refuse_a_success_and_drops_held_effects,
}

fn reply(word: &str) -> Reply {
    Reply::with_payload(RawPayload::of(word).unwrap())
}

/// Accepts only the word `good`.
fn check<P: Position>(message: At<P>) -> Result<At<P>, Error> {
    match &*P::word(message.payload()) {
        "good" => Ok(message),
        _ => Err(Error::forbidden("only what is good")),
    }
}

async fn a_filter_refuses_with_its_own_code_before_the_handler<P: Position>() {
    let script = Script::new([]);
    let app = serve::<P, _, _>(&script, FilterLayer::new(check::<P>));
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "bad").await, Err("FORBIDDEN".to_owned()));
    assert_eq!(script.begun(), 0);
    assert_eq!(ask(&mut client, "good").await, Ok("good".to_owned()));
}

async fn an_async_filter_may_wait_before_it_refuses<P: Position>() {
    let script = Script::new([]);
    let layer = AsyncFilterLayer::new(|message: At<P>| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        check::<P>(message)
    });
    let app = serve::<P, _, _>(&script, layer);
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "bad").await, Err("FORBIDDEN".to_owned()));
    assert_eq!(script.begun(), 0);
    assert_eq!(ask(&mut client, "good").await, Ok("good".to_owned()));
}

async fn map_request_changes_the_handlers_input<P: Position>() {
    let script = Script::new([]);
    let layer = MapRequestLayer::new(|message: At<P>| {
        message.map_payload(|payload| P::payload(&P::word(&payload).to_uppercase()))
    });
    let app = serve::<P, _, _>(&script, layer);
    assert_eq!(ask(&mut connect(&app).await, "word").await, Ok("WORD".to_owned()));
}

async fn map_response_changes_the_answer<P: Position>() {
    let script = Script::new([]);
    let app = serve::<P, _, _>(&script, MapResponseLayer::new(|_: Reply| reply("mapped")));
    assert_eq!(
        ask(&mut connect(&app).await, "word").await,
        Ok("mapped".to_owned())
    );
}

async fn map_err_changes_the_refusal<P: Position>() {
    let script = Script::new([Step::Fail(Code::CONFLICT)]);
    let layer = MapErrLayer::new(|error: ErrorAt<P>| {
        let error: BoxError = error.into();
        Error::forbidden("not for you").with_source(error)
    });
    let app = serve::<P, _, _>(&script, layer);
    assert_eq!(
        ask(&mut connect(&app).await, "word").await,
        Err("FORBIDDEN".to_owned())
    );
}

async fn map_future_wraps_the_handlers_future<P: Position>() {
    let script = Script::new([]);
    let layer = MapFutureLayer::new(|run: FutureAt<P>| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let _: Reply = run.await?;
        Ok::<_, ErrorAt<P>>(reply("wrapped"))
    });
    let app = serve::<P, _, _>(&script, layer);
    assert_eq!(
        ask(&mut connect(&app).await, "word").await,
        Ok("wrapped".to_owned())
    );
    assert_eq!(script.begun(), 1);
}

async fn then_can_replace_an_error_with_an_answer<P: Position>() {
    let script = Script::new([Step::Fail(Code::CONFLICT)]);
    let layer = ThenLayer::new(|result: Result<Reply, ErrorAt<P>>| async {
        Ok::<_, ErrorAt<P>>(result.unwrap_or_else(|_| reply("instead")))
    });
    let app = serve::<P, _, _>(&script, layer);
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Ok("instead".to_owned()));
    assert_eq!(ask(&mut client, "word").await, Ok("word".to_owned()));
}

async fn and_then_can_refuse_a_success_and_drops_held_effects<P: Position>() {
    let script = Script::new([]);
    let layer =
        AndThenLayer::new(|_: Reply| async { Err::<Reply, BoxError>(Error::conflict("too late").into()) });
    let app = serve_atomic::<P, _, _>(&script, layer);
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "word").await, Err("CONFLICT".to_owned()));
    if !P::IS_INSIDE {
        assert_eq!(client.event("begun").await, 1);
    }
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn map_request_around_the_app_can_change_the_route() {
    let script = Script::new([]);
    let layer = MapRequestLayer::new(|mut message: At<WholeApp>| {
        if *message.parts().route() == "old.name" {
            message.parts_mut().set_route("part.it");
        }
        message
    });
    let app = serve::<WholeApp, _, _>(&script, layer);
    let mut client = connect(&app).await;
    let id = begin(&mut client, "old.name", "word").await;
    assert_eq!(answer(&mut client, &id).await, Ok("word".to_owned()));
}
