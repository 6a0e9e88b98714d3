//! Both files, read and checked as a start does it. Nothing has an effect.

use std::path::Path;

use esbgate_config::{Boot, BootDocument, OfflinePlan, Plan, PolicyDocument, Problem, Warning};
use esbgate_core::Clock as _;

use crate::{
    SystemClock,
    policy_files::texts,
    regular_file,
    sources::{Recording, Sources},
};

/// Two files without a fault.
pub(super) struct Checked {
    pub(super) boot: Boot,
    /// What `boot` was made of.
    pub(super) document: BootDocument,
    pub(super) files: Recording,
    pub(super) plan: Plan,
    pub(super) warnings: Vec<Warning>,
}

/// Checks a start-up file and a policy: `policy`, else the one that it names.
pub(super) fn checked(config: &Path, policy: Option<&Path>) -> Result<Checked, Vec<Problem>> {
    let name = config.display().to_string();
    let document = BootDocument::read(&name, &text(&name)?)?;
    let policy = policy.map_or_else(|| document.policy(), |path| path.display().to_string());
    let policy = texts(&policy).and_then(|texts| PolicyDocument::read(&texts));
    let now = SystemClock::start().now().wall;
    let files = Recording::default();
    let boot = match (document.check(&files), &policy) {
        (Ok(boot), _) => boot,
        (Err(problems), Err(more)) => return Err([problems, more.clone()].concat()),
        // What the policy may name is not known; all else that is wrong with it is told beside.
        (Err(mut problems), Ok(policy)) => {
            problems.extend(policy.check_alone(&Sources, now).err().unwrap_or_default());
            return Err(problems);
        }
    };
    let (plan, warnings) = policy?.check(boot.grounds(), &Sources, now)?;
    Ok(Checked { boot, document, files, plan, warnings })
}

/// Checks a policy without a start-up file.
pub(super) fn alone(policy: &Path) -> Result<(OfflinePlan, Vec<Warning>), Vec<Problem>> {
    let name = policy.display().to_string();
    let now = SystemClock::start().now().wall;
    PolicyDocument::read(&texts(&name)?)?.check_alone(&Sources, now)
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

/// Longer files are not even read; what each kind of file may have is told by its reader.
const LONGEST: u64 = 64 << 20;

pub(super) fn text(path: &str) -> Result<String, Vec<Problem>> {
    regular_file::read_text(Path::new(path), LONGEST)
        .map_err(|error| vec![Problem::of_file(path, format!("the file cannot be read: {error}"))])
}
