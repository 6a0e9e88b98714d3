//! Checks of the tests: a name that nobody has would make a test that passes for the wrong reason.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    net::IpAddr,
};

use esbgate_core::UNFOLDABLE;
use esbgate_model::{Code, Component};
use jiff::Timestamp;

use crate::{
    body::{self, BodyFault},
    call::{Call, component},
    node::{Place, Spanned},
    policy_document::PolicyDocument,
    policy_spec::{AllowedSpec, ExpectSpec, TestCallSpec, TestSpec},
    policy_test::{Expect, ExpectedVerdict, PolicyTest},
    problem::{Faults, Problem, Warning, named, nearest},
    test_document::{TestDocument, TestPiece},
};

/// Most tests of a policy: a reload runs them all.
const MOST: usize = 10_000;

/// Compiles the tests of all files.
pub(crate) fn tests(
    document: &PolicyDocument,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) -> Vec<PolicyTest> {
    let mut names = HashMap::new();
    let mut compiled = Vec::new();
    for file in &document.tests {
        let mut faults = Faults::new(&file.texts);
        faults.problems.clone_from(&file.problems);
        for piece in &file.tests {
            once(file, &piece.spec.value.name, &mut names, &mut faults);
            compiled.extend(test(piece, document, &mut faults));
        }
        match faults.end(()) {
            Ok(((), more)) => warnings.extend(more),
            Err(more) => problems.extend(more),
        }
    }
    if compiled.len() > MOST {
        let last = document.tests.iter().flat_map(|file| &file.tests).last();
        let place = last.map_or_else(Place::default, |piece| piece.spec.place);
        let file = document.tests.last().map_or("", |file| file.texts.name(place));
        problems.push(Problem::of_file(file, format!("a policy has at most {MOST} tests")));
    }
    compiled
}

fn once<'d>(
    file: &'d TestDocument,
    name: &'d Spanned<String>,
    names: &mut HashMap<&'d str, (&'d TestDocument, Place)>,
    faults: &mut Faults<'_>,
) {
    match names.entry(&name.value) {
        Entry::Vacant(free) => {
            free.insert((file, name.place));
        }
        Entry::Occupied(first) => {
            let (file, place) = first.get();
            let told = file.texts.told(*place);
            faults.add(name, "tests", format!("the test at {told} has this name already"));
        }
    }
}

fn test(
    piece: &TestPiece,
    document: &PolicyDocument,
    faults: &mut Faults<'_>,
) -> Option<PolicyTest> {
    let TestSpec { name, at, call, expect } = &piece.spec.value;
    let when = instant(at, faults);
    let expected = expectation(expect, call, document, faults);
    let call = described(piece, call, faults);
    let (at, call, expect) = (when?, call?, expected?);
    let place = piece.spec.place;
    let file = faults.texts.name(place).into();
    let (line, column) = (place.line, place.column);
    Some(PolicyTest { name: name.value.as_str().into(), file, line, column, at, call, expect })
}

fn instant(text: &Spanned<String>, faults: &mut Faults<'_>) -> Option<Timestamp> {
    let Ok(at) = text.value.parse() else {
        let hint = "a test has a time of its own, with zone, such as 2027-01-04T10:00+08:00";
        faults.hinted(text, "tests", "at is no instant with a zone", Some(hint.into()));
        return None;
    };
    Some(at)
}

fn described(piece: &TestPiece, call: &TestCallSpec, faults: &mut Faults<'_>) -> Option<Call> {
    let asked = match component(call.component.as_ref().map(|name| name.value.as_str())) {
        Ok(component) => Some(component),
        Err(hint) => {
            let at = call.component.as_ref().unwrap_or(&call.app);
            faults.hinted(at, "tests", "unknown component", hint);
            None
        }
    };
    let peer = call.peer.as_ref().map(|text| {
        let address: Option<IpAddr> = text.value.parse().ok();
        address.or_else(|| faults.none(text, "tests", "expected an address such as 192.0.2.1"))
    });
    let body = contents(piece, call, asked, faults);
    Some(Call {
        app: call.app.value.clone(),
        user: call.user.value.clone(),
        proof: call.proof,
        peer: peer.map_or(Some(None), |address| address.map(Some))?,
        component: asked?,
        body: body?,
    })
}

fn contents(
    piece: &TestPiece,
    call: &TestCallSpec,
    asked: Option<Component>,
    faults: &mut Faults<'_>,
) -> Option<Vec<u8>> {
    let runs = asked.is_none_or(|component| component == Component::fast_execute_script());
    if let Some(script) = call.script.as_ref().filter(|_| !runs) {
        return faults.none(script, "tests", "only fast_execute_script takes a script");
    }
    if piece.body.is_none() && !runs {
        let hint = Some("add body: with the component's parameters".into());
        faults.hinted(&call.app, "tests", "a call of this component needs a body", hint);
        return None;
    }
    let script = call.script.as_ref().map(|text| text.value.as_str());
    body::json(piece.body.as_ref(), script)
        .map_err(|fault| match (fault, &call.script, &piece.body) {
            (BodyFault::TwoScripts | BodyFault::ScriptBesideText, Some(script), _) => {
                faults.add(script, "tests", fault.text());
            }
            (_, _, Some(body)) => {
                let at = Spanned { place: body.place, value: () };
                faults.add(&at, "tests", fault.text());
            }
            (_, _, None) => faults.add(&call.app, "tests", fault.text()),
        })
        .ok()
}

fn expectation(
    expect: &Spanned<ExpectSpec>,
    call: &TestCallSpec,
    document: &PolicyDocument,
    faults: &mut Faults<'_>,
) -> Option<Expect> {
    let said = &expect.value;
    let verdict = match (&said.allowed, &said.refused) {
        (Some(allowed), None) => Some(allowing(allowed, call, document, faults)),
        (None, Some(code)) => refusing(code, faults),
        (Some(_), Some(_)) | (None, None) => {
            let hint = Some("write allowed: with true or a rule, or refused: with a code".into());
            faults.hinted(expect, "tests", "a test expects one of allowed and refused", hint);
            None
        }
    };
    known_app(call, verdict.as_ref(), document, faults);
    if let (Some(paths), Some(_)) = (&said.faults, &said.allowed) {
        faults.add(paths, "tests", "a call that is allowed has no faults");
    }
    if let (Some(hosts), Some(_)) = (&said.host_runs, &said.refused) {
        faults.add(hosts, "tests", "a call that is refused counts as no host-runs");
    }
    Some(Expect {
        verdict: verdict?,
        faults: said.faults.as_ref().map(|paths| paths.value.iter().cloned().collect()),
        host_runs: said.host_runs.as_ref().map(|hosts| hosts.value),
        risk: said.risk.as_ref().map(|ids| risks(ids, document, faults)),
    })
}

fn allowing(
    allowed: &Spanned<AllowedSpec>,
    call: &TestCallSpec,
    document: &PolicyDocument,
    faults: &mut Faults<'_>,
) -> ExpectedVerdict {
    let AllowedSpec::Rule(rule) = &allowed.value else { return ExpectedVerdict::Allowed };
    if let Some(app) = document.apps.get(&call.app.value) {
        let rules = || app.rules.iter().map(|known| known.value.name.value.as_str());
        if document.is_whole() && !rules().any(|known| known == rule) {
            let message = format!("{} has no such rule", named(&call.app.value));
            faults.hinted(allowed, "tests", message, nearest(rule, rules()));
        }
    }
    ExpectedVerdict::AllowedBy(rule.as_str().into())
}

fn refusing(code: &Spanned<String>, faults: &mut Faults<'_>) -> Option<ExpectedVerdict> {
    let found = Code::ALL.iter().find(|known| known.name() == code.value);
    if found.is_none() {
        let known = Code::ALL.iter().map(|known| known.name());
        faults.hinted(code, "tests", "unknown code", nearest(&code.value, known));
    }
    found.map(|code| ExpectedVerdict::Refused(*code))
}

/// A stranger is worth a test where it is expected to be one.
fn known_app(
    call: &TestCallSpec,
    verdict: Option<&ExpectedVerdict>,
    document: &PolicyDocument,
    faults: &mut Faults<'_>,
) {
    let stranger = verdict == Some(&ExpectedVerdict::Refused(Code::AppVerifyFailed));
    if document.apps.contains_key(&call.app.value) || stranger || !document.is_whole() {
        return;
    }
    let known = document.apps.keys().map(String::as_str);
    let hint = nearest(&call.app.value, known)
        .unwrap_or_else(|| "a stranger is expected as refused: APP_VERIFY_FAILED".into());
    faults.hinted(&call.app, "tests", "unknown application", Some(hint));
}

fn risks(
    ids: &[Spanned<String>],
    document: &PolicyDocument,
    faults: &mut Faults<'_>,
) -> BTreeSet<String> {
    let known = || document.risk_ids().chain([UNFOLDABLE]);
    let unknown =
        |id: &&Spanned<String>| document.is_whole() && !known().any(|one| one == id.value);
    for id in ids.iter().filter(unknown) {
        faults.hinted(id, "tests", "unknown risk rule", nearest(&id.value, known()));
    }
    ids.iter().map(|id| id.value.clone()).collect()
}
