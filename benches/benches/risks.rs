//! What it costs to judge a script of 1 MiB by the starter rules, and by 100 rules: an ordinary one, and scripts that
//! are built to cost.
//!
//! Time is what the thread had of a CPU. `--one NAME` judges one input once, for a count of instructions; a number sets
//! how often an input is judged.

use std::{error::Error, fs, hint::black_box, path::Path, time::Duration};

use esbgate_config::{Lookup, PolicyDocument, PolicyText};
use esbgate_core::RiskRules;
// Its allocator is what the binary runs with.
use esbgate_gateway as _;
use esbgate_model::ScriptLanguage;
use rustix::time::{ClockId, clock_gettime};

type Problem = Box<dyn Error>;

const SIZE: usize = 1 << 20;

/// An input: its name, its language and what it is.
type Input = (&'static str, ScriptLanguage, fn() -> String);

const INPUTS: [Input; 27] = [
    ("operations", ScriptLanguage::Shell, || corpus("shell")),
    ("operations, Python", ScriptLanguage::Python, || corpus("python")),
    ("operations, PowerShell", ScriptLanguage::Powershell, || corpus("powershell")),
    ("operations, bat", ScriptLanguage::Bat, || corpus("bat")),
    ("operations, Perl", ScriptLanguage::Perl, || corpus("perl")),
    ("one line", ScriptLanguage::Shell, || "echo harmless; ".repeat(SIZE / 15)),
    ("one word", ScriptLanguage::Shell, || "x".repeat(SIZE)),
    ("empty lines", ScriptLanguage::Shell, || "\n".repeat(SIZE)),
    ("CRLF lines", ScriptLanguage::Shell, || "ls -l\r\n".repeat(SIZE / 7)),
    ("joined lines", ScriptLanguage::Shell, || "a \\\n".repeat(SIZE / 4)),
    ("quotes", ScriptLanguage::Shell, || "'a'\"b\" ".repeat(SIZE / 7)),
    ("quoted substitutions", ScriptLanguage::Shell, || "\"$(a)\" ".repeat(SIZE / 7)),
    ("open substitutions", ScriptLanguage::Shell, || "\"$(".repeat(SIZE / 3)),
    ("nested quotes", ScriptLanguage::Shell, || "sh -c '\"$(x '\\''".repeat(SIZE / 15)),
    ("one Base64 of text", ScriptLanguage::Shell, || "cHdk".repeat(SIZE / 4)),
    ("many Base64 of text", ScriptLanguage::Shell, || "ZWNobyBoYXJtbGVzcw== ".repeat(SIZE / 21)),
    ("many different Base64", ScriptLanguage::Shell, different),
    ("Base64 in lines", ScriptLanguage::Shell, || {
        format!("{}\n", "cHdk".repeat(16)).repeat(SIZE / 65)
    }),
    ("Base64 four deep", ScriptLanguage::Shell, deep),
    ("near misses of rm", ScriptLanguage::Shell, || "rm -rf ./a /tmp/b ".repeat(SIZE / 18)),
    ("rm lines", ScriptLanguage::Shell, || "rm -r x /etcx /usr/ab\n".repeat(SIZE / 22)),
    ("beginnings of rules", ScriptLanguage::Shell, beginnings),
    ("all bytes", ScriptLanguage::Powershell, mixed),
    ("sudo", ScriptLanguage::Shell, || "sudo env ".repeat(SIZE / 9)),
    ("pipes into shells", ScriptLanguage::Shell, || "echo 'ls'|sh\n".repeat(SIZE / 13)),
    ("calls of system", ScriptLanguage::Python, || "system('ls')\n".repeat(SIZE / 13)),
    ("carets", ScriptLanguage::Bat, || "e^c^h^o, ".repeat(SIZE / 9)),
];

/// The harmless scripts of one language, over and over.
fn corpus(language: &str) -> String {
    let lines = include_str!("../../crates/config/corpus/harmless.jsonl").lines();
    let scripts = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let texts =
        scripts.filter(|script| script.get("language").and_then(|l| l.as_str()) == Some(language));
    let texts = texts.filter_map(|script| Some(script.get("text")?.as_str()?.to_owned()));
    let all = texts.collect::<String>();
    let mut text = all.repeat(SIZE / all.len().max(1) + 1);
    text.truncate(SIZE);
    text
}

fn different() -> String {
    (0..SIZE / 21).map(|n| base64(format!("{n:08} harm").as_bytes()) + " ").collect()
}

fn deep() -> String {
    let mut text = "echo harmless text; ".repeat(SIZE / 64);
    for _ in 0..4 {
        text = format!("echo {} | base64 -d | sh", base64(text.as_bytes()));
    }
    text
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
        let number = number << (8 * (3 - three.len()));
        for at in 0..=three.len() {
            text.push(
                SIGNS.get(number >> (18 - 6 * at) & 63).map_or('A', |sign| char::from(*sign)),
            );
        }
    }
    text
}

fn beginnings() -> String {
    let words = [
        "curl -s a ",
        "find / -xdev ",
        "dd of=",
        "rm -r ",
        "chmod -R ",
        "> /etc/",
        "nc -",
        "kill -",
        "cat /etc/",
        "mkfs ",
        "history -",
        "kubectl delete ",
        "aws s3 ",
        "redis-cli ",
        "sed -i ",
        "/dev/tcp/",
        "sh -i ",
        "\n",
    ];
    // Steps through the list in an order that does not repeat soon.
    let mut at = 1_usize;
    let mut text = String::new();
    while text.len() < SIZE {
        at = at.wrapping_mul(1_103_515_245).wrapping_add(12_345) % (1 << 31);
        text.push_str(words.get((at >> 16) % words.len()).unwrap_or(&""));
    }
    text.truncate(SIZE);
    text
}

fn mixed() -> String {
    let mut at = 7_u32;
    let mut text = String::new();
    while text.len() < SIZE {
        at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from_u32(at >> 25).unwrap_or('x'));
    }
    text
}

/// No rule names a secret.
struct Nothing;

impl Lookup for Nothing {
    fn env(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
}

fn rules(text: &str) -> Result<RiskRules, Problem> {
    let now = "2027-01-01T00:00Z".parse()?;
    let plan =
        PolicyDocument::read(&[PolicyText { name: "starter.yaml".into(), text: text.into() }])
            .and_then(|d| d.check_alone(&Nothing, now));
    let (plan, _) = plan.map_err(|problems| format!("{problems:?}"))?;
    Ok(plan.risks().clone())
}

/// The starter rules, and so many of them again under other ids that there are 100.
fn hundred(text: &str) -> Result<RiskRules, Problem> {
    let starts: Vec<_> = text.match_indices("\n  - id: ").map(|(at, _)| at).collect();
    let more = 100_usize.saturating_sub(starts.len());
    let from = starts.first().copied().unwrap_or(text.len());
    let to = starts.get(more).copied().unwrap_or(text.len());
    let again = text.get(from..to).unwrap_or_default().replace("\n  - id: ", "\n  - id: again-");
    rules(&format!("{}{again}\n", text.trim_end()))
}

fn cpu_time() -> Duration {
    // The kernel never gives a time before the thread began.
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn main() -> Result<(), Problem> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/risks/starter.yaml");
    let text = fs::read_to_string(path)?;
    let starter = rules(&text)?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--one") {
        let name = arguments.get(at + 1).ok_or("which one?")?;
        let (_, language, input) =
            INPUTS.iter().find(|(known, ..)| known == name).ok_or("no such input")?;
        let (input, runs) = (input(), arguments.iter().find_map(|argument| argument.parse().ok()));
        for _ in 0..runs.unwrap_or(1_usize) {
            black_box(starter.judge_script(*language, &input));
        }
        return Ok(());
    }
    let runs = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(100_usize);
    println!("{runs} runs each, CPU time in ms\n");
    println!("| 1 MiB of | rules | min | median | p99 | found |");
    println!("|---|--:|--:|--:|--:|---|");
    for rules in [&starter, &hundred(&text)?] {
        for (name, language, input) in &INPUTS {
            measure(name, rules, *language, &input(), runs);
        }
    }
    Ok(())
}

fn measure(name: &str, rules: &RiskRules, language: ScriptLanguage, text: &str, runs: usize) {
    let mut times = Vec::new();
    let mut found = Vec::new();
    for _ in 0..runs.max(1) {
        let start = cpu_time();
        let matches = black_box(rules.judge_script(language, black_box(text)));
        times.push(cpu_time().saturating_sub(start).as_secs_f64() * 1e3);
        found = matches.iter().map(|found| found.rule.to_string()).collect();
    }
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get((times.len() - 1) * share / 100).copied().unwrap_or_default();
    let count = rules.list().len();
    found.truncate(3);
    println!(
        "| {name} | {count} | {:.1} | {:.1} | {:.1} | {} |",
        at(0),
        at(50),
        at(99),
        found.join(" ")
    );
}
