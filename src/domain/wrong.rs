//! What is wrong with a value, apart from the words for it: programs and other languages go by it.

use std::fmt;

/// What is wrong with a value. Its `Display` is the usual sentence in English, without a final stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Missing,
    Text,
    Object,
    List,
    Flag,
    Number,
    Whole,
    /// A number is not within these bounds.
    Range {
        least: String,
        most: String,
    },
    WholeRange {
        least: String,
        most: String,
    },
    AtLeast(String),
    AtMost(String),
    /// In characters.
    Length {
        least: usize,
        most: usize,
    },
    /// One line, in characters.
    Line {
        most: usize,
    },
    /// In items.
    Items {
        least: usize,
        most: usize,
    },
    /// What it may be, separated by commas.
    OneOf(String),
    /// With an example.
    Time(&'static str),
    Future,
    /// A time zone, with an example.
    Zone(&'static str),
    /// It is in its list twice.
    Twice,
    /// A document's key.
    Key,
    Email,
    Uuid,
    /// No member has this name; the known ones, separated by commas.
    Unknown(String),
    /// The tenant's catalogue has no entry of this kind with this id.
    NotInCatalogue(&'static str),
    /// The prompt includes this snippet, and no version of it is pinned.
    Unpinned(String),
    /// It refers to this secret, which is not set.
    NoSecret(String),
    /// Of a template: no value has this name; the known ones, separated by commas.
    NoValue {
        name: String,
        known: String,
    },
    /// Of a template: there is no such filter, or no such test; those that there are.
    NoFilter {
        name: String,
        known: String,
    },
    NoTest {
        name: String,
        known: String,
    },
    /// Of a template: a tag, or an operator, that templates don't have.
    Tag(String),
    Operator(&'static str),
    /// Of a template: it calls a function.
    Call,
    /// Of a template: something was opened that nothing closes; what would.
    Unclosed {
        name: String,
        end: String,
    },
    /// Of a template: it was written for another engine; what does the same here.
    Foreign {
        name: String,
        instead: String,
    },
    /// Of a template: it can't be read from here on, for a reason in English.
    Unreadable(String),
    /// Of a template: a character that looks like a quote.
    Quote(char),
    /// Of a template: an invisible character, as U+0000.
    Unseen(String),
    /// Of a template: a character that marks what users send.
    Kept(char),
    /// Of a template or a rule: no issuer gives this fact of users; those that are given.
    NoFact {
        name: String,
        known: String,
    },
    /// Of a template or a rule: there is no such preference; those that there are.
    NoPreference {
        name: String,
        known: String,
    },
    /// Of a template: the gateway has no such word of its own; those that it has.
    NoMember {
        name: String,
        known: String,
    },
    /// Of a template or a rule: no metadata of this name are declared.
    Undeclared(String),
    /// Of a template: it prints nothing where this is absent.
    Absent(String),
    /// It is missing, and so is the policy's default for it.
    NoDefault,
    /// A text comes out empty, whatever the values are.
    Blank,
    /// At a place of a text, both counted from 1.
    Placed {
        line: usize,
        column: usize,
        wrong: Box<Wrong>,
    },
    /// The document gives this persona, which is not live.
    NotLive(String),
    /// The rule of this number, counted from one, holds wherever this one does.
    Unreached {
        rule: usize,
        name: String,
    },
    /// The rule of this number holds for everybody, so the default is never used.
    DefaultUnused {
        rule: usize,
    },
    /// No user gets this persona, since its weight is 0.
    NoWeight(String),
    /// Nothing uses this attribute.
    Unused(String),
    /// It means this context already.
    AliasTaken(String),
    /// The snippet has no such version.
    NoVersion {
        name: String,
        version: i32,
    },
}

/// Words for what is wrong, and where programs can tell it apart, what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub text: String,
    pub wrong: Option<Box<Wrong>>,
}

impl Wrong {
    /// Every code, in the order of the documentation.
    #[cfg(test)]
    pub const CODES: [&'static str; 52] = [
        "missing",
        "unknown",
        "text",
        "object",
        "list",
        "flag",
        "number",
        "whole",
        "range",
        "whole_range",
        "at_least",
        "at_most",
        "length",
        "line",
        "items",
        "one_of",
        "time",
        "future",
        "zone",
        "twice",
        "key",
        "email",
        "uuid",
        "not_in_catalogue",
        "unpinned",
        "no_secret",
        "no_value",
        "no_filter",
        "no_test",
        "tag",
        "operator",
        "call",
        "unclosed",
        "foreign",
        "unreadable",
        "quote",
        "unseen",
        "kept",
        "no_fact",
        "no_preference",
        "no_member",
        "undeclared",
        "absent",
        "no_default",
        "blank",
        "not_live",
        "unreached",
        "default_unused",
        "no_weight",
        "unused",
        "alias_taken",
        "no_version",
    ];

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Text => "text",
            Self::Object => "object",
            Self::List => "list",
            Self::Flag => "flag",
            Self::Number => "number",
            Self::Whole => "whole",
            Self::Range { .. } => "range",
            Self::WholeRange { .. } => "whole_range",
            Self::AtLeast(_) => "at_least",
            Self::AtMost(_) => "at_most",
            Self::Length { .. } => "length",
            Self::Line { .. } => "line",
            Self::Items { .. } => "items",
            Self::OneOf(_) => "one_of",
            Self::Time(_) => "time",
            Self::Future => "future",
            Self::Zone(_) => "zone",
            Self::Twice => "twice",
            Self::Key => "key",
            Self::Email => "email",
            Self::Uuid => "uuid",
            Self::Unknown(_) => "unknown",
            Self::NotInCatalogue(_) => "not_in_catalogue",
            Self::Unpinned(_) => "unpinned",
            Self::NoSecret(_) => "no_secret",
            Self::NoValue { .. } => "no_value",
            Self::NoFilter { .. } => "no_filter",
            Self::NoTest { .. } => "no_test",
            Self::Tag(_) => "tag",
            Self::Operator(_) => "operator",
            Self::Call => "call",
            Self::Unclosed { .. } => "unclosed",
            Self::Foreign { .. } => "foreign",
            Self::Unreadable(_) => "unreadable",
            Self::Quote(_) => "quote",
            Self::Unseen(_) => "unseen",
            Self::Kept(_) => "kept",
            Self::NoFact { .. } => "no_fact",
            Self::NoPreference { .. } => "no_preference",
            Self::NoMember { .. } => "no_member",
            Self::Undeclared(_) => "undeclared",
            Self::Absent(_) => "absent",
            Self::NoDefault => "no_default",
            Self::Blank => "blank",
            Self::Placed { wrong, .. } => wrong.code(),
            Self::NotLive(_) => "not_live",
            Self::Unreached { .. } => "unreached",
            Self::DefaultUnused { .. } => "default_unused",
            Self::NoWeight(_) => "no_weight",
            Self::Unused(_) => "unused",
            Self::AliasTaken(_) => "alias_taken",
            Self::NoVersion { .. } => "no_version",
        }
    }

    /// What belongs to the code, by name.
    pub fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Range { least, most } | Self::WholeRange { least, most } => {
                vec![("least", least.clone()), ("most", most.clone())]
            }
            Self::Length { least, most } | Self::Items { least, most } => {
                vec![("least", least.to_string()), ("most", most.to_string())]
            }
            Self::Line { most } => vec![("most", most.to_string())],
            Self::AtLeast(least) => vec![("least", least.clone())],
            Self::AtMost(most) => vec![("most", most.clone())],
            Self::OneOf(choices) => vec![("choices", choices.clone())],
            Self::Time(example) | Self::Zone(example) => vec![("example", (*example).to_owned())],
            Self::Unknown(known) => vec![("known", known.clone())],
            Self::NotInCatalogue(kind) => vec![("kind", (*kind).to_owned())],
            Self::Unpinned(name)
            | Self::NoSecret(name)
            | Self::Tag(name)
            | Self::NotLive(name)
            | Self::NoWeight(name)
            | Self::Unused(name)
            | Self::AliasTaken(name)
            | Self::Unseen(name)
            | Self::Undeclared(name)
            | Self::Absent(name) => vec![("name", name.clone())],
            Self::Operator(sign) => vec![("name", (*sign).to_owned())],
            Self::Unclosed { name, end } => vec![("name", name.clone()), ("end", end.clone())],
            Self::Foreign { name, instead } => {
                vec![("name", name.clone()), ("instead", instead.clone())]
            }
            Self::Unreadable(why) => vec![("why", why.clone())],
            Self::Quote(c) | Self::Kept(c) => vec![("name", c.to_string())],
            Self::Placed {
                line,
                column,
                wrong,
            } => {
                let mut values = wrong.values();
                values.push(("line", line.to_string()));
                values.push(("column", column.to_string()));
                values
            }
            Self::NoValue { name, known }
            | Self::NoFilter { name, known }
            | Self::NoTest { name, known }
            | Self::NoFact { name, known }
            | Self::NoPreference { name, known }
            | Self::NoMember { name, known } => {
                vec![("name", name.clone()), ("known", known.clone())]
            }
            Self::Unreached { rule, name } => {
                vec![("rule", rule.to_string()), ("name", name.clone())]
            }
            Self::DefaultUnused { rule } => vec![("rule", rule.to_string())],
            Self::NoVersion { name, version } => {
                vec![("name", name.clone()), ("version", version.to_string())]
            }
            _ => Vec::new(),
        }
    }

    /// With other words than the usual ones.
    pub fn worded(self, text: impl Into<String>) -> Words {
        Words {
            text: text.into(),
            wrong: Some(Box::new(self)),
        }
    }

    /// A number that is not within these bounds.
    pub fn range(least: impl fmt::Display, most: impl fmt::Display) -> Self {
        Self::Range {
            least: least.to_string(),
            most: most.to_string(),
        }
    }

    /// A whole number that is none, or not within these bounds.
    pub fn whole_range(least: impl fmt::Display, most: impl fmt::Display) -> Self {
        Self::WholeRange {
            least: least.to_string(),
            most: most.to_string(),
        }
    }

    /// An invisible character.
    pub fn unseen(c: char) -> Self {
        Self::Unseen(format!("U+{:04X}", u32::from(c)))
    }

    /// None of these.
    pub fn one_of<T: AsRef<str>>(choices: &[T]) -> Self {
        let choices: Vec<&str> = choices.iter().map(AsRef::as_ref).collect();
        Self::OneOf(choices.join(", "))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Text => f.write_str("must be a text"),
            Self::Object => f.write_str("must be an object"),
            Self::List => f.write_str("must be a list"),
            Self::Flag => f.write_str("must be true or false"),
            Self::Number => f.write_str("must be a number"),
            Self::Whole => f.write_str("must be a whole number"),
            Self::Range { least, most } => write!(f, "must be {least} to {most}"),
            Self::WholeRange { least, most } => {
                write!(f, "must be a whole number from {least} to {most}")
            }
            Self::AtLeast(least) => write!(f, "must be at least {least}"),
            Self::AtMost(most) => write!(f, "must be at most {most}"),
            Self::Length { least: 0, most } => write!(f, "must be {most} characters at most"),
            Self::Length { least, most } => write!(f, "must be {least} to {most} characters"),
            Self::Line { most } => write!(f, "must be one line of 1 to {most} characters"),
            Self::Items { least: 0, most } => write!(f, "must be a list of at most {most} items"),
            Self::Items { least, most } => write!(f, "must be a list of {least} to {most} items"),
            Self::OneOf(choices) => write!(f, "must be one of: {choices}"),
            Self::Time(example) => write!(f, "must be a time such as {example}"),
            Self::Future => f.write_str("must be in the future"),
            Self::Zone(example) => write!(f, "must be an IANA time zone such as {example}"),
            Self::Twice => f.write_str("is in the list twice"),
            Self::Key => f.write_str("must be a key"),
            Self::Email => f.write_str("must be an e-mail address"),
            Self::Uuid => f.write_str("must be a UUID"),
            Self::Unknown(known) => write!(f, "is unknown; known are {known}"),
            Self::NotInCatalogue(kind) => write!(f, "is not in the tenant's catalogue of {kind}s"),
            Self::Unpinned(name) => {
                write!(
                    f,
                    "pins no version of the snippet `{name}` that the prompt includes"
                )
            }
            Self::NoSecret(name) => write!(f, "refers to the secret `{name}`, which is not set"),
            Self::NoValue { name, .. } => write!(f, "the name {name} is not known"),
            Self::NoFilter { name, .. } => write!(f, "the filter {name} is not known"),
            Self::NoTest { name, .. } => write!(f, "the test {name} is not known"),
            Self::Tag(tag) => write!(f, "{{% {tag} %}} is not allowed"),
            Self::Operator(sign) => write!(f, "the operator {sign} is not allowed"),
            Self::Call => f.write_str("calls are not allowed"),
            Self::Unclosed { name, .. } => write!(f, "{name} is never closed"),
            Self::Foreign { name, .. } => write!(f, "{name} is of another template language"),
            Self::Unreadable(why) => f.write_str(why),
            Self::Quote(c) => write!(f, "{c} is no quote that a template knows"),
            Self::Unseen(name) => write!(f, "invisible control character {name}"),
            Self::Kept(c) => write!(
                f,
                "the character {c} is kept for the marks around text from users"
            ),
            Self::NoFact { name, .. } => write!(f, "`{name}` is given by no issuer of the tenant"),
            Self::NoPreference { name, .. } => {
                write!(f, "`{name}` is no preference of the tenant")
            }
            Self::NoMember { name, .. } => write!(f, "`{name}` is never there"),
            Self::Undeclared(name) => write!(f, "`{name}` is not declared"),
            Self::Absent(name) => write!(f, "`{name}` prints nothing where it is absent"),
            Self::NoDefault => f.write_str(
                "is missing, and the policy's defaults name none: no user can get this persona",
            ),
            Self::Blank => f.write_str("comes out empty, whatever the values are"),
            Self::Placed {
                line,
                column,
                wrong,
            } => write!(f, "line {line}, column {column}: {wrong}"),
            Self::NotLive(persona) => write!(f, "gives the persona `{persona}`, which is not live"),
            Self::Unreached { rule, name } => {
                write!(
                    f,
                    "is never reached: rule {rule} (`{name}`) holds wherever this one does"
                )
            }
            Self::DefaultUnused { rule } => {
                write!(f, "is never used: rule {rule} holds for everybody")
            }
            Self::NoWeight(persona) => write!(f, "is 0: no user gets `{persona}`"),
            Self::Unused(name) => {
                write!(
                    f,
                    "`{name}` is used by no rule and no persona of this context"
                )
            }
            Self::AliasTaken(context) => write!(f, "means the context `{context}` already"),
            Self::NoVersion { name, version } => {
                write!(f, "the snippet `{name}` has no version {version}")
            }
        }
    }
}

impl From<Wrong> for Words {
    fn from(wrong: Wrong) -> Self {
        Self {
            text: wrong.to_string(),
            wrong: Some(Box::new(wrong)),
        }
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self { text, wrong: None }
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
