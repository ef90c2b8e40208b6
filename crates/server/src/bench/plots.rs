//! The plots of several measurements, as SVG.

use std::path::{Path, PathBuf};

use plotters::prelude::{
    ChartBuilder, Circle, Color as _, IntoDrawingArea as _, IntoLogRange as _, LineSeries,
    RGBColor, SVGBackend, WHITE,
};
use plotters::style::{IntoFont as _, TextStyle};

use super::{BenchError, Measured};

const SIZE: (u32, u32) = (720, 440);
const OURS: RGBColor = RGBColor(0, 23, 193);
const EMPTY: RGBColor = RGBColor(120, 120, 120);

/// One line of a plot.
struct Line {
    name: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws throughput and latency over the number of clients or tokens, whichever the measurements differ in, into `folder`; gives the
/// files.
///
/// # Errors
/// [`BenchError::Plot`].
pub fn write_plots(
    measured: &[Measured],
    over: &'static str,
    folder: &Path,
) -> Result<Vec<PathBuf>, BenchError> {
    let database = measured.first().map_or("", |first| first.database);
    let x = |one: &Measured| {
        if over == "tokens" {
            f64::from(one.tokens)
        } else {
            u32::try_from(one.clients).map_or(0.0, f64::from)
        }
    };
    let line = |name, color, y: fn(&Measured) -> f64| Line {
        name,
        color,
        points: measured.iter().map(|one| (x(one), y(one))).collect(),
    };
    let plots = [
        (
            "throughput",
            "answers a second",
            vec![
                line("verification", OURS, |one| one.verify_per_s),
                line("empty handler", EMPTY, |one| one.empty_handler_per_s),
            ],
        ),
        (
            "latency",
            "milliseconds",
            vec![
                line("verification, 99 of 100", OURS, |one| one.p99_ms),
                line("verification, half", RGBColor(90, 120, 230), |one| {
                    one.p50_ms
                }),
                line("empty handler, 99 of 100", EMPTY, |one| one.empty_p99_ms),
            ],
        ),
    ];
    plots
        .into_iter()
        .map(|(what, unit, lines)| {
            let path = folder.join(format!("{database}-{what}-by-{over}.svg"));
            draw(&path, &format!("{database}: {what}"), over, unit, &lines)
                .map_err(|error| BenchError::Plot(format!("{}: {error}", path.display())))?;
            Ok(path)
        })
        .collect()
}

fn draw(
    path: &Path,
    title: &str,
    over: &str,
    unit: &str,
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let largest = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(1.0, f64::max);
    let least = points()
        .map(|point| point.0)
        .fold(f64::INFINITY, f64::min)
        .max(1.0);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(
            (least * 0.9..largest(|point| point.0) * 1.1).log_scale(),
            0.0..largest(|point| point.1) * 1.1,
        )?;
    // 1000 and 0.5, not 1000.0 and 0.5000000001.
    let tick = |at: &f64| ((at * 100.0).round() / 100.0).to_string();
    chart
        .configure_mesh()
        .x_desc(over)
        .y_desc(unit)
        .x_label_formatter(&tick)
        .y_label_formatter(&tick)
        .draw()?;
    for (place, line) in (0..).zip(lines) {
        chart.draw_series(LineSeries::new(
            line.points.iter().copied(),
            line.color.stroke_width(2),
        ))?;
        chart.draw_series(
            line.points
                .iter()
                .map(|point| Circle::new(*point, 3, line.color.filled())),
        )?;
        let style = TextStyle::from(("sans-serif", 14).into_font()).color(&line.color);
        area.draw_text(line.name, &style, (100, 48 + place * 18))?;
    }
    area.present()?;
    Ok(())
}
