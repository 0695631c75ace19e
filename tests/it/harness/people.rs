//! People who administer, with passwords and sessions.

use chrono::{DateTime, Utc};
use persona_gateway::crypto::password::Password;
use persona_gateway::domain::email::Email;
use persona_gateway::domain::ids::AdminId;
use persona_gateway::domain::role::Role;
use reqwest::{Method, Response};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::TestApp;
use super::admins::body;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a good long password";

/// What an authenticator app shows at a time.
pub(crate) fn code_of(secret: &str, at: DateTime<Utc>) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(at.timestamp().unsigned_abs()).to_string()
}

impl TestApp {
    /// Makes a person with [`PASSWORD`] a member of a tenant; gives their id.
    pub(crate) async fn member(&self, slug: &str, email: &str, role: Role) -> String {
        let tenant = self.tenant(slug).await;
        let email = Email::parse(email).unwrap();
        let gateway = &self.app.gateway;
        let mut tx = gateway.database.tenant(tenant).await.unwrap();
        let known = tx.lock_person(&email).await.unwrap();
        let person = if let Some(person) = known {
            person.id
        } else {
            let password = Password::parse(SecretString::from(PASSWORD), &email).unwrap();
            let hash = gateway.passwords.hash(&password).await.unwrap();
            let id = AdminId(self.clock.new_id());
            tx.insert_person(id, &email, "Test Person", Some(&hash))
                .await
                .unwrap();
            id
        };
        tx.audit(&self.event("member.create", &format!("person/{email}")))
            .await
            .unwrap();
        tx.insert_membership(person, role, false, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        person.to_string()
    }

    /// A request without a credential.
    pub(crate) async fn anonymous(&self, path: &str, body: &Value) -> Response {
        let request = self.http.post(self.url(path)).json(body);
        request.send().await.unwrap()
    }

    /// `POST /v1/admin/sign-in`.
    pub(crate) async fn try_sign_in(&self, email: &str, password: &str) -> Response {
        self.anonymous(
            "/v1/admin/sign-in",
            &json!({ "email": email, "password": password }),
        )
        .await
    }

    /// Signs somebody in who belongs to one tenant; gives the session's token.
    pub(crate) async fn sign_in(&self, email: &str) -> String {
        let signed_in = body(self.try_sign_in(email, PASSWORD).await, 200).await;
        signed_in["token"].as_str().unwrap().to_owned()
    }

    /// A new member of that role who is signed in.
    pub(crate) async fn signed_in(&self, slug: &str, email: &str, role: Role) -> String {
        self.member(slug, email, role).await;
        self.sign_in(email).await
    }

    /// Enrols a second factor for whoever has the session; gives its secret and the recovery codes.
    pub(crate) async fn enrolled(&self, token: &str) -> (String, Vec<String>) {
        let path = "/v1/admin/second-factor";
        let made = body(self.tell(Method::POST, path, token, &json!({})).await, 201).await;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let sent = json!({ "code": code_of(&secret, self.clock.now()) });
        let path = "/v1/admin/second-factor:confirm";
        let made = body(self.tell(Method::POST, path, token, &sent).await, 200).await;
        let codes = made["recoveryCodes"].as_array().unwrap();
        let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
        (secret, codes.collect())
    }

    /// A new operator who belongs to no tenant and is signed in.
    pub(crate) async fn operator(&self, email: &str) -> String {
        let gateway = &self.app.gateway;
        let email = Email::parse(email).unwrap();
        let password = Password::parse(SecretString::from(PASSWORD), &email).unwrap();
        let hash = gateway.passwords.hash(&password).await.unwrap();
        let id = AdminId(self.clock.new_id());
        let mut tx = gateway.database.platform().await.unwrap();
        tx.insert_operator(id, &email, "Operator", &hash)
            .await
            .unwrap();
        tx.audit(&self.event("operator.create", &format!("person/{email}")))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        self.sign_in(email.as_str()).await
    }

    /// Makes an empty tenant.
    pub(crate) async fn empty_tenant(&self, slug: &str) {
        let operator = persona_gateway::tenants::operators::Operator {
            database: &self.app.gateway.database,
            clock: &self.clock,
            label: "cli:test",
            request_id: None,
        };
        operator
            .create_tenant(&slug.parse().unwrap(), slug)
            .await
            .unwrap();
    }

    /// The status that a credential gets at `GET /v1/admin/me`.
    pub(crate) async fn status_of(&self, token: &str) -> u16 {
        let answer = self.ask(Method::GET, "/v1/admin/me", token).await;
        answer.status().as_u16()
    }

    /// The tenant's audit trail: actor, action and target of each row, oldest first.
    pub(crate) async fn audited(&self, slug: &str) -> Vec<String> {
        let rows = self
            .database
            .rows(&format!(
                "select e.actor || ' ' || e.action || ' ' || e.target as line from audit_event e
                 join tenant t on t.id = e.tenant_id where t.slug = '{slug}' order by e.seq"
            ))
            .await;
        rows.iter()
            .map(|row| row["line"].as_str().unwrap().to_owned())
            .collect()
    }
}
