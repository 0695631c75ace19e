//! A reader who types what pages print, line for line, into one shell beside `dev`.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::harness::cli::{Folder, Running, program};

/// Printed between the outputs of two blocks.
const MARK: &str = "\u{1e}";

/// A fenced part of a page.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) language: &'a str,
    pub(super) text: &'a str,
    /// Which of the page's headings it stands below.
    section: usize,
}

/// The fenced parts of a page, in their order.
pub(super) fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut section = 0;
    let mut found = Vec::new();
    for (index, part) in page.split("\n```").enumerate() {
        if index % 2 == 0 {
            section += part.matches("\n#").count();
        } else {
            let (language, text) = part.split_once('\n').expect("a language and a text");
            found.push(Block {
                language,
                text,
                section,
            });
        }
    }
    found
}

/// `dev` on a folder of its own, from whose root a reader types.
pub(super) struct Dev {
    folder: Folder,
    running: Running,
    ready: Value,
}

impl Dev {
    pub(super) async fn start() -> Self {
        let folder = Folder::new();
        let place = folder.path();
        // What a clone has after the first command.
        let built = Path::new(env!("CARGO_BIN_EXE_persona-gateway"));
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir(place.join("target")).unwrap();
        for (from, to) in [
            (built.parent().unwrap(), "target/debug"),
            (&root.join("examples"), "examples"),
            (&root.join("docs"), "docs"),
        ] {
            std::os::unix::fs::symlink(from, place.join(to)).unwrap();
        }
        let args = ["dev", "--json", "--port", "0", "--data", ".data"];
        let running = program(&args).folder(place).start();
        let ready = serde_json::from_str(&running.out_with("{").await).unwrap();
        Self {
            folder,
            running,
            ready,
        }
    }

    /// A member of the line that `dev --json` prints.
    pub(super) fn value(&self, member: &str) -> &str {
        self.ready[member].as_str().unwrap()
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) -> String {
        self.folder.write(name, text)
    }

    pub(super) async fn stop(self) {
        self.running.signal("INT").await;
        assert_eq!(self.running.end().await.code, Some(0));
    }

    /// Runs a script in a shell of its own, and waits for its end.
    async fn run(&self, script: &str, patience: Duration) -> Output {
        let mut bash = tokio::process::Command::new("bash");
        bash.arg("-c").arg(script).kill_on_drop(true);
        bash.current_dir(self.path()).stdin(Stdio::null());
        let done = tokio::time::timeout(patience, bash.output()).await;
        done.expect("the commands end").unwrap()
    }
}

/// Reads the pages one after the other, in one shell, and stops at the first command that fails. Compares what each block prints with the JSON
/// that its page shows below it.
pub(super) async fn read<'a>(dev: &Dev, walks: Vec<Walk<'a>>) -> Vec<Vec<Printed<'a>>> {
    let pages: Vec<_> = walks.into_iter().map(Walk::typed).collect();
    let scripts: String = pages.iter().map(|page| page.script.as_str()).collect();
    let done = dev
        .run(
            &format!("set -euo pipefail\n{scripts}"),
            Duration::from_mins(5),
        )
        .await;
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "needs bash, curl, jq and psql: {out}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let problems = out.matches("urn:persona-gateway:problem:").count();
    assert_eq!(problems, 0, "{out}");
    let mut outs = out.split(MARK);
    let pages = pages.into_iter().map(|page| {
        let blocks = page.blocks.into_iter();
        let printed = blocks.zip(outs.by_ref()).map(|((block, shown), out)| {
            for shown in shown {
                looks_like(shown, out, block.text);
            }
            Printed {
                block: block.text,
                out: out.to_owned(),
            }
        });
        printed.collect()
    });
    pages.collect()
}

/// Types a page into a shell of its own and goes on after a command that failed, as people do. The commands must end; gives what they
/// complained of.
pub(super) async fn try_again(dev: &Dev, first: &Walk<'_>, page: Walk<'_>) -> String {
    let script = [first.clone().typed().script, page.typed().script].concat();
    let done = dev.run(&script, Duration::from_mins(2)).await;
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// A page on its way through a shell.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    page: &'a str,
    before: String,
    replaced: Vec<(&'a str, String)>,
    left_out: Vec<&'a str>,
}

/// A page as it is typed.
struct Typed<'a> {
    script: String,
    /// Its blocks of commands, each with the JSON that the page shows below it.
    blocks: Vec<(Block<'a>, Vec<&'a str>)>,
}

/// What one block printed.
pub(super) struct Printed<'a> {
    pub(super) block: &'a str,
    pub(super) out: String,
}

impl<'a> Walk<'a> {
    pub(super) fn of(page: &'a str) -> Self {
        Self {
            page,
            before: String::new(),
            replaced: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Commands before the page's first.
    pub(super) fn given(mut self, script: &str) -> Self {
        self.before.push_str(script);
        self.before.push('\n');
        self
    }

    /// What a reader types in place of what is printed.
    pub(super) fn typing(mut self, text: impl Into<String>, in_place_of: &'a str) -> Self {
        self.replaced.push((in_place_of, text.into()));
        self
    }

    /// Leaves out the block that begins so. The reason is for those who read the test.
    pub(super) fn without(mut self, beginning: &'a str, _reason: &str) -> Self {
        self.left_out.push(beginning);
        self
    }

    fn typed(mut self) -> Typed<'a> {
        let mut script = self.before;
        let mut typed: Vec<(Block<'a>, Vec<&'a str>)> = Vec::new();
        for block in blocks(self.page) {
            let beginning = |start: &&str| block.text.starts_with(start);
            if let Some(found) = self.left_out.iter().position(beginning) {
                self.left_out.remove(found);
                continue;
            }
            match block.language {
                "sh" => script.push_str(block.text),
                "sql" => {
                    script.push_str("psql -qtA -v ON_ERROR_STOP=1 \"$OWNER_URL\" <<'SQL'\n");
                    script.push_str(block.text);
                    script.push_str("\nSQL");
                }
                "json" => {
                    if let Some((command, shown)) = typed.last_mut()
                        && command.section == block.section
                    {
                        shown.push(block.text);
                    }
                    continue;
                }
                _ => continue,
            }
            script.extend(["\nprintf '", MARK, "'\n"]);
            typed.push((block, Vec::new()));
        }
        assert!(self.left_out.is_empty(), "not there: {:?}", self.left_out);
        for (printed, text) in self.replaced {
            assert!(script.contains(printed), "the page has no {printed:?}");
            script = script.replace(printed, &text);
        }
        Typed {
            script,
            blocks: typed,
        }
    }
}

/// That `out` has the JSON values of `shown`, in their order, with at least the members that are shown, each of the type shown.
fn looks_like(shown: &str, out: &str, block: &str) {
    let values = |text: &str| -> Vec<Value> {
        let values = serde_json::Deserializer::from_str(text).into_iter();
        let values: Result<_, _> = values.collect();
        values.unwrap_or_else(|error| panic!("{error}: {text}\n\nof {block}"))
    };
    let actual = values(out);
    for (shown, actual) in values(shown)
        .iter()
        .zip(actual.iter().map(Some).chain(std::iter::repeat(None)))
    {
        let actual = actual.unwrap_or_else(|| panic!("{block} printed too few values: {out}"));
        let mut missing = Vec::new();
        compare(shown, actual, "", &mut missing);
        assert!(missing.is_empty(), "{missing:#?} of {block}: {actual:#}");
    }
}

fn compare(shown: &Value, actual: &Value, at: &str, missing: &mut Vec<String>) {
    match (shown, actual) {
        (Value::Object(shown), Value::Object(actual)) => {
            for (name, shown) in shown.iter().filter(|(name, _)| *name != "...") {
                match actual.get(name) {
                    Some(actual) => compare(shown, actual, &format!("{at}/{name}"), missing),
                    None => missing.push(format!("{at}/{name} is not there")),
                }
            }
        }
        (Value::Array(shown), Value::Array(actual)) => {
            // One that has all members that any item has: items are of one kind.
            let mut whole = Map::new();
            for item in actual.iter().filter_map(Value::as_object) {
                whole.extend(item.clone());
            }
            for shown in shown {
                if shown.is_object() {
                    compare(
                        shown,
                        &Value::Object(whole.clone()),
                        &format!("{at}/*"),
                        missing,
                    );
                }
            }
            if actual.is_empty() && !shown.is_empty() {
                missing.push(format!("{at} is empty"));
            }
        }
        _ => {
            let kind = |value: &Value| match value {
                Value::Null => None,
                Value::Bool(_) => Some("a flag"),
                Value::Number(_) => Some("a number"),
                Value::String(_) => Some("a text"),
                Value::Array(_) => Some("a list"),
                Value::Object(_) => Some("an object"),
            };
            if let (Some(shown), Some(actual)) = (kind(shown), kind(actual))
                && shown != actual
            {
                missing.push(format!("{at} is {actual}, not {shown}"));
            }
        }
    }
}
