//! The components of `jobv3` that the gateway knows, as data: contract jobv3 §4, and the parameters that
//! JOB's own documents give each of them.
//!
//! `callback_protocol` is left out: the ESB answers it itself, always with a refusal, to show a document.

mod crontab;
mod execute;
mod field;
mod file;
mod manage;

pub use self::field::{Care, Field, Form};

/// What a component does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs something on hosts. Never repeated.
    Execute,
    /// Changes what JOB stores. Never repeated.
    Write,
    /// Changes nothing, so it may be asked again.
    Read,
}

impl Kind {
    /// The word in the documentation.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Write => "write",
            Self::Read => "read",
        }
    }

    /// Whether its answers say `executed`.
    #[must_use]
    pub fn tells_executed(self) -> bool {
        match self {
            Self::Execute | Self::Write => true,
            Self::Read => false,
        }
    }
}

/// Whether a component is about one business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A call names its business.
    Business,
    /// A call names none: what it touches belongs to all of them.
    Global,
}

/// What a call can bring about that its light model does not show, so that no rule could be held against
/// it. A grant must then say `any` in all of these dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: component and business say it all.
    Nothing,
    /// Which text other calls run under a script's id.
    Scripts,
    /// What runs where, under which account.
    Hosts,
}

/// The service of JOB behind a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// job-execute.
    Execute,
    /// job-manage.
    Manage,
    /// job-crontab.
    Crontab,
    /// job-file-gateway.
    FileGateway,
}

impl Service {
    /// Its name in JOB.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Execute => "job-execute",
            Self::Manage => "job-manage",
            Self::Crontab => "job-crontab",
            Self::FileGateway => "job-file-gateway",
        }
    }
}

/// The method that the official SDK calls a component with. The ESB itself routes both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SdkMethod {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// What of an answer is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// `script_param` of steps whose parameters are not declared harmless: JOB gives sensitive ones in
    /// clear.
    ScriptParam,
    /// `value` of variables that are not of an open type: JOB gives those of type 4 (cipher) in clear.
    VariableValue,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    path: &'static str,
    service: Service,
    kind: Kind,
    extent: Extent,
    sdk: Option<SdkMethod>,
    reach: Reach,
    fields: &'static [Field],
    hidden: &'static [Hidden],
}

/// Where all components but one are published.
macro_rules! published {
    ($name:literal) => {
        concat!("/api/c/compapi/v2/jobv3/", $name, "/")
    };
}
use published;

/// One row: name, kind, extent, the SDK's method, fields, and what differs from an ordinary row.
macro_rules! row {
    ($name:literal, $kind:ident, $extent:ident, $sdk:expr, $fields:expr
        $(, $set:ident: $value:expr)* $(,)?) => {
        super::Row {
            $($set: $value,)*
            ..super::Row {
                name: $name,
                path: super::published!($name),
                service: SERVICE,
                kind: super::Kind::$kind,
                extent: super::Extent::$extent,
                sdk: $sdk,
                reach: super::Reach::Nothing,
                fields: $fields,
                hidden: &[],
            }
        }
    };
}
use row;

const SERVICES: [&[Row]; 4] =
    [execute::COMPONENTS, manage::COMPONENTS, crontab::COMPONENTS, file::COMPONENTS];

/// One component. Compared by name.
#[derive(Clone, Copy)]
pub struct Component(&'static Row);

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Component").field(&self.0.name).finish()
    }
}

impl PartialEq for Component {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Component {}

impl Component {
    /// Every component that the gateway knows, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        SERVICES.into_iter().flatten().map(Self)
    }

    /// Finds a component by the raw path of a request: its constant path, with or without the final
    /// slash, and in no other spelling (the ESB accepts several more, contract esb §13 row 16).
    #[must_use]
    pub fn at_path(path: &str) -> Option<Self> {
        let open = path.strip_suffix('/').unwrap_or(path);
        Self::all().find(|known| known.0.path.strip_suffix('/') == Some(open))
    }

    /// Finds a component by name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|known| known.0.name == name)
    }

    /// The component that runs a script, whose calls are modelled in full.
    #[must_use]
    pub fn fast_execute_script() -> Self {
        Self(&execute::FAST_EXECUTE_SCRIPT)
    }

    /// Its name in the ESB's catalog and in policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The path that is sent upstream.
    #[must_use]
    pub fn path(self) -> &'static str {
        self.0.path
    }

    /// The service of JOB behind it.
    #[must_use]
    pub fn service(self) -> Service {
        self.0.service
    }

    /// What it does.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.0.kind
    }

    /// Whether a call names a business.
    #[must_use]
    pub fn extent(self) -> Extent {
        self.0.extent
    }

    /// The method that the official SDK uses; none where the SDK does not have it.
    #[must_use]
    pub fn sdk(self) -> Option<SdkMethod> {
        self.0.sdk
    }

    /// Whether a call is paid for in host-runs.
    #[must_use]
    pub fn runs_on_hosts(self) -> bool {
        self == Self::fast_execute_script() || self.0.reach == Reach::Hosts
    }

    /// What a call can bring about that its model does not show.
    #[must_use]
    pub fn reach(self) -> Reach {
        self.0.reach
    }

    /// Its parameters, besides those that name the business. Empty for `fast_execute_script`, which has
    /// a model of its own.
    #[must_use]
    pub fn fields(self) -> &'static [Field] {
        self.0.fields
    }

    /// What of its answers is masked.
    #[must_use]
    pub fn hidden(self) -> &'static [Hidden] {
        self.0.hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_in_exactly_two_spellings() {
        for component in Component::all() {
            let path = component.path().strip_suffix('/').unwrap();
            assert_eq!(Component::at_path(path), Some(component));
            assert_eq!(Component::at_path(&format!("{path}/")), Some(component));
            for other in ["//", "/x", "%2f", "/?a", ";", "/."] {
                assert_eq!(Component::at_path(&format!("{path}{other}")), None, "{other}");
            }
        }
        for other in [
            "/api/c/compapi/v2/jobv3/Fast_execute_script/",
            "/api/c/compapi/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/get_latest_service_version/",
            "/api/c/compapi/v2/jobv3/callback_protocol/",
            "/api/c/compapi/v2/jobv3/",
            "/api/c/compapi/v2/jobv3",
            "/",
            "",
        ] {
            assert_eq!(Component::at_path(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_stands_once_and_its_fields_do() {
        for component in Component::all() {
            assert_eq!(Component::all().filter(|other| *other == component).count(), 1);
            for field in component.fields() {
                let same = component.fields().iter().filter(|other| other.name == field.name);
                assert_eq!(same.count(), 1, "{}.{}", component.name(), field.name);
            }
        }
    }
}
