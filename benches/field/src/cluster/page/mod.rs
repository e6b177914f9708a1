//! The tables of `CLUSTER.md`.

mod simulation;

use std::fmt::Write;

use crate::{args::Args, report, stats::Spread};

use super::{deliveries, latency, rooms};

pub(crate) use self::simulation::simulation;

const MIB: f64 = (1 << 20) as f64;

pub(crate) fn heading(args: &Args) -> String {
    format!(
        "# Several nodes\n\nWritten by `benches/field/run cluster`; [README.md](README.md#several-nodes) explains the figures, \
         and [FINDINGS.md](FINDINGS.md#several-nodes) what follows from them.\n\n{}- {}; {}\n\n\
         A figure is the median of the rounds, with the least and the most.\n",
        report::machine(args),
        report::said_by("nats-server", &["--version"]),
        report::said_by("redis-server", &["--version"])
            .split(" sha=")
            .next()
            .unwrap_or_default(),
    )
}

pub(crate) fn deliveries(title: &str, rows: &[deliveries::Row]) -> String {
    let mut page = format!(
        "\n## {title}\n\n| | processor time of a delivery: nodes | NATS or Redis | nodes, to one process | with NATS or Redis | \
         deliveries for a second of processor time | deliveries a second |\n|---|---:|---:|---:|---:|---:|---:|\n"
    );
    for row in rows {
        let time = |spread: Spread| spread.shown(|nanos| format!("{nanos:.0} ns"));
        let ratio = |spread: Spread| spread.shown(|ratio| format!("{ratio:.2}"));
        let broker = match row.broker.median > 0.0 {
            true => time(row.broker),
            false => String::new(),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {broker} | {} | {} | {} | {} |",
            row.kind.name(),
            time(row.nodes),
            ratio(row.ratio),
            ratio(row.whole),
            count(1e9 / (row.nodes.median + row.broker.median)),
            row.rate.shown(count),
        );
    }
    page
}

pub(crate) fn latency(rows: &[latency::Row], is_first: bool) -> String {
    let mut page = format!(
        "\n## Latency at 100 events a second, µs\n\nAll processes run {}.\n\n| | p50: same node | other node | added | p99: same node | \
         other node | added |\n|---|---:|---:|---:|---:|---:|---:|\n",
        match is_first {
            true => "with real-time priority",
            false => "without priority, so that p99 shows the machine's other users",
        }
    );
    for row in rows {
        let cell = |spread: &Spread| spread.shown(|micros| format!("{micros:.0}"));
        let cells: Vec<String> = (0..2)
            .flat_map(|share| [&row.here, &row.there, &row.added].map(|it| cell(&it[share])))
            .collect();
        let _ = writeln!(page, "| {} | {} |", row.kind.name(), cells.join(" | "));
    }
    page
}

pub(crate) fn rooms(rows: &[rooms::Row]) -> String {
    let mut page = String::new();
    if let Some(row) = rows.first() {
        let (rooms, clients) = (count(row.rooms as f64), count(row.clients as f64));
        let _ = write!(
            page,
            "\n## {rooms} rooms of {}, {clients} clients\n\nMemory is the first node's; half as many clients and memberships are \
             there with two nodes. One run.\n\n| | start | with clients | with rooms | bytes of a client | of a room | subscriptions in \
             NATS: with clients | with rooms | memory of NATS: start | with rooms |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
            rooms::MEMBERS
        );
    }
    for row in rows {
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / MIB);
        let [client, room] = row.bytes();
        let [start, clients, rooms] = row.node.map(mib);
        let broker = match row.broker[0] {
            0 => " | | | ".to_owned(),
            _ => format!(
                "{} | {} | {} | {}",
                row.subscriptions[1],
                row.subscriptions[2],
                mib(row.broker[0]),
                mib(row.broker[2])
            ),
        };
        let name = row.kind.name();
        let _ = writeln!(
            page,
            "| {name} | {start} | {clients} | {rooms} | {client:.0} | {room:.0} | {broker} |"
        );
    }
    page +=
        "\n| a join | joins | p50 | p99 | processor time: nodes | NATS |\n|---|---:|---:|---:|---:|---:|\n";
    for row in rows {
        let kinds = [
            ("opens the room on its node", row.opening),
            ("the same, 100 at once", row.burst),
            ("a further member", row.further),
        ];
        for (kind, joins) in kinds {
            let [nodes, broker] = joins.cost.map(|nanos| report::time(nanos / 1e3));
            let _ = writeln!(
                page,
                "| {}: {kind} | {} | {} | {} | {nodes} | {broker} |",
                row.kind.name(),
                count(joins.count as f64),
                report::time(joins.p50),
                report::time(joins.p99),
            );
        }
    }
    page
}

/// Formats a number with commas between thousands.
pub(super) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{count, deliveries};
    use crate::{
        cluster::{deliveries::Row, deployment::Kind},
        stats::Spread,
    };

    #[test]
    fn thousands_are_separated() {
        assert_eq!(
            [0.4, 999.0, 1_000.0, 1_234_567.0].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn a_row_has_medians_and_their_spread() {
        let spread = |values: [f64; 3]| Spread::of(values.into_iter());
        let row = Row {
            kind: Kind::Nats(2),
            rate: spread([1e6, 2e6, 3e6]),
            nodes: spread([400.0, 500.0, 450.0]),
            broker: spread([40.0, 50.0, 60.0]),
            ratio: spread([1.1, 1.2, 1.3]),
            whole: spread([1.2, 1.3, 1.4]),
        };
        let page = deliveries("A room", &[row]);
        let expected = "| Zocket, NATS, 2 nodes | 450 ns (400 ns to 500 ns) | 50 ns (40 ns to 60 ns) | 1.20 (1.10 to 1.30) | 1.30 \
                        (1.20 to 1.40) | 2,000,000 | 2,000,000 (1,000,000 to 3,000,000) |";
        assert!(page.contains(expected), "{page}");
    }
}
