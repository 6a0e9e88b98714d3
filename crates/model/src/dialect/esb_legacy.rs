//! bk-paas 2.x: identity as top-level members of the body, because that ESB cannot see the header.

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Message, Sender, Unwritable};
use crate::ComponentCall;

struct Body<'a> {
    sender: Sender<'a>,
    call: &'a ComponentCall,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bk_app_code", self.sender.app_code.as_str())?;
        map.serialize_entry("bk_app_secret", self.sender.app_secret.expose())?;
        let (key, value) = self.sender.user.member();
        map.serialize_entry(key, value)?;
        self.call.write_members(&mut map)?;
        map.end()
    }
}

pub(super) fn write(sender: Sender<'_>, call: &ComponentCall) -> Result<Message, Unwritable> {
    let mut body = Vec::with_capacity(call.size_hint() + 256);
    serde_json::to_writer(&mut body, &Body { sender, call }).map_err(|_| Unwritable)?;
    Ok(Message { authorization: None, body: Bytes::from(body) })
}
