//! What the far side knows: applications, users, businesses, scripts. A test states it, and may change it while
//! the stand-in runs.

use std::collections::HashMap;
use std::fmt;

/// Everything that the stand-in judges by.
#[derive(Clone)]
pub struct World {
    /// Applications that bkauth knows.
    pub apps: Vec<App>,
    /// Login tokens and whose they are.
    pub tokens: HashMap<String, String>,
    /// Businesses and business sets that are not archived.
    pub businesses: Vec<Business>,
    /// Scripts that JOB keeps.
    pub scripts: Vec<Script>,
    /// Texts whose presence in a script line makes JOB refuse it as dangerous.
    pub dangerous: Vec<String>,
    /// Dynamic groups that CMDB does not know.
    pub missing_groups: Vec<String>,
    /// IPv4 addresses that CMDB does not know.
    pub missing_ips: Vec<String>,
    /// Whether a gateway JWT, an access token or the debug switch is believed, as a real ESB might; what comes
    /// through that way is marked ([`BYPASS`]). If not, each is refused as invalid.
    pub believes_tokens: bool,
    /// Whether JOB knows `start_task` (3.12 and newer); an older one ignores it and runs.
    pub knows_start_task: bool,
    /// The status of a job that has been started: 2 running, 3 success, 4 failed.
    pub status_after_start: i64,
}

/// The name under which a run is recorded whose identity came from something the gateway must never let through.
pub const BYPASS: &str = "BYPASSED";

impl World {
    /// Nothing is known to it.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            apps: Vec::new(),
            tokens: HashMap::new(),
            businesses: Vec::new(),
            scripts: Vec::new(),
            dangerous: Vec::new(),
            missing_groups: Vec::new(),
            missing_ips: Vec::new(),
            believes_tokens: true,
            knows_start_task: true,
            status_after_start: 3,
        }
    }

    /// Adds an application, or replaces the one of the same code.
    #[must_use]
    pub fn app(mut self, app: App) -> Self {
        self.apps.retain(|each| each.code != app.code);
        self.apps.push(app);
        self
    }

    /// Adds a login token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>, user: impl Into<String>) -> Self {
        self.tokens.insert(token.into(), user.into());
        self
    }

    /// Adds a business, or replaces the one of the same id.
    #[must_use]
    pub fn business(mut self, business: Business) -> Self {
        self.businesses.retain(|each| each.id != business.id);
        self.businesses.push(business);
        self
    }

    /// Adds a script.
    #[must_use]
    pub fn script(mut self, script: Script) -> Self {
        self.scripts.push(script);
        self
    }
}

/// A world in which the document's sample call succeeds.
impl Default for World {
    fn default() -> Self {
        Self::empty()
            .app(App::new("esb_test", "xxx"))
            .token("xxx", "admin")
            .business(Business::new(1).account(1000, "root"))
            .business(Business::new(2).account(1001, "www"))
            .script(Script::new("f4b9b0ae2e7c4f2f8c0f1f2d3e4a5b6c", 1).version(1, "echo $1"))
    }
}

/// The secrets stay out of it.
impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("apps", &self.apps)
            .field("tokens", &self.tokens.len())
            .field("businesses", &self.businesses)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

/// An application as bkauth and the ESB's own tables know it.
#[derive(Clone)]
pub struct App {
    /// `bk_app_code`.
    pub code: String,
    /// Every secret that is good now.
    pub secrets: Vec<String>,
    /// Whether it may name any user (`user_auth::skip_user_auth`).
    pub skips_user_auth: bool,
}

impl App {
    /// An application that must show a user's token.
    #[must_use]
    pub fn new(code: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { code: code.into(), secrets: vec![secret.into()], skips_user_auth: false }
    }

    /// The same, with a further secret.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// The same, believed whatever `bk_username` it names.
    #[must_use]
    pub fn skipping_user_auth(mut self) -> Self {
        self.skips_user_auth = true;
        self
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("App")
            .field("code", &self.code)
            .field("secrets", &self.secrets.len())
            .field("skips_user_auth", &self.skips_user_auth)
            .finish()
    }
}

/// A business, or a business set if its id says so.
#[derive(Debug, Clone)]
pub struct Business {
    /// `bk_biz_id`, or the id of a set.
    pub id: i64,
    /// Whether it is a business set.
    pub is_set: bool,
    /// Accounts on its hosts.
    pub accounts: Vec<Account>,
    /// Who has `access_business`; everybody if not stated.
    pub members: Option<Vec<String>>,
}

impl Business {
    /// A business that everybody may work in; from 8000000 to 9999999 a business set.
    #[must_use]
    pub fn new(id: i64) -> Self {
        let is_set = (8_000_000..=9_999_999).contains(&id);
        Self { id, is_set, accounts: Vec::new(), members: None }
    }

    /// The same, with an account that everybody may use.
    #[must_use]
    pub fn account(mut self, id: i64, alias: impl Into<String>) -> Self {
        self.accounts.push(Account { id, alias: alias.into(), users: None });
        self
    }

    /// The same, for these users only.
    #[must_use]
    pub fn members<'a>(mut self, users: impl IntoIterator<Item = &'a str>) -> Self {
        self.members = Some(users.into_iter().map(str::to_owned).collect());
        self
    }
}

/// An account that scripts run as.
#[derive(Debug, Clone)]
pub struct Account {
    /// `account_id`.
    pub id: i64,
    /// `account_alias`, within its business.
    pub alias: String,
    /// Who has `use_account`; everybody if not stated.
    pub users: Option<Vec<String>>,
}

/// A script that JOB keeps.
#[derive(Debug, Clone)]
pub struct Script {
    /// `script_id`.
    pub id: String,
    /// The business it belongs to; public if none.
    pub business: Option<i64>,
    /// Its versions.
    pub versions: Vec<ScriptVersion>,
}

impl Script {
    /// A script of one business, without a version yet.
    #[must_use]
    pub fn new(id: impl Into<String>, business: i64) -> Self {
        Self { id: id.into(), business: Some(business), versions: Vec::new() }
    }

    /// A script that every business may use.
    #[must_use]
    pub fn public(id: impl Into<String>) -> Self {
        Self { id: id.into(), business: None, versions: Vec::new() }
    }

    /// The same, with a shell version that is online.
    #[must_use]
    pub fn version(self, id: i64, content: impl Into<Vec<u8>>) -> Self {
        self.version_in(id, content, ScriptStatus::Online)
    }

    /// The same, with a shell version in any status.
    #[must_use]
    pub fn version_in(
        mut self,
        id: i64,
        content: impl Into<Vec<u8>>,
        status: ScriptStatus,
    ) -> Self {
        self.versions.push(ScriptVersion { id, status, language: 1, content: content.into() });
        self
    }
}

/// One version of a script.
#[derive(Debug, Clone)]
pub struct ScriptVersion {
    /// `script_version_id`.
    pub id: i64,
    /// Whether it may run.
    pub status: ScriptStatus,
    /// `script_language`.
    pub language: i64,
    /// The script itself.
    pub content: Vec<u8>,
}

/// Where a script version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptStatus {
    /// Not published yet: does not run.
    Draft,
    /// Published; what `script_id` means.
    Online,
    /// Was published once; still runs by its version id.
    Retired,
    /// Forbidden: does not run.
    Banned,
}
