//! Calls, from a seed: a sound one over the whole table of fields, spelled in one of the ways that are
//! taken; then, in about half of the cases, spoiled.

use fastrand::Rng;
use http::HeaderValue;

use crate::{
    json::{Json, Spelling, named, object, write},
    policy::{Account, DROPPING, EXEMPT, NARROW, OPEN, TOKENS},
    sent::encode,
    spoil,
};

/// What a caller sends.
#[derive(Debug)]
pub struct Request {
    pub headers: Vec<(&'static str, HeaderValue)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }
}

/// The call with this number of the run with this seed.
pub fn request(seed: u64, case: u64) -> Request {
    // Weyl's sequence keeps the generators of neighbours apart.
    let mut rng = Rng::with_seed(seed ^ case.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let rng = &mut rng;
    let mut call = call(rng);
    let mut header = identify(rng, &mut call);
    rng.shuffle(&mut call);
    let mut call = Json::Object(call);
    let spoils = if rng.u8(..100) < 62 { 0 } else { rng.usize(1..=3) };
    for _ in 0..spoils {
        spoil::tree(rng, &mut call, &mut header);
    }
    let mut body = Vec::new();
    write(rng, Spelling::Varied, &call, &mut body);
    if spoils > 0 && rng.u8(..5) == 0 {
        spoil::bytes(rng, &mut body);
    }
    let mut headers = Vec::new();
    if let Some(header) = header {
        let mut text = Vec::new();
        write(rng, Spelling::Varied, &header, &mut text);
        text.retain(|byte| !matches!(byte, b'\r' | b'\n'));
        headers
            .extend(HeaderValue::from_bytes(&text).map(|value| ("x-bkapi-authorization", value)));
    }
    if rng.u8(..40) == 0 {
        let token = TOKENS[rng.usize(..2)].0;
        headers.extend(HeaderValue::try_from(format!("bk_token={token}")).map(|v| ("cookie", v)));
    }
    Request { headers, body }
}

fn identify(rng: &mut Rng, call: &mut Vec<(String, Json)>) -> Option<Json> {
    let account: &Account = match rng.u8(..20) {
        0..10 => &OPEN,
        10..18 => &DROPPING,
        _ => &NARROW,
    };
    let mut keys = vec![named("bk_app_code", account.app), named("bk_app_secret", account.key)];
    match rng.u8(..10) {
        0..4 => keys.push(named("bk_token", TOKENS[rng.usize(..TOKENS.len())].0)),
        4..8 => keys.push(named("bk_username", EXEMPT[rng.usize(..EXEMPT.len())])),
        // BlueKing's own helper sends both.
        8 => {
            let (token, user) = TOKENS[rng.usize(..TOKENS.len())];
            keys.extend([named("bk_token", token), named("bk_username", user)]);
        }
        _ => keys.extend([
            named("bk_token", ""),
            named("bk_username", EXEMPT[rng.usize(..EXEMPT.len())]),
        ]),
    }
    if rng.bool() {
        if rng.u8(..30) == 0 {
            // The application in the header, the user in the body.
            call.extend(keys.split_off(2));
        } else if rng.u8(..8) == 0 {
            call.extend(keys.iter().take(rng.usize(..=keys.len())).cloned());
        }
        return Some(Json::Object(keys));
    }
    call.extend(keys);
    None
}

fn call(rng: &mut Rng) -> Vec<(String, Json)> {
    let mut call = Vec::with_capacity(16);
    business(rng, &mut call);
    script(rng, &mut call);
    account(rng, &mut call);
    call.push(("target_server".into(), target(rng)));
    let sometimes = |rng: &mut Rng, name: &str, value: Json, call: &mut Vec<_>| {
        if rng.u8(..3) == 0 {
            call.push((name.to_owned(), value));
        }
    };
    let param = param(rng);
    sometimes(rng, "script_param", param, &mut call);
    let seconds = [1, 60, 1000, 7200, 86_400, 259_200][rng.usize(..6)];
    let timeout = integer(rng, seconds);
    sometimes(rng, "timeout", timeout, &mut call);
    let sensitive = integer_of(rng, &[0, 1]);
    sometimes(rng, "is_param_sensitive", sensitive, &mut call);
    let name = words(rng);
    sometimes(rng, "task_name", name, &mut call);
    let callback = Json::Text(CALLBACKS[rng.usize(..CALLBACKS.len())].into());
    sometimes(rng, "callback_url", callback, &mut call);
    if rng.bool() {
        newer(rng, &mut call);
    }
    for name in ["start", "length"] {
        if rng.u8(..20) == 0 {
            call.push((name.into(), integer_of(rng, &[0, 10, -1])));
        }
    }
    for name in ["timeout", "task_name", "script_id", "script_param", "account_id"] {
        if rng.u8(..30) == 0 && !call.iter().any(|(known, _)| known == name) {
            call.push((name.into(), nothing(rng)));
        }
    }
    call
}

const CALLBACKS: [&str; 9] = [
    "https://ci.example.com/job/1",
    "https://ci.example.com/job/2?a=b",
    "https://ci.example.com/job/3/",
    "HTTPS://CI.example.com:443/job/./a/../2?token=s3cret&x=/../",
    "http://ci.example.com:80/",
    "http://ci.example.com?q",
    "https://ci.example.com/job/%20x#end",
    "https://elsewhere.example.com/job/1",
    "",
];

const BUSINESSES: [i64; 7] = [1, 2, 2, 3, 8_000_001, 9_007_199_254_740_993, i64::MAX];

fn business(rng: &mut Rng, call: &mut Vec<(String, Json)>) {
    let id = BUSINESSES[rng.usize(..BUSINESSES.len())];
    let kind = match id {
        8_000_000..=9_999_999 => "biz_set",
        _ if rng.u8(..8) == 0 => "tenant_set",
        _ => "biz",
    };
    let both = rng.u8(..10) == 0 && kind != "tenant_set";
    if both || (kind != "tenant_set" && rng.u8(..4) > 0) {
        let exact = if rng.u8(..4) == 0 { quoted(id) } else { Json::Raw(id.to_string()) };
        call.push(("bk_biz_id".into(), exact));
    }
    if both || !call.iter().any(|(name, _)| name == "bk_biz_id") {
        let id = if rng.bool() { quoted(id) } else { Json::Raw(id.to_string()) };
        call.extend([named("bk_scope_type", kind), ("bk_scope_id".into(), id)]);
    } else if rng.u8(..10) == 0 {
        call.push(("bk_scope_id".into(), nothing(rng)));
    }
}

fn script(rng: &mut Rng, call: &mut Vec<(String, Json)>) {
    let winner = rng.u8(..10);
    if winner < 2 || (winner < 3 && rng.bool()) {
        let version = integer_of(rng, &[1, 7, i64::MAX]);
        call.push(("script_version_id".into(), version));
    }
    if (1..4).contains(&winner) {
        let id = if rng.u8(..6) == 0 {
            Json::Raw("42".into())
        } else {
            Json::Text(or_wide_blank(rng, "s-网页").into())
        };
        call.push(("script_id".into(), id));
    }
    if winner >= 3 || rng.bool() {
        call.push(("script_content".into(), Json::Text(content(rng))));
        call.push(("script_language".into(), integer_of(rng, &[1, 2, 3, 4, 5])));
    }
}

fn content(rng: &mut Rng) -> String {
    let lines =
        ["echo $1\n", "rm -rf /tmp/x\r\n", "print('你好')\n", "exit 0", " \t\n", "?>~\u{7f}"];
    let text: String = (0..rng.usize(1..6)).map(|_| lines[rng.usize(..lines.len())]).collect();
    respell(rng, encode(text.as_bytes()), true)
}

/// Base64 in one of the spellings that JOB decodes alike.
fn respell(rng: &mut Rng, mut text: String, blanks: bool) -> String {
    match rng.u8(..12) {
        0 => text = text.replace('+', "-").replace('/', "_"),
        1 => text = text.trim_end_matches('=').to_owned(),
        2 => text.insert(text.len() / 2, '\n'),
        3 => text.push_str("\r\n"),
        4 if blanks => text.insert(text.len() / 3, ' '),
        5 if blanks => text.insert_str(0, "\t "),
        6 => text = text.replacen('+', "-", 1),
        _ => {}
    }
    text
}

fn param(rng: &mut Rng) -> Json {
    let texts =
        ["a b", "--name '张 三'", "x", "a\tb", "one\n", "two\r\n", "\u{a0}", "1 2 3 4 5 6 7 8"];
    let text = texts[rng.usize(..texts.len())];
    let text = encode(or_wide_blank(rng, text).as_bytes());
    Json::Text(respell(rng, text, false))
}

fn account(rng: &mut Rng, call: &mut Vec<(String, Json)>) {
    let which = rng.u8(..4);
    if which == 0 || which == 1 {
        call.push(("account_id".into(), integer_of(rng, &[1, 1000, 1000])));
    }
    if which > 0 {
        let alias = ["root", "www", "www", "部署", "a\u{301} b"][rng.usize(..5)];
        call.push(named("account_alias", or_wide_blank(rng, alias)));
        if which == 3 && rng.u8(..4) == 0 {
            call.push(("account_id".into(), integer_of(rng, &[0, -1])));
        }
    }
}

fn target(rng: &mut Rng) -> Json {
    let mut lists = Vec::new();
    let kinds = if rng.u8(..4) == 0 { rng.u8(1..16) } else { 1 };
    if kinds & 1 > 0 {
        let count = if rng.u16(..3000) == 0 { 1001 } else { rng.usize(1..4) };
        let hosts = (0..count).map(|_| address(rng)).collect();
        lists.push(("ip_list".into(), Json::List(hosts)));
    }
    if kinds & 2 > 0 {
        let ids = (0..rng.usize(0..4)).map(|_| integer_of(rng, &[1, 2, 9_007_199_254_740_993]));
        let ids: Vec<_> = ids.collect();
        if !ids.is_empty() || kinds != 2 {
            lists.push(("host_id_list".into(), Json::List(ids)));
        }
    }
    if kinds & 4 > 0 {
        let id = if rng.u8(..4) == 0 { Json::Raw("5".into()) } else { named("", "grp:一").1 };
        lists.push(("dynamic_group_list".into(), Json::List(vec![object([("id", id)])])));
    }
    if kinds & 8 > 0 {
        let id = integer_of(rng, &[7, 8]);
        let node = object([("id", id), ("node_type", named("", "module").1)]);
        lists.push(("topo_node_list".into(), Json::List(vec![node])));
    }
    if rng.u8(..20) == 0 {
        let name = ["ip_list", "host_id_list", "dynamic_group_list"][rng.usize(..3)];
        if !lists.iter().any(|(known, _)| known == name) {
            lists.push((name.into(), Json::Raw("null".into())));
        }
    }
    rng.shuffle(&mut lists);
    Json::Object(lists)
}

pub fn address(rng: &mut Rng) -> Json {
    let ip = format!("10.0.{}.{}", rng.u8(..2), rng.u8(..4));
    let ip = if rng.u8(..12) == 0 { "192.168.255.0".into() } else { ip };
    let cloud = if rng.u8(..6) == 0 { rng.i64(0..=i64::MAX) } else { 0 };
    let mut host = vec![("bk_cloud_id".into(), integer(rng, cloud)), named("ip", &ip)];
    rng.shuffle(&mut host);
    Json::Object(host)
}

fn newer(rng: &mut Rng, call: &mut Vec<(String, Json)>) {
    if rng.u8(..6) == 0 {
        let values = ["true", "false", "\"true\"", "\"false\""];
        call.push(("start_task".into(), Json::Raw(values[rng.usize(..4)].into())));
    }
    if rng.u8(..6) == 0 {
        call.push(named(
            "windows_interpreter",
            ["C:\\py\\python.exe", "a.exe", " a b.exe ", "a.exe\u{3000}"][rng.usize(..4)],
        ));
    }
    if rng.u8(..6) == 0 {
        call.push(("rolling_config".into(), rolling(rng)));
    }
    if rng.u8(..6) == 0 {
        let entries = (0..rng.usize(0..3)).map(|_| password(rng)).collect();
        call.push(("host_password_list".into(), Json::List(entries)));
    }
}

fn rolling(rng: &mut Rng) -> Json {
    let mut config = Vec::new();
    if rng.bool() {
        config.push(("type".into(), integer(rng, 1)));
    }
    if rng.bool() {
        config.push(("mode".into(), integer_of(rng, &[1, 2, 3])));
    }
    let expression = ["10", "25% 50%", "1 +5 *2 100%", " 3  4 "][rng.usize(..4)];
    config.push(named("expression", expression));
    if rng.bool() {
        config.push(("execution_mode".into(), integer_of(rng, &[1, 2])));
        config.push(("batch_start_wait_fixed_ms".into(), integer_of(rng, &[0, 500])));
        config.push(("batch_start_wait_random_min_ms".into(), integer(rng, 1)));
        config.push(("batch_start_wait_random_max_ms".into(), integer_of(rng, &[1, 3_600_000])));
    }
    Json::Object(config)
}

fn password(rng: &mut Rng) -> Json {
    let mut entry = Vec::new();
    if rng.bool() {
        entry.push(("host_id".into(), integer_of(rng, &[1, 2])));
    }
    if entry.is_empty() || rng.u8(..4) == 0 {
        let Json::Object(host) = address(rng) else { unreachable!() };
        entry.extend(host);
    }
    entry.push(named("encrypted_password", ["cGFzc3dvcmQ=", "p\"w\\密码"][rng.usize(..2)]));
    Json::Object(entry)
}

fn words(rng: &mut Rng) -> Json {
    let long = "长".repeat(rng.usize(257..=512));
    let texts = ["nightly", "发布 2027", "a\u{202e}b\u{2028}\n", "\"\\/\u{8}", &long, "x😀y", "7"];
    match rng.usize(..=texts.len()) {
        7 => Json::Raw(rng.i64(..).to_string()),
        index => Json::Text(or_wide_blank(rng, texts[index]).into()),
    }
}

/// `text`, or now and then something that is blank to Java alone.
fn or_wide_blank<'t>(rng: &mut Rng, text: &'t str) -> &'t str {
    let blanks = ["\u{3000}", "\u{2003} ", "\u{1c}"];
    if rng.u8(..40) == 0 { blanks[rng.usize(..3)] } else { text }
}

/// What counts as absent.
pub fn nothing(rng: &mut Rng) -> Json {
    Json::Raw(["null", "\"\"", "\" \"", "\"\\t\\n\""][rng.usize(..4)].into())
}

fn quoted(number: i64) -> Json {
    Json::Text(number.to_string())
}

/// An integer, or its text, blanks around it or not.
fn integer(rng: &mut Rng, value: i64) -> Json {
    match rng.u8(..10) {
        0 => quoted(value),
        1 => Json::Text(format!(" {value}\t")),
        _ => Json::Raw(value.to_string()),
    }
}

fn integer_of(rng: &mut Rng, values: &[i64]) -> Json {
    let value = values[rng.usize(..values.len())];
    integer(rng, value)
}
