//! Each rule of the decision.
