//! job-file-gateway: where files come from.

use super::{
    Row, Service,
    field::{Field, id, int, text, tree},
    row,
};

const SERVICE: Service = Service::FileGateway;

const CODE: Field = id("code");
const ALIAS: Field = text("alias");
const TYPE: Field = id("type");
/// Their members depend on the type of the source; some are keys.
const ACCESS: Field = tree("access_params").secret();
const CREDENTIAL: Field = id("credential_id");
const PREFIX: Field = text("file_prefix");

pub(super) const COMPONENTS: &[Row] = &[
    row!(
        "create_file_source",
        Write,
        Business,
        None,
        &[CODE, ALIAS, TYPE, ACCESS, CREDENTIAL, PREFIX],
    ),
    row!(
        "update_file_source",
        Write,
        Business,
        None,
        &[int("id"), CODE, ALIAS, TYPE, ACCESS, CREDENTIAL, PREFIX],
    ),
];
