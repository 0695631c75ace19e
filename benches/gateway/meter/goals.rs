//! What the gateway aims at, and what of it this run shows.

use std::fmt;

use super::kind::Kind;
use super::micro::{Micro, Part};
use super::options::Cell;
use super::report::Report;
use super::rounds::Rounds;
use super::statistics::{Figure, Median};

const BUSY: Cell = Cell {
    anam_ms: 0,
    connections: 64,
    rate: None,
};
const BUSIER: Cell = Cell {
    anam_ms: 0,
    connections: 256,
    rate: None,
};
const PACED: Cell = Cell {
    anam_ms: 50,
    connections: 64,
    rate: Some(300),
};

/// One goal beside its figure.
pub(super) struct Goal {
    figure: &'static str,
    bound: Bound,
    unit: &'static str,
    measured: Median,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(bound) => self.measured.middle <= bound,
            Bound::AtLeast(bound) => self.measured.middle >= bound,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, bound) = match self.bound {
            Bound::AtMost(bound) => ("at most", bound),
            Bound::AtLeast(bound) => ("at least", bound),
        };
        let met = if self.is_met() { "yes" } else { "no" };
        let Self {
            figure,
            unit,
            measured,
            ..
        } = self;
        write!(
            f,
            "| {figure} | {word} {} {unit} | {measured} | {met} |",
            Figure(bound)
        )
    }
}

/// The goals that this run has figures for.
pub(super) fn goals(report: &Report) -> Vec<Goal> {
    let parts = report.parts.as_deref().unwrap_or_default();
    let part = |wanted: Part| {
        parts
            .iter()
            .find(|micro| micro.part == wanted)
            .map(|Micro { us, .. }| *us)
    };
    let mut goals = Vec::new();
    let mut add = |figure, bound, unit, measured: Option<Median>| {
        goals.extend(measured.map(|measured| Goal {
            figure,
            bound,
            unit,
            measured,
        }));
    };
    if let Some(rounds) = &report.rounds {
        add(
            "CPU, Anam at 0 ms, 64 connections, beside that of the bare proxy and one verification (RS256) together",
            Bound::AtMost(1.3),
            "times",
            part(Part::Rs256).and_then(|verify| cpu(rounds, verify.middle)),
        );
        let express = (Kind::Gateway, Kind::Express);
        add(
            "Express' CPU with PostgreSQL's beside the gateway's, same cell",
            Bound::AtLeast(14.0),
            "times",
            rounds.pairs(express, BUSY, |own, theirs| {
                Some(theirs.both_us()? / own.both_us()?)
            }),
        );
        let faster = |cell| {
            rounds.pairs(express, cell, |own, theirs| {
                Some(own.per_second / theirs.per_second)
            })
        };
        add(
            "requests/s beside Express', 64 connections",
            Bound::AtLeast(14.0),
            "times",
            faster(BUSY),
        );
        add(
            "requests/s beside Express', 256 connections",
            Bound::AtLeast(14.0),
            "times",
            faster(BUSIER),
        );
        add(
            "added p50, Anam at 50 ms, 300 requests a second",
            Bound::AtMost(0.2),
            "ms",
            rounds.pairs((Kind::Gateway, Kind::Direct), PACED, |own, direct| {
                Some(own.p50_ms - direct.p50_ms)
            }),
        );
        add(
            "p99 above the bare proxy's, same cell",
            Bound::AtMost(0.5),
            "ms",
            rounds.pairs((Kind::Gateway, Kind::BareProxy), PACED, |own, proxy| {
                Some(own.p99_ms - proxy.p99_ms)
            }),
        );
        add(
            "memory, idle",
            Bound::AtMost(15.0),
            "MiB",
            rounds.footprint(Kind::Gateway, |own| own.idle_mib),
        );
        add(
            "memory, peak",
            Bound::AtMost(40.0),
            "MiB",
            rounds.footprint(Kind::Gateway, |own| own.peak_mib),
        );
        add(
            "from start to ready",
            Bound::AtMost(0.3),
            "s",
            rounds.footprint(Kind::Gateway, |own| own.ready_after_s),
        );
    }
    add(
        "decide, 50 rules of 15 clauses, with rendering",
        Bound::AtMost(20.0),
        "microseconds",
        part(Part::DecideManyRules),
    );
    goals
}

fn cpu(rounds: &Rounds, verify_us: f64) -> Option<Median> {
    rounds.pairs((Kind::Gateway, Kind::BareProxy), BUSY, |own, proxy| {
        Some(own.server_us? / (proxy.server_us? + verify_us))
    })
}
