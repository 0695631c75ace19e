//! Reads the three sources; the `config` crate lays them over each other and carries along where each value was set.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError as ConfigCrateError, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::{
    error::ConfigError,
    keys::{self, CONFIG_DIR, DEFAULTS, ENVIRONMENT},
};
use crate::domain::characters::unseen;
use crate::domain::encoding::{self, NotText};
use crate::domain::nearest::nearest;

/// The environment when nobody names one: whatever is not said to be something else is production.
const DEFAULT_ENVIRONMENT: &str = "production";
/// How many edits away a misspelt name may be to be recognised.
const KEY_EDITS: usize = 4;
const VARIABLE_EDITS: usize = 2;

/// Every key's value, merged.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) environment: String,
    /// By dotted key. The origin of each is the place that set it: `built-in default`, `config/production.toml:3`, or the name of a
    /// variable.
    pub(super) settings: BTreeMap<String, Value>,
    pub(super) errors: Vec<ConfigError>,
}

impl Layers {
    /// `folder` holds the environments' files unless `GATEWAY_CONFIG_DIR` names another.
    pub(super) fn read(env: &BTreeMap<String, String>, folder: &Path) -> Self {
        let mut errors = Vec::new();
        let (defaults, _) = flatten(DEFAULTS, |_| "built-in default".to_owned());
        let known: BTreeSet<String> = defaults.keys().cloned().collect();
        let mut from_file = BTreeMap::new();

        let environment = environment_name(env, &mut errors);
        if let Some((path, text)) = environment_file(env, folder, &environment, &mut errors) {
            let place = |line| format!("{}:{line}", path.display());
            let (layer, mut mistakes) = flatten(&text, place);
            // In broken TOML, what looks like a name may be a piece of a secret.
            let well_formed = mistakes.is_empty();
            errors.append(&mut mistakes);
            for (key, value) in layer {
                if known.contains(&key) {
                    from_file.insert(key, value);
                } else if well_formed {
                    errors.push(unknown_key(key, &value, &known));
                }
            }
        }

        let from_variables = known
            .iter()
            .filter_map(|key| Some((key.clone(), from_variables(key, env, &mut errors)?)))
            .collect();
        errors.extend(unknown_variables(env, &known));
        Self {
            environment,
            settings: merge([defaults, from_file, from_variables]),
            errors,
        }
    }

    /// Where a setting was set.
    pub(super) fn place(&self, key: &str) -> Option<String> {
        self.settings.get(key)?.origin().map(str::to_owned)
    }

    /// The configuration in force as TOML, each line with its source, secrets as `***`.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("# environment: {}\n", self.environment);
        let mut current = "";
        for (key, value) in &self.settings {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if section != current {
                current = section;
                // Writing to a String cannot fail.
                writeln!(text, "\n[{section}]").unwrap_or_default();
            }
            let line = format!("{name} = {}", in_toml(key, &value.kind));
            let place = value.origin().unwrap_or_default();
            writeln!(text, "{line:<44} # {place}").unwrap_or_default();
        }
        text
    }
}

/// Later layers win.
fn merge(layers: [BTreeMap<String, Value>; 3]) -> BTreeMap<String, Value> {
    let builder = layers
        .into_iter()
        .fold(Config::builder(), |builder, layer| {
            builder.add_source(Layer(layer))
        });
    // No layer fails, since its mistakes were taken out before.
    let sections = builder.build().and_then(|config| config.collect());
    let mut settings = BTreeMap::new();
    for (section, value) in sections.unwrap_or_default() {
        let members = value.into_table().unwrap_or_default();
        settings.extend(
            members
                .into_iter()
                .map(|(name, value)| (format!("{section}.{name}"), value)),
        );
    }
    settings
}

/// One source of settings: values by dotted key.
#[derive(Debug, Clone)]
struct Layer(BTreeMap<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigCrateError> {
        Ok(self.0.clone().into_iter().collect())
    }
}

/// As TOML; a secret that is set shows as `***`.
pub(super) fn in_toml(key: &str, kind: &ValueKind) -> String {
    let text = match kind {
        ValueKind::String(text) if text.is_empty() => r#""""#,
        _ if keys::is_secret(key) => r#""***""#,
        ValueKind::String(text) => return format!("{text:?}"),
        ValueKind::I64(number) => return number.to_string(),
        ValueKind::Array(items) => match texts(items) {
            Some(items) => return format!("{items:?}"),
            None => "(a list of something else than strings and integers)",
        },
        ValueKind::Boolean(_) => "(true or false)",
        ValueKind::Float(_) => "(a fraction)",
        ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "(a huge integer)",
        ValueKind::Table(_) => "(a table)",
        // `config` knows no dates, and TOML has no nothing: one stands for the other.
        ValueKind::Nil => "(a date)",
    };
    text.to_owned()
}

/// The items of a list of strings and integers.
pub(super) fn texts(items: &[Value]) -> Option<Vec<String>> {
    let texts = items.iter().map(|item| match &item.kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::I64(number) => Some(number.to_string()),
        _ => None,
    });
    texts.collect()
}

fn environment_name(env: &BTreeMap<String, String>, errors: &mut Vec<ConfigError>) -> String {
    let Some(name) = env.get(ENVIRONMENT).filter(|name| !name.is_empty()) else {
        return DEFAULT_ENVIRONMENT.to_owned();
    };
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if plain && name != "default" {
        return name.clone();
    }
    errors.push(ConfigError {
        subject: ENVIRONMENT.to_owned(),
        place: None,
        problem: format!("{name:?} names no environment: use lower-case letters, digits, - and _, and not `default`"),
    });
    DEFAULT_ENVIRONMENT.to_owned()
}

/// The file may be missing unless it was named explicitly.
fn environment_file(
    env: &BTreeMap<String, String>,
    folder: &Path,
    environment: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<(PathBuf, String)> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty());
    let asked = set(ENVIRONMENT).or(set(CONFIG_DIR)).is_some();
    let folder = set(CONFIG_DIR).map_or(folder, Path::new);
    let path = folder.join(format!("{environment}.toml"));
    match fs::read(&path) {
        Ok(bytes) => match encoding::text(&bytes) {
            Ok(text) => Some((path, text)),
            Err(fault) => {
                let subject = match &fault {
                    NotText::Byte { place, .. } => format!("{}:{}", path.display(), place.line),
                    _ => path.display().to_string(),
                };
                errors.push(ConfigError {
                    subject,
                    place: None,
                    problem: fault.to_string(),
                });
                None
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked => None,
        Err(error) => {
            errors.push(ConfigError {
                subject: path.display().to_string(),
                place: None,
                problem: format!(
                    "cannot be read ({error}): create it (it may be empty), or change {ENVIRONMENT} or {CONFIG_DIR}"
                ),
            });
            None
        }
    }
}

/// All values by dotted key; `place` makes a source of a line number.
fn flatten(
    text: &str,
    place: impl Fn(usize) -> String,
) -> (BTreeMap<String, Value>, Vec<ConfigError>) {
    let line_of = |offset: usize| {
        let before = text.bytes().take(offset);
        before.filter(|byte| *byte == b'\n').count() + 1
    };
    let (table, mistakes) = DeTable::parse_recoverable(text);
    let errors = mistakes
        .iter()
        .map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let here = text.get(at..).and_then(|rest| rest.chars().next());
            ConfigError {
                subject: place(line_of(at)),
                place: None,
                problem: match here.and_then(unseen) {
                    Some(name) => format!("{name} is here: write a plain space, or nothing"),
                    // The message alone: the full text would quote the line, which may hold a secret.
                    None => format!("this is not TOML: {}", error.message()),
                },
            }
        })
        .collect();
    let mut values = BTreeMap::new();
    collect(
        table.get_ref(),
        "",
        &|offset| place(line_of(offset)),
        &mut values,
    );
    (values, errors)
}

fn collect(
    table: &DeTable<'_>,
    prefix: &str,
    place: &dyn Fn(usize) -> String,
    values: &mut BTreeMap<String, Value>,
) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            collect(inner, &format!("{key}."), place, values);
        } else {
            let place = place(name.span().start);
            values.insert(key, Value::new(Some(&place), kind(value.get_ref())));
        }
    }
}

fn kind(value: &DeValue<'_>) -> ValueKind {
    match value {
        DeValue::String(text) => ValueKind::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(ValueKind::I128(i128::MAX), ValueKind::I64),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| Value::from(kind(item.get_ref())));
            ValueKind::Array(items.collect())
        }
        DeValue::Boolean(is_true) => ValueKind::Boolean(*is_true),
        DeValue::Float(_) => ValueKind::Float(f64::NAN),
        DeValue::Datetime(_) => ValueKind::Nil,
        DeValue::Table(_) => ValueKind::Table(Map::new()),
    }
}

fn from_variables(
    key: &str,
    env: &BTreeMap<String, String>,
    errors: &mut Vec<ConfigError>,
) -> Option<Value> {
    let mut set: Vec<_> = keys::variables(key)
        .into_iter()
        .filter_map(|variable| {
            let value = env.get(&variable.name)?;
            (variable.may_be_empty || !value.is_empty()).then_some((variable, value))
        })
        .collect();
    if set.len() > 1 {
        let names: Vec<_> = set
            .iter()
            .map(|(variable, _)| variable.name.as_str())
            .collect();
        errors.push(ConfigError {
            subject: key.to_owned(),
            place: None,
            problem: format!("set more than once, by {}: keep one", names.join(" and ")),
        });
    }
    let (variable, value) = set.pop()?;
    let read = if variable.is_file {
        text_of_file(value)
    } else {
        Ok(value.clone())
    };
    match read.and_then(|text| encoding::value(&text).map(str::to_owned)) {
        Ok(text) => Some(Value::new(Some(&variable.name), text)),
        Err(problem) => {
            errors.push(ConfigError {
                subject: key.to_owned(),
                place: Some(variable.name),
                problem,
            });
            None
        }
    }
}

fn text_of_file(path: &str) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {path:?}: {error}"))?;
    encoding::text(&bytes).map_err(|fault| format!("{path:?}: {fault}"))
}

fn unknown_key(key: String, value: &Value, known: &BTreeSet<String>) -> ConfigError {
    let problem = match nearest(&key, known.iter().map(String::as_str), KEY_EDITS) {
        Some(near) => format!("no such setting; did you mean {near}?"),
        None => "no such setting; `check-config --reference` lists them all".to_owned(),
    };
    ConfigError {
        subject: key,
        place: value.origin().map(str::to_owned),
        problem,
    }
}

/// Variables that the library of the database reads whatever a URL says.
const MIXED_IN: [&str; 4] = ["PGOPTIONS", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"];

/// `GATEWAY__...` is ours, so every such name must exist. `GATEWAY_...` and `ANAM_...` may be
/// somebody else's (Kubernetes sets `GATEWAY_PORT` for a service named `gateway`), so there only
/// near misses are refused.
fn unknown_variables(env: &BTreeMap<String, String>, known: &BTreeSet<String>) -> Vec<ConfigError> {
    let mut names: BTreeSet<String> = known
        .iter()
        .flat_map(|key| keys::variables(key))
        .map(|variable| variable.name)
        .collect();
    names.extend([ENVIRONMENT.to_owned(), CONFIG_DIR.to_owned()]);
    let candidates = || names.iter().map(String::as_str);
    let mut errors = Vec::new();
    for name in MIXED_IN {
        if env.get(name).is_some_and(|value| !value.is_empty()) {
            errors.push(ConfigError {
                subject: name.to_owned(),
                place: None,
                problem: "would be mixed into every database URL: unset it, and write its value into the URL (docs/DATABASES.md)".to_owned(),
            });
        }
    }
    for name in env.keys().filter(|name| !names.contains(*name)) {
        let problem = if name.starts_with("GATEWAY__") {
            match nearest(name, candidates(), KEY_EDITS) {
                Some(near) => format!("no such setting; did you mean {near}?"),
                None => "no such setting; `check-config --reference` lists them all".to_owned(),
            }
        } else if name.starts_with("GATEWAY_") || name.starts_with("ANAM_") {
            match nearest(name, candidates(), VARIABLE_EDITS) {
                Some(near) => format!("did you mean {near}?"),
                None => continue,
            }
        } else {
            continue;
        };
        errors.push(ConfigError {
            subject: name.clone(),
            place: None,
            problem,
        });
    }
    errors
}
