use std::net::{IpAddr, SocketAddr};

/// Where an address means one machine, and the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Nowhere: a group of machines, a placeholder, or no port.
    Nowhere,
    /// On one machine, for itself.
    Machine,
    /// With the name of an interface, which differs between machines: IPv6 link-local.
    Interface,
    /// On one network, and on another it is another machine: private and link-local addresses.
    Network,
    /// Everywhere.
    World,
}

impl Scope {
    /// Classifies an address, in whichever family it is written: `::ffff:127.0.0.1` is the loopback too.
    pub fn of(address: &SocketAddr) -> Self {
        if address.port() == 0 {
            return Self::Nowhere;
        }
        match address.ip().to_canonical() {
            IpAddr::V4(ip) if ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast() => Self::Nowhere,
            IpAddr::V4(ip) if ip.is_loopback() => Self::Machine,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Self::Network,
            IpAddr::V6(ip) if ip.is_unspecified() || ip.is_multicast() => Self::Nowhere,
            IpAddr::V6(ip) if ip.is_loopback() => Self::Machine,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Self::Interface,
            IpAddr::V6(ip) if ip.is_unique_local() => Self::Network,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::World,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_it_is_in_either_family() {
        for (scope, addresses) in [
            (
                Scope::Nowhere,
                &["0.0.0.0:9", "0.1.2.3:9", "224.0.0.251:9", "255.255.255.255:9", "192.0.2.1:0"][..],
            ),
            (Scope::Machine, &["127.0.0.1:9", "127.9.9.9:9"]),
            (Scope::Network, &["10.0.0.1:9", "172.16.0.1:9", "192.168.1.1:9", "169.254.0.1:9"]),
            (Scope::World, &["192.0.2.1:9", "100.64.0.1:9"]),
        ] {
            for address in addresses {
                let address: SocketAddr = address.parse().unwrap();
                assert_eq!(Scope::of(&address), scope, "{address}");
                let IpAddr::V4(ip) = address.ip() else { panic!() };
                let mapped = SocketAddr::from((ip.to_ipv6_mapped(), address.port()));
                assert_eq!(Scope::of(&mapped), scope, "{mapped}");
            }
        }
        for (scope, address) in [
            (Scope::Nowhere, "[::]:9"),
            (Scope::Nowhere, "[ff02::fb]:9"),
            (Scope::Nowhere, "[2001:db8::1]:0"),
            (Scope::Machine, "[::1]:9"),
            (Scope::Interface, "[fe80::1]:9"),
            (Scope::Network, "[fd00::1]:9"),
            (Scope::World, "[2001:db8::1]:9"),
        ] {
            assert_eq!(Scope::of(&address.parse().unwrap()), scope, "{address}");
        }
    }
}
