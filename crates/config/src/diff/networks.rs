//! IPv4 networks as sets of addresses.

use ipnet::Ipv4Net;

/// Addresses as ranges, both ends included, in order and apart from one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Networks(Vec<(u32, u32)>);

impl Networks {
    /// All addresses.
    pub(super) fn all() -> Self {
        Self(vec![(0, u32::MAX)])
    }

    /// The addresses of `nets`.
    pub(super) fn of<'n>(nets: impl IntoIterator<Item = &'n Ipv4Net>) -> Self {
        let ends = |net: &Ipv4Net| (net.network().to_bits(), net.broadcast().to_bits());
        let mut ranges: Vec<(u32, u32)> = nets.into_iter().map(ends).collect();
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                Some(_) | None => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// Whether it holds no address.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The addresses that are not in `out`.
    pub(super) fn without(&self, out: &Self) -> Self {
        let mut left = Vec::new();
        for (first, last) in &self.0 {
            let mut from = Some(*first);
            for (out_first, out_last) in &out.0 {
                let Some(start) = from.filter(|start| out_last >= start && out_first <= last)
                else {
                    continue;
                };
                if *out_first > start {
                    left.push((start, out_first - 1));
                }
                from = out_last.checked_add(1).filter(|next| next <= last);
            }
            left.extend(from.map(|start| (start, *last)));
        }
        Self(left)
    }

    /// The addresses of both.
    pub(super) fn and(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self.0.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(self.0.len());
        for (first, last) in self.0 {
            match joined.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                Some(_) | None => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// Whether all its addresses are in `other`.
    pub(super) fn within(&self, other: &Self) -> bool {
        self.without(other).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nets: &str) -> Networks {
        let nets: Vec<Ipv4Net> = nets.split_whitespace().map(|net| net.parse().unwrap()).collect();
        Networks::of(&nets)
    }

    #[test]
    fn sets_of_addresses_are_held_against_one_another_exactly() {
        for (inner, outer, within) in [
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8", true),
            ("10.0.0.0/8", "10.0.0.0/9 10.128.0.0/9", true),
            ("10.0.0.0/8", "10.0.0.0/9 10.129.0.0/16", false),
            ("10.0.0.0/7", "10.0.0.0/8", false),
            ("", "", true),
            ("", "1.2.3.4/32", true),
            ("1.2.3.4/32", "", false),
            ("0.0.0.0/0", "0.0.0.0/1 128.0.0.0/1", true),
            ("255.255.255.255/32", "255.255.255.254/31", true),
        ] {
            assert_eq!(set(inner).within(&set(outer)), within, "{inner} in {outer}");
        }
        assert_eq!(Networks::all(), set("0.0.0.0/0"));
        assert!(set("0.0.0.0/0").without(&Networks::all()).is_empty());
        let holed = Networks::all().without(&set("10.0.0.0/8 255.0.0.0/8"));
        assert!(set("11.0.0.0/8 9.0.0.0/8").within(&holed) && !set("10.0.0.1/32").within(&holed));
        assert_eq!(holed.and(&set("10.0.0.0/8 255.0.0.0/8")), Networks::all());
    }

    #[test]
    fn what_is_left_and_what_is_taken_make_the_whole() {
        // Small sets over the last byte, against the plain reading of them.
        let of = |bits: u32| -> Vec<Ipv4Net> {
            let host = |n: u32| Ipv4Net::from(std::net::Ipv4Addr::from_bits(n));
            (0..8).filter(|n| bits & (1 << n) != 0).map(host).collect()
        };
        for one in 0..256_u32 {
            for two in (0..256_u32).step_by(7) {
                let (a, b) = (Networks::of(&of(one)), Networks::of(&of(two)));
                assert_eq!(a.without(&b), Networks::of(&of(one & !two)));
                assert_eq!(a.clone().and(&b), Networks::of(&of(one | two)));
                assert_eq!(a.within(&b), one & !two == 0);
            }
        }
    }
}
