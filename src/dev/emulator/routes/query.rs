//! Query parameters and pages: `page`, `perPage`, `search` and each list's own filters.

use std::collections::HashMap;
use std::str::FromStr;

use actix_web::{HttpRequest, web};
use serde::Serialize;
use serde_json::{Value, json};

use crate::dev::emulator::answer::Refusal;
use crate::dev::emulator::config::Mode;

/// The query of a list request.
#[derive(Debug)]
pub(crate) struct Query {
    page: usize,
    per_page: usize,
    filters: HashMap<String, String>,
}

impl Query {
    /// Reads the query; strict mode refuses parameters that Anam would pass over in silence.
    pub(crate) fn parse(
        request: &HttpRequest,
        known: &[&str],
        mode: Mode,
    ) -> Result<Self, Refusal> {
        let web::Query(mut filters) =
            web::Query::<HashMap<String, String>>::from_query(request.query_string())
                .map_err(|error| Refusal::bad_request(error.to_string()))?;
        let page = number(&mut filters, "page", 1, usize::MAX)?.unwrap_or(1);
        let per_page = number(&mut filters, "perPage", 1, 100)?.unwrap_or(10);
        let stranger = filters.keys().find(|name| !known.contains(&name.as_str()));
        if let (Mode::Strict, Some(name)) = (mode, stranger) {
            return Err(Refusal::bad_request(format!(
                "Unknown query parameter `{name}`; this list knows page, perPage, {}.",
                known.join(", ")
            )));
        }
        Ok(Self {
            page,
            per_page,
            filters,
        })
    }

    /// Whether `search` is absent or is in one of these texts, in any case.
    pub(crate) fn finds(&self, texts: &[&str]) -> bool {
        self.filters.get("search").is_none_or(|sought| {
            let sought = sought.to_lowercase();
            texts
                .iter()
                .any(|text| text.to_lowercase().contains(&sought))
        })
    }

    /// Whether this filter is absent or asks for this value.
    pub(crate) fn asks(&self, filter: &str, value: &str) -> bool {
        self.value(filter).is_none_or(|wanted| wanted == value)
    }

    pub(crate) fn value(&self, filter: &str) -> Option<&str> {
        self.filters.get(filter).map(String::as_str)
    }

    /// The requested page of these rows in Anam's envelope.
    pub(crate) fn page(&self, rows: &[impl Serialize]) -> Value {
        let last = rows.len().div_ceil(self.per_page).max(1);
        let data: Vec<_> = rows
            .iter()
            .skip((self.page - 1).saturating_mul(self.per_page))
            .take(self.per_page)
            .collect();
        json!({
            "data": data,
            "meta": {
                "total": rows.len(),
                "lastPage": last,
                "currentPage": self.page,
                "perPage": self.per_page,
                "prev": (self.page > 1).then(|| self.page - 1),
                "next": (self.page < last).then(|| self.page + 1),
            },
        })
    }
}

fn number(
    filters: &mut HashMap<String, String>,
    name: &str,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Refusal> {
    let Some(text) = filters.remove(name) else {
        return Ok(None);
    };
    match usize::from_str(&text) {
        Ok(value) if (least..=most).contains(&value) => Ok(Some(value)),
        _ => Err(Refusal::bad_request(format!(
            "`{name}` must be a whole number from {least} to {most}, not {text:?}."
        ))),
    }
}
