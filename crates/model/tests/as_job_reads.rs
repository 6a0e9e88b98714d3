//! Texts that Java takes for blank and RFC 8259 does not: JOB would run another call than the one that was
//! judged, so they are faults.
#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use esbgate_model::{FastExecuteScript, Switches, json::Document};

fn faults(members: &str) -> Vec<(String, &'static str)> {
    let text = format!(
        r#"{{"bk_biz_id":2,"target_server":{{"ip_list":[{{"bk_cloud_id":0,"ip":"10.0.0.1"}}]}},{members}}}"#
    );
    let document = Document::read(text.into()).unwrap();
    let switches = Switches { windows_interpreter: true, ..Switches::default() };
    match FastExecuteScript::read(&document, switches) {
        Ok(_) => Vec::new(),
        Err(faults) => {
            faults.list().iter().map(|fault| (fault.path.clone(), fault.rule.name())).collect()
        }
    }
}

#[test]
fn a_text_that_is_blank_to_java_alone_is_a_fault() {
    for blank in ["\u{3000}", "\\u001c", "\u{2003} \\t"] {
        let id = format!(r#""script_id":"{blank}","account_alias":"root""#);
        assert_eq!(faults(&id), [("script_id".into(), "type")], "{blank:?}");
        let alias = format!(r#""script_id":"s","account_alias":"{blank}""#);
        assert_eq!(faults(&alias), [("account_alias".into(), "type")], "{blank:?}");
        let name = format!(r#""script_id":"s","account_id":1,"task_name":"{blank}""#);
        assert_eq!(faults(&name), [("task_name".into(), "type")], "{blank:?}");
    }
    assert_eq!(faults("\"script_id\":\"s\",\"account_id\":1,\"task_name\":\"\u{a0}\""), []);
}

#[test]
fn parameters_that_decode_to_a_blank_are_a_fault() {
    let call = |param: &str| format!(r#""script_id":"s","account_id":1,"script_param":"{param}""#);
    // One blank; the ideographic one; the one that does not break, which Java keeps.
    assert_eq!(faults(&call("IA==")), [("script_param".into(), "base64")]);
    assert_eq!(faults(&call("44CA")), [("script_param".into(), "base64")]);
    assert_eq!(faults(&call("wqA=")), []);
}

#[test]
fn an_interpreter_ends_with_exe_after_what_java_trims() {
    let call =
        |path: &str| format!(r#""script_id":"s","account_id":1,"windows_interpreter":"{path}""#);
    assert_eq!(faults(&call(" py.exe\\t")), []);
    assert_eq!(faults(&call("py.exe\u{3000}")), [("windows_interpreter".into(), "form")]);
}
