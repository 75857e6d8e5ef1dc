//! What is said to a router in UPnP: a search, its description, and calls of its service. Decides only; no I/O.
//!
//! No more of XML is read than the few elements that are asked for, as plain text between two tags.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Protocol, Refused};

/// Where on the router something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) port: u16,
    pub(super) path: String,
}

/// The router's service for ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) place: Place,
    name: String,
}

/// The question who is a router, for that router alone (UPnP Device Architecture 1.1 §1.3.2).
pub(super) fn search(router: Ipv4Addr) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {router}:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {GATEWAY}:1\r\n\r\n"
    )
}

/// Reads where the router says its description is. Nowhere but on itself.
pub(super) fn location(answer: &[u8], router: Ipv4Addr) -> Result<Place, Refused> {
    let text = std::str::from_utf8(answer).map_err(|_| Refused::Malformed)?;
    let mut lines = text.lines();
    let found = lines.next().is_some_and(|status| status.starts_with("HTTP/1.1 200"));
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| {
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let is_router = header("ST").is_some_and(|kind| kind.starts_with(GATEWAY));
    let location = header("LOCATION").filter(|_| found && is_router).ok_or(Refused::Malformed)?;
    place(location, router, None)
}

/// Reads where the service for ports is from the router's description.
pub(super) fn service(description: &str, router: Ipv4Addr, port: u16) -> Result<Service, Refused> {
    let mut rest = description;
    while let Some((block, after)) = element(rest, "service") {
        rest = after;
        let field = |name| element(block, name).map(|(value, _)| value.trim());
        let (Some(name), Some(url)) = (field("serviceType"), field("controlURL")) else { continue };
        if SERVICES.contains(&name) {
            return Ok(Service { place: place(url, router, Some(port))?, name: name.to_owned() });
        }
    }
    Err(Refused::Unknown)
}

/// Reads a URL on the router; one without host is on `port`.
fn place(url: &str, router: Ipv4Addr, port: Option<u16>) -> Result<Place, Refused> {
    let fine = |text: &str| text.len() <= URL && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fine(url) {
        return Err(Refused::Malformed);
    }
    let Some(rest) = url.strip_prefix("http://") else {
        let port = port.filter(|_| !url.contains("://")).ok_or(Refused::Malformed)?;
        return Ok(Place { port, path: format!("/{}", url.trim_start_matches('/')) });
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host: SocketAddrV4 = match host.contains(':') {
        true => host.parse(),
        false => format!("{host}:80").parse(),
    }
    .map_err(|_| Refused::Malformed)?;
    // Nobody else is asked, whatever a router says.
    if *host.ip() != router || host.port() == 0 {
        return Err(Refused::Elsewhere);
    }
    Ok(Place { port: host.port(), path: format!("/{path}") })
}

/// Asks for the description.
pub(super) fn get(router: Ipv4Addr, place: &Place) -> String {
    let Place { port, path } = place;
    format!("GET {path} HTTP/1.0\r\nHost: {router}:{port}\r\nConnection: close\r\n\r\n")
}

/// What the service is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    /// The router's outer address.
    Address,
    /// To let a port in for some seconds.
    Add { protocol: Protocol, outside: u16, own: SocketAddrV4, seconds: u32 },
    /// Not to let it in any more.
    Delete { protocol: Protocol, outside: u16 },
}

impl Service {
    /// Writes a call of the service.
    pub(super) fn call(&self, router: Ipv4Addr, call: &Call) -> String {
        let (action, arguments) = match call {
            Call::Address => ("GetExternalIPAddress", String::new()),
            Call::Add { protocol, outside, own, seconds } => (
                "AddPortMapping",
                format!(
                    "<NewRemoteHost></NewRemoteHost><NewExternalPort>{outside}</NewExternalPort><NewProtocol>{protocol}</NewProtocol>\
                     <NewInternalPort>{}</NewInternalPort><NewInternalClient>{}</NewInternalClient><NewEnabled>1</NewEnabled>\
                     <NewPortMappingDescription>{protocol}</NewPortMappingDescription><NewLeaseDuration>{seconds}</NewLeaseDuration>",
                    own.port(),
                    own.ip()
                ),
            ),
            Call::Delete { protocol, outside } => (
                "DeletePortMapping",
                format!(
                    "<NewRemoteHost></NewRemoteHost><NewExternalPort>{outside}</NewExternalPort><NewProtocol>{protocol}</NewProtocol>"
                ),
            ),
        };
        let Self { place: Place { port, path }, name } = self;
        let body = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} xmlns:u=\"{name}\">{arguments}</u:{action}>\
             </s:Body></s:Envelope>"
        );
        format!(
            "POST {path} HTTP/1.0\r\nHost: {router}:{port}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: {}\r\n\
             SOAPAction: \"{name}#{action}\"\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Returns what an answer over HTTP holds.
pub(super) fn body(answer: &[u8]) -> Result<&str, Refused> {
    let text = std::str::from_utf8(answer).map_err(|_| Refused::Malformed)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(Refused::Malformed)?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).ok_or(Refused::Malformed)?;
    if status == "200" {
        return Ok(body);
    }
    let code = element(body, "errorCode").and_then(|(code, _)| code.trim().parse().ok());
    Err(code.or(status.parse().ok()).map_or(Refused::Malformed, Refused::Code))
}

/// Reads the router's outer address.
pub(super) fn address(body: &str) -> Result<Ipv4Addr, Refused> {
    let (address, _) = element(body, "NewExternalIPAddress").ok_or(Refused::Malformed)?;
    address.trim().parse().map_err(|_| Refused::Malformed)
}

/// Finds the first element of a name without attributes; returns what is in it and what follows it.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
}

const GATEWAY: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice";
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];
/// The longest URL that is taken.
const URL: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    fn answer(location: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {GATEWAY}:1\r\nLocation: {location}\r\nEXT:\r\n\r\n"
        )
    }

    const DESCRIPTION: &str = "<?xml version=\"1.0\"?><root><device><serviceList><service>\
        <serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/ctl/L3F</controlURL></service>\
        <service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
        <controlURL>/ctl/IPConn</controlURL></service></serviceList></device></root>";

    #[test]
    fn a_router_is_asked_nothing_that_lies_elsewhere() {
        let read = |url: &str| location(answer(url).as_bytes(), ROUTER);
        assert_eq!(
            read("http://192.168.1.1:5000/rootDesc.xml"),
            Ok(Place { port: 5000, path: "/rootDesc.xml".into() })
        );
        assert_eq!(read("http://192.168.1.1"), Ok(Place { port: 80, path: "/".into() }));
        for elsewhere in
            ["http://192.168.1.2:5000/", "http://192.0.2.1/", "http://127.0.0.1:80/", "http://192.168.1.1:0/"]
        {
            assert_eq!(read(elsewhere), Err(Refused::Elsewhere), "{elsewhere}");
        }
        for bad in [
            "http://router/",
            "https://192.168.1.1/",
            "/rootDesc.xml",
            "http://192.168.1.1@192.0.2.1/",
            "http://192.168.1.1/\u{e4}",
            "",
        ] {
            assert_eq!(read(bad), Err(Refused::Malformed), "{bad}");
        }
        assert_eq!(read(&format!("http://192.168.1.1/{}", "a".repeat(300))), Err(Refused::Malformed));
        assert_eq!(
            location(answer("http://192.168.1.1/").replace("Gateway", "Toaster").as_bytes(), ROUTER),
            Err(Refused::Malformed)
        );
        assert_eq!(location(b"HTTP/1.1 404 Not Found\r\n\r\n", ROUTER), Err(Refused::Malformed));
    }

    #[test]
    fn the_service_for_ports_is_found_and_called() {
        let found = service(DESCRIPTION, ROUTER, 5000).unwrap();
        assert_eq!(found.place, Place { port: 5000, path: "/ctl/IPConn".into() });
        let own = "192.168.1.5:4000".parse().unwrap();
        let call =
            found.call(ROUTER, &Call::Add { protocol: Protocol::Udp, outside: 4001, own, seconds: 7200 });
        let (head, body) = call.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /ctl/IPConn HTTP/1.0\r\n")
                && head.contains(&format!("Content-Length: {}\r\n", body.len()))
        );
        assert!(
            body.contains("<NewExternalPort>4001</NewExternalPort><NewProtocol>UDP</NewProtocol>"),
            "{body}"
        );
        assert!(!call.to_lowercase().contains("hexode"), "it does not say what asks");
        let elsewhere = DESCRIPTION.replace("/ctl/IPConn", "http://192.0.2.1/ctl");
        assert_eq!(service(&elsewhere, ROUTER, 5000), Err(Refused::Elsewhere));
        assert_eq!(service(&DESCRIPTION.replace("WANIP", "WANDSL"), ROUTER, 5000), Err(Refused::Unknown));
    }

    #[test]
    fn answers_and_refusals_are_told_apart() {
        let fine =
            b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<NewExternalIPAddress>192.0.2.9</NewExternalIPAddress>";
        assert_eq!(address(body(fine).unwrap()), Ok(Ipv4Addr::new(192, 0, 2, 9)));
        let no = b"HTTP/1.1 500 Internal Server Error\r\n\r\n<errorCode>718</errorCode>";
        assert_eq!(body(no), Err(Refused::Code(718)));
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\n\r\n"), Err(Refused::Code(404)));
        assert_eq!(address("<NewExternalIPAddress></NewExternalIPAddress>"), Err(Refused::Malformed));
        for bad in [&b"200 OK\r\n\r\n"[..], b"HTTP/1.1 200 OK", b"\xff\r\n\r\n", b""] {
            assert_eq!(body(bad), Err(Refused::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_calmly(text in "(<service>|</service>|<serviceType>|[a-z:/.\r\n0-9<>]|HTTP/1.1 200|\u{e9}){0,200}") {
            let _ = (location(text.as_bytes(), ROUTER), service(&text, ROUTER, 80), body(text.as_bytes()).map(address));
        }
    }
}
