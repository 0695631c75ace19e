//! Where a page leads, there is something.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::sentences::{file, pages};

/// What GitHub makes of a heading.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn slugs(page: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if let Some(heading) = line
            .trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#') && !fenced)
        {
            found.insert(slug(heading));
        }
    }
    found
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                found.pop();
            }
            Component::CurDir => {}
            part => found.push(part),
        }
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut wrong, mut links) = (Vec::new(), 0);
    for page in pages() {
        for part in file(&page).split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            links += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let at = match path {
                "" => PathBuf::from(&page),
                path => plain(&Path::new(&page).parent().unwrap().join(path)),
            };
            let there = if anchor.is_empty() {
                root.join(&at).exists()
            } else {
                root.join(&at).is_file() && slugs(&file(at.to_str().unwrap())).contains(anchor)
            };
            if !there {
                wrong.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(links > 80, "{links}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_heading_is_where_github_puts_it() {
    assert_eq!(
        slug("What a metadata schema may cost"),
        "what-a-metadata-schema-may-cost"
    );
    assert_eq!(slug("`GET /v1/contexts`"), "get-v1contexts");
}
