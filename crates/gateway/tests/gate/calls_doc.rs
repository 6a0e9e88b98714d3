//! `docs/calls.md` in both languages: every example is sent, and what it says is what came back.
//!
//! An example is a fence of JSON or of a head, and the line after it, which begins with an arrow.
//! `ESBGATE_WRITE_DOCS=1` writes those lines and the table of the other codes anew.

use std::{collections::BTreeSet, path::PathBuf};

use esbgate_model::{Code, FastExecuteScript, Rule, Text};
use serde_json::{Value, json};

use crate::support::*;

const ARROW: &str = "→ ";
const OTHERS: &str = "<!-- other codes -->";
const OTHERS_END: &str = "<!-- end of other codes -->";

/// One of the two documents.
struct Language {
    file: &'static str,
    /// The value of `Blueking-Language`.
    tag: &'static str,
    text: fn(Text) -> &'static str,
}

const LANGUAGES: [Language; 2] = [
    Language { file: "calls.md", tag: "en", text: |text| text.en },
    Language { file: "calls.zh-CN.md", tag: "zh-cn", text: |text| text.zh },
];

/// What is sent: the fence's words and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Example {
    words: String,
    text: String,
}

/// The two applications of the document; they differ in their switches and in what they may do.
fn document_policy() -> String {
    let allow = r#"
      - name: what the document says
        components: [fast_execute_script]
        business: {ids: [2]}
        accounts: {aliases: [www], ids: [1001]}
        scripts: {content: [shell, python], ids: any, versions: any}
        targets: {ips: [10.0.0.0/8], clouds: [0], hosts: 50}
        callbacks: ["https://ci.example.com/job/"]
"#;
    let limits = "    hosts: {per_call: 2, per_minute: 6000, burst: 6000}\n";
    let app = |code: &str, extra: &str, allow: &str| {
        let one = policy(&format!("{limits}{extra}"), allow).replace("team_app", code);
        let one = one.split_once("apps:\n").unwrap().1.to_owned();
        one.replace(&sha256(KEY), &sha256(key_of(code)))
            .replace(&sha256("an-expired-key-canary"), &sha256(&format!("{}_old", key_of(code))))
    };
    let fields =
        "rolling_config, windows_interpreter, host_id_list, start_task, host_password_list";
    let fields: Vec<_> = fields.split(", ").map(|name| format!("{name}: true")).collect();
    let on = format!("    fields: {{{}}}\n", fields.join(", "));
    let head = policy("", "").split_once("apps:\n").unwrap().0.to_owned();
    let other = app("other_app", &on, allow).replace("token: true", "token: false");
    let bare = app("bare_app", "", "").replace("    allow:", "    allow: []\n");
    format!("{head}apps:\n{}{other}{bare}", app("team_app", "", allow))
}

/// A key proves one application.
fn key_of(app: &str) -> &'static str {
    match app {
        "team_app" => "esbgate_key",
        "other_app" => "other_key",
        _ => "bare_key",
    }
}

/// The call that every fragment of the document changes.
fn document_call() -> Value {
    json!({
        "bk_username": "svc_deploy", "bk_biz_id": 2, "script_content": "ZWNobyAkMQ==", "script_language": 1,
        "account_alias": "www", "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]}
    })
}

fn path_of(language: &Language) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(language.file)
}

/// The document cut at its examples: what stands before each, the example, and the line that it has.
fn cut(document: &str) -> (Vec<(String, Example, String)>, String) {
    let (mut examples, mut before) = (Vec::new(), String::new());
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        before.push_str(line);
        before.push('\n');
        let Some(words) = line.strip_prefix("```").filter(|words| !words.is_empty()) else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = text.join("\n");
        before.push_str(&format!("{text}\n```\n"));
        let mut next = lines.clone();
        if let Some(said) = next.next().filter(|line| line.starts_with(ARROW)) {
            lines = next;
            let example = Example { words: words.to_owned(), text };
            examples.push((std::mem::take(&mut before), example, said.to_owned()));
        }
    }
    (examples, before)
}

/// The bytes of an example's request.
fn request(example: &Example, tag: &str) -> String {
    let mut words = example.words.split(' ');
    let (kind, word) = (words.next().unwrap(), words.next().unwrap_or_default());
    let app = if word == "other_app" { word } else { "team_app" };
    let identity = json!({"bk_app_code": app, "bk_app_secret": key_of(app)}).to_string();
    let mut line = format!("POST {PATH} HTTP/1.1");
    let mut fields = vec![
        ("Host".to_owned(), "127.0.0.1".to_owned()),
        ("X-Bkapi-Authorization".to_owned(), identity),
    ];
    let mut body = document_call();
    let body = match (kind, word) {
        ("json", "whole") => example.text.clone(),
        ("json", _) => {
            let change: Value = serde_json::from_str(&example.text).unwrap();
            for (name, value) in change.as_object().unwrap() {
                if value.is_null() {
                    body.as_object_mut().unwrap().remove(name);
                } else {
                    body[name] = value.clone();
                }
            }
            body.to_string()
        }
        ("http", _) => {
            for part in example.text.lines() {
                if let Some((name, value)) = part.split_once(": ") {
                    fields.retain(|(known, own)| {
                        known != name || example.text.contains(own.as_str())
                    });
                    fields.push((name.to_owned(), value.to_owned()));
                } else {
                    line = part.to_owned();
                }
            }
            body.to_string()
        }
        other => panic!("{other:?} is no example"),
    };
    let fields: String =
        fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "{line}\r\n{fields}Blueking-Language: {tag}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// What the document says of an answer.
fn said(answer: &Answer) -> String {
    let body = &answer.body;
    if body["result"] == true {
        return format!("{ARROW}{} `\"executed\":{}`", answer.status, body["executed"]);
    }
    assert_eq!(body["executed"], "no", "{body}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut said = format!("{ARROW}{} `{}`", answer.status, answer.code());
    if body["faults"].is_null() {
        said.push_str(&format!("<br>{}", text(&body["message"])));
    }
    for fault in body["faults"].as_array().into_iter().flatten() {
        let (path, rule) = (text(&fault["path"]), text(&fault["rule"]));
        let place = if path.is_empty() { String::new() } else { format!("`{path}` ") };
        said.push_str(&format!("<br>{place}`{rule}`: {}", text(&fault["hint"])));
    }
    said
}

/// The codes that no request alone brings about.
fn others(language: &Language, shown: &BTreeSet<String>) -> String {
    let mut table = String::from("\n| code_name | HTTP | executed | |\n|---|---|---|---|\n");
    for code in Code::ALL.iter().filter(|code| !shown.contains(code.name())) {
        table.push_str(&format!(
            "| `{}` | {} | {} | {}<br>{} |\n",
            code.name(),
            code.status().as_u16(),
            code.executed().as_str(),
            (language.text)(code.message()),
            (language.text)(code.hint()),
        ));
    }
    table
}

fn with_others(document: &str, table: &str) -> String {
    let (before, rest) = document.split_once(OTHERS).unwrap();
    let (_, after) = rest.split_once(OTHERS_END).unwrap();
    format!("{before}{OTHERS}\n{table}\n{OTHERS_END}{after}")
}

/// The document as it should be.
async fn written(language: &Language, document: &str) -> String {
    let gate = Gate::with(Files { policy: document_policy(), ..Files::default() }).await;
    let (examples, rest) = cut(document);
    let (mut written, mut shown) = (String::new(), BTreeSet::new());
    for (before, example, _) in examples {
        let answer = Answer::read(&gate.raw(request(&example, language.tag).as_bytes()).await);
        shown.insert(answer.code().to_owned());
        written.push_str(&format!("{before}{}\n", said(&answer)));
    }
    written.push_str(&rest);
    with_others(&written, &others(language, &shown))
}

#[tokio::test]
async fn what_the_document_says_of_an_example_is_what_comes_back() {
    for language in &LANGUAGES {
        let path = path_of(language);
        let document = std::fs::read_to_string(&path).unwrap();
        let expected = written(language, &document).await;
        if std::env::var_os("ESBGATE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &expected).unwrap();
            continue;
        }
        for (own, expected) in document.lines().zip(expected.lines()) {
            assert_eq!(own, expected, "{}: ESBGATE_WRITE_DOCS=1 writes it anew", language.file);
        }
        assert_eq!(document.len(), expected.len(), "{}", language.file);
    }
}

#[test]
fn both_documents_have_the_same_examples_and_name_every_field_rule_and_code() {
    let documents = LANGUAGES.map(|language| std::fs::read_to_string(path_of(&language)).unwrap());
    let [en, zh] = documents.each_ref().map(|document| {
        cut(document).0.into_iter().map(|(_, example, _)| example).collect::<Vec<_>>()
    });
    assert!(en.len() > 40, "{} examples", en.len());
    for (en, zh) in en.iter().zip(&zh) {
        assert_eq!(en, zh);
    }
    assert_eq!(en.len(), zh.len());
    let fields = FastExecuteScript::FIELDS.iter().flat_map(|(_, names)| *names);
    let codes = Code::ALL.iter().map(|code| code.name());
    for name in fields.chain(Rule::NAMES).copied().chain(codes) {
        for (document, language) in documents.iter().zip(&LANGUAGES) {
            assert!(document.contains(&format!("`{name}`")), "{name} is not in {}", language.file);
        }
    }
}
