//! The ESB's own errors: one row each of code, message, HTTP status, and whether the answer shows a request id.

use std::borrow::Cow;

/// An error that the ESB answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EsbError {
    /// Neither an app secret nor a signature came.
    NoProof,
    /// No app code came.
    NoAppCode,
    /// The secret does not match; the message is "ok", as bkauth's is echoed.
    WrongSecret,
    /// bkauth knows no such application.
    UnknownApp,
    /// bkauth cannot be reached.
    BkauthDown,
    /// The query is signed, and the signature does not verify (a POST's never does).
    BadSignature,
    /// Nothing names a user that this application may name.
    NoUser,
    /// The login service does not know the token.
    BadToken,
    /// `bk_access_token` is not known.
    BadBkAccessToken,
    /// `access_token` does not verify.
    BadAccessToken,
    /// An unexpected exception in the component.
    Component,
    /// The body starts as JSON and is none.
    MalformedJson,
    /// `X-Bkapi-Authorization` is no JSON.
    BadAuthHeader,
    /// `X-Bkapi-JWT` does not verify.
    BadJwt,
    /// The application has no right to the component.
    NoPermission,
    /// The channel is switched off.
    InactiveChannel,
    /// The self-service door is shut.
    InactiveBuffet,
    /// The channel names a component class that is not there.
    ClassMissing,
    /// The login service answers nothing usable.
    LoginDown,
    /// JOB did not answer in 30 s; it may have run the job.
    JobTimeout,
    /// JOB refused the connection.
    JobRefused,
    /// JOB answered nothing usable; it may have run the job.
    JobUnreadable,
    /// JOB could not take the user's name.
    JobUserName,
    /// TLS towards JOB failed; it may have run the job.
    JobTls,
    /// There is no host for this environment, as under `X-Use-Test-Env`.
    HostMissing,
    /// The path or the method is not known: HTTP 404 without a code.
    NotFound,
    /// A crash outside the handler: HTTP 500 without a code.
    Crash,
    /// Any code and message, as JOB or the ESB would answer it.
    Other {
        /// `code`.
        code: i64,
        /// `message`.
        message: String,
    },
}

/// How an error looks on the wire.
pub(super) struct Row<'a> {
    pub(super) status: u16,
    pub(super) code: Option<i64>,
    pub(super) message: Cow<'a, str>,
    pub(super) shows_request_id: bool,
}

impl EsbError {
    /// Whether JOB may have run the job before this is answered.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        matches!(self, Self::JobTimeout | Self::JobUnreadable | Self::JobTls)
    }

    /// `code` of the answer, if it has one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.row("").code
    }

    pub(super) fn row(&self, component: &str) -> Row<'_> {
        match self {
            Self::NoProof => known(1_306_000, NO_PROOF),
            Self::NoAppCode => known(1_306_000, "APP Code [bk_app_code] cannot be empty"),
            Self::WrongSecret => known(1_306_000, "ok"),
            Self::UnknownApp => known(1_306_000, "bkauth: App not found"),
            Self::BkauthDown => known(1_306_000, "request bkauth api error, please try again"),
            Self::BadSignature => known(1_306_000, "Signature [bk_signature] is not valid"),
            Self::NoUser => known(1_306_000, NO_USER),
            Self::BadToken => known(1_306_000, BAD_TOKEN),
            Self::BadBkAccessToken => known(1_306_000, BAD_BK_ACCESS_TOKEN),
            Self::BadAccessToken => known(1_306_000, "verify access_token failed, it is invalid"),
            Self::Component => known(1_306_000, COMPONENT),
            Self::MalformedJson => early(1_306_000, MALFORMED_JSON),
            Self::BadAuthHeader => early(1_306_406, BAD_AUTH_HEADER),
            Self::BadJwt => early(1_306_408, "APIGateway JWT verification failed, it is invalid"),
            Self::NoPermission => known(1_306_403, "APP permission is insufficient, apply for it"),
            Self::InactiveChannel => early(1_306_405, "Not found, inactive channel"),
            Self::InactiveBuffet => early(1_306_405, "Not found, inactive buffet component"),
            Self::ClassMissing => early(1_306_404, CLASS_MISSING),
            Self::LoginDown => third_party("BK_LOGIN", "is_login", "Connection refused"),
            Self::JobTimeout => third_party("JOBV3", component, JOB_TIMEOUT),
            Self::JobRefused => third_party("JOBV3", component, "Connection refused"),
            Self::JobUnreadable => third_party("JOBV3", component, JOB_UNREADABLE),
            Self::JobUserName => third_party("JOBV3", component, JOB_USER_NAME),
            Self::JobTls => {
                let row = third_party("JOBV3", component, "SSL error: EOF occurred");
                Row { code: Some(1_306_203), ..row }
            }
            Self::HostMissing => known(1_306_206, HOST_MISSING),
            Self::NotFound => bare(404, "The content does not exist"),
            Self::Crash => bare(500, "Request is abnormal, please contact the developer"),
            Self::Other { code, message } => known(*code, message),
        }
    }
}

const NO_PROOF: &str =
    "Signature [bk_signature] and APP Secret [bk_app_secret] cannot be empty at the same time";
const NO_USER: &str = "User authentication failed, please provide a valid user identity, such as bk_token, bk_username";
const BAD_TOKEN: &str = "User authentication failed, please check if the bk_token is valid";
const BAD_BK_ACCESS_TOKEN: &str =
    "The specified user TOKEN [bk_access_token] does not exist or has expired";
const COMPONENT: &str = "Component error, please contact the component developer to handle it.";
const MALFORMED_JSON: &str = "Request JSON string is wrong in format, which cannot be analyzed.";
const BAD_AUTH_HEADER: &str =
    "Parameters error, request header X-Bkapi-Authorization is not a valid JSON format string";
const CLASS_MISSING: &str =
    "Not found, component class not found, please contact the component developer to handle it.";
const JOB_TIMEOUT: &str = "Request timed out, it exceeds 30 seconds, please try again later";
const JOB_UNREADABLE: &str = "Status Code: 500, the response is not a valid JSON format string";
/// The real one gives internal addresses away as well.
const JOB_USER_NAME: &str =
    "Invalid header value for Bk-Username, request to https://job-gateway.internal/api/job/v3";
const HOST_MISSING: &str = "Error, the component does not support this environment";

fn third_party<'a>(system: &str, interface: &str, error: &str) -> Row<'a> {
    let message = format!(
        "Component request third-party system [{system}] interface [{interface}] error: {error}"
    );
    Row { message: message.into(), ..known(1_306_201, "") }
}

fn known(code: i64, message: &str) -> Row<'_> {
    Row { status: 200, code: Some(code), message: message.into(), shows_request_id: true }
}

fn early(code: i64, message: &str) -> Row<'_> {
    Row { shows_request_id: false, ..known(code, message) }
}

fn bare(status: u16, message: &str) -> Row<'_> {
    Row { status, code: None, message: message.into(), shows_request_id: false }
}
