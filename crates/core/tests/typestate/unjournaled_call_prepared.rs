use esbgate_core::{ChargedCall, Prepare, Stage};

fn skip(prepare: Prepare, call: ChargedCall) {
    let _ = prepare.run(call);
}

fn main() {}
