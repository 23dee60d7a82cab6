//! The orders of one promise in one task, by key.
//!
//! An open order has a place of its own (about 150 bytes with all that refers to it); a finished
//! one stays as 32 bytes in the table until no record can refer to it any more. Several accepted
//! starts of one key, possible only when the old one is past its horizon on the start's partition
//! but not yet on the end's, form a chain in order of their offsets.

mod saved;

use events::{EventTime, Key, Span};

use super::key_text::KeyText;
use crate::series::SeriesId;
use crate::snapshot::Blocks;
use crate::table::{Identity, KeyMap};

pub use saved::Clocks;

/// An order with a place of its own.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its identity.
    pub key: Key,
    /// Its key as written, cut: only to be shown.
    pub text: KeyText,
    /// When it started.
    pub start: EventTime,
    /// The start's partition clock just before it.
    pub k: EventTime,
    /// The start's offset.
    pub offset: i64,
    /// Its label set.
    pub series: SeriesId,
    /// Whether it was judged, kept or broken.
    pub judged: bool,
    /// The windows that its start came in time for.
    pub in_windows: InWindows,
    /// Closed, and no record can change what is counted of it: what comes is a repeat.
    pub complete: bool,
    /// How it was closed.
    pub closed: Closed,
    /// When it ended, if it was completed.
    pub ended: EventTime,
    /// Counts how often this place was used: queue entries of earlier tenants are void.
    pub generation: u32,
    /// The next accepted start of the same key.
    next: Option<Place>,
}

/// Index of an order's place.
pub type Place = u32;

/// A set of the KPI's windows, by their index: a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InWindows(pub u8);

impl InWindows {
    /// Whether the window with this index is in the set.
    pub fn has(self, window: usize) -> bool {
        self.0 >> window & 1 == 1
    }

    /// Whether all of the first `count` windows are in the set.
    pub fn all(self, count: usize) -> bool {
        (0..count).all(|window| self.has(window))
    }
}

/// Whether and how an order was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Still open.
    No,
    /// By an end, at `Order::ended`.
    Completed,
    /// By a cancel.
    Cancelled,
    /// By the horizon.
    Expired,
}

/// What a key leads to.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// An order with a place.
    At(Place),
    /// A finished one, of this series.
    Finished(SeriesId),
}

/// What the table holds for a key: a place, or a finished order in 20 bytes.
#[derive(Clone, Copy, Debug)]
struct Slot([u32; 5]);

const HAS_PLACE: u32 = u32::MAX;

#[derive(Clone, Copy)]
enum Unpacked {
    Place(Place),
    Finished {
        series: SeriesId,
        start: EventTime,
        k: EventTime,
    },
}

impl Slot {
    fn place(place: Place) -> Slot {
        Slot([HAS_PLACE, place, 0, 0, 0])
    }

    fn finished(series: SeriesId, start: EventTime, k: EventTime) -> Slot {
        let low_high = |time: EventTime| (time.0 as u32, (time.0 >> 32) as u32);
        let ((start_low, start_high), (k_low, k_high)) = (low_high(start), low_high(k));
        Slot([series, start_low, start_high, k_low, k_high])
    }

    fn unpack(self) -> Unpacked {
        let [first, a, b, c, d] = self.0;
        if first == HAS_PLACE {
            return Unpacked::Place(a);
        }
        let time = |low, high| EventTime(i64::from(low) | i64::from(high) << 32);
        Unpacked::Finished {
            series: first,
            start: time(a, b),
            k: time(c, d),
        }
    }
}

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Orders {
    slots: KeyMap<Slot>,
    places: Vec<Order>,
    free: Vec<Place>,
    /// When each step of each place happened; `EventTime::MIN` for not yet.
    step_times: Vec<EventTime>,
    steps: usize,
    open: usize,
    /// How much of the start times one block of a snapshot covers.
    block_length: Span,
    /// What the last snapshot made of blocks of finished orders.
    saved: Blocks,
}

impl Orders {
    /// None yet; each order has this many steps and is remembered for so long.
    pub fn new(steps: usize, lasts: Span) -> Orders {
        Orders {
            slots: KeyMap::default(),
            places: Vec::new(),
            free: Vec::new(),
            step_times: Vec::new(),
            steps,
            open: 0,
            block_length: saved::block_length(lasts),
            saved: Blocks::default(),
        }
    }

    /// The first accepted start of the key, by offset, whose (start, k) satisfies `suits`.
    pub fn first(&self, key: Key, suits: impl Fn(EventTime, EventTime) -> bool) -> Option<Found> {
        match self.slots.get(&Identity(key))?.unpack() {
            Unpacked::Finished { series, start, k } => {
                suits(start, k).then_some(Found::Finished(series))
            }
            Unpacked::Place(place) => {
                let mut next = Some(place);
                while let Some(place) = next {
                    let order = &self.places[place as usize];
                    if suits(order.start, order.k) {
                        return Some(Found::At(place));
                    }
                    next = order.next;
                }
                None
            }
        }
    }

    /// The order at a place.
    pub fn at(&mut self, place: Place) -> &mut Order {
        &mut self.places[place as usize]
    }

    /// When its steps happened.
    pub fn step_times(&mut self, place: Place) -> &mut [EventTime] {
        let first = place as usize * self.steps;
        &mut self.step_times[first..first + self.steps]
    }

    /// Adds an accepted start behind those of the same key.
    pub fn insert(&mut self, start: NewOrder) -> Place {
        let key = start.key;
        let place = self.take_place(start);
        self.open += 1;
        let before = self.slots.insert(Identity(key), Slot::place(place));
        match before.map(Slot::unpack) {
            None => {}
            Some(Unpacked::Place(first)) => {
                self.slots.insert(Identity(key), Slot::place(first));
                self.append(first, place);
            }
            Some(Unpacked::Finished { series, start, k }) => {
                self.touch(start);
                let first = self.take_place(NewOrder {
                    key,
                    text: KeyText::EMPTY,
                    start,
                    k,
                    offset: 0,
                    series,
                    in_windows: InWindows(0),
                });
                let finished = self.at(first);
                finished.closed = Closed::Cancelled;
                finished.judged = true;
                finished.complete = true;
                self.slots.insert(Identity(key), Slot::place(first));
                self.append(first, place);
            }
        }
        place
    }

    /// Marks an order as closed; `compact` may follow.
    pub fn close(&mut self, place: Place, how: Closed) {
        self.at(place).closed = how;
        self.open -= 1;
    }

    /// A closed order is complete: shrinks it to its table entry, if it is the only one of its key.
    pub fn compact(&mut self, place: Place) {
        self.at(place).complete = true;
        let order = &self.places[place as usize];
        if order.next.is_some() {
            return;
        }
        let finished = Slot::finished(order.series, order.start, order.k);
        let slot = self.slots.get_mut(&Identity(order.key));
        let slot = slot.expect("an order with a place is in the table");
        if matches!(slot.unpack(), Unpacked::Place(first) if first == place) {
            *slot = finished;
            self.touch(self.places[place as usize].start);
            self.release_place(place);
        }
    }

    /// Forgets closed orders whose start is no longer `remembered`.
    pub fn forget(&mut self, remembered: impl Fn(EventTime) -> bool) {
        let mut forgotten = Vec::new();
        let places = &mut self.places;
        self.slots.retain(|_, slot| match slot.unpack() {
            Unpacked::Finished { start, .. } => remembered(start),
            Unpacked::Place(first) => {
                let kept = unchain(places, first, &remembered, &mut forgotten);
                *slot = kept.map_or(*slot, Slot::place);
                kept.is_some()
            }
        });
        forgotten
            .into_iter()
            .for_each(|place| self.release_place(place));
    }

    /// The same for one key, so that a key started again and again doesn't grow a long chain.
    pub fn forget_key(&mut self, key: Key, remembered: impl Fn(EventTime) -> bool) {
        let Some(slot) = self.slots.get_mut(&Identity(key)) else {
            return;
        };
        let Unpacked::Place(first) = slot.unpack() else {
            return;
        };
        let mut forgotten = Vec::new();
        match unchain(&mut self.places, first, &remembered, &mut forgotten) {
            Some(kept) => *slot = Slot::place(kept),
            None => drop(self.slots.remove(&Identity(key))),
        }
        forgotten
            .into_iter()
            .for_each(|place| self.release_place(place));
    }

    /// How many are held in memory, open or not.
    pub fn len(&self) -> usize {
        let places = self.places.len() - self.free.len();
        self.slots.len().max(places)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// How many finished ones are remembered.
    pub fn finished(&self) -> usize {
        self.len().saturating_sub(self.open)
    }

    /// An estimate of the bytes of all.
    pub fn bytes(&self) -> usize {
        let place = size_of::<Order>() + self.steps * size_of::<EventTime>();
        self.slots.capacity() * 8 / 7 * (size_of::<(Identity, Slot)>() + 1)
            + self.places.capacity() * place
    }

    /// The open orders.
    pub fn iter_open(&self) -> impl Iterator<Item = (Place, &Order)> {
        let orders = self.places.iter().enumerate();
        let open = |order: &Order| order.closed == Closed::No && order.generation % 2 == 1;
        orders
            .filter(move |entry| open(entry.1))
            .map(|(place, order)| (place as Place, order))
    }

    /// Every remembered order in the order of keys and offsets: (key, series, start, k, place).
    pub fn sorted(&self) -> Vec<(Key, SeriesId, EventTime, EventTime, Option<Place>)> {
        let mut all = Vec::new();
        for (key, slot) in &self.slots {
            match slot.unpack() {
                Unpacked::Finished { series, start, k } => {
                    all.push((key.0, series, start, k, None))
                }
                Unpacked::Place(first) => {
                    let mut next = Some(first);
                    while let Some(place) = next {
                        let order = &self.places[place as usize];
                        all.push((key.0, order.series, order.start, order.k, Some(place)));
                        next = order.next;
                    }
                }
            }
        }
        all.sort_by_key(|entry| entry.0);
        all
    }

    /// The order at a place and its step times, to be read.
    pub fn read(&self, place: Place) -> (&Order, &[EventTime]) {
        let at = place as usize;
        (
            &self.places[at],
            &self.step_times[at * self.steps..][..self.steps],
        )
    }

    fn append(&mut self, first: Place, new: Place) {
        let mut last = first;
        while let Some(next) = self.places[last as usize].next {
            last = next;
        }
        self.places[last as usize].next = Some(new);
    }

    fn take_place(&mut self, new: NewOrder) -> Place {
        let free = self.free.pop();
        let generation = free.map_or(1, |place| self.places[place as usize].generation + 1);
        let NewOrder {
            key,
            text,
            start,
            k,
            offset,
            series,
            in_windows,
        } = new;
        let (judged, complete, closed, next) = (false, false, Closed::No, None);
        let order = Order {
            key,
            text,
            start,
            k,
            offset,
            series,
            judged,
            in_windows,
            complete,
            closed,
            ended: EventTime::MIN,
            generation,
            next,
        };
        match free {
            Some(place) => {
                self.places[place as usize] = order;
                self.step_times(place).fill(EventTime::MIN);
                place
            }
            None => {
                self.places.push(order);
                self.step_times
                    .resize(self.places.len() * self.steps, EventTime::MIN);
                (self.places.len() - 1) as Place
            }
        }
    }

    /// Odd generations are in use, even ones are free.
    fn release_place(&mut self, place: Place) {
        let order = self.at(place);
        order.generation += 1;
        order.text = KeyText::EMPTY;
        order.next = None;
        self.free.push(place);
    }
}

/// Takes closed orders that are not `remembered` out of a chain; returns what it begins with now.
fn unchain(
    places: &mut [Order],
    first: Place,
    remembered: &impl Fn(EventTime) -> bool,
    forgotten: &mut Vec<Place>,
) -> Option<Place> {
    let (mut kept_first, mut kept_last) = (None, None::<Place>);
    let mut next = Some(first);
    while let Some(place) = next {
        let order = &places[place as usize];
        next = order.next;
        if order.closed != Closed::No && !remembered(order.start) {
            forgotten.push(place);
            continue;
        }
        match kept_last {
            None => kept_first = Some(place),
            Some(last) => places[last as usize].next = Some(place),
        }
        kept_last = Some(place);
    }
    if let Some(last) = kept_last {
        places[last as usize].next = None;
    }
    kept_first
}

/// A start that was accepted.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// See `Order`.
    pub key: Key,
    /// See `Order`.
    pub text: KeyText,
    /// See `Order`.
    pub start: EventTime,
    /// See `Order`.
    pub k: EventTime,
    /// See `Order`.
    pub offset: i64,
    /// See `Order`.
    pub series: SeriesId,
    /// See `Order`.
    pub in_windows: InWindows,
}
