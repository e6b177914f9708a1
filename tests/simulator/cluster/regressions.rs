//! Steps that have found a fault, so that they are run whatever the seeds decide.

use std::time::Duration;

use super::{
    run::run,
    settings::Settings,
    steps::{Action, Step, To},
};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// Runs these actions, each after a time in milliseconds, with several courses of the engine. Two nodes have two clients each,
/// of which the second and the fourth are on the second node. The fourth is in room 0.
fn run_steps(change: impl Fn(&mut Settings), actions: &[(u64, Action)]) {
    let mut settings = Settings {
        nodes: 2,
        servers: 1,
        overtakes: true,
        link_delay: ms(10),
        route_delay: ms(20),
        buffer: 2,
        max_payload: 1 << 20,
        max_queued_bytes: 1 << 20,
        steps: 0,
    };
    change(&mut settings);
    let connect = [0, 1, 0, 1].map(|node| (0, Action::Connect { node }));
    let join = (0, Action::Join { client: 3, room: 0 });
    let all = connect.iter().chain([&join]).chain(actions);
    let steps: Vec<_> = all
        .map(|(after, action)| Step {
            after: ms(*after),
            action: action.clone(),
        })
        .collect();
    for seed in 0..30 {
        run(seed, settings, &steps);
    }
}

fn send(to: To, times: usize) -> Action {
    Action::Send {
        client: 0,
        to,
        except: None,
        except_room: None,
        times,
        bytes: 10,
    }
}

fn to_room(times: usize) -> Action {
    send(To::Rooms(vec![0]), times)
}

#[test]
fn nodes_that_were_away_learn_what_they_have_missed_last() {
    let cut = Action::Cut {
        node: 1,
        away: ms(3_000),
    };
    run_steps(|_| {}, &[(1_000, to_room(1)), (1_000, cut), (0, to_room(1))]);
}

#[test]
fn nodes_remember_numbers_over_a_partition_that_is_longer_than_the_lease() {
    let cut = Action::CutRoute {
        one: 0,
        other: 1,
        time: ms(9_000),
    };
    let servers = |settings: &mut Settings| settings.servers = 2;
    let again = (12_000, to_room(1));
    run_steps(
        servers,
        &[(1_000, to_room(1)), (1_000, cut), (0, to_room(2)), again],
    );
}

#[test]
fn nodes_notice_what_was_lost_in_interruptions_that_are_shorter_than_the_lease() {
    let cut = |time| Action::CutRoute {
        one: 0,
        other: 1,
        time: ms(time),
    };
    let servers = |settings: &mut Settings| settings.servers = 2;
    let (before, lost) = ((1_000, to_room(1)), (50, to_room(1)));
    run_steps(servers, &[before.clone(), (3_000, cut(1_200)), lost.clone()]);
    run_steps(servers, &[before, (3_000, cut(1_200)), lost, (7_000, cut(2_000))]);
}

#[test]
fn nodes_notice_the_loss_of_the_first_event_after_a_join() {
    let cut = Action::Cut {
        node: 1,
        away: ms(100),
    };
    run_steps(|_| {}, &[(1_000, to_room(1)), (0, cut), (500, to_room(1))]);
}

#[test]
fn nodes_notice_the_loss_of_skipped_events_before_the_first_one_that_arrives() {
    let cut = Action::Cut {
        node: 0,
        away: ms(9_000),
    };
    let small = |settings: &mut Settings| settings.max_queued_bytes = 1_500;
    let everyone = send(To::Everyone, 10);
    run_steps(
        small,
        &[
            (1_000, cut),
            (100, to_room(1)),
            (100, to_room(1)),
            (2_000, everyone),
        ],
    );
}

#[test]
fn nodes_do_not_repeat_a_subscription_that_was_refused_after_its_end() {
    let hinder = Action::Hinder {
        node: 1,
        drops: 0,
        refusals: 1,
    };
    let room = 2;
    let (join, leave) = (
        Action::Join { client: 1, room },
        Action::Leave { client: 1, room },
    );
    run_steps(|_| {}, &[(300, hinder.clone()), (0, join.clone()), (100, leave)]);
    run_steps(
        |_| {},
        &[(0, join), (300, hinder), (0, Action::End { client: 1 })],
    );
}

#[test]
fn nodes_deliver_an_event_once_even_if_its_second_message_comes_after_the_end_of_its_sender() {
    let slow = |settings: &mut Settings| settings.link_delay = ms(80);
    let join = Action::Join { client: 3, room: 1 };
    let ends = Action::Restart {
        node: 0,
        dies: false,
        away: ms(50),
    };
    let both = send(To::Rooms(vec![0, 1]), 2);
    run_steps(slow, &[(0, join), (1_000, both), (1, ends)]);
}
