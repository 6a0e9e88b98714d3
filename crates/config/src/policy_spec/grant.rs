//! The shape of a rule in `allow`.

use serde::Deserialize;

use super::{GrantCallsSpec, GrantHostsSpec, HoursSpec, spec};
#[cfg(test)]
use crate::form;
use crate::{constraint::says, node::Spanned, units::ListOrAny};

spec! {
    /// One rule; it covers a whole call or nothing of it.
    GrantSpec {
        /// Its name in records; once in an application.
        #[cfg_attr(test, schemars(with = "form::Said"))]
        #[garde(custom(says))]
        name: Spanned<String>,
        /// Components.
        #[cfg_attr(test, schemars(with = "ListOrAny<form::ComponentName>"))]
        #[serde(default)] components: ListOrAny<Spanned<String>>,
        /// Businesses.
        #[garde(dive)]
        #[serde(default)] business: BusinessSpec,
        /// Accounts.
        #[serde(default)] accounts: AccountsSpec,
        /// Scripts.
        #[serde(default)] scripts: ScriptsSpec,
        /// Targets.
        #[garde(dive)]
        #[serde(default)] targets: TargetsSpec,
        /// Where `callback_url` may point; a prefix ends at a `/`.
        #[cfg_attr(test, schemars(with = "Vec<form::Prefix>"))]
        #[serde(default)] callbacks: Vec<Spanned<String>>,
        /// When the rule holds.
        #[cfg_attr(test, schemars(extend("default" = "always")))]
        hours: Option<Spanned<HoursSpec>>,
        /// Its own budget of calls, charged before the application's host-runs.
        #[garde(dive)]
        #[serde(default)] calls: GrantCallsSpec,
        /// Its own budget of host-runs, charged before the application's.
        #[garde(dive)]
        #[serde(default)] hosts: GrantHostsSpec,
    }
}
spec! {
    /// Businesses.
    #[derive(Default)]
    BusinessSpec {
        /// Single businesses.
        #[serde(default)] ids: ListOrAny<i64>,
        /// Business sets; a `bk_biz_id` from 8000000 to 9999999 is one.
        #[serde(default)] sets: ListOrAny<i64>,
        /// Tenant sets.
        #[serde(default)] tenant_sets: ListOrAny<i64>,
        /// Any of the three, as the ESB spells them (`bk_scope_type`, `bk_scope_id`): each is added to the list of its
        /// kind.
        #[garde(dive)]
        #[serde(default)] scopes: Vec<ScopeSpec>,
    }
}
spec! {
    /// A business as the ESB spells it.
    ScopeSpec {
        /// `bk_scope_type`.
        #[cfg_attr(test, schemars(with = "form::ScopeType"))]
        r#type: Spanned<String>,
        /// `bk_scope_id`.
        #[garde(range(min = 1))]
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
        #[cfg_attr(test, schemars(with = "ListOrAny<form::Language>"))]
        #[serde(default)] content: ListOrAny<Spanned<String>>,
        /// Scripts by id, whatever version is online.
        #[serde(default)] ids: ListOrAny<String>,
        /// Single versions.
        #[serde(default)] versions: ListOrAny<i64>,
        /// Content with these hashes, in any language.
        #[cfg_attr(test, schemars(with = "Vec<form::Hash>"))]
        #[serde(default)] sha256: Vec<Spanned<String>>,
    }
}
spec! {
    /// Targets.
    #[derive(Default)]
    TargetsSpec {
        /// Hosts by address; needs `clouds`.
        #[cfg_attr(test, schemars(with = "ListOrAny<form::Ipv4Network>"))]
        #[serde(default)] ips: ListOrAny<Spanned<String>>,
        /// What is taken out of `ips` again.
        #[cfg_attr(test, schemars(with = "Vec<form::Ipv4Network>"))]
        #[serde(default)] except: Vec<Spanned<String>>,
        /// Cloud areas of those hosts.
        #[serde(default)] clouds: ListOrAny<i64>,
        /// Most hosts of one call; what a group or a node counts as. Required with `groups` and `topology`.
        #[garde(range(min = 1))]
        hosts: Option<Spanned<u64>>,
        /// Dynamic groups.
        #[serde(default)] groups: ListOrAny<String>,
        /// Topology nodes.
        #[serde(default)] topology: ListOrAny<NodeSpec>,
        /// Hosts by id; needs `fields.host_id_list`.
        #[serde(default)] host_ids: ListOrAny<i64>,
    }
}
spec! {
    /// A topology node.
    NodeSpec {
        /// The node's id.
        id: i64,
        /// Its type.
        node_type: String,
    }
}
