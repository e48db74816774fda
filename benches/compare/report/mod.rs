//! What is shown of the outcomes.

pub(crate) mod table;
