//! The report's section on resumption: one server, by the protocol that its clients speak.

use std::fmt::Write;

use crate::{
    report::time,
    scenario::{RESUME, Scenario},
    server::Peer::{Zocket, ZocketExtended, ZocketResume},
    stats::Spread,
    summary::{Summary, find},
};

/// Returns the cost with resumption, as a multiple of the base protocol's in the same round.
fn to_base(all: &[Summary], scenario: &str) -> Option<Spread> {
    let (base, resume) = (find(all, scenario, Zocket)?, find(all, scenario, ZocketResume)?);
    if base.rounds.is_empty() || base.rounds.len() != resume.rounds.len() {
        return None;
    }
    let rounds = resume.rounds.iter().zip(&base.rounds);
    Some(Spread::of(rounds.map(|(resume, base)| resume.cost / base.cost)))
}

/// Returns the section: medians, with the least and the most of the rounds.
pub(crate) fn section(all: &[Summary]) -> String {
    let mut scenarios: Vec<&Scenario> = Vec::new();
    for summary in all.iter().filter(|summary| summary.scenario.group == RESUME) {
        if !scenarios.contains(&&summary.scenario) {
            scenarios.push(&summary.scenario);
        }
    }
    if scenarios.is_empty() {
        return String::new();
    }
    let mut page = String::from(
        "\n## Resumption\n\nOne server, by the protocol of its clients: medians, and the least and the most of the rounds.\n\n\
         | | base | extended | with resumption | to base |\n|---|---:|---:|---:|---:|\n",
    );
    for scenario in &scenarios {
        let name = &scenario.name;
        let cells = [Zocket, ZocketExtended, ZocketResume].map(|peer| {
            let own = all
                .iter()
                .find(|summary| summary.scenario.name == *name && summary.peer == peer);
            own.map_or_else(String::new, cell)
        });
        let ratio = to_base(all, name).map(|ratio| ratio.shown(|value| format!("{value:.3}")));
        let _ = writeln!(
            page,
            "| {name} | {} | {} |",
            cells.join(" | "),
            ratio.unwrap_or_default()
        );
    }
    page + &figures(all)
}

fn cell(summary: &Summary) -> String {
    if let Some(failure) = &summary.failure {
        return format!("failed: {}", failure.replace('|', "\\|").replace('\n', " "));
    }
    let costs = Spread::of(summary.rounds.iter().map(|run| run.cost));
    let shown = match summary.is_bytes() {
        true => costs.shown(|bytes| format!("{bytes:.0} B")),
        false => costs.shown(|nanos| time(nanos / 1e3)),
    };
    let mark = if summary.others > crate::OTHERS {
        " †"
    } else {
        ""
    };
    let lost = summary.undelivered + summary.disorder;
    match lost {
        0 => shown + mark,
        _ => format!("~~{shown}~~ {lost} undelivered or out of order"),
    }
}

/// Lists the further figures.
fn figures(all: &[Summary]) -> String {
    let mut page = String::new();
    for summary in all
        .iter()
        .filter(|summary| summary.scenario.group == RESUME && summary.peer == ZocketResume)
    {
        for (place, (name, _)) in summary.more.iter().enumerate() {
            if name.starts_with("MiB") || name.starts_with('%') {
                continue;
            }
            let values = Spread::of(summary.rounds.iter().map(|run| run.more[place].1));
            let places = if values.median >= 10.0 { 0 } else { 3 };
            let shown = values.shown(|value| format!("{value:.places$}"));
            let _ = writeln!(page, "| {} | {name} | {shown} |", summary.scenario.name);
        }
    }
    match page.is_empty() {
        true => page,
        false => format!("\n| | | |\n|---|---|---:|\n{page}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{section, to_base};
    use crate::{
        measure::Measured,
        report::tests::summary,
        server::Peer::{self, Zocket, ZocketResume},
        summary::Summary,
    };

    fn rounds(peer: Peer, costs: &[f64]) -> Summary {
        let mut summary = summary("resume-memory", peer, costs[0]);
        summary.rounds = costs
            .iter()
            .map(|cost| Measured {
                cost: *cost,
                ..Measured::default()
            })
            .collect();
        summary
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let all = [
            rounds(Zocket, &[1_000.0, 2_000.0, 1_000.0]),
            rounds(ZocketResume, &[1_020.0, 2_100.0, 1_030.0]),
        ];
        assert_eq!(
            to_base(&all, "resume-memory").map(|it| (it.median, it.least, it.most)),
            Some((1.03, 1.02, 1.05))
        );
        let page = section(&all);
        let row = "| resume-memory | 1000 B (1000 B to 2000 B) |  | 1030 B (1020 B to 2100 B) | \
                   1.030 (1.020 to 1.050) |";
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn nothing_is_written_without_these_scenarios() {
        assert_eq!(section(&[summary("request-16", Zocket, 1.0)]), "");
    }
}
