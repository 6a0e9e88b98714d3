use esbgate_core::{JournaledCall, Prepare, Stage};

fn twice(prepare: Prepare, call: JournaledCall) {
    let _ = prepare.run(call);
    let _ = prepare.run(call);
}

fn main() {}
