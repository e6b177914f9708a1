//! Writes `RESULTS.md`.

use std::{fmt::Write, fs, process::Command};

use crate::{
    args::Args,
    resumption,
    run::ELSEWHERE,
    scenario::{RESUME, Scenario, Shape},
    server::Peer,
    summary::Summary,
    targets::targets,
};

/// Returns the report.
pub(crate) fn report(all: &[Summary], missing: &[String], args: &Args) -> String {
    let mut page = String::from(
        "# Results\n\nWritten by `benches/field/run`; [README.md](README.md) explains the figures.\n\n",
    );
    page += &machine(args);
    for line in missing {
        let _ = writeln!(page, "- left out: {line}");
    }
    page += &against(all);
    page += &table("Calls", all, |shape| {
        matches!(shape, Shape::Requests { .. } | Shape::JoinLeave)
    });
    page += &table("Rooms", all, |shape| matches!(shape, Shape::Fanout { .. }));
    page += &table("Connections", all, |shape| {
        matches!(shape, Shape::Memory { .. } | Shape::Accept | Shape::Storm)
    });
    page += &resumption::section(all);
    page += &besides(all);
    page += &series(all);
    page += &conditions(all);
    page
}

pub(crate) fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.ok()
        .filter(|said| !said.is_empty())
        .unwrap_or_else(|| "absent".to_owned())
}

pub(crate) fn machine(args: &Args) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let lines = || {
        cpu.lines()
            .filter_map(|line| line.strip_prefix("model name")?.split(": ").nth(1))
    };
    let bun = concat!(env!("CARGO_MANIFEST_DIR"), "/node/node_modules/.bin/bun");
    format!(
        "- processor: {} × {}; Linux {}\n- {}; Node {}; Bun {}\n- command: `benches/field/run{}`; {} rounds of {:.1} s, \
         server on processor {}, load on {}\n",
        lines().count(),
        lines().next().unwrap_or("unknown"),
        said_by("uname", &["-r"]),
        said_by("rustc", &["--version"]),
        said_by("node", &["--version"]),
        said_by(bun, &["--version"]),
        if args.line.is_empty() {
            String::new()
        } else {
            format!(" {}", args.line)
        },
        args.rounds,
        args.window.window.as_secs_f64(),
        args.cores[0],
        args.cores[1],
    )
}

fn against(all: &[Summary]) -> String {
    let targets = targets(all);
    if targets.is_empty() {
        return String::new();
    }
    let mut page =
        String::from("\n## Zocket against its targets\n\n| | measured | at most | |\n|---|---:|---:|---|\n");
    for target in targets {
        let places = if target.most > 10.0 { 0 } else { 2 };
        let verdict = if target.got <= target.most {
            "met"
        } else {
            "**missed**"
        };
        let (what, got, most) = (&target.what, target.got, target.most);
        let _ = writeln!(page, "| {what} | {got:.places$} | {most:.places$} | {verdict} |");
    }
    page
}

/// Returns the scenarios, each once.
fn columns(all: &[Summary], wanted: impl Fn(&Scenario) -> bool) -> Vec<Scenario> {
    let mut columns: Vec<Scenario> = Vec::new();
    for summary in all.iter().filter(|summary| wanted(&summary.scenario)) {
        if !columns.contains(&summary.scenario) {
            columns.push(summary.scenario.clone());
        }
    }
    columns
}

fn table(title: &str, all: &[Summary], wanted: fn(&Shape) -> bool) -> String {
    let columns = columns(all, |scenario| {
        wanted(&scenario.shape) && !scenario.group.starts_with("scale-") && scenario.group != RESUME
    });
    if columns.is_empty() {
        return String::new();
    }
    let names: Vec<_> = columns.iter().map(|scenario| scenario.name.as_str()).collect();
    let mut page = format!(
        "\n## {title}\n\n| | {} |\n|---|{}\n",
        names.join(" | "),
        "---:|".repeat(names.len())
    );
    for peer in Peer::ALL {
        let cells: Vec<String> = columns
            .iter()
            .map(|scenario| {
                let mut found = all
                    .iter()
                    .filter(|summary| summary.scenario == *scenario && summary.peer == peer);
                found.next().map_or_else(String::new, cell)
            })
            .collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            let _ = writeln!(page, "| {} | {} |", peer.name(), cells.join(" | "));
        }
    }
    page
}

/// Formats a figure, struck out if messages were lost.
fn cell(summary: &Summary) -> String {
    if let Some(failure) = &summary.failure {
        return format!("failed: {}", failure.replace('|', "\\|").replace('\n', " "));
    }
    let mut cell = if summary.is_bytes() {
        format!("{:.0} B", summary.cost)
    } else {
        time(summary.cost / 1e3)
    };
    if summary.p99 > 0.0 {
        let _ = write!(cell, " ({}, {})", time(summary.p50), time(summary.p99));
    }
    if summary.undelivered > 0 {
        cell = format!("~~{cell}~~ {} undelivered", summary.undelivered);
    }
    if summary.disorder > 0 {
        cell += " out of order";
    }
    if summary.others > crate::OTHERS {
        cell += " †";
    }
    cell
}

/// Formats microseconds in a readable unit.
pub(crate) fn time(micros: f64) -> String {
    if micros.abs() >= 1e3 {
        format!("{:.1} ms", micros / 1e3)
    } else if micros.abs() >= 10.0 {
        format!("{micros:.0} µs")
    } else {
        format!("{micros:.2} µs")
    }
}

/// Lists the scenarios' further figures.
fn besides(all: &[Summary]) -> String {
    let mut page = String::new();
    let others = all.iter().filter(|summary| summary.scenario.group != RESUME);
    for summary in others.filter(|summary| !summary.more.is_empty()) {
        let (name, peer) = (&summary.scenario.name, summary.peer.name());
        let figures: Vec<String> =
            if let [Some(p50), Some(p99), Some(max)] = ELSEWHERE.map(|name| summary.named(name)) {
                vec![format!(
                    "elsewhere, a call took {p50:.1} ms at p50, {p99:.1} at p99, {max:.1} at most"
                )]
            } else {
                summary
                    .more
                    .iter()
                    .map(|(name, value)| format!("{value:.1} {name}"))
                    .collect()
            };
        let _ = writeln!(page, "| {name} | {peer} | {} |", figures.join("; "));
    }
    if page.is_empty() {
        page
    } else {
        format!("\n## Further figures\n\n| | | |\n|---|---|---|\n{page}")
    }
}

fn series(all: &[Summary]) -> String {
    let columns = columns(all, |scenario| scenario.group.starts_with("scale-"));
    if columns.is_empty() {
        return String::new();
    }
    let mut page = String::from(
        "\n## Scaling\n\n`scaling.svg` plots these figures.\n\n| | zocket | tungstenite | bun |\n|---|---:|---:|---:|\n",
    );
    for scenario in columns {
        let figure = |peer| {
            let mut found = all
                .iter()
                .filter(|summary| summary.scenario == scenario && summary.peer == peer);
            found.next().map_or_else(String::new, cell)
        };
        let [ours, hand, bun] = [Peer::Zocket, Peer::Tungstenite, Peer::Bun].map(figure);
        let _ = writeln!(page, "| {} | {ours} | {hand} | {bun} |", scenario.name);
    }
    page
}

fn conditions(all: &[Summary]) -> String {
    let left_out: usize = all.iter().map(|summary| summary.left_out).sum();
    let busiest = all.iter().max_by(|one, other| one.load.total_cmp(&other.load));
    let mut page = format!(
        "\n## Conditions\n\n- {left_out} runs were left out because other processes used the machine.\n"
    );
    if let Some(busiest) = busiest {
        let _ = writeln!(
            page,
            "- The load generator used at most {:.0} % of its processor ({}, {}).",
            busiest.load * 100.0,
            busiest.scenario.name,
            busiest.peer.name(),
        );
    }
    let disturbed: Vec<_> = all
        .iter()
        .filter(|summary| summary.others > crate::OTHERS)
        .collect();
    if !disturbed.is_empty() {
        let _ = writeln!(
            page,
            "- † {} figures include a run in which other processes used more than {:.0} % of a processor, after all repetitions.",
            disturbed.len(),
            crate::OTHERS * 100.0,
        );
    }
    for summary in all.iter().filter(|summary| summary.disorder > 0) {
        let (name, peer) = (&summary.scenario.name, summary.peer.name());
        let _ = writeln!(
            page,
            "- {peer}, {name}: {} messages arrived before earlier ones of their sender.",
            summary.disorder
        );
    }
    page
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{cell, report, time};
    use crate::{args::Args, scenario, server::Peer, summary::Summary};

    pub(crate) fn summary(name: &str, peer: Peer, cost: f64) -> Summary {
        Summary {
            scenario: scenario::all()
                .into_iter()
                .find(|scenario| scenario.name == name)
                .unwrap(),
            peer,
            cost,
            p50: 800.0,
            p99: 2_500.0,
            undelivered: 0,
            disorder: 0,
            load: 0.5,
            others: 0.0,
            left_out: 1,
            more: Vec::new(),
            failure: None,
            rounds: Vec::new(),
        }
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!([0.775, 64.2, 4_915.2].map(time), ["0.78 µs", "64 µs", "4.9 ms"]);
    }

    #[test]
    fn undelivered_messages_strike_a_figure_out() {
        let mut lossy = summary("fanout-100x20", Peer::Axum, 700.0);
        lossy.undelivered = 3;
        assert_eq!(cell(&lossy), "~~0.70 µs (800 µs, 2.5 ms)~~ 3 undelivered");
    }

    #[test]
    fn a_disturbed_figure_is_marked() {
        let mut disturbed = summary("fanout-100x20", Peer::Axum, 700.0);
        disturbed.others = 0.5;
        assert!(cell(&disturbed).ends_with('†'));
    }

    #[test]
    fn targets_are_met_or_missed() {
        let all = [
            summary("request-16", Peer::Zocket, 1_300.0),
            summary("request-16", Peer::Tungstenite, 1_000.0),
            summary("fanout-100x20", Peer::Zocket, 500.0),
            summary("fanout-100x20", Peer::Bun, 600.0),
        ];
        let page = report(&all, &["bun is not installed".into()], &Args::parse([]).unwrap());
        assert!(
            page.contains("| request-16: processor time, to tungstenite | 1.30 | 1.10 | **missed** |"),
            "{page}"
        );
        assert!(
            page.contains("| fanout-100x20: processor time, to bun | 0.83 | 1.00 | met |"),
            "{page}"
        );
        assert!(page.contains("- left out: bun is not installed"));
        assert!(page.contains("4 runs were left out"));
    }
}
