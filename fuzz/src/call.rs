//! The reader of calls.

use esbgate_model::{FastExecuteScript, Faults, Language, Switches, UnknownFields, json::Document};

/// Switches with everything turned on.
const ALL: Switches = Switches {
    unknown_fields: UnknownFields::Drop,
    timeout_max: 259_200,
    rolling_config: true,
    windows_interpreter: true,
    host_id_list: true,
    start_task: true,
    host_password_list: true,
};

/// A body is refused with at most a hundred placed faults, or it is a call that means the same once it is
/// written canonically and read again.
pub fn call(data: &[u8]) {
    let document = match Document::read(data.to_vec()) {
        Ok(document) => document,
        Err(faults) => return told(&faults),
    };
    for switches in [Switches::default(), ALL] {
        match FastExecuteScript::read(&document, switches) {
            Ok(call) => means_the_same(&call, switches),
            Err(faults) => {
                assert!(faults.list().iter().all(|fault| !fault.path.is_empty()), "no path");
                told(&faults);
            }
        }
    }
}

/// Faults can be told: few, each on one line and bounded, with a hint in both languages.
pub(crate) fn told(faults: &Faults) {
    let list = faults.list();
    assert!((1..=100).contains(&list.len()), "{} faults", list.len());
    assert!(faults.more() == 0 || list.len() == 100);
    for fault in list {
        assert!(fault.path.len() < 4096, "a path of {} bytes", fault.path.len());
        assert!(!fault.path.chars().any(char::is_control), "{:?}", fault.path);
        for language in [Language::En, Language::Zh] {
            assert!(!fault.rule.hint(language).is_empty(), "{fault:?}");
        }
    }
}

fn means_the_same(call: &FastExecuteScript, switches: Switches) {
    let written = serde_json::to_vec(call).unwrap();
    let document = Document::read(written.clone()).unwrap();
    let again = FastExecuteScript::read(&document, switches).unwrap();
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
    assert!(again.losers.is_empty() && again.dropped.is_empty());
    assert!(!again.param.is_some_and(|param| param.line_end_stripped));
    assert!(call.dropped.len() <= 100);
}
