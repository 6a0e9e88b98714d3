//! What hostile and careless callers do to a sound call.

use fastrand::Rng;

use crate::{
    generate::{address, nothing},
    json::{Json, Spelling, named, write},
};

/// Spoils one thing in the tree of the body, or in the identity.
pub fn tree(rng: &mut Rng, call: &mut Json, header: &mut Option<Json>) {
    match rng.u8(..12) {
        0 | 1 => replace(rng, call),
        2 => double(rng, call),
        3 => unknown(rng, call),
        4 => remove(rng, call),
        5 => number(rng, call),
        6 => base64(rng, call),
        7 => identity(rng, call, header),
        8 => rename(rng, call),
        9 => winner(rng, call),
        10 => host(rng, call),
        _ => blank(rng, call),
    }
}

/// Spoils the bytes of the body.
pub fn bytes(rng: &mut Rng, body: &mut Vec<u8>) {
    match rng.u8(..5) {
        0 if !body.is_empty() => {
            let at = rng.usize(..body.len());
            body[at] ^= 1 << rng.u8(..8);
        }
        1 => body.truncate(rng.usize(..=body.len())),
        2 => body.extend([&b"x"[..], b"{}", b",", b"\0", b" \n"][rng.usize(..5)]),
        3 => {
            let lead = [&b"\xef\xbb\xbf"[..], b" ", b"\0", b"[", b"\x0b"][rng.usize(..5)];
            body.splice(..0, lead.iter().copied());
        }
        _ if body.len() > 1 => {
            let at = rng.usize(..body.len());
            let end = (at + rng.usize(1..20)).min(body.len());
            let part = body[at..end].to_vec();
            body.splice(at..at, part);
        }
        _ => {}
    }
}

/// A random object of the tree; deeper ones now and then.
fn some_object<'j>(rng: &mut Rng, json: &'j mut Json) -> Option<&'j mut Vec<(String, Json)>> {
    let Json::Object(members) = json else { return None };
    if rng.u8(..3) > 0 {
        return Some(members);
    }
    let deeper: Vec<usize> = (0..members.len())
        .filter(|index| match &members[*index].1 {
            Json::Object(_) => true,
            Json::List(elements) => matches!(elements.first(), Some(Json::Object(_))),
            Json::Raw(_) | Json::Text(_) => false,
        })
        .collect();
    if deeper.is_empty() {
        return Some(members);
    }
    let index = deeper[rng.usize(..deeper.len())];
    let deeper = &mut members[index].1;
    if let Json::List(elements) = deeper {
        return some_object(rng, elements.first_mut()?);
    }
    some_object(rng, deeper)
}

fn some_member<'j>(rng: &mut Rng, json: &'j mut Json) -> Option<&'j mut (String, Json)> {
    let members = some_object(rng, json)?;
    let count = members.len();
    (count > 0).then(|| &mut members[rng.usize(..count)])
}

fn junk(rng: &mut Rng) -> Json {
    let depth = rng.usize(1..40);
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let raw = [
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.0",
        "2e0",
        "-0",
        "NaN",
        "Infinity",
        "1e400",
        "[]",
        "{}",
        "\"\"",
        "\"true\"",
        "[2]",
        "{\"a\":1}",
        "\"\\ud800\"",
        "18446744073709551616",
        "9223372036854775808",
        "\"\u{ff11}\"",
        "01",
        "'a'",
        "\"a\\u0000b\"",
    ];
    let index = rng.usize(..=raw.len());
    Json::Raw(raw.get(index).map_or(nested, |text| (*text).to_owned()))
}

fn replace(rng: &mut Rng, call: &mut Json) {
    let value = junk(rng);
    if let Some(member) = some_member(rng, call) {
        member.1 = value;
    }
}

fn double(rng: &mut Rng, call: &mut Json) {
    let value = junk(rng);
    let same = rng.bool();
    let twin = rng.bool();
    let Some(members) = some_object(rng, call) else { return };
    if members.is_empty() {
        return;
    }
    let (name, known) = members[rng.usize(..members.len())].clone();
    let value = if same { known } else { value };
    if !twin {
        members.push((name, value));
        return;
    }
    // The same name behind an escape, written raw beside the first member.
    let escaped: String =
        name.chars().map(|c| format!("\\u{:04x}", u32::from(c) & 0xffff)).collect();
    let mut text = Vec::new();
    write(rng, Spelling::Plain, &value, &mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    if let Some((_, first)) = members.first_mut() {
        let mut before = Vec::new();
        write(rng, Spelling::Plain, first, &mut before);
        let before = String::from_utf8_lossy(&before).into_owned();
        *first = Json::Raw(format!("{before},\"{escaped}\":{text}"));
    }
}

fn unknown(rng: &mut Rng, call: &mut Json) {
    let names = [
        "bk_ticket",
        "operator",
        "password",
        "name",
        "jwt",
        "bk_tenant_id",
        "variable",
        "scriptContent",
        "task_nam",
        "x\u{202e}",
        "",
        "a.b",
        "bk_supplier_account",
        "__esb_skip_signature__",
    ];
    let name = names[rng.usize(..names.len())];
    let value = if rng.bool() { junk(rng) } else { Json::Text("x".into()) };
    if let Some(members) = some_object(rng, call) {
        members.push((name.into(), value));
    }
}

fn remove(rng: &mut Rng, call: &mut Json) {
    if let Some(members) = some_object(rng, call)
        && !members.is_empty()
    {
        members.remove(rng.usize(..members.len()));
    }
}

const NUMBERS: [&str; 11] = [
    "bk_biz_id",
    "bk_scope_id",
    "script_version_id",
    "script_language",
    "timeout",
    "account_id",
    "is_param_sensitive",
    "bk_cloud_id",
    "start",
    "type",
    "host_id",
];

fn number(rng: &mut Rng, call: &mut Json) {
    let forms = [
        "2.0",
        "2e0",
        "1.9",
        "\"+2\"",
        "\"02\"",
        "\" 2\"",
        "\"2.0\"",
        "\"1e2\"",
        "\"0x1\"",
        "\"\u{ff12}\"",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "\"-0\"",
        "-0",
        "2",
        "6",
        "86401",
        "\"null\"",
        "\"\u{a0}2\"",
        "\"2\\u0000\"",
        "8000000",
        "9999999",
    ];
    let form = forms[rng.usize(..forms.len())];
    let name = NUMBERS[rng.usize(..NUMBERS.len())];
    let Some(members) = some_object(rng, call) else { return };
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = Json::Raw(form.into()),
        None => members.push((name.into(), Json::Raw(form.into()))),
    }
}

fn base64(rng: &mut Rng, call: &mut Json) {
    let forms = [
        "!!!!",
        "X==Y",
        "ZWNobyAx====",
        "ZWNobyAkM",
        "YR==",
        "echo hi",
        "====",
        "YQ== Yg==",
        "YQ==YQ==",
        "/w==",
        "ZWNob\u{ff0b}",
        "AA==",
        "Cg==",
        "YQpi",
        "DQ==",
        "ZQ=",
        "ZQ\u{a0}==",
        "ZQ==\n",
        "\nZQ==",
    ];
    let form = forms[rng.usize(..forms.len())];
    let name = if rng.bool() { "script_content" } else { "script_param" };
    let Json::Object(members) = call else { return };
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = Json::Text(form.into()),
        None => members.push(named(name, form)),
    }
}

fn identity(rng: &mut Rng, call: &mut Json, header: &mut Option<Json>) {
    let (name, value) = [
        ("bk_username", "root"),
        ("bk_username", "svc_deploy"),
        ("bk_username", ""),
        ("bk_username", "张三"),
        ("bk_token", "token-canary-alice"),
        ("bk_token", " token-canary-alice "),
        ("bk_token", "forged"),
        ("bk_app_code", "narrow_app"),
        ("bk_app_code", "x/../open_app"),
        ("bk_app_secret", "open-app-key-canary"),
        ("username", "root"),
        ("app_code", "open_app"),
        ("app_secret", "k"),
        ("access_token", "t"),
        ("bk_access_token", "t"),
        ("bk_signature", "t"),
    ][rng.usize(..16)];
    if rng.u8(..16) == 0 {
        *header = Some(
            [Json::Raw("null".into()), Json::List(vec![]), Json::Object(vec![])][rng.usize(..3)]
                .clone(),
        );
        return;
    }
    let place = match header {
        Some(header) if rng.bool() => header,
        Some(_) | None => call,
    };
    let Json::Object(members) = place else { return };
    let value = match rng.u8(..6) {
        0 => junk(rng),
        _ => Json::Text(value.into()),
    };
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) if rng.bool() => *old = value,
        Some(_) | None => members.push((name.into(), value)),
    }
}

fn rename(rng: &mut Rng, call: &mut Json) {
    let form = rng.u8(..4);
    if let Some((name, _)) = some_member(rng, call) {
        match form {
            0 => *name = name.to_uppercase(),
            1 => name.push(' '),
            2 => *name = name.replace('_', "-"),
            _ => name.insert(0, '\u{feff}'),
        }
    }
}

/// Adds a field that wins over, or loses against, one that is there.
fn winner(rng: &mut Rng, call: &mut Json) {
    let Json::Object(members) = call else { return };
    let (name, value) = [
        ("script_version_id", "9"),
        ("script_version_id", "0"),
        ("script_id", "\"other\""),
        ("script_id", "\"\\u0007\""),
        ("script_content", "\"ZXZpbA==\""),
        ("account_id", "5"),
        ("account_alias", "\"root\""),
        ("bk_biz_id", "3"),
        ("bk_scope_type", "\"biz\""),
        ("bk_scope_id", "\"3\""),
    ][rng.usize(..10)];
    if !members.iter().any(|(known, _)| known == name) {
        members.insert(rng.usize(..=members.len()), (name.into(), Json::Raw(value.into())));
    }
}

fn host(rng: &mut Rng, call: &mut Json) {
    let ips =
        ["10.0.0.01", " 10.0.0.1", "10.0.0", "0x0a.0.0.1", "::1", "10.0.0.256", "", "１0.0.0.1"];
    let ip = ips[rng.usize(..ips.len())];
    let Json::Object(members) = call else { return };
    let Some((_, Json::Object(lists))) = members.iter_mut().find(|(n, _)| n == "target_server")
    else {
        return;
    };
    let list = match lists.iter_mut().find(|(name, _)| name == "ip_list") {
        Some((_, Json::List(list))) => list,
        _ => return,
    };
    match rng.u8(..4) {
        0 => list.push(Json::Raw("null".into())),
        1 => list.push(address(rng)),
        2 => list.clear(),
        _ => {
            if let Some(Json::Object(host)) = list.first_mut() {
                host.retain(|(name, _)| name != "ip");
                host.push(named("ip", ip));
            }
        }
    }
}

fn blank(rng: &mut Rng, call: &mut Json) {
    let value = nothing(rng);
    if let Some(member) = some_member(rng, call) {
        member.1 = value;
    }
}
