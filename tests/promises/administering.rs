//! The pages for admins, and for the programs that they write.

use super::sentences::hold;

#[test]
fn the_life_of_documents() {
    hold(
        "docs/ADMIN.md",
        &[
            (
                "A document may have several ({})",
                &["src/authoring/drafts.rs MAX_DRAFTS"],
            ),
            (
                "At most {} of a document and {} of a tenant are scheduled, for at most {} moments",
                &[
                    "src/authoring/release.rs MAX_SCHEDULED",
                    "src/authoring/release.rs MAX_SCHEDULED_OF_TENANT",
                    "src/authoring/release.rs MAX_MOMENTS",
                ],
            ),
            (
                "wait for each other, {} seconds at most: then 503",
                &["database.lock_timeout_ms / 200"],
            ),
            (
                "in pages of `limit` (1 to {}, {} unless set)",
                &["src/web/page.rs MAX_LIMIT", "src/web/page.rs DEFAULT_LIMIT"],
            ),
            (
                "no duplicate members, {} levels, {} MiB",
                &[
                    "src/domain/json.rs MAX_DEPTH",
                    "server.max_admin_body_bytes / 1048576",
                ],
            ),
        ],
    );
}

#[test]
fn second_factors_new_passwords_and_mail() {
    hold(
        "docs/admin/people.md",
        &[
            (
                "One account has {} tries at once and {} an hour",
                &[
                    "src/limits/sign_in.rs CODES.1",
                    "src/limits/sign_in.rs CODES.0",
                ],
            ),
            (
                "answers with {} recovery codes",
                &["src/crypto/totp.rs RECOVERY_CODES"],
            ),
            (
                "who has shown within {} minutes who they are",
                &["src/tenants/admin.rs RECENTLY"],
            ),
            (
                "mails a link that can be used once, for {} minutes",
                &["src/tenants/password_reset.rs MAILED_FOR"],
            ),
            (
                "valid once, for {} hours, as `https://GATEWAY/console/new-password#TOKEN`",
                &["src/tenants/password_reset.rs GIVEN_FOR"],
            ),
            (
                "One account gets {} mails at once and {} an hour; one network asks {} times at once and {} times an hour",
                &[
                    "src/limits/sign_in.rs RESETS_OF.1",
                    "src/limits/sign_in.rs RESETS_OF.0",
                    "src/limits/sign_in.rs RESETS_FROM.1",
                    "src/limits/sign_in.rs RESETS_FROM.0",
                ],
            ),
            (
                "At most {} invitations of one tenant are mailed at once, and {} a minute after that",
                &["src/mail/mod.rs OF_TENANT.1", "src/mail/mod.rs OF_TENANT.0"],
            ),
            (
                "are tried once more within {} seconds, and then lost; the invitation says so {} minutes after it was made",
                &[
                    "src/mail/postman.rs LAST_TRY",
                    "src/tenants/invitations.rs LOST_AFTER",
                ],
            ),
        ],
    );
}

#[test]
fn who_may() {
    hold(
        "docs/admin/people.md",
        &[
            (
                "{} hours, or {} minutes without a request",
                &[
                    "src/tenants/sign_in.rs LONGEST",
                    "src/tenants/sign_in.rs IDLE",
                ],
            ),
            (
                "**Passwords** have {} to {} characters",
                &[
                    "src/crypto/password.rs MIN_CHARS",
                    "src/crypto/password.rs MAX_CHARS",
                ],
            ),
            (
                "{} tries at once and {} a minute for one account from one address, {} a minute from one address; of strangers also {} a minute \
                 from one IPv6 network (/48), and for one account from everywhere a {} at once and {} a minute",
                &[
                    "src/limits/sign_in.rs PAIR.1",
                    "src/limits/sign_in.rs PAIR.0",
                    "src/limits/sign_in.rs ADDRESS.0",
                    "src/limits/sign_in.rs NETWORK.0",
                    "src/limits/sign_in.rs ACCOUNT.1",
                    "src/limits/sign_in.rs ACCOUNT.0",
                ],
            ),
            (
                "wait in lines of their own, {} seconds at most",
                &["src/limits/sign_in.rs PATIENCE"],
            ),
            (
                "It is valid for {} days and {}.",
                &["src/tenants/invitations.rs VALID_FOR", "1"],
            ),
            (
                "names it by its first {} characters",
                &["src/tenants/admin.rs SHOWN_CHARS"],
            ),
            (
                "good for one try within {} minutes",
                &["src/tenants/sso/code.rs CODE_LASTS"],
            ),
            (
                "each way is good for {} minutes and {}.",
                &["src/tenants/sso/browser_flow.rs PATIENCE", "1"],
            ),
            (
                "is believed for {} minutes, and a provider that does not answer is left alone for {} seconds",
                &["src/auth/sso.rs FRESH", "src/auth/sso.rs COOL_DOWN"],
            ),
            (
                "provider are limited: {} a minute from one network, {} at the same time",
                &[
                    "src/limits/sign_in.rs SSO.0",
                    "src/limits/sign_in.rs SSO_AT_ONCE.1",
                ],
            ),
            (
                "({} in a minute, those of half a second at once, and {} at the same time; others wait {} seconds for their turn)",
                &[
                    "limits.admin_requests_per_minute",
                    "limits.admin_requests_in_flight",
                    "src/limits.rs AT_DOOR",
                ],
            ),
            (
                "busy, {} seconds at most: then 503",
                &["src/app.rs WORK_PATIENCE"],
            ),
            (
                "What takes longer than {} seconds is stopped",
                &["src/app.rs WORK_LONGEST"],
            ),
        ],
    );
}

#[test]
fn previews_and_tests() {
    hold(
        "docs/admin/previews.md",
        &[
            (
                "A tenant has at most {}.",
                &["src/authoring/scenario.rs MAX_SAMPLE_USERS"],
            ),
            (
                "in place of what is live, {} at most",
                &["src/authoring/uses.rs MAX_USES"],
            ),
            (
                "newest `sessions` sessions ({} unless set, {} at most)",
                &[
                    "src/authoring/impact.rs DEFAULT_SESSIONS",
                    "src/authoring/impact.rs MAX_SESSIONS",
                ],
            ),
            (
                "with up to {} of the newest sessions as examples",
                &["src/authoring/impact.rs EXAMPLES"],
            ),
            (
                "A document has at most {} tests, {} kB together",
                &[
                    "src/domain/kept_test.rs MAX_TESTS",
                    "src/domain/kept_test.rs MAX_BYTES / 1024",
                ],
            ),
            (
                "longer than the limit ({} characters, {} kB)",
                &[
                    "src/domain/template/size.rs MAX_CHARS",
                    "src/domain/template/size.rs MAX_BYTES / 1024",
                ],
            ),
            (
                "and the first {} of the tenant's sample users",
                &["src/domain/examine/serving.rs MAX_SAMPLES"],
            ),
            (
                "in the first {} contexts that give the persona, and by a context with the first {} personas",
                &[
                    "src/domain/examine/serving.rs MAX_TRIED",
                    "src/domain/examine/serving.rs MAX_TRIED",
                ],
            ),
        ],
    );
}

#[test]
fn explaining() {
    hold(
        "docs/admin/sessions.md",
        &[
            (
                "At most {} parts are listed",
                &["src/domain/template/origin.rs MAX_PIECES"],
            ),
            (
                "cleaned and cut at {} characters",
                &["src/auth/claimed.rs MAX_CHARS"],
            ),
            (
                "Of each reason the newest {} different ones",
                &["src/refusals.rs KEPT"],
            ),
            ("They are kept for {} days", &["src/refusals.rs KEPT_FOR"]),
        ],
    );
}

#[test]
fn tenant_settings() {
    hold(
        "docs/admin/tenant.md",
        &[
            (
                "A tenant may check {} times a minute",
                &["src/limits.rs TRY_OUTS_PER_MINUTE"],
            ),
            (
                "A shared secret has {} bytes or more",
                &["src/crypto/shared_secret.rs MIN_BYTES"],
            ),
            (
                "in batches of a {}, each",
                &["src/tenants/preferences/import.rs BATCH"],
            ),
            (
                "its faults (the first {})",
                &["src/tenants/preferences/by_admin.rs MAX_TOLD"],
            ),
        ],
    );
}

#[test]
fn clients() {
    hold(
        "docs/CLIENTS.md",
        &[
            (
                "tried again, up to {} times",
                &["src/client/transport.rs retries:"],
            ),
            ("`?limit=` up to {};", &["src/web/page.rs MAX_LIMIT"]),
        ],
    );
}
