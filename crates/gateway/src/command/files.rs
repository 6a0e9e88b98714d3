//! Both files, read and checked as a start does it. Nothing has an effect.

use std::path::Path;

use esbgate_config::{Boot, BootDocument, OfflinePlan, Plan, PolicyDocument, Problem, Warning};
use esbgate_core::Clock as _;

use crate::{
    SystemClock, regular_file,
    reload::{LONGEST, PolicySource, PolicyTexts},
    sources::{Recording, Seen, Sources},
    test_files::add_tests,
};

/// Two files without a fault.
pub(super) struct Checked {
    pub(super) boot: Boot,
    /// What `boot` was made of.
    pub(super) document: BootDocument,
    pub(super) files: Recording,
    pub(super) source: PolicySource,
    pub(super) texts: PolicyTexts,
    pub(super) plan: Plan,
    /// What the policy names.
    pub(super) seen: Seen,
    pub(super) warnings: Vec<Warning>,
}

/// Checks a start-up file and a policy: `policy`, else the one that it names.
pub(super) fn checked(config: &Path, policy: Option<&Path>) -> Result<Checked, Vec<Problem>> {
    let name = config.display().to_string();
    let document = BootDocument::read(&name, &text(&name)?)?;
    let source = policy.map_or_else(|| document.policy().into(), Path::to_path_buf);
    let source = PolicySource::new(source);
    let policy = source.read().and_then(|texts| Ok((source.document(&texts)?, texts)));
    let now = SystemClock::start().now().wall;
    let files = Recording::default();
    let boot = match (document.check(&files), &policy) {
        (Ok(boot), _) => boot,
        (Err(problems), Err(more)) => return Err([problems, more.clone()].concat()),
        // What the policy may name is not known; all else that is wrong with it is told beside.
        (Err(mut problems), Ok(policy)) => {
            problems.extend(policy.0.check_alone(&Sources, now).err().unwrap_or_default());
            return Err(problems);
        }
    };
    let (policy, texts) = policy?;
    let named = Recording::default();
    let (plan, warnings) = policy.check(boot.grounds(), &named, now)?;
    let seen = named.seen();
    Ok(Checked { boot, document, files, source, texts, plan, seen, warnings })
}

/// A policy, a file or a folder.
pub(super) fn read(policy: &Path) -> Result<PolicyDocument, Vec<Problem>> {
    let source = PolicySource::new(policy);
    source.document(&source.read()?)
}

/// Checks a policy without a start-up file.
pub(super) fn alone(policy: &Path) -> Result<(OfflinePlan, Vec<Warning>), Vec<Problem>> {
    let now = SystemClock::start().now().wall;
    read(policy)?.check_alone(&Sources, now)
}

/// The policy that is meant where nothing names one.
pub(super) const POLICY: &str = "config/policy.yaml";

/// A policy to hold calls against: as a start would take it, or without a start-up file on its own.
pub(super) fn offline(
    policy: Option<&Path>,
    config: Option<&Path>,
) -> Result<OfflinePlan, Vec<Problem>> {
    match config {
        Some(config) => checked(config, policy).map(|checked| checked.plan.into()),
        None => alone(policy.unwrap_or(Path::new(POLICY))).map(|(plan, _)| plan),
    }
}

/// A policy with its tests, those beside it included: as a start would take it, or without a start-up file on its own.
pub(super) fn tested(
    policy: Option<&Path>,
    config: Option<&Path>,
) -> Result<OfflinePlan, Vec<Problem>> {
    let now = SystemClock::start().now().wall;
    let Some(config) = config else {
        let document = with_tests(policy.unwrap_or(Path::new(POLICY)))?;
        return document.check_alone(&Sources, now).map(|(plan, _)| plan);
    };
    let checked = checked(config, policy)?;
    let named = Path::new(&*checked.boot.policy);
    let document = with_tests(policy.unwrap_or(named))?;
    let (plan, _) = document.check(checked.boot.grounds(), &Sources, now)?;
    Ok(plan.into())
}

fn with_tests(policy: &Path) -> Result<PolicyDocument, Vec<Problem>> {
    let mut document = read(policy)?;
    add_tests(policy, &mut document, &Sources)?;
    Ok(document)
}

pub(super) fn text(path: &str) -> Result<String, Vec<Problem>> {
    regular_file::read_text(Path::new(path), LONGEST)
        .map_err(|error| vec![Problem::of_file(path, format!("the file cannot be read: {error}"))])
}
