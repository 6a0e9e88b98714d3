//! What the documents tell people to type is typed, or at least held to what would take it: a line of a kind that
//! is not known here fails, so that none is skipped in silence.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at its first fault")]

mod links;
mod snippets;

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use clap::Parser as _;
use esbgate_audit::testing::{Sample, Writer};
use esbgate_gateway::command::Cli;
use tempfile::TempDir;

/// Programs that change a machine or need one that is not there; what they name of this repository must exist.
const ELSEWHERE: [&str; 13] = [
    "apt-get",
    "cargo",
    "docker",
    "git",
    "helm",
    "install",
    "journalctl",
    "kubectl",
    "podman",
    "setfacl",
    "sudo",
    "systemctl",
    "systemd-sysusers",
];

/// Other names for a block of commands.
const SHELLS: [&str; 2] = ["sh", "bash"];

/// Names under which commands could hide.
const HIDING: [&str; 4] = ["shell", "console", "shell-session", "zsh"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The documents: path and text.
fn documents() -> Vec<(String, String)> {
    let root = repository();
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path());
    let above = ["CHANGELOG.md", "README.md", "README.zh-CN.md"].map(|name| root.join(name));
    above
        .into_iter()
        .chain(pages)
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The lines of the fenced blocks of commands: whole, without comments.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut fence: Option<String> = None;
    let mut begun = String::new();
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language.trim().to_owned()) };
            assert!(!HIDING.iter().any(|name| fence.as_deref() == Some(name)), "say sh: {line}");
            continue;
        }
        if !fence.as_deref().is_some_and(|language| SHELLS.contains(&language)) {
            continue;
        }
        let code = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap() };
        begun += code.trim();
        if begun.ends_with('\\') {
            begun.pop();
        } else if !begun.is_empty() {
            commands.push(std::mem::take(&mut begun));
        }
    }
    assert!(fence.is_none() && begun.is_empty(), "a block is not closed");
    commands
}

/// Commands in running text, between backticks.
fn inline(text: &str) -> Vec<String> {
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let ours = |span: &&str| span.starts_with("esbgate ") || span.starts_with("make ");
    spans.filter(ours).map(str::to_owned).collect()
}

/// The words as a shell would part them; what would need more of a shell is refused.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && (c == '\'' || c == '"') {
            quote = Some(c);
        } else if quote.is_none() && c.is_whitespace() {
            words.push(String::new());
        } else {
            assert!(quote.is_some() || !"|&;<>$*`(".contains(c), "needs a shell: {line}");
            words.last_mut().unwrap().push(c);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn parses(words: &[String]) {
    if let Err(fault) = Cli::try_parse_from(words) {
        panic!("{words:?}: {fault}");
    }
}

/// `make` knows the target, and the commands of ours that it would run parse.
fn make_knows(target: &str) {
    let make =
        Command::new("make").args(["-n", target]).current_dir(repository()).output().unwrap();
    let said = String::from_utf8(make.stdout).unwrap();
    assert!(make.status.success(), "make {target}: {}", String::from_utf8_lossy(&make.stderr));
    for line in said.lines().filter_map(|line| line.split("--bin esbgate -- ").nth(1)) {
        parses(&words(&format!("esbgate {line}")));
    }
}

/// What the repository's own paths in a command name is there.
fn paths_exist(words: &[String]) {
    for word in words {
        let ours = ["config/", "deploy/", "docs/", "scripts/", "crates/", "benches/"];
        let exists = repository().join(word).exists();
        assert!(exists || !ours.iter().any(|folder| word.starts_with(folder)), "no {word}");
    }
}

/// Ended when it is dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn tell(&self, signal: &str) -> bool {
        let told = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        told.is_ok_and(|told| told.success())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked rather than killed, so that the demo removes its folder.
        if matches!(self.0.try_wait(), Ok(None)) && self.tell("-INT") {
            drop(self.0.wait());
        }
    }
}

/// A folder in which the documents' commands find what they name, and a gateway for their URLs.
struct Place {
    folder: TempDir,
    variables: Vec<String>,
    _demo: Running,
    /// Kept open: who writes to a closed pipe ends.
    _said: Lines<BufReader<ChildStdout>>,
    gateway: String,
    monitor: String,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let mut variables = Vec::new();
        let texts = [("config", true), ("etc/esbgate", false)];
        for (name, as_shipped) in texts {
            let to = folder.path().join(name);
            std::fs::create_dir_all(&to).unwrap();
            for file in ["esbgate.yaml", "policy.yaml"] {
                let text = std::fs::read_to_string(repository().join("config").join(file)).unwrap();
                provide(&text, &to, &mut variables);
                let text = if as_shipped { text } else { local(&text, &to) };
                std::fs::write(to.join(file), text).unwrap();
            }
        }
        copy(&repository().join("config/examples"), &folder.path().join("config/examples"));
        journal(folder.path());
        let mut demo = Running::start(Command::new(env!("CARGO_BIN_EXE_esbgate")).arg("demo"));
        let mut said = BufReader::new(demo.0.stdout.take().unwrap()).lines();
        let mut address = |label: &str| {
            let line = said.by_ref().map(Result::unwrap).find(|line| line.starts_with(label));
            let line = line.unwrap();
            line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
        };
        let (gateway, monitor) = (address("gateway"), address("metrics"));
        Self { folder, variables, _demo: demo, _said: said, gateway, monitor }
    }

    fn esbgate(&self, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esbgate"));
        let root = self.folder.path().display();
        let ours = ["/etc/", "/var/", "/mnt/"];
        let here = |word: &String| match ours.iter().any(|folder| word.starts_with(folder)) {
            true => format!("{root}{word}"),
            false => word.clone(),
        };
        command.args(words.iter().skip(1).map(here)).current_dir(&self.folder);
        command.envs(self.variables.iter().map(|name| (name, SECRET)));
        command
    }

    /// Runs a command; says what one of ours printed.
    fn run(&self, line: &str) -> String {
        let words = words(line);
        let text: Vec<&str> = words.iter().map(String::as_str).collect();
        match text.as_slice() {
            ["make", targets @ ..] => targets.iter().for_each(|target| make_knows(target)),
            ["esbgate", "serve", ..] => self.serves(&words),
            ["esbgate", "demo"] => parses(&words),
            // What a look-up finds needs a gateway and a value: gate/lookup.rs.
            ["esbgate", "audit", "lookup", ..] => parses(&words),
            ["esbgate", "audit" | "demo" | "policy", ..] => {
                let output = self.esbgate(&words).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && !output.stdout.is_empty(), "{line}: {said}");
                return String::from_utf8(output.stdout).unwrap();
            }
            // It would need a gateway's past; the real parser has the last word.
            ["esbgate", ..] => parses(&words),
            ["curl", ..] => self.fetches(&words),
            [program, ..] if ELSEWHERE.contains(program) => paths_exist(&words),
            _ => panic!("a command of a kind that no test knows: {line}"),
        }
        String::new()
    }

    /// Does what a document says, in its order: runs its commands, and makes the files that it shows. A key's line is the
    /// one that `new-key` printed. Says how many commands there were.
    fn follow(&self, name: &str, text: &str) -> usize {
        let mut run = 0;
        let mut proof = None;
        for block in snippets::blocks(text) {
            if let Some(file) = block.file() {
                let path = self.folder.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, with_proof(&block.text, proof.as_deref())).unwrap();
            }
            for line in commands(&format!("```{}\n{}```\n", block.language, block.text)) {
                println!("{name}: {line}");
                let said = self.run(&line);
                let printed = said.lines().find(|line| line.trim_start().starts_with("- key:"));
                proof = printed.map(str::to_owned).or(proof);
                run += 1;
            }
        }
        run
    }

    fn serves(&self, words: &[String]) {
        let mut gateway = Running::start(&mut self.esbgate(words));
        let mut log = BufReader::new(gateway.0.stderr.take().unwrap());
        let mut all = String::new();
        while !all.contains("\"serving\"") {
            assert!(log.read_line(&mut all).unwrap() > 0, "{words:?}: {all}");
        }
        assert!(gateway.tell("-TERM"));
        log.read_to_string(&mut all).unwrap();
        assert!(gateway.0.wait().unwrap().success(), "{words:?}: {all}");
    }

    /// Runs it against the demo: the port of the monitor in the documents is 9100, every other URL is a gateway's.
    fn fetches(&self, words: &[String]) {
        let mut curl = Command::new("curl");
        curl.args(["--max-time", "20", "--fail"]);
        for word in words.iter().skip(1) {
            let url = word.split_once("://").filter(|(scheme, _)| scheme.starts_with("http"));
            match url {
                Some((_, rest)) => {
                    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                    let monitor = authority.ends_with(":9100");
                    let to = if monitor { &self.monitor } else { &self.gateway };
                    curl.arg(format!("http://{to}/{path}"));
                }
                None => drop(curl.arg(word)),
            }
        }
        let output = curl.output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{words:?}: {output:?}");
    }
}

const SECRET: &str = "a-secret-of-the-documents-of-more-than-32-bytes";

/// A journal that was stopped well, and what of it was kept elsewhere.
fn journal(root: &Path) {
    let dir = root.join("var/lib/esbgate/journal");
    let elsewhere = root.join("mnt/elsewhere");
    [&dir, &elsewhere].iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let mut writer = Writer::new(&dir, 1 << 16).unwrap();
    for n in 0..50 {
        writer.call(&Sample::of(n)).unwrap();
    }
    writer.stop().unwrap();
    std::fs::copy(dir.join("HEAD"), elsewhere.join("HEAD")).unwrap();
    std::fs::write(root.join("etc/esbgate/checkpoint.pub"), writer.public_key()).unwrap();
}

/// A policy of a document with the line of a key that was made, as a reader pastes it.
fn with_proof(text: &str, proof: Option<&str>) -> String {
    let line = |line: &str| match proof.filter(|_| line.trim_start().starts_with("- key:")) {
        Some(proof) => {
            let indent = line.len() - line.trim_start().len();
            format!("{:indent$}{}\n", "", proof.trim_start())
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Makes the files that a configuration names, and notes its variables.
fn provide(text: &str, folder: &Path, variables: &mut Vec<String>) {
    let pair = rcgen::generate_simple_self_signed(["gate.example.com".to_owned()]).unwrap();
    let named = |key: &'static str| {
        let parts = text.split(key).skip(1);
        parts.map(|rest| rest.split([',', '}', '\n']).next().unwrap().trim().to_owned())
    };
    for name in named("{file: ").filter(|name| name != "…") {
        let text = match name.as_str() {
            "tls.key" => pair.signing_key.serialize_pem(),
            certificate if certificate.ends_with(".crt") => pair.cert.pem(),
            _ => SECRET.to_owned(),
        };
        std::fs::write(folder.join(name), text).unwrap();
    }
    variables.extend(named("{env: "));
}

/// A configuration that can be served here: free ports, and folders that may be written.
fn local(text: &str, folder: &Path) -> String {
    let within = |name: &str| folder.join(name).display().to_string();
    text.replace("0.0.0.0:8443", "127.0.0.1:0")
        .replace("127.0.0.1:9100", "127.0.0.1:0")
        .replace("/var/lib/esbgate/journal", &within("journal"))
        .replace("/var/lib/esbgate/state", &within("state"))
        .replace("/run/esbgate/admin.sock", &within("admin.sock"))
        .replace("/var/log/esbgate/", &within(""))
        .replace("siem.example.com:6514", "127.0.0.1:1")
        .replace("host: db.example.com", "host: 127.0.0.1")
        .replace("port: 5432", "port: 1")
}

#[test]
fn every_command_of_the_documents_does_what_it_says() {
    let place = Place::new();
    let mut run = 0;
    for (name, text) in documents() {
        run += place.follow(&name, &text);
    }
    assert!(run >= 9, "{run} commands found");
}

#[test]
fn every_command_in_running_text_is_one_that_exists() {
    let mut seen = 0;
    for (name, text) in documents() {
        for line in inline(&text) {
            println!("{name}: {line}");
            let words = words(&line);
            match words.first().map(String::as_str) {
                Some("make") => words.iter().skip(1).for_each(|target| make_knows(target)),
                _ => parses(&words),
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} commands found");
}

#[test]
#[should_panic(expected = "of a kind that no test knows")]
fn a_command_of_an_unknown_kind_is_not_skipped() {
    Place::new().run("frobnicate --all");
}

#[test]
fn a_policy_of_a_document_gets_the_line_of_the_key_that_was_made() {
    let shown = "proofs:\n      - key: {sha256: \"00\"}\nallow: []\n";
    let made = with_proof(shown, Some("  - key: {sha256: \"11\"}"));
    assert_eq!(made, "proofs:\n      - key: {sha256: \"11\"}\nallow: []\n");
    assert_eq!(with_proof(shown, None), shown);
}
