use esbgate_core::{FreshCall, Prepare, Stage};

fn skip(prepare: Prepare, call: FreshCall) {
    let _ = prepare.run(call);
}

fn main() {}
