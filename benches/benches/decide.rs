//! Reading a call and writing it anew: the document's sample call, and scripts of 64 KiB and 512 KiB.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use esbgate_model::{FastExecuteScript, Switches, json::Document};

fn body(script: usize) -> String {
    let content = "ZWNobyBo".repeat(script / 6 + 1);
    format!(
        r#"{{"bk_biz_id":2,"script_content":"{content}","script_language":1,"script_param":"YSBi","timeout":1000,"account_alias":"root","target_server":{{"ip_list":[{{"bk_cloud_id":0,"ip":"10.0.0.1"}},{{"bk_cloud_id":0,"ip":"10.0.0.2"}}]}}}}"#
    )
}

fn read_and_write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    for (name, script) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("512 KiB", 512 << 10)] {
        let body = body(script);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let document = Document::read(body.clone().into_bytes());
                let call = document.and_then(|d| FastExecuteScript::read(&d, Switches::default()));
                call.map(|call| serde_json::to_vec(&call).map(|written| written.len()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, read_and_write);
criterion_main!(benches);
