use esbgate_core::{Principal, UserProof};
use esbgate_model::Name;

fn forge(app: Name, user: Name) -> Principal {
    Principal { app, user, proof: UserProof::Token }
}

fn main() {}
