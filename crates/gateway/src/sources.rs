//! Where named secrets and files come from: the environment and the disk.

/// The environment and the disk.
#[derive(Debug, Clone, Copy)]
pub struct Sources;

impl esbgate_config::Lookup for Sources {
    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    }
}
