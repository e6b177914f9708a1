//! Targets for Zocket relative to the other servers, with the measured values.

use crate::{
    beside::TO_BASE,
    server::Peer::{Bun, Tungstenite, Upgrade, Zocket, ZocketResume},
    sessions::{BYSTANDER, TIMES_NEW},
    summary::{Summary, find},
};

/// One line of the table of targets.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) got: f64,
    pub(crate) most: f64,
}

type Of = fn(&Summary) -> f64;

/// Returns the targets whose figures were measured.
pub(crate) fn targets(all: &[Summary]) -> Vec<Target> {
    let cost: Of = |summary| summary.cost;
    let mut targets = Vec::new();
    let mut ratio = |what: &str, scenario: &str, other, of: Of, most: f64| {
        if let (Some(ours), Some(theirs)) = (find(all, scenario, Zocket), find(all, scenario, other)) {
            targets.push(Target {
                what: format!("{scenario}: {what}, to {}", other.name()),
                got: of(ours) / of(theirs),
                most,
            });
        }
    };
    ratio("processor time", "request-16", Tungstenite, cost, 1.10);
    ratio("processor time", "request-1", Tungstenite, cost, 1.05);
    for scenario in [
        "fanout-100x20",
        "fanout-100x1",
        "fanout-1000x20",
        "fanout-10000x20",
    ] {
        ratio("processor time", scenario, Bun, cost, 1.0);
        ratio("p50", scenario, Bun, |summary| summary.p50, 1.5);
        ratio("p99", scenario, Bun, |summary| summary.p99, 1.5);
    }
    ratio("processor time", "fanout-16k", Tungstenite, cost, 0.6);
    ratio("processor time", "accept", Upgrade, cost, 1.3);
    if let Some(memory) = find(all, "memory", Zocket) {
        targets.push(Target {
            what: "memory: bytes of an idle connection".to_owned(),
            got: memory.cost,
            most: 4_096.0,
        });
    }
    for scenario in ["resume-request-16", "resume-request-1", "resume-fanout-100x20"] {
        let ratio = find(all, scenario, ZocketResume).and_then(|it| it.named(TO_BASE));
        if let Some(got) = ratio {
            targets.push(Target {
                what: format!("{scenario}: processor time with resumption, to base"),
                got,
                most: 1.05,
            });
        }
    }
    let mut of_resumption = |scenario: &str, peer, what: &str, of: &dyn Fn(&Summary) -> Option<f64>, most| {
        if let Some(got) = find(all, scenario, peer).and_then(of) {
            targets.push(Target {
                what: format!("{scenario}: {what}"),
                got,
                most,
            });
        }
    };
    let bytes = |summary: &Summary| Some(summary.cost);
    let idle = "bytes of an idle connection";
    of_resumption("resume-memory", Zocket, &format!("{idle}, base"), &bytes, 3_528.0);
    of_resumption(
        "resume-memory",
        ZocketResume,
        &format!("{idle}, resumption"),
        &bytes,
        4_096.0,
    );
    for (name, most) in [(TIMES_NEW, 2.0), (BYSTANDER, 50.0)] {
        of_resumption(
            "resume-all-at-once",
            ZocketResume,
            name,
            &|it| it.named(name),
            most,
        );
    }
    if let (Some(one), Some(two)) = (find(all, "workers-1", Zocket), find(all, "workers-2", Zocket)) {
        targets.push(Target {
            what: "two-cores: processor time of a call with two workers, to one".to_owned(),
            got: two.cost / one.cost,
            most: 1.11,
        });
    }
    targets
}
