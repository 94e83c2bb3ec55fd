//! The plots.

use crate::evaluate::{ConfusionMatrix, Interval, Item, reliability};
use crate::plot::svg::{Anchor, Svg};

const BLUE: &str = "#1f5a94";
const ORANGE: &str = "#c75b12";
const GREY: &str = "#bbb";
/// Side of a cell of the confusion matrix; smaller where there are many labels.
const CELL: f64 = 64.0;
/// Widest matrix, in pixels.
const MAX_MATRIX: f64 = 1100.0;
/// Width of a letter of a label at size 12, on the safe side.
const LETTER: f64 = 7.0;

/// Points of a learning curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What the curve is of.
    pub name: String,
    /// Number of training texts, score, interval.
    pub points: Vec<(usize, f64, Interval)>,
}

/// Counts of true against predicted labels; a cell is the darker, the larger its share of the true label's cases.
pub fn confusion_matrix(title: &str, labels: &[String], items: &[Item]) -> String {
    let n = labels.len();
    let matrix = ConfusionMatrix::new(items, &vec![1.0; items.len()], n);
    let has_unpaired = items.iter().any(|i| i.gold == n || i.predicted == n);
    let shown = n + usize::from(has_unpaired);
    let cell = CELL.min(MAX_MATRIX / shown as f64);
    let name = |c: usize| labels.get(c).map_or("(none)", String::as_str);
    let longest = (0..shown).map(|c| name(c).chars().count()).max().unwrap_or(0) as f64 * LETTER;
    let (left, top) = (longest + 50.0, longest + 70.0);
    let side = cell * shown as f64;
    let mut svg = Svg::new((left + side + 20.0).max(420.0), top + side + 20.0);
    svg.text((16.0, 24.0), Anchor::Start, 16, title);
    svg.text((left + side / 2.0, 46.0), Anchor::Middle, 12, "predicted");
    svg.upright_text((18.0, top + side / 2.0), 12, "true");
    for row in 0..shown {
        let y = top + row as f64 * cell;
        svg.text((left - 8.0, y + cell / 2.0 + 4.0), Anchor::End, 12, name(row));
        svg.upright_text(
            (left + (row as f64 + 0.5) * cell + 4.0, top - 8.0 - name(row).chars().count() as f64 * LETTER / 2.0),
            12,
            name(row),
        );
        let total: f64 = (0..shown).map(|column| matrix.get(row, column)).sum();
        for column in 0..shown {
            let count = matrix.get(row, column);
            let share = if total > 0.0 { count / total } else { 0.0 };
            let at = (left + column as f64 * cell, y);
            svg.rect(at, (cell, cell), &shade(share));
            if count > 0.0 || shown <= 12 {
                let colour = if share > 0.5 { "#fff" } else { "#222" };
                let size = if cell >= 40.0 { 14 } else { 8 };
                svg.styled_text((at.0 + cell / 2.0, at.1 + cell / 2.0 + 5.0), Anchor::Middle, size, colour, &format!("{count}"));
            }
        }
    }
    svg.finish()
}

/// Share of right answers against confidence, by bins of equal width; the size of a dot grows with its number of cases. On the diagonal, probabilities
/// mean what they say.
pub fn reliability_diagram(title: &str, n_classes: usize, items: &[Item], calibration_error: f64) -> String {
    let mut svg = Svg::new(510.0, 500.0);
    let axes = Axes { x: (0.0, 1.0), y: (0.0, 1.0), left: 70.0, top: 60.0, width: 380.0, height: 380.0 };
    svg.text((16.0, 24.0), Anchor::Start, 16, title);
    svg.text((16.0, 44.0), Anchor::Start, 12, &format!("expected calibration error {calibration_error:.3}"));
    axes.draw(&mut svg, "confidence", "share right", |v| format!("{v:.1}"));
    svg.line(&[axes.at(0.0, 0.0), axes.at(1.0, 1.0)], GREY, 1.5, "5 4");
    let bins: Vec<(f64, f64, f64)> =
        reliability(items, &vec![1.0; items.len()], n_classes).into_iter().filter(|bin| bin.2 > 0.0).collect();
    svg.line(&bins.iter().map(|bin| axes.at(bin.0, bin.1)).collect::<Vec<_>>(), BLUE, 1.5, "");
    let most = bins.iter().fold(1.0_f64, |most, bin| most.max(bin.2));
    for (confidence, share, n) in bins {
        let (x, y) = axes.at(confidence, share);
        svg.dot((x, y), 3.0 + 7.0 * (n / most).sqrt(), BLUE);
        svg.text((x + 12.0, y + 4.0), Anchor::Start, 10, &format!("{n}"));
    }
    svg.finish()
}

/// Score against number of training texts, on a logarithmic axis, with intervals.
pub fn learning_curve(title: &str, score: &str, curves: &[Curve]) -> String {
    let mut svg = Svg::new(620.0, 440.0);
    let all = || curves.iter().flat_map(|c| &c.points);
    let log = |n: usize| (n.max(1) as f64).log10();
    let (low, high) = all().fold((f64::INFINITY, 0.0_f64), |(low, high), p| (low.min(log(p.0)), high.max(log(p.0))));
    let (bottom, top) = all().fold((1.0_f64, 0.0_f64), |(low, high), p| (low.min(p.2.low), high.max(p.2.high)));
    let (bottom, top) = ((bottom * 10.0).floor() / 10.0, (top * 10.0).ceil() / 10.0);
    let axes = Axes {
        x: (low, high.max(low + 0.1)),
        y: (bottom, top.max(bottom + 0.1)),
        left: 70.0,
        top: 50.0,
        width: 420.0,
        height: 320.0,
    };
    svg.text((16.0, 24.0), Anchor::Start, 16, title);
    axes.draw(&mut svg, "training texts", score, |_| String::new());
    for (curve, colour) in curves.iter().zip([BLUE, ORANGE, "#3a7d44", "#6b4c9a"].iter().cycle()) {
        for (n, value, interval) in &curve.points {
            svg.line(&[axes.at(log(*n), interval.low), axes.at(log(*n), interval.high)], colour, 1.0, "");
            svg.dot(axes.at(log(*n), *value), 4.0, colour);
        }
        svg.line(&curve.points.iter().map(|p| axes.at(log(p.0), p.1)).collect::<Vec<_>>(), colour, 2.0, "");
        if let Some(last) = curve.points.last() {
            let (x, y) = axes.at(log(last.0), last.1);
            svg.styled_text((x + 10.0, y + 4.0), Anchor::Start, 12, colour, &format!("{} {:.3}", curve.name, last.1));
        }
    }
    if let Some(first) = curves.first() {
        for (n, ..) in &first.points {
            let (x, y) = axes.at(log(*n), axes.y.0);
            svg.text((x, y + 18.0), Anchor::Middle, 11, &n.to_string());
        }
    }
    svg.finish()
}

/// From values to pixels.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Axes {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        (self.left + self.width * share(x, self.x), self.top + self.height * (1.0 - share(y, self.y)))
    }

    /// Frame, names, and ticks at fifths; `tick` writes those of the x axis.
    fn draw(&self, svg: &mut Svg, x_name: &str, y_name: &str, tick: impl Fn(f64) -> String) {
        let corner = |x, y| self.at(x, y);
        let ((x0, x1), (y0, y1)) = (self.x, self.y);
        svg.line(&[corner(x0, y1), corner(x0, y0), corner(x1, y0)], "#222", 1.0, "");
        for fifth in 0..=5 {
            let share = f64::from(fifth) / 5.0;
            let (x, y) = (x0 + share * (x1 - x0), y0 + share * (y1 - y0));
            svg.line(&[corner(x0, y), corner(x1, y)], "#eee", 1.0, "");
            let (left, at) = corner(x0, y);
            svg.text((left - 8.0, at + 4.0), Anchor::End, 11, &format!("{y:.2}"));
            let (at, bottom) = corner(x, y0);
            svg.text((at, bottom + 18.0), Anchor::Middle, 11, &tick(x));
        }
        svg.text((self.left + self.width / 2.0, self.top + self.height + 38.0), Anchor::Middle, 12, x_name);
        svg.upright_text((self.left - 46.0, self.top + self.height / 2.0), 12, y_name);
    }
}

/// White to blue.
fn shade(share: f64) -> String {
    let channel = |dark: f64| (255.0 + share * (dark - 255.0)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", channel(31.0), channel(90.0), channel(148.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Item> {
        let item = |gold, predicted, confidence| Item { gold, predicted, gold_probability: 0.5, confidence, group: 0, given: 0 };
        vec![item(0, 0, 0.9), item(0, 0, 0.8), item(0, 1, 0.6), item(1, 1, 0.7)]
    }

    #[test]
    fn a_matrix_shows_every_count() {
        let labels = ["against".to_owned(), "favor".to_owned()];
        let svg = confusion_matrix("stance", &labels, &items());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<rect x").count(), 4);
        assert!(svg.contains(">2</text>") && svg.contains(">against</text>"), "{svg}");
        assert_eq!(svg, confusion_matrix("stance", &labels, &items()));
    }

    #[test]
    fn a_diagram_has_a_dot_for_each_bin_that_holds_cases() {
        let svg = reliability_diagram("stance", 2, &items(), 0.1);
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn a_curve_of_one_point_is_drawn() {
        let curve = Curve { name: "stance".into(), points: vec![(100, 0.5, Interval { low: 0.4, high: 0.6 })] };
        let svg = learning_curve("stance", "macro-F1", &[curve]);
        assert!(svg.contains(">100</text>") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
