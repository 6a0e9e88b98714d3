//! The policy's files: one file, or the files of a folder, read whole and known by a hash.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use esbgate_config::{PolicyDocument, PolicyText, Problem};
use esbgate_model::hex;

use crate::regular_file;

/// Most bytes of all files. What a policy may have is told by its reader; this is what is read of what may be none.
pub(crate) const LONGEST: u64 = 64 << 20;
/// Most files of a folder.
const MOST_FILES: usize = 4096;
/// A policy that is not in force yet, in the same folder.
pub(super) const NEXT: &str = "policy.next.yaml";

/// Where `policy:` of the start-up file leads: to a file or a folder.
#[derive(Debug, Clone)]
pub(crate) struct PolicySource(PathBuf);

/// One file of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyFile {
    /// Its name within the folder.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// All files of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyTexts {
    files: Vec<PolicyFile>,
    sha256: Box<str>,
}

impl PolicyTexts {
    pub(crate) fn new(files: Vec<PolicyFile>) -> Self {
        let mut context = Context::new(&SHA256);
        for file in &files {
            for part in [file.name.as_bytes(), file.text.as_bytes()] {
                // With its length, so that no text can pass for a name and a text.
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part);
            }
        }
        let sha256 = hex(context.finish().as_ref()).into();
        Self { files, sha256 }
    }

    /// SHA-256 over names and texts.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(crate) fn files(&self) -> &[PolicyFile] {
        &self.files
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }
}

impl PolicySource {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Reads all files, as they are now. Blocks on the disk, and on nothing else: what is no file is a problem.
    pub(crate) fn read(&self) -> Result<PolicyTexts, Vec<Problem>> {
        let problem = |why: String| vec![self.problem(&self.0, &why)];
        let found = std::fs::metadata(&self.0).map_err(|error| problem(unread(&error)))?;
        if !found.is_dir() {
            let name = self.0.file_name().unwrap_or(self.0.as_os_str()).to_string_lossy();
            let (file, _) = read(&self.0, name.into_owned(), LONGEST).map_err(problem)?;
            return Ok(PolicyTexts::new(vec![file]));
        }
        let names = names(&self.0).map_err(problem)?;
        if names.is_empty() {
            return Err(problem("there is no *.yaml in the policy's folder".into()));
        }
        let (mut files, mut problems, mut left) = (Vec::new(), Vec::new(), LONGEST);
        for name in names {
            let path = self.0.join(&name);
            match read(&path, name, left) {
                Ok((file, bytes)) => {
                    left = left.saturating_sub(bytes);
                    files.push(file);
                }
                Err(why) => problems.push(self.problem(&path, &why)),
            }
        }
        if problems.is_empty() { Ok(PolicyTexts::new(files)) } else { Err(problems) }
    }

    /// The document of files that were read here, or kept from here: what they name is looked up where they are.
    pub(crate) fn document(&self, texts: &PolicyTexts) -> Result<PolicyDocument, Vec<Problem>> {
        let texts = texts.files().iter().map(|file| PolicyText {
            name: self.path_of(&file.name).into(),
            text: file.text.as_str().into(),
        });
        PolicyDocument::read(&texts.collect::<Vec<_>>())
    }

    fn path_of(&self, name: &str) -> String {
        let folder =
            if self.0.is_dir() { &*self.0 } else { self.0.parent().unwrap_or(Path::new("")) };
        folder.join(name).display().to_string()
    }

    fn problem(&self, path: &Path, why: &str) -> Problem {
        Problem::of_file(&path.display().to_string(), why)
    }
}

fn read(path: &Path, name: String, longest: u64) -> Result<(PolicyFile, u64), String> {
    let text = regular_file::read_text(path, longest).map_err(|error| unread(&error))?;
    let bytes = text.len() as u64;
    Ok((PolicyFile { name, text }, bytes))
}

/// The files of a folder that are read, sorted.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unread(&error))? {
        let name = entry.map_err(|error| unread(&error))?.file_name();
        let Some(name) = name.to_str() else {
            return Err("a file's name in the folder is no UTF-8".into());
        };
        if name.ends_with(".yaml") && !name.starts_with('.') && name != NEXT {
            names.push(name.to_owned());
        }
        if names.len() > MOST_FILES {
            return Err(format!("the folder has more than {MOST_FILES} files"));
        }
    }
    names.sort();
    Ok(names)
}

fn unread(error: &std::io::Error) -> String {
    format!("the file cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(folder: &Path) -> PolicySource {
        PolicySource::new(folder)
    }

    #[test]
    fn a_folder_is_its_yaml_files_in_order_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let said = source(folder.path()).read().unwrap_err();
        assert!(said[0].message.contains("there is no *.yaml"), "{said:?}");
        for name in ["b.yaml", "a.yaml", ".c.yaml", "policy.next.yaml", "b.yaml~", "notes.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let texts = source(folder.path()).read().unwrap();
        assert_eq!(texts.names(), ["a.yaml", "b.yaml"]);
        std::fs::create_dir(folder.path().join("d.yaml")).unwrap();
        std::os::unix::fs::symlink("/nowhere", folder.path().join("e.yaml")).unwrap();
        let said = source(folder.path()).read().unwrap_err();
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert!(
            said.len() == 2 && said[0].contains("d.yaml: the file cannot be read: it is a folder")
        );
        assert!(said[1].contains("e.yaml"), "{said:?}");
    }

    #[test]
    fn two_policies_have_one_hash_only_if_they_have_the_same_names_and_texts() {
        let file = |name: &str, text: &str| PolicyFile { name: name.into(), text: text.into() };
        let hash = |files: Vec<PolicyFile>| PolicyTexts::new(files).sha256().to_owned();
        let one = hash(vec![file("a", "bc")]);
        assert_eq!(one, hash(vec![file("a", "bc")]));
        assert_eq!(one.len(), 64);
        for other in [
            vec![file("ab", "c")],
            vec![file("a", "b"), file("", "c")],
            vec![file("a", "bc"), file("", "")],
            vec![],
        ] {
            assert_ne!(one, hash(other));
        }
    }
}
