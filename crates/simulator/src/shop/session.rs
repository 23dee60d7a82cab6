//! What one visitor does, from the first page to the parcel: told at once, as a list of steps in
//! event time. Delivery to Kafka (order, delays, duplicates) is not decided here.
//!
//! Healthy fulfilment: log-normal with a median near 25 s and a 95th percentile near 48 s, plus a
//! thin Pareto tail; about 98 of 100 orders are done within 60 s.

use events::{EventTime, Span};

use super::chance::Chance;
use super::money::{Currency, EUR, GBP, JPY, KWD, Money};
use super::settings::{Incident, Pace};
use super::write::{Id, Members};

/// Regions with their currency and share of visitors.
const REGIONS: [(&str, Currency, f64); 5] = [
    ("eu-west", EUR, 0.42),
    ("eu-north", EUR, 0.18),
    ("uk", GBP, 0.22),
    ("asia-east", JPY, 0.12),
    ("gulf", KWD, 0.06),
];
const SOURCES: [&str; 5] = ["search", "direct", "social", "email", "paid"];
const ORIGINS: [&str; 4] = ["search", "recommendation", "upsell", "direct"];
const ORIGIN_SHARES: [f64; 4] = [0.45, 0.25, 0.1, 0.2];
const METHODS: [&str; 3] = ["card", "wallet", "invoice"];
const PRODUCTS: u64 = 400;

/// The names of the regions that the shop sells to.
pub fn regions() -> [&'static str; REGIONS.len()] {
    REGIONS.map(|region| region.0)
}

/// Who visits and from where.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Tells this visitor from all others of the run; ids are made of it.
    pub number: u64,
    /// The run of the shop: part of every id.
    pub run: String,
    region: &'static str,
    currency: Currency,
    channel: &'static str,
    device: &'static str,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When.
    pub time: EventTime,
    /// Its event type.
    pub type_name: &'static str,
    /// What only this type has.
    pub detail: Detail,
}

/// The members of `data` that differ by type.
#[derive(Clone, Debug)]
pub enum Detail {
    /// How the visitor came.
    Arrival(&'static str),
    /// A product.
    Product(u64),
    /// A product into the cart.
    Added(Line),
    /// The cart as a whole.
    Cart,
    /// A product's quantity in the cart; `None` where the event has none.
    Changed(u64, Option<u64>),
    /// A payment attempt.
    Payment(&'static str),
    /// The order, its total and its number of items.
    Placed(Money, u64),
    /// The order and nothing more.
    Order,
}

/// A product in a cart.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    product: u64,
    quantity: u64,
    price: Money,
    origin: &'static str,
}

impl Visitor {
    /// A visitor drawn by chance.
    pub fn new(number: u64, run: String, chance: &mut Chance) -> Visitor {
        let (region, currency, _) = REGIONS[chance.weighted(&REGIONS.map(|region| region.2))];
        let app = chance.happens(0.35);
        let device = match chance.weighted(&[0.5, 0.4, 0.1]) {
            0 if !app => "desktop",
            2 => "tablet",
            _ => "mobile",
        };
        let channel = if app { "app" } else { "web" };
        Visitor {
            number,
            run,
            region,
            currency,
            channel,
            device,
        }
    }

    /// CloudEvents `source` of what happens in the visitor's hands.
    pub fn source(&self) -> &'static str {
        if self.channel == "app" {
            "/shop/app"
        } else {
            "/shop/web"
        }
    }

    /// The cart's id.
    pub fn cart_id(&self) -> Id {
        Id::Text(format!("k-{}-{}", self.run, self.number))
    }

    /// The order's id: in the app a number beyond 2^53.
    pub fn order_id(&self) -> Id {
        if self.channel == "app" {
            let run = u64::from_str_radix(&self.run, 16).unwrap_or(0);
            return Id::Number((1 << 62) | (run & 0xff_ffff) << 36 | self.number);
        }
        Id::Text(format!("o-{}-{}", self.run, self.number))
    }

    /// Everything that happens, in the order of the story (times of an order's later events may
    /// pass each other).
    pub fn story(
        &self,
        begin: EventTime,
        incident: Option<&Incident>,
        chance: &mut Chance,
    ) -> Vec<Happening> {
        let mut story = Story {
            time: begin,
            happenings: Vec::with_capacity(16),
        };
        let source = *chance.one_of(&SOURCES);
        story.tell("session.started", Detail::Arrival(source));
        for _ in 0..=chance.below(2) {
            story.wait(chance.uniform(1.0, 12.0));
            story.tell("product.viewed", Detail::Product(chance.below(PRODUCTS)));
        }
        if chance.happens(0.3) {
            return story.happenings;
        }
        let lines = self.fill_cart(&mut story, chance);
        if lines.is_empty() || chance.happens(0.45) {
            return story.happenings;
        }
        story.wait(chance.uniform(1.0, 20.0));
        story.tell("checkout.started", Detail::Cart);
        if chance.happens(0.15) {
            return story.happenings;
        }
        let hit = incident.filter(|it| it.region.is_none_or(|region| region == self.region));
        order(&mut story, &lines, self.currency, hit, chance);
        story.happenings
    }

    fn fill_cart(&self, story: &mut Story, chance: &mut Chance) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..=chance.below(3) {
            let product = chance.below(PRODUCTS);
            let line = Line {
                product,
                quantity: 1 + chance.below(3),
                price: Money::about(199 + product * 37 % 9000, self.currency),
                origin: ORIGINS[chance.weighted(&ORIGIN_SHARES)],
            };
            story.wait(chance.uniform(1.0, 15.0));
            story.tell("cart.item_added", Detail::Added(line));
            lines.push(line);
        }
        if chance.happens(0.6) {
            story.wait(chance.uniform(0.5, 8.0));
            story.tell("cart.viewed", Detail::Cart);
        }
        let last = lines.len() - 1;
        let product = lines[last].product;
        match chance.weighted(&[0.7, 0.12, 0.12, 0.06]) {
            1 => {
                let quantity = 1 + chance.below(5);
                story.wait(chance.uniform(0.5, 8.0));
                story.tell(
                    "cart.quantity_changed",
                    Detail::Changed(product, Some(quantity)),
                );
                set_quantity(&mut lines, product, quantity);
            }
            2 => {
                story.wait(chance.uniform(0.5, 8.0));
                story.tell("cart.item_removed", Detail::Changed(product, None));
                set_quantity(&mut lines, product, 0);
            }
            3 => {
                story.wait(chance.uniform(0.5, 8.0));
                story.tell("cart.item_saved_for_later", Detail::Changed(product, None));
                set_quantity(&mut lines, product, 0);
            }
            _ => {}
        }
        lines
    }

    /// Writes `data` for one happening.
    pub fn write(&self, happening: &Happening, data: &mut Members<'_>) {
        match &happening.detail {
            Detail::Arrival(source) => data.text("source", source),
            Detail::Product(product) => data.text("product_id", &format!("p-{product}")),
            Detail::Added(line) => data
                .id("cart_id", &self.cart_id())
                .text("product_id", &format!("p-{}", line.product))
                .number("quantity", line.quantity)
                .money("unit_price", line.price)
                .text("currency", self.currency.code)
                .text("origin", line.origin),
            Detail::Cart => data.id("cart_id", &self.cart_id()),
            Detail::Changed(product, quantity) => {
                data.id("cart_id", &self.cart_id())
                    .text("product_id", &format!("p-{product}"));
                match quantity {
                    Some(quantity) => data.number("quantity", *quantity),
                    None => data,
                }
            }
            Detail::Payment(method) => {
                data.id("order_id", &self.order_id())
                    .id("cart_id", &self.cart_id())
                    .text("method", method);
                match happening.type_name {
                    "payment.failed" => data.text("reason", "declined"),
                    _ => data,
                }
            }
            Detail::Placed(total, items) => data
                .id("order_id", &self.order_id())
                .id("cart_id", &self.cart_id())
                .money("total", *total)
                .text("currency", self.currency.code)
                .number("items", *items),
            Detail::Order => data
                .id("order_id", &self.order_id())
                .id("cart_id", &self.cart_id()),
        };
        data.text("session_id", &format!("s-{}-{}", self.run, self.number))
            .text("customer_id", &format!("c-{}", self.number % 50_021))
            .text("region", self.region)
            .text("channel", self.channel)
            .text("device", self.device);
    }
}

fn set_quantity(lines: &mut Vec<Line>, product: u64, quantity: u64) {
    let price = lines
        .iter()
        .rev()
        .find(|line| line.product == product)
        .copied();
    lines.retain(|line| line.product != product);
    if let (Some(line), true) = (price, quantity > 0) {
        lines.push(Line { quantity, ..line });
    }
}

/// The order's own life: placed, paid, picked, fulfilled or cancelled.
fn order(
    story: &mut Story,
    lines: &[Line],
    currency: Currency,
    incident: Option<&Incident>,
    chance: &mut Chance,
) {
    let method = *chance.one_of(&METHODS);
    story.wait(chance.uniform(2.0, 25.0));
    if chance.happens(0.04) {
        story.tell("payment.failed", Detail::Payment(method));
        if chance.happens(0.4) {
            return;
        }
        story.wait(chance.uniform(2.0, 20.0));
    }
    let units = lines
        .iter()
        .map(|line| line.quantity * line.price.units)
        .sum();
    let items = lines.iter().map(|line| line.quantity).sum();
    let placed = story.time;
    story.tell(
        "order.placed",
        Detail::Placed(Money { units, currency }, items),
    );
    let work = if chance.happens(0.007) {
        chance.pareto(45.0, 1.5, 900.0)
    } else {
        chance.log_normal(24.5, 0.4)
    };
    let paying = share_of(work, chance.share(0.02, 0.15));
    story.time = placed + paying;
    story.tell("payment.authorized", Detail::Payment(method));
    let paid = story.time;
    let finish = |work: Span| match incident {
        Some(incident) => incident.done_at(paid, work),
        None => paid + work,
    };
    if chance.happens(0.01) {
        let wait = chance.uniform(3.0, 40.0);
        story.time = match incident {
            Some(incident) if incident.pace == Pace::Stopped => incident.done_at(paid, wait),
            _ => paid + wait,
        };
        story.tell("order.cancelled", Detail::Order);
        return;
    }
    let rest = work.0 - paying.0;
    story.time = finish(share_of(Span(rest), chance.share(0.35, 0.75)));
    story.tell("order.picked", Detail::Order);
    story.time = finish(Span(rest));
    story.tell("order.fulfilled", Detail::Order);
}

fn share_of(span: Span, share: f64) -> Span {
    Span((span.0 as f64 * share) as i64)
}

struct Story {
    time: EventTime,
    happenings: Vec<Happening>,
}

impl Story {
    fn wait(&mut self, span: Span) {
        self.time = self.time + span;
    }

    fn tell(&mut self, type_name: &'static str, detail: Detail) {
        let time = super::write::to_milliseconds(self.time);
        self.happenings.push(Happening {
            time,
            type_name,
            detail,
        });
    }
}
