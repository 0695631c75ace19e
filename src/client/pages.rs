//! Lists, page by page as they are read.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::ClientError;
use super::transport::{Call, Client, segment};

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next: Option<String>,
}

enum NextPage {
    From(Option<String>),
    Nothing,
}

impl Client {
    /// Every item of a list. The next page is fetched when the ones before are used up; after an error there is no more.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, &str)],
    ) -> impl Stream<Item = Result<T, ClientError>> + use<T> {
        let mut query: Vec<String> = filters
            .iter()
            .map(|(name, value)| format!("{name}={}", segment(value)))
            .collect();
        query.push("limit=100".into());
        let first = format!("{path}?{}", query.join("&"));
        let state = (
            self.clone(),
            first,
            VecDeque::<T>::new(),
            NextPage::From(None),
        );
        stream::try_unfold(state, |(client, first, mut ready, mut rest)| async move {
            loop {
                if let Some(item) = ready.pop_front() {
                    return Ok(Some((item, (client, first, ready, rest))));
                }
                let NextPage::From(cursor) = rest else {
                    return Ok(None);
                };
                let path = match cursor {
                    None => first.clone(),
                    Some(cursor) => format!("{first}&cursor={}", segment(&cursor)),
                };
                let page: Page<T> = client.send(Call::get(path)).await?.read()?;
                ready.extend(page.items);
                rest = page
                    .next
                    .map_or(NextPage::Nothing, |next| NextPage::From(Some(next)));
            }
        })
    }
}
