//! The gateway's two files: everything on, a policy of a hundred applications, limits out of reach.

use std::{fs, io, net::SocketAddr, path::Path};

/// Applications besides the one that calls.
const OTHERS: usize = 99;

/// SHA-256 of the key of `SAMPLE`.
const KEY: &str = "4e9e02b5fe28174ae9212495e1c6ee628035c68e10fd77e783dba093837ff21c";

/// Writes them; the start-up file is `esbgate.yaml`.
pub(crate) fn write(folder: &Path, esb: SocketAddr, login: SocketAddr) -> io::Result<()> {
    fs::write(folder.join("esb.secret"), "5b0f7c52-6a1e-4a43-9a0c-2f1d3c4b5a69")?;
    fs::write(folder.join("hmac.key"), "0123456789abcdef0123456789abcdef")?;
    fs::write(folder.join("policy.yaml"), policy())?;
    let journal = folder.join("journal");
    fs::write(
        folder.join("esbgate.yaml"),
        format!(
            r#"version: 1
listen: [{{address: "127.0.0.1:0"}}]
hosts: [127.0.0.1]
monitor: {{address: "127.0.0.1:0"}}
limits: {{header_time: 60s}}
upstream: {{kind: esb, endpoints: ["http://{esb}"]}}
login: {{url: "http://{login}/login/accounts/is_login/"}}
credentials:
  ops_gateway: {{bk_app_code: ops_gateway, bk_app_secret: {{current: {{file: esb.secret}}}}}}
journal: {{dir: "{}", durability: written, hmac_key: {{file: hmac.key}}}}
policy: policy.yaml
"#,
            journal.display()
        ),
    )
}

fn policy() -> String {
    let mut policy = String::from(
        r"version: 1
defaults:
  calls: {per_second: 1000000, burst: 1000000, in_flight: 1000}
  hosts: {per_call: 100, per_minute: 60000000, burst: 60000000}
apps:
",
    );
    for number in 0..OTHERS {
        app(&mut policy, &format!("team_{number}"), &format!("{number:064x}"));
    }
    app(&mut policy, "esb_test", KEY);
    policy
}

fn app(policy: &mut String, code: &str, key: &str) {
    policy.push_str(&format!(
        r#"  {code}:
    owner: {code}@example.com
    proofs: [{{key: {{sha256: "{key}"}}}}]
    users: {{token: true}}
    acts_as: ops_gateway
    allow:
      - name: another business
        components: [fast_execute_script]
        business: {{ids: [7]}}
        accounts: {{ids: [1000]}}
        scripts: {{versions: [1]}}
        targets: {{ips: [10.0.0.0/8], clouds: [0], hosts: 2}}
      - name: the document's sample call
        components: [fast_execute_script]
        business: {{ids: [1]}}
        accounts: {{ids: [1000]}}
        scripts: {{versions: [1]}}
        targets:
          ips: [10.0.0.0/8]
          clouds: [0]
          groups: [blo8gojho0skft7pr5q0, blo8gojho0sof7pr5q1g]
          topology: [{{id: 1000, node_type: module}}]
          hosts: 2
"#
    ));
}
