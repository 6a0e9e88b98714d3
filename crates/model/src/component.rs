//! The components of the ESB that the gateway knows, as data.

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs something on hosts. Never repeated.
    Execute,
}

/// One component of `jobv3`. Compared by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    name: &'static str,
    path: &'static str,
    kind: Kind,
}

const ALL: [Component; 1] = [Component {
    name: "fast_execute_script",
    path: "/api/c/compapi/v2/jobv3/fast_execute_script/",
    kind: Kind::Execute,
}];

impl Component {
    /// Every component that the gateway knows.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// Finds a component by the raw path of a request: its constant path, with or without the final
    /// slash, and in no other spelling (the ESB accepts several more, contract esb §13 row 16).
    #[must_use]
    pub fn at_path(path: &str) -> Option<Self> {
        ALL.into_iter()
            .find(|known| path == known.path || Some(path) == known.path.strip_suffix('/'))
    }

    /// Finds a component by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|known| known.name == name)
    }

    /// Its name in the ESB's catalog and in policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The path that is sent upstream.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.path
    }

    /// What it does.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_in_exactly_two_spellings() {
        let path = "/api/c/compapi/v2/jobv3/fast_execute_script";
        assert!(Component::at_path(path).is_some());
        assert!(Component::at_path(&format!("{path}/")).is_some());
        for other in ["//", "/x", "%2f", "/?a", ";", "/."] {
            assert_eq!(Component::at_path(&format!("{path}{other}")), None, "{other}");
        }
        assert_eq!(Component::at_path("/api/c/compapi/v2/jobv3/Fast_execute_script/"), None);
        assert_eq!(Component::at_path("/api/c/compapi/jobv3/fast_execute_script/"), None);
        assert_eq!(Component::at_path(""), None);
    }
}
