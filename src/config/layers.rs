//! Lays the three sources over each other and remembers where each value came from.

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

/// A value before it has a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    /// From a variable, or a TOML string.
    Text(String),
    Integer(i64),
    List(Vec<String>),
    /// Any other kind of TOML value; no setting is one.
    Other(String),
}

/// A value and where it was set.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) raw: Raw,
    /// `built-in default`, `config/production.toml:3`, or the name of a variable.
    pub(super) place: String,
}

/// Every key's value, laid over each other.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) environment: String,
    pub(super) settings: BTreeMap<String, Setting>,
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
            for (key, setting) in layer {
                if known.contains(&key) {
                    from_file.insert(key, setting);
                } else if well_formed {
                    errors.push(unknown_key(key, setting.place, &known));
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
            settings: lay_over_each_other([defaults, from_file, from_variables]),
            errors,
        }
    }

    /// The configuration in force as TOML, each line with its source, secrets as `***`.
    pub(super) fn describe(&self) -> String {
        let mut text = format!("# environment: {}\n", self.environment);
        let mut current = "";
        for (key, setting) in &self.settings {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if section != current {
                current = section;
                // Writing to a String cannot fail.
                writeln!(text, "\n[{section}]").unwrap_or_default();
            }
            let value = shown(key, &setting.raw);
            let line = format!("{name} = {value}");
            writeln!(text, "{line:<44} # {}", setting.place).unwrap_or_default();
        }
        text
    }
}

/// Later layers win. Each value keeps its origin.
fn lay_over_each_other(layers: [BTreeMap<String, Setting>; 3]) -> BTreeMap<String, Setting> {
    let builder = layers
        .into_iter()
        .fold(Config::builder(), |builder, layer| {
            builder.add_source(Layer(layer))
        });
    let merged = builder.build().and_then(|config| config.collect());
    let mut settings = BTreeMap::new();
    for (section, value) in merged.unwrap_or_default() {
        let ValueKind::Table(members) = value.kind else {
            continue;
        };
        for (name, value) in members {
            let place = value.origin().unwrap_or_default().to_owned();
            let raw = Raw::from(value.kind);
            settings.insert(format!("{section}.{name}"), Setting { raw, place });
        }
    }
    settings
}

/// One source of settings, as the `config` crate takes it.
#[derive(Debug, Clone)]
struct Layer(BTreeMap<String, Setting>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigCrateError> {
        let values = self.0.iter().map(|(key, setting)| {
            let value = Value::new(Some(&setting.place), ValueKind::from(setting.raw.clone()));
            (key.clone(), value)
        });
        Ok(values.collect())
    }
}

impl From<Raw> for ValueKind {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Text(text) => Self::String(text),
            Raw::Integer(number) => Self::I64(number),
            Raw::List(items) => Self::Array(items.into_iter().map(Value::from).collect()),
            // No setting is of such a kind, and none is a list of lists: it only has to come out again.
            Raw::Other(kind) => Self::Array(vec![Value::from(vec![kind])]),
        }
    }
}

impl From<ValueKind> for Raw {
    fn from(kind: ValueKind) -> Self {
        match kind {
            ValueKind::String(text) => Self::Text(text),
            ValueKind::I64(number) => Self::Integer(number),
            ValueKind::Array(items) => {
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    match item.kind {
                        ValueKind::Array(inner) => {
                            let kind = inner.into_iter().next().map(|kind| kind.to_string());
                            return Self::Other(kind.unwrap_or_default());
                        }
                        other => texts.push(other.to_string()),
                    }
                }
                Self::List(texts)
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// As TOML; a secret that is set shows as `***`.
pub(super) fn shown(key: &str, raw: &Raw) -> String {
    match raw {
        Raw::Text(text) if text.is_empty() => r#""""#.to_owned(),
        _ if keys::is_secret(key) => r#""***""#.to_owned(),
        Raw::Text(text) => format!("{text:?}"),
        Raw::Integer(number) => number.to_string(),
        Raw::List(items) => format!("{items:?}"),
        Raw::Other(kind) => format!("({kind})"),
    }
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

/// The file may be missing unless somebody asked for it by name.
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
) -> (BTreeMap<String, Setting>, Vec<ConfigError>) {
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
                    Some(name) => format!("{name} stands here: write a plain space, or nothing"),
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
    values: &mut BTreeMap<String, Setting>,
) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            collect(inner, &format!("{key}."), place, values);
        } else {
            let setting = Setting {
                raw: raw(value.get_ref()),
                place: place(name.span().start),
            };
            values.insert(key, setting);
        }
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Raw::Other("a huge integer".to_owned()), Raw::Integer),
        DeValue::Array(items) => items
            .iter()
            .map(|item| match raw(item.get_ref()) {
                Raw::Text(text) => Some(text),
                Raw::Integer(number) => Some(number.to_string()),
                Raw::List(_) | Raw::Other(_) => None,
            })
            .collect::<Option<Vec<_>>>()
            .map_or(
                Raw::Other("a list of something else than strings and integers".to_owned()),
                Raw::List,
            ),
        DeValue::Boolean(_) => Raw::Other("true or false".to_owned()),
        DeValue::Float(_) => Raw::Other("a fraction".to_owned()),
        DeValue::Datetime(_) => Raw::Other("a date".to_owned()),
        DeValue::Table(_) => Raw::Other("a table".to_owned()),
    }
}

fn from_variables(
    key: &str,
    env: &BTreeMap<String, String>,
    errors: &mut Vec<ConfigError>,
) -> Option<Setting> {
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
        Ok(text) => Some(Setting {
            raw: Raw::Text(text),
            place: variable.name,
        }),
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

fn unknown_key(key: String, place: String, known: &BTreeSet<String>) -> ConfigError {
    let problem = match nearest(&key, known.iter().map(String::as_str), KEY_EDITS) {
        Some(near) => format!("no such setting; did you mean {near}?"),
        None => "no such setting; `check-config --reference` lists them all".to_owned(),
    };
    ConfigError {
        subject: key,
        place: Some(place),
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
                problem: "would be mixed into every database URL: unset it, and write into the URL what it stands for (docs/DATABASES.md)".to_owned(),
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
