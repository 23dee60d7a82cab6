//! Kind `funnel`: an entity through stages, on one topic-partition, in offset order (DESIGN 3.10).
//!
//! An entity begins with its first counted stage and ends when its partition's clock passes its
//! latest event + idle timeout + lateness: converted if the last stage was counted, else
//! abandoned. It is remembered for `recover` longer: an event of an abandoned one is a return
//! (counted, and the entity is open again with the stages it had), one of a converted one changes
//! nothing. Every ending is counted, so abandoned - recovered are the ones away now.

mod entity;
mod saved;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use catalogue::plan::{FieldId, Funnel, FunnelMode, Limits, Window};
use events::{Event, EventTime, KafkaTime, Key};

use crate::count::encode_amounts;
use crate::dictionary::Dictionary;
use crate::encode::Encoder;
use crate::field_errors::FieldErrors;
use crate::panes::{Panes, Reach, SavedPanes};
use crate::refused::{EntityLimit, Refused};
use crate::series::{By, SeriesTable};
use crate::snapshot::Blocks;
use crate::table::{Identity, KeyMap};
use crate::uses::{FunnelPart, matches};
use crate::view::{FunnelSeries, Histogram};
use entity::{Entity, Line, NotTaken, Series, State, change_line, end, reach_stage};

/// See the file's header.
#[derive(Clone, Debug)]
pub struct FunnelState {
    rule: Funnel,
    windows: Vec<Window>,
    reach: Reach,
    open_limit: usize,
    remembered_limit: usize,
    /// Entities that have not ended.
    open: usize,
    /// Lines of all carts.
    lines: usize,
    entities: KeyMap<Entity>,
    /// Open entities by when to look at them again, each once at most.
    due: BinaryHeap<Reverse<(EventTime, Identity)>>,
    forgotten_at: EventTime,
    series: SeriesTable<Series>,
    window_dropped: u64,
    field_errors: FieldErrors,
    refused: Refused,
    saved_panes: SavedPanes,
    /// What the last snapshot made of ended entities.
    saved_entities: Blocks,
}

/// What an event is to a funnel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// It reaches this stage.
    Stage(usize),
    /// It keeps the entity alive.
    Touch,
    /// It adds a product.
    Add,
    /// It sets the quantity of a product.
    Set,
    /// It takes a product out, or leaves `quantity` of it.
    Remove,
}

impl FunnelState {
    /// Before the first event; with room for so many label sets.
    pub fn new(
        rule: &Funnel,
        windows: &[Window],
        reach: Reach,
        limits: &Limits,
        label_sets: u64,
    ) -> FunnelState {
        let fields = rule
            .value
            .iter()
            .flat_map(|value| [value.product, value.quantity, value.price, value.currency]);
        let fields: Vec<FieldId> = fields.collect();
        FunnelState {
            rule: rule.clone(),
            windows: windows.to_vec(),
            reach,
            open_limit: limits.open_entities,
            remembered_limit: limits.remembered_entities,
            open: 0,
            lines: 0,
            entities: KeyMap::default(),
            due: BinaryHeap::new(),
            forgotten_at: EventTime::MIN,
            series: SeriesTable::new(label_sets),
            window_dropped: 0,
            field_errors: FieldErrors::of(&fields),
            refused: Refused::by(&[
                EntityLimit::Open,
                EntityLimit::Remembered,
                EntityLimit::Lines,
            ]),
            saved_panes: SavedPanes::new(windows),
            saved_entities: Blocks::default(),
        }
    }

    /// An event, its partition's clock just before it (k) and just after it, and what it is to
    /// this funnel if the filters hold. The event itself shows how much time went by: a cart that
    /// comes back to a silent partition was abandoned all the same.
    pub fn take(
        &mut self,
        event: &Event<'_>,
        parts: &[FunnelPart],
        (k, clock): (EventTime, EventTime),
        kafka: KafkaTime,
        by: By,
    ) {
        let parts = parts
            .iter()
            .filter(|part| matches(&part.1, event))
            .map(|part| part.0);
        if parts.clone().next().is_none() {
            return;
        }
        let Some(key) = event
            .field(self.rule.key)
            .key()
            .map(|key| Identity(Key::of(key)))
        else {
            return;
        };
        self.advance(clock);
        let known = self.entities.get(&key);
        if let Some(entity) = known.filter(|known| clock > self.remembered_until(known)) {
            let block = saved::block_of(&self.rule, entity.latest);
            self.saved_entities.touch(block);
            if let Some(gone) = self.entities.remove(&key) {
                self.lines -= gone.lines.len();
            }
        }
        if !self.entities.contains_key(&key) && !self.begin(key, parts.clone(), clock, kafka, by) {
            return;
        }
        self.apply(key, event, parts, k);
        // An event far behind the clock opens nothing: its entity has fallen silent already.
        self.advance(clock);
    }

    /// An event of an entity that is there.
    fn apply(
        &mut self,
        key: Identity,
        event: &Event<'_>,
        parts: impl Iterator<Item = Part>,
        k: EventTime,
    ) {
        self.saved_panes.touch(event.time);
        let entity = self
            .entities
            .get_mut(&key)
            .expect("it was there or begun just above");
        let series = self.series.state(entity.series);
        match entity.state {
            State::Converted => return,
            State::Abandoned => {
                let block = saved::block_of(&self.rule, entity.latest);
                self.saved_entities.touch(block);
                entity.state = State::Open;
                series.recovered += 1;
                series.open += 1;
                self.open += 1;
            }
            State::Open => {}
        }
        entity.latest = entity.latest.max(event.time);
        let lines = entity.lines.len();
        for part in parts {
            match part {
                Part::Stage(stage) => {
                    let late =
                        reach_stage(entity, series, &self.rule, stage, event.time, k, self.reach);
                    self.window_dropped += u64::from(late);
                }
                Part::Touch => {}
                Part::Add | Part::Set | Part::Remove => {
                    match change_line(entity, series, &self.rule, part, event) {
                        Ok(()) => {}
                        Err(NotTaken::Malformed(field)) => self.field_errors.add(field),
                        Err(NotTaken::Full) => self.refused.add(EntityLimit::Lines),
                    }
                }
            }
        }
        self.lines += entity.lines.len() - lines;
        if !entity.queued {
            entity.queued = true;
            let due = entity.latest + self.rule.idle_timeout + self.rule.lateness;
            self.due.push(Reverse((due, key)));
        }
    }

    /// The partition's clock went on: ends what fell silent.
    pub fn advance(&mut self, clock: EventTime) {
        while let Some(Reverse((due, key))) = self.due.peek().copied() {
            if clock <= due {
                break;
            }
            self.due.pop();
            let Some(entity) = self.entities.get_mut(&key) else {
                continue;
            };
            let deadline = entity.latest + self.rule.idle_timeout + self.rule.lateness;
            if deadline > due {
                self.due.push(Reverse((deadline, key)));
            } else if entity.state == State::Open {
                entity.queued = false;
                self.open -= 1;
                let block = saved::block_of(&self.rule, entity.latest);
                self.saved_entities.touch(block);
                let lines = entity.lines.len();
                end(entity, self.series.state(entity.series));
                self.lines -= lines - entity.lines.len();
            }
        }
    }

    /// Frees what the clock has passed; logically it is gone already.
    pub fn forget(&mut self, clock: EventTime) {
        for series in self.series.states() {
            series
                .panes
                .iter_mut()
                .flatten()
                .for_each(|panes| panes.forget(clock, self.reach));
        }
        self.forget_entities(clock, 16);
    }

    /// Whether a full table has room again.
    fn made_room(&mut self, clock: EventTime) -> bool {
        self.forget_entities(clock, 64);
        self.entities.len() < self.remembered_limit
    }

    /// Frees entities that are logically gone, at most so many times while one is remembered.
    fn forget_entities(&mut self, clock: EventTime, times: i64) {
        let lasts = saved::lasts(&self.rule);
        if (clock - self.forgotten_at).0 >= lasts.0 / times {
            let lines = &mut self.lines;
            self.entities.retain(|_, entity| {
                let remembered = clock <= entity.latest + lasts;
                *lines -= if remembered { 0 } else { entity.lines.len() };
                remembered
            });
            self.forgotten_at = clock;
            let oldest = saved::block_of(&self.rule, clock - lasts);
            self.saved_entities.touch_before(oldest + 1);
        }
    }

    /// What is published at a display time.
    pub fn view(&mut self, display: EventTime, dictionaries: &[&Dictionary]) -> Vec<FunnelSeries> {
        self.series
            .view(dictionaries, |labels, created, series| FunnelSeries {
                labels,
                created,
                reached: series.reached.clone(),
                converted: series.converted,
                abandoned: series.abandoned.clone(),
                recovered: series.recovered,
                steps: series.steps.clone(),
                open: series.open,
                value: series.value.clone(),
                in_window: series
                    .panes
                    .iter()
                    .map(|stages| {
                        let count =
                            |panes: &Panes<u64>| panes.window(display).map(|pane| pane.1).sum();
                        stages.iter().map(count).collect()
                    })
                    .collect(),
            })
    }

    /// Malformed products, quantities, prices and currencies.
    pub fn field_errors(&self) -> &FieldErrors {
        &self.field_errors
    }

    /// Contributions to windows that came too late for them.
    pub fn window_dropped(&self) -> u64 {
        self.window_dropped
    }

    /// Overflowed dimension values.
    pub fn overflow(&self, dimensions: usize) -> Vec<u64> {
        self.series.overflow(dimensions)
    }

    /// Entities remembered, and their bytes.
    pub fn memory(&self) -> (usize, usize) {
        let each = size_of::<(Identity, Entity)>() + 8 * self.rule.stages.len() + 48;
        let of_series = |series: &Series| {
            let panes = series.panes.iter().flatten().map(|panes| panes.bytes(0));
            let steps = series.steps.iter().map(Histogram::bytes);
            panes.chain(steps).sum()
        };
        // A list that grows by doubling is half to fully used, and short ones less.
        let lines = self.lines * size_of::<Line>() * 2;
        let due = self.due.capacity() * size_of::<(EventTime, Identity)>();
        let entities = self.entities.capacity() * 8 / 7 * each;
        let bytes = entities + lines + due + self.series.bytes(of_series);
        (self.entities.len(), bytes)
    }

    /// False once a limit was hit.
    pub fn exact(&self) -> bool {
        self.refused.is_none()
    }

    /// Events that found no room.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Writes the state at the clock of its partition.
    pub fn encode(&self, clock: EventTime, out: &mut Encoder) {
        self.refused.encode(out);
        out.unsigned(self.window_dropped);
        self.field_errors.encode(out);
        self.series.encode(out, |series, out| {
            let counts = series.reached.iter().chain(&series.abandoned);
            counts.for_each(|count| out.unsigned(*count));
            out.unsigned(series.converted);
            out.unsigned(series.recovered);
            out.unsigned(series.open);
            series.steps.iter().for_each(|step| step.encode(out));
            encode_amounts(&series.value, out);
            for panes in series.panes.iter().flatten() {
                panes.encode(clock, self.reach, out, |count, out| out.unsigned(*count));
            }
        });
        let remembered = |entity: &Entity| clock <= self.remembered_until(entity);
        let mut live: Vec<_> = self
            .entities
            .iter()
            .filter(|entry| remembered(entry.1))
            .collect();
        live.sort_unstable_by_key(|entry| entry.0);
        for (key, entity) in live {
            out.key(key.0);
            out.dimensions(self.series.dimensions(entity.series));
            out.unsigned(u64::from(entity.counted));
            out.unsigned(entity.state as u64);
            out.time(entity.latest);
            entity.stage_times.iter().for_each(|time| out.time(*time));
            out.length(entity.lines.len());
            for line in &entity.lines {
                out.key(line.product);
                out.wide(line.quantity);
                encode_amounts(line.price.as_slice(), out);
            }
        }
    }

    /// The last instant of the clock at which an event still belongs to this entity.
    fn remembered_until(&self, entity: &Entity) -> EventTime {
        entity.latest + saved::lasts(&self.rule)
    }

    /// Makes an entity if the event can begin one and there is room.
    fn begin(
        &mut self,
        key: Identity,
        mut parts: impl Iterator<Item = Part>,
        clock: EventTime,
        kafka: KafkaTime,
        by: By,
    ) -> bool {
        let begins = |part: Part| match (part, self.rule.mode) {
            (Part::Stage(stage), FunnelMode::Ordered) => stage == 0,
            (Part::Stage(_), FunnelMode::Reached) => true,
            _ => false,
        };
        if !parts.any(begins) {
            return false;
        }
        let full = self.entities.len() >= self.remembered_limit && !self.made_room(clock);
        if full || self.open >= self.open_limit {
            let limit = if full {
                EntityLimit::Remembered
            } else {
                EntityLimit::Open
            };
            self.refused.add(limit);
            return false;
        }
        let (rule, windows) = (&self.rule, &self.windows);
        let series = self.series.of(by, kafka, || Series::new(rule, windows));
        self.series.state(series).open += 1;
        self.open += 1;
        let entity = Entity {
            series,
            counted: 0,
            state: State::Open,
            queued: false,
            latest: EventTime::MIN,
            stage_times: vec![EventTime::MIN; rule.stages.len()].into(),
            lines: Vec::new(),
        };
        self.entities.insert(key, entity);
        true
    }
}
