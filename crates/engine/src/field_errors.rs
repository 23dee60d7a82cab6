//! Malformed fields of one KPI: how often, by field. `kept_field_errors_total{kpi,field}`.

use std::sync::Arc;

use catalogue::plan::FieldId;

use crate::decode::{Decoder, Read, Unsound};
use crate::encode::Encoder;

/// See the file's header. A KPI reads few such fields: a list, ascending.
#[derive(Clone, Debug)]
pub struct FieldErrors(Vec<(FieldId, u64)>);

impl FieldErrors {
    /// None yet, of these fields.
    pub fn of(fields: &[FieldId]) -> FieldErrors {
        let mut errors: Vec<(FieldId, u64)> = fields.iter().map(|field| (*field, 0)).collect();
        errors.sort_unstable();
        errors.dedup();
        FieldErrors(errors)
    }

    /// One more of this field.
    pub fn add(&mut self, field: FieldId) {
        match self.0.binary_search_by_key(&field, |entry| entry.0) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (field, 1)),
        }
    }

    /// By name.
    pub fn view(&self, field_names: &[String]) -> Vec<(Arc<str>, u64)> {
        let name = |field: FieldId| field_names[usize::from(field.0)].as_str().into();
        self.0
            .iter()
            .map(|(field, count)| (name(*field), *count))
            .collect()
    }

    /// Begins at 0 again.
    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(|entry| entry.1 = 0);
    }

    /// Writes them by the fields' names.
    pub fn save(&self, field_names: &[String], out: &mut Encoder) {
        out.length(self.0.len());
        for (field, count) in &self.0 {
            out.text(&field_names[usize::from(field.0)]);
            out.unsigned(*count);
        }
    }

    /// Takes over what `save` wrote: of the same fields, whatever their numbers are now.
    pub fn read(&mut self, field_names: &[String], from: &mut Decoder<'_>) -> Read<()> {
        let count = from.length(16)?;
        for _ in 0..count {
            let name = from.text(usize::MAX)?;
            let known = self
                .0
                .iter_mut()
                .find(|entry| field_names[usize::from(entry.0.0)] == name);
            known.ok_or(Unsound("a field that the KPI doesn't read"))?.1 = from.count()?;
        }
        Ok(())
    }

    /// Writes them.
    pub fn encode(&self, out: &mut Encoder) {
        out.length(self.0.len());
        for (field, count) in &self.0 {
            out.unsigned(u64::from(field.0));
            out.unsigned(*count);
        }
    }
}
