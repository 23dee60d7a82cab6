//! Where panels stand: from left to right, and down when a line is full. Nothing overlaps.

use super::model::{Dashboard, Panel, Row};

/// Grafana's page in columns.
pub const COLUMNS: u32 = 24;

/// A rectangle in Grafana's grid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Columns from the left.
    pub x: u32,
    /// Grid rows from the top.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Grid rows.
    pub height: u32,
}

/// A row with the places of its heading and its panels, each with its id.
#[derive(Clone, PartialEq, Debug)]
pub struct PlacedRow<'a> {
    /// The row.
    pub row: &'a Row,
    /// Unique in the dashboard.
    pub id: u32,
    /// The heading's place.
    pub place: Place,
    /// Id, place and panel.
    pub panels: Vec<(u32, Place, &'a Panel)>,
}

/// Places all panels. Ids count from 1, in order, so that a link to a panel lasts until one is added
/// before it.
pub fn place(dashboard: &Dashboard) -> Vec<PlacedRow<'_>> {
    let (mut y, mut id) = (0, 0);
    let mut next = || {
        id += 1;
        id
    };
    let mut rows = Vec::new();
    for row in &dashboard.rows {
        let heading = Place {
            x: 0,
            y,
            width: COLUMNS,
            height: 1,
        };
        let row_id = next();
        let (places, end) = flow(&row.panels, y + 1);
        let panels = row.panels.iter().zip(places);
        let panels = panels.map(|(panel, place)| (next(), place, panel));
        rows.push(PlacedRow {
            row,
            id: row_id,
            place: heading,
            panels: panels.collect(),
        });
        // What is folded takes no room.
        y = if row.folded { y + 1 } else { end };
    }
    rows
}

/// The places of a row's panels from `y` on, and where they end.
fn flow(panels: &[Panel], mut y: u32) -> (Vec<Place>, u32) {
    let (mut x, mut tallest) = (0, 0);
    let mut places = Vec::new();
    for panel in panels {
        let width = panel.width.min(COLUMNS);
        if x + width > COLUMNS {
            y += tallest;
            (x, tallest) = (0, 0);
        }
        places.push(Place {
            x,
            y,
            width,
            height: panel.height,
        });
        x += width;
        tallest = tallest.max(panel.height);
    }
    (places, y + tallest)
}

#[cfg(test)]
mod tests {
    use super::super::model::{Show, Unit};
    use super::*;

    fn panel(width: u32, height: u32) -> Panel {
        let panel = Panel::new(Show::Lines, Unit::Number, "a", "b");
        panel.wide(width).high(height)
    }

    fn at(x: u32, y: u32, width: u32, height: u32) -> Place {
        Place {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_full_line_goes_on_below_its_tallest_panel() {
        let panels = [panel(12, 4), panel(12, 8), panel(6, 3)];
        let (places, end) = flow(&panels, 1);
        let wanted = [at(0, 1, 12, 4), at(12, 1, 12, 8), at(0, 9, 6, 3)];
        assert_eq!((&places[..], end), (&wanted[..], 12));
    }

    #[test]
    fn a_panel_is_never_wider_than_the_page() {
        let (places, end) = flow(&[panel(30, 2), panel(1, 1)], 0);
        assert_eq!(
            (&places[..], end),
            (&[at(0, 0, 24, 2), at(0, 2, 1, 1)][..], 3)
        );
    }

    #[test]
    fn a_folded_row_takes_one_line() {
        let row = |folded| Row {
            title: "row".to_owned(),
            folded,
            panels: vec![panel(24, 5)],
        };
        let dashboard = Dashboard {
            uid: "u",
            title: "t",
            description: "d",
            variables: vec![],
            annotations: vec![],
            rows: vec![row(true), row(false), row(false)],
        };
        let placed = place(&dashboard);
        let lines: Vec<u32> = placed.iter().map(|row| row.place.y).collect();
        assert_eq!(lines, [0, 1, 7]);
        let ids: Vec<u32> = placed
            .iter()
            .flat_map(|row| std::iter::once(row.id).chain(row.panels.iter().map(|panel| panel.0)))
            .collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    }
}
