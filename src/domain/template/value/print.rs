//! What a value reads as when it is printed or joined.

use std::io;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{
    super::{budget::Budget, fault::RenderFault},
    Text, Val,
};

impl<'a> Val<'a> {
    /// The text that is printed. Lists of plain values read `a, b`; anything deeper is JSON.
    pub(in super::super) fn to_text(&self, budget: &mut Budget) -> Result<Text<'a>, RenderFault> {
        Ok(match self {
            Self::Absent | Self::Null => Text::Borrowed(""),
            Self::Bool(flag) => Text::Borrowed(if *flag { "true" } else { "false" }),
            Self::Number(number) => {
                budget.digits()?;
                Text::from_owned(number.to_string())
            }
            Self::Text(text, _) => text.clone(),
            _ => match self.joined(", ", budget)? {
                Some(text) => text,
                None => self.to_json(budget)?,
            },
        })
    }

    /// The entries of a list of plain values, joined; `None` of a map, or where one is a list or map.
    pub(in super::super) fn joined(
        &self,
        separator: &str,
        budget: &mut Budget,
    ) -> Result<Option<Text<'a>>, RenderFault> {
        let Some(count) = self.items() else {
            return Ok(None);
        };
        let mut text = String::new();
        let mut is_first = true;
        for at in 0..count {
            budget.step()?;
            let item = self.entry(at).unless_blank(budget)?;
            if item.is_list_or_map() {
                return Ok(None);
            }
            if self.leaves_out(&item) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                budget.append(separator.len())?;
                text.push_str(separator);
            }
            let item = item.to_text(budget)?;
            budget.append(item.len())?;
            text.push_str(&item);
        }
        Ok(Some(Text::from_owned(text)))
    }

    fn to_json(&self, budget: &mut Budget) -> Result<Text<'a>, RenderFault> {
        let mut json = BudgetedWriter {
            bytes: Vec::new(),
            budget,
        };
        if serde_json::to_writer(&mut json, self).is_err() {
            // Nothing but the budget can fail here.
            return Err(Budget::USED_UP);
        }
        Ok(Text::from_owned(
            String::from_utf8(json.bytes).unwrap_or_default(),
        ))
    }
}

/// Takes bytes as long as they are paid for.
struct BudgetedWriter<'b> {
    bytes: Vec<u8>,
    budget: &'b mut Budget,
}

impl io::Write for BudgetedWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.budget.token(bytes.len()).map_err(io::Error::other)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Serialize for Val<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text, _) => serializer.serialize_str(text),
            Self::Array(items, _) => items.serialize(serializer),
            Self::Object(entries, _) => entries.serialize(serializer),
            Self::Facts(facts) => serializer.collect_map(
                facts
                    .iter()
                    .map(|(name, fact)| (name, Val::from_fact(fact))),
            ),
            Self::FactList(items) => items.serialize(serializer),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.items.len()))?;
                for item in &list.items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(map) => {
                let mut entries = serializer.serialize_map(Some(map.entries.len()))?;
                for (key, value) in &map.entries {
                    entries.serialize_entry(key, value)?;
                }
                entries.end()
            }
        }
    }
}
