//! Every query that the dashboards send, for whoever wants to run them without a Grafana.
//!
//! Grafana puts the chosen values in before it sends a query; `substitute` does the same.

use super::json::{reference, variable_query};
use super::model::{Dashboard, Show, Variable};
use crate::book::Book;

/// One query of a dashboard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The dashboard's uid.
    pub dashboard: &'static str,
    /// Whose query it is.
    pub place: Place,
    /// PromQL; for a variable a selector of the series whose label values are asked for. With
    /// `$job`, `$instance`, dimensions, `$__rate_interval` and `$__range` in it.
    pub expression: String,
    /// Asked for one moment rather than for a stretch of time.
    pub instant: bool,
    /// When it has no series although all is well; a query without this must have some.
    pub empty_when: Option<&'static str>,
}

/// Where a query stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A panel's query: the panel's title, and the query's letter in it.
    Panel(String, String),
    /// The variable of this name: the values of the label of the same name.
    Variable(String),
    /// The annotation of this name.
    Annotation(&'static str),
}

/// Values for a dashboard's variables, by name without `$`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Values(Vec<(String, String)>);

impl Values {
    /// What Grafana chooses at first: this job, any instance and any value of each dimension. Rates
    /// are over `rate_interval`, like `1m` (four scrapes), and `range` is the time shown, like `1h`.
    pub fn at_first(job: &str, rate_interval: &str, range: &str) -> Values {
        let pairs = [
            ("job", job),
            ("__rate_interval", rate_interval),
            ("__range", range),
        ];
        Values(
            pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        )
    }

    /// Likewise, with this value of one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Values {
        self.0.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    fn of(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(".+", |(_, value)| value)
    }
}

/// The expression with the values put in: each `$name` is replaced by the value of the variable, one
/// that isn't named in `values` by `.+`, which is what Grafana sends for "All".
pub fn substitute(expression: &str, values: &Values) -> String {
    let mut text = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once('$') {
        text += before;
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, behind) = after.split_at(end.unwrap_or(after.len()));
        text += values.of(name);
        rest = behind;
    }
    text + rest
}

/// All of them, in the order of the dashboards.
pub(crate) fn list(book: &Book<'_>) -> Vec<Asked> {
    super::all(book).iter().flat_map(of_dashboard).collect()
}

fn of_dashboard(dashboard: &Dashboard) -> Vec<Asked> {
    let uid = dashboard.uid;
    let mut asked: Vec<Asked> = dashboard
        .variables
        .iter()
        .filter_map(|variable| of_variable(uid, variable))
        .collect();
    asked.extend(dashboard.annotations.iter().map(|annotation| Asked {
        dashboard: uid,
        place: Place::Annotation(annotation.name),
        expression: annotation.expression.clone(),
        instant: false,
        empty_when: Some("nothing fired, nothing was rolled out"),
    }));
    for panel in dashboard.rows.iter().flat_map(|row| &row.panels) {
        let queries = panel.queries.iter().enumerate();
        asked.extend(queries.map(|(at, query)| Asked {
            dashboard: uid,
            place: Place::Panel(panel.title.clone(), reference(at)),
            expression: query.expression.clone(),
            instant: query.at_end || panel.show == Show::Table,
            empty_when: query.empty_when,
        }));
    }
    asked
}

fn of_variable(dashboard: &'static str, variable: &Variable) -> Option<Asked> {
    let (name, series) = match variable {
        Variable::DataSource => return None,
        Variable::One { name, series, .. } | Variable::Many { name, series } => (name, series),
    };
    Some(Asked {
        dashboard,
        place: Place::Variable(name.clone()),
        expression: series.clone(),
        instant: false,
        empty_when: None,
    })
}

impl Asked {
    /// What Grafana's data source is asked: PromQL, or `label_values(...)` of a variable.
    pub fn as_in_grafana(&self) -> String {
        match &self.place {
            Place::Variable(name) => variable_query(name, &self.expression),
            _ => self.expression.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_for_whole_names_only() {
        let values = Values::at_first("kept", "1m", "1h").with("region", "eu|us");
        let expression = "x{job=\"$job\", jobs=\"$jobs\", region=~\"$region\"}[$__rate_interval]";
        assert_eq!(
            substitute(expression, &values),
            "x{job=\"kept\", jobs=\".+\", region=~\"eu|us\"}[1m]"
        );
        assert_eq!(substitute("y[$__range]$", &values), "y[1h].+");
    }

    #[test]
    fn the_value_named_last_counts() {
        let values = Values::at_first("kept", "1m", "1h").with("job", "other");
        assert_eq!(substitute("$job", &values), "other");
    }
}
