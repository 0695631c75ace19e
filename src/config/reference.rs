//! `docs/CONFIGURATION.md`, made from the comments in `default.toml`.

use std::fmt::Write as _;

use super::keys::{self, DEFAULTS};

const OPENING: &str = "\
# Configuration

Made from `config/default.toml` by `persona-gateway check-config --reference`; do not edit it here.

Three sources, the later ones winning: the defaults below, which are compiled in; the file
`config/<environment>.toml`, where the environment is the value of `GATEWAY_ENVIRONMENT`
(`production` when it is not set) and `GATEWAY_CONFIG_DIR` names another folder than `./config`;
and environment variables. The file may be missing unless one of those two variables asks for it.

Every setting has a variable `GATEWAY__SECTION__KEY`, some also have the short name given below.
Items of a list are separated by commas there. A secret may also be given as a file, whose path is
in the variable of the same name with `_FILE` added. A name that does not exist is an error, and so
is setting one value twice. `persona-gateway check-config` reports all mistakes, or shows what is
in force and where each value comes from.
";

/// The whole page, in Markdown.
pub fn reference() -> String {
    let mut page = OPENING.to_owned();
    let mut section = "";
    let mut comment = String::new();
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(text.trim());
        } else if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
            open_section(&mut page, name, &comment);
            comment.clear();
        } else if let Some((name, default)) = line.split_once(" = ") {
            add_row(&mut page, &format!("{section}.{name}"), default, &comment);
            comment.clear();
        } else {
            comment.clear();
        }
    }
    page
}

fn open_section(page: &mut String, name: &str, comment: &str) {
    let intro = if comment.is_empty() {
        String::new()
    } else {
        format!("{comment}\n\n")
    };
    let head = "| key | default | variable | meaning |\n| --- | --- | --- | --- |";
    // Writing to a String cannot fail.
    writeln!(page, "\n## `[{name}]`\n\n{intro}{head}").unwrap_or_default();
}

fn add_row(page: &mut String, key: &str, default: &str, comment: &str) {
    let secret = if keys::is_secret(key) { " Secret." } else { "" };
    let meaning = comment.replace('|', "\\|");
    writeln!(
        page,
        "| `{key}` | `{default}` | `{}` | {meaning}{secret} |",
        keys::best_name(key)
    )
    .unwrap_or_default();
}
