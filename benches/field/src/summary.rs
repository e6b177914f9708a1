//! The summary of all rounds of a server in a scenario.

use crate::{Series, measure::Measured, scenario::Scenario, server::Peer, stats::median};

/// Medians of the figures, and sums of the errors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) scenario: Scenario,
    pub(crate) peer: Peer,
    pub(crate) cost: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) undelivered: u64,
    pub(crate) disorder: u64,
    /// Maximum share of its processor that the load generator used.
    pub(crate) load: f64,
    /// Maximum share of a processor that other processes used in a counted run.
    pub(crate) others: f64,
    pub(crate) left_out: usize,
    pub(crate) more: Vec<(&'static str, f64)>,
    pub(crate) failure: Option<String>,
    /// The runs, in the order of the rounds.
    pub(crate) rounds: Vec<Measured>,
}

impl Summary {
    pub(crate) fn of(series: &Series) -> Self {
        let rounds = &series.rounds;
        let middle = |of: fn(&Measured) -> f64| median(rounds.iter().map(of));
        let more = rounds.first().map_or(&[][..], |first| &first.more);
        Self {
            scenario: series.scenario.clone(),
            peer: series.peer,
            cost: middle(|run| run.cost),
            p50: middle(|run| run.p50),
            p99: middle(|run| run.p99),
            undelivered: rounds.iter().map(|run| run.undelivered).sum(),
            disorder: rounds.iter().map(|run| run.disorder).sum(),
            load: rounds.iter().map(|run| run.load).fold(0.0, f64::max),
            others: rounds.iter().map(|run| run.others).fold(0.0, f64::max),
            left_out: series.left_out,
            more: (0..more.len())
                .map(|place| (more[place].0, median(rounds.iter().map(|run| run.more[place].1))))
                .collect(),
            failure: series.failure.clone(),
            rounds: rounds.clone(),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<f64> {
        self.more
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// Returns true for a valid figure: the run completed, and everything arrived.
    pub(crate) fn counts(&self) -> bool {
        self.failure.is_none() && self.undelivered == 0
    }

    pub(crate) fn is_bytes(&self) -> bool {
        self.scenario.shape.is_bytes()
    }
}

/// Returns the summary of a scenario and a server, if it is valid.
pub(crate) fn find<'a>(all: &'a [Summary], scenario: &str, peer: Peer) -> Option<&'a Summary> {
    all.iter()
        .find(|summary| summary.scenario.name == scenario && summary.peer == peer && summary.counts())
}
