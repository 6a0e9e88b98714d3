//! `rolling_config`: its types, its checks, and the expression that is only looked at once the job is saved.

use super::coerce::Fields;
use super::refusal::JobRefusal;

/// What Jackson makes of the object, defaults filled in.
#[derive(Debug)]
pub(crate) struct Rolling {
    kind: i64,
    mode: i64,
    expression: Option<String>,
    execution_mode: i64,
    delays: [Option<i64>; 3],
}

const MOST_BATCHES: i64 = 500;
const LONGEST_DELAY: i64 = 3_600_000;

impl Rolling {
    pub(crate) fn read(fields: Fields<'_>) -> Result<Self, JobRefusal> {
        Ok(Self {
            kind: fields.int("type")?.unwrap_or(1),
            mode: fields.int("mode")?.unwrap_or(1),
            expression: fields.text("expression")?,
            execution_mode: fields.int("execution_mode")?.unwrap_or(1),
            delays: [
                fields.int("batch_start_wait_fixed_ms")?,
                fields.int("batch_start_wait_random_min_ms")?,
                fields.int("batch_start_wait_random_max_ms")?,
            ],
        })
    }

    /// What bean validation looks at.
    pub(crate) fn validate(&self) -> Result<(), JobRefusal> {
        if !(1..=3).contains(&self.mode) {
            return Err(JobRefusal::invalid("滚动机制取值不合法", "Invalid rolling mode"));
        }
        if !(1..=2).contains(&self.kind) {
            return Err(JobRefusal::invalid("滚动类型取值不合法", "Invalid rolling type"));
        }
        let has_expression = self.expression.as_ref().is_some_and(|text| !text.trim().is_empty());
        if self.kind == 1 && !has_expression {
            return Err(JobRefusal::invalid(
                "目标执行对象滚动分批策略表达式不可为空",
                "Rolling expression cannot be empty",
            ));
        }
        let out = |delay: &Option<i64>| delay.is_none_or(|ms| !(0..=LONGEST_DELAY).contains(&ms));
        if self.execution_mode == 2 && self.delays.iter().any(out) {
            return Err(JobRefusal::invalid(
                "错峰延迟参数(毫秒)取值范围必须为[0, 3600000]",
                "Delay in milliseconds must be within [0, 3600000]",
            ));
        }
        Ok(())
    }

    /// What JOB looks at by hand, later than beans.
    pub(crate) fn check(&self) -> Result<(), JobRefusal> {
        let [_, least, most] = self.delays;
        if self.execution_mode == 2 && most < least {
            return Err(JobRefusal::illegal_because(
                "batch_start_wait_random_max_ms < batch_start_wait_random_min_ms",
            ));
        }
        if self.kind == 2 && self.execution_mode == 2 {
            return Err(JobRefusal::illegal_because("execution_mode"));
        }
        Ok(())
    }

    /// What is found out when the job is there already.
    pub(crate) fn batches(&self) -> Result<(), JobRefusal> {
        let Some(expression) = self.expression.as_ref().filter(|_| self.kind == 1) else {
            return Ok(());
        };
        let parts: Vec<&str> = expression.split_whitespace().collect();
        if !parts.iter().all(|part| is_batch(part)) {
            return Err(JobRefusal::new(1_244_026, "非法的滚动策略", "Invalid rolling strategy"));
        }
        let most = if self.execution_mode == 2 { 200 } else { MOST_BATCHES };
        if i64::try_from(parts.len()).is_ok_and(|count| count > most) {
            let zh = format!("滚动批次不能大于{most}");
            let en = format!("Rolling batches cannot be more than {most}");
            return Err(JobRefusal::new(1_244_027, zh, en));
        }
        Ok(())
    }
}

/// `N`, `N%`, `+N` or `*N`, N at least 1, a percentage at most 100.
fn is_batch(part: &str) -> bool {
    let percent = part.strip_suffix('%');
    let digits = percent.unwrap_or_else(|| part.strip_prefix(['+', '*']).unwrap_or(part));
    let size = digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    size.is_some_and(|size| size >= 1 && (percent.is_none() || size <= 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_have_four_forms() {
        assert!(["1", "100%", "+2", "*3"].iter().all(|part| is_batch(part)));
        assert!(["0", "101%", "++2", "-1", "x", "%", "+2%"].iter().all(|part| !is_batch(part)));
    }
}
