//! What the program tells its operators: log lines and metrics.

pub mod logging;
pub mod metrics;
