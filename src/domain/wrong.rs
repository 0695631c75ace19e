//! What is wrong with a value, apart from the words for it: programs and other languages go by it.

use std::fmt;

/// Defines [`Wrong`]: for each kind its name, what belongs to it, its stable code, and its usual words.
macro_rules! wrong {
    ($(
        $(#[$meaning:meta])*
        $name:ident $(($value:ident: $only:ty))? $({ $($member:ident: $type:ty),+ })? = $code:literal, $words:literal;
    )+) => {
        /// What is wrong with a value. Its `Display` is the usual sentence in English, without a final stop.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Wrong {
            $($(#[$meaning])* $name $(($only))? $({ $($member: $type),+ })?,)+
            /// Another program found it: its words are all that is known.
            Elsewhere,
            /// At a place of a text, both counted from 1.
            Placed {
                line: usize,
                column: usize,
                wrong: Box<Wrong>,
            },
        }

        impl Wrong {
            /// Every code with the names of what belongs to it, in the order of the documentation.
            #[cfg(test)]
            pub const CODES: &'static [(&'static str, &'static [&'static str])] = &[
                $(($code, &[$(stringify!($value))? $($(stringify!($member)),+)?]),)+
            ];

            /// The stable code.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $code,)+
                    Self::Elsewhere => "elsewhere",
                    Self::Placed { wrong, .. } => wrong.code(),
                }
            }

            /// What belongs to the code, by name.
            pub fn values(&self) -> Vec<(&'static str, String)> {
                match self {
                    $(Self::$name $(($value))? $({ $($member),+ })? => vec![
                        $((stringify!($value), $value.to_string()))?
                        $($((stringify!($member), $member.to_string())),+)?
                    ],)+
                    Self::Elsewhere => Vec::new(),
                    Self::Placed { line, column, wrong } => {
                        let mut values = wrong.values();
                        values.push(("line", line.to_string()));
                        values.push(("column", column.to_string()));
                        values
                    }
                }
            }
        }

        impl fmt::Display for Wrong {
            #[expect(unused_variables, reason = "the words do not hold all that belongs to a code")]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Length { least: 0, most } => write!(f, "must be {most} characters at most"),
                    Self::Items { least: 0, most } => write!(f, "must be a list of at most {most} items"),
                    $(Self::$name $(($value))? $({ $($member),+ })? => write!(f, $words),)+
                    Self::Elsewhere => f.write_str("is wrong"),
                    Self::Placed { line, column, wrong } => {
                        write!(f, "line {line}, column {column}: {wrong}")
                    }
                }
            }
        }
    };
}

mod kinds;

pub use kinds::Wrong;

/// Words for what is wrong, and what it is for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub text: String,
    pub wrong: Box<Wrong>,
}

impl Words {
    /// The words as a sentence of their own.
    pub fn sentence(&self) -> String {
        format!("{}.", capitalised(&self.text))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Wrong {
    /// With other words than the usual ones.
    pub fn worded(self, text: impl Into<String>) -> Words {
        Words {
            text: text.into(),
            wrong: Box::new(self),
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

impl From<Wrong> for Words {
    fn from(wrong: Wrong) -> Self {
        Self {
            text: wrong.to_string(),
            wrong: Box::new(wrong),
        }
    }
}

/// With a capital letter in front, but for an e-mail address.
pub fn capitalised(text: &str) -> String {
    let first = text.split_whitespace().next();
    if first.is_some_and(|word| word.contains('@')) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
