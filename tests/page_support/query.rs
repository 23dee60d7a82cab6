//! The numbers on a page with the queries that they say they are, and just enough of PromQL to
//! work these out from a scrape.

use support::Samples;

/// Query and exact value of every `<data>` element.
pub fn figures(page: &str) -> Vec<(String, f64)> {
    let figures = page.split("<data value=\"").skip(1).map(|rest| {
        let (value, rest) = rest.split_once("\" title=\"").expect("a query");
        let (query, _) = rest.split_once("\">").expect("the end of the tag");
        let query = query.replace("&quot;", "\"").replace("&amp;", "&");
        (query, value.parse().expect("a number"))
    });
    figures.collect()
}

/// Works out a query of sums, single series, `+`, `/` and brackets; NaN where there is nothing.
#[track_caller]
pub fn evaluate(samples: &Samples, query: &str) -> f64 {
    let mut parser = Parser {
        samples,
        rest: query,
    };
    let value = parser.expression();
    assert_eq!(parser.rest, "", "the end of {query}");
    value.unwrap_or(f64::NAN)
}

struct Parser<'a> {
    samples: &'a Samples,
    rest: &'a str,
}

impl Parser<'_> {
    fn expression(&mut self) -> Option<f64> {
        let mut value = self.term();
        loop {
            if self.takes(" / ") {
                let below = self.term().filter(|below| *below > 0.0);
                value = value.zip(below).map(|(above, below)| above / below);
            } else if self.takes(" + ") {
                let more = self.term();
                value = value.zip(more).map(|(one, other)| one + other);
            } else {
                return value;
            }
        }
    }

    fn term(&mut self) -> Option<f64> {
        if self.takes("sum(") {
            let value = self.series();
            assert!(self.takes(")"), "a sum ends at {}", self.rest);
            return value;
        }
        if self.takes("(") {
            let value = self.expression();
            assert!(self.takes(")"), "a bracket ends at {}", self.rest);
            return value;
        }
        self.series()
    }

    fn series(&mut self) -> Option<f64> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, mut rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        assert!(!name.is_empty(), "a name at {}", self.rest);
        let mut labels: Vec<(&str, &str)> = Vec::new();
        while let Some(inside) = rest.strip_prefix(['{', ',']) {
            let (label, value) = inside.split_once("=\"").expect("a label");
            let (value, after) = value.split_once('"').expect("a value without quotes");
            labels.push((label, value));
            rest = after.strip_prefix('}').unwrap_or(after);
        }
        self.rest = rest;
        self.samples.sum(name, &labels)
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
