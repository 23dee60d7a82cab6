//! The worker's loop: each round serves requests and the group, hands over what was asked for,
//! delivers one batch of records, and lets time pass.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use pipeline::{Assignment, Input};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::assignment::{accept, deliver, share_of};
use crate::batch::BatchQueue;
use crate::context::Rebalance;
use crate::coverage::CoverageAsker;
use crate::ends::EndsAsker;
use crate::hands::{Hands, Orders};
use crate::look_up::{Looker, Question};
use crate::metrics::Liveness;
use crate::offsets::Place;
use crate::settings::instance_id;
use crate::topics::Topics;
use crate::worker::{Call, Fatal, Request};

/// How long a batch may take to fill: also the longest wait for a rebalance or a request.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// The same while an answer is awaited that something is held up by.
const SHORT_WAIT: Duration = Duration::from_millis(5);
/// Group events served in one round.
const GROUP_EVENTS: usize = 16;
/// How long the last commit and the last snapshots may take.
const STOP_WITHIN: Duration = Duration::from_secs(7);

/// The loop and what only it needs.
pub(crate) struct Rounds<'s, 'h, L> {
    pub(crate) topics: Topics<'s>,
    pub(crate) asker: &'h EndsAsker,
    pub(crate) looker: &'h Looker,
    pub(crate) coverage: &'h CoverageAsker,
    pub(crate) queue: BatchQueue,
    pub(crate) hands: &'h mut Hands<'s, L>,
    /// The end is asked for, and comes by then at the latest.
    pub(crate) stop_by: Option<Instant>,
}

impl<L: FnMut(Call<'_, '_>)> Rounds<'_, '_, L> {
    /// Goes round until the worker is stopped or can't go on.
    pub(crate) fn run(
        mut self,
        requests: &Receiver<Request>,
        liveness: &Liveness,
    ) -> Result<(), Fatal> {
        while !self.is_over() {
            liveness.beat();
            self.serve_requests(requests);
            if self.stop_by.is_none() {
                self.topics.subscribe(self.hands.consumer)?;
            }
            self.serve_group()?;
            self.hands.take_commits();
            self.take_look_up();
            self.take_ends();
            self.rejoin();
            self.read_batch();
            self.hands.tick();
            self.carry_out_orders()?;
            self.hands
                .partitions
                .retry_flow(self.hands.consumer, &self.hands.setup.metrics);
            if let Some(letters) = &self.hands.letters {
                letters.serve();
            }
        }
        Ok(())
    }

    /// Stopping is over when the share was given back or never was.
    fn is_over(&self) -> bool {
        let stop_by = self.stop_by;
        stop_by.is_some_and(|by| !self.hands.share.is_held() || Instant::now() >= by)
    }

    fn serve_requests(&mut self, requests: &Receiver<Request>) {
        for request in requests.try_iter() {
            match request {
                Request::Stop if self.stop_by.is_some() => {}
                Request::Stop => {
                    self.stop_by = Some(Instant::now() + STOP_WITHIN);
                    self.stop_delivery();
                    self.hands.step(Input::Stopping, None);
                }
                Request::Overdue { kpi, limit, reply } => {
                    (self.hands.logic)(Call::Overdue { kpi, limit, reply });
                }
            }
        }
    }

    /// Serves the group's own queue, which holds rebalances and errors but never records.
    fn serve_group(&mut self) -> Result<(), Fatal> {
        for _ in 0..GROUP_EVENTS {
            match self.hands.consumer.poll(Duration::ZERO) {
                None => {}
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(self.fatal(code));
                }
                // Counted and logged by the context already.
                Some(Err(_)) => {}
                Some(Ok(_)) => panic!("a record came on the group's queue: it would be lost"),
            }
        }
        while let Some(rebalance) = self.hands.consumer.context().next_rebalance() {
            match rebalance {
                Rebalance::Assigned(list) => self.assigned(&list)?,
                // It was turned down: the logic never had it.
                Rebalance::Revoked if !self.hands.share.is_held() => {
                    let consumer = self.hands.consumer;
                    consumer.context().give_back(consumer);
                }
                Rebalance::Revoked => {
                    self.stop_delivery();
                    self.hands.share.revoke(Instant::now());
                    self.hands.step(Input::Revoked, None);
                }
                Rebalance::Lost => self.lost(),
            }
            // An order is for the share that it was given for.
            self.carry_out_orders()?;
        }
        // Lost while a last commit was awaited: librdkafka says it by this only.
        if self.hands.share.is_revoked() && self.hands.consumer.assignment_lost() {
            let consumer = self.hands.consumer;
            consumer.context().give_back(consumer);
            self.lost();
        }
        Ok(())
    }

    /// What librdkafka can't go on after.
    fn fatal(&self, code: RDKafkaErrorCode) -> Fatal {
        let fatal = self.hands.consumer.client().fatal_error();
        let (code, text) = fatal.unwrap_or_else(|| (code, code.to_string()));
        let setup = self.hands.setup;
        let instance = instance_id(&setup.settings, setup.number);
        match (code, instance) {
            (RDKafkaErrorCode::FencedInstanceId, Some(instance)) => Fatal::Fenced(instance),
            _ => Fatal::Client(text),
        }
    }

    fn assigned(&mut self, list: &TopicPartitionList) -> Result<(), Fatal> {
        let hands = &mut *self.hands;
        hands.orders = Orders::default();
        let places = match share_of(&hands.setup.plan, list) {
            Ok(places) => places,
            Err(misfit) => {
                accept(hands.consumer)?;
                self.topics.turn_down(hands.consumer, &misfit);
                return Ok(());
            }
        };
        self.topics.fits();
        hands
            .setup
            .metrics
            .assigned(hands.setup.number, places.len());
        self.coverage.watch(places.is_empty());
        self.begin_share(&places)
    }

    /// What the tasks of the share stand on is gone: it begins again, with the same member. Leaving
    /// the group for that would swap shares, and with them what is in memory and not saved.
    fn begin_again(&mut self) -> Result<(), Fatal> {
        let share = &self.hands.share;
        // Otherwise whoever gets it next begins anew.
        if !share.is_held() || share.is_revoked() || self.stop_by.is_some() {
            return Ok(());
        }
        let places = share.partitions().to_vec();
        self.stop_delivery();
        self.begin_share(&places)
    }

    /// Nothing of it is delivered until the logic has said from where.
    fn begin_share(&mut self, places: &[Place]) -> Result<(), Fatal> {
        let hands = &mut *self.hands;
        accept(hands.consumer)?;
        hands.share.begin(places.to_vec());
        let input = Input::Assigned {
            assignment: hands.share.number(),
            partitions: places,
        };
        hands.step(input, None);
        Ok(())
    }

    fn lost(&mut self) {
        self.stop_delivery();
        self.hands.share.end();
        self.hands.step(Input::Lost, None);
    }

    /// Nothing of the share is delivered any more.
    fn stop_delivery(&mut self) {
        self.looker.forget();
        self.asker.ask(self.hands.share.number(), Vec::new());
        self.hands.partitions.revoke(&self.hands.setup.metrics);
    }

    fn carry_out_orders(&mut self) -> Result<(), Fatal> {
        let Orders {
            look_up,
            assign,
            release,
            start_over,
            fail,
        } = std::mem::take(&mut self.hands.orders);
        if let Some(fatal) = fail {
            return Err(fatal);
        }
        if let Some((assignment, reach)) = look_up
            && self.hands.share.is_current(assignment)
        {
            let partitions = self.hands.share.partitions().to_vec();
            self.looker.ask(Question {
                assignment,
                partitions,
                reach,
            });
        }
        for (assignment, starts) in assign {
            self.begin_delivery(assignment, &starts)?;
        }
        self.release(release);
        match start_over {
            true => self.begin_again(),
            false => Ok(()),
        }
    }

    /// The share begins with these partitions, or these are added to it.
    fn begin_delivery(&mut self, assignment: u64, starts: &[Assignment]) -> Result<(), Fatal> {
        let hands = &mut *self.hands;
        if !hands.share.is_current(assignment) || self.stop_by.is_some() {
            return Ok(());
        }
        let metrics = &hands.setup.metrics;
        if hands.share.is_to_be_assigned() {
            let share = hands.share.partitions();
            deliver(
                hands.consumer,
                &self.queue,
                &hands.setup.plan,
                share,
                starts,
            )?;
            hands.partitions.assign(starts, metrics);
        } else {
            hands.partitions.add(starts, hands.consumer, metrics);
        }
        self.asker.ask(assignment, hands.partitions.named());
        Ok(())
    }

    /// Gives the share back if the logic is done with it, or if it takes too long.
    fn release(&mut self, done: bool) {
        let hands = &mut *self.hands;
        let wanted = hands.share.is_revoked() || self.stop_by.is_some();
        let overdue = hands.share.is_overdue(Instant::now());
        if !hands.share.is_held() || !wanted || !(done || overdue) {
            return;
        }
        if !done {
            hands.setup.metrics.released_late(hands.setup.number);
        }
        hands.consumer.context().give_back(hands.consumer);
        hands.share.end();
    }

    fn take_look_up(&mut self) {
        while let Some(answer) = self.looker.answer() {
            if self.hands.share.is_current(answer.assignment) {
                let input = Input::LookedUp {
                    assignment: answer.assignment,
                    positions: &answer.positions,
                };
                self.hands.step(input, None);
            }
        }
    }

    fn take_ends(&mut self) {
        while let Some(ends) = self.asker.answer() {
            if !self.hands.share.is_current(ends.assignment) {
                continue;
            }
            self.hands.take_logs(&ends.logs);
            for (topic, partition, end) in ends.ends {
                self.hands.partitions.observe_end(topic, partition, end);
                let input = Input::EndObserved {
                    topic,
                    partition,
                    end,
                    at: ends.at,
                };
                self.hands.step(input, None);
            }
        }
    }

    /// Joins the group anew if it forgot about partitions.
    fn rejoin(&mut self) {
        let share = &self.hands.share;
        let lasts = share.is_held() && !share.is_revoked();
        if self.coverage.wants_to_rejoin() && lasts && self.stop_by.is_none() {
            self.topics.join_anew(self.hands.consumer);
        }
    }

    fn read_batch(&mut self) {
        let hands = &mut *self.hands;
        let given = hands.share.is_held() && !hands.share.partitions().is_empty();
        let starting = given && hands.partitions.is_empty();
        let wait = match starting || hands.commits.is_waiting() {
            true => SHORT_WAIT,
            false => BATCH_WAIT,
        };
        self.queue.read(wait, |position, delivered| {
            hands.deliver(position, delivered)
        });
    }
}
