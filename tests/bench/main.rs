//! The benchmark works: a small run of it, with the program as the tests have it. Its figures say nothing.

#[path = "../../benches/gateway/meter/mod.rs"]
mod meter;

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod statistics;

#[cfg(test)]
mod whole {
    use std::sync::atomic::{AtomicU32, Ordering};

    use clap::Parser as _;

    use super::meter;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    /// The benchmark starts this program again to play its parts.
    #[test]
    fn plays_a_role() {
        if let Some(played) = meter::roles::play() {
            played.unwrap();
        }
    }

    /// Runs it for a moment, and gives its tables and everything as JSON.
    fn run(words: &[&str]) -> (String, serde_json::Value) {
        // In memory, where there is such a place: what commits cost does not matter here.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let name = format!("persona-gateway-bench-{}-{number}", std::process::id());
        let folder = folder.join(name);
        let small = [
            "--users", "20", "--rounds", "1", "--secs", "0.3", "--warmup", "0.2", "--data",
        ];
        let words = ["bench"].iter().chain(words).chain(&small);
        let words = words.copied().chain(folder.to_str());
        let options = meter::Options::try_parse_from(words).unwrap();
        let report = meter::run(&options).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        (report.to_string(), serde_json::to_value(&report).unwrap())
    }

    #[test]
    fn a_small_run_measures_each_server_and_finds_each_token_in_the_ledger() {
        let (tables, json) = run(&[
            "--only",
            "servers",
            "--servers",
            "direct,bare-proxy,gateway",
            "--cells",
            "0:4,5:4@200",
        ]);
        for line in [
            "### Anam at 0 ms, 4 connections\n",
            "### Anam at 5 ms, 4 connections, 200 requests a second\n",
            "\n| bare proxy |",
            "\n| gateway |",
        ] {
            assert!(tables.contains(line), "{line} is in {tables}");
        }
        assert!(!tables.contains("Not all got a token"), "{tables}");
        let rows = json["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 6, "three servers under two cells");
        for row in rows {
            assert!(row["answered"].as_u64() > Some(10), "{row}");
        }
        let direct = &rows.iter().find(|row| {
            row["server"] == "direct" && row["cell"].as_str().unwrap().contains("5 ms")
        });
        assert!(
            direct.unwrap()["p50Ms"].as_f64() >= Some(5.0),
            "Anam takes its time"
        );
    }

    #[test]
    fn ten_times_as_much_is_measured_one_after_the_other() {
        let (tables, json) = run(&["--only", "growth", "--servers", "gateway", "--cells", "0:4"]);
        for line in [
            "\n| 1 tenants that nobody asks, 20 users with preferences, 10 versions of each document, 60 sessions in the ledger |",
            "\n| 10 tenants that nobody asks |",
            "\n| 200 users with preferences |",
            "\n| 100 versions of each document |",
            "\n| 600 sessions in the ledger |",
        ] {
            assert!(tables.contains(line), "{line} is in {tables}");
        }
        for size in json["growth"].as_array().unwrap() {
            assert!(size["rows"][0]["answered"].as_u64() > Some(10), "{size}");
            assert!(
                size["peakMib"][0].as_f64() >= size["idleMib"][0].as_f64(),
                "{size}"
            );
        }
    }

    #[test]
    fn each_flood_asks_for_what_there_is_and_others_are_served_meanwhile() {
        let (tables, json) = run(&["--only", "neighbours", "--cells", "0:4"]);
        let floods = json["neighbours"].as_array().unwrap();
        assert_eq!(floods.len(), 14, "{tables}");
        for flood in floods {
            let what = flood["what"].as_str().unwrap();
            assert!(
                tables.contains(&format!("\n| {what}, Anam at 0 ms")),
                "{what}"
            );
            // Nothing but what is refused for asking too often, and tokens that are none.
            let refused = flood["refused"].as_object().unwrap();
            let status = if what == "forged JWTs" { "401" } else { "429" };
            assert!(refused.keys().all(|found| found == status), "{flood}");
            for others in ["before", "meanwhile"] {
                for whose in ["calm", "busy"] {
                    assert_eq!(flood[others][whose]["refused"], 0, "{flood}");
                }
            }
        }
    }

    #[test]
    fn tenants_and_connections_are_held_and_what_each_takes_is_said() {
        let (tables, json) = run(&["--only", "memory", "--servers", "gateway", "--quick"]);
        for line in [
            "\n| 100 tenants with 10 personas each, prompts of 3 kB |",
            "\n| 1000 connections that wait for their next request |",
        ] {
            assert!(tables.contains(line), "{line} is in {tables}");
        }
        for held in json["held"].as_array().unwrap() {
            assert!(
                held["nowMib"].as_f64() > held["beforeMib"].as_f64(),
                "{held}"
            );
        }
    }
}
