use std::path::Path;

use anyhow::{Result, ensure};

use crate::shell::{self, cargo, command};

/// A program that a step calls, and how it is had.
struct Tool {
    program: &'static str,
    from: Source,
}

enum Source {
    /// A crate, built without optimisation: the tool runs for a second, its build would take minutes.
    Crate { name: &'static str, version: &'static str },
    /// A Debian package.
    Package(&'static str),
}

const TOOLS: &[Tool] = &[
    Tool { program: "git", from: Source::Package("git") },
    Tool { program: "cc", from: Source::Package("gcc") },
    Tool { program: "ip", from: Source::Package("iproute2") },
    Tool { program: "nft", from: Source::Package("nftables") },
    Tool { program: "miniupnpd", from: Source::Package("miniupnpd-nftables") },
    Tool { program: "tcpdump", from: Source::Package("tcpdump") },
    Tool { program: "node", from: Source::Package("nodejs") },
    Tool { program: "npm", from: Source::Package("npm") },
    Tool { program: "chromium", from: Source::Package("chromium") },
    Tool { program: "cargo-nextest", from: Source::Crate { name: "cargo-nextest", version: "0.9.143" } },
    Tool { program: "cargo-deny", from: Source::Crate { name: "cargo-deny", version: "0.20.2" } },
];

/// Installs what is missing where that takes no password, and otherwise says what is missing.
pub(super) fn run() -> Result<()> {
    let mut packages = Vec::new();
    let mut crates = Vec::new();
    for tool in TOOLS {
        if shell::has(tool.program)? {
            continue;
        }
        match tool.from {
            Source::Package(name) => packages.push(name),
            Source::Crate { name, version } => crates.push((name, version)),
        }
    }
    if !packages.is_empty() {
        let wanted = packages.join(" ");
        ensure!(
            is_root() && Path::new("/usr/bin/apt-get").exists(),
            "missing programs; on Debian: apt-get install {wanted}"
        );
        apt_get(&["update", "--quiet", "--quiet"])?;
        apt_get(
            &[&["install", "--yes", "--quiet", "--quiet", "--no-install-recommends"], &*packages].concat(),
        )?;
    }
    for (name, version) in crates {
        let mut install = cargo(&format!("install --locked --debug {name} --version {version}"));
        shell::run(install.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR"))?;
    }
    println!("{} programs are here", TOOLS.len());
    Ok(())
}

fn apt_get(words: &[&str]) -> Result<()> {
    shell::run(command("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Tells whether this process may install packages and make network namespaces.
pub(crate) fn is_root() -> bool {
    shell::capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
