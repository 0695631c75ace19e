//! BUNDLES.md: what may stand in a bundle, and what things cost.

use super::sentences::hold;

const SETTINGS: &str = "#/$defs/voiceDetectionOptions/properties";

#[test]
fn names_and_secrets() {
    hold(
        "docs/BUNDLES.md",
        &[
            (
                "addresses and files: 1 to {} of `a-z 0-9 -`",
                &["src/domain/key.rs MAX_SLUG_CHARS"],
            ),
            (
                "personas and contexts are 1 to {} of `a-z 0-9 - _`",
                &["src/domain/key.rs MAX_CHARS"],
            ),
            (
                "A number of more than {} digits",
                &["src/domain/decimal.rs MAX_DIGITS"],
            ),
            (
                "named like keys; 1 to {} printable ASCII characters, {} a tenant",
                &[
                    "src/tenants/secrets.rs MAX_CHARS",
                    "src/tenants/secrets.rs MAX_SECRETS",
                ],
            ),
            (
                "A persona has {} references at most",
                &["src/domain/tool/references.rs MAX_REFERENCES"],
            ),
        ],
    );
}

#[test]
fn policy_and_issuers() {
    hold(
        "docs/BUNDLES.md",
        &[
            (
                "are kept for replays, {} to {}; 0 keeps none | {} |",
                &[
                    "#/$defs/policy/properties/retainInputsDays/minimum",
                    "#/$defs/policy/properties/retainInputsDays/maximum",
                    "#/$defs/policy/properties/retainInputsDays/default",
                ],
            ),
            (
                "before it can be released, {} to {} | {} |",
                &[
                    "#/$defs/policy/properties/requiredApprovals/minimum",
                    "#/$defs/policy/properties/requiredApprovals/maximum",
                    "#/$defs/policy/properties/requiredApprovals/default",
                ],
            ),
            (
                "`everyHours` ({} to {}; {})",
                &[
                    "#/$defs/catalogueSync/properties/everyHours/minimum",
                    "#/$defs/catalogueSync/properties/everyHours/maximum",
                    "#/$defs/catalogueSync/properties/everyHours/default",
                ],
            ),
            (
                "in its audience claim; {} to {}. An (issuer",
                &[
                    "#/$defs/issuer/properties/audiences/minItems",
                    "#/$defs/issuer/properties/audiences/maxItems",
                ],
            ),
            (
                "to the shared secret: {} bytes or more",
                &["src/crypto/shared_secret.rs MIN_BYTES"],
            ),
            (
                "how far clocks may differ, {} to {} | {} |",
                &[
                    "#/$defs/issuer/properties/leewaySeconds/minimum",
                    "#/$defs/issuer/properties/leewaySeconds/maximum",
                    "#/$defs/issuer/properties/leewaySeconds/default",
                ],
            ),
            (
                "longest life of a token, {} to {} | {} |",
                &[
                    "#/$defs/issuer/properties/maxLifetimeSeconds/minimum",
                    "#/$defs/issuer/properties/maxLifetimeSeconds/maximum",
                    "#/$defs/issuer/properties/maxLifetimeSeconds/default",
                ],
            ),
            (
                "pointer into nested claims; at most {}.",
                &["#/$defs/claimMap/maxProperties"],
            ),
            (
                "A fact is a text (up to {} characters)",
                &["src/domain/issuer/claims.rs MAX_TEXT_CHARS"],
            ),
            (
                "prompts its first {} items",
                &["src/domain/caller.rs MAX_SHOWN"],
            ),
            (
                "at the latest {} seconds (`auth.jwks_cooldown_seconds`)",
                &["auth.jwks_cooldown_seconds"],
            ),
        ],
    );
}

#[test]
fn settings() {
    let detection = |member: &str, end: &str| format!("{SETTINGS}/{member}/{end}");
    let ends = |member: &str| [detection(member, "minimum"), detection(member, "maximum")];
    let detections = [
        (
            "`endOfSpeechSensitivity` {} to {},",
            "endOfSpeechSensitivity",
        ),
        (
            "`silenceBeforeSkipTurnSeconds` {} to {},",
            "silenceBeforeSkipTurnSeconds",
        ),
        (
            "`silenceBeforeSessionEndSeconds` {} to {} (the gateway",
            "silenceBeforeSessionEndSeconds",
        ),
        (
            "`silenceBeforeAutoEndTurnSeconds` {} to {},",
            "silenceBeforeAutoEndTurnSeconds",
        ),
        (
            "`speechEnhancementLevel` {} to {} |",
            "speechEnhancementLevel",
        ),
    ];
    for (sentence, member) in detections {
        let ends = ends(member);
        hold("docs/BUNDLES.md", &[(sentence, &[&ends[0], &ends[1]])]);
    }
    hold(
        "docs/BUNDLES.md",
        &[
            (
                "| `maxSessionLengthSeconds` | {} to {}. The gateway sends {} if nothing else is set",
                &[
                    "#/$defs/settings/properties/maxSessionLengthSeconds/minimum",
                    "#/$defs/settings/properties/maxSessionLengthSeconds/maximum",
                    "src/domain/settings/bounds.rs FALLBACK_SESSION_LENGTH",
                ],
            ),
            (
                "(the gateway sends {} if nothing else is set), `silenceBeforeAutoEnd",
                &["src/domain/settings/bounds.rs FALLBACK_SILENCE_SECONDS"],
            ),
            (
                "`style` {} to {}, `useSpeakerBoost`, `model`, `speed` {} to {}. Cartesia: `volume` {} to {}, `speed` {} to {}, `emotion`. Fish \
                 Audio: `volume`, `speed` {} to {}.",
                &[
                    "src/domain/settings/bounds.rs SHARE.0",
                    "src/domain/settings/bounds.rs SHARE.1",
                    "src/domain/settings/bounds.rs ELEVENLABS_SPEED.0",
                    "src/domain/settings/bounds.rs ELEVENLABS_SPEED.1",
                    "#/$defs/voiceGenerationOptions/properties/volume/minimum",
                    "#/$defs/voiceGenerationOptions/properties/volume/maximum",
                    "src/domain/settings/bounds.rs CARTESIA_SPEED.0",
                    "src/domain/settings/bounds.rs CARTESIA_SPEED.1",
                    "src/domain/settings/bounds.rs FISH_AUDIO_SPEED.0",
                    "src/domain/settings/bounds.rs FISH_AUDIO_SPEED.1",
                ],
            ),
            (
                "`customStylePrompt` ({} characters), `expressivity` {} to {}",
                &[
                    "#/$defs/directorNotes/properties/customStylePrompt/maxLength",
                    "#/$defs/directorNotes/properties/expressivity/minimum",
                    "#/$defs/directorNotes/properties/expressivity/maximum",
                ],
            ),
        ],
    );
}

#[test]
fn contexts() {
    hold(
        "docs/BUNDLES.md",
        &[
            (
                "what the situation is, up to {} characters",
                &["#/$defs/context/properties/description/maxLength"],
            ),
            (
                "| `aliases` | up to {} other names |",
                &["#/$defs/context/properties/aliases/maxItems"],
            ),
            (
                "a JSON Schema of up to {} kB",
                &["src/domain/schema.rs MAX_BYTES / 1024"],
            ),
            (
                "| `rules` | up to {}, tried in order",
                &["#/$defs/context/properties/rules/maxItems"],
            ),
            (
                "with any metadata of {} kB must",
                &["src/domain/schema/cost.rs MAX_BYTES / 1024"],
            ),
            (
                "A schema has up to {} subschemas, of which {} may be inside",
                &[
                    "src/domain/schema/read.rs MAX_NODES",
                    "src/domain/schema/run.rs MAX_DEPTH",
                ],
            ),
            (
                "A pattern has up to {} bytes and {} of `\\p{...}`; all patterns of a schema together may take {} MB",
                &[
                    "src/domain/schema/pattern.rs MAX_SOURCE_BYTES",
                    "src/domain/schema/pattern.rs MAX_UNICODE_CLASSES",
                    "src/domain/schema/pattern.rs MAX_MEMORY_BYTES / 1048576",
                ],
            ),
            (
                "of its `values` (up to {})",
                &["#/$defs/clause/properties/values/maxItems"],
            ),
            (
                "All rules together read up to {} MB",
                &["src/domain/rules.rs MAX_READ / 1048576"],
            ),
            (
                "**A split** has {} to {} arms with weights of {} to {}.",
                &[
                    "src/domain/rules.rs ARMS.0",
                    "src/domain/rules.rs ARMS.1",
                    "#/$defs/split/properties/split/items/properties/weight/minimum",
                    "src/domain/rules.rs MAX_WEIGHT",
                ],
            ),
            (
                "may keep `tests` (up to {})",
                &["#/$defs/keptTests/maxItems"],
            ),
        ],
    );
}

#[test]
fn templates() {
    hold(
        "docs/BUNDLES.md",
        &[
            (
                "cut at {} characters a value and {} together",
                &[
                    "src/domain/template/output.rs CALLER_CHARS",
                    "src/domain/template/output.rs CALLER_TOTAL_CHARS",
                ],
            ),
            (
                "one line of at most {} characters, between marks too",
                &["src/domain/template/output.rs FACT_CHARS"],
            ),
            (
                "each value is one clean line of at most {} characters",
                &["src/domain/template/output.rs SPOKEN_CHARS"],
            ),
            (
                "with {} marks a letter at most",
                &["src/domain/text/capped.rs MAX_MARKS"],
            ),
            (
                "| source | {} kB | {} kB | {} kB |",
                &[
                    "#/$defs/persona/properties/systemPrompt/maxLength / 1024",
                    "#/$defs/persona/properties/initialMessage/maxLength / 1024",
                    "#/$defs/persona/properties/name/maxLength / 1024",
                ],
            ),
            (
                "A loop takes at most {} items",
                &["src/domain/template/value.rs MAX_ITEMS"],
            ),
            (
                "`last`, `length`; {} deep)",
                &["src/domain/template/lower.rs MAX_LOOPS"],
            ),
            (
                "have one budget of {} units",
                &["src/domain/template/budget.rs WHOLE"],
            ),
            (
                "each turn of a loop | {} or more",
                &["src/domain/template/budget.rs STEP"],
            ),
            (
                "and what is joined | {} a byte",
                &["src/domain/template/budget.rs GROWING"],
            ),
            (
                "`lower`, `capitalize` | {} a byte",
                &["src/domain/template/budget.rs CHARACTER"],
            ),
            (
                "| {} for each byte that is searched (`replace`: twice), {} for each that is sought, {} for each place found",
                &[
                    "src/domain/template/budget.rs SEARCHED",
                    "src/domain/template/budget.rs SOUGHT",
                    "src/domain/template/budget.rs FOUND",
                ],
            ),
            (
                "`length` | 1 for {} bytes",
                &["src/domain/template/budget.rs READ_TOGETHER"],
            ),
        ],
    );
}
