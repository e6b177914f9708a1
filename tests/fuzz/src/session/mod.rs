//! Sessions on a real server: clients that speak the protocol and break it, over links that break, on a paused clock,
//! compared with a model.

mod app;
mod checks;
mod clients;
mod connection;
mod handshakes;
mod input;
mod model;
mod world;

use std::{sync::Arc, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use zocket::Limits;

use self::{
    app::{State, app},
    input::{Input, Step},
    world::World,
};
use crate::socket::runtime;

/// Steps of one run.
const STEPS: usize = 64;
/// Bytes of a small record. It overflows with a few answers.
const SMALL_RECORD: usize = 400;

/// Performs the steps that the bytes stand for.
pub fn run(data: &[u8]) {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) {
        runtime().block_on(perform(&input));
    }
}

async fn perform(input: &Input) {
    let limits = match input.has_small_record {
        true => Limits::default().record(SMALL_RECORD),
        false => Limits::default(),
    };
    let state = Arc::new(State::default());
    let (zo, app) = app(&state, limits);
    let mut world = World::new(zo, app, state, input.has_small_record);
    for step in input.steps.iter().take(STEPS) {
        world.step(step).await;
        world.check();
    }
    world.end().await;
}

impl World {
    async fn step(&mut self, step: &Step) {
        match step {
            Step::Connect { offer, cut } => self.connect(*offer, *cut).await,
            Step::Send { on, messages } => self.send(*on, messages),
            Step::Ack { on, ack } => self.acknowledge(*on, *ack),
            Step::Close { on, close } => self.close(*on, *close),
            Step::Violate { on, violation } => self.violate(*on, *violation),
            Step::Cut { on } => self.cut(*on),
            Step::Freeze { on } => self.freeze(*on, true),
            Step::Thaw { on } => self.freeze(*on, false),
            Step::Wait(time) => self.wait(time.duration()).await,
            Step::OpenGate => self.open_gate(),
            Step::Emit { count } => self.emit(u64::from(*count) % 8),
            Step::Kick { session, code } => self.kick(*session, *code),
        }
        self.wait(Duration::ZERO).await;
    }
}
