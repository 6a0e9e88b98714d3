//! Rows of a table: one for each node and number, however often a record comes.

use std::{error::Error as _, time::Duration};

use serde_json::{Map, Value};
use tokio_postgres::{Client, Config, NoTls, Statement, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    batch::Record,
    options::{PostgresHost, PostgresOptions, TlsPeer},
    target::{DeliverError, Delivered},
};

const TABLE: &str = include_str!("postgres/table.sql");

/// Ends a session whose peer takes nothing any more, on both sides.
const DEAD: Duration = Duration::from_secs(30);

/// The statements that make the table and its indexes, where they are not there. `table` is a name that needs no
/// quotes, with its schema if it has one.
#[must_use]
pub fn table_sql(table: &str) -> String {
    let (_, name) = table.rsplit_once('.').unwrap_or(("", table));
    TABLE.replace("{table}", table).replace("{index}", name)
}

/// What the database said, with the reason behind it and never with a row.
pub(crate) fn said(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The database.
#[derive(Debug)]
pub(crate) struct Postgres {
    options: PostgresOptions,
    config: Config,
    open: Option<Session>,
}

#[derive(Debug)]
struct Session {
    client: Client,
    insert: Statement,
    conflict: Statement,
}

impl Postgres {
    pub(crate) fn new(name: &str, options: PostgresOptions) -> Self {
        let mut config = Config::new();
        config
            .port(options.port)
            .dbname(&*options.database)
            .user(&*options.user)
            .application_name(format!("esbgate sink {name}"))
            .tcp_user_timeout(DEAD)
            .keepalives_idle(DEAD)
            // Without it a commit may be confirmed before it is on disk, whatever the server's own setting is.
            .options("-c synchronous_commit=on -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s");
        if let Some(password) = &options.password {
            config.password(password.expose());
        }
        match &options.host {
            PostgresHost::Tcp(host, Some(_)) => config.host(&**host).ssl_mode(SslMode::Require),
            PostgresHost::Tcp(host, None) => config.host(&**host).ssl_mode(SslMode::Disable),
            PostgresHost::Unix(folder) => config.host_path(folder).ssl_mode(SslMode::Disable),
        };
        Self { options, config, open: None }
    }

    pub(crate) fn reset(&mut self) {
        self.open = None;
    }

    /// One statement, so one transaction, for all of them.
    pub(crate) async fn insert(&mut self, records: &[Record]) -> Result<Delivered, DeliverError> {
        let rows = Rows::of(records);
        let unfit = records.len() as u64 - rows.seq.len() as u64;
        if rows.seq.is_empty() {
            return Ok(Delivered { unfit, ..Delivered::default() });
        }
        let session = match self.open.take() {
            Some(kept) if !kept.client.is_closed() => kept,
            Some(_) | None => self.connect().await?,
        };
        let inserted = rows.insert(&session).await?;
        if inserted < rows.seq.len() as u64 {
            rows.compare(&session).await?;
        }
        self.open = Some(session);
        Ok(Delivered { unfit, ..Delivered::default() })
    }

    async fn connect(&self) -> Result<Session, tokio_postgres::Error> {
        let client = match &self.options.host {
            PostgresHost::Tcp(_, Some(TlsPeer(tls))) => {
                let tls = MakeRustlsConnect::new((**tls).clone());
                let (client, connection) = self.config.connect(tls).await?;
                tokio::spawn(connection);
                client
            }
            PostgresHost::Tcp(_, None) | PostgresHost::Unix(_) => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        let table = &self.options.table;
        if self.options.create {
            client.batch_execute(&table_sql(table)).await?;
        }
        let insert = format!(
            "insert into {table} (node, seq, boot, time, kind, app, user_name, component, request_id, \
             job_instance_id, hash, record, line) \
             select node, seq, boot, time::timestamptz, kind, app, user_name, component, request_id, \
             job_instance_id, hash, record::jsonb, line \
             from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
             $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[]) \
             as rows (node, seq, boot, time, kind, app, user_name, component, request_id, \
             job_instance_id, hash, record, line) \
             on conflict (node, seq) do nothing"
        );
        let conflict = format!(
            "select given.node, given.seq from unnest($1::text[], $2::bigint[], $3::text[]) \
             as given (node, seq, hash) join {table} using (node, seq) \
             where {table}.hash is distinct from given.hash order by 1, 2 limit 1"
        );
        let insert = client.prepare(&insert).await?;
        let conflict = client.prepare(&conflict).await?;
        Ok(Session { client, insert, conflict })
    }
}

/// A batch, column by column.
#[derive(Debug, Default)]
struct Rows<'a> {
    node: Vec<&'a str>,
    seq: Vec<i64>,
    boot: Vec<&'a str>,
    time: Vec<&'a str>,
    kind: Vec<&'a str>,
    app: Vec<Option<String>>,
    user_name: Vec<Option<String>>,
    component: Vec<Option<String>>,
    request_id: Vec<Option<String>>,
    job_instance_id: Vec<Option<i64>>,
    hash: Vec<String>,
    record: Vec<String>,
    line: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    /// A record without a hash cannot be told from another of its number, so it has no row.
    fn of(records: &'a [Record]) -> Self {
        let mut rows = Self::default();
        for record in records {
            let (Some(hash), Ok(seq)) = (record.hash_text(), i64::try_from(record.seq)) else {
                continue;
            };
            let text = without_nul(&record.line);
            let members: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
            let member = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            rows.node.push(&record.node);
            rows.seq.push(seq);
            rows.boot.push(&record.boot);
            rows.time.push(&record.time);
            rows.kind.push(&record.kind);
            rows.app.push(member("app"));
            rows.user_name.push(member("user"));
            rows.component.push(member("component"));
            rows.request_id.push(member("request_id"));
            rows.job_instance_id.push(members.get("job_instance_id").and_then(Value::as_i64));
            rows.hash.push(hash);
            rows.record.push(text);
            rows.line.push(&record.line);
        }
        rows
    }

    async fn insert(&self, session: &Session) -> Result<u64, tokio_postgres::Error> {
        let Self { node, seq, boot, time, kind, app, user_name, component, .. } = self;
        let Self { request_id, job_instance_id, hash, record, line, .. } = self;
        session
            .client
            .execute(
                &session.insert,
                &[
                    node,
                    seq,
                    boot,
                    time,
                    kind,
                    app,
                    user_name,
                    component,
                    request_id,
                    job_instance_id,
                    hash,
                    record,
                    line,
                ],
            )
            .await
    }

    /// Rows that were there already must be these very records.
    async fn compare(&self, session: &Session) -> Result<(), DeliverError> {
        let Self { node, seq, hash, .. } = self;
        let other = session.client.query_opt(&session.conflict, &[node, seq, hash]).await?;
        match other {
            None => Ok(()),
            Some(row) => {
                Err(DeliverError::Conflict { node: row.try_get(0)?, seq: row.try_get(1)? })
            }
        }
    }
}

/// PostgreSQL's texts and `jsonb` have no NUL: U+FFFD stands for it. The line itself has it escaped, and stays.
fn without_nul(line: &str) -> String {
    if !line.contains("\\u0000") {
        return line.into();
    }
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        text.push('\\');
        rest = match after.strip_prefix("u0000") {
            Some(after) => {
                text.push_str("ufffd");
                after
            }
            None => {
                // What is escaped is passed over, so that `\\u0000` stays what it is.
                let mut all = after.chars();
                text.extend(all.next());
                all.as_str()
            }
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_escaped_nul_is_replaced() {
        for (line, text) in [
            (r#"{"a":"x"}"#, r#"{"a":"x"}"#),
            (r#"{"a":"\u0000é\u0000"}"#, r#"{"a":"\ufffdé\ufffd"}"#),
            (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
            (r#"{"a":"\\\u0000\""}"#, r#"{"a":"\\\ufffd\""}"#),
            (r#"{"a":"\u00001"}"#, r#"{"a":"\ufffd1"}"#),
        ] {
            assert_eq!(without_nul(line), text);
            serde_json::from_str::<Value>(text).unwrap();
        }
    }

    #[test]
    fn indexes_are_named_after_the_table_without_its_schema() {
        let sql = table_sql("audit.records");
        assert!(sql.contains("if not exists audit.records ("), "{sql}");
        assert!(sql.contains("index if not exists records_time on audit.records (time)"), "{sql}");
        assert!(!sql.contains('{') && !sql.contains('}'));
    }
}
