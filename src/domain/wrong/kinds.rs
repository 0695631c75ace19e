//! Everything that can be wrong.

use std::fmt;

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
    /// Of an issuer. Its audiences must be the issuer alone where `iss` says whom a token is for.
    IssuerAlone = "issuer_alone", "must hold the `issuer` alone where audienceClaim is iss";
    /// It is for signed tokens, and this issuer's are opaque.
    NotOpaque = "not_opaque", "is for signed tokens, not for opaque ones";
    /// In characters.
    Printable { most: usize } = "printable", "must be a text of 1 to {most} printable characters";
    Ascii { most: usize } = "ascii", "must be a text of 1 to {most} printable ASCII characters";
    TenantIdPlace = "tenant_id_place", "may hold {{tenantid}} once, as a whole part of the path of an https URL";
    /// In members.
    Members { most: usize } = "members", "must be an object of {most} members at most";
    ClaimValue { most: usize, items: usize } = "claim_value", "must be a text of at most {most} characters, a whole number, true or false; or a list of 1 to {items} of them";
    /// Of an issuer's algorithms.
    NeedsSymmetric = "needs_symmetric", "must hold HS256, HS384 or HS512 with a shared secret";
    SymmetricAlone = "symmetric_alone", "must be HS256, HS384 or HS512 with a shared secret alone";
    NoSharedSecret = "no_shared_secret", "HS256, HS384 and HS512 go with a shared secret only: public keys must never serve as a secret";
    NeedsPublic = "needs_public", "must hold one for the public keys, such as RS256 or ES256";
    FactName = "fact_name", "a fact's name starts with a lower-case letter and holds at most 64 letters, digits and underscores";
    /// In characters.
    ClaimPath { most: usize } = "claim_path", "must be a claim name or a JSON pointer of 1 to {most} printable characters";
    Pointer = "pointer", "is no JSON pointer: `~` must be written `~0`, and a slash inside a name `~1`";
    /// Where an issuer's keys come from is not said, or said twice.
    KeySource = "key_source", "must hold one source of keys";
    OnlyTrue = "only_true", "must be true; leave it out for another source of keys";
    KeySet = "key_set", "must be a JWK set: {{\"keys\": [...]}}";
    FetchedOnly = "fetched_only", "goes with keys that are fetched: discovery, jwksUrl or metadataUrl; or with introspection";
    /// Of a URL. In characters.
    LongUrl { most: usize } = "long_url", "must be a URL of at most {most} characters";
    UrlParts = "url_parts", "must hold no user name, password or fragment";
    UrlQuery = "url_query", "must hold no query";
    NoTenantId = "no_tenant_id", "must be without {{tenantid}}; say metadataUrl instead";
    Bytes { most: usize } = "bytes", "must be at most {most} bytes long";
    PrivateKey = "private_key", "holds a private key: give the certificate alone, and replace that key, since others may have seen it";
    /// So many certificates in PEM were expected.
    Pem { most: usize } = "pem", "must hold 1 to {most} certificates in PEM";
    BrokenCertificate = "broken_certificate", "holds what is no certificate: is a line missing or changed?";
    NoRoot = "no_root", "is no root: it may not sign other certificates (CA:TRUE is missing); give the certificate of the authority that signed the server's";
    /// Of a rule: whom it gives.
    Target = "target", "must be {{\"persona\": key}} or {{\"split\": [...]}}";
    NoWeights = "no_weights", "needs a weight above 0";
    TakesNone = "takes_none", "takes no values with this operator";
    NeedsOne = "needs_one", "needs at least one value";
    NoListInside = "no_list_inside", "takes texts, numbers and flags, no lists inside the list";
    /// The operators or attributes that it goes with.
    GoesWith(known: &'static str) = "goes_with", "goes with {known}";
    Version = "version", "takes versions such as \"2.10.0\", in quotes";
    Date = "date", "takes dates such as \"2026-11-24\" and \"2026-11-24T08:30:00Z\", in quotes";
    TwoHours = "two_hours", "takes two different whole hours from 0 to 24, such as [22, 6]";
    TwoTimes = "two_times", "takes two different times from \"00:00\" to \"24:00\", such as [\"22:30\", \"06:00\"]";
    /// It is not the name of a value that rules compare.
    Attribute = "attribute", "must be an attribute such as user.plan";
    /// Of a persona: a snippet's pinned version.
    Pin = "pin", "must be a snippet's key with a version number";
    Origin = "origin", "must be an origin such as https://app.example.com, or http://localhost:* for any local port";
    StandardPreference = "standard_preference", "is a standard preference and needs no definition";
    PreferenceName = "preference_name", "a preference is named by up to 64 letters, digits and _, a letter first";
    PreferenceForm = "preference_form", "must be {{\"values\": [...]}}, {{\"maxLength\": 1 to 500}}, {{\"type\": \"boolean\"}} or {{\"minimum\": n, \"maximum\": n}}";
    NoneInCatalogue(kind: &'static str) = "none_in_catalogue", "can't be chosen: the catalogue has none";
    /// Of a test that is kept with a document: its user.
    TestUser = "test_user", "must be {{\"sample\": key}}, or an object of subject, facts and preferences";
    SampleFact = "sample_fact", "must be a text of 500 characters at most, a number, a flag or a list of these, under a name such as `plan`";
    SamplePreference = "sample_preference", "must be a text of 4000 characters at most, a number or a flag, under a name of letters, digits and _";
    /// Of a test: what came instead of what it expects.
    OtherPersona { expected: String, got: String } = "other_persona", "expected the persona `{expected}`, got `{got}`";
    OtherValue { expected: String, got: String } = "other_value", "expected {expected}, got {got}";
    PromptLacks(text: String) = "prompt_lacks", "the prompt lacks {text}";
    PromptHolds { text: String, at: usize } = "prompt_holds", "the prompt holds {text} in line {at}";
    LongPrompt { chars: usize, most: usize } = "long_prompt", "the prompt has {chars} characters, {most} are allowed";
    /// Of a JSON Schema.
    ReferenceInside = "reference_inside", "must point into this schema (#/...): other documents are not fetched";
    PointsNowhere = "points_nowhere", "points to nothing in this schema";
    Filled = "filled", "must be a list of at least one item";
    IdAtTop = "id_at_top", "is taken at the top alone; name subschemas with $anchor, or point to them (#/$defs/...)";
    PrefixItems = "prefix_items", "must be a schema; a list of them is prefixItems in 2020-12";
    Schema = "schema", "must be a schema: an object, true or false";
    ManySubschemas { most: usize } = "many_subschemas", "has more than {most} subschemas; describe less, or share what is alike with $ref";
    LongChain = "long_chain", "leads through too many subschemas that judge one value; shorten the chain of $ref, allOf and the like";
    Circle = "circle", "leads back to itself without going into the value; a schema may hold itself in properties, items and the like";
    /// Checking it could take so many times the work that it may; advice in English.
    Costly { times: String, advice: &'static str } = "costly", "could take {times} times the work that a check may take, with metadata of 64 kB; {advice}";
    Pattern = "pattern", "is no regular expression that is taken here; look-around and back-references are not";
    LargePattern = "large_pattern", "needs too much memory with the schema's other patterns; count characters with `minLength` and `maxLength` instead of {{1,200}}, write `a-z` for `\\p{{L}}`, list texts with `enum`";
    /// Of metadata, beside their schema.
    Unfit = "unfit", "does not fit the context's schema";
    TakesLong = "takes_long", "takes too long to check against the context's schema; send less, or have the context's schema simplified";
    Exact = "exact", "must be a number that is kept exactly";
    MoreThan(least: String) = "more_than", "must be more than {least}";
    LessThan(most: String) = "less_than", "must be less than {most}";
    Multiple(of: String) = "multiple", "must be a multiple of {of}";
    LeastCharacters { least: usize } = "least_characters", "must have at least {least} characters";
    MostCharacters { most: usize } = "most_characters", "must have at most {most} characters";
    LeastItems { least: usize } = "least_items", "must have at least {least} items";
    LeastMembers { least: usize } = "least_members", "must have at least {least} members";
    /// A text that does not match this pattern.
    Unmatched(pattern: String) = "unmatched", "must match {pattern}";
    HoldsTwice = "holds_twice", "holds an item twice";
    /// It lacks items of a kind, or has too many of them.
    Contains = "contains", "must hold other items";
    NoName = "no_name", "is no name that is taken here";
    /// None of the alternatives fits, or several do where one is wanted.
    NoAlternative = "no_alternative", "fits none of the alternatives";
    Alternatives = "alternatives", "fits several of the alternatives, where one is wanted";
    Excluded = "excluded", "is what the schema excludes";
    /// The document has no version of this number.
    NoSuchVersion(version: i32) = "no_such_version", "there is no version {version} of it";
    /// Of a release.
    NoSnippetRollout = "no_snippet_rollout", "personas pin exact versions of snippets: release the snippet to everybody, and roll out a persona that pins it";
    LiveElse(version: i32) = "live_else", "version {version} is live for everybody else: leave percent out to end a rollout of another version";
    OtherAliases = "other_aliases", "has other aliases than the live version, and a request names its context before its user is drawn: release them to everybody first";
    NeverLive(version: i32) = "never_live", "version {version} was never live: release it instead";
    Past = "past", "lies in the past: leave it out to release now";
    WithinYear = "within_year", "must be within a year from now";
    NoSample = "no_sample", "there is no such sample user";
    /// The patterns of all live contexts need too much memory together, most of it for this one.
    Crowded(name: String) = "crowded", "the context `{name}` needs too much memory for its patterns";
    /// The change would break another document that is live, or a test of it; why in English.
    Breaks { kind: &'static str, name: String, why: String } = "breaks", "would break the {kind} `{name}`, which is live: {why}";
    FailsTest { test: String, kind: &'static str, name: String, why: String } = "fails_test", "the test `{test}` of the {kind} `{name}`, which is live, would fail: {why}";
    /// So many places would be guaranteed to all tenants together, of so many that there are.
    ManyPlaces { guaranteed: u32, most: u32 } = "many_places", "is too much: {guaranteed} places would be guaranteed to all tenants together, and the platform's key has {most} (anam.places)";
    FactorCode = "factor_code", "is wrong, too old, or was used: send the one that the app shows now; does the phone know the time?";
    OtherPassword = "other_password", "is not the password of this account";
    Cursor = "cursor", "must be a cursor that this very list gave: leave it out to start over";
    /// Of a password.
    Control = "control", "must not hold control characters";
    IsEmail = "is_email", "must not be the e-mail address";
    Guessable = "guessable", "is guessed too quickly: use a few words that don't belong together, or a password manager";
    /// Of a step of the check of a token.
    TokenForm = "token_form", "is no token that can be read";
    /// An earlier step keeps it from being judged.
    Unjudged = "unjudged", "could not be judged";
    AlgorithmOther { name: String, known: String } = "algorithm_other", "alg is {name}, but this issuer's algorithms are {known}: add it to `algorithms` if the issuer means to use it";
    AlgorithmNever { name: String, known: String } = "algorithm_never", "alg is {name}, which no issuer may use; `none` is never taken. This issuer's algorithms are {known}";
    AlgorithmMissing(known: String) = "algorithm_missing", "alg is missing in the header, or no text; this issuer's algorithms are {known}";
    IssuerMissing(issuer: String) = "issuer_missing", "iss is missing, or no text; it must be {issuer}";
    IssuerOther { name: String, issuer: String } = "issuer_other", "iss is {name}, but `issuer` is {issuer}: they are compared byte for byte, a slash at the end counts";
    /// The claim `name` names none of `known`, the issuer's audiences, or nobody; `others` are claims of the token that do.
    AudienceOther { name: &'static str, found: String, known: String } = "audience_other", "{name} is {found}, and names none of the issuer's audiences";
    AudienceMissing { name: &'static str, known: String } = "audience_missing", "{name} names nobody";
    AudienceElsewhere { name: &'static str, known: String, others: String } = "audience_elsewhere", "{name} names none of the issuer's audiences, and there is another claim";
    NotAtJwt = "not_at_jwt", "typ must be at+jwt, since `atJwtStrict` is on";
    ClientIdMissing = "client_id_missing", "client_id and jti must be there as texts, since `atJwtStrict` is on";
    NoAccessToken = "no_access_token", "is an ID token (it has nonce, at_hash or c_hash, and `refuseIdTokens` is on), a logout token or a security event: send the access token";
    SubjectMissing = "subject_missing", "sub is missing, or no text";
    SubjectForm = "subject_form", "sub is no name of a user: 1 to 255 characters, none of them a control character";
    /// A token that is refused gives no facts.
    FactsUnused = "facts_unused", "the token is refused, so that no facts are taken from it";
    ClaimOther { name: String, found: String, wanted: String } = "claim_other", "{name} is {found}, but `requiredClaims` wants {wanted}: send another token, such as the access token, or change requiredClaims";
    /// Of the key with this id, if the token names one.
    KeyAlgorithm { name: String, algorithm: String } = "key_algorithm", "the key is not for {algorithm}";
    KeyIssuer(name: String) = "key_issuer", "the key signs for another issuer";
    UnknownKey { name: String, algorithm: String, known: String } = "unknown_key", "no key fits";
    Signature = "signature", "was not made with the key, or the token was changed or cut: paste it whole, and see whether the secret or the keys are those of this very issuer";
    /// It is this late by the gateway's clock.
    Expired(now: String) = "expired", "has expired: paste a fresh one";
    TooEarly { now: String, leeway: u32 } = "too_early", "begins in the future: does a clock run ahead? `leewaySeconds` is {leeway}";
    /// In seconds.
    LivesLong(most: u32) = "lives_long", "lives longer than `maxLifetimeSeconds`, {most}";
    NoDates = "no_dates", "needs an exp, and dates that are numbers";
    /// Of an opaque token, by its issuer's answer.
    Inactive = "inactive", "the endpoint says `active: false`: the token has expired, was revoked or cut, is another server's, or the client may not look at it";
    NoBearer(name: String) = "no_bearer", "token_type is {name}, but only bearer tokens are taken: send the access token, and one that is bound to no key";
    /// Of a bundle: where a secret is.
    SecretReference = "secret_reference", "must be {{env: NAME}}, {{file: PATH}} or {{stored: true}}: a bundle never holds a secret";
    /// A tenant's name in URLs.
    Slug = "slug", "must be 1 to 63 of a-z, 0-9 and -, a letter or digit first";
    SecretWithKeys = "secret_with_keys", "goes together with keys: {{sharedSecret: true}} or {{introspection: {{...}}}}: give both or neither";
    /// Of a snippet's versions in a bundle.
    VersionName = "version_name", "must be named by the number of a version";
    /// It is no entry of a catalogue, for a reason in English.
    CatalogueEntry(why: String) = "catalogue_entry", "{why}";
    /// Of a tenant's issuers.
    OneOpaque = "one_opaque", "two of them have `introspection`: an opaque token does not say which to ask, so a tenant has one";
    PairTwice { issuer: String, audience: String } = "pair_twice", "two of them accept tokens of {issuer} with the audience `{audience}`";
    /// Tokens of this issuer for one of these audiences are those of the installation's `shared` issuer, of another `issuer`, or of another `tenant`.
    PairTaken(owner: &'static str) = "pair_taken", "one of these audiences belongs to another";
    Unproven { issuer: String, audiences: String } = "unproven", "tokens of {issuer} for {audiences} are refused until it is proven whose they are";
    /// Of a secret in a bundle.
    NotStored = "not_stored", "says stored, but none is: name an environment variable or a file";
    StoredElse = "stored_else", "says stored, but the stored one stays for the same kind of keys alone, and for the same endpoint and clientId: name an environment variable or a file";
    /// The bundle refers to a secret that nobody gave, for a reason in English.
    SecretNotGiven(why: String) = "secret_not_given", "{why}";
    /// In characters.
    AnamKey { least: usize, most: usize } = "anam_key", "must be an Anam API key: {least} to {most} printable characters without spaces";
    KeyRefused = "key_refused", "is refused by Anam: is it whole, and not revoked?";
    KeyNoPlan = "key_no_plan", "belongs to an account without a plan: Anam would mint nothing";
    KeyUntested = "key_untested", "could not be tested, since Anam gave no answer: try again, or send skipTest: true";
    /// Of a secret that a tenant shares with its issuer.
    SecretBytes { least: usize, most: usize } = "secret_bytes", "must have {least} to {most} bytes (RFC 7518, section 3.2)";
    TwoSecrets = "two_secrets", "must be one secret, or two on a line each while one replaces the other";
    Base64Url(start: &'static str) = "base64url", "must be base64url after `{start}`: A-Z, a-z, 0-9, `-` and `_`";
    PublishedSecret = "published_secret", "is published: it is in lists that attackers try. Make one with `openssl rand -base64 48`";
    GuessableSecret = "guessable_secret", "can be guessed: it repeats, counts up, or is made of common words. Make one with `openssl rand -base64 48`";
    /// Of a token that should prove whose an issuer is.
    TenantUnnamed { claim: &'static str, tenant: String } = "tenant_unnamed", "does not name the tenant: have the issuer set the claim `{claim}` to `{tenant}` in it";
    /// Of single sign-on.
    ProviderUrl = "provider_url", "must be the provider's issuer URL: https, without query and fragment, as its discovery document writes it";
    /// The provider could not be asked, for a reason in English.
    ProviderAnswer(why: String) = "provider_answer", "{why}";
    Domain(name: String) = "domain", "`{name}` is no domain such as example.com";
    /// Of an issuer that tenants share.
    PublicKeysOnly = "public_keys_only", "an issuer that many tenants share needs public keys";
    WithinTwoYears = "within_two_years", "must be within two years; leave it out for a key without an end";
    Single = "single", "must be a text, a number, true or false";
    /// Of a kept test.
    FieldPointer = "field_pointer", "must be a JSON pointer such as /avatarId or /sessionOptions/region";
    /// Of a kept test; what it may expect.
    ExpectsNothing(known: &'static str) = "expects_nothing", "expects nothing; a test expects {known}";
    /// Of a kept test: its user gets no persona, for a reason in English.
    NoPersona(why: String) = "no_persona", "gets no persona: {why}";
    /// The document's own test fails; why in English.
    TestFails { test: String, why: String } = "test_fails", "the test `{test}` fails: {why}";
    /// The document gives this persona, which lacks a setting that Anam requires.
    GivesIncomplete { name: String, missing: String } = "gives_incomplete", "gives the persona `{name}`, which has no {missing}: no session would begin";
    /// Of a JSON Schema: these two of its keywords let nothing in.
    EmptyRange { least: &'static str, most: &'static str } = "empty_range", "lets nothing in: it is above `{most}`";
    /// Of a bundle.
    OtherTenant = "other_tenant", "is not the tenant that the credential belongs to";
    RolloutGoesOn { version: i32, percent: u8 } = "rollout_goes_on", "the rollout of version {version} to {percent} % of the users goes on";
    /// It can't be read, for a reason in English.
    Unread(why: String) = "unread", "{why}";
    /// An issuer's keys can't be had, for a reason in English.
    KeysUnread(why: String) = "keys_unread", "{why}";
    /// Of an issuer's own certificate authority; a reason in English.
    RootsBad(why: String) = "roots_bad", "{why}";
    /// Of an issuer's algorithms.
    NoKeyFor { wanted: String, offered: String } = "no_key_for", "no key of the set is for one of {wanted}; its keys are for {offered}";
    /// Of an introspection endpoint.
    LetsAllIn = "lets_all_in", "the endpoint says that a made-up token is active, so it would let everybody in";
    /// The endpoint could not be asked, for a reason in English.
    EndpointAnswer(why: String) = "endpoint_answer", "{why}";
    /// The list of faults ends here.
    More = "more", "has more faults than are reported at once; correct these first";
    /// Of a text in JSON; a reason in English.
    Json(why: String) = "json", "not valid JSON: {why}";
    Utf8 = "utf8", "must be UTF-8";
    DuplicateMember(name: String) = "duplicate_member", "the member `{name}` is twice in one object";
    Reserved(name: String) = "reserved", "the member name `{name}` can't be kept: choose another";
    /// In levels.
    Nested { most: usize } = "nested", "nested deeper than {most} levels";
    /// Where one line or a text is wanted: an invisible character, as U+200B, or a tab or a line break; the place in characters, from 1.
    UnseenAt { name: String, at: usize } = "unseen_at", "holds {name} at character {at}, which is invisible";
    LineBreak { at: usize } = "line_break", "has a tab or a line break at character {at}";
    /// None of these types of JSON, separated by commas.
    Types(types: String) = "types", "must be of one of these types: {types}";
    NotAllowed = "not_allowed", "is not allowed here";
    /// Of a template: `{#` that takes so many lines out of the text.
    Comment { lines: usize } = "comment", "{{# opens a comment, which takes {lines} lines out of the text";
    /// Half of a character, as `\ud800`.
    Surrogate(name: String) = "surrogate", "{name} is half of a surrogate pair without its other half";
    /// Of a template: what is inside each other, or follows each other in one tag.
    Brackets { most: usize } = "brackets", "more than {most} brackets inside each other";
    Tags { most: usize } = "tags", "more than {most} tags inside each other";
    Elifs { most: usize } = "elifs", "more than {most} {{% elif %}}";
    LongTag { most: usize } = "long_tag", "a tag of more than {most} words and signs";
    NotEmpty = "not_empty", "must be a text that is not empty";
    /// Of a text that is kept secret.
    TextBytes { least: usize, most: usize } = "text_bytes", "must be a text of {least} to {most} bytes";
    /// The bundle refers to no secret here.
    NoSecretThere = "no_secret_there", "is no place of the bundle that refers to a secret as env or file";
    /// In kB.
    LargeDifference { most: usize } = "large_difference", "a document of more than {most} kB is not compared";
    LiveOrList = "live_or_list", "must be \"live\", or a list of drafts and versions";
    OneProof = "one_proof", "must hold either `password`, `code`, or `ssoCode` with `codeVerifier`";
    Archived = "archived", "the document is archived: restore it first";
    /// A newer version of the document was sealed since the draft was opened.
    Overtaken { version: i32 } = "overtaken", "version {version} was sealed since this draft was opened: rebase the draft, look at the changes, then seal";
    Unchanged = "unchanged", "the draft says what the newest version says: there is nothing to seal";
    NoConflict = "no_conflict", "is no place that both changed: leave it out";
    /// Of a query's parameter; in bytes.
    Encoded { most: usize } = "encoded", "must be percent-encoded UTF-8 of at most {most} bytes, none of them a control character";
    IdempotencyKey = "idempotency_key", "the Idempotency-Key must be one text of 1 to 255 printable ASCII characters";
    /// Of a program that asks for a sign-in.
    Challenge = "challenge", "must be the SHA-256 of the verifier in base64url without padding: 43 characters";
    Loopback = "loopback", "must be http://127.0.0.1:PORT/ or http://[::1]:PORT/, with a port from 1024 on and without a query";
    /// In characters.
    Opaque { least: usize, most: usize } = "opaque", "must be {least} to {most} letters, digits or any of - _ . ~";
    /// From here on: why something can't be done at present, as a sentence of its own.
    TrailEmpty = "trail_empty", "the trail is empty: there is nothing to mark yet";
    /// There may be no more of these.
    Full { what: &'static str, most: String } = "full", "there are {most} already, and there may be no more";
    PolicyUnreadable = "policy_unreadable", "the tenant's policy can't be read: correct it first";
    SaysLive { version: i32 } = "says_live", "version {version}, which is live, says that already: there is nothing to change";
    LiveAlready { version: i32 } = "live_already", "version {version} is live already";
    NothingLive = "nothing_live", "nothing of this document is live: seal a draft of it and release the version first";
    LiveForNoOthers = "live_for_no_others", "nothing of this document is live for the other users: release a version to everybody first";
    RolledOut { version: i32, percent: u8 } = "rolled_out", "version {version} is rolled out to {percent} % already";
    NoneEarlier = "none_earlier", "there is no earlier live version to go back to";
    IsCancellation = "is_cancellation", "it is a cancellation itself: schedule the release again";
    ReleasedAlready = "released_already", "it is live already, or was: roll back instead";
    CalledOff = "called_off", "it was called off already";
    DraftWritten = "draft_written", "somebody else wrote this draft just now: read it again";
    IssuerChanged = "issuer_changed", "the issuer was changed meanwhile: try again";
    WasReleased(instead: &'static str) = "was_released", "it was released or scheduled before, and sessions and the audit trail speak of it. It can't be {instead}";
    PinnedBy { name: String, instead: &'static str } = "pinned_by", "a version of the persona `{name}` pins it. It can't be {instead}";
    /// Others need it, for a reason in English.
    Needed(why: String) = "needed", "it {why}";
    DocumentExists { kind: &'static str, name: String } = "document_exists", "there is a {kind} `{name}` already";
    NothingToProve = "nothing_to_prove", "there is nothing to prove: the request names the tenant whose issuer judges an opaque token";
    KeysElsewhere(audience: String) = "keys_elsewhere", "its keys are not found at the issuer's own URL, so a token proves nothing about who that is: use discovery, use the audience `{audience}`, or ask the gateway's operator";
    HeldElsewhere { kind: &'static str, tenant: String } = "held_elsewhere", "another has it";
    NoPassword(email: String) = "no_password", "{email} does not sign in with a password here";
    OpensMore(email: String) = "opens_more", "the account of {email} opens more than this tenant";
    FactorElsewhere = "factor_elsewhere", "your tenant's identity provider vouches for you: a second factor is its matter";
    CodeWanted = "code_wanted", "your tenant's identity provider vouches for you: send a code of a sign-in that began with prompt=login";
    NoFactor = "no_factor", "there is no second factor: enrol one first";
    HasFactor = "has_factor", "there is a second factor already: remove it first";
    FactorNotBegun = "factor_not_begun", "begin the enrolment first";
    FactorConfirmed = "factor_confirmed", "it is confirmed already";
    FactorRemade = "factor_remade", "another secret was made since";
    NoMailSent = "no_mail_sent", "no mail is sent here. An owner of your tenant, or whoever runs the installation, can make a link for a new password";
    AnamLists = "anam_lists", "Anam lists it, so it would come back: disallow it instead";
    OnlyOwner(email: String) = "only_owner", "{email} is the only owner who can sign in; make another person an owner first";
    /// For a reason in English.
    StoredKey(why: String) = "stored_key", "the stored key {why}";
    SyncRunning = "sync_running", "Anam's lists are being read already: see catalogue-syncs";
    SyncJustNow = "sync_just_now", "Anam's lists were read just now";
    KeyEnded = "key_ended", "the key has ended; make a new one";
    TenantExists(name: String) = "tenant_exists", "there is a tenant `{name}` already";
    KeyExists { id: String, label: String } = "key_exists", "this very key is in use already, as {id} ({label})";
    MemberAlready(email: String) = "member_already", "{email} is a member already";
    NamedByTest { kind: &'static str, name: String } = "named_by_test", "a test of the {kind} `{name}` names it: release a version without that test first";
    SecretUsed { name: String, version: i32, pointer: String } = "secret_used", "version {version} of the persona `{name}` refers to it at {pointer}: release a version without it first";
    SecretInPolicy(pointer: String) = "secret_in_policy", "the policy refers to it at {pointer}: change that first";
    OnlyKey = "only_key", "it is the tenant's only active key: add the next one first, or send leaveNone: true to use the platform's from now on";
    KeyActive = "key_active", "it is active: retire it first";
    Approvals { wanted: u8, given: usize, against: String } = "approvals", "the tenant's policy asks for {wanted} approval(s) by people who did not write in this version; it has {given}";
    UserErased = "user_erased", "the user was erased, and what they brought along with them";
    InputsGone = "inputs_gone", "the facts, preferences and metadata of this session are not kept any more; the policy's retainInputsDays says how long they are";
    InputsUnread = "inputs_unread", "what was kept of this session can't be read by this release";
    BundleRole { role: String, parts: String } = "bundle_role", "your role is {role}, and the bundle changes {parts}. Nothing of it was applied";
    ReviewByPeople = "review_by_people", "reviews are given by people: sign in as one; an API key can't";
    ReviewByOthers = "review_by_others", "you wrote in this version: another person must review it";
}
