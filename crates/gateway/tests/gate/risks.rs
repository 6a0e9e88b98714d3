//! The 28 ways in which a gateway before the ESB is got round (esb contract §13), one test each: first the ESB
//! falls for it when it is asked without a gateway, then the gateway is asked, and what ran is looked at.

mod door;
mod identity;
mod message;

#[test]
fn every_risk_has_exactly_one_test() {
    let sources = [include_str!("risks/identity.rs"), include_str!("risks/message.rs")].concat();
    let mut numbers: Vec<usize> = sources
        .split("#[tokio::test]\nasync fn risk_")
        .skip(1)
        .map(|rest| rest.split('_').next().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=28).collect::<Vec<_>>());
    assert_eq!(sources.matches("fn risk_").count(), 28, "each of them is run");
}
