//! Lists of the pages are whole: codes of problems, modules of the code, kinds of tests, files of a production.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use persona_gateway::anam_sdk::PACKAGE;
use persona_gateway::console::PAGES;
use persona_gateway::domain::preferences::Standard;
use persona_gateway::domain::settings::{Form, Setting, Settings};
use persona_gateway::web::codes::Code;

use super::sentences::file;

/// The first two cells of each row of a table whose first cell is this wide.
fn rows(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?, cells.next()?))
    })
}

#[test]
fn the_page_about_people_has_every_reason_of_a_refused_single_sign_on() {
    let (texts, page) = (
        file("src/console/texts/en.ftl"),
        file("docs/admin/people.md"),
    );
    let reasons = texts.lines().filter_map(|line| {
        let (reason, _) = line.strip_prefix("sso-refused-")?.split_once(" =")?;
        Some(reason)
    });
    let reasons: Vec<_> = reasons.collect();
    assert!(reasons.len() > 10);
    for reason in reasons {
        assert!(page.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_table_of_codes_is_what_callers_of_the_user_api_get() {
    let page = file("docs/API.md");
    let told: BTreeMap<&str, &str> = rows(&page)
        .filter(|(status, code)| status.parse::<u16>().is_ok() && code.starts_with('`'))
        .map(|(status, code)| (code.trim_matches('`'), status))
        .collect();
    // Of the one code with two statuses of clients' slowness, and of all others, once each.
    for (code, status) in &told {
        let known = Code::ALL.iter().find(|known| known.as_str() == *code);
        let known = known.unwrap_or_else(|| panic!("{code} is no code"));
        assert_eq!(known.status().as_u16().to_string(), *status, "{code}");
    }
    let for_admins = [
        "already_exists",
        "approval_missing",
        "conflict",
        "document_invalid",
        "forbidden",
        "idempotency_key_reused",
        "identity_provider_unavailable",
        "in_use",
        "inputs_expired",
        "insufficient_user_authentication",
        "merge_conflict",
        "precondition_required",
        "second_factor_enrolment_required",
        "second_factor_required",
        "sign_in_failed",
    ];
    for code in Code::ALL {
        let is_told = told.contains_key(code.as_str());
        assert_ne!(
            is_told,
            for_admins.contains(&code.as_str()),
            "{}",
            code.as_str()
        );
    }
}

#[test]
fn the_page_of_bundles_names_every_setting_and_those_that_users_may_choose() {
    fn names(table: &[Setting], found: &mut Vec<&'static str>) {
        for setting in table {
            found.push(setting.name);
            if let Form::Group { members, .. } = setting.form {
                names(members, found);
            }
        }
    }
    let page = file("docs/BUNDLES.md");
    let (_, section) = page.split_once("\n### Settings\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut settings = Vec::new();
    names(Settings::TABLE, &mut settings);
    assert!(settings.len() > 30, "{settings:?}");
    for name in settings {
        let is_told =
            section.contains(&format!("`{name}`")) || section.contains(&format!(".{name}`"));
        assert!(
            is_told,
            "docs/BUNDLES.md tells nothing of the setting {name}"
        );
    }
    let listed: Vec<String> = Standard::overridable()
        .map(|name| format!("`{name}`"))
        .collect();
    let row = format!(
        "| `overridable` | fields in which a user's preference wins: {} |",
        listed.join(", ")
    );
    assert!(page.contains(&row), "docs/BUNDLES.md has not: {row}");
}

#[test]
fn the_map_has_every_module_and_every_kind_of_test() {
    let map = file("docs/ARCHITECTURE.md");
    let lib = file("src/lib.rs");
    for module in lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
    {
        let named = [
            format!("| `{module}/` |"),
            format!("| `{module}.rs` |"),
            format!("| `{module}.rs`, `{module}/` |"),
        ];
        assert!(
            named.iter().any(|row| map.contains(row)),
            "the map has no module {module}"
        );
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in fs::read_dir(tests).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap().to_owned();
        // What npm installs for tests/it/docs.
        if name == "typescript" {
            continue;
        }
        let name = if entry.path().is_dir() {
            format!("`tests/{name}/`")
        } else {
            format!("`tests/{name}`")
        };
        assert!(map.contains(&name), "the map has no {name}");
    }
}

#[test]
fn production_is_as_its_page_says() {
    let compose = file("docker-compose.yml");
    for part in [
        "postgres:",
        "migrate:",
        "gateway:",
        "read_only: true",
        "no-new-privileges",
        "cap_drop: [ALL]",
        "service_completed_successfully",
    ] {
        assert!(compose.contains(part), "docker-compose.yml has no {part}");
    }
    let image = file("Dockerfile");
    let user = image
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("USER "));
    assert!(
        user.is_some_and(|user| !user.starts_with("root") && !user.starts_with('0')),
        "{user:?}"
    );
}

/// All files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn the_image_is_built_with_every_file_that_the_program_includes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let let_in = file(".dockerignore");
    let let_in: Vec<_> = let_in
        .lines()
        .filter_map(|line| Some(root.join(line.strip_prefix('!')?)))
        .collect();
    let mut included = vec![root.join("askama.toml")];
    for path in below(&root.join("src")) {
        let source = fs::read_to_string(&path).unwrap_or_default();
        for line in source.lines().filter(|line| !line.contains("#[doc")) {
            let named = line.split_once("include_str!(\"");
            let named = named.or_else(|| line.split_once("include_bytes!(\""));
            if let Some((_, rest)) = named {
                let name = rest.split('"').next().unwrap();
                let file = path.parent().unwrap().join(name);
                included.push(file.canonicalize().unwrap());
            }
        }
    }
    assert!(included.len() > 10, "{included:?}");
    for path in included {
        let is_there = let_in.iter().any(|part| path.starts_with(part));
        assert!(is_there, ".dockerignore keeps {} out", path.display());
    }
}

#[test]
fn ci_does_what_its_script_does_and_nothing_else() {
    let workflow = file(".github/workflows/ci.yml");
    let runs: Vec<&str> = workflow
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .trim_start_matches("- ")
                .strip_prefix("run: ")
        })
        .collect();
    assert!(!runs.is_empty());
    assert!(
        runs.iter().all(|run| run.starts_with(".ci/run")),
        "{runs:?}"
    );
    assert!(file("justfile").contains("just --list"));
}

#[test]
fn what_the_picker_offers_is_on_its_page() {
    let page = file("docs/PICKER.md");
    let source = file("examples/page/persona-preferences.js");
    // What stands between `start` and the first character that no name has.
    let named = |text: &str, start: &str| -> BTreeSet<String> {
        let rest = text.split(start).skip(1);
        let name = |rest: &str| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            rest.get(..end.unwrap_or(rest.len())).unwrap().to_owned()
        };
        rest.map(name).collect()
    };
    assert_eq!(
        named(&page, "  --persona-"),
        named(&source, "var(--persona-")
    );
    let parts: BTreeSet<_> = named(&source, "part: \"")
        .into_iter()
        .chain(named(&source, "setAttribute(\"part\", \""))
        .collect();
    let line = page
        .lines()
        .find(|line| line.starts_with("Parts: "))
        .unwrap();
    let told: BTreeSet<_> = line
        .split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(told, parts);
    let cells = |heading: &str| -> BTreeSet<&str> {
        let section = page.split(heading).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        section
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect()
    };
    let events: BTreeSet<String> = named(&source, "Event(\"").into_iter().collect();
    assert_eq!(
        cells("## Events\n"),
        events.iter().map(String::as_str).collect()
    );
    let list = source.split("observedAttributes = [").nth(1).unwrap();
    let list = list.split(']').next().unwrap();
    assert_eq!(
        cells("## Attributes\n"),
        list.split('"').skip(1).step_by(2).collect()
    );
    let all = source.split("const ALL = \"").nth(1).unwrap();
    assert!(page.contains(&format!("`{}`", all.split('"').next().unwrap())));
}

#[test]
fn the_sdk_of_the_page_is_the_one_that_dev_fetches() {
    for page in ["docs/PAGE.md", "docs/CONSOLE.md", "config/default.toml"] {
        let page = file(page);
        for part in page.split("@anam-ai/js-sdk@").skip(1) {
            let version = part.split(['`', ' ']).next().unwrap();
            assert_eq!(format!("@anam-ai/js-sdk@{version}"), PACKAGE);
        }
        assert!(page.contains(&format!("npm pack {PACKAGE}`")));
    }
}

#[test]
fn each_page_of_the_console_has_its_picture() {
    let told = file("docs/CONSOLE.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/console");
    for page in PAGES {
        let picture = format!("{}.webp", page.text);
        assert!(told.contains(&format!("](console/{picture})")), "{picture}");
    }
    for picture in fs::read_dir(&folder).unwrap() {
        let picture = picture.unwrap();
        let name = picture.file_name().into_string().unwrap();
        assert!(told.contains(&format!("](console/{name})")), "{name}");
        assert!(picture.metadata().unwrap().len() <= 60_000, "{name}");
    }
}
