//! The JSON Schemas of the files, as a test makes them of the types that read the files.

/// The schema of a policy, or of a file of one.
pub const POLICY_SCHEMA: &str = include_str!("../../../config/policy.schema.json");

/// The schema of a file of tests beside a policy.
pub const TESTS_SCHEMA: &str = include_str!("../../../config/tests.schema.json");

/// The schema of the start-up file.
pub const BOOT_SCHEMA: &str = include_str!("../../../config/esbgate.schema.json");
