//! Names that the design gives a meaning and this version does not. They are refused by name, because an ignored
//! rule would be worse than none.

/// A key or choice that has no meaning yet.
struct Reserved {
    /// A name that is known where this one is reserved.
    beside: &'static str,
    name: &'static str,
    /// What to do without it.
    instead: &'static str,
}

const fn reserve(beside: &'static str, name: &'static str, instead: &'static str) -> Reserved {
    Reserved { beside, name, instead }
}

const TABLE: &[Reserved] = &[
    // esbgate.yaml
    reserve("upstream", "fleet", "each gateway counts alone: give each its share of the budgets"),
    reserve("esb-legacy", "apigateway", "write esb, or esb-legacy for bk-paas 2.x"),
    // policy.yaml
    reserve("acts_as", "execution", "every call is sent as one; take the key out"),
];

/// What to say of a name that is not among the `known` ones, if it is reserved there.
pub(crate) fn reserved(said: &str, known: &[&str]) -> Option<(String, &'static str)> {
    let found = TABLE.iter().find(|one| one.name == said && known.contains(&one.beside))?;
    Some((format!("`{}` is not available in this version", found.name), found.instead))
}

#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|one| one.name)
}
