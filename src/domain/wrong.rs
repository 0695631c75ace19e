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
                    Self::Placed { line, column, wrong } => {
                        write!(f, "line {line}, column {column}: {wrong}")
                    }
                }
            }
        }
    };
}

wrong! {
    Missing = "missing", "is missing";
    /// No member has this name; the known ones, separated by commas.
    Unknown(known: String) = "unknown", "is unknown; known are {known}";
    Text = "text", "must be a text";
    Object = "object", "must be an object";
    List = "list", "must be a list";
    Flag = "flag", "must be true or false";
    Number = "number", "must be a number";
    Whole = "whole", "must be a whole number";
    /// A number is not within these bounds.
    Range { least: String, most: String } = "range", "must be {least} to {most}";
    WholeRange { least: String, most: String } = "whole_range", "must be a whole number from {least} to {most}";
    AtLeast(least: String) = "at_least", "must be at least {least}";
    AtMost(most: String) = "at_most", "must be at most {most}";
    /// In characters.
    Length { least: usize, most: usize } = "length", "must be {least} to {most} characters";
    /// One line, in characters.
    Line { most: usize } = "line", "must be one line of 1 to {most} characters";
    /// In items.
    Items { least: usize, most: usize } = "items", "must be a list of {least} to {most} items";
    /// What it may be, separated by commas.
    OneOf(choices: String) = "one_of", "must be one of: {choices}";
    /// With an example.
    Time(example: &'static str) = "time", "must be a time such as {example}";
    Future = "future", "must be in the future";
    /// A time zone, with an example.
    Zone(example: &'static str) = "zone", "must be an IANA time zone such as {example}";
    /// It is in its list twice.
    Twice = "twice", "is in the list twice";
    /// A document's key.
    Key = "key", "must be a key";
    Email = "email", "must be an e-mail address";
    Uuid = "uuid", "must be a UUID";
    /// The tenant's catalogue has no entry of this kind with this id.
    NotInCatalogue(kind: &'static str) = "not_in_catalogue", "is not in the tenant's catalogue of {kind}s";
    /// The prompt includes this snippet, and no version of it is pinned.
    Unpinned(name: String) = "unpinned", "pins no version of the snippet `{name}` that the prompt includes";
    /// It refers to this secret, which is not set.
    NoSecret(name: String) = "no_secret", "refers to the secret `{name}`, which is not set";
    /// Of a template: no value has this name; the known ones, separated by commas.
    NoValue { name: String, known: String } = "no_value", "the name {name} is not known";
    /// Of a template: there is no such filter, or no such test; those that there are.
    NoFilter { name: String, known: String } = "no_filter", "the filter {name} is not known";
    NoTest { name: String, known: String } = "no_test", "the test {name} is not known";
    /// Of a template: a tag, or an operator, that templates don't have.
    Tag(name: String) = "tag", "{{% {name} %}} is not allowed";
    Operator(name: &'static str) = "operator", "the operator {name} is not allowed";
    /// Of a template: it calls a function.
    Call = "call", "calls are not allowed";
    /// Of a template: something was opened that nothing closes; what would.
    Unclosed { name: String, end: String } = "unclosed", "{name} is never closed";
    /// Of a template: it was written for another engine; what does the same here.
    Foreign { name: String, instead: String } = "foreign", "{name} is of another template language";
    /// Of a template: it can't be read from here on, for a reason in English.
    Unreadable(why: String) = "unreadable", "{why}";
    /// Of a template: a character that looks like a quote.
    Quote(name: char) = "quote", "{name} is no quote that a template knows";
    /// Of a template: an invisible character, as U+0000.
    Unseen(name: String) = "unseen", "invisible control character {name}";
    /// Of a template: a character that marks what users send.
    Kept(name: char) = "kept", "the character {name} is kept for the marks around text from users";
    /// Of a template or a rule: no issuer gives this fact of users; those that are given.
    NoFact { name: String, known: String } = "no_fact", "`{name}` is given by no issuer of the tenant";
    /// Of a template or a rule: there is no such preference; those that there are.
    NoPreference { name: String, known: String } = "no_preference", "`{name}` is no preference of the tenant";
    /// Of a template: the gateway has no such word of its own; those that it has.
    NoMember { name: String, known: String } = "no_member", "`{name}` is never there";
    /// Of a template or a rule: no metadata of this name are declared.
    Undeclared(name: String) = "undeclared", "`{name}` is not declared";
    /// Of a template: it prints nothing where this is absent.
    Absent(name: String) = "absent", "`{name}` prints nothing where it is absent";
    /// It is missing, and so is the policy's default for it.
    NoDefault = "no_default", "is missing, and the policy's defaults name none: no user can get this persona";
    /// A text comes out empty, whatever the values are.
    Blank = "blank", "comes out empty, whatever the values are";
    /// The document gives this persona, which is not live.
    NotLive(name: String) = "not_live", "gives the persona `{name}`, which is not live";
    /// The rule of this number, counted from one, holds wherever this one does.
    Unreached { rule: usize, name: String } = "unreached", "is never reached: rule {rule} (`{name}`) holds wherever this one does";
    /// The rule of this number holds for everybody, so the default is never used.
    DefaultUnused { rule: usize } = "default_unused", "is never used: rule {rule} holds for everybody";
    /// No user gets this persona, since its weight is 0.
    NoWeight(name: String) = "no_weight", "is 0: no user gets `{name}`";
    /// Nothing uses this attribute.
    Unused(name: String) = "unused", "`{name}` is used by no rule and no persona of this context";
    /// It means this context already.
    AliasTaken(name: String) = "alias_taken", "means the context `{name}` already";
    /// The snippet has no such version.
    NoVersion { name: String, version: i32 } = "no_version", "the snippet `{name}` has no version {version}";
    /// Of a template: snippets are in prompts only, and only printed as they are.
    SnippetInPrompt = "snippet_in_prompt", "snippets can be used in prompts only";
    SnippetPrinted = "snippet_printed", "a snippet can only be printed as it is";
    /// Of a template's loops.
    LoopRecursive = "loop_recursive", "a loop cannot be recursive";
    LoopCondition = "loop_condition", "a loop takes no condition";
    LoopNames = "loop_names", "a loop takes one name, or two for pairs";
    /// `loop` without one of its members; those that there are.
    LoopAlone(known: &'static str) = "loop_alone", "loop cannot be used by itself";
    LoopOutside = "loop_outside", "loop is known inside {{% for %}} only";
    NoLoopField { name: String, known: &'static str } = "no_loop_field", "loop.{name} is not known";
    /// The name of a loop hides the values of that name.
    Hides(name: String) = "hides", "the loop name {name} hides the values of that name";
    DeepLoops { most: usize } = "deep_loops", "more than {most} loops inside each other";
    /// Of a template: an expression of more steps.
    Deep { most: usize } = "deep", "an expression deeper than {most} steps";
    /// Of a template: a number of more digits than are kept.
    Rounded = "rounded", "this number would be rounded";
    Literal = "literal", "this literal is not allowed";
    SliceStep = "slice_step", "a slice takes no step";
    ForNumbers = "for_numbers", "arithmetic is for numbers";
    /// Of a template: `a-b` was written for the member `a-b`; how that is written.
    Hyphen(instead: String) = "hyphen", "a name with a hyphen is read as a subtraction";
    /// Of a template: the filter or test takes no such argument; those that it takes.
    Argument { name: String, known: String } = "argument", "{name} does not take this argument";
    /// Of a template: the test needs something to compare with.
    Compares(name: String) = "compares", "the test {name} compares with something";
    MapKeys = "map_keys", "keys of a map are texts in quotes";
    LongList { most: usize } = "long_list", "a list of more than {most} entries";
    LongPath { most: usize } = "long_path", "a value whose place is longer than {most} characters";
    /// Of a template: its source, in bytes.
    LongSource { bytes: usize, most: usize } = "long_source", "the template is {bytes} bytes long; at most {most} are allowed";
    /// What a text may come out with, or does at least, and what is let through.
    MayBeLong { chars: usize, bytes: usize, most: usize, most_bytes: usize } = "may_be_long", "can come out with up to {chars} characters ({bytes} bytes); over {most} characters or {most_bytes} bytes the user gets no session";
    IsLong { chars: usize, bytes: usize, most: usize, most_bytes: usize } = "is_long", "comes out with {chars} characters ({bytes} bytes) at least, whatever the values are; over {most} characters or {most_bytes} bytes no session is given";
    /// In units of work to render all texts of a session.
    MuchWork { most: usize } = "much_work", "takes more work than the {most} units that a session has for all its texts, whatever the values are";
    /// No user of the context, or of any if it is empty, would get a session, for a reason in English.
    Unrendered { context: String, why: String } = "unrendered", "can't be rendered for any user: {why}";
    /// The same of one user: `unknown`, `known`, or the `sample` of this name.
    NoSession { who: &'static str, name: String, why: String } = "no_session", "a user would get no session: {why}";
    /// A text comes out empty for everybody, or for one user.
    EmptyForAll { context: String } = "empty_for_all", "comes out empty for every user";
    EmptyFor { who: &'static str, name: String } = "empty_for", "comes out empty for a user";
    NoGreeting { context: String } = "no_greeting", "comes out empty for every user: the LLM writes the greeting";
    /// The context gives this persona, with which nobody would get a session, for a reason in English.
    PersonaUnrendered { name: String, why: String } = "persona_unrendered", "gives the persona `{name}`, with which no session here can begin: {why}";
    /// Of a rule's clause about this attribute; what the attribute can be, where that can be listed.
    NeverHolds { name: String, known: String } = "never_holds", "can never hold";
    AlwaysHolds { name: String, known: String } = "always_holds", "always holds";
    NeverFits { name: String, known: String } = "never_fits", "never fits";
    /// Clauses of a rule with these numbers, counted from one, contradict each other on these attributes.
    Contradict { clauses: String, names: String } = "contradict", "clauses contradict each other";
    OwnKey = "own_key", "is the context's own key";
    /// Another context has this key, or this alias.
    KeyTaken(name: String) = "key_taken", "`{name}` is the key of another context";
    KeyIsAlias { name: String, context: String } = "key_is_alias", "the key `{name}` is an alias of the context `{context}`";
    /// The tenant's catalogue had it.
    Retired(kind: &'static str) = "retired", "was retired from the tenant's catalogue of {kind}s";
    NotRendered { name: String, model: &'static str } = "not_rendered", "{name} can't be rendered by {model}";
    /// The voice is of this provider.
    VoiceOptions(name: String) = "voice_options", "do not suit the voice, which is of {name}: they are left out";
    Retains = "retains", "is not known to take part in zero data retention, which the persona wants";
    /// A newer version of the snippet is live.
    Older { name: String, version: i32, live: i32 } = "older", "pins version {version} of the snippet `{name}`; version {live} is live";
    MixedVoices = "mixed_voices", "mixes fields of several voice providers, or its speed is out of its provider's range";
    NotBoth { name: &'static str, other: &'static str } = "not_both", "takes {name} or {other}, not both";
    Together { name: &'static str, other: &'static str } = "together", "needs {name} and {other} together";
    NoRegion = "no_region", "strict needs a region";
    FourthOnly = "fourth_only", "works on cara-4 only: set avatarModel to cara-4 or leave directorNotes out";
    VideoSize = "video_size", "videoWidth x videoHeight must be 720x480 on cara-3, 1152x768 or 768x1152 on cara-4";
    LanguageCode = "language_code", "must be an ISO 639-1 code of two small letters, such as `en`";
    Null = "null", "leave it out instead of null";
    /// Of a tool. In bytes or characters.
    ToolName { most: usize } = "tool_name", "must be 1 to {most} of A-Z a-z 0-9 _ . -";
    SchemaObject { most: usize } = "schema_object", "must be a JSON Schema object of {most} bytes at most";
    HttpsUrl { most: usize } = "https_url", "must be an https URL of {most} characters at most";
    HeaderName = "header_name", "must have a header's name, such as X-Customer: letters, digits and - without spaces";
    HeaderValue { most: usize } = "header_value", "must be a text of {most} bytes at most, without line ends";
    Folders = "folders", "must be a list of at least one folder UUID";
    SecretUnclosed = "secret_unclosed", "has a reference to a secret without its closing `}}`";
    SecretSpelled = "secret_spelled", "has a reference to a secret that is spelled wrongly: write ${{secret:NAME}} with a name of a-z, 0-9, '-' and '_'";
    SecretInHost = "secret_in_host", "has a secret in its host: a secret may be in the path and in the query only";
    SecretMisplaced = "secret_misplaced", "refers to a secret, which may be only in the values of a webhook's headers and in its url";
    ManySecrets { number: usize, most: usize } = "many_secrets", "have {number} references to secrets; {most} at most";
    /// A credential in plain text, or what looks like one.
    Credential = "credential", "is a credential in plain text";
    CredentialLike = "credential_like", "may be a credential in plain text";
    /// A URL that is none, has characters that belong escaped, or that a program would read otherwise.
    NoUrl = "no_url", "must start with https:// and a host";
    UrlCharacters = "url_characters", "must hold only the characters of a URL";
    UrlRepaired = "url_repaired", "is not written as it would be called";
}

/// Words for what is wrong, and where programs can tell it apart, what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub text: String,
    pub wrong: Option<Box<Wrong>>,
}

impl Wrong {
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
