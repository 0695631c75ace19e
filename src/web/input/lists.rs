//! Lists of members.

use std::ops::Deref;

use serde_json::{Value, json};

use super::{Member, Schemas};
use crate::domain::fault::{Fault, Faults};
use crate::domain::wrong::Wrong;

/// A list of `MIN` to `MAX` items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// The items.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Default for List<T, 0, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MIN: usize, const MAX: usize> Deref for List<T, MIN, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Member, const MIN: usize, const MAX: usize> Member for List<T, MIN, MAX> {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let items = match value {
            Value::Array(items) if (MIN..=MAX).contains(&items.len()) => items,
            _ => {
                let items = Wrong::Items {
                    least: MIN,
                    most: MAX,
                };
                return Err(vec![Fault::new("", items)]);
            }
        };
        let mut faults = Faults::new();
        let read = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, item)| faults.take(&format!("/{index}"), T::read(item)))
            .collect();
        faults.into_result(Self(read))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let items = T::schema(schemas);
        match MIN {
            0 => json!({ "type": "array", "items": items, "maxItems": MAX }),
            _ => json!({ "type": "array", "items": items, "minItems": MIN, "maxItems": MAX }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_each_item_that_is_wrong() {
        type Flags = List<bool, 1, 3>;
        assert_eq!(*Flags::read(json!([true, false])).unwrap(), [true, false]);
        let wrong = Flags::read(json!([1, true, "x"])).unwrap_err();
        let places: Vec<_> = wrong.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(places, ["/0", "/2"]);
        let told = |faults: Vec<Fault>| -> Vec<String> {
            faults.iter().map(ToString::to_string).collect()
        };
        for sent in [json!([]), json!([true, true, true, true]), json!({})] {
            let faults = told(Flags::read(sent).unwrap_err());
            assert_eq!(faults, ["must be a list of 1 to 3 items"]);
        }
        let faults = told(List::<bool, 0, 2>::read(json!("x")).unwrap_err());
        assert_eq!(faults, ["must be a list of at most 2 items"]);
    }
}
