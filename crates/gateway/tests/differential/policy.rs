//! The policy that the cases run under: two applications that may do everything, one of which drops
//! unknown names, and one that may do little.

use std::{collections::HashMap, sync::Arc, time::Duration};

use esbgate_config::{Grounds, Lookup, PolicyDocument, PolicyText};
use esbgate_core::{Binding, Ledger, Login, LoginDown, Metrics, PolicyHandle, ReceivedAt, Verdict};
use esbgate_model::{
    Name, Secret,
    dialect::{AppSecrets, Credential},
    sha256,
};

/// What a call with groups or nodes counts as.
pub const CEILING: usize = 2000;

pub struct Account {
    pub app: &'static str,
    pub key: &'static str,
}

pub const OPEN: Account = Account { app: "open_app", key: "open-app-key-canary" };
pub const DROPPING: Account = Account { app: "dropping_app", key: "dropping-app-key-canary" };
pub const NARROW: Account = Account { app: "narrow_app", key: "narrow-app-key-canary" };

/// Tokens that the login service knows.
pub const TOKENS: [(&str, &str); 3] =
    [("token-canary-alice", "alice"), ("bkcrypt%24bob%3D", "bob"), ("代币-carol", "carol")];

/// Users that an application may name.
pub const EXEMPT: [&str; 2] = ["svc_deploy", "svc.build@ci"];

pub const CREDENTIALS: [(&str, &str); 2] =
    [("ops_gateway", "esb-secret-canary-1"), ("other_gateway", "esb\"secret\\密钥-2")];

pub const NOW: &str = "2027-01-04T02:00:00Z";

/// When a case arrives: one second after the case before it, so that no budget runs dry.
pub fn at(case: u64) -> ReceivedAt {
    ReceivedAt { wall: NOW.parse().unwrap(), monotonic: Duration::from_secs(1 + case) }
}

const ALL_FIELDS: &str = "{timeout_max: 259200, rolling_config: true, windows_interpreter: true, \
    host_id_list: true, start_task: true, host_password_list: true}";

const EVERYTHING: &str = r#"
      - name: everything
        components: any
        business: {ids: any, sets: any, tenant_sets: any}
        accounts: {aliases: any, ids: any}
        scripts: {content: any, ids: any, versions: any}
        targets: {ips: any, clouds: any, host_ids: any, groups: any, topology: any, hosts: 2000}
        callbacks: ["https://ci.example.com/", "http://ci.example.com/"]
"#;

const LITTLE: &str = r#"
      - name: restart the web tier
        components: [fast_execute_script]
        business: {ids: [2], sets: [8000001]}
        accounts: {aliases: [root, www], ids: [1000]}
        scripts: {content: [shell, python], ids: any}
        targets: {ips: [10.0.0.0/8], clouds: [0], hosts: 2000}
        callbacks: ["https://ci.example.com/job/"]
"#;

fn text() -> String {
    let app = |account: &Account, acts_as: &str, extra: &str, allow: &str| {
        let key = crate::render::hex(&sha256(account.key.as_bytes()));
        format!(
            r#"  {}:
    owner: team@example.com
    proofs: [{{key: {{sha256: "{key}"}}}}]
    users:
      token: true
      cookie: true
      exemptions:
        - {{users: [{}], owner: ops, reason: nightly, ticket: OPS-1, expires: "2027-02-01T00:00Z"}}
    acts_as: {acts_as}
{extra}    allow:{allow}"#,
            account.app,
            EXEMPT.map(|user| format!("{user:?}")).join(", "),
        )
    };
    let fields = format!("    fields: {ALL_FIELDS}\n");
    let dropping = format!("{fields}    unknown_fields: drop\n");
    format!(
        "version: 1\ndefaults:\n  calls: {{per_second: 1000, burst: 1000, in_flight: 1000}}\n  \
         hosts: {{per_call: 50000, per_minute: 1000000, burst: 1000000}}\napps:\n{}{}{}",
        app(&OPEN, "ops_gateway", &fields, EVERYTHING),
        app(&DROPPING, "other_gateway", &dropping, EVERYTHING),
        app(&NARROW, "ops_gateway", "", LITTLE),
    )
}

struct Nothing;

impl Lookup for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("none".into())
    }
}

pub fn policy(metrics: &Metrics) -> PolicyHandle {
    let credentials: HashMap<Box<str>, Arc<Credential>> = CREDENTIALS
        .iter()
        .map(|(code, secret)| {
            let app_code = Name::new(code).unwrap();
            ((*code).into(), Arc::new(Credential::new(app_code, AppSecrets::one(*secret))))
        })
        .collect();
    let text = text();
    let document = PolicyDocument::read(&[PolicyText {
        name: "policy.yaml".into(),
        text: text.as_str().into(),
    }]);
    let grounds = Grounds { credentials: &credentials, login: true };
    let checked = document.and_then(|policy| policy.check(grounds, &Nothing, at(0).wall));
    let (plan, _) = checked.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
    let mut ledger = Ledger::default();
    PolicyHandle::new(plan.bind(Binding { generation: 1, ledger: &mut ledger, metrics }))
}

/// The login service.
#[derive(Debug, Clone, Copy)]
pub struct Tokens;

impl Login for Tokens {
    async fn introspect(&self, token: &Secret, _: ReceivedAt) -> Result<Verdict, LoginDown> {
        let user = user_of(token.expose()).map(|user| Name::new(user).unwrap());
        Ok(Verdict { user, stale: false })
    }

    fn known(&self, _: &Secret, _: ReceivedAt) -> Option<Verdict> {
        None
    }
}

pub fn user_of(token: &str) -> Option<&'static str> {
    TOKENS.iter().find(|(known, _)| *known == token).map(|(_, user)| *user)
}
