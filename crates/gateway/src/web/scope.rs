//! Which scope a request needs: the one table of rights on the loopback port.

use axum::http::Method;
use node::api::Scope;

/// Returns the least scope that may ask this. What the table does not name needs the highest.
pub(super) fn needed(method: &Method, path: &str) -> Scope {
    let mut words = path.trim_start_matches('/').split('/').skip(1);
    let (first, second, third) = (words.next().unwrap_or_default(), words.nth(1), words.next());
    let circle = first == "circles";
    if method == Method::GET || method == Method::HEAD {
        return match (first, second) {
            // An invitation's link lets whoever reads it in; what streams lead to are this machine's paths and commands, and a
            // file's job tells where it is saved.
            ("circles", Some("invitations" | "streams" | "stream-listeners"))
            | ("file-jobs" | "tokens" | "web", _) => Scope::Admin,
            _ => Scope::Read,
        };
    }
    match (circle, second, third) {
        (true, Some("messages"), _) => Scope::Write,
        // Everything in a conversation that exists; founding a group is the circle's business.
        (true, Some("conversations"), Some(_)) => Scope::Write,
        _ => Scope::Admin,
    }
}

/// What a session may ask while the vault is closed and cannot be asked for its scope: what a locked node answers, but
/// nothing that lets others in, destroys or ends.
pub(super) fn while_closed(method: &Method, path: &str) -> bool {
    match *method {
        Method::GET => matches!(path, "/v1/status" | "/v1/vault" | "/v1/events" | "/v1/selfcheck"),
        Method::POST => matches!(path, "/v1/lock" | "/v1/web/session") || opens(method, path),
        // To leave.
        Method::DELETE => path == "/v1/web/session",
        _ => false,
    }
}

/// What opens the vault, or makes it.
pub(super) fn opens(method: &Method, path: &str) -> bool {
    *method == Method::POST && matches!(path, "/v1/unlock" | "/v1/vault")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_as_the_table_says() {
        let cases = [
            ("GET", "/v1/status", Scope::Read),
            ("GET", "/v1/events", Scope::Read),
            ("GET", "/v1/circles", Scope::Read),
            ("GET", "/v1/circles/c/members", Scope::Read),
            ("GET", "/v1/circles/c/conversations/d/messages", Scope::Read),
            ("GET", "/v1/circles/c/invitations", Scope::Admin),
            ("GET", "/v1/tokens", Scope::Admin),
            ("POST", "/v1/circles/c/messages", Scope::Write),
            ("POST", "/v1/circles/c/conversations/d/read", Scope::Write),
            ("POST", "/v1/circles/c/conversations", Scope::Admin),
            ("POST", "/v1/circles/c/invitations", Scope::Admin),
            ("DELETE", "/v1/circles/c/members/m", Scope::Admin),
            ("PUT", "/v1/circles/c/devices/d/verification", Scope::Admin),
            // They name paths of this machine.
            ("POST", "/v1/circles/c/files", Scope::Admin),
            ("POST", "/v1/circles/c/files/m/save", Scope::Admin),
            ("GET", "/v1/file-jobs/7", Scope::Admin),
            ("GET", "/v1/circles/c/files", Scope::Read),
            // They name commands of this machine.
            ("GET", "/v1/circles/c/streams", Scope::Admin),
            ("GET", "/v1/circles/c/streams/s/end", Scope::Admin),
            ("GET", "/v1/circles/c/stream-listeners/1/end", Scope::Admin),
            ("POST", "/v1/circles/c/streams", Scope::Admin),
            ("POST", "/v1/circles/c/stream-listeners", Scope::Admin),
            ("POST", "/v1/circles", Scope::Admin),
            ("POST", "/v1/join", Scope::Admin),
            ("POST", "/v1/stop", Scope::Admin),
            ("POST", "/v1/lock", Scope::Admin),
            ("POST", "/v1/messages", Scope::Admin),
            ("POST", "/", Scope::Admin),
        ];
        for (method, path, scope) in cases {
            let method = method.parse().unwrap();
            assert_eq!(needed(&method, path), scope, "{method} {path}");
        }
    }
}
