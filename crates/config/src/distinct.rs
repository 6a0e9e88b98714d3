//! What may stand only once in a policy, because a call must point at one application and a token at one issuer.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    policy_document::PolicyDocument,
    policy_spec::{CertificateSpec, ProofSpec},
    problem::{Faults, named},
};

/// Reports what stands twice.
pub(crate) fn distinct(document: &PolicyDocument, faults: &mut Faults<'_>) {
    issuers(document, faults);
    codes(document, faults);
    proofs(document, faults);
}

fn issuers(document: &PolicyDocument, faults: &mut Faults<'_>) {
    let mut seen = HashMap::new();
    for (name, spec) in &document.issuers {
        let Some(spec) = spec else { continue };
        let said = &spec.value;
        match seen.entry((said.header, said.issuer.value.as_str())) {
            Entry::Vacant(free) => {
                free.insert(name);
            }
            Entry::Occupied(first) => {
                let first = named(first.get());
                let message = format!("{first} has this issuer in this header already");
                let hint = Some("one issuer has one record; a jwks file holds several keys".into());
                faults.hinted(&said.issuer, &format!("issuers.{}", named(name)), message, hint);
            }
        }
    }
}

fn codes(document: &PolicyDocument, faults: &mut Faults<'_>) {
    let mut seen = HashMap::new();
    for (code, one) in &document.apps {
        match seen.entry(code.to_ascii_lowercase()) {
            Entry::Vacant(free) => {
                free.insert(code);
            }
            Entry::Occupied(first) => {
                let first = named(first.get());
                let message = format!("the code differs from {first} in case alone");
                faults.add(&one.code, &format!("apps.{}", named(code)), message);
            }
        }
    }
}

/// A key or a certificate of two applications proves neither; twice in one it is an oversight.
fn proofs(document: &PolicyDocument, faults: &mut Faults<'_>) {
    let (mut keys, mut names) = (HashMap::new(), HashMap::new());
    let proofs = document.apps.iter().filter_map(|(code, one)| Some((code, one.spec.as_ref()?)));
    for (code, proof) in proofs.flat_map(|(code, spec)| spec.proofs.iter().map(move |p| (code, p)))
    {
        let (what, text, first) = match proof {
            ProofSpec::Jwt(_) => continue,
            ProofSpec::Key(key) => {
                let hash = key.sha256.value.to_ascii_lowercase();
                ("key", &key.sha256, keys.insert(hash, code))
            }
            ProofSpec::Certificate(CertificateSpec::Uri(text)) => {
                ("certificate name", text, names.insert(("uri", text.value.as_str()), code))
            }
            ProofSpec::Certificate(CertificateSpec::Dns(text)) => {
                ("certificate name", text, names.insert(("dns", text.value.as_str()), code))
            }
        };
        if let Some(first) = first {
            let message = format!("this {what} stands in {} already", named(first));
            let hint = Some(format!("a {what} proves one application, and stands once"));
            faults.hinted(text, &format!("apps.{}", named(code)), message, hint);
        }
    }
}
