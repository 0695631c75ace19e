//! Everything that was measured, also as JSON.

use serde::Serialize;

use super::growth::Size;
use super::kind::Kind;
use super::memory::Held;
use super::micro::Micro;
use super::neighbours::Flood;
use super::options::{Cell, Options};
use super::rounds::{Footprint, Rounds, Row};
use super::statistics::Median;

/// Everything that was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(super) rounds_measured: u32,
    pub(super) seconds_a_cell: f64,
    pub(super) users: u32,
    #[serde(flatten)]
    pub(super) rounds: Option<Rounds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<Vec<Micro>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) neighbours: Option<Vec<Flood>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) growth: Option<Vec<Size>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Vec<Held>>,
}

impl Report {
    /// One of nothing yet.
    pub(super) fn new(options: &Options) -> Self {
        Self {
            rounds_measured: options.rounds(),
            seconds_a_cell: options.duration().as_secs_f64(),
            users: 3 * options.users,
            rounds: None,
            parts: None,
            neighbours: None,
            growth: None,
            held: None,
        }
    }
}

impl Rounds {
    /// The cells, in the order in which they were measured.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for row in &self.rows {
            if !cells.contains(&row.cell) {
                cells.push(row.cell);
            }
        }
        cells
    }

    pub(super) fn rows(&self, server: Kind, cell: Cell) -> impl Iterator<Item = &Row> {
        let is_asked = move |row: &&Row| row.server == server && row.cell == cell;
        self.rows.iter().filter(is_asked)
    }

    /// A figure over the rounds.
    pub(super) fn over(
        &self,
        server: Kind,
        cell: Cell,
        figure: impl Fn(&Row) -> Option<f64>,
    ) -> Option<Median> {
        Median::of(self.rows(server, cell).filter_map(figure))
    }

    /// What two servers of the same round and cell make together, over the rounds.
    pub(super) fn pairs(
        &self,
        (one, other): (Kind, Kind),
        cell: Cell,
        figure: impl Fn(&Row, &Row) -> Option<f64>,
    ) -> Option<Median> {
        let pairs = self.rows(one, cell).filter_map(|row| {
            let beside = self
                .rows(other, cell)
                .find(|beside| beside.round == row.round)?;
            figure(row, beside)
        });
        Median::of(pairs)
    }

    pub(super) fn footprint(
        &self,
        server: Kind,
        figure: impl Fn(&Footprint) -> f64,
    ) -> Option<Median> {
        let own = self
            .footprints
            .iter()
            .filter(|footprint| footprint.server == server);
        Median::of(own.map(figure))
    }
}

impl Row {
    /// Processor time of server and database, in microseconds.
    pub(super) fn both_us(&self) -> Option<f64> {
        Some(self.server_us? + self.postgres_us.unwrap_or_default())
    }
}
