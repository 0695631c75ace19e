//! The whole tenant as one text: exporting, and applying after a look at the plan.

pub mod page;
