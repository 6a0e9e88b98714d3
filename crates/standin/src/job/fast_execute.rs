//! fast_execute_script from the raw parameters to a job, in JOB's order of checks.

use super::coerce::Fields;
use super::refusal::JobRefusal;
use super::request::{FastExecute, Start};
use super::{Call, Effect, Job, ScriptSource, Targets, checks, codec, scope, validate};
use crate::clock;
use crate::history::History;
use crate::world::{Account, Business};

const DEFAULT_TIMEOUT: i64 = 7200;

/// Everything that was found out about a call that may become a job.
struct Draft<'a> {
    request: FastExecute,
    business: &'a Business,
    account: &'a Account,
    source: ScriptSource,
    language: i64,
    script: String,
    targets: Targets,
}

pub(crate) fn run(
    call: &Call<'_>,
    history: &History,
    first_id: i64,
) -> Result<Vec<u8>, JobRefusal> {
    let draft = judge(call)?;
    let starts = match draft.request.start {
        _ if !call.world.knows_start_task => true,
        Start::Now => true,
        Start::Later | Start::Unset => false,
    };
    let rolling = draft.request.rolling.as_ref().map_or(Ok(()), |rolling| rolling.batches());
    let is_unset = draft.request.start == Start::Unset && call.world.knows_start_task;
    let job = save(call, draft, history, first_id, starts && rolling.is_ok());
    rolling?;
    if is_unset {
        return Err(JobRefusal::internal());
    }
    let name = serde_json::to_string(&job.name).unwrap_or_default();
    Ok(format!(
        r#"{{"job_instance_id": {}, "job_instance_name": {name}, "step_instance_id": {}}}"#,
        job.job_instance_id, job.step_instance_id
    )
    .into_bytes())
}

fn judge<'a>(call: &Call<'a>) -> Result<Draft<'a>, JobRefusal> {
    let business = scope::enter(call)?;
    if !call.readable {
        return Err(JobRefusal::bad_request());
    }
    let request = FastExecute::read(Fields(call.body))?;
    validate::beans(&request)?;
    let business = business.ok_or_else(JobRefusal::no_business)?;
    checks::required(&request)?;
    let chosen = checks::choose(&request, business, call.world)?;
    checks::danger(&chosen, call.world)?;
    let account = checks::account(&request, business, call.world)?;
    let targets = match &request.targets {
        Some(raw) => checks::targets(raw, call.world)?,
        None => Targets::default(),
    };
    checks::permitted(call, business, account)?;
    let (chosen, script) = checks::storable(&request, chosen)?;
    let (source, language) = (chosen.source, chosen.language);
    Ok(Draft { request, business, account, source, language, script, targets })
}

fn save(call: &Call<'_>, draft: Draft<'_>, history: &History, first_id: i64, starts: bool) -> Job {
    let now = clock::now_millis();
    history.with_jobs(|jobs| {
        let number = i64::try_from(jobs.next_number()).unwrap_or_default();
        let request = draft.request;
        let job = Job {
            job_instance_id: first_id.saturating_add(number),
            step_instance_id: first_id.saturating_add(number).saturating_add(STEP_OFFSET),
            name: name(request.task_name, call.english, now),
            app: call.identity.app.clone(),
            user: call.identity.user.clone(),
            business: draft.business.id,
            business_is_set: draft.business.is_set,
            source: draft.source,
            script: draft.script,
            language: draft.language,
            params: request.param.as_deref().and_then(params),
            is_param_sensitive: request.is_param_sensitive,
            account_id: draft.account.id,
            account_alias: draft.account.alias.clone(),
            targets: draft.targets,
            timeout: request.timeout.unwrap_or(DEFAULT_TIMEOUT),
            callback_url: request.callback_url.filter(|url| !url.trim().is_empty()),
            started: starts,
            status: if starts { call.world.status_after_start } else { 1 },
            create_time: now,
            start_time: starts.then_some(now),
            request_id: call.request_id.to_owned(),
        };
        if call.effect == Effect::Run {
            jobs.push(job.clone());
        }
        job
    })
}

/// Steps and jobs are counted apart; a fixed distance keeps one from passing for the other.
const STEP_OFFSET: i64 = 1_000_000;

fn name(given: Option<String>, english: bool, now: i64) -> String {
    given.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| {
        let what = if english { "Script Execution" } else { "快速执行脚本" };
        format!("{what}_{}", clock::stamp(now))
    })
}

/// Line feeds become blanks, carriage returns stay; blank is none.
fn params(text: &str) -> Option<String> {
    let decoded = codec::decode_text(text)?.replace('\n', " ");
    (!decoded.trim().is_empty()).then_some(decoded)
}
