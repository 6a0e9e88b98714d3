//! `esbgate demo`: the gateway between stand-ins for ESB, login and JOB, all in this process, and the
//! document's sample call sent through it.

mod account;
mod files;

use std::{process::ExitCode, sync::Arc, time::Duration};

use esbgate_standin::{App, Options, Standin, World};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use self::files::Files;
use crate::{Running, SystemClock, command, start};

/// The sample call of the component's document.
const SAMPLE: &str = r#"{"bk_app_code":"esb_test","bk_app_secret":"xxx","bk_token":"xxx","bk_biz_id":1,"script_version_id":1,"script_content":"ZWNobyAkMQ==","script_param":"aGVsbG8=","timeout":1000,"account_id":1000,"is_param_sensitive":0,"script_language":1,"target_server":{"dynamic_group_list":[{"id":"blo8gojho0skft7pr5q0"},{"id":"blo8gojho0sof7pr5q1g"}],"ip_list":[{"bk_cloud_id":0,"ip":"10.0.0.1"},{"bk_cloud_id":0,"ip":"10.0.0.2"}],"topo_node_list":[{"id":1000,"node_type":"module"}]}}"#;

/// The path of the component.
const PATH: &str = "/api/c/compapi/v2/jobv3/fast_execute_script/";

/// The application that the gateway acts as, at the stand-in.
const ACTS_AS: &str = "ops_gateway";

/// How long a stop may take.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the demo.
pub(crate) fn run(once: bool) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return command::failed(&error),
    };
    match runtime.block_on(demo(once)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => command::failed(&error),
    }
}

type Problem = Box<dyn std::error::Error + Send + Sync>;

async fn demo(once: bool) -> Result<bool, Problem> {
    let files = Files::new()?;
    let app = App::new(ACTS_AS, files.esb_secret()).skipping_user_auth();
    let standin = Standin::start(Options::from(World::default().app(app))).await?;
    let config = files.write(&standin.esb_url(), &standin.login_url())?;
    let settings = command::settings(&config).map_err(|problems| problems.join("\n"))?;
    let running = start(settings, Arc::new(SystemClock::start())).await?;
    let succeeded = if once {
        let answer = send_sample(&running).await?;
        account::print(&answer, &running, &standin)?
    } else {
        print_addresses(&running);
        tokio::signal::ctrl_c().await?;
        true
    };
    running.stop(GRACE).await;
    standin.stop().await;
    Ok(succeeded)
}

/// An answer as it came.
struct Answer {
    head: String,
    body: String,
}

async fn send_sample(running: &Running) -> Result<Answer, Problem> {
    let address = running.addresses().first().ok_or("the demo has no TCP listener")?;
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{SAMPLE}",
        SAMPLE.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the gateway gave no whole answer")?;
    Ok(Answer { head: head.into(), body: body.into() })
}

fn print_addresses(running: &Running) {
    if let Some(address) = running.addresses().first() {
        println!("gateway http://{address}{PATH}");
        println!(
            "try     curl -s http://{address}{PATH} -H 'Content-Type: application/json' -d '{SAMPLE}'"
        );
    }
    if let Some(address) = running.monitor() {
        println!("metrics http://{address}/metrics");
    }
    println!("journal {}", running.journal_path().display());
    println!("Ctrl-C stops it");
}
