//! The demo's two files and its secrets, in a folder of its own that is removed at the end.

use std::{
    io,
    path::{Path, PathBuf},
};

use esbgate_model::sha256_hex;

use super::ACTS_AS;

/// The folder.
pub(super) struct Files {
    folder: PathBuf,
    esb_secret: String,
}

impl Files {
    pub(super) fn new() -> io::Result<Self> {
        let random = uuid::Uuid::new_v4().simple().to_string();
        let folder = std::env::temp_dir().join(format!("esbgate-demo-{random}"));
        std::fs::create_dir(&folder)?;
        Ok(Self { folder, esb_secret: format!("demo-{random}") })
    }

    pub(super) fn esb_secret(&self) -> &str {
        &self.esb_secret
    }

    /// Writes everything; returns the path of the start-up file.
    pub(super) fn write(&self, esb: &str, login: &str) -> io::Result<PathBuf> {
        let put = |name: &str, text: &str| -> io::Result<PathBuf> {
            let path = self.folder.join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        put("esb.secret", &self.esb_secret)?;
        put("hmac.key", &uuid::Uuid::new_v4().simple().to_string())?;
        put("policy.yaml", &policy())?;
        put("esbgate.yaml", &boot(&self.folder.join("journal"), esb, login))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if std::fs::remove_dir_all(&self.folder).is_err() {
            eprintln!("esbgate: left behind: {}", self.folder.display());
        }
    }
}

fn policy() -> String {
    let key = sha256_hex(b"xxx");
    format!(
        r#"version: 1
defaults:
  calls: {{per_second: 10, burst: 20, in_flight: 16}}
  hosts: {{per_call: 100, per_minute: 600, burst: 600}}
apps:
  esb_test:
    owner: demo@example.com
    proofs: [{{key: {{sha256: "{key}"}}}}]
    users: {{token: true}}
    acts_as: {ACTS_AS}
    allow:
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
          hosts: 50
"#
    )
}

fn boot(journal: &Path, esb: &str, login: &str) -> String {
    format!(
        r#"version: 1
listen: [{{address: "127.0.0.1:0"}}]
hosts: [127.0.0.1, localhost]
monitor: {{address: "127.0.0.1:0"}}
upstream: {{kind: esb, endpoints: ["{esb}"]}}
login: {{url: "{login}"}}
credentials:
  {ACTS_AS}: {{bk_app_code: {ACTS_AS}, bk_app_secret: {{current: {{file: esb.secret}}}}}}
journal: {{dir: {}, durability: synced, hmac_key: {{file: hmac.key}}}}
policy: policy.yaml
"#,
        serde_json::Value::from(journal.display().to_string())
    )
}
