//! Which component a request target means to the ESB, in all spellings that it takes.
//!
//! The target is decoded once, slashes around the rest behind `/api/c/compapi` do not count, one line end at the
//! very end is overlooked. Other doubled slashes, dot segments and letter case are not.

use crate::job::catalog;
use crate::urlencoded::percent_decode;

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A jobv3 component that is registered.
    Component(&'static str),
    /// The self-service door, which is shut.
    Buffet,
    Nowhere,
}

/// Path and raw query of a request target, whichever form it has.
pub(crate) fn split_target(target: &str) -> (&str, &str) {
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = match path.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or_default()
        }
        _ => path,
    };
    (path, query)
}

/// Finds the component of a raw path.
pub(crate) fn route(raw_path: &str) -> Route {
    let Ok(path) = String::from_utf8(percent_decode(raw_path.as_bytes())) else {
        return Route::Nowhere;
    };
    let path = path.strip_suffix('\n').unwrap_or(&path);
    if path.starts_with("/api/c/self-service-api/") {
        return Route::Buffet;
    }
    let Some(rest) = path.strip_prefix("/api/c/compapi/") else { return Route::Nowhere };
    let rest = rest.trim_matches('/');
    let (odd_path, odd_name) = catalog::LATEST_VERSION;
    if rest == odd_path {
        return Route::Component(odd_name);
    }
    let name = rest.strip_prefix("v2/jobv3/").and_then(catalog::find);
    name.map_or(Route::Nowhere, Route::Component)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Route = Route::Component("fast_execute_script");

    fn of(target: &str) -> Route {
        route(split_target(target).0)
    }

    #[test]
    fn path_variants_also_execute() {
        for target in [
            "/api/c/compapi/v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/fast_execute_script",
            "/api/c/compapi/v2/jobv3/fast_execute_script///",
            "/api/c/compapi//v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/fast%5Fexecute_script/",
            "/api/c/compapi/v2%2Fjobv3/fast_execute_script%2f",
            "/api/c/compapi/v2/jobv3/fast_execute_script/%0a",
            "/%61pi/c/compapi/v2/jobv3/fast_execute_script/",
            "http://anything:1/api/c/compapi/v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/fast_execute_script/#frag",
            "/api/c/compapi/v2/jobv3/fast_execute_script/?a=b",
        ] {
            assert_eq!(of(target), RUN, "{target}");
        }
    }

    #[test]
    fn other_variants_do_not() {
        for target in [
            "/api/c//compapi/v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2//jobv3/fast_execute_script/",
            "//api/c/compapi/v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/./jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/x/../fast_execute_script/",
            "/api/c/compapi/v2/jobv3/Fast_Execute_Script/",
            "/api/c/compapi/v2/jobv3/fast_execute_script;x/",
            "/api/c/compapi/v2/jobv3/fast_execute_script%20/",
            "/api/c/compapi/v2/jobv3/fast_execute_script%00",
            "/api/c/compapi/v2/jobv3/fast_execute_script%0a%0a",
            "/api/c/compapi/v2/jobv3/fast%255Fexecute_script/",
            "/api/c/compapi/jobv3/fast_execute_script/",
            "/api/bk-esb/prod/v2/jobv3/fast_execute_script/",
            "/api/c/compapi/v2/jobv3/no_such_component/",
            "/api/c/compapi/v2/jobv3/get_latest_service_version/",
            "/",
            "*",
        ] {
            assert_eq!(of(target), Route::Nowhere, "{target}");
        }
        assert_eq!(of("/api/c/self-service-api/v2/jobv3/fast_execute_script/"), Route::Buffet);
    }
}
