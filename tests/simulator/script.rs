//! The script of the clients, which checks what they receive.

use std::time::Duration;

use tokio::time::sleep;
use zocket::{
    client::{CallError, Sent},
    testing::sim::{SimCall, SimClient},
};

use crate::app::{Job, ROOMS, Said, SharedJournal, Tick};

/// Steps of each client.
const STEPS: u64 = 20;

/// Sends messages of all kinds, some of them without waiting for the answers of others.
pub async fn script(client: SimClient) {
    let mut steps = 0..STEPS;
    script_while(client, || steps.next().is_some()).await;
}

/// Does the steps of [`script`] as long as `goes_on` returns true.
pub async fn script_while(client: SimClient, mut goes_on: impl FnMut() -> bool) {
    let journal: SharedJournal = client.world().shared();
    let chance = client.chance();
    let mut number = 0;
    let mut job = || {
        number += 1;
        let length = if chance.one_in(20) { 3_000 } else { 60 };
        Job {
            number,
            room: ROOMS[usize::try_from(chance.below(3)).unwrap()].to_owned(),
            text: "x".repeat(usize::try_from(chance.below(length)).unwrap()),
        }
    };
    while goes_on() {
        let job_of_step = job();
        match chance.below(12) {
            0 | 1 => {
                // Several calls at once are answered in their order.
                let mut calls = Vec::new();
                for _ in 0..=chance.below(6) {
                    let job = job();
                    calls.push((job.number, client.begin_route("echo", &job).unwrap()));
                }
                for (number, call) in calls {
                    ended(client.index(), &journal, number, answer(call).await);
                }
            }
            2..=5 => post(&client, &journal, job_of_step).await,
            6 => call(&client, &journal, "spread", job_of_step).await,
            7 => call(&client, &journal, "enter", job_of_step).await,
            8 => call(&client, &journal, "leave", job_of_step).await,
            9 => refused(&client, &journal, job_of_step).await,
            10 => client.send_route("echo", &job_of_step).unwrap(),
            _ => {
                // The last call may be given up before its answer.
                let number = job_of_step.number;
                let limit = chance.time(Duration::from_millis(200));
                let answer = client.call_route_within::<u64>(limit, "echo", &job_of_step).await;
                ended(client.index(), &journal, number, answer);
            }
        }
        check_ticks(&client);
        if chance.one_in(3) {
            sleep(chance.time(Duration::from_millis(1_500))).await;
        }
    }
    // Messages whose answers nobody waits for: the Close may come right behind them.
    for _ in 0..chance.below(4) {
        drop(client.begin_route::<u64>("echo", &job()).unwrap());
    }
}

async fn answer(call: SimCall<u64>) -> Result<u64, CallError> {
    call.answer().await
}

/// Records the end of a call.
pub fn ended(client: usize, journal: &SharedJournal, number: u64, answer: Result<u64, CallError>) {
    match answer {
        Ok(answered) => {
            assert_eq!(answered, number);
            journal.lock().unwrap().answered(client, number);
        }
        Err(CallError::Disconnected { sent: Sent::No } | CallError::Timeout { sent: Sent::No }) => {
            journal.lock().unwrap().unsent(client, number);
        }
        Err(CallError::Disconnected { .. } | CallError::Timeout { .. }) => {}
        // The app shuts down.
        Err(CallError::Refused(refusal)) => assert_eq!(refusal.code, "OVERLOADED"),
        Err(error) => panic!("expected an answer or a disconnection, got {error}"),
    }
}

async fn call(client: &SimClient, journal: &SharedJournal, route: &str, job: Job) {
    let answer = client.call_route(route, &job).await;
    ended(client.index(), journal, job.number, answer);
}

/// Posts to the lobby. Both events of the handler come before its answer, in their order.
async fn post(client: &SimClient, journal: &SharedJournal, job: Job) {
    let before = client.client_id();
    drop(client.take_events::<Said>());
    let answer: Result<u64, _> = client.call_route("post", &job).await;
    if answer.is_ok() && before.is_some() && client.client_id() == before {
        let own = client.take_events::<Said>();
        let own = own
            .iter()
            .filter(|said| Some(said.from) == before && said.number == job.number);
        assert_eq!(
            own.count(),
            2,
            "events of message {} before its answer",
            job.number
        );
    }
    ended(client.index(), journal, job.number, answer);
}

async fn refused(client: &SimClient, journal: &SharedJournal, job: Job) {
    match client.call_route::<u64>("refuse", &job).await {
        Err(CallError::Refused(refusal)) if refusal.code == "CONFLICT" => {
            assert_eq!(refusal.message, job.number.to_string());
            journal.lock().unwrap().answered(client.index(), job.number);
        }
        other => ended(client.index(), journal, job.number, other),
    }
}

/// The ticks of the app come in their order.
fn check_ticks(client: &SimClient) {
    let ticks = client.take_events::<Tick>();
    assert!(ticks.is_sorted_by(|one, other| one.0 < other.0), "{ticks:?}");
}
