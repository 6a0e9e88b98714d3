//! What lives on through a change of policy: budgets, slots, and the calls that are inside.

use esbgate_standin::Fault;

use super::*;

fn narrow(business: u64, more: &str) -> String {
    let small = format!(
        "    calls: {{per_second: 1, burst: 9, in_flight: {more}}}\n    hosts: {{per_call: 4, per_minute: 1, burst: 4}}\n"
    );
    policy(&small, &ALLOW.replace("ids: [1, 2]", &format!("ids: [{business}]")))
}

#[tokio::test]
async fn a_change_of_policy_refills_no_budget() {
    let gate = Gate::with(Files { policy: narrow(2, "1"), ..Files::default() }).await;
    for host in 0..4 {
        let target = json!({"target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": format!("10.0.0.{host}")}]}});
        assert_eq!(gate.call(&call_with(target)).await.status, 200);
        gate.take(&narrow(2, &(2 + host).to_string())).await;
    }
    gate.call(&call()).await.is(429, "HOST_BUDGET_SPENT", "no");
    gate.running.policy().rollback(Some(1)).await.unwrap();
    gate.call(&call()).await.is(429, "HOST_BUDGET_SPENT", "no");
}

#[tokio::test]
async fn a_call_that_is_inside_keeps_its_slot_and_the_policy_it_came_under() {
    let gate = Gate::with(Files { policy: narrow(2, "1"), ..Files::default() }).await;
    let held = gate.standin.esb_faults().arm(Fault::HoldBeforeRun.once());
    let meanwhile = async {
        held.hit(1, PATIENCE).await.unwrap();
        gate.take(&narrow(1, "1")).await;
        let other = call_with(json!({"bk_biz_id": 1}));
        let full = gate.call(&other).await;
        assert_eq!(full.status, 429, "its slot is taken: {}", full.body);
        held.release();
    };
    let one = call();
    let (answer, ()) = tokio::join!(gate.call(&one), meanwhile);
    assert_eq!(answer.body["executed"], "yes");
    assert!(gate.allows(1).await && !gate.allows(2).await);
    let generations: Vec<_> =
        gate.records("intent").iter().map(|intent| intent["generation"].clone()).collect();
    assert_eq!(generations, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_policies_change_every_call_is_decided_by_one_of_them() {
    let gate = started(1).await;
    let changes = async {
        for round in 0..20_u64 {
            gate.put_policy(&allowing(1 + round % 2));
            gate.reload().await;
        }
    };
    let calls = async {
        for _ in 0..40 {
            tokio::join!(gate.allows(1), gate.allows(2));
        }
    };
    tokio::join!(changes, calls);
    for intent in gate.records("intent") {
        let allowed = if intent["generation"].as_u64().unwrap() % 2 == 1 { 1 } else { 2 };
        assert_eq!(intent["scope_id"], allowed, "{intent}");
    }
    assert_eq!(gate.records("intent").len(), gate.records("outcome").len());
}
