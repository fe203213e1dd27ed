//! Values of a foreign stream, whatever they are: a field of another type than
//! the last version had must not cost the event that it stands in.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, a number, or nothing that is of use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Loose {
    /// Anything else.
    #[default]
    Nothing,
    /// A string.
    Text(String),
    /// A number; `true` is 1.
    Number(f64),
}

impl Loose {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Nothing | Self::Number(_) => None,
        }
    }

    /// A text that says something.
    pub(super) fn said(&self) -> Option<&str> {
        self.text().filter(|text| !text.trim().is_empty())
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Nothing | Self::Text(_) => None,
        }
    }

    /// A number of things.
    pub(super) fn count(&self) -> u64 {
        // A cast of a float ends at the ends of the whole numbers.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        self.number().map_or(0, |number| number as u64)
    }

    /// A status of a server.
    pub(super) fn status(&self) -> Option<u16> {
        self.number().and(u16::try_from(self.count()).ok())
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Number(1.0)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(if value { Loose::Number(1.0) } else { Loose::Nothing })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of that size do not occur")]
    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of that size do not occur")]
    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Loose, E> {
        Ok(Loose::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Loose, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Loose, A::Error> {
        while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Nothing)
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

/// Ignores what is no list, or no object, where one is wanted.
macro_rules! ignores {
    ($value:ty: $($name:ident($type:ty))*) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok(<$value>::default())
        }

        $(fn $name<E>(self, _: $type) -> Result<$value, E> {
            Ok(<$value>::default())
        })*
    };
}

/// The items of a list; none where there is no list.
#[derive(Debug)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct List<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
    type Value = Many<T>;

    ignores!(Many<T>: visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Many<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = all.next_element()? {
            items.push(item);
        }
        Ok(Many(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Many<T>, A::Error> {
        while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Many::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(List(PhantomData))
    }
}

/// An object's fields; the defaults of all of them where there is none.
#[derive(Debug, Default)]
pub(super) struct Fields<T>(pub(super) Option<T>);

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Object<T> {
    type Value = Fields<T>;

    ignores!(Fields<T>: visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Fields<T>, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Fields::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, all: A) -> Result<Fields<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(all)).map(|fields| Fields(Some(fields)))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Fields<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Object(PhantomData))
    }
}

/// What a tool is used on: the first of these that its arguments have.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Arguments {
    command: Loose,
    cmd: Loose,
    file_path: Loose,
    #[serde(rename = "filePath")]
    file: Loose,
    path: Loose,
    pattern: Loose,
    query: Loose,
    url: Loose,
    description: Loose,
}

impl Fields<Arguments> {
    pub(super) fn subject(&self) -> Option<&str> {
        let Arguments { command, cmd, file_path, file, path, pattern, query, url, description } =
            self.0.as_ref()?;
        [command, cmd, file_path, file, path, pattern, query, url, description]
            .into_iter()
            .find_map(Loose::said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_value_is_taken() {
        let values = r#"["a", 5, -1, 0.5, true, false, null, [1, ["b"]], {"c": {"d": 1}}]"#;
        let all: Vec<Loose> = serde_json::from_str(values).expect("JSON");
        assert_eq!(all[0].text(), Some("a"));
        assert_eq!((all[1].count(), all[2].count(), all[3].number()), (5, 0, Some(0.5)));
        assert!(all[4].is_true() && !all[5].is_true());
        assert_eq!(all[6..], vec![Loose::Nothing; 3]);
        assert_eq!(Loose::Number(429.0).status(), Some(429));
        assert_eq!(Loose::Number(1e300).status(), None);
    }

    #[test]
    fn what_is_no_list_is_an_empty_one() {
        for text in ["5", "null", "\"a\"", "{\"a\": [1]}", "true", "0.5", "-1"] {
            let many: Many<Loose> = serde_json::from_str(text).expect("JSON");
            assert!(many.0.is_empty(), "{text}");
        }
        let many: Many<Loose> = serde_json::from_str("[1, [2], \"a\"]").expect("JSON");
        assert_eq!(many.0.len(), 3);
    }

    #[test]
    fn a_tool_is_used_on_the_first_thing_that_is_named() {
        let read = |text: &str| {
            let arguments: Fields<Arguments> = serde_json::from_str(text).expect("JSON");
            arguments.subject().map(str::to_owned)
        };
        assert_eq!(read(r#"{"description": "d", "command": "ls"}"#).as_deref(), Some("ls"));
        assert_eq!(read(r#"{"command": ["ls"], "filePath": "a"}"#).as_deref(), Some("a"));
        assert_eq!(read(r#"{"content": "x"}"#), None);
        assert_eq!(read(r#"["command"]"#), None);
        assert_eq!(read("5"), None);
    }
}
