//! The runner behind the scenario suite: text to script, script through a worker, text compared.

pub mod record;
pub mod run;
pub mod script;
pub mod series;
pub mod times;
