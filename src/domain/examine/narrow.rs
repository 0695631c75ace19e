//! What a JSON Schema leaves of the values of an attribute, as far as it says so in its own words.

use serde_json::Value;

use super::values::{Lists, Numbers, Texts, Values};
use crate::domain::decimal::Decimal;

/// Most subschemas that are examined, however many ways lead to one; the others are ignored.
const MAX_LOOKS: usize = 2_000;
/// They are looked at so deep inside each other.
const MAX_DEPTH: usize = 12;

impl Values {
    /// Those that `schema`, a part of `root`, allows.
    pub(super) fn of_schema(root: &Value, schema: &Value) -> Self {
        let mut values = Self::any();
        let mut look = Narrowing {
            root,
            left: MAX_LOOKS,
        };
        look.narrow(&mut values, schema, MAX_DEPTH);
        values
    }
}

struct Narrowing<'s> {
    root: &'s Value,
    left: usize,
}

impl Narrowing<'_> {
    fn narrow(&mut self, values: &mut Values, schema: &Value, depth: usize) {
        let (Some(left), Some(depth)) = (self.left.checked_sub(1), depth.checked_sub(1)) else {
            return;
        };
        self.left = left;
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| self.root.pointer(target.strip_prefix('#')?));
        let all_of = schema.get("allOf").and_then(Value::as_array);
        for part in target.into_iter().chain(all_of.into_iter().flatten()) {
            self.narrow(values, part, depth);
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(ways) = schema.get(choice).and_then(Value::as_array) {
                *values = ways.iter().fold(Values::none(), |all, way| {
                    let mut of_way = values.clone();
                    self.narrow(&mut of_way, way, depth);
                    all.union(of_way)
                });
            }
        }
        let named: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !named.is_empty() {
            values.keep_types(&named);
        }
        if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
            values.keep_only(listed);
        }
        if let Some(value) = schema.get("const") {
            values.keep_only(std::slice::from_ref(value));
        }
        // Of a list with prefixItems, `items` describes the others only.
        let items = schema.get("items").filter(|items| items.is_object());
        let items = items.filter(|_| schema.get("prefixItems").is_none());
        if let Some(items) = items
            && !matches!(values.lists, Lists::None)
        {
            let mut of = match &values.lists {
                Lists::Of(values) => values.as_ref().clone(),
                Lists::None | Lists::Any => Values::any(),
            };
            self.narrow(&mut of, items, depth);
            values.lists = Lists::Of(Box::new(of));
        }
        values.keep_range(schema);
    }
}

impl Values {
    fn keep_types(&mut self, named: &[&str]) {
        let has = |kind: &str| named.contains(&kind);
        if !has("boolean") {
            self.flags.clear();
        }
        if !has("number") {
            match &mut self.numbers {
                Numbers::Range { whole, .. } if has("integer") => *whole = true,
                Numbers::OneOf(_) if has("integer") => {}
                numbers => *numbers = Numbers::None,
            }
        }
        if !has("string") {
            self.texts = Texts::None;
        }
        if !has("array") {
            self.lists = Lists::None;
        }
        // A rule sees neither null nor an object.
        self.absent &= has("null") || has("object");
    }

    fn keep_only(&mut self, values: &[Value]) {
        self.flags
            .retain(|flag| values.contains(&Value::Bool(*flag)));
        if self.numbers != Numbers::None {
            self.numbers = Numbers::OneOf(values.iter().filter_map(Decimal::from_value).collect());
        }
        if self.texts != Texts::None {
            let texts = values.iter().filter_map(Value::as_str);
            self.texts = Texts::OneOf(texts.map(str::to_owned).collect());
        }
        if !values.iter().any(Value::is_array) {
            self.lists = Lists::None;
        }
        self.absent &= values
            .iter()
            .any(|value| value.is_null() || value.is_object());
    }

    fn keep_range(&mut self, schema: &Value) {
        let Numbers::Range { min, max, .. } = &mut self.numbers else {
            return;
        };
        let bound = |name: &str| schema.get(name).and_then(Decimal::from_value);
        for low in ["minimum", "exclusiveMinimum"]
            .into_iter()
            .filter_map(bound)
        {
            *min = (*min).max(Some(low));
        }
        for high in ["maximum", "exclusiveMaximum"]
            .into_iter()
            .filter_map(bound)
        {
            *max = Some(max.map_or(high, |max| max.min(high)));
        }
    }

    /// Those of either.
    fn union(self, other: Self) -> Self {
        let mut flags = self.flags;
        flags.extend(other.flags);
        flags.sort_unstable();
        flags.dedup();
        Self {
            absent: self.absent || other.absent,
            flags,
            numbers: self.numbers.union(other.numbers),
            texts: match (self.texts, other.texts) {
                (Texts::None, texts) | (texts, Texts::None) => texts,
                (Texts::OneOf(mut texts), Texts::OneOf(others)) => {
                    texts.extend(others);
                    Texts::OneOf(texts)
                }
                _ => Texts::Any,
            },
            lists: match (self.lists, other.lists) {
                (Lists::None, lists) | (lists, Lists::None) => lists,
                (Lists::Of(items), Lists::Of(others)) => Lists::Of(Box::new(items.union(*others))),
                _ => Lists::Any,
            },
        }
    }
}

impl Numbers {
    fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, numbers) | (numbers, Self::None) => numbers,
            (Self::OneOf(mut numbers), Self::OneOf(others)) => {
                numbers.extend(others);
                Self::OneOf(numbers)
            }
            // As large as both together, and what lies between them.
            (one, other) => {
                let (one_min, one_max, one_whole) = one.bounds();
                let (other_min, other_max, other_whole) = other.bounds();
                Self::Range {
                    min: one_min.zip(other_min).map(|(one, other)| one.min(other)),
                    max: one_max.zip(other_max).map(|(one, other)| one.max(other)),
                    whole: one_whole && other_whole,
                }
            }
        }
    }

    fn bounds(self) -> (Option<Decimal>, Option<Decimal>, bool) {
        match self {
            Self::None => (None, None, true),
            Self::Range { min, max, whole } => (min, max, whole),
            Self::OneOf(numbers) => (
                numbers.iter().min().copied(),
                numbers.iter().max().copied(),
                numbers.iter().all(|number| number.is_whole()),
            ),
        }
    }
}
