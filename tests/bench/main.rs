//! The benchmark works: a small run of it, with the program as the tests have it. Its figures say nothing.

#[path = "../../benches/gateway/meter/mod.rs"]
mod meter;

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod statistics;

#[cfg(test)]
mod whole {
    use clap::Parser as _;

    use super::meter;

    /// The benchmark starts this program again to play its parts.
    #[test]
    fn plays_a_role() {
        if let Some(played) = meter::roles::play() {
            played.unwrap();
        }
    }

    #[test]
    fn a_small_run_measures_each_server_and_finds_each_token_in_the_ledger() {
        // In memory, where there is such a place: what commits cost does not matter here.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        let folder = folder.join(format!("persona-gateway-bench-{}", std::process::id()));
        let words = [
            "bench",
            "--only",
            "servers",
            "--servers",
            "direct,bare-proxy,gateway",
            "--cells",
            "0:4,5:4@200",
            "--users",
            "20",
            "--rounds",
            "1",
            "--secs",
            "0.3",
            "--warmup",
            "0.2",
            "--data",
            folder.to_str().unwrap(),
        ];
        let options = meter::Options::try_parse_from(words).unwrap();
        let report = meter::run(&options).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let tables = report.to_string();
        for line in [
            "### Anam at 0 ms, 4 connections\n",
            "### Anam at 5 ms, 4 connections, 200 requests a second\n",
            "\n| bare proxy |",
            "\n| gateway |",
        ] {
            assert!(tables.contains(line), "{line} is in {tables}");
        }
        assert!(!tables.contains("Not all got a token"), "{tables}");
        let json = serde_json::to_value(&report).unwrap();
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
}
