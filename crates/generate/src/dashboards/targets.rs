//! A KPI's target on a panel: lines that are drawn, and colours from the same values that alert.

use catalogue::metrics::SeriesId;
use catalogue::plan::{Kpi, Target};

use super::model::{Color, Line, Panel, Query};
use super::pick::of_instances;
use crate::book::Book;

/// A line for each bound of the target; `max` and `min` alert, the others are only drawn.
pub fn lines(book: &Book<'_>, kpi: &Kpi) -> Vec<Query> {
    let target = kpi.target.unwrap_or_default();
    let bounds = [
        ("max", target.max, SeriesId::TargetMax, Line::Limit),
        ("min", target.min, SeriesId::TargetMin, Line::Limit),
        ("goal", target.goal, SeriesId::TargetGoal, Line::Goal),
        (
            "benchmark",
            target.benchmark,
            SeriesId::TargetBenchmark,
            Line::Benchmark,
        ),
    ];
    let bounds = bounds.into_iter().filter(|bound| bound.1.is_some());
    bounds
        .map(|(name, _, series, line)| definition(book, kpi, series, name, line))
        .collect()
}

/// A number of the definition as a line.
pub fn definition(book: &Book<'_>, kpi: &Kpi, series: SeriesId, legend: &str, line: Line) -> Query {
    let name = book.metric(kpi, series);
    Query::new(legend, format!("max({})", of_instances(&name, &[]))).line(line)
}

/// The panel coloured by the KPI's target: red where it alerts, orange short of the goal.
pub fn colored(panel: Panel, target: Option<Target>) -> Panel {
    let target = target.unwrap_or_default();
    let falling = target.max.is_some();
    let mut steps = Vec::new();
    match (target.min, target.max, target.goal) {
        (None, None, None) => panel,
        (min, max, goal) => {
            if let Some(max) = max {
                steps.push((max, Color::Red));
            }
            match goal {
                Some(goal) if falling => steps.push((goal, Color::Orange)),
                Some(goal) => steps.push((goal, Color::Green)),
                None => steps.extend(min.map(|min| (min, Color::Green))),
            }
            if let (Some(min), Some(_)) = (min, goal) {
                let inside = if falling { Color::Green } else { Color::Orange };
                steps.push((min, inside));
            }
            let below = match (min, goal) {
                (Some(_), _) => Color::Red,
                (None, Some(_)) if !falling => Color::Orange,
                _ => Color::Green,
            };
            panel.colors(below, &steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Show, Unit};
    use super::*;

    fn colors(target: Target) -> (Color, Vec<(f64, Color)>) {
        let panel = Panel::new(Show::Stat, Unit::Number, "a", "b");
        let panel = colored(panel, Some(target));
        let steps = panel.thresholds.iter();
        (
            panel.below,
            steps.map(|step| (step.from, step.color)).collect(),
        )
    }

    #[test]
    fn what_alerts_is_red() {
        let none = Target::default();
        let limit = Target {
            max: Some(60.0),
            goal: Some(45.0),
            ..none
        };
        let steps = vec![(45.0, Color::Orange), (60.0, Color::Red)];
        assert_eq!(colors(limit), (Color::Green, steps));
        let least = Target {
            min: Some(0.2),
            goal: Some(0.3),
            ..none
        };
        let steps = vec![(0.2, Color::Orange), (0.3, Color::Green)];
        assert_eq!(colors(least), (Color::Red, steps));
        let both = Target {
            min: Some(5.0),
            max: Some(100.0),
            ..none
        };
        let steps = vec![(5.0, Color::Green), (100.0, Color::Red)];
        assert_eq!(colors(both), (Color::Red, steps));
    }

    #[test]
    fn a_goal_alone_is_never_red() {
        let goal = Target {
            goal: Some(0.35),
            ..Target::default()
        };
        assert_eq!(colors(goal), (Color::Orange, vec![(0.35, Color::Green)]));
        assert_eq!(colors(Target::default()), (Color::Blue, vec![]));
    }
}
