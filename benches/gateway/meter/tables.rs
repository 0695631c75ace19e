//! The tables of a report, in Markdown, as docs/PERFORMANCE.md has them.

use std::fmt;

use super::goals::goals;
use super::kind::Kind;
use super::micro::Micro;
use super::options::Cell;
use super::report::Report;
use super::rounds::{Rounds, Row};
use super::statistics::{Figure, Median};

/// A figure, or a dash where there is none.
struct Cellular(Option<Median>);

impl fmt::Display for Cellular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(median) => write!(f, "{median}"),
            None => write!(f, "-"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nMedians, and ranges over the rounds. CPU is processor time for each answer, in microseconds."
        )?;
        if let Some(rounds) = &self.rounds {
            write!(
                f,
                "{} rounds of {} s a cell, {} users with preferences, {} processors",
                self.rounds_measured,
                self.seconds_a_cell,
                Figure(f64::from(self.users)),
                rounds.processors
            )?;
            if let Some(commit) = &rounds.commit_ms {
                write!(
                    f,
                    "; to make one row durable takes {} ms",
                    Figure(commit.middle)
                )?;
            }
            writeln!(f, ".")?;
            for cell in rounds.cells() {
                servers(f, rounds, cell)?;
            }
            ratios(f, rounds)?;
            footprints(f, rounds)?;
            machine(f, rounds)?;
        }
        if let Some(parts) = &self.parts {
            writeln!(f, "\n### Parts of a mint\n\n| part | CPU |\n| --- | --- |")?;
            for Micro { part, us } in parts {
                writeln!(f, "| {} | {us} |", part.name())?;
            }
        }
        if let Some(floods) = &self.neighbours {
            writeln!(
                f,
                "\n### Two tenants beside a third that floods\n\nFifty requests a second of the first, 600 of the second; p50 / p99 in milliseconds.\n\n\
                 | the flood | answers a second, refused | first, before | meanwhile | p99, times | refused | second, before | meanwhile | p99, times | refused |\n\
                 | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
            )?;
            floods.iter().try_for_each(|flood| write!(f, "{flood}"))?;
        }
        if let Some(sizes) = &self.growth {
            writeln!(
                f,
                "\n### Ten times as much, one after the other\n\n\
                 | there are | cell | CPU | PostgreSQL's CPU | p99, ms | idle, MiB | peak, MiB | ready after, s |\n\
                 | --- | --- | --- | --- | --- | --- | --- | --- |"
            )?;
            sizes.iter().try_for_each(|size| write!(f, "{size}"))?;
        }
        if let Some(held) = &self.held {
            writeln!(
                f,
                "\n### Memory\n\n| what | MiB before | MiB with it | kB each |\n| --- | --- | --- | --- |"
            )?;
            held.iter().try_for_each(|held| write!(f, "{held}"))?;
        }
        let goals = goals(self);
        if !goals.is_empty() {
            writeln!(
                f,
                "\n### Goals\n\n| figure | goal | measured | met |\n| --- | --- | --- | --- |"
            )?;
            for goal in goals {
                writeln!(f, "{goal}")?;
            }
        }
        for fault in self.rounds.iter().flat_map(|rounds| &rounds.faults) {
            writeln!(f, "\nNot all got a token: {fault}")?;
        }
        Ok(())
    }
}

fn servers(f: &mut fmt::Formatter<'_>, rounds: &Rounds, cell: Cell) -> fmt::Result {
    writeln!(f, "\n### {cell}\n")?;
    writeln!(
        f,
        "| server | requests/s | CPU | PostgreSQL's CPU | p50, ms | p99, ms | added p50, ms | added p99, ms |"
    )?;
    writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
    for server in [Kind::Direct, Kind::BareProxy, Kind::Gateway, Kind::Express] {
        let over = |figure: fn(&Row) -> Option<f64>| Cellular(rounds.over(server, cell, figure));
        let added = |figure: fn(&Row) -> f64| {
            let pair = (server, Kind::Direct);
            let added = rounds.pairs(pair, cell, |row, direct| Some(figure(row) - figure(direct)));
            Cellular(added.filter(|_| server != Kind::Direct))
        };
        if rounds.rows(server, cell).next().is_some() {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                server.name(),
                over(|row| Some(row.per_second)),
                over(|row| row.server_us),
                over(|row| row.postgres_us),
                over(|row| Some(row.p50_ms)),
                over(|row| Some(row.p99_ms)),
                added(|row| row.p50_ms),
                added(|row| row.p99_ms),
            )?;
        }
    }
    Ok(())
}

fn ratios(f: &mut fmt::Formatter<'_>, rounds: &Rounds) -> fmt::Result {
    let proxy = (Kind::Gateway, Kind::BareProxy);
    let express = (Kind::Gateway, Kind::Express);
    writeln!(f, "\n### The gateway beside the others\n")?;
    writeln!(
        f,
        "| cell | CPU / bare proxy's | Express' CPU / the gateway's | the same with PostgreSQL's | requests/s / bare proxy's | \
         requests/s / Express' |"
    )?;
    writeln!(f, "| --- | --- | --- | --- | --- | --- |")?;
    for cell in rounds.cells() {
        let pairs = |pair, figure: fn(&Row, &Row) -> Option<f64>| {
            Cellular(rounds.pairs(pair, cell, figure))
        };
        writeln!(
            f,
            "| {cell} | {} | {} | {} | {} | {} |",
            pairs(proxy, |own, theirs| Some(
                own.server_us? / theirs.server_us?
            )),
            pairs(express, |own, theirs| Some(
                theirs.server_us? / own.server_us?
            )),
            pairs(express, |own, theirs| Some(
                theirs.both_us()? / own.both_us()?
            )),
            pairs(proxy, |own, theirs| Some(
                own.per_second / theirs.per_second
            )),
            pairs(express, |own, theirs| Some(
                own.per_second / theirs.per_second
            )),
        )?;
    }
    Ok(())
}

fn footprints(f: &mut fmt::Formatter<'_>, rounds: &Rounds) -> fmt::Result {
    writeln!(f, "\n### Memory and start\n")?;
    writeln!(
        f,
        "| server | idle, MiB | peak, MiB | ready after, s |\n| --- | --- | --- | --- |"
    )?;
    for server in [Kind::BareProxy, Kind::Gateway, Kind::Express] {
        if let Some(idle) = rounds.footprint(server, |footprint| footprint.idle_mib) {
            let peak = Cellular(rounds.footprint(server, |footprint| footprint.peak_mib));
            let ready = Cellular(rounds.footprint(server, |footprint| footprint.ready_after_s));
            writeln!(f, "| {} | {idle} | {peak} | {ready} |", server.name())?;
        }
    }
    Ok(())
}

fn machine(f: &mut fmt::Formatter<'_>, rounds: &Rounds) -> fmt::Result {
    writeln!(
        f,
        "\n### Of {} processors, how many were busy with something else\n",
        rounds.processors
    )?;
    writeln!(
        f,
        "| cell | making the load | Anam's stand-in | strangers |\n| --- | --- | --- | --- |"
    )?;
    for cell in rounds.cells() {
        let rows = || rounds.rows.iter().filter(|row| row.cell == cell);
        let load = Cellular(Median::of(rows().map(|row| row.load)));
        let stand_in = Cellular(Median::of(rows().map(|row| row.stand_in)));
        let others = Cellular(Median::of(rows().map(|row| row.others)));
        writeln!(f, "| {cell} | {load} | {stand_in} | {others} |")?;
    }
    Ok(())
}
