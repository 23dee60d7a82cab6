//! What a dashboard is made of, before Grafana's JSON: rows of panels, their queries, thresholds.
//!
//! A panel can't be without a title, a description, a unit and a query; text panels aren't needed.

/// A dashboard.
#[derive(Clone, PartialEq, Debug)]
pub struct Dashboard {
    /// Stable: alerts link to it.
    pub uid: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it answers, in a sentence.
    pub description: &'static str,
    /// In the order in which they are chosen.
    pub variables: Vec<Variable>,
    /// Marks on all panels.
    pub annotations: Vec<Annotation>,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

/// A row with a heading.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Its heading.
    pub title: String,
    /// Closed when the dashboard is opened: its queries run when somebody opens it.
    pub folded: bool,
    /// From left to right, then down.
    pub panels: Vec<Panel>,
}

/// What is chosen at the top of a dashboard.
#[derive(Clone, PartialEq, Debug)]
pub enum Variable {
    /// The Prometheus to ask.
    DataSource,
    /// One of the values of a label.
    One {
        /// Its name and that of the label.
        name: String,
        /// A selector of the series that have the label.
        series: String,
        /// What is chosen at first.
        first: String,
    },
    /// Any of the values of a label, all of them at first.
    Many {
        /// Its name and that of the label.
        name: String,
        /// A selector of the series that have the label.
        series: String,
    },
}

/// Marks at moments when an expression has a value above 0.
#[derive(Clone, PartialEq, Debug)]
pub struct Annotation {
    /// What is marked.
    pub name: &'static str,
    /// The expression.
    pub expression: String,
    /// The mark's title, with `{{label}}`.
    pub title: &'static str,
    /// Labels that become tags, with commas.
    pub tags: &'static str,
    /// A named colour of Grafana.
    pub color: &'static str,
}

/// A panel.
#[derive(Clone, PartialEq, Debug)]
pub struct Panel {
    /// Its title.
    pub title: String,
    /// What it shows and how to read it.
    pub description: String,
    /// Of all its values, but columns with a unit of their own.
    pub unit: Unit,
    /// How it is drawn.
    pub show: Show,
    /// In 24ths of the page.
    pub width: u32,
    /// In Grafana's grid rows of 30 pixels.
    pub height: u32,
    /// At least one.
    pub queries: Vec<Query>,
    /// Colours from these values on, ascending; below the first it is `below`.
    pub thresholds: Vec<Threshold>,
    /// The colour below all thresholds.
    pub below: Color,
    /// What values mean in words.
    pub words: Vec<Word>,
    /// Names of alerts whose runbooks it links to.
    pub runbooks: Vec<&'static str>,
    /// Another dashboard that it leads to: its uid.
    pub leads_to: Option<&'static str>,
    /// Its points are at least a minute apart: a subquery must find several samples.
    pub by_minutes: bool,
}

/// A query of a panel.
#[derive(Clone, PartialEq, Debug)]
pub struct Query {
    /// PromQL, with the dashboard's variables in it.
    pub expression: String,
    /// With `{{label}}`; in a table the column's title.
    pub legend: String,
    /// A line that isn't data but a limit.
    pub line: Option<Line>,
    /// The unit of a table's column.
    pub unit: Option<Unit>,
    /// Asked once, for the end of the time shown.
    pub at_end: bool,
    /// Why it has no series in a healthy shop.
    pub empty_when: Option<&'static str>,
}

/// How a panel is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Show {
    /// Lines over time.
    Lines,
    /// Areas over time, one upon the other.
    Stack,
    /// The latest values, large.
    Stat,
    /// The latest values as bars.
    Bars,
    /// A table of the latest values; columns are queries.
    Table,
    /// How values are spread over time, from a histogram.
    Heat,
}

/// What values are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A plain number.
    Number,
    /// Seconds.
    Seconds,
    /// A share, 1 is all.
    Share,
    /// Bytes.
    Bytes,
}

/// A limit that is drawn as a dashed line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    /// It alerts beyond.
    Limit,
    /// Where we want to be.
    Goal,
    /// What others reach.
    Benchmark,
}

/// A colour of Grafana's palette.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Color {
    /// Good.
    Green,
    /// To be looked at.
    Orange,
    /// Bad.
    Red,
    /// Neither.
    Blue,
}

/// From this value on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Threshold {
    /// In the panel's unit.
    pub from: f64,
    /// The colour.
    pub color: Color,
}

/// A value in words.
#[derive(Clone, PartialEq, Debug)]
pub struct Word {
    /// From here.
    pub from: f64,
    /// To here, or without end.
    pub to: Option<f64>,
    /// What it means.
    pub text: &'static str,
}

impl Unit {
    /// Grafana's name of the unit.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Number => "short",
            Unit::Seconds => "s",
            Unit::Share => "percentunit",
            Unit::Bytes => "bytes",
        }
    }
}

impl Color {
    /// Grafana's name of the colour.
    pub fn as_str(self) -> &'static str {
        match self {
            Color::Green => "green",
            Color::Orange => "orange",
            Color::Red => "red",
            Color::Blue => "blue",
        }
    }
}

impl Line {
    /// Its colour.
    pub fn color(self) -> Color {
        match self {
            Line::Limit => Color::Red,
            Line::Goal => Color::Green,
            Line::Benchmark => Color::Blue,
        }
    }
}

impl Query {
    /// A query of data.
    pub fn new(legend: impl Into<String>, expression: impl Into<String>) -> Query {
        Query {
            expression: expression.into(),
            legend: legend.into(),
            line: None,
            unit: None,
            at_end: false,
            empty_when: None,
        }
    }

    /// Likewise, of a limit.
    pub fn line(self, line: Line) -> Query {
        Query {
            line: Some(line),
            ..self
        }
    }

    /// Likewise, a table's column with a unit of its own.
    pub fn unit(self, unit: Unit) -> Query {
        Query {
            unit: Some(unit),
            ..self
        }
    }

    /// Likewise, asked once, for the end of the time shown.
    pub fn at_end(self) -> Query {
        Query {
            at_end: true,
            ..self
        }
    }

    /// Likewise; it has no series `when`.
    pub fn empty(self, when: &'static str) -> Query {
        Query {
            empty_when: Some(when),
            ..self
        }
    }
}
