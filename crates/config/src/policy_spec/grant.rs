//! The shape of a rule in `allow`.

use serde::Deserialize;

use super::{GrantCallsSpec, GrantHostsSpec, HoursSpec, spec};
use crate::{node::Spanned, units::ListOrAny};

spec! {
    /// One rule; it covers a whole call or nothing of it.
    GrantSpec {
        /// Its name in records.
        name: Spanned<String>,
        /// Components.
        #[serde(default)] components: ListOrAny<Spanned<String>>,
        /// Businesses.
        #[serde(default)] business: BusinessSpec,
        /// Accounts.
        #[serde(default)] accounts: AccountsSpec,
        /// Scripts.
        #[serde(default)] scripts: ScriptsSpec,
        /// Targets.
        #[serde(default)] targets: TargetsSpec,
        /// Callback prefixes.
        #[serde(default)] callbacks: Vec<Spanned<String>>,
        /// When the rule holds. Default: always.
        hours: Option<Spanned<HoursSpec>>,
        /// Its own budget of calls, charged before the application's host-runs. Default: none.
        #[serde(default)] calls: GrantCallsSpec,
        /// Its own budget of host-runs, charged before the application's. Default: none.
        #[serde(default)] hosts: GrantHostsSpec,
    }
}
spec! {
    /// Businesses.
    #[derive(Default)]
    BusinessSpec {
        /// Single ones.
        #[serde(default)] ids: ListOrAny<i64>,
        /// Business sets.
        #[serde(default)] sets: ListOrAny<i64>,
        /// Tenant sets.
        #[serde(default)] tenant_sets: ListOrAny<i64>,
        /// Any of the three, as the ESB spells them (`bk_scope_type`, `bk_scope_id`): `[{type: biz, id: 2}]`. Each is
        /// added to the list of its kind. Default: none.
        #[serde(default)] scopes: Vec<ScopeSpec>,
    }
}
spec! {
    /// A business as the ESB spells it.
    ScopeSpec {
        /// `bk_scope_type`: `biz`, `biz_set` or `tenant_set`.
        r#type: Spanned<String>,
        /// `bk_scope_id`, a number from 1.
        id: Spanned<i64>,
    }
}
spec! {
    /// Accounts.
    #[derive(Default)]
    AccountsSpec {
        /// By alias.
        #[serde(default)] aliases: ListOrAny<String>,
        /// By id.
        #[serde(default)] ids: ListOrAny<i64>,
    }
}
spec! {
    /// Scripts.
    #[derive(Default)]
    ScriptsSpec {
        /// Content in these languages.
        #[serde(default)] content: ListOrAny<Spanned<String>>,
        /// By id, whatever version is online.
        #[serde(default)] ids: ListOrAny<String>,
        /// Single versions.
        #[serde(default)] versions: ListOrAny<i64>,
        /// Content with these hashes.
        #[serde(default)] sha256: Vec<Spanned<String>>,
    }
}
spec! {
    /// Targets.
    #[derive(Default)]
    TargetsSpec {
        /// Networks.
        #[serde(default)] ips: ListOrAny<Spanned<String>>,
        /// Networks that are left out again.
        #[serde(default)] except: Vec<Spanned<String>>,
        /// Cloud areas.
        #[serde(default)] clouds: ListOrAny<i64>,
        /// Most hosts of one call; what a dynamic target counts as.
        hosts: Option<Spanned<u64>>,
        /// Dynamic groups.
        #[serde(default)] groups: ListOrAny<String>,
        /// Topology nodes.
        #[serde(default)] topology: ListOrAny<NodeSpec>,
        /// Hosts by id.
        #[serde(default)] host_ids: ListOrAny<i64>,
    }
}
spec! {
    /// A topology node.
    NodeSpec {
        /// `id`.
        id: i64,
        /// `node_type`.
        node_type: String,
    }
}
