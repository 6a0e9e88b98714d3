//! However many faults a call has, each is counted once: also those that are not written out any more.
#![expect(clippy::unwrap_used, reason = "a test stops at its first fault")]

use esbgate_model::{FastExecuteScript, Switches, json::Document};

/// Faults of a call whose targets are these elements.
fn faults(list: &str, element: &str, count: usize) -> usize {
    let elements = vec![element; count].join(",");
    let body = format!(
        r#"{{"bk_biz_id":2,"script_id":"a","account_alias":"root","target_server":{{"{list}":[{elements}]}}}}"#
    );
    let document = Document::read(body.into_bytes()).unwrap();
    let faults = FastExecuteScript::read(&document, Switches::default()).unwrap_err();
    faults.list().len() + faults.more()
}

#[test]
fn a_fault_is_counted_once_after_the_written_ones_are_full() {
    for (list, element, each) in [
        ("ip_list", r#"{"bk_cloud_id":-1,"ip":"x","extra":0}"#, 3),
        ("ip_list", r#"{"bk_cloud_id":true,"ip":7}"#, 2),
        ("ip_list", r#"{"bk_cloud_id":" ","ip":""}"#, 2),
        ("ip_list", "{}", 2),
        ("ip_list", "0", 1),
        ("topo_node_list", r#"{"id":0,"node_type":[]}"#, 2),
        ("dynamic_group_list", r#"{"id":{}}"#, 1),
        ("dynamic_group_list", r#"{"id":null}"#, 1),
    ] {
        let (few, many) = (faults(list, element, 2), faults(list, element, 500));
        assert_eq!((few, many), (each * 2, each * 500), "{list}: {element}");
    }
}
