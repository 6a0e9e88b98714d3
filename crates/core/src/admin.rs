//! What an admin did, as the journal has it.

/// Who is at the other end of the admin socket, as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminPeer {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The process, where the system tells.
    pub pid: Option<i32>,
}

/// One operation of an admin. Nothing in it is secret.
#[derive(Debug)]
pub struct AdminRecord<'a> {
    /// The operation.
    pub operation: &'static str,
    /// What was asked for, by name.
    pub arguments: &'a [(&'static str, String)],
    /// Who asked.
    pub peer: AdminPeer,
    /// `done`, or why not.
    pub result: &'static str,
}

/// A look for records by a value that they have as a keyed hash. Never has the value.
#[derive(Debug)]
pub struct LookupRecord<'a> {
    /// The field; none where records have no such hash.
    pub field: Option<&'static str>,
    /// The keys under which the value was hashed.
    pub key_ids: &'a [&'a str],
    /// Who asked.
    pub peer: AdminPeer,
    /// `done`, or why not.
    pub result: &'static str,
}
