use std::{
    fs::File,
    io::Write,
    os::fd::AsFd,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Some namespaces that belong together.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
}

/// One network namespace: a machine, as far as the network goes. Goes when dropped.
#[derive(Debug)]
pub struct Space {
    name: String,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// Opens a lab without anything in it.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { prefix: format!("hx{}x{number}", std::process::id()) }
    }

    /// Makes a namespace whose loopback is up.
    pub fn space(&self, name: &str) -> Result<Space> {
        let space = Space { name: format!("{}{name}", self.prefix) };
        run(Command::new("ip").args(["netns", "add", &space.name]))?;
        space.ip("link set lo up")?;
        Ok(space)
    }

    /// Makes a namespace that forwards packets.
    pub fn router(&self, name: &str) -> Result<Space> {
        let space = self.space(name)?;
        space.setting("net/ipv4/ip_forward", "1")?;
        space.setting("net/ipv6/conf/all/forwarding", "1")?;
        Ok(space)
    }
}

impl Space {
    /// Runs `ip` in the namespace.
    pub fn ip(&self, words: &str) -> Result<()> {
        run(Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()))
    }

    /// Returns a program that is to run in the namespace.
    pub fn program(&self, name: &str) -> Command {
        let mut program = Command::new("ip");
        program.args(["netns", "exec", &self.name, name]);
        program
    }

    /// Hands `nft` a rule set.
    pub fn nft(&self, rules: &str) -> Result<()> {
        let mut nft = self
            .program("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the program `ip` is needed")?;
        nft.stdin.take().context("no way to talk to nft")?.write_all(rules.as_bytes())?;
        let output = nft.wait_with_output()?;
        ensure!(output.status.success(), "nft: {}\n{rules}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Asks `nft` something.
    fn nft_says(&self, words: &str) -> Result<String> {
        let output = self
            .program("nft")
            .args(words.split_whitespace())
            .output()
            .context("the program `ip` is needed")?;
        ensure!(output.status.success(), "nft {words}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Reads the first counter in a table: packets and bytes.
    pub fn counted(&self, table: &str) -> Result<(u64, u64)> {
        let said = self.nft_says(&format!("list table {table}"))?;
        let number = |word: &str| -> Option<u64> {
            said.split_whitespace().skip_while(|w| *w != word).nth(1)?.parse().ok()
        };
        number("packets").zip(number("bytes")).context("nft does not count")
    }

    /// Shapes what leaves an interface.
    pub fn shape(&self, interface: &str, words: &str) -> Result<()> {
        let mut tc = Command::new("ip");
        tc.args(["netns", "exec", &self.name, "tc", "qdisc", "replace", "dev", interface, "root"]);
        run(tc.args(words.split_whitespace()))
    }

    /// Joins two namespaces by a cable; an address is written as `10.0.0.1/24`.
    pub fn cable(
        &self,
        interface: &str,
        address: &str,
        other: &Self,
        others_interface: &str,
        others_address: &str,
    ) -> Result<()> {
        self.ip(&format!(
            "link add {interface} type veth peer name {others_interface} netns {}",
            other.name
        ))?;
        for (space, interface, address) in
            [(self, interface, address), (other, others_interface, others_address)]
        {
            space.address(interface, address)?;
            space.ip(&format!("link set {interface} up"))?;
        }
        Ok(())
    }

    /// Gives an interface an address, which is used at once.
    pub fn address(&self, interface: &str, address: &str) -> Result<()> {
        let family = if address.contains(':') { "nodad" } else { "" };
        self.ip(&format!("addr add {address} dev {interface} {family}"))
    }

    /// Moves the calling thread into the namespace; the threads and sockets it makes from then on are there too.
    pub fn enter(&self) -> Result<()> {
        self.door()?.enter()
    }

    /// Returns what a thread that outlives this borrow enters by.
    pub fn door(&self) -> Result<Door> {
        Ok(Door(File::open(format!("/run/netns/{}", self.name))?))
    }

    /// Runs something on a thread in the namespace.
    pub fn within<T: Send>(&self, what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter()?;
                what()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn setting(&self, path: &str, value: &str) -> Result<()> {
        self.within(|| std::fs::write(format!("/proc/sys/{path}"), value).context("needs root"))
    }
}

/// A namespace's door.
#[derive(Debug)]
pub struct Door(File);

impl Door {
    /// Moves the calling thread into the namespace.
    pub fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).context("root is needed")
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // What is left of it goes with its last process.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} (iproute2 is needed)"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {error} (root is needed)");
    Ok(())
}
