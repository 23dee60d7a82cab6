//! Plan + events -> state -> view. Pure: state is a function of the consumed offsets alone.

pub mod sketch;
pub mod survival;
pub mod view;

pub use view::View;
