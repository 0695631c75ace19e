//! The one place that reads the process environment.

use std::collections::BTreeMap;

/// Every environment variable whose name and value are UTF-8. Others cannot be settings of ours.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
