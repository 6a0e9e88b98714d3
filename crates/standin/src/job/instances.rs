//! Jobs that are there already: starting and ending them, asking after one, listing them.

use serde_json::{Value, json};

use super::coerce::Fields;
use super::refusal::JobRefusal;
use super::{Call, Effect, Job, scope};
use crate::clock;
use crate::history::{History, Jobs};
use crate::world::Business;

const TERMINATE: i64 = 1;
const START: i64 = 2;
const PENDING: i64 = 1;
const RUNNING: i64 = 2;
const TERMINATED: i64 = 11;
const ENDED: [i64; 9] = [3, 4, 5, 6, 8, 9, 11, 13, 14];
const THIRTY_DAYS: i64 = 30 * 86_400_000;

/// operate_job_instance: 1 terminates, 2 starts what is pending.
pub(crate) fn operate(
    call: &Call<'_>,
    history: &History,
    first_id: i64,
) -> Result<Vec<u8>, JobRefusal> {
    let business = enter(call)?;
    let fields = Fields(call.body);
    let id = fields.long("job_instance_id")?.filter(|id| *id > 0);
    let (id, code) = id.zip(fields.int("operation_code")?).ok_or_else(JobRefusal::illegal_param)?;
    if !matches!(code, TERMINATE | START) {
        return Err(JobRefusal::illegal_param());
    }
    history.with_jobs(|jobs| {
        let job = find(jobs, id, first_id, business)?;
        let wanted = if code == START { PENDING } else { RUNNING };
        if job.status != wanted {
            return Err(if code == START {
                JobRefusal::not_pending()
            } else {
                JobRefusal::unsupported()
            });
        }
        if call.effect == Effect::Nothing {
            return Ok(());
        }
        if code == START {
            (job.started, job.status) = (true, call.world.status_after_start);
            job.start_time = Some(clock::now_millis());
            jobs.count_start();
        } else {
            job.status = TERMINATED;
        }
        Ok(())
    })?;
    Ok(text(&json!({"job_instance_id": id})))
}

/// get_job_instance_status of one job and its one step.
pub(crate) fn status(
    call: &Call<'_>,
    history: &History,
    first_id: i64,
) -> Result<Vec<u8>, JobRefusal> {
    let business = enter(call)?;
    let fields = Fields(call.body);
    let id = fields.long("job_instance_id")?.filter(|id| *id > 0);
    let id = id.ok_or_else(|| JobRefusal::missing("job_instance_id"))?;
    let with_hosts = fields.flag("return_ip_result")?.unwrap_or(false);
    let job = history.with_jobs(|jobs| find(jobs, id, first_id, business).cloned())?;
    let mut step = json!({
        "step_instance_id": job.step_instance_id,
        "type": 1,
        "name": job.name,
        "status": job.status,
        "execute_count": 0,
        "create_time": job.create_time,
    });
    if with_hosts && let Some(step) = step.as_object_mut() {
        step.insert("step_ip_result_list".to_owned(), hosts(&job));
    }
    Ok(text(&json!({
        "finished": ENDED.contains(&job.status),
        "job_instance": outline(&job),
        "step_instance_list": [step],
    })))
}

/// get_job_instance_list, newest first.
pub(crate) fn list(call: &Call<'_>, history: &History) -> Result<Vec<u8>, JobRefusal> {
    let business = enter(call)?;
    let fields = Fields(call.body);
    let wanted = Wanted::read(fields)?;
    let meets = |job: &&Job| is_in(job, business) && wanted.meets(job);
    let found: Vec<Value> =
        history.with_jobs(|jobs| jobs.iter().rev().filter(meets).map(row).collect());
    let start = fields.int("start")?.unwrap_or(0).max(0);
    let length = fields.int("length")?.filter(|length| *length > 0).unwrap_or(20).min(200);
    let page = found
        .iter()
        .skip(usize::try_from(start).unwrap_or_default())
        .take(usize::try_from(length).unwrap_or_default());
    Ok(text(&json!({
        "data": page.collect::<Vec<_>>(),
        "start": start,
        "length": length,
        "total": found.len(),
    })))
}

/// What a listing asks for; the window of time is a must, of thirty days at most.
struct Wanted {
    from: i64,
    to: i64,
    id: Option<i64>,
    operator: Option<String>,
    name: Option<String>,
    kind: Option<i64>,
    mode: Option<i64>,
    status: Option<i64>,
}

impl Wanted {
    fn read(fields: Fields<'_>) -> Result<Self, JobRefusal> {
        let window = fields.long("create_time_start")?.zip(fields.long("create_time_end")?);
        let (from, to) = window.ok_or_else(JobRefusal::illegal_param)?;
        if from > to || to.saturating_sub(from) > THIRTY_DAYS {
            return Err(JobRefusal::illegal_param());
        }
        Ok(Self {
            from,
            to,
            id: fields.long("job_instance_id")?.filter(|id| *id > 0),
            operator: fields.text("operator")?.filter(|text| !text.is_empty()),
            name: fields.text("name")?.filter(|text| !text.is_empty()),
            kind: fields.int("type")?,
            mode: fields.int("launch_mode")?,
            status: fields.int("status")?,
        })
    }

    /// Every job here is a script (type 1) that came through the API (launch mode 2).
    fn meets(&self, job: &Job) -> bool {
        (self.from..=self.to).contains(&job.create_time)
            && self.id.is_none_or(|id| job.job_instance_id == id)
            && self.operator.as_ref().is_none_or(|operator| job.user == *operator)
            && self.name.as_ref().is_none_or(|name| job.name == *name)
            && self.kind.is_none_or(|kind| kind == 1)
            && self.mode.is_none_or(|mode| mode == 2)
            && self.status.is_none_or(|status| job.status == status)
    }
}

fn enter<'a>(call: &Call<'a>) -> Result<&'a Business, JobRefusal> {
    let business = scope::enter(call)?;
    if !call.readable {
        return Err(JobRefusal::bad_request());
    }
    let missing = || JobRefusal::invalid("非法的资源范围类型", "Invalid bk_scope_type");
    business.ok_or_else(missing)
}

fn find<'a>(
    jobs: &'a mut Jobs<'_>,
    id: i64,
    first_id: i64,
    business: &Business,
) -> Result<&'a mut Job, JobRefusal> {
    let number = usize::try_from(id.saturating_sub(first_id)).ok();
    let job = number.and_then(|number| jobs.get_mut(number));
    job.filter(|job| is_in(job, business)).ok_or_else(JobRefusal::no_job)
}

fn is_in(job: &Job, business: &Business) -> bool {
    (job.business, job.business_is_set) == (business.id, business.is_set)
}

fn outline(job: &Job) -> Value {
    let mut outline = json!({
        "job_instance_id": job.job_instance_id,
        "name": job.name,
        "status": job.status,
        "create_time": job.create_time,
        "bk_scope_type": if job.business_is_set { "biz_set" } else { "biz" },
        "bk_scope_id": job.business.to_string(),
        "bk_biz_id": job.business,
    });
    if let (Some(at), Some(outline)) = (job.start_time, outline.as_object_mut()) {
        outline.insert("start_time".to_owned(), at.into());
        if ENDED.contains(&job.status) {
            outline.insert("end_time".to_owned(), at.into());
            outline.insert("total_time".to_owned(), 0.into());
        }
    }
    outline
}

fn row(job: &Job) -> Value {
    let mut row = outline(job);
    if let Some(row) = row.as_object_mut() {
        row.insert("operator".to_owned(), job.user.clone().into());
        row.insert("launch_mode".to_owned(), 2.into());
        row.insert("type".to_owned(), 1.into());
        row.insert("job_plan_id".to_owned(), (-1).into());
        row.insert("job_template_id".to_owned(), (-1).into());
    }
    row
}

fn hosts(job: &Job) -> Value {
    let status = match job.status {
        3 => 9,
        4 => 11,
        2 => 7,
        _ => 5,
    };
    let host = |(cloud, ip): &(i64, String)| json!({"bk_cloud_id": cloud, "ip": ip, "status": status, "tag": "", "exit_code": 0, "error_code": 0});
    Value::Array(job.targets.ips.iter().map(host).collect())
}

fn text(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
