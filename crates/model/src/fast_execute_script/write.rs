//! The canonical form: one order of members, only what won, nothing that the caller did not say.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{
    Account, FastExecuteScript, Host, HostPassword, PasswordHost, RollingConfig, Script, Target,
};

impl FastExecuteScript {
    /// Texts that no answer may echo, because the journal does not have them in clear either.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let passwords = self.host_passwords.iter().map(|password| password.encrypted.expose());
        let param = self.param.as_ref().map(|param| param.text.as_str());
        let query = self.callback.as_ref().map(|url| url.query().trim_start_matches(['?', '#']));
        passwords.chain(param).chain(query)
    }

    /// How many bytes the canonical form takes, about.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        let script = match &self.script {
            Script::Content(content) => content.base64.len(),
            Script::Id(_) | Script::Version(_) => 0,
        };
        let param = self.param.as_ref().map_or(0, |param| param.base64.len());
        let target = &self.target;
        512 + script + param + 48 * (target.hosts.len() + target.groups.len() + target.nodes.len())
    }

    /// Writes the members of the canonical form into an object.
    pub fn write_members<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.scope.write(self.scope_pair, map)?;
        match &self.script {
            Script::Version(id) => map.serialize_entry("script_version_id", id)?,
            Script::Id(id) => map.serialize_entry("script_id", id)?,
            Script::Content(content) => {
                map.serialize_entry("script_content", &content.base64)?;
                map.serialize_entry("script_language", &content.language.number())?;
            }
        }
        if let Some(param) = &self.param {
            map.serialize_entry("script_param", param.base64.as_str())?;
        }
        optional(map, "is_param_sensitive", self.sensitive.map(u8::from).as_ref())?;
        optional(map, "timeout", self.timeout.as_ref())?;
        match &self.account {
            Account::Id(id) => map.serialize_entry("account_id", id)?,
            Account::Alias(alias) => map.serialize_entry("account_alias", alias)?,
        }
        optional(map, "task_name", self.task_name.as_ref())?;
        map.serialize_entry("target_server", &self.target)?;
        let callback = self.callback.as_ref().map(|callback| callback.as_str());
        optional(map, "callback_url", callback.as_ref())?;
        optional(map, "rolling_config", self.rolling.as_ref())?;
        optional(map, "windows_interpreter", self.windows_interpreter.as_ref())?;
        optional(map, "start_task", self.start_task.as_ref())?;
        if !self.host_passwords.is_empty() {
            map.serialize_entry("host_password_list", &self.host_passwords)?;
        }
        Ok(())
    }
}

fn optional<M: SerializeMap, T: Serialize>(
    map: &mut M,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

impl Serialize for FastExecuteScript {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_members(&mut map)?;
        map.end()
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("bk_cloud_id", &self.cloud)?;
        map.serialize_entry("ip", &self.ip)?;
        map.end()
    }
}

/// A list whose elements are objects of one member.
struct Ids<'a>(&'a [Box<str>]);

impl Serialize for Ids<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for id in self.0 {
            seq.serialize_element(&std::collections::BTreeMap::from([("id", id)]))?;
        }
        seq.end()
    }
}

impl Serialize for super::TopologyNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("node_type", &self.node_type)?;
        map.end()
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.host_ids.is_empty() {
            map.serialize_entry("host_id_list", &self.host_ids)?;
        }
        if !self.hosts.is_empty() {
            map.serialize_entry("ip_list", &self.hosts)?;
        }
        if !self.groups.is_empty() {
            map.serialize_entry("dynamic_group_list", &Ids(&self.groups))?;
        }
        if !self.nodes.is_empty() {
            map.serialize_entry("topo_node_list", &self.nodes)?;
        }
        map.end()
    }
}

impl Serialize for RollingConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        optional(&mut map, "type", self.kind.as_ref())?;
        optional(&mut map, "mode", self.mode.as_ref())?;
        optional(&mut map, "expression", self.expression.as_ref())?;
        optional(&mut map, "execution_mode", self.execution_mode.as_ref())?;
        optional(&mut map, "batch_start_wait_fixed_ms", self.wait_fixed_ms.as_ref())?;
        optional(&mut map, "batch_start_wait_random_min_ms", self.wait_random_min_ms.as_ref())?;
        optional(&mut map, "batch_start_wait_random_max_ms", self.wait_random_max_ms.as_ref())?;
        map.end()
    }
}

impl Serialize for HostPassword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.host {
            PasswordHost::Id(id) => map.serialize_entry("host_id", &id)?,
            PasswordHost::Address(host) => {
                map.serialize_entry("bk_cloud_id", &host.cloud)?;
                map.serialize_entry("ip", &host.ip)?;
            }
        }
        map.serialize_entry("encrypted_password", self.encrypted.expose())?;
        map.end()
    }
}
