//! What `deploy/` names exists: every metric of the alerts, the scrape configuration and the dashboard.

use std::{collections::BTreeSet, path::Path};

use esbgate_core::{
    Allow, AppMetrics, Grant, Limit, LimitSet, Metrics, RiskAction, RiskRule, RiskRules,
};
use esbgate_model::{Code, ScriptLanguage};
use prometheus::Registry;

/// Names of metrics in a text: `esbgate_` and what may follow it.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !word(c))
        .filter(|name| name.starts_with("esbgate_") && name.len() > "esbgate_".len())
        .map(str::to_owned)
        .collect()
}

/// The series of a sink, and of an application that may call everything, with a limit in shadow mode, under a risk rule.
#[expect(clippy::unwrap_used, reason = "a test stops at its first fault")]
fn app(metrics: &Metrics) -> AppMetrics {
    let grant = Grant {
        name: "all".into(),
        components: Allow::Any,
        business: Default::default(),
        accounts: Default::default(),
        scripts: Default::default(),
        targets: Default::default(),
        callbacks: Vec::new(),
        hours: None,
        limits: Default::default(),
    };
    drop(metrics.sinks.sink("a_sink"));
    let languages = ScriptLanguage::ALL.to_vec();
    let rule = RiskRule::new("a-rule", languages, "reboot", RiskAction::Warn, "do not").unwrap();
    drop(metrics.risks(&RiskRules::new(vec![rule]).unwrap()));
    let shadowed = metrics.shadow("an_app", LimitSet::from_iter([Limit::Calls]));
    metrics.app("an_app", "a_credential", &[grant]).with_shadow(shadowed)
}

#[test]
fn every_metric_that_alerts_and_dashboard_name_exists() {
    let metrics = Metrics::register(&Registry::new(), "test").unwrap();
    drop(app(&metrics));
    let exposed = String::from_utf8(metrics.encode().unwrap()).unwrap();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let mut seen = 0;
    for file in ["prometheus/esbgate.rules.yml", "grafana/esbgate.json"] {
        let text = std::fs::read_to_string(deploy.join(file)).unwrap();
        for name in names(&text) {
            seen += 1;
            // A histogram is named by its family in places, so its family line counts.
            let series = [format!("\n{name}{{"), format!("\n{name} "), format!("# TYPE {name} ")];
            let exists = series.iter().any(|series| exposed.contains(series.as_str()));
            assert!(exists, "{file} names {name}, which nobody exposes");
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_code_that_the_dashboard_names_exists() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let text = std::fs::read_to_string(deploy.join("grafana/esbgate.json")).unwrap();
    let mut seen = 0;
    for codes in text.split("code_name=~\\\"").skip(1) {
        for name in codes.split("\\\"").next().unwrap().split('|') {
            seen += 1;
            assert!(Code::ALL.iter().any(|code| code.name() == name), "{name}");
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn what_is_exposed_passes_promtool() {
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };
    let metrics = Metrics::register(&Registry::new(), "test").unwrap();
    drop(app(&metrics));
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: `make test` installs it");
    promtool.stdin.take().unwrap().write_all(&metrics.encode().unwrap()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
