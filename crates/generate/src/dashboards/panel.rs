//! Panels put together step by step, each with the usual size of its kind.

use super::model::{Color, Panel, Query, Show, Threshold, Unit, Word};

impl Panel {
    /// A panel without queries yet.
    pub fn new(
        show: Show,
        unit: Unit,
        title: impl Into<String>,
        description: impl Into<String>,
    ) -> Panel {
        let (width, height) = match show {
            Show::Stat => (4, 4),
            Show::Table => (24, 8),
            _ => (8, 8),
        };
        Panel {
            title: title.into(),
            description: description.into(),
            unit,
            show,
            width,
            height,
            queries: Vec::new(),
            thresholds: Vec::new(),
            below: Color::Blue,
            words: Vec::new(),
            runbooks: Vec::new(),
            leads_to: None,
            by_minutes: false,
        }
    }

    /// With one more query.
    pub fn query(mut self, query: Query) -> Panel {
        self.queries.push(query);
        self
    }

    /// With more queries.
    pub fn queries(mut self, queries: impl IntoIterator<Item = Query>) -> Panel {
        self.queries.extend(queries);
        self
    }

    /// So wide: in 24ths of the page.
    pub fn wide(self, width: u32) -> Panel {
        Panel { width, ..self }
    }

    /// So high: in grid rows.
    pub fn high(self, height: u32) -> Panel {
        Panel { height, ..self }
    }

    /// Coloured: `below` all thresholds, and from each on.
    pub fn colors(self, below: Color, thresholds: &[(f64, Color)]) -> Panel {
        let mut thresholds: Vec<Threshold> = thresholds
            .iter()
            .map(|&(from, color)| Threshold { from, color })
            .collect();
        thresholds.sort_by(|a, b| a.from.total_cmp(&b.from));
        Panel {
            below,
            thresholds,
            ..self
        }
    }

    /// What values from `from` to `to` mean.
    pub fn word(mut self, from: f64, to: Option<f64>, text: &'static str) -> Panel {
        self.words.push(Word { from, to, text });
        self
    }

    /// Linked to the runbooks of these alerts.
    pub fn runbooks(mut self, names: &[&'static str]) -> Panel {
        self.runbooks.extend(names);
        self
    }

    /// Linked to another dashboard.
    pub fn leads_to(self, uid: &'static str) -> Panel {
        Panel {
            leads_to: Some(uid),
            ..self
        }
    }

    /// Points at least a minute apart.
    pub fn by_minutes(self) -> Panel {
        Panel {
            by_minutes: true,
            ..self
        }
    }
}
