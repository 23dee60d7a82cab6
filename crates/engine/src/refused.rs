//! Events of one KPI that found no room in its task, by the limit that refused them:
//! `kept_entities_overflow_total{kpi,limit}`. Part of the state: only events change it.

use crate::decode::{Decoder, Read};
use crate::encode::Encoder;

/// What limits the entities of a KPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntityLimit {
    /// Entities that have not ended.
    Open,
    /// Ends, cancels and steps that wait for their start.
    Held,
    /// Entities that are remembered, open or not.
    Remembered,
    /// Products of one cart.
    Lines,
}

impl EntityLimit {
    /// Its name as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            EntityLimit::Open => "open",
            EntityLimit::Held => "held",
            EntityLimit::Remembered => "remembered",
            EntityLimit::Lines => "lines",
        }
    }
}

/// See the file's header.
#[derive(Clone, Debug)]
pub struct Refused(Vec<(EntityLimit, u64)>);

impl Refused {
    /// None yet, by these limits.
    pub fn by(limits: &[EntityLimit]) -> Refused {
        Refused(limits.iter().map(|limit| (*limit, 0)).collect())
    }

    /// One more, by a limit that was named at first.
    pub fn add(&mut self, limit: EntityLimit) {
        let entry = self.0.iter_mut().find(|entry| entry.0 == limit);
        entry.expect("a kind names its limits").1 += 1;
    }

    /// False once there was one.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|entry| entry.1 == 0)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(|entry| entry.1 = 0);
    }

    /// By limit.
    pub fn view(&self) -> Vec<(EntityLimit, u64)> {
        self.0.clone()
    }

    /// Takes over what was written.
    pub fn read(&mut self, from: &mut Decoder<'_>) -> Read<()> {
        for entry in &mut self.0 {
            entry.1 = from.count()?;
        }
        Ok(())
    }

    /// Writes the counts.
    pub fn encode(&self, out: &mut Encoder) {
        self.0.iter().for_each(|entry| out.unsigned(entry.1));
    }
}
