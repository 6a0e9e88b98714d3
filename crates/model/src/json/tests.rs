use proptest::prelude::*;

use super::*;

fn fault(text: &str) -> (String, &'static str) {
    let faults = Document::read(text.into()).unwrap_err();
    (faults.list()[0].path.clone(), faults.list()[0].rule.name())
}

#[test]
fn a_second_equal_name_is_refused_at_every_depth_after_unescaping() {
    assert_eq!(fault(r#"{"a":1,"a":1}"#), ("a".into(), "duplicate_name"));
    assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), ("a".into(), "duplicate_name"));
    assert_eq!(fault(r#"{"x":[{"ip":"1","ip":"2"}]}"#), ("x[0].ip".into(), "duplicate_name"));
    let many: String = (0..40).map(|n| format!(r#""k{n}":0,"#)).collect();
    assert_eq!(fault(&format!(r#"{{{many}"\u006b7":1}}"#)), ("k7".into(), "duplicate_name"));
    assert_eq!(fault(&format!(r#"{{"k7":1,{many}"z":1}}"#)), ("k7".into(), "duplicate_name"));
    assert!(Document::read(format!(r#"{{{many}"z":1}}"#).into()).is_ok());
}

#[test]
fn only_one_object_in_utf8_is_a_body() {
    assert_eq!(fault("[]"), (String::new(), "object_body"));
    assert_eq!(fault("null"), (String::new(), "object_body"));
    assert_eq!(fault("\u{feff}{}"), (String::new(), "utf8"));
    assert_eq!(fault(""), (String::new(), "json_syntax"));
    assert_eq!(fault("{}{}"), (String::new(), "json_syntax"));
    assert_eq!(fault("{\"a\":1,}"), (String::new(), "json_syntax"));
    assert_eq!(fault("{\"a\":NaN}"), ("a".into(), "json_syntax"));
    assert_eq!(fault("{\"a\":\"\\ud800\"}"), ("a".into(), "json_syntax"));
    let faults = Document::read(b"{\"a\":\"\xff\"}".to_vec()).unwrap_err();
    assert_eq!(faults.list()[0].rule, Rule::Utf8);
}

#[test]
fn nesting_stops_at_thirty_two() {
    let nested =
        |depth: usize| format!("{{\"x\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(Document::read(nested(32).into()).is_ok());
    assert_eq!(fault(&nested(33)).1, "nesting_depth");
    assert_eq!(fault(&nested(100_000)).1, "nesting_depth");
}

#[test]
fn integers_keep_every_digit_and_nothing_else_is_an_integer() {
    let document = Document::read(
        r#"{"a":9007199254740993,"b":-0,"c":2.0,"d":1e2,"e":9223372036854775808}"#.into(),
    )
    .unwrap();
    assert!(matches!(document.get("a"), Some(Node::Integer(9_007_199_254_740_993))));
    assert!(matches!(document.get("b"), Some(Node::Fraction)));
    assert!(matches!(document.get("c"), Some(Node::Fraction)));
    assert!(matches!(document.get("d"), Some(Node::Fraction)));
    assert!(matches!(document.get("e"), Some(Node::Unsigned(9_223_372_036_854_775_808))));
    assert_eq!(fault(r#"{"n":18446744073709551616}"#), ("n".into(), "number_range"));
    assert_eq!(fault(r#"{"n":1e400}"#), ("n".into(), "number_range"));
}

#[test]
fn a_document_does_not_print_what_it_holds() {
    let document = Document::read(r#"{"bk_app_secret":"hunter2"}"#.into()).unwrap();
    assert!(!format!("{document:?}").contains("hunter2"));
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..30)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn same(document: &Document, node: &Node, value: &serde_json::Value) -> bool {
    match node {
        Node::Null => value.is_null(),
        Node::Bool(b) => value.as_bool() == Some(*b),
        Node::Integer(n) => value.as_i64() == Some(*n),
        Node::Unsigned(n) => value.as_u64() == Some(*n),
        Node::Fraction => value.is_f64(),
        Node::String(text) => value.as_str() == Some(document.str(text)),
        Node::Array(nodes) => value.as_array().is_some_and(|array| {
            array.len() == nodes.len()
                && nodes.iter().zip(array).all(|(node, value)| same(document, node, value))
        }),
        Node::Object(members) => value.as_object().is_some_and(|object| {
            object.len() == members.len()
                && members.iter().all(|(name, node)| {
                    object.get(document.str(name)).is_some_and(|value| same(document, node, value))
                })
        }),
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_the_text_says(value in value()) {
        let value = serde_json::json!({ "x": value });
        let document = Document::read(value.to_string().into_bytes()).unwrap();
        prop_assert!(same(&document, document.get("x").unwrap(), &value["x"]));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Document::read(bytes));
    }
}
