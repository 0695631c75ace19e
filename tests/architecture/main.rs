//! The house's rules that a compiler does not hold: imports go one way, and some crates stay in their room.

#[cfg(test)]
mod circles;

#[cfg(test)]
mod architecture {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Longest source file: beyond it, a file has become a drawer.
    const MAX_LINES: usize = 600;

    /// Crates that belong to one room, or a few.
    const ROOMS_OF_CRATES: [(&str, &[&str]); 21] = [
        ("sqlx", &["store/"]),
        // The program asks Anam, issuers, and, as a client, gateways elsewhere; and sends traces.
        (
            "reqwest",
            &["anam/", "auth/", "client/", "telemetry/traces/"],
        ),
        (
            "opentelemetry",
            &["telemetry/traces.rs", "telemetry/traces/"],
        ),
        (
            "opentelemetry_sdk",
            &["telemetry/traces.rs", "telemetry/traces/"],
        ),
        ("opentelemetry_otlp", &["telemetry/traces/"]),
        ("opentelemetry_http", &["telemetry/traces/"]),
        (
            "actix_web",
            &["web/", "api/", "console/", "app/", "app.rs", "dev/"],
        ),
        ("askama", &["console/"]),
        ("fluent_bundle", &["wording.rs", "mail/", "console/"]),
        ("lettre", &["mail/"]),
        ("redis", &["shared.rs", "shared/"]),
        ("actix_http", &["app/"]),
        ("actix_service", &["app/"]),
        ("actix_ws", &["dev/"]),
        // What the API takes and answers is described where it is read and written.
        ("utoipa", &["api/", "web/"]),
        ("minijinja", &["domain/template/"]),
        ("argon2", &["crypto/password.rs"]),
        ("jsonwebtoken", &["auth/"]),
        ("rpassword", &["cli/"]),
        ("clap", &["cli/"]),
        ("saphyr_parser", &["authoring/yaml.rs", "authoring/yaml/"]),
    ];

    pub(crate) struct Source {
        /// Relative to src/, with forward slashes.
        pub(crate) path: String,
        text: String,
    }

    impl Source {
        /// The top-level module.
        fn room(&self) -> &str {
            let first = self.path.split('/').next().unwrap();
            first.strip_suffix(".rs").unwrap_or(first)
        }

        /// The lines that are code, with their numbers.
        pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
            let numbered = self
                .text
                .lines()
                .enumerate()
                .map(|(at, line)| (at + 1, line));
            numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
        }
    }

    pub(crate) fn sources() -> Vec<Source> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        let mut folders: Vec<PathBuf> = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let relative = path
                        .strip_prefix(&root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .replace('\\', "/");
                    found.push(Source {
                        path: relative,
                        text: fs::read_to_string(&path).unwrap(),
                    });
                }
            }
        }
        assert!(found.len() > 50, "the sources were found");
        found
    }

    /// The modules in the order of lib.rs, lowest first.
    fn layers(sources: &[Source]) -> BTreeMap<String, usize> {
        let lib = sources
            .iter()
            .find(|source| source.path == "lib.rs")
            .unwrap();
        let modules = lib
            .code()
            .filter_map(|(_, line)| line.strip_prefix("pub mod ")?.strip_suffix(';'));
        modules
            .enumerate()
            .map(|(at, module)| (module.to_owned(), at))
            .collect()
    }

    /// The top-level modules that a line names as `crate::module`.
    fn imports(line: &str) -> Vec<&str> {
        let parts: Vec<&str> = line.split("crate::").collect();
        let pairs = parts.windows(2).filter(|pair| !pair[0].ends_with('$'));
        pairs
            .filter_map(|pair| {
                pair[1]
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .next()
            })
            .collect()
    }

    #[test]
    fn a_module_imports_only_from_modules_above_it_in_lib_rs() {
        let sources = sources();
        let layers = layers(&sources);
        let mut wrong = Vec::new();
        for source in sources
            .iter()
            .filter(|source| !matches!(source.room(), "lib" | "main"))
        {
            let own = layers
                .get(source.room())
                .unwrap_or_else(|| panic!("{} stands in lib.rs", source.room()));
            for (number, line) in source.code() {
                for import in imports(line) {
                    match layers.get(import) {
                        Some(layer) if layer <= own => {}
                        Some(_) => wrong.push(format!(
                            "src/{}:{number} imports {import} from above",
                            source.path
                        )),
                        None => wrong.push(format!(
                            "src/{}:{number} imports {import}, which is no room",
                            source.path
                        )),
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn every_room_stands_in_lib_rs() {
        let sources = sources();
        let layers = layers(&sources);
        for source in sources
            .iter()
            .filter(|source| !matches!(source.room(), "lib" | "main"))
        {
            assert!(
                layers.contains_key(source.room()),
                "src/{} belongs to a room of lib.rs",
                source.path
            );
        }
    }

    #[test]
    fn crates_stay_in_their_rooms() {
        let mut wrong = Vec::new();
        for source in sources() {
            for (name, rooms) in ROOMS_OF_CRATES {
                if rooms.iter().any(|room| source.path.starts_with(room)) {
                    continue;
                }
                let uses = |line: &str| {
                    line.contains(&format!("{name}::")) || line.contains(&format!("use {name};"))
                };
                for (number, _) in source.code().filter(|(_, line)| uses(line)) {
                    wrong.push(format!(
                        "src/{}:{number} uses {name}, which belongs to {}",
                        source.path,
                        rooms.join(", ")
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_domain_has_no_clock_no_randomness_and_does_nothing_outside() {
        let banned = [
            "Utc::now",
            "SystemTime",
            "Instant::now",
            "tokio::",
            "async fn",
            "std::fs",
            "std::env",
            "std::net::Tcp",
            "rand::",
            "SystemRandom",
        ];
        let mut wrong = Vec::new();
        for source in sources().iter().filter(|source| source.room() == "domain") {
            for (number, line) in source.code() {
                for name in banned.iter().filter(|name| line.contains(**name)) {
                    wrong.push(format!("src/{}:{number} uses {name}", source.path));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_emulator_shares_no_type_with_the_gateway() {
        // A field name that both took from one place could be wrong in both.
        let foreign = ["anam", "domain", "sessions", "sources", "store"];
        for source in sources()
            .iter()
            .filter(|source| source.path.starts_with("dev/emulator"))
        {
            for (number, line) in source.code() {
                for import in imports(line) {
                    assert!(
                        !foreign.contains(&import),
                        "src/{}:{number} imports {import}",
                        source.path
                    );
                }
            }
        }
    }

    #[test]
    fn tasks_are_spawned_by_the_lifecycle_and_its_tracker_only() {
        for source in sources() {
            if source.path == "lifecycle.rs" {
                continue;
            }
            for (number, line) in source.code() {
                let spawns =
                    line.contains("tokio::spawn(") || line.contains("actix_web::rt::spawn(");
                assert!(
                    !spawns || source.path.starts_with("dev/"),
                    "src/{}:{number} spawns a task of its own",
                    source.path
                );
            }
        }
    }

    #[test]
    fn no_certificate_check_can_be_switched_off() {
        for source in sources() {
            assert!(
                !source.text.contains("danger_accept"),
                "src/{} accepts bad certificates",
                source.path
            );
        }
    }

    #[test]
    fn no_source_file_has_become_a_drawer() {
        for source in sources() {
            let lines = source.text.lines().count();
            assert!(
                lines <= MAX_LINES,
                "src/{} has {lines} lines; {MAX_LINES} are the limit",
                source.path
            );
        }
    }
}
