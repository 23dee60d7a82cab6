//! The canonical event types and their `data` fields (design, section 2.2), as data.
//!
//! Other types are allowed: a catalogue file may follow any. What is known here tells which entity
//! keys may be missing, catches misspelt types, and lets `kept produce` validate events.

/// One canonical type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CanonicalType {
    /// The CloudEvents `type`.
    pub name: &'static str,
    /// Members of `data` that every event of the type has.
    pub required: &'static [&'static str],
    /// Members that it may have, besides `COMMON_FIELDS`.
    pub optional: &'static [&'static str],
}

impl CanonicalType {
    /// Whether every event of the type has this member of `data`.
    pub fn requires(&self, field: &str) -> bool {
        self.required.contains(&field)
    }
}

/// Members of `data` that any event may have.
pub const COMMON_FIELDS: [&str; 5] = ["session_id", "customer_id", "channel", "device", "region"];

/// All canonical types, by topic of interest.
pub fn types() -> &'static [CanonicalType] {
    &TYPES
}

/// The canonical type of this name.
pub fn of(name: &str) -> Option<&'static CanonicalType> {
    TYPES.iter().find(|known| known.name == name)
}

const fn known(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> CanonicalType {
    CanonicalType {
        name,
        required,
        optional,
    }
}

/// Where it was shown: a campaign or a placement, one of the two.
const SHOWN: &[&str] = &["campaign", "placement"];
const SHIPMENT: &[&str] = &["shipment_id", "carrier"];
const TEAM: &[&str] = &["team_id", "size", "product_id"];
const TEAM_OPTIONAL: &[&str] = &["seller_id", "saving", "currency"];
const SUBSCRIPTION: &[&str] = &["subscription_id", "monthly", "currency"];
const PREVIOUS: &[&str] = &["previous_monthly"];

const TYPES: [CanonicalType; 54] = [
    known("session.started", &["source"], &["campaign", "new_visitor"]),
    known("page.viewed", &["page_type"], &[]),
    known("page.loaded", &["page_type", "duration_ms"], &[]),
    known("promotion.viewed", &[], SHOWN),
    known("promotion.clicked", &[], SHOWN),
    known("recommendation.shown", &[], SHOWN),
    known("recommendation.clicked", &[], SHOWN),
    known("email.sent", &[], SHOWN),
    known("email.opened", &[], SHOWN),
    known("email.clicked", &[], SHOWN),
    known("product.searched", &[], &["results"]),
    known(
        "product.viewed",
        &["product_id"],
        &["category", "seller_id"],
    ),
    known(
        "cart.item_added",
        &[
            "cart_id",
            "product_id",
            "quantity",
            "unit_price",
            "currency",
            "origin",
        ],
        &["seller_id"],
    ),
    known("cart.viewed", &["cart_id"], &[]),
    known(
        "cart.quantity_changed",
        &["cart_id", "product_id", "quantity"],
        &[],
    ),
    known(
        "cart.item_removed",
        &["cart_id", "product_id"],
        &["quantity"],
    ),
    known(
        "cart.item_saved_for_later",
        &["cart_id", "product_id"],
        &["quantity"],
    ),
    known("checkout.started", &["cart_id"], &[]),
    known("checkout.step_completed", &["cart_id", "step"], &[]),
    known("checkout.failed", &["cart_id", "reason"], &[]),
    known("payment.authorized", &["order_id", "method"], &["cart_id"]),
    known(
        "payment.failed",
        &["order_id", "method", "reason"],
        &["cart_id"],
    ),
    known(
        "order.placed",
        &["order_id", "total", "currency", "items"],
        &["cart_id", "first_order", "team_id", "origin"],
    ),
    known("order.picked", &["order_id"], SHIPMENT),
    known("order.fulfilled", &["order_id"], SHIPMENT),
    known("order.shipped", &["order_id"], SHIPMENT),
    known("order.delivered", &["order_id"], SHIPMENT),
    known(
        "order.cancelled",
        &["order_id"],
        &["shipment_id", "carrier", "reason"],
    ),
    known("order.refunded", &["order_id", "amount", "currency"], &[]),
    known("team.opened", TEAM, TEAM_OPTIONAL),
    known(
        "team.shared",
        TEAM,
        &["seller_id", "network", "saving", "currency"],
    ),
    known(
        "team.joined",
        TEAM,
        &["seller_id", "new_customer", "saving", "currency"],
    ),
    known("team.completed", TEAM, TEAM_OPTIONAL),
    known("team.expired", TEAM, TEAM_OPTIONAL),
    known("subscription.started", SUBSCRIPTION, PREVIOUS),
    known("subscription.activated", SUBSCRIPTION, PREVIOUS),
    known("subscription.changed", SUBSCRIPTION, PREVIOUS),
    known("subscription.cancelled", SUBSCRIPTION, PREVIOUS),
    known("survey.answered", &["kind", "score"], &[]),
    known("review.submitted", &["rating"], &[]),
    known("seller.joined", &["seller_id"], &[]),
    known("seller.left", &["seller_id"], &[]),
    known("creator.joined", &["creator_id"], &[]),
    known("creator.posted", &["creator_id"], &[]),
    known("creator.left", &["creator_id"], &[]),
    known("member.joined", &["member_id"], &[]),
    known("member.left", &["member_id"], &[]),
    known("prospect.qualified", &["account_id"], &[]),
    known("integration.attempted", &["outcome"], &["account_id"]),
    known(
        "account.category_adopted",
        &["account_id", "category", "categories_purchased"],
        &[],
    ),
    known(
        "marketing.spend_recorded",
        &["amount", "currency", "source"],
        &[],
    ),
    known("fraud.flagged", &["order_id"], &[]),
    known("fraud.confirmed", &["order_id"], &[]),
    known("fraud.cleared", &["order_id"], &[]),
];
