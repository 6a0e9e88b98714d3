//! JSON to Java types as Jackson does it: texts become numbers, fractions are cut off, scalars become texts.

use serde_json::{Map, Number, Value};

use super::refusal::JobRefusal;

type Read<T> = Result<Option<T>, JobRefusal>;

/// The members of one object; what is absent and what is null is the same.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(crate) fn long(self, name: &str) -> Read<i64> {
        self.0.get(name).map_or(Ok(None), long)
    }

    pub(crate) fn int(self, name: &str) -> Read<i64> {
        let read = self.long(name)?;
        if read.is_some_and(|wide| i32::try_from(wide).is_err()) {
            return Err(JobRefusal::bad_request());
        }
        Ok(read)
    }

    pub(crate) fn text(self, name: &str) -> Read<String> {
        self.0.get(name).map_or(Ok(None), text)
    }

    pub(crate) fn flag(self, name: &str) -> Read<bool> {
        self.0.get(name).map_or(Ok(None), flag)
    }

    pub(crate) fn object(self, name: &str) -> Read<Fields<'a>> {
        self.0.get(name).map_or(Ok(None), object)
    }

    /// Each element is read by `element`; one that is null is none.
    pub(crate) fn list<T>(
        self,
        name: &str,
        element: impl Fn(&'a Value) -> Read<T>,
    ) -> Read<Vec<Option<T>>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) => {
                items.iter().map(element).collect::<Result<_, _>>().map(Some)
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                Err(JobRefusal::bad_request())
            }
        }
    }
}

pub(crate) fn long(value: &Value) -> Read<i64> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => whole(number).map(Some),
        Value::String(text) => long_from_text(text),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(JobRefusal::bad_request()),
    }
}

fn whole(number: &Number) -> Result<i64, JobRefusal> {
    if let Some(exact) = number.as_i64() {
        return Ok(exact);
    }
    let float = number.as_f64().unwrap_or(f64::INFINITY).trunc();
    // Both ends are powers of two, so the comparison is exact.
    if number.is_f64() && (-TWO_TO_63..TWO_TO_63).contains(&float) {
        return format!("{float:.0}").parse().map_err(|_| JobRefusal::bad_request());
    }
    Err(JobRefusal::bad_request())
}

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

fn long_from_text(text: &str) -> Read<i64> {
    let text = trimmed(text);
    if text.is_empty() || text == "null" {
        return Ok(None);
    }
    parse_long(text).map(Some).ok_or_else(JobRefusal::bad_request)
}

/// `Long.parseLong`: a sign and digits, full-width ones too, nothing else.
pub(crate) fn parse_long(text: &str) -> Option<i64> {
    let narrow = |each: char| match each {
        '０'..='９' => char::from_digit(u32::from(each) - u32::from('０'), 10),
        '+' | '-' | '0'..='9' => Some(each),
        _ => None,
    };
    text.chars().map(narrow).collect::<Option<String>>()?.parse().ok()
}

pub(crate) fn text(value: &Value) -> Read<String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Array(_) | Value::Object(_) => Err(JobRefusal::bad_request()),
    }
}

fn flag(value: &Value) -> Read<bool> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::Number(number) if !number.is_f64() => Ok(Some(number.as_i64() != Some(0))),
        Value::String(text) => match trimmed(text) {
            "" | "null" => Ok(None),
            "true" | "True" | "TRUE" => Ok(Some(true)),
            "false" | "False" | "FALSE" => Ok(Some(false)),
            _ => Err(JobRefusal::bad_request()),
        },
        Value::Number(_) | Value::Array(_) | Value::Object(_) => Err(JobRefusal::bad_request()),
    }
}

pub(crate) fn object(value: &Value) -> Read<Fields<'_>> {
    match value {
        Value::Null => Ok(None),
        Value::Object(members) => Ok(Some(Fields(members))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(JobRefusal::bad_request())
        }
    }
}

/// Java's `trim`: everything up to the blank.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|each| each <= ' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn longs_are_read_from_texts_and_cut_from_fractions() {
        for (value, expected) in [
            (json!(7), Some(7)),
            (json!(" +1 "), Some(1)),
            (json!("１２"), Some(12)),
            (json!(1.9), Some(1)),
            (json!(0.5), Some(0)),
            (json!(1e2), Some(100)),
            (json!(""), None),
            (json!("  "), None),
            (json!("null"), None),
            (json!(null), None),
            (json!(i64::MIN), Some(i64::MIN)),
        ] {
            assert_eq!(long(&value), Ok(expected), "{value}");
        }
        for value in [
            json!("1.0"),
            json!("1e2"),
            json!("0x1"),
            json!("9223372036854775808"),
            json!(u64::MAX),
            json!(1e19),
            json!(true),
            json!([]),
            json!({}),
        ] {
            assert!(long(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn an_int_is_not_a_long() {
        let body = json!({"a": 2_147_483_648_i64, "b": 2_147_483_647});
        let fields = Fields(body.as_object().unwrap());
        assert!(fields.int("a").is_err());
        assert_eq!(fields.int("b"), Ok(Some(2_147_483_647)));
    }

    #[test]
    fn texts_take_scalars_and_flags_take_texts() {
        assert_eq!(text(&json!(5)), Ok(Some("5".to_owned())));
        assert_eq!(text(&json!(true)), Ok(Some("true".to_owned())));
        assert!(text(&json!(["a"])).is_err());
        for (value, expected) in [
            (json!(2), Some(true)),
            (json!(0), Some(false)),
            (json!("False"), Some(false)),
            (json!(""), None),
        ] {
            assert_eq!(flag(&value), Ok(expected), "{value}");
        }
        assert!(flag(&json!("yes")).is_err() && flag(&json!(1.0)).is_err());
    }

    #[test]
    fn objects_and_lists_take_nothing_else() {
        assert!(object(&json!("")).is_err() && object(&json!([])).is_err());
        let body = json!({"a": [1, null], "b": "", "c": {}, "d": null});
        let fields = Fields(body.as_object().unwrap());
        assert_eq!(fields.list("a", long), Ok(Some(vec![Some(1), None])));
        assert!(fields.list("b", long).is_err() && fields.list("c", long).is_err());
        assert_eq!(fields.list("d", long), Ok(None));
    }
}
