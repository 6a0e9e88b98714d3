//! Calls by somebody who means harm, each with what it was meant to bring about.

use super::support::*;

const EVERYTHING: &str = r#"
      - name: everything
        components: any
        business: {ids: any}
        accounts: {aliases: any, ids: any}
        scripts: {content: any, ids: any, versions: any}
        targets: {ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 10}
"#;

fn plain(component: &str, headers: &[(&str, &str)], body: &str) -> String {
    post(headers, body).replacen("fast_execute_script", component, 1)
}

fn service() -> String {
    authorization("bk_username", "svc_deploy")
}

/// Memory: values that are short as text and not in memory.
#[tokio::test]
async fn small_values_take_no_more_memory_than_there_is_for_bodies() {
    let files = Files {
        policy: policy("", EVERYTHING),
        boot_extra: "limits: {body_bytes: 1MiB}\n".into(),
        ..Files::default()
    };
    let gate = Gate::with(files).await;
    let identity = service();
    let mut answers = Vec::new();
    for value in ["[0],", "\"a text that is as long as it takes\","] {
        let list = value.repeat(160 * 1024 / value.len());
        let list = list.trim_end_matches(',');
        let body = format!(r#"{{"bk_biz_id":2,"job_plan_id":1,"global_var_list":[{list}]}}"#);
        let request =
            plain("execute_job_plan", &[("X-Bkapi-Authorization", identity.as_str())], &body);
        answers.push(Answer::read(&gate.raw(request.as_bytes()).await));
    }
    answers[0].is(503, "SERVICE_UNAVAILABLE", "no");
    assert_ne!(answers[1].status, 503, "{}", answers[1].body);
    assert_eq!(gate.records("intent").len(), 1);
}
