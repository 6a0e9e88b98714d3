//! Every code that the gateway answers with on its own behalf: one table, both languages.
//!
//! A code of BlueKing's API gateway is used where the meaning is the same; the rest are 1649000 to
//! 1649999. One code, one name, one answer to whether the call was carried out.

use http::StatusCode;

use crate::{Executed, Text};

/// Who can mend what a code complains of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The call itself: its author.
    Caller,
    /// The gateway's policy: the platform's admins.
    Policy,
    /// The gateway: its operators.
    Gateway,
    /// The login service.
    Login,
    /// The ESB.
    Upstream,
}

impl Origin {
    /// Its name in the documentation and the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Policy => "policy",
            Self::Gateway => "gateway",
            Self::Login => "login",
            Self::Upstream => "upstream",
        }
    }
}

struct Row {
    number: u32,
    name: &'static str,
    status: StatusCode,
    executed: Executed,
    origin: Origin,
    message: Text,
    hint: Text,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal
        $status:ident $executed:ident $origin:ident
        en $en:literal hint $en_hint:literal zh $zh:literal hint $zh_hint:literal;)*) => {
        /// A code of the gateway's own answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        number: $number,
                        name: $name,
                        status: StatusCode::$status,
                        executed: Executed::$executed,
                        origin: Origin::$origin,
                        message: Text { en: $en, zh: $zh },
                        hint: Text { en: $en_hint, zh: $zh_hint },
                    },)*
                }
            }
        }
    };
}

codes! {
    /// The body is not one strict JSON object.
    MalformedBody = 1649001 "MALFORMED_BODY" BAD_REQUEST No Caller
        en "the body is not one strict JSON object"
        hint "mend each place that `faults` names; send one JSON object in UTF-8 without BOM, each name once"
        zh "请求体不是一个严格的 JSON 对象"
        hint "按 faults 逐一修改；请求体必须是 UTF-8（无 BOM）的单个 JSON 对象，且字段名不重复";
    /// A field of the call breaks its rule.
    InvalidArgs = 1640001 "INVALID_ARGS" BAD_REQUEST No Caller
        en "the call has faults"
        hint "mend each field that `faults` names; docs/calls.md explains every rule"
        zh "请求参数有误"
        hint "按 faults 中列出的字段逐一修改；规则说明见 docs/calls.zh-CN.md";
    /// The Content-Type names something other than JSON.
    UnsupportedMediaType = 1649002 "UNSUPPORTED_MEDIA_TYPE" UNSUPPORTED_MEDIA_TYPE No Caller
        en "the Content-Type is not JSON"
        hint "send `Content-Type: application/json`, or none"
        zh "Content-Type 不是 JSON"
        hint "请使用 Content-Type: application/json，或不带该请求头";
    /// The method is not POST, nor GET of a component that only reads.
    MethodNotAllowed = 1649003 "METHOD_NOT_ALLOWED" METHOD_NOT_ALLOWED No Caller
        en "this component is not called with this method"
        hint "send the parameters as a JSON body with POST; only components of kind read also take GET"
        zh "该组件不接受此请求方法"
        hint "请用 POST 并以 JSON 请求体传参；只有 read 类组件同时接受 GET";
    /// A field of the request's head is refused.
    BadHeader = 1649004 "BAD_HEADER" BAD_REQUEST No Caller
        en "a header of the request is refused"
        hint "the message of the fault names the header; remove it or send it once, as documented"
        zh "请求头不被接受"
        hint "按 faults 指出的请求头修改：去掉它，或只按文档格式发送一次";
    /// The request has a query string.
    QueryNotAllowed = 1649005 "QUERY_NOT_ALLOWED" BAD_REQUEST No Caller
        en "a query string is not accepted here"
        hint "move every parameter into the JSON body of the POST"
        zh "不接受 URL 查询参数"
        hint "请把所有参数放入 POST 的 JSON 请求体";
    /// The Host is not one of the configured ones.
    HostNotAllowed = 1649006 "HOST_NOT_ALLOWED" BAD_REQUEST No Caller
        en "the Host of the request is missing, doubled or not one of this gateway's"
        hint "use the base URL that the platform published"
        zh "Host 缺失、重复或不属于本网关"
        hint "请使用平台公布的网关地址";
    /// The body did not arrive in time.
    RequestTimeout = 1649007 "REQUEST_TIMEOUT" REQUEST_TIMEOUT No Caller
        en "the body did not arrive in time"
        hint "send the body at once after the head"
        zh "请求体未在限定时间内到达"
        hint "请在发送请求头后立即发送请求体";
    /// A body without Content-Length or chunked framing, or a framing that is not exactly one of them.
    BadFraming = 1649008 "BAD_FRAMING" BAD_REQUEST No Caller
        en "the length of the body is not told in exactly one way"
        hint "send one Content-Length, or `Transfer-Encoding: chunked` alone"
        zh "请求体长度的声明方式不唯一或不被接受"
        hint "只使用一个 Content-Length，或仅使用 Transfer-Encoding: chunked";
    /// The body is over the limit.
    BodyTooLarge = 1641301 "BODY_SIZE_LIMIT_EXCEED" PAYLOAD_TOO_LARGE No Caller
        en "the body is over the limit"
        hint "publish a large script in JOB and call it by script_id or script_version_id"
        zh "请求体超过大小限制"
        hint "大脚本请先在作业平台保存，再用 script_id 或 script_version_id 执行";
    /// Nothing is published at this path.
    ApiNotFound = 1640401 "API_NOT_FOUND" NOT_FOUND No Caller
        en "no component is published at this path"
        hint "call /api/c/compapi/v2/jobv3/fast_execute_script/ (with /v2, in lower case)"
        zh "该路径下没有开放的组件"
        hint "请调用 /api/c/compapi/v2/jobv3/fast_execute_script/（须带 /v2，小写）";
    /// A credential of a kind or spelling that this gateway does not take.
    CredentialRefused = 1649020 "CREDENTIAL_REFUSED" BAD_REQUEST No Caller
        en "a credential of this kind or spelling is not accepted"
        hint "identify with bk_app_code, bk_app_secret and one of bk_token or bk_username"
        zh "不接受此类凭据或此种写法"
        hint "请使用 bk_app_code、bk_app_secret，以及 bk_token 或 bk_username 之一";
    /// The application does not verify.
    AppVerifyFailed = 1640101 "APP_VERIFY_FAILED" UNAUTHORIZED No Caller
        en "the application cannot be verified"
        hint "send bk_app_code and the key that the platform issued for this gateway (not the ESB's secret)"
        zh "应用认证失败"
        hint "请携带 bk_app_code 与平台为本网关签发的密钥（不是 ESB 的应用密钥）";
    /// A JWT does not verify.
    JwtVerifyFailed = 1640004 "JWT_VERIFY_FAILED" UNAUTHORIZED No Caller
        en "the JWT cannot be verified"
        hint "check issuer, audience, algorithm, key and the time claims exp and nbf"
        zh "JWT 校验失败"
        hint "请检查签发者、受众、算法、密钥以及 exp、nbf";
    /// The key was right and is past its end.
    KeyExpired = 1649026 "KEY_EXPIRED" UNAUTHORIZED No Caller
        en "the key of the application has expired"
        hint "ask the platform's admins for a new key"
        zh "应用密钥已过期"
        hint "请联系平台管理员签发新密钥";
    /// Two proofs name different applications or users.
    ProofsDisagree = 1649024 "PROOFS_DISAGREE" UNAUTHORIZED No Caller
        en "the credentials of the request name different applications or users"
        hint "send one identity, or the same one everywhere"
        zh "请求中的凭据指向不同的应用或用户"
        hint "只发送一种身份，或保证各处一致";
    /// Too many failed proofs from this peer.
    ProofThrottled = 1649025 "PROOF_THROTTLED" TOO_MANY_REQUESTS No Caller
        en "too many failed proofs from this address"
        hint "mend the credential; a call whose credential verifies is not affected"
        zh "该地址认证失败次数过多"
        hint "请修正凭据；认证成功的调用不受影响";
    /// The user cannot be verified.
    UserVerifyFailed = 1640102 "USER_VERIFY_FAILED" UNAUTHORIZED No Caller
        en "the user cannot be verified"
        hint "send the bk_token of a logged-in user; log in again if it has ended"
        zh "用户认证失败"
        hint "请携带已登录用户的 bk_token；若已失效请重新登录";
    /// No user is named.
    UserMissing = 1649023 "USER_MISSING" UNAUTHORIZED No Caller
        en "the call names no user"
        hint "send bk_token, or a bk_username that the application is exempted for"
        zh "请求没有指明用户"
        hint "请携带 bk_token，或应用已获豁免的 bk_username";
    /// The application may not use bk_token.
    TokenNotAllowed = 1649022 "TOKEN_NOT_ALLOWED" UNAUTHORIZED No Policy
        en "this application may not identify users by bk_token"
        hint "ask the platform's admins for `users.token: true`"
        zh "该应用不允许使用 bk_token 识别用户"
        hint "请联系平台管理员为应用开启 users.token";
    /// The application has no exemption for this user.
    UserNotExempt = 1649021 "USER_NOT_EXEMPT" UNAUTHORIZED No Policy
        en "the application is not exempted for this bk_username"
        hint "send the user's bk_token, or ask the platform's admins for an exemption that names the user"
        zh "应用没有该 bk_username 的免登录豁免"
        hint "请携带该用户的 bk_token，或向平台管理员申请包含该用户的豁免";
    /// The exemption has ended.
    ExemptionExpired = 1649027 "EXEMPTION_EXPIRED" UNAUTHORIZED No Policy
        en "the exemption for this bk_username has expired"
        hint "ask the platform's admins to renew the exemption"
        zh "该 bk_username 的豁免已过期"
        hint "请联系平台管理员续期豁免";
    /// The login service gives no answer.
    LoginUnavailable = 1649040 "LOGIN_UNAVAILABLE" SERVICE_UNAVAILABLE No Login
        en "the login service gives no answer, so the user cannot be verified now"
        hint "nothing was run; try again shortly"
        zh "登录服务无响应，暂时无法验证用户"
        hint "脚本没有执行，可稍后重试";
    /// A freeze stops the call.
    Frozen = 1649018 "FROZEN" FORBIDDEN No Policy
        en "what the call is about is frozen: the platform has stopped it for now"
        hint "nothing was run; `faults` says why and until when"
        zh "平台已冻结此类操作，调用未执行"
        hint "脚本没有执行；faults 给出冻结原因和截止时间";
    /// No grant covers the component.
    AppNoPermission = 1640301 "APP_NO_PERMISSION" FORBIDDEN No Policy
        en "no grant of the application covers this component"
        hint "ask the platform's admins for a grant"
        zh "应用没有该组件的权限"
        hint "请联系平台管理员授权";
    /// No grant covers the business.
    BusinessNotAllowed = 1649011 "BUSINESS_NOT_ALLOWED" FORBIDDEN No Policy
        en "no grant of the application covers this business"
        hint "check bk_biz_id, or ask the platform's admins for a grant"
        zh "应用没有该业务的权限"
        hint "请检查 bk_biz_id，或联系平台管理员授权";
    /// No grant covers a target.
    TargetNotAllowed = 1649012 "TARGET_NOT_ALLOWED" FORBIDDEN No Policy
        en "no grant of the application covers all targets of the call"
        hint "remove the targets that `faults` names, or ask the platform's admins for a grant"
        zh "应用没有部分执行目标的权限"
        hint "请去掉 faults 指出的目标，或联系平台管理员授权";
    /// No grant covers the account.
    AccountNotAllowed = 1649013 "ACCOUNT_NOT_ALLOWED" FORBIDDEN No Policy
        en "no grant of the application covers this account"
        hint "check account_id or account_alias, or ask the platform's admins for a grant"
        zh "应用没有该执行账号的权限"
        hint "请检查 account_id 或 account_alias，或联系平台管理员授权";
    /// No grant covers the script.
    ScriptNotAllowed = 1649014 "SCRIPT_NOT_ALLOWED" FORBIDDEN No Policy
        en "no grant of the application covers this script source or language"
        hint "call a script that the grant names, or ask the platform's admins for a grant"
        zh "应用没有该脚本来源或语言的权限"
        hint "请使用授权范围内的脚本，或联系平台管理员授权";
    /// A risk rule of the policy refuses the script.
    ScriptAtRisk = 1649017 "SCRIPT_AT_RISK" FORBIDDEN No Policy
        en "a risk rule of the platform refuses this script"
        hint "`faults` names each rule with its place and what to do; or call a reviewed version of the script"
        zh "脚本命中平台的风险规则"
        hint "faults 列出命中的规则、位置和处理办法；也可改用已审核的脚本版本";
    /// No grant covers the callback.
    CallbackNotAllowed = 1649016 "CALLBACK_NOT_ALLOWED" FORBIDDEN No Policy
        en "no grant of the application covers this callback_url"
        hint "use a URL below one of the granted prefixes, or leave callback_url out"
        zh "应用没有该 callback_url 的权限"
        hint "请使用授权前缀之下的地址，或去掉 callback_url";
    /// A grant covers the call at other hours.
    OutsideHours = 1649019 "OUTSIDE_HOURS" FORBIDDEN No Policy
        en "the grant that covers the call does not hold at this hour"
        hint "`faults` names when it holds next; call then, or ask the platform's admins for other hours"
        zh "当前时间不在授权时段内"
        hint "faults 给出下一个授权时段的开始时间；请届时再调用，或联系平台管理员调整时段";
    /// Calls are spent.
    RateLimitRestriction = 1642903 "RATE_LIMIT_RESTRICTION" TOO_MANY_REQUESTS No Policy
        en "the application calls more often than it may"
        hint "wait for Retry-After; spread the calls"
        zh "应用调用频率超限"
        hint "请按 Retry-After 等待，并分散调用";
    /// Slots are taken.
    ConcurrencyLimitRestriction = 1642904 "CONCURRENCY_LIMIT_RESTRICTION" TOO_MANY_REQUESTS No Policy
        en "too many calls of the application are in flight"
        hint "wait for earlier calls to end"
        zh "应用的并发调用数超限"
        hint "请等待先前的调用结束";
    /// One call touches too many hosts.
    HostsPerCallExceeded = 1649030 "HOSTS_PER_CALL_EXCEEDED" TOO_MANY_REQUESTS No Policy
        en "the call touches more hosts than one call of the application may"
        hint "split the call; repeating it unchanged will not help"
        zh "单次调用的主机数超限"
        hint "请拆分调用；原样重试无效";
    /// Host-runs are spent.
    HostBudgetSpent = 1649031 "HOST_BUDGET_SPENT" TOO_MANY_REQUESTS No Policy
        en "the host budget of the application is spent"
        hint "wait for Retry-After, or ask the platform's admins for more"
        zh "应用的主机执行配额已用完"
        hint "请按 Retry-After 等待，或联系平台管理员提高配额";
    /// The key belongs to another call.
    IdempotencyUnavailable = 1649052 "IDEMPOTENCY_UNAVAILABLE" SERVICE_UNAVAILABLE No Gateway
        en "this gateway keeps no idempotency ledger, so a keyed call cannot be promised to run once"
        hint "leave Idempotency-Key out, and look in JOB before repeating a call whose `executed` is unknown"
        zh "本网关未启用幂等账本，无法保证带幂等键的调用只执行一次"
        hint "请去掉 Idempotency-Key；若 executed 为 unknown，重试前请先在作业平台确认";
    /// The journal takes no records.
    AuditUnavailable = 1649041 "AUDIT_UNAVAILABLE" SERVICE_UNAVAILABLE No Gateway
        en "the call cannot be put on record, so it was not made"
        hint "nothing was run; tell the gateway's operators, then try again"
        zh "审计日志不可写，调用未执行"
        hint "脚本没有执行；请通知网关运维后重试";
    /// The gateway is full, or stopping.
    ServiceUnavailable = 1650300 "SERVICE_UNAVAILABLE" SERVICE_UNAVAILABLE No Gateway
        en "the gateway has no room for the request"
        hint "nothing was run; try again shortly"
        zh "网关暂时没有余量处理请求"
        hint "脚本没有执行，可稍后重试";
    /// A fault of the gateway before anything was sent.
    InternalServerError = 1650001 "INTERNAL_SERVER_ERROR" INTERNAL_SERVER_ERROR No Gateway
        en "a fault of the gateway; the call was not made"
        hint "nothing was run; tell the gateway's operators the request_id"
        zh "网关内部错误，调用未执行"
        hint "脚本没有执行；请将 request_id 告知网关运维";
    /// A fault of the gateway after a byte may have left.
    Aborted = 1649062 "ABORTED" INTERNAL_SERVER_ERROR Unknown Gateway
        en "a fault of the gateway while the call was being made"
        hint "look in JOB before repeating the call; tell the gateway's operators the request_id"
        zh "网关在调用过程中出错"
        hint "重试前请先在作业平台确认是否已执行，并将 request_id 告知网关运维";
    /// No byte left: the ESB cannot be reached.
    UpstreamUnreachable = 1649060 "UPSTREAM_UNREACHABLE" BAD_GATEWAY No Upstream
        en "the ESB cannot be reached; the call was not made"
        hint "nothing was run; try again shortly"
        zh "无法连接 ESB，调用未执行"
        hint "脚本没有执行，可稍后重试";
    /// The answer of the ESB cannot be read.
    BadGateway = 1650200 "BAD_GATEWAY" BAD_GATEWAY Unknown Upstream
        en "the ESB's answer cannot be read"
        hint "look in JOB before repeating the call: it may have been run"
        zh "ESB 的响应无法解析"
        hint "脚本可能已执行，重试前请先在作业平台确认";
    /// The ESB gave no answer in time.
    RequestBackendTimeout = 1650401 "REQUEST_BACKEND_TIMEOUT" GATEWAY_TIMEOUT Unknown Upstream
        en "the ESB gave no answer in time"
        hint "look in JOB before repeating the call: it may have been run"
        zh "ESB 未在限定时间内响应"
        hint "脚本可能已执行，重试前请先在作业平台确认";
    /// The call was made and its outcome could not be written down.
    OutcomeUnrecorded = 1649050 "OUTCOME_UNRECORDED" OK Yes Gateway
        en "the call was made; its outcome could not be put on record"
        hint "do not repeat the call: `data` holds the job; tell the gateway's operators"
        zh "调用已执行，但结果未能写入审计日志"
        hint "请勿重试：data 中有作业信息；请通知网关运维";
}

impl Code {
    /// The number in `code`.
    #[must_use]
    pub fn number(self) -> u32 {
        self.row().number
    }

    /// The name in `code_name`, and the label of metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> StatusCode {
        self.row().status
    }

    /// Whether the call was carried out.
    #[must_use]
    pub fn executed(self) -> Executed {
        self.row().executed
    }

    /// Who can mend it.
    #[must_use]
    pub fn origin(self) -> Origin {
        self.row().origin
    }

    /// What happened.
    #[must_use]
    pub fn message(self) -> Text {
        self.row().message
    }

    /// What to do.
    #[must_use]
    pub fn hint(self) -> Text {
        self.row().hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn one_code_has_one_name_and_every_text() {
        let mut numbers = HashSet::new();
        let mut names = HashSet::new();
        for code in Code::ALL {
            assert!(numbers.insert(code.number()), "{code:?}");
            assert!(names.insert(code.name()), "{code:?}");
            for text in [code.message(), code.hint()] {
                assert!(text.en.is_ascii() && text.en.len() > 10, "{code:?}");
                assert!(!text.zh.is_ascii() && text.zh.chars().count() > 5, "{code:?}");
            }
            assert!(code.name().bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        }
    }

    #[test]
    fn codes_of_our_own_stay_in_the_range_that_is_ours() {
        // The API gateway's codes whose meaning is the same (contract esb §11).
        let bluekings = [
            1640001, 1640004, 1640101, 1640102, 1640301, 1640401, 1641301, 1642903, 1642904,
            1650001, 1650200, 1650300, 1650401,
        ];
        for code in Code::ALL {
            let number = code.number();
            assert!((1_649_000..1_650_000).contains(&number) || bluekings.contains(&number));
        }
    }

    #[test]
    fn only_what_was_sent_can_have_been_executed() {
        for code in Code::ALL {
            let sent = matches!(
                code,
                Code::Aborted
                    | Code::BadGateway
                    | Code::RequestBackendTimeout
                    | Code::OutcomeUnrecorded
            );
            assert_eq!(sent, code.executed() != Executed::No, "{code:?}");
        }
    }
}
