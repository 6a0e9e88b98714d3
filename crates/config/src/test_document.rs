//! The tests of one file, read as far as their shape allows.

use crate::{
    node::{Node, Spanned},
    policy_spec::{TestSpec, TestsFileSpec},
    problem::{Faults, Problem},
    texts::Texts,
    yaml,
};

/// Tests that stand together. They have a document of their own, because they may stand beside the policy.
#[derive(Debug)]
pub(crate) struct TestDocument {
    pub(crate) texts: Texts,
    /// What has the wrong shape, or is a value that its key does not allow.
    pub(crate) problems: Vec<Problem>,
    pub(crate) tests: Vec<TestPiece>,
}

/// One test, and the body that it was written with.
#[derive(Debug)]
pub(crate) struct TestPiece {
    pub(crate) spec: Spanned<TestSpec>,
    pub(crate) body: Option<Node>,
}

impl TestDocument {
    /// The tests of the files of a policy, whose other shape is looked at elsewhere.
    pub(crate) fn of(texts: &Texts, roots: &mut [Node]) -> Self {
        let mut faults = Faults::new(texts);
        let tests = roots.iter_mut().filter_map(|root| root.get_mut("tests"));
        let tests = tests.flat_map(Node::elements_mut).filter_map(|node| {
            let spec = faults.spec(node, "tests")?;
            let call = node.get_mut("call")?;
            let body = call.get_mut("body").map(Node::take);
            Some(TestPiece { spec, body })
        });
        let tests = tests.collect();
        Self { problems: faults.problems, tests, texts: texts.clone() }
    }

    /// A file that holds nothing but tests.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let texts = Texts::one(file, text);
        let mut roots = yaml::read(&texts)?;
        let mut faults = Faults::new(&texts);
        for root in &roots {
            let _: Option<TestsFileSpec> = faults.spec(root, "");
        }
        let shape = faults.problems;
        let mut document = Self::of(&texts, &mut roots);
        document.problems.extend(shape);
        Ok(document)
    }
}
