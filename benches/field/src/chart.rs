//! Plots as SVG, for light and dark backgrounds.

use std::fmt::Write;

use crate::{
    scenario::Shape,
    server::Peer,
    summary::{Summary, find},
};

const WIDTH: f64 = 860.0;
const STYLE: &str = "<style>text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:13px}\
.q{fill:#57606a}.a{stroke:#8c959f;stroke-width:1}.g{stroke:#8c959f;stroke-opacity:.25}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.q{fill:#9198a1}}</style>";

fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Zocket => "#d9480f",
        Peer::Tungstenite => "#1c7ed6",
        Peer::Bun => "#7c8b9a",
        _ => "#adb5bd",
    }
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         {STYLE}\n"
    )
}

/// Draws bars of the main figures, one panel per scenario. Shorter is better.
pub(crate) fn field(all: &[Summary]) -> String {
    let panels = [
        ("request-16", "A call: processor time, µs", 1e3),
        (
            "fanout-1000x20",
            "A delivery, room of 1,000: processor time, µs",
            1e3,
        ),
        ("fanout-16k", "A delivery of 16 KiB: processor time, µs", 1e3),
        ("memory", "An idle connection: KiB", 1_024.0),
    ];
    // `upgrade`, and the two other forms of Zocket, are in none of these.
    let rows = Peer::ALL.len() as f64 - 3.0;
    let (row, head) = (20.0, 30.0);
    let panel = head + rows * row + 16.0;
    let mut svg = open(
        2.0 * panel,
        "Zocket and others: processor time and memory; shorter is better",
    );
    for (index, (scenario, title, unit)) in panels.into_iter().enumerate() {
        let x = (index % 2) as f64 * WIDTH / 2.0;
        let y = (index / 2) as f64 * panel;
        let mut bars: Vec<(Peer, f64)> = Peer::ALL
            .iter()
            .filter_map(|peer| Some((*peer, find(all, scenario, *peer)?.cost / unit)))
            .collect();
        bars.sort_by(|one, other| one.1.total_cmp(&other.1));
        let most = bars.last().map_or(1.0, |bar| bar.1).max(f64::MIN_POSITIVE);
        let _ = writeln!(
            svg,
            "<text class=\"t\" x=\"{:.0}\" y=\"{:.0}\">{title}</text>",
            x + 8.0,
            y + 18.0
        );
        for (place, (peer, value)) in bars.into_iter().enumerate() {
            let top = y + head + place as f64 * row;
            let width = (value / most * 250.0).max(1.0);
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{:.0}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"14\" rx=\"2\" fill=\"{}\"/>\
                 <text class=\"q\" x=\"{:.1}\" y=\"{:.0}\">{value:.2}</text>",
                x + 96.0,
                top + 11.0,
                peer.name(),
                x + 102.0,
                colour(peer),
                x + 108.0 + width,
                top + 11.0,
            );
        }
    }
    svg + "</svg>\n"
}

/// Draws the cost per item over the number of items, on logarithmic axes.
pub(crate) fn scaling(all: &[Summary]) -> String {
    let panels = [
        ("scale-members", "A delivery, by members of the room"),
        ("scale-connections", "A call, by connections"),
        ("scale-payload", "A delivery, by bytes of the text"),
        ("scale-rooms", "A delivery, by rooms there are"),
    ];
    let panel = 230.0;
    let mut svg = open(2.0 * panel, "How processor time grows");
    for (index, (group, title)) in panels.into_iter().enumerate() {
        let x = (index % 2) as f64 * WIDTH / 2.0;
        let y = (index / 2) as f64 * panel;
        let _ = writeln!(
            svg,
            "<text class=\"t\" x=\"{:.0}\" y=\"{:.0}\">{title}, µs</text>",
            x + 8.0,
            y + 18.0
        );
        let points: Vec<(Peer, f64, f64)> = all
            .iter()
            .filter(|summary| summary.scenario.group == group && summary.counts() && summary.cost > 0.0)
            .map(|summary| (summary.peer, size(&summary.scenario.shape), summary.cost / 1e3))
            .collect();
        lines(&mut svg, &points, [x + 48.0, y + 32.0, 320.0, 160.0]);
    }
    svg + "</svg>\n"
}

fn size(shape: &Shape) -> f64 {
    match *shape {
        Shape::Requests { connections, .. } => connections as f64,
        Shape::Fanout { among, .. } if among > 0 => among as f64,
        Shape::Fanout {
            text, in_flight: 4, ..
        } => text as f64,
        Shape::Fanout { members, .. } => members as f64,
        _ => 1.0,
    }
}

fn lines(svg: &mut String, points: &[(Peer, f64, f64)], [left, top, width, height]: [f64; 4]) {
    let bounds = |of: fn(&(Peer, f64, f64)) -> f64| {
        let logs = || points.iter().map(|point| of(point).log10());
        (
            logs().fold(f64::INFINITY, f64::min),
            logs().fold(f64::NEG_INFINITY, f64::max),
        )
    };
    if points.is_empty() {
        return;
    }
    let (low_x, high_x) = bounds(|point| point.1);
    let (low_y, high_y) = bounds(|point| point.2);
    // Labels of the vertical axis are powers of ten.
    let (low_y, high_y) = (low_y.floor(), high_y.ceil().max(low_y.floor() + 1.0));
    let across = |value: f64| left + (value.log10() - low_x) / (high_x - low_x).max(0.1) * width;
    let up = |value: f64| top + height - (value.log10() - low_y) / (high_y - low_y) * height;
    let base = top + height;
    for power in low_y as i32..=high_y as i32 {
        let value = 10_f64.powi(power);
        let y = up(value);
        let _ = writeln!(
            svg,
            "<line class=\"g\" x1=\"{left:.0}\" y1=\"{y:.1}\" x2=\"{:.0}\" y2=\"{y:.1}\"/>\
             <text class=\"q\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            left + width,
            left - 6.0,
            y + 4.0,
        );
    }
    let mut sizes: Vec<f64> = points.iter().map(|point| point.1).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    for size in sizes {
        let _ = writeln!(
            svg,
            "<text class=\"q\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{size}</text>",
            across(size),
            base + 16.0,
        );
    }
    let _ = writeln!(
        svg,
        "<line class=\"a\" x1=\"{left:.0}\" y1=\"{base:.0}\" x2=\"{:.0}\" y2=\"{base:.0}\"/>",
        left + width,
    );
    for (place, peer) in [Peer::Zocket, Peer::Tungstenite, Peer::Bun]
        .into_iter()
        .enumerate()
    {
        let own = || points.iter().filter(|point| point.0 == peer);
        let path: Vec<String> = own()
            .map(|point| format!("{:.1},{:.1}", across(point.1), up(point.2)))
            .collect();
        let colour = colour(peer);
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\" style=\"fill:{colour}\">{}</text>",
            path.join(" "),
            left + 8.0 + place as f64 * 90.0,
            top + 4.0,
            peer.name(),
        );
        for point in own() {
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                across(point.1),
                up(point.2)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{field, scaling};
    use crate::{report::tests::summary, server::Peer};

    #[test]
    fn each_figure_has_a_bar() {
        let all = [
            summary("request-16", Peer::Zocket, 1_100.0),
            summary("request-16", Peer::Bun, 1_200.0),
        ];
        let svg = field(&all);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("prefers-color-scheme:dark") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn each_point_has_a_mark() {
        let all = [
            summary("members-10", Peer::Zocket, 500.0),
            summary("members-10000", Peer::Zocket, 900.0),
        ];
        assert_eq!(scaling(&all).matches("<circle").count(), 2);
    }

    #[test]
    fn a_plot_without_measurements_is_empty() {
        assert!(!scaling(&[]).contains("NaN") && !field(&[]).contains("NaN"));
    }
}
