//! The `postgres` sink against a real server that is killed, restarted, shared and secured.

use esbgate_audit::Sealed;
use esbgate_model::Secret;
use esbgate_ship::{
    Pass, PostgresHost, PostgresOptions, SinkOptions, TargetOptions, client_tls, table_sql,
};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    database::Database,
    journal::{IMPATIENCE, Log, ship, sink},
};

fn options(database: &Database) -> PostgresOptions {
    PostgresOptions {
        host: PostgresHost::Unix(database.socket()),
        port: 5432,
        database: "postgres".into(),
        user: "owner".into(),
        password: None,
        table: "esbgate_journal".into(),
        create: true,
    }
}

fn postgres(options: PostgresOptions) -> SinkOptions {
    sink(TargetOptions::Postgres(options))
}

/// The lines of a node, by their number.
async fn rows(database: &Database, node: &str) -> Vec<String> {
    let session = database.session().await;
    let query = "select line from esbgate_journal where node = $1 order by seq";
    session.query(query, &[&node]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_record_is_one_row_with_its_columns_its_members_and_its_very_line() {
    let database = Database::start();
    let mut log = Log::new("n1");
    log.calls(1);
    log.record(
        "admin",
        &json!({"operation": "freeze", "reason": "a\u{0}b \\u0000 \u{e9}", "app": 7}),
    );
    let (mut shipper, counts) = log.shipper(postgres(options(&database)));
    ship(&mut shipper).await;
    assert!(rows(&database, "n1").await == log.lines);
    for line in rows(&database, "n1").await {
        assert!(Sealed::read(line.as_bytes()).unwrap().holds(), "the copy proves itself");
    }
    let session = database.session().await;
    let row = session
        .query_one(
            "select i.app, i.user_name, i.component, i.request_id, o.job_instance_id, i.hash,
                    i.record->>'grant', i.time = '2027-01-01T00:00:00.002Z', i.boot, o.app is null
             from esbgate_journal i join esbgate_journal o using (node, request_id)
             where i.kind = 'intent' and o.kind = 'outcome'",
            &[],
        )
        .await
        .unwrap();
    let text = |at: usize| row.get::<_, String>(at);
    let sample = esbgate_audit::testing::Sample::of(0);
    assert_eq!((text(0), text(1)), (sample.app, sample.user));
    assert_eq!((text(2), text(3)), ("fast_execute_script".into(), sample.request_id));
    assert_eq!(row.get::<_, Option<i64>>(4), sample.job);
    assert_eq!(text(5).len(), 64);
    assert_eq!(text(6), "restart the web tier");
    assert!(row.get::<_, bool>(7) && row.get::<_, bool>(9));
    let reason = "select record->>'reason', app from esbgate_journal where kind = 'admin'";
    let row = session.query_one(reason, &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "a\u{fffd}b \\u0000 \u{e9}");
    assert_eq!(row.get::<_, Option<String>>(1), None, "what is no text is in no column of texts");
    assert_eq!(counts.of("records_total"), log.seq as f64);
}

#[tokio::test]
async fn a_server_that_is_killed_again_and_again_has_every_record_once() {
    let mut database = Database::start();
    let mut log = Log::new("n1");
    log.calls(4_000);
    let (mut shipper, counts) = log.shipper(postgres(options(&database)));
    let kills = [0, 1, 3, 10];
    for turns in kills {
        assert_eq!(shipper.pass().await, Pass::Shipped);
        let pid = database.pid();
        // While a batch is on its way; how far it has come does not matter.
        let kill = async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
            kill_process(pid, Signal::KILL).unwrap();
        };
        tokio::join!(shipper.pass(), kill);
        database.gone();
        assert_eq!(shipper.pass().await, Pass::Failed, "it is not there");
        log.calls(500);
        database.start_again();
    }
    ship(&mut shipper).await;
    assert!(rows(&database, "n1").await == log.lines);
    assert!(counts.of("failures_total") >= kills.len() as f64);
    assert_eq!(log.cursor("one")["seq"], log.seq);
}

#[tokio::test]
async fn what_comes_again_after_a_crash_is_no_second_row() {
    let database = Database::start();
    let mut log = Log::new("n1");
    log.calls(10);
    ship(&mut log.shipper(postgres(options(&database))).0).await;
    std::fs::remove_dir_all(log.cursors()).unwrap();
    log.calls(10);
    ship(&mut log.shipper(postgres(options(&database))).0).await;
    assert!(rows(&database, "n1").await == log.lines);
}

#[tokio::test]
async fn two_gateways_fill_one_table_at_the_same_time() {
    let database = Database::start();
    let (mut one, mut two) = (Log::new("gate-1"), Log::new("gate-2"));
    one.calls(1_500);
    two.calls(900);
    let (mut first, _) = one.shipper(postgres(options(&database)));
    let (mut second, _) = two.shipper(postgres(options(&database)));
    // Made by the first of them; two that make one table at once are for the server to order.
    assert_eq!(first.pass().await, Pass::Shipped);
    tokio::join!(ship(&mut first), ship(&mut second));
    assert!(rows(&database, "gate-1").await == one.lines);
    assert!(rows(&database, "gate-2").await == two.lines);
}

#[tokio::test]
async fn two_gateways_of_one_name_are_told_and_nothing_of_either_is_passed_over() {
    let database = Database::start();
    let (mut one, mut two) = (Log::new("same"), Log::new("same"));
    one.calls(2);
    two.record("admin", &json!({"operation": "freeze"}));
    ship(&mut one.shipper(postgres(options(&database))).0).await;
    let (mut second, counts) = two.shipper(postgres(options(&database)));
    for _ in 0..2 {
        assert_eq!(second.pass().await, Pass::Failed);
    }
    assert!(rows(&database, "same").await == one.lines);
    assert!(!two.cursors().exists());
    assert_eq!((counts.of("failures_total"), counts.of("records_total")), (2.0, 0.0));
}

#[tokio::test]
async fn a_role_that_may_only_read_and_insert_is_enough_where_the_table_is_there() {
    let database = Database::start();
    let session = database.session().await;
    let ddl = table_sql("audit.records");
    session
        .batch_execute(&format!(
            "create schema audit; {ddl} create role shipper login;
             grant usage on schema audit to shipper; grant select, insert on audit.records to shipper;
             alter role shipper set synchronous_commit = off"
        ))
        .await
        .unwrap();
    let mut log = Log::new("n1");
    log.calls(5);
    let narrow = PostgresOptions {
        user: "shipper".into(),
        table: "audit.records".into(),
        create: false,
        ..options(&database)
    };
    ship(&mut log.shipper(postgres(narrow)).0).await;
    let count = session.query_one("select count(*) from audit.records", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), i64::try_from(log.seq).unwrap());
    // Made again it stays as it is.
    session.batch_execute(&table_sql("audit.records")).await.unwrap();
}

#[tokio::test]
async fn over_tls_with_a_password_the_server_proves_itself_first() {
    let mut database = Database::start();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![database.address.clone()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    database.kill();
    database.put("server.crt", &certificate);
    database.put("server.key", &key.serialize_pem());
    database.put("hba", "local all all trust\nhostssl all all 0.0.0.0/0 scram-sha-256\n");
    database.start_with(&[
        "ssl=on",
        "ssl_cert_file=FOLDER/server.crt",
        "ssl_key_file=FOLDER/server.key",
        "hba_file=FOLDER/hba",
    ]);
    let session = database.session().await;
    session
        .batch_execute("create role shipper login password 'pass-canary'; grant create, usage on schema public to shipper")
        .await
        .unwrap();
    let mut log = Log::new("n1");
    log.calls(1);
    let with = |peer, password: &str| PostgresOptions {
        host: PostgresHost::Tcp(database.address.clone().into(), peer),
        user: "shipper".into(),
        password: Some(Secret::new(password)),
        ..options(&database)
    };
    let other = rcgen::generate_simple_self_signed(vec![database.address.clone()]).unwrap();
    let stranger = client_tls(&other.cert.pem(), None).unwrap();
    let known = client_tls(&certificate, None).unwrap();
    for refused in [
        with(Some(stranger), "pass-canary"),
        with(Some(known.clone()), "wrong"),
        with(None, "pass-canary"),
    ] {
        assert!(!format!("{refused:?}").contains("canary"));
        assert_eq!(log.shipper(postgres(refused)).0.pass().await, Pass::Failed);
    }
    ship(&mut log.shipper(postgres(with(Some(known), "pass-canary"))).0).await;
    assert!(rows(&database, "n1").await == log.lines);
}

#[tokio::test]
async fn a_server_that_never_answers_holds_a_sink_no_longer_than_its_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let log = Log::new("n1");
    let silent = PostgresOptions {
        host: PostgresHost::Tcp("127.0.0.1".into(), None),
        port: listener.local_addr().unwrap().port(),
        database: "postgres".into(),
        user: "owner".into(),
        password: None,
        table: "esbgate_journal".into(),
        create: true,
    };
    let options = SinkOptions { timeout: IMPATIENCE, ..postgres(silent) };
    let (mut shipper, _) = log.shipper(options);
    assert_eq!(shipper.pass().await, Pass::Failed);
}

#[tokio::test]
async fn a_table_that_is_locked_holds_a_sink_no_longer_than_its_timeout_and_has_each_record_once() {
    let database = Database::start();
    let mut log = Log::new("n1");
    ship(&mut log.shipper(postgres(options(&database))).0).await;
    log.calls(3);
    let session = database.session().await;
    session.batch_execute("begin; lock table esbgate_journal").await.unwrap();
    let narrow = PostgresOptions { create: false, ..options(&database) };
    let impatient = SinkOptions { timeout: IMPATIENCE, ..postgres(narrow) };
    let (mut shipper, _) = log.shipper(impatient);
    assert_eq!(shipper.pass().await, Pass::Failed);
    session.batch_execute("commit").await.unwrap();
    let (mut shipper, _) = log.shipper(postgres(options(&database)));
    ship(&mut shipper).await;
    assert!(rows(&database, "n1").await == log.lines);
}

#[test]
fn the_document_has_the_statements_that_make_the_table() {
    let document = include_str!("../../../../docs/sinks.md");
    assert!(document.contains(&format!("```sql\n{}```\n", table_sql("esbgate_journal"))));
}
