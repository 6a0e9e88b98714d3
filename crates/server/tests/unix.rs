//! Socket files: who may connect, and what happens to a file that is there already.

use std::{
    fs::{Permissions, metadata, set_permissions},
    os::unix::fs::PermissionsExt as _,
};

use esbgate_server::{BindError, Inherited, bind};

#[tokio::test]
async fn owner_and_group_may_connect_whatever_the_umask() {
    let folder = tempfile::TempDir::new().unwrap();
    set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let path = folder.path().join("gate.sock");
    let listener = bind(&format!("unix:{}", path.display())).unwrap();
    assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
    drop(listener);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_that_nobody_passed_is_refused_by_its_name() {
    let refused = Inherited::none().take("gate").unwrap_err();
    assert!(matches!(&refused, BindError::NotPassed(name) if name == "gate"), "{refused}");
    assert!(refused.to_string().contains("FileDescriptorName="), "{refused}");
}
