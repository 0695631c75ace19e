//! Decisions that say how much.

use super::sentences::hold;

#[test]
fn refusals_schemas_and_releases() {
    hold(
        "docs/decisions/0013-what-is-live-is-a-function-of-what-counts.md",
        &[(
            "At most {} releases of a document and {} of a tenant are scheduled, for at most {} moments",
            &[
                "src/authoring/release.rs MAX_SCHEDULED",
                "src/authoring/release.rs MAX_SCHEDULED_OF_TENANT",
                "src/authoring/release.rs MAX_MOMENTS",
            ],
        )],
    );
    hold(
        "docs/decisions/0015-who-is-refused-can-be-helped.md",
        &[
            (
                "writes them every {} seconds, all",
                &["src/refusals.rs EACH"],
            ),
            (
                "texts are clean lines of {} characters; between two writings an instance counts {} different ones of a tenant and reason separately, {} in all; \
             the table keeps the newest {} of each tenant and reason, for {} days",
                &[
                    "src/auth/claimed.rs MAX_CHARS",
                    "src/refusals.rs DISTINCT",
                    "src/refusals.rs DISTINCT_OF_ALL",
                    "src/refusals.rs KEPT",
                    "src/refusals.rs KEPT_FOR",
                ],
            ),
            (
                "look like tokens, {} characters at most",
                &["src/anam/reason.rs MAX_CHARS"],
            ),
            (
                "anything that has {} letters in a row",
                &["src/anam/reason.rs SHARED"],
            ),
        ],
    );
    hold(
        "docs/decisions/0018-metadata-schemas-with-a-price.md",
        &[
            (
                "out of one budget of {} million units",
                &["src/domain/schema/run.rs BUDGET / 1000000"],
            ),
            (
                "inside each other {} deep at most",
                &["src/domain/schema/run.rs MAX_DEPTH"],
            ),
            ("collects up to {}.", &["src/domain/schema/run.rs MAX_TOLD"]),
            (
                "the most that any metadata of {} kB",
                &["src/domain/schema/cost.rs MAX_BYTES / 1024"],
            ),
            (
                "known when it is compiled: {} MB",
                &["src/domain/schema/pattern.rs MAX_MEMORY_BYTES / 1048576"],
            ),
        ],
    );
    hold(
        "docs/decisions/0025-numbers-are-exact.md",
        &[(
            "an exact decimal of at most {} digits",
            &["src/domain/decimal.rs MAX_DIGITS"],
        )],
    );
    hold(
        "docs/decisions/0030-invisible-characters-by-their-place.md",
        &[
            (
                "between two pictures and {} in a sequence",
                &["src/domain/text/joining.rs MAX_JOINED"],
            ),
            (
                "A letter has at most {} marks",
                &["src/domain/text/capped.rs MAX_MARKS"],
            ),
            (
                "longer than {} code points",
                &["src/domain/text/capped.rs MAX_SEEN"],
            ),
        ],
    );
}

#[test]
fn waiting_and_working() {
    hold(
        "docs/decisions/0049-what-instances-share-in-redis.md",
        &[
            (
                "claims its key there, for {} seconds,",
                &["src/shared/answers.rs CLAIMED"],
            ),
            (
                "It is tried again after {} second,",
                &["src/shared/keeper.rs PAUSE"],
            ),
        ],
    );
    hold(
        "docs/SCALE.md",
        &[(
            "the repeat waits up to {} seconds and takes one",
            &["src/shared/answers.rs CLAIMED"],
        )],
    );
    hold(
        "docs/decisions/0019-a-pool-of-our-own.md",
        &[("and closed after {} minutes", &["src/store/pool.rs IDLE"])],
    );
    hold(
        "docs/decisions/0020-work-threads.md",
        &[
            (
                "Who waits longer than {} seconds gets 503",
                &["src/app.rs WORK_PATIENCE"],
            ),
            ("have a niceness of {}, those", &["src/app.rs niceness:"]),
            (
                "(impact: {} sessions; imports: {} kB;",
                &[
                    "src/authoring/impact.rs AT_ONCE",
                    "src/api/admin/users.rs IMPORTED_AT_ONCE / 1024",
                ],
            ),
        ],
    );
    hold(
        "docs/decisions/0021-a-change-costs-what-its-tenant-has.md",
        &[
            (
                "begins anew**, {} tenants a transaction",
                &["src/tenants/access.rs PAGE"],
            ),
            (
                "compares a page of {} tenants' revisions** each {} seconds",
                &["src/app/refresh.rs POLLED", "src/app/refresh.rs POLL"],
            ),
            (
                "visit each tenant every {} minutes",
                &["src/app/house.rs CHECKPOINTS"],
            ),
        ],
    );
    hold(
        "docs/decisions/0022-whose-turn-it-is-to-sign-in.md",
        &[
            (
                "threads with a niceness of {}, a quarter",
                &["src/crypto/password.rs NICENESS"],
            ),
            (
                "Seats are few ({}, {} and {}), the wait ends after {} seconds",
                &[
                    "src/limits/sign_in.rs WAITING.0",
                    "src/limits/sign_in.rs WAITING.1",
                    "src/limits/sign_in.rs WAITING.2",
                    "src/limits/sign_in.rs PATIENCE",
                ],
            ),
            (
                "believed for {} minutes**, fetched once for however many wait, left alone for {} seconds",
                &["src/auth/sso.rs FRESH", "src/auth/sso.rs COOL_DOWN"],
            ),
            (
                "At most {} providers are remembered",
                &["src/auth/sso.rs MOST"],
            ),
            (
                "counted by tenant and network ({} a minute), {} at a time a network and {} a tenant",
                &[
                    "src/limits/sign_in.rs SSO.0",
                    "src/limits/sign_in.rs SSO_AT_ONCE.0",
                    "src/limits/sign_in.rs SSO_AT_ONCE.1",
                ],
            ),
            (
                "good for {} minutes and one try",
                &["src/tenants/sso/code.rs CODE_LASTS"],
            ),
        ],
    );
}
