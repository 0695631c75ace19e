use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[test]
fn neighbours_of_nineteen_digits_differ() {
    let (one, other) = (number("1546130668394913822"), number("1546130668394913823"));
    assert_ne!(one, other);
    assert!(one < other);
    assert_eq!(one.to_string(), "1546130668394913822");
}

#[test]
fn spellings_of_a_number_are_the_same_number() {
    for spelling in [
        "1",
        "1.0",
        "1e0",
        "10e-1",
        "0.1E+1",
        "1.000000000000000000000000000000000000000000",
    ] {
        assert_eq!(number(spelling), number("1"), "{spelling}");
    }
    for nought in ["0", "-0", "0.0", "-0e999999999999999999999", "0E-7"] {
        assert_eq!(number(nought), Decimal::ZERO, "{nought}");
    }
    assert_eq!(number("1e2").to_number(), 100.into());
}

#[test]
fn what_would_be_rounded_is_refused() {
    let nines = "9".repeat(38);
    assert_eq!(number(&nines).to_number().as_str(), nines);
    for text in [
        "9".repeat(39),
        format!("0.{}", "1".repeat(39)),
        format!("1{}1", "0".repeat(38)),
    ] {
        assert_eq!(Decimal::parse(&text), Err(NotDecimal::Digits), "{text}");
    }
    for text in [
        "1e309",
        "-1.8e308",
        "1e-346",
        "1e999999999999999999999",
        "1e-4294967296",
    ] {
        assert_eq!(Decimal::parse(text), Err(NotDecimal::Range), "{text}");
    }
    for text in ["1.7976931348623157e308", "4.9406564584124654e-324", "0"] {
        number(text);
    }
    let long = format!("0.{}1", "0".repeat(1_000_000));
    assert_eq!(Decimal::parse(&long), Err(NotDecimal::Range));
}

#[test]
fn what_json_does_not_call_a_number_is_none() {
    for text in [
        "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "1_000", "NaN", "1 ", "--1", "1e1.5",
        "-.5", "1.5.2",
    ] {
        assert_eq!(Decimal::parse(text), Err(NotDecimal::Form), "{text}");
    }
}

#[test]
fn long_numbers_are_printed_with_an_exponent() {
    for (written, printed) in [
        ("100", "100"),
        ("0.25", "0.25"),
        ("-0.0000001", "-0.0000001"),
        ("1.5e300", "1.5e300"),
        ("-5e-324", "-5e-324"),
        (
            "12345678901234567890.123456789",
            "12345678901234567890.123456789",
        ),
    ] {
        assert_eq!(number(written).to_string(), printed);
    }
}

#[test]
fn sums_are_exact() {
    let sum = |one: &str, other: &str| number(one).plus(number(other)).unwrap().to_string();
    assert_eq!(sum("0.1", "0.2"), "0.3");
    assert_eq!(sum("1546130668394913822", "1"), "1546130668394913823");
    assert_eq!(sum("0", "1e-300"), "1e-300");
    assert_eq!(number("1e300").plus(number("1")), None);
    let over = |one: &str, other: &str| number(one).over(number(other)).unwrap().to_string();
    assert_eq!(over("1546130668394913822", "2"), "773065334197456911");
    assert_eq!(over("-7", "8"), "-0.875");
    assert_eq!(over("1", "3"), "0.3333333333333333");
    assert_eq!(number("1").over(Decimal::ZERO), None);
    let divided = |one: &str, by: &str| {
        let (quotient, rest) = number(one).divided(number(by)).unwrap();
        (quotient.to_string(), rest.to_string())
    };
    assert_eq!(divided("-7", "2"), ("-4".into(), "1".into()));
    assert_eq!(divided("7.5", "-2"), ("-4".into(), "-0.5".into()));
    assert_eq!(number("1").divided(Decimal::ZERO), None);
}

#[test]
fn half_is_rounded_away_from_nought() {
    let rounded = |text: &str, places: u8| number(text).rounded(places).to_string();
    assert_eq!(rounded("2.675", 2), "2.68");
    assert_eq!(rounded("-2.5", 0), "-3");
    assert_eq!(rounded("2.4", 0), "2");
    assert_eq!(rounded("9.99", 1), "10");
    assert_eq!(rounded("1e-300", 3), "0");
    assert_eq!(rounded("7", 3), "7");
    assert_eq!(number("-2.7").truncated().to_string(), "-2");
}

#[test]
fn values_are_the_same_whoever_wrote_their_numbers() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(are_equal(
        &read(r#"{"a":[1.50,{"b":1e2}]}"#),
        &read(r#"{"a":[1.5,{"b":100.0}]}"#)
    ));
    assert!(!are_equal(
        &read("1546130668394913822"),
        &read("1546130668394913823")
    ));
    assert!(!are_equal(&json!({ "a": 1 }), &json!({ "b": 1 })));
}

/// Numbers near each other, near the ends, and far apart.
fn numbers() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![-1000_i128..1000, any::<i64>().prop_map(i128::from)];
    let exponent = prop_oneof![-3_i32..4, -320_i32..280];
    (digits, exponent).prop_map(|(digits, exponent)| Decimal::new(digits, exponent).unwrap())
}

proptest! {
    #[test]
    fn a_number_is_read_back_from_its_json_and_its_print(one in numbers()) {
        prop_assert_eq!(Decimal::parse(one.to_number().as_str()), Ok(one));
        prop_assert_eq!(Decimal::parse(&one.to_string()), Ok(one));
        let text = serde_json::to_string(&one).unwrap();
        prop_assert_eq!(serde_json::from_str::<Decimal>(&text).unwrap(), one);
    }

    #[test]
    fn every_float_is_kept(float in any::<f64>()) {
        let number = Decimal::from_f64(float);
        prop_assert_eq!(number.is_some(), float.is_finite());
        if let Some(number) = number {
            prop_assert_eq!(number.to_f64().total_cmp(&(float + 0.0)), Ordering::Equal);
        }
    }

    #[test]
    fn the_order_is_that_of_the_values(one in numbers(), other in numbers()) {
        let floats = one.to_f64().partial_cmp(&other.to_f64()).unwrap();
        if floats.is_ne() {
            prop_assert_eq!(one.cmp(&other), floats);
        }
        prop_assert_eq!(one.cmp(&other), other.cmp(&one).reverse());
        if let Some(rest) = one.minus(other) {
            prop_assert_eq!(one.cmp(&other), rest.cmp(&Decimal::ZERO));
        }
        let state = RandomState::new();
        prop_assert!(one != other || state.hash_one(one) == state.hash_one(other));
    }

    #[test]
    fn a_quotient_times_its_divisor_is_what_was_divided(one in -10_000_i64..10_000, by in 1_i64..500, places in 0_i32..6) {
        let (one, by) = (Decimal::from(one), Decimal::new(by.into(), -places).unwrap());
        let (quotient, rest) = one.divided(by).unwrap();
        prop_assert!(quotient.is_whole() && rest < by && rest >= Decimal::ZERO);
        prop_assert_eq!(rest.is_zero(), Factors::new(by).unwrap().divide(one));
    }
}
