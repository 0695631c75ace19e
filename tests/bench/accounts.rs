//! Processor time as the operating system counts it.

use std::time::Duration;

use super::meter::accounts::{Cpu, Stat, busy, machine, own_thread};

#[test]
fn a_name_with_spaces_and_parentheses_is_read() {
    let stat = "7 (a (b) c) S 3 7 7 0 -1 4194560 100 0 0 0 5 6 7 8 20 0 1 0 100 0 0";
    let stat = Stat::parse(stat).unwrap();
    assert_eq!((stat.name.as_str(), stat.parent), ("a (b) c", 3));
    assert_eq!(stat.cpu, Duration::from_millis(260));
}

#[test]
fn a_busy_thread_is_charged_what_it_took() {
    let before = Cpu::of(&[std::process::id()]);
    let enough = own_thread().unwrap() + Duration::from_millis(100);
    while own_thread().unwrap() < enough {}
    let spent = Cpu::of(&[std::process::id()]).since(&before);
    assert!(spent >= Duration::from_millis(90), "{spent:?}");
}

#[test]
fn the_machine_is_at_least_as_busy_as_its_first_line_says() {
    assert_eq!(
        busy("cpu  1 2 3 4 5 6 7 8 9 9\n"),
        Some(Duration::from_millis(270))
    );
    assert!(machine().unwrap() > Duration::ZERO);
}
