//! Medians, percentiles, and how figures are written.

use super::meter::statistics::{Figure, Median, percentile};

#[test]
fn the_median_of_an_even_number_of_figures_is_between_two() {
    assert_eq!(Median::of([]), None);
    let of = |figures: &[f64]| Median::of(figures.iter().copied()).unwrap();
    assert_eq!(of(&[3.0, 1.0, 2.0]).to_string(), "2.00 (1.00 to 3.00)");
    let even = of(&[4.0, 1.0, 2.0, 3.0]);
    assert_eq!(even.to_string(), "2.50 (1.00 to 4.00)");
    assert_eq!(of(&[f64::NAN, 7.0]).to_string(), "7.00");
}

#[test]
fn a_figure_has_three_digits() {
    let shown = [
        0.0,
        0.256,
        4.0,
        9.999,
        12.34,
        99.99,
        234.5,
        1234.5,
        64_004.0,
        1_234_567.0,
    ];
    let shown = shown.map(|figure| Figure(figure).to_string());
    assert_eq!(
        shown,
        [
            "0",
            "0.26",
            "4.00",
            "10.0",
            "12.3",
            "100",
            "234",
            "1,230",
            "64,000",
            "1,234,570"
        ]
    );
    assert_eq!(
        Median::of([1.0, 2.0, 3.0]).unwrap().to_string(),
        "2.00 (1.00 to 3.00)"
    );
    assert_eq!(Median::of([2.0]).unwrap().to_string(), "2.00");
}

#[test]
fn a_percentile_is_one_of_the_figures() {
    let hundred: Vec<u32> = (1..=100).collect();
    assert_eq!(percentile(&hundred, 50), Some(50));
    assert_eq!(percentile(&hundred, 99), Some(99));
    assert_eq!(percentile(&[7], 99), Some(7));
    assert_eq!(percentile(&[], 50), None);
}
