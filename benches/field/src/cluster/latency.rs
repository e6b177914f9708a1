//! Latency of an event to a member on the sender's node and to one on another node, at a low load.

use std::time::Duration;

use crate::{
    Result,
    args::Args,
    load::Paced,
    stats::{Spread, quantile},
};

use super::{
    deliveries::paced,
    deployment::{Deployment, Kind, place},
};

/// A message every 10 ms.
const EVERY: Duration = Duration::from_millis(10);
/// The sender, which is on the first of two nodes, a member on the other one, and a member on the sender's node.
const MEMBERS: usize = 3;
const THERE: usize = 1;
const HERE: usize = 2;

/// Microseconds at p50 and p99: their spread over the rounds.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) here: [Spread; 2],
    pub(crate) there: [Spread; 2],
    /// Difference of the two latencies of each message.
    pub(crate) added: [Spread; 2],
}

/// Measures each deployment of two nodes.
pub(crate) fn measure(kinds: &[Kind], args: &Args) -> Result<Vec<Row>> {
    kinds.iter().map(|kind| row(*kind, args)).collect()
}

fn row(kind: Kind, args: &Args) -> Result<Row> {
    let mut rounds: Vec<[[f64; 2]; 3]> = Vec::new();
    for _ in 0..args.rounds {
        let deployment = Deployment::start(kind, &place(args))?;
        let mut engine = deployment.room(MEMBERS)?;
        let mut warm = Paced::new(kind.speech(), MEMBERS, &[]);
        paced(&mut engine, &mut warm, EVERY, args.window.warm)?;
        let mut load = Paced::new(kind.speech(), MEMBERS, &[THERE, HERE]);
        paced(&mut engine, &mut load, EVERY, args.window.window)?;
        let [there, here] = &load.watched[..] else {
            continue;
        };
        let added: Vec<f64> = there
            .nanos
            .iter()
            .zip(&here.nanos)
            .map(|(there, here)| there - here)
            .collect();
        let shares = [0.5, 0.99];
        rounds.push([
            shares.map(|share| here.quantile(share) / 1e3),
            shares.map(|share| there.quantile(share) / 1e3),
            shares.map(|share| quantile(&added, share) / 1e3),
        ]);
        crate::say(&format!(
            "{}: here, there, added: {:.0?} µs",
            kind.name(),
            rounds[rounds.len() - 1]
        ));
    }
    let spread =
        |figure: usize| [0, 1].map(|share| Spread::of(rounds.iter().map(move |round| round[figure][share])));
    Ok(Row {
        kind,
        here: spread(0),
        there: spread(1),
        added: spread(2),
    })
}
