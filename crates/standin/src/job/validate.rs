//! Bean validation: all of these refuse with the code of a bad request, the first one found with its own text.

use super::codec::estimated_size;
use super::refusal::JobRefusal;
use super::request::{FastExecute, RawTargets};

const LARGEST_SCRIPT: usize = 16_777_215;
const LARGEST_PARAM: usize = 65_535;
const LARGEST_SENSITIVE_PARAM: usize = 48_128;
const LONGEST_TIMEOUT: i64 = 259_200;

/// Checks field by field, in a fixed order (JOB's own order is not fixed).
pub(crate) fn beans(request: &FastExecute) -> Result<(), JobRefusal> {
    scope(request)?;
    timeout(request.timeout)?;
    sizes(request)?;
    request.targets.as_ref().map_or(Ok(()), targets)?;
    if !request.callback_url.as_deref().is_none_or(is_callback_url) {
        return Err(JobRefusal::invalid(
            "回调地址不合法或不在允许列表中，请联系平台管理员添加",
            "Callback url is invalid or not in the allowed list, please contact the administrator",
        ));
    }
    request.interpreter.as_deref().map_or(Ok(()), interpreter)?;
    request.rolling.as_ref().map_or(Ok(()), |rolling| rolling.validate())?;
    passwords(&request.passwords)
}

fn scope(request: &FastExecute) -> Result<(), JobRefusal> {
    let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if !said(&request.scope_type) && request.biz_id.is_none() {
        // The timeout's own check asks for the business and finds none.
        return Err(if request.timeout.is_some() {
            JobRefusal::internal()
        } else {
            JobRefusal::invalid("非法的资源范围类型", "Invalid bk_scope_type")
        });
    }
    if said(&request.scope_type) && !said(&request.scope_id) {
        return Err(JobRefusal::invalid("非法的资源范围 ID", "Invalid bk_scope_id"));
    }
    Ok(())
}

fn timeout(timeout: Option<i64>) -> Result<(), JobRefusal> {
    match timeout {
        Some(seconds) if seconds < 1 => Err(JobRefusal::invalid(
            "作业超时时间必须大于等于1",
            "Job timeout must be greater or equal than 1",
        )),
        Some(seconds) if seconds > LONGEST_TIMEOUT => Err(JobRefusal::invalid(
            "作业超时时间必须在1-259200之间",
            "Job timeout must be between 1 and 259200",
        )),
        Some(_) | None => Ok(()),
    }
}

fn sizes(request: &FastExecute) -> Result<(), JobRefusal> {
    let size = |text: &Option<String>| text.as_deref().map_or(0, estimated_size);
    if size(&request.content) > LARGEST_SCRIPT {
        return Err(JobRefusal::invalid(
            "script_content 字段过长 limit:MEDIUMTEXT(16777215)",
            "script_content Field content too long limit:MEDIUMTEXT(16777215)",
        ));
    }
    if size(&request.param) > LARGEST_PARAM {
        return Err(JobRefusal::invalid(
            "script_param字段过长 limit:TEXT(65535)",
            "script_param Field content too long limit:TEXT(65535)",
        ));
    }
    if request.is_param_sensitive && size(&request.param) > LARGEST_SENSITIVE_PARAM {
        return Err(JobRefusal::invalid(
            "script_param加密后超出存储限制，最大支持48128字节",
            "script_param encryption exceeds the storage limit, maximum support for 48128 bytes",
        ));
    }
    Ok(())
}

fn targets(targets: &RawTargets) -> Result<(), JobRefusal> {
    if targets.ips.iter().any(|(cloud, _)| cloud.is_none_or(|cloud| cloud < 0)) {
        return Err(JobRefusal::invalid("管控区域 ID 非法", "Invalid BK-Net"));
    }
    if targets.ips.iter().any(|(_, ip)| !ip.as_deref().is_some_and(is_ipv4)) {
        return Err(JobRefusal::invalid("IP 非法", "Invalid IP"));
    }
    if targets.groups.iter().any(Option::is_none) {
        return Err(JobRefusal::invalid("动态分组 ID 不可为空", "DynamicGroup ID cannot be empty"));
    }
    if targets.nodes.iter().any(|(id, _)| id.is_none()) {
        return Err(JobRefusal::invalid("拓扑节点 ID 不可为空", "Topo node ID can not be empty"));
    }
    if targets.nodes.iter().any(|(_, kind)| kind.is_none()) {
        return Err(JobRefusal::invalid("拓扑节点类型不可为空", "Topo node type can not be empty"));
    }
    Ok(())
}

/// Four numbers up to 255; a leading zero passes, as JOB's pattern lets it.
fn is_ipv4(text: &str) -> bool {
    let part = |part: &str| {
        (1..=3).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse::<u16>().is_ok_and(|number| number <= 255)
    };
    text.split('.').count() == 4 && text.split('.').all(part)
}

/// What Java's `URI` takes, is http or https, and has a host but no user. Blank passes.
fn is_callback_url(url: &str) -> bool {
    if url.trim().is_empty() {
        return true;
    }
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if !["http", "https"].iter().any(|each| scheme.eq_ignore_ascii_case(each)) {
        return false;
    }
    let refused = |each: char| each <= ' ' || each == '\u{7f}' || "\"<>\\^`{|}".contains(each);
    if rest.contains(refused) || !has_good_percents(rest) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    let host_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.[]".contains(&byte);
    !authority.contains('@') && !host.is_empty() && host.bytes().all(host_letter)
}

fn has_good_percents(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|after| after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

fn interpreter(path: &str) -> Result<(), JobRefusal> {
    let path = path.trim();
    if path.is_empty() {
        return Ok(());
    }
    if !path.ends_with(".exe") {
        return Err(JobRefusal::invalid("必须以指定后缀结尾: .exe", "must end with suffix: .exe"));
    }
    if path.chars().count() > 260 {
        return Err(JobRefusal::invalid(
            "Windows解释器路径长度不可超过260字符",
            "The path of the Windows interpreter cannot exceed 260 characters",
        ));
    }
    Ok(())
}

fn passwords(lengths: &[Option<usize>]) -> Result<(), JobRefusal> {
    for length in lengths {
        match length {
            None | Some(0) => {
                return Err(JobRefusal::invalid(
                    "账号密码不能为空",
                    "Account password cannot be empty",
                ));
            }
            Some(length) if *length > 172 => {
                return Err(JobRefusal::invalid(
                    "账号密码不能超过117字符",
                    "Account password cannot exceed 117 characters",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callback_urls_are_those_of_java() {
        for url in ["", " ", "http://a.example.com/x?y=%41#z", "HTTPS://10.0.0.1:8080"] {
            assert!(is_callback_url(url), "{url}");
        }
        for url in [
            "ftp://a.example.com",
            "http://",
            "http://user@a.example.com",
            "http://a_b.example.com",
            "http://é.example.com",
            "http://a.example.com/a b",
            "http://a.example.com/{x}",
            "http://a.example.com/%zz",
            "a.example.com",
        ] {
            assert!(!is_callback_url(url), "{url}");
        }
    }

    #[test]
    fn addresses_are_four_numbers() {
        assert!(["10.0.0.1", "010.0.0.255"].iter().all(|ip| is_ipv4(ip)));
        assert!(["10.0.0.256", " 10.0.0.1", "10.0.0", "::1", ""].iter().all(|ip| !is_ipv4(ip)));
    }
}
