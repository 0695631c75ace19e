//! A tenant's policy.

use serde_json::json;

use super::Definitions;
use super::words::{CONTROLS, Schema, object};
use crate::domain::places::MAX_PLACES;
use crate::domain::policy::{
    CatalogueSync, MAX_APPROVALS, MAX_RETENTION_DAYS, MAX_SYNC_HOURS, Policy,
};
use crate::domain::preferences::{MAX_CHOICE_CHARS, MAX_CHOICES, MAX_TEXT_CHARS, Standard};
use crate::domain::quota::MAX_QUOTA;
use crate::domain::rates::{MAX_AT_ONCE, MAX_PER_MINUTE};

/// `policy` and its parts.
pub(super) fn definitions() -> Definitions {
    vec![
        ("policy", policy()),
        ("catalogueSync", catalogue_sync()),
        ("quotas", quotas()),
        ("quota", quota()),
        ("limits", limits()),
        ("preferenceField", preference_field()),
        ("timeZone", time_zone()),
    ]
}

fn policy() -> Schema {
    let initial = Policy::default();
    object(
        "What the tenant has laid down for all its personas and users.",
        vec![
            (
                "allowedOrigins",
                Schema::list(
                    "Web origins whose pages may call the gateway, besides its own.",
                    Schema::text("scheme://host[:port]; a loopback host may have any port.")
                        .pattern(r"^(https?://[^/?#@*\s]+|http://(localhost|127\.0\.0\.1):\*)$")
                        .examples([json!("https://app.acme.example"), json!("http://localhost:*")]),
                ),
            ),
            ("timeZone", Schema::link("timeZone")),
            (
                "defaults",
                Schema::link("settings").about("Settings that a persona gets where it says nothing."),
            ),
            (
                "locks",
                Schema::link("settings").about("Settings that every persona gets, whatever it or a user says."),
            ),
            (
                "preferences",
                Schema::anything("Preferences that users may set beyond the standard ones, by name.")
                    .with(
                        "propertyNames",
                        json!({
                            "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$",
                            "not": { "enum": Standard::names().collect::<Vec<_>>() },
                        }),
                    )
                    .with("additionalProperties", Schema::link("preferenceField"))
                    .examples([json!({ "experience": { "values": ["beginner", "expert"] } })]),
            ),
            (
                "retainInputsDays",
                Schema::whole(
                    "Days that a session's inputs (facts, preferences, metadata) are kept for replays; 0 keeps none.",
                    0..=MAX_RETENTION_DAYS,
                )
                .default(initial.retain_inputs_days),
            ),
            (
                "requiredApprovals",
                Schema::whole(
                    "How many people who did not write in a version must approve it before it is released.",
                    0..=MAX_APPROVALS,
                )
                .default(initial.required_approvals),
            ),
            (
                "requireSecondFactor",
                Schema::flag("Whether people who administer and sign in with a password need a second factor.")
                    .default(initial.require_second_factor),
            ),
            ("catalogueSync", Schema::link("catalogueSync")),
            ("quotas", Schema::link("quotas")),
            ("limits", Schema::link("limits")),
        ],
    )
}

fn quotas() -> Schema {
    object(
        "How much may be used. Days and months are those of UTC; a quota counts from the moment it is set.",
        vec![
            (
                "tenant",
                Schema::link("quota").about("Of all users together."),
            ),
            ("user", Schema::link("quota").about("Of each user.")),
        ],
    )
}

fn limits() -> Schema {
    object(
        "How fast users may ask, at all instances of the gateway together where they share Redis, and else at each; and how many conversations they may have, at all instances together. What the gateway's configuration says holds as well.",
        vec![
            (
                "userPerMinute",
                Schema::whole("Requests of each user in a minute.", 1..=MAX_PER_MINUTE),
            ),
            (
                "perMinute",
                Schema::whole(
                    "Requests of all users together in a minute.",
                    1..=MAX_PER_MINUTE,
                ),
            ),
            (
                "atOnce",
                Schema::whole(
                    "Requests of all users together at the same time.",
                    1..=MAX_AT_ONCE,
                ),
            ),
            (
                "conversations",
                Schema::whole(
                    "Conversations of all users together at the same time. With an Anam key of the tenant's own, what its plan allows.",
                    1..=MAX_PLACES,
                ),
            ),
            (
                "userConversations",
                Schema::whole(
                    "Conversations of each user at the same time.",
                    1..=MAX_PLACES,
                ),
            ),
        ],
    )
}

fn quota() -> Schema {
    let most = |about| Schema::whole(about, 1..=MAX_QUOTA);
    object(
        "Quotas; what is left out is not limited.",
        vec![
            ("sessionsPerDay", most("Sessions in a day.")),
            ("sessionsPerMonth", most("Sessions in a month.")),
            (
                "minutesPerDay",
                most(
                    "Minutes of conversation in a day. A session takes its longest length until Anam tells how long it was.",
                ),
            ),
            ("minutesPerMonth", most("The same in a month.")),
        ],
    )
}

fn catalogue_sync() -> Schema {
    let usual = CatalogueSync::default();
    object(
        "How the catalogue follows Anam's lists; left out, it does not.",
        vec![
            (
                "enabled",
                Schema::flag("Whether the lists are read on schedule; on demand they always are.")
                    .default(usual.enabled),
            ),
            (
                "everyHours",
                Schema::whole("Hours between two readings.", 1..=MAX_SYNC_HOURS)
                    .default(usual.every_hours),
            ),
            (
                "allowNew",
                Schema::flag("Whether users may choose what Anam lists anew at once, before an admin has allowed it.")
                    .default(usual.allow_new),
            ),
        ],
    )
}

fn time_zone() -> Schema {
    Schema::choice(
        "The IANA time zone in which `time.*` is read.",
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()),
    )
    .default(Policy::default().time_zone.name())
    .examples([json!("Europe/Berlin")])
}

fn preference_field() -> Schema {
    let choice = object(
        "One of these texts.",
        vec![(
            "values",
            Schema::list(
                "What users choose from.",
                Schema::raw(json!({ "type": "string", "pattern": format!("^[^{CONTROLS}]+$") }))
                    .chars(1..=MAX_CHOICE_CHARS),
            )
            .items(1..=MAX_CHOICES),
        )],
    );
    let text = object(
        "One line of text.",
        vec![(
            "maxLength",
            Schema::whole("Its longest length, in characters.", 1..=MAX_TEXT_CHARS),
        )],
    );
    let flag = object(
        "Yes or no.",
        vec![("type", Schema::raw(json!({ "const": "boolean" })))],
    );
    let bound = |about| Schema::raw(json!({ "type": "number" })).about(about);
    let number = object(
        "A number in a range.",
        vec![
            ("minimum", bound("The lowest.")),
            ("maximum", bound("The highest.")),
        ],
    );
    Schema::one_of(
        "What users may set: one of several texts, a line, a flag, or a number.",
        [
            choice.required(["values"]),
            text.required(["maxLength"]),
            flag.required(["type"]),
            number.required(["minimum", "maximum"]),
        ],
    )
}
