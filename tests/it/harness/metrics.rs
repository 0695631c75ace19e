//! What a page of metrics says.

/// The value of a series, named with its labels, without what is behind its point.
pub(crate) fn value(page: &str, series: &str) -> i64 {
    let found = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let found = found.unwrap_or_else(|| panic!("{series} is not in\n{page}"));
    found.split('.').next().unwrap().parse().unwrap()
}
