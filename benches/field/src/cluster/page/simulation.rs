//! The section on the simulation.

use std::fmt::Write;

use crate::{
    cluster::{
        Simulations,
        simulation::{Assumptions, Busy, Cost, Costs, Messages, Outcome},
    },
    report::{self, time},
};

use super::{MIB, count};

pub(crate) fn simulation(all: &Simulations) -> String {
    let mut page = format!(
        "\n## Simulation\n\n{}\n\n{}",
        assumed(&Assumptions::default()),
        costs(&all.costs)
    );
    let nodes = |it: &Outcome| {
        format!(
            "{} nodes, {} connections",
            it.assumptions.nodes,
            count(it.assumptions.connections as f64)
        )
    };
    let design = |it: &Outcome| it.design.name.to_owned();
    page += &loads("Today's design, members anywhere", &all.growth, nodes);
    page += &loads("100 nodes, members anywhere", &all.spread, design);
    page += &loads(
        "100 nodes, 9 of 10 members on their room's node",
        &all.near,
        design,
    );
    for (title, outcomes) in [
        ("members anywhere", &all.spread),
        ("9 of 10 members on their room's node", &all.near),
    ] {
        if let [today, .., last] = &outcomes[..] {
            page += &messages(title, today, last);
        }
    }
    page
}

fn costs(costs: &Costs) -> String {
    let mut page = String::from(
        "Costs, as `benches/field/run cluster` has measured them. A message that finds its process idle wakes it, and costs as much as a single one. \
         A process that is busy with earlier messages handles it at the cost under load.\n\n\
         | | under load | single |\n|---|---:|---:|\n",
    );
    let mut row = |name: &str, cost: Cost| {
        let [load, single] = [cost.loaded, cost.single].map(|nanos| time(nanos / 1e3));
        let _ = writeln!(page, "| {name} | {load} | {single} |");
    };
    row("the node that sends a message", costs.publish);
    row("a node that receives it", costs.receive);
    row("NATS, for a message that it receives", costs.broker_in);
    row("NATS, for a message that it sends", costs.broker_out);
    let _ = writeln!(
        page,
        "\nA delivery takes {}. A connection has {:.0} bytes, and a room's subscription {:.0}; NATS has {:.0} for \
         each subscription.",
        time(costs.delivery / 1e3),
        costs.connection_bytes,
        costs.room_bytes,
        costs.broker_bytes,
    );
    page
}

fn assumed(it: &Assumptions) -> String {
    format!(
        "Assumed: {} rooms for each client; the share of rooms with k members falls with k^-{} from 2 to {}; each member sends an event \
         to its room every {:.0} s, and a room has at most {} a second; a client receives an event of its own every {:.0} s from any \
         node, and stays for {:.0} s; a balancer gives each node as many connections; NATS has {} servers of {} processors. Handshakes, TLS \
         and the app's handlers are not part of it. Barriers are simulated message by message over 2 s, \
         behind the load of all others. Passages between NATS's servers, which are at most one for \
         each message and other server, are part of its load and not of that time. Subscribing is not part of its load. Room names of 12 \
         characters, bytes of sizes in memory, and 0.5 µs to enter a size are assumed, not measured.\n\nA load is the share of its time that a process needs for its messages. From 100 % on, it does not keep \
         up. In parentheses is the share for which it runs, with wake-ups.",
        it.rooms_per_client,
        it.exponent,
        count(it.largest_room as f64),
        1.0 / it.events_per_member,
        it.events_per_room,
        1.0 / it.direct_per_client,
        it.session,
        it.servers,
        it.server_cores,
    )
}

fn loads(title: &str, outcomes: &[Outcome], name: impl Fn(&Outcome) -> String) -> String {
    let mut page = format!(
        "\n### {title}\n\n| | NATS receives, a second | and sends | MB sent | its load | subscriptions | memory of each server | node: deliveries, processors | \
         receiver | sender | memory | joins that subscribe, a second | answered at p50 | p99 | does not keep up |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n"
    );
    for it in outcomes {
        let [received, sent] = it.total();
        let broken = it.broken();
        let load = |Busy { needs, runs }| format!("{:.0} % ({:.0} %)", needs * 100.0, runs * 100.0);
        let join = |seconds: f64| match it.barriers.joined * 10 < it.barriers.unfinished {
            true => "never".to_owned(),
            false => report::time(seconds * 1e6),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {:.0} | {} | {} | {:.1} GiB | {:.2} | {} | {} | {:.0} MiB | {:.0} | {} | {} | {} |",
            name(it),
            count(received),
            count(sent),
            it.bytes() / 1e6,
            load(it.broker),
            count(it.subscriptions.iter().sum::<u64>() as f64),
            it.broker_memory / MIB / 1_024.0,
            it.delivering,
            load(it.receiver),
            load(it.sender),
            it.memory.iter().sum::<f64>() / MIB,
            it.openings,
            join(it.barriers.p50),
            join(it.barriers.p99),
            if broken.is_empty() {
                "–".to_owned()
            } else {
                broken.join(", ")
            },
        );
    }
    page
}

fn messages(title: &str, today: &Outcome, last: &Outcome) -> String {
    let population = &today.population;
    let mut page = format!(
        "\n### Messages of NATS, {title}\n\n{} rooms, the largest of {}, with members on {:.2} nodes each; {} events a second, {} \
         deliveries.\n\n| | received, a second: today | sent: today | MB sent: today | received: all changes | sent: all changes | MB \
         sent: all changes |\n|---|---:|---:|---:|---:|---:|---:|\n",
        count(population.rooms as f64),
        count(population.largest as f64),
        population.places as f64 / population.rooms as f64,
        count(population.events),
        count(population.deliveries),
    );
    for (today, last) in today.messages.iter().zip(&last.messages) {
        let cells = |it: &Messages| {
            let cells = [it.received, it.sent, it.sent * it.bytes / 1e6].map(count);
            cells.join(" | ")
        };
        let _ = writeln!(page, "| {} | {} | {} |", today.kind, cells(today), cells(last));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::simulation;
    use crate::cluster::{
        Simulations,
        simulation::{Assumptions, Costs, DESIGNS, run},
    };

    #[test]
    fn each_simulated_design_has_a_row() {
        let costs = Costs::default();
        let small = Assumptions {
            nodes: 3,
            connections: 3_000,
            ..Assumptions::default()
        };
        let outcomes = run(small, &DESIGNS, &costs);
        let page = simulation(&Simulations {
            growth: outcomes[..1].to_vec(),
            spread: outcomes.clone(),
            near: outcomes,
            costs,
        });
        for design in DESIGNS {
            assert!(page.contains(&format!("| {} |", design.name)), "{page}");
        }
        assert!(page.contains("3 nodes, 3,000 connections"), "{page}");
    }
}
