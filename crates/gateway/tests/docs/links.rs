//! A document leads to what is there: files, folders and headings of this repository.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{documents, repository};

/// The lines that are not in a block of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Where the links of a text lead to within the repository.
fn links(text: &str) -> Vec<&str> {
    let targets = prose(text).flat_map(|line| line.split("](").skip(1));
    let targets = targets.map(|rest| rest.split(')').next().unwrap());
    targets.filter(|target| !target.starts_with("https://")).collect()
}

/// The anchors that GitHub gives to the headings of a text.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    headings.map(anchor).collect()
}

/// What is wrong with a link that stands in the document at `from`.
fn fault(from: &Path, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(f, a)| (f, Some(a)));
    let to = if file.is_empty() { from.to_owned() } else { from.parent().unwrap().join(file) };
    if !to.exists() {
        return Some(format!("{}: {link} leads nowhere", from.display()));
    }
    let text = || fs::read_to_string(&to).unwrap();
    let known = anchor.is_none_or(|anchor| anchors(&text()).contains(anchor));
    (!known).then(|| format!("{}: {link} names no heading", from.display()))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut followed = 0;
    let mut faults = vec![];
    for (name, text) in documents() {
        for link in links(&text) {
            faults.extend(fault(Path::new(&name), link));
            followed += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(followed >= 60, "{followed} links found");
}

#[test]
fn a_link_to_nothing_is_not_followed() {
    let from = repository().join("README.md");
    for link in ["docs/none.md", "docs/errors.md#none", "#none"] {
        assert!(fault(&from, link).is_some(), "{link}");
    }
    assert_eq!(fault(&from, "docs/errors.md#codes"), None);
}

/// Each page's Chinese edition stands for it.
fn pages(text: &str) -> BTreeSet<PathBuf> {
    let files = links(text).into_iter().map(|link| link.split('#').next().unwrap());
    files.map(|file| PathBuf::from(file.replace(".zh-CN.md", ".md"))).collect()
}

#[test]
fn both_readmes_lead_to_the_same_and_to_every_page() {
    let read = |name: &str| pages(&fs::read_to_string(repository().join(name)).unwrap());
    let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
    assert_eq!(english, chinese);
    for page in fs::read_dir(repository().join("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        let page = Path::new("docs").join(name.replace(".zh-CN.md", ".md"));
        assert!(english.contains(&page), "{} is not linked", page.display());
    }
}
