//! Plots, drawn as SVG: lines with points, linear or logarithmic, each line named at its end.

use std::fmt::Write as _;

use crate::section::{Axis, Plot, Series};

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 380.0;
/// Around the axes: left, top, right (for the names of the lines), bottom.
const MARGIN: [f64; 4] = [78.0, 64.0, 138.0, 52.0];
/// Told apart by those who see no red or green as well.
const COLOURS: [&str; 5] = ["#0b62a4", "#d1495b", "#2e8b57", "#e08e0b", "#7b52ab"];
const PEER_COLOURS: [&str; 4] = ["#8a8f98", "#5f6673", "#a9886b", "#7f9a8f"];

/// Draws plots side by side.
pub fn draw(plots: &[&Plot]) -> String {
    let width = WIDTH * plots.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{width}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"#ffffff\"/>\n"
    );
    for (index, plot) in plots.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} 0)\">", WIDTH * index as f64);
        panel(&mut svg, plot);
        svg += "</g>\n";
    }
    svg += "</svg>\n";
    svg
}

/// From numbers to places on an axis.
struct Scale {
    logarithmic: bool,
    /// The numbers at its ends; their logarithms on a logarithmic one.
    from: f64,
    to: f64,
    /// The places of those.
    begin: f64,
    end: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn new(axis: &Axis, numbers: impl Iterator<Item = f64> + Clone, (begin, end): (f64, f64)) -> Self {
        let highest = numbers.clone().fold(f64::MIN, f64::max);
        if axis.logarithmic {
            let lowest = numbers.filter(|number| *number > 0.0).fold(f64::MAX, f64::min);
            let (from, to) = (lowest.log10().floor(), highest.log10().ceil());
            let to = if to > from { to } else { from + 1.0 };
            let ticks = (from as i32..=to as i32).map(|power| 10_f64.powi(power)).collect();
            return Self { logarithmic: true, from, to, begin, end, ticks };
        }
        let highest = if highest > 0.0 { highest } else { 1.0 };
        // 1, 2 or 5 of some power of ten, so that there are four to ten ticks.
        let power = 10_f64.powf((highest / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * power).into_iter().find(|step| highest / step <= 6.0);
        let step = step.unwrap_or(power * 10.0);
        let count = (highest / step).ceil() as u32;
        let ticks: Vec<f64> = (0..=count).map(|tick| f64::from(tick) * step).collect();
        Self { logarithmic: false, from: 0.0, to: f64::from(count) * step, begin, end, ticks }
    }

    fn place(&self, number: f64) -> f64 {
        let at = if self.logarithmic { number.max(f64::MIN_POSITIVE).log10() } else { number };
        self.begin + (at - self.from) / (self.to - self.from) * (self.end - self.begin)
    }
}

fn panel(svg: &mut String, plot: &Plot) {
    let [left, top, right, bottom] = MARGIN;
    let (x_end, y_begin) = (WIDTH - right, HEIGHT - bottom);
    let points = || plot.series.iter().flat_map(|series| series.points.iter());
    let x = Scale::new(&plot.x, points().map(|point| point.0), (left, x_end));
    let y = Scale::new(&plot.y, points().map(|point| point.1), (y_begin, top));
    let title = escaped(&plot.title);
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"28\" font-size=\"15\" font-weight=\"600\" fill=\"#1c2330\">{title}</text>"
    );
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"47\" fill=\"#5b6472\">{}</text>", escaped(&plot.y.label));
    for tick in &y.ticks {
        let at = y.place(*tick);
        let _ = writeln!(svg, "<path d=\"M{left} {at:.1}H{x_end}\" stroke=\"#e3e6ea\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#5b6472\">{}</text>",
            left - 8.0,
            at + 4.0,
            label(*tick)
        );
    }
    for tick in &x.ticks {
        let at = x.place(*tick);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {y_begin}v5\" stroke=\"#9aa1ab\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5b6472\">{}</text>",
            y_begin + 19.0,
            label(*tick)
        );
    }
    let _ = writeln!(svg, "<path d=\"M{left} {y_begin}H{x_end}\" stroke=\"#9aa1ab\"/>");
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5b6472\">{}</text>",
        (left + x_end) / 2.0,
        HEIGHT - 12.0,
        escaped(&plot.x.label)
    );
    let mut names = Vec::new();
    let (mut own, mut peers) = (COLOURS.iter().cycle(), PEER_COLOURS.iter().cycle());
    for series in &plot.series {
        let colour = if series.peer { peers.next() } else { own.next() }.copied().unwrap_or("#000000");
        line(svg, series, colour, (&x, &y));
        let Some(last) = series.points.last() else { continue };
        let (x_last, y_last) = (x.place(last.0), y.place(last.1));
        if x_end - x_last > 40.0 {
            // It ends early: its name stands there.
            let name = escaped(&series.name);
            let _ = writeln!(
                svg,
                "<text x=\"{x_last:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                y_last - 9.0
            );
        } else {
            names.push((x_last, y_last, colour, series));
        }
    }
    label_ends(svg, names, x_end);
}

/// The line; with points on it if they can be told from each other.
fn line(svg: &mut String, series: &Series, colour: &str, (x, y): (&Scale, &Scale)) {
    let places: Vec<(f64, f64)> = series.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let dashes = if series.peer { " stroke-dasharray=\"5 4\"" } else { "" };
    let width = if series.peer { 1.6 } else { 2.4 };
    let _ = writeln!(
        svg,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"{dashes}/>",
        path.join("L")
    );
    if places.len() <= 20 {
        for (x, y) in places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\" fill=\"{colour}\"/>");
        }
    }
}

/// Names the lines at their ends, far enough from each other to be read.
fn label_ends(svg: &mut String, mut names: Vec<(f64, f64, &str, &Series)>, x_end: f64) {
    const APART: f64 = 15.0;
    names.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut places: Vec<f64> = names.iter().map(|name| name.1).collect();
    for index in 1..places.len() {
        places[index] = places[index].max(places[index - 1] + APART);
    }
    // What was pushed below the axis comes up again, and pushes those above it.
    let lowest = HEIGHT - MARGIN[3];
    for index in (0..places.len()).rev() {
        let limit = if index + 1 < places.len() { places[index + 1] - APART } else { lowest };
        places[index] = places[index].min(limit);
    }
    for ((x, y, colour, series), place) in names.into_iter().zip(places) {
        let begin = x_end + 8.0;
        if (place - y).abs() > 4.0 || x_end - x > 4.0 {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {y:.1}L{begin} {place:.1}\" stroke=\"{colour}\" stroke-width=\"0.7\" opacity=\"0.6\"/>",
                x + 4.0
            );
        }
        let weight = if series.peer { "400" } else { "600" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\" font-weight=\"{weight}\">{}</text>",
            begin + 3.0,
            place + 4.0,
            escaped(&series.name)
        );
    }
}

/// `0.1`, `250`, `10,000`
fn label(number: f64) -> String {
    if number != 0.0 && number.abs() < 1.0 {
        return format!("{number:.3}").trim_end_matches('0').to_owned();
    }
    let digits = format!("{number:.1}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    let (whole, rest) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(rest) = rest {
        text += &format!(".{rest}");
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
