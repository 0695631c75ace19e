//! Anam's lists of avatars, voices, LLMs and tools, and the cheapest question that tells whether a key is good.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{Anam, AnamError, ApiKey};
use crate::domain::catalogue::CatalogueEntry;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::text;

/// Rows of one page; the most that Anam gives.
const PER_PAGE: usize = 100;
/// Pages of one list that are read at most.
const MAX_PAGES: usize = 100;
/// Largest page, bytes: a hundred rows with long descriptions.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Longest wait for one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest time that one list may take, all its pages together.
const LIST_DEADLINE: Duration = Duration::from_mins(2);
/// Longest id, and longest name, in characters: what the catalogue can hold.
const MAX_ID_CHARS: usize = 100;
const MAX_NAME_CHARS: usize = 200;
/// Longest text among an entry's attributes, in characters, and most texts of a list.
const MAX_ATTRIBUTE_CHARS: usize = 2_000;
const MAX_ATTRIBUTE_ITEMS: usize = 50;

/// What Anam lists of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The rows, in Anam's order, each id once.
    pub rows: Vec<ListedEntry>,
    /// Rows that could not be read, and are not among them.
    pub unreadable: usize,
    /// Whether this is all that Anam has. What is missing from a list that is not whole proves nothing.
    pub is_whole: bool,
}

/// One thing that Anam lists.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedEntry {
    /// Its id, name and what else may be shown of it.
    pub entry: CatalogueEntry,
    /// Whether it is everybody's, and not the organisation's own. Tools say nothing of it, and count as own.
    pub is_stock: bool,
}

/// The result of a small request that tests a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Anam took it.
    Good,
    /// Anam does not know it: a mint would fail.
    Refused,
    /// Anam knows it, but it may not read avatars. Whether it may mint is unknown.
    NoPermission,
    /// Anam knows it, but its account has no plan.
    NoPlan,
    /// Anam gave no answer, or none that tells.
    Unreachable,
}

impl Probe {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Refused => "refused",
            Self::NoPermission => "noPermission",
            Self::NoPlan => "noPlan",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One page of any list. Members that are not named here may come and go.
#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    total: Option<usize>,
    last_page: Option<usize>,
}

impl Anam {
    /// All that Anam lists of a kind for this key; languages are in no list, and give an empty one that is not whole.
    pub async fn list(&self, key: &ApiKey, kind: CatalogueKind) -> Result<Listing, AnamError> {
        let Some(list) = list_of(kind) else {
            return Ok(Listing::default());
        };
        let listed = tokio::time::timeout(LIST_DEADLINE, self.read_list(key, kind, list));
        listed.await.unwrap_or(Err(AnamError::TimedOut))
    }

    /// Whether Anam takes a key, by the cheapest question there is.
    pub async fn probe(&self, key: &ApiKey) -> Probe {
        let query = [("perPage", "1".to_owned())];
        let question = self.page(key, "v1/avatars", &query);
        let answer = tokio::time::timeout(self.options.deadline, question);
        match answer.await.unwrap_or(Err(AnamError::TimedOut)) {
            Ok(_) | Err(AnamError::PersonaNotFound { .. }) => Probe::Good,
            Err(AnamError::KeyRefused) => Probe::Refused,
            Err(AnamError::Forbidden) => Probe::NoPermission,
            Err(AnamError::NoPlan) => Probe::NoPlan,
            Err(_) => Probe::Unreachable,
        }
    }

    async fn read_list(
        &self,
        key: &ApiKey,
        kind: CatalogueKind,
        list: &str,
    ) -> Result<Listing, AnamError> {
        let mut listing = Listing::default();
        let mut seen = BTreeSet::new();
        let mut rows = 0;
        for number in 1..=MAX_PAGES {
            let mut query = vec![
                ("page", number.to_string()),
                ("perPage", PER_PAGE.to_string()),
            ];
            if kind == CatalogueKind::Llm {
                query.push(("includeDefaults", "true".to_owned()));
            }
            let page = match self.page(key, list, &query).await {
                // Anam's way to say that there are none, or no more.
                Err(AnamError::PersonaNotFound { status: 404 }) => {
                    listing.is_whole = true;
                    return Ok(listing);
                }
                page => page?,
            };
            rows += page.data.len();
            for row in &page.data {
                match listed(kind, row) {
                    Some(row) if seen.insert(row.entry.id.clone()) => listing.rows.push(row),
                    Some(_) => {}
                    None => listing.unreadable += 1,
                }
            }
            let (total, last_page) = page
                .meta
                .map_or((None, None), |meta| (meta.total, meta.last_page));
            let is_last = match last_page {
                Some(pages) => number >= pages,
                None => page.data.len() < PER_PAGE,
            };
            if is_last || page.data.is_empty() {
                // Rows that move between pages while they are read show as a number that does not fit.
                let distinct = seen.len() + listing.unreadable;
                listing.is_whole =
                    is_last && total.is_none_or(|total| total == distinct && total == rows);
                return Ok(listing);
            }
        }
        Ok(listing)
    }

    /// One page, with at most one more try after a failure that is worth one.
    async fn page(
        &self,
        key: &ApiKey,
        list: &str,
        query: &[(&str, String)],
    ) -> Result<Page, AnamError> {
        let mut retries = self.options.retries;
        let deadline = Instant::now() + 2 * PAGE_TIMEOUT;
        loop {
            let error = match self.page_once(key, list, query).await {
                Ok(page) => {
                    self.metrics.anam_request("ok");
                    return Ok(page);
                }
                Err(error) => error,
            };
            self.metrics.anam_request(error.code());
            let pause = self.pause_before_retry();
            if retries == 0 || !error.is_worth_a_retry() || Instant::now() + pause >= deadline {
                return Err(error);
            }
            retries -= 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn page_once(
        &self,
        key: &ApiKey,
        list: &str,
        query: &[(&str, String)],
    ) -> Result<Page, AnamError> {
        let body = self
            .get(key, list, query, MAX_PAGE_BYTES, PAGE_TIMEOUT)
            .await?;
        serde_json::from_slice(&body).map_err(|_no_page| AnamError::Unexpected { status: 200 })
    }
}

fn list_of(kind: CatalogueKind) -> Option<&'static str> {
    match kind {
        CatalogueKind::Avatar => Some("v1/avatars"),
        CatalogueKind::Voice => Some("v1/voices"),
        CatalogueKind::Llm => Some("v1/llms"),
        CatalogueKind::Tool => Some("v1/tools"),
        CatalogueKind::Language => None,
    }
}

/// The members of a row that are kept. Users see them among their options, so addresses of models, webhooks and their
/// headers stay out, and so do links that are signed for an hour.
fn kept_members(kind: CatalogueKind) -> &'static [&'static str] {
    match kind {
        CatalogueKind::Avatar => &[
            "variantName",
            "description",
            "imageUrl",
            "landscapeImageUrl",
            "portraitImageUrl",
            "availableVersions",
            "activeVersion",
            "renderStyle",
            "displayTags",
        ],
        CatalogueKind::Voice => &[
            "provider",
            "description",
            "gender",
            "country",
            "sampleUrl",
            "previewSampleUrl",
            "displayTags",
            "isZdr",
        ],
        CatalogueKind::Llm => &["description", "displayTags", "isDefault", "isZdr"],
        CatalogueKind::Tool => &["description", "type"],
        CatalogueKind::Language => &[],
    }
}

/// `None` where the row has no id that the catalogue could hold.
fn listed(kind: CatalogueKind, row: &Value) -> Option<ListedEntry> {
    let row = row.as_object()?;
    let id = row.get("id")?.as_str()?;
    if !text::is_clean_line(id, MAX_ID_CHARS) {
        return None;
    }
    let name = ["displayName", "name"]
        .iter()
        .find_map(|member| row.get(*member)?.as_str())
        .map(|name| text::clean_line(name, MAX_NAME_CHARS))
        .filter(|name| !name.is_empty());
    let attributes: Map<String, Value> = kept_members(kind)
        .iter()
        .filter_map(|member| Some(((*member).to_owned(), attribute(row.get(*member)?)?)))
        .collect();
    let owner = row.get("createdByOrganizationId");
    Some(ListedEntry {
        entry: CatalogueEntry {
            id: id.to_owned(),
            name: name.map_or_else(|| id.to_owned(), std::borrow::Cow::into_owned),
            attributes,
        },
        is_stock: kind != CatalogueKind::Tool && owner.is_none_or(Value::is_null),
    })
}

/// A flag, a number, a text or a list of texts; whatever else Anam may send is left out.
fn attribute(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) => attribute_text(text),
        Value::Array(items) if items.len() <= MAX_ATTRIBUTE_ITEMS => items
            .iter()
            .map(|item| attribute_text(item.as_str()?))
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
        _ => None,
    }
}

fn attribute_text(text: &str) -> Option<Value> {
    text::is_clean_block(text, MAX_ATTRIBUTE_CHARS).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_keeps_what_may_be_shown_and_nothing_else() {
        let row = json!({
            "id": "an-id-of-any-form", "displayName": "Own model", "description": "Ours",
            "urls": [{ "url": "https://llm.internal.example" }], "metadata": { "secret": "s" }, "isZdr": true,
            "createdByOrganizationId": "org_1", "somethingNew": {},
        });
        let listed = listed(CatalogueKind::Llm, &row).unwrap();
        assert_eq!(listed.entry.id, "an-id-of-any-form");
        assert_eq!(
            Value::Object(listed.entry.attributes),
            json!({ "description": "Ours", "isZdr": true })
        );
        assert!(!listed.is_stock);
    }

    #[test]
    fn a_row_without_a_name_is_called_by_its_id_and_one_without_an_id_is_left_out() {
        let avatar = |row| listed(CatalogueKind::Avatar, &row);
        let named = avatar(json!({ "id": "a", "displayName": "  " })).unwrap();
        assert_eq!(named.entry.name, "a");
        for id in [
            json!(null),
            json!(""),
            json!(7),
            json!("a\u{0}b"),
            json!("x".repeat(101)),
        ] {
            assert_eq!(
                avatar(json!({ "id": id, "displayName": "A" })),
                None,
                "{id}"
            );
        }
    }

    #[test]
    fn attributes_of_other_shapes_are_left_out() {
        let row = json!({
            "id": "a", "displayName": "A", "imageUrl": { "big": "x" }, "description": "a\u{0}b",
            "displayTags": ["one", 2], "availableVersions": ["cara-3"],
        });
        let listed = listed(CatalogueKind::Avatar, &row).unwrap();
        assert_eq!(
            Value::Object(listed.entry.attributes),
            json!({ "availableVersions": ["cara-3"] })
        );
        assert!(listed.is_stock);
    }
}
