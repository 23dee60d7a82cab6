//! Funnels from their definition (DESIGN 3.10): the events of one key in offset order, played
//! through by hand. A funnel lives on one topic-partition, so keys don't touch each other.

use std::collections::{BTreeMap, HashMap};

use catalogue::plan::{CartValue, FieldId, Funnel, FunnelMode, Kpi, Selector};
use events::{EventTime, Span};

use super::LabelValues;
use super::count::decimal;
use super::intake::{Intake, Taken, funnel_selectors, selects};
use super::place::Contribution;

/// A label set of a funnel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpectedFunnel {
    /// One per stage.
    pub reached: Vec<u64>,
    /// Ended with the last stage counted.
    pub converted: u64,
    /// Ended otherwise, by the last stage counted.
    pub abandoned: Vec<u64>,
    /// Returns of abandoned ones.
    pub recovered: u64,
    /// From the stage before; one per stage but the first.
    pub steps: Vec<Vec<Span>>,
    /// Not ended at V.
    pub open: u64,
    /// Left behind when abandoned, by currency, in units of 10^-9.
    pub value: BTreeMap<String, i128>,
    /// By window and stage.
    pub in_window: Vec<Vec<u64>>,
}

/// One cart, session, or whatever the funnel follows.
struct Entity {
    labels: LabelValues,
    stages: Vec<Option<EventTime>>,
    latest: EventTime,
    products: BTreeMap<String, Product>,
    ended: bool,
}

/// A line of the cart: its quantity and, once known, unit price and currency.
#[derive(Default)]
struct Product {
    quantity: i128,
    price: Option<(i128, String)>,
}

/// What the definitions say, and the picture so far.
struct Play<'a> {
    kpi: &'a Kpi,
    funnel: &'a Funnel,
    display: EventTime,
    series: BTreeMap<LabelValues, ExpectedFunnel>,
    dropped: u64,
    field_errors: BTreeMap<FieldId, u64>,
}

/// Every label set of a funnel, and how many contributions came too late for a window.
pub fn expect(
    kpi: &Kpi,
    funnel: &Funnel,
    intakes: &[Intake<'_>],
    display: EventTime,
) -> (BTreeMap<LabelValues, ExpectedFunnel>, u64) {
    let play = Play::of(kpi, funnel, intakes, display);
    (play.series, play.dropped)
}

/// How many changes of lines were dropped for a field that can't be read, by field.
pub fn field_errors(kpi: &Kpi, funnel: &Funnel, intakes: &[Intake<'_>]) -> BTreeMap<FieldId, u64> {
    Play::of(kpi, funnel, intakes, EventTime::MIN).field_errors
}

impl<'a> Play<'a> {
    /// All of it.
    fn of(
        kpi: &'a Kpi,
        funnel: &'a Funnel,
        intakes: &[Intake<'_>],
        display: EventTime,
    ) -> Play<'a> {
        let mut play = Play {
            kpi,
            funnel,
            display,
            series: BTreeMap::new(),
            dropped: 0,
            field_errors: BTreeMap::new(),
        };
        for intake in intakes.iter().filter(|intake| intake.topic == funnel.topic) {
            let mut by_key: HashMap<&str, Vec<&Taken<'_>>> = HashMap::new();
            for taken in &intake.taken {
                if let Some(key) = taken.event.field(funnel.key).key()
                    && play.follows(taken)
                {
                    by_key.entry(key).or_default().push(taken);
                }
            }
            for events in by_key.values() {
                play.play(intake, events);
            }
        }
        play
    }

    fn follows(&self, taken: &Taken<'_>) -> bool {
        let mut selectors = funnel_selectors(self.funnel).into_iter();
        selectors.any(|selector| selects(selector, taken.event))
    }

    fn deadline(&self, entity: &Entity) -> EventTime {
        entity.latest + self.funnel.idle_timeout + self.funnel.lateness
    }

    fn series(&mut self, labels: &LabelValues) -> &mut ExpectedFunnel {
        let (kpi, funnel) = (self.kpi, self.funnel);
        let empty = || ExpectedFunnel::new(kpi, funnel);
        self.series.entry(labels.clone()).or_insert_with(empty)
    }

    /// All events of one key.
    fn play(&mut self, intake: &Intake<'_>, events: &[&Taken<'_>]) {
        let mut current: Option<Entity> = None;
        for taken in events {
            if let Some(entity) = &mut current {
                self.end_if_passed(entity, taken.clock);
                let deadline = self.deadline(entity);
                if entity.ended && taken.clock > deadline + self.funnel.recover {
                    current = None;
                } else if entity.ended && entity.is_converted() {
                    continue;
                } else if entity.ended {
                    entity.ended = false;
                    self.series(&entity.labels).recovered += 1;
                }
            }
            let mut entity = current.take().unwrap_or_else(|| Entity {
                labels: intake.labels(taken.event, &self.kpi.by),
                stages: vec![None; self.funnel.stages.len()],
                latest: taken.event.time,
                products: BTreeMap::new(),
                ended: false,
            });
            self.count_stages(&mut entity, taken);
            if entity.stages.iter().any(Option::is_some) {
                entity.latest = entity.latest.max(taken.event.time);
                self.make_value_series(&entity, taken);
                self.change_value(&mut entity, taken);
                self.count_errors(taken);
                current = Some(entity);
            }
        }
        if let Some(entity) = &mut current {
            self.end_if_passed(entity, intake.clock);
            self.series(&entity.labels).open += u64::from(!entity.ended);
        }
    }

    fn count_stages(&mut self, entity: &mut Entity, taken: &Taken<'_>) {
        for (index, stage) in self.funnel.stages.iter().enumerate() {
            let time = taken.event.time;
            let before = index.checked_sub(1).map(|before| entity.stages[before]);
            let in_order = match (self.funnel.mode, before) {
                (FunnelMode::Reached, _) | (_, None) => true,
                (FunnelMode::Ordered, Some(before)) => before.is_some_and(|it| time >= it),
            };
            if !selects(&stage.event, taken.event) || entity.stages[index].is_some() || !in_order {
                continue;
            }
            entity.stages[index] = Some(time);
            let lateness = self.funnel.lateness;
            let contribution = Contribution {
                time,
                k: taken.k,
                lateness,
            };
            let (kpi, display) = (self.kpi, self.display);
            self.dropped += u64::from(contribution.is_late_somewhere(kpi));
            let series = self.series(&entity.labels);
            series.reached[index] += 1;
            if let Some(Some(before)) = before {
                series.steps[index - 1].push((time - before).max(Span::ZERO));
            }
            for (shown, window) in series.in_window.iter_mut().zip(&kpi.windows) {
                shown[index] += u64::from(contribution.is_shown(kpi, window, display));
            }
        }
    }

    fn end_if_passed(&mut self, entity: &mut Entity, clock: EventTime) {
        if entity.ended || clock <= self.deadline(entity) {
            return;
        }
        entity.ended = true;
        let series = self.series(&entity.labels);
        if entity.is_converted() {
            series.converted += 1;
            return;
        }
        let last = entity.stages.iter().rposition(Option::is_some);
        series.abandoned[last.expect("an entity has a stage")] += 1;
        for product in entity.products.values() {
            if let Some((price, currency)) = &product.price
                && product.quantity > 0
            {
                *series.value.entry(currency.clone()).or_default() += product.quantity * price;
            }
        }
    }

    /// A label set has all series of its KPI (DESIGN 2.4): with the first price in a currency the
    /// value left behind in that currency, at 0.
    fn make_value_series(&mut self, entity: &Entity, taken: &Taken<'_>) {
        let Some(value) = &self.funnel.value else {
            return;
        };
        let event = taken.event;
        let readable = event.field(value.product).text().is_some()
            && decimal(event.field(value.price)).is_some();
        if selects(&value.add, event)
            && readable
            && let Some(currency) = event.field(value.currency).text()
        {
            let series = self.series(&entity.labels);
            series.value.entry(currency.to_owned()).or_default();
        }
    }

    /// Each change of a line that the event tells has at most one field that can't be read.
    fn count_errors(&mut self, taken: &Taken<'_>) {
        let Some(value) = &self.funnel.value else {
            return;
        };
        let changes = [
            (Some(&value.add), Some(1)),
            (value.set.as_ref(), None),
            (value.remove.as_ref(), Some(0)),
        ];
        for (selector, missing) in changes {
            let is_meant = |selector: &Selector| selects(selector, taken.event);
            if !selector.is_some_and(is_meant) {
                continue;
            }
            let is_added = missing == Some(1);
            if let Some(field) = bad_field(value, taken, missing, is_added) {
                *self.field_errors.entry(field).or_default() += 1;
            }
        }
    }

    fn change_value(&self, entity: &mut Entity, taken: &Taken<'_>) {
        let Some(value) = &self.funnel.value else {
            return;
        };
        let event = taken.event;
        let Some(product) = event.field(value.product).text() else {
            return;
        };
        let quantity = event
            .field(value.quantity)
            .text()
            .and_then(|it| it.parse::<i128>().ok());
        let is = |selector: &Option<_>| selector.as_ref().is_some_and(|it| selects(it, event));
        if selects(&value.add, event) {
            let line = entity.products.entry(product.to_owned()).or_default();
            add_line(line, value, taken, quantity.unwrap_or(1));
        } else if let Some(line) = entity.products.get_mut(product) {
            if is(&value.set) {
                line.quantity = quantity.unwrap_or(line.quantity);
            } else if is(&value.remove) {
                line.quantity = quantity.unwrap_or(0);
            }
        }
    }
}

/// The first field of a line that can't be read. `missing`: the quantity of a line without one.
fn bad_field(
    value: &CartValue,
    taken: &Taken<'_>,
    missing: Option<i128>,
    is_added: bool,
) -> Option<FieldId> {
    let of = |field: FieldId| taken.event.field(field);
    if of(value.product).key().is_none() {
        return Some(value.product);
    }
    let quantity = of(value.quantity).text();
    let is_good = match quantity {
        None => missing.is_some(),
        Some(_) => decimal(of(value.quantity)).is_some_and(|it| it >= 0),
    };
    if !is_good {
        return Some(value.quantity);
    }
    if !is_added {
        return None;
    }
    if of(value.price).text().is_none() {
        return Some(value.price);
    }
    if of(value.currency).text().is_none() {
        return Some(value.currency);
    }
    let is_price = decimal(of(value.price)).is_some_and(|it| it >= 0);
    (!is_price).then_some(value.price)
}

fn add_line(line: &mut Product, value: &CartValue, taken: &Taken<'_>, quantity: i128) {
    let price = decimal(taken.event.field(value.price));
    let currency = taken.event.field(value.currency).text();
    if let (Some(price), Some(currency)) = (price, currency) {
        line.quantity += quantity;
        line.price = Some((price, currency.to_owned()));
    }
}

impl Entity {
    fn is_converted(&self) -> bool {
        self.stages.last().is_some_and(Option::is_some)
    }
}

impl ExpectedFunnel {
    fn new(kpi: &Kpi, funnel: &Funnel) -> ExpectedFunnel {
        let stages = funnel.stages.len();
        ExpectedFunnel {
            reached: vec![0; stages],
            converted: 0,
            abandoned: vec![0; stages],
            recovered: 0,
            steps: vec![Vec::new(); stages - 1],
            open: 0,
            value: BTreeMap::new(),
            in_window: vec![vec![0; stages]; kpi.windows.len()],
        }
    }
}
