use crate::device::{Device, assert_says};

#[test]
fn the_program_says_what_it_can_do() {
    let device = Device::new();
    assert_says!(device.run(&["--help"]), @r"
    exit 0
    --- out
    Write to the people of your circle, device to device, with no server anywhere

    Usage: hexode [OPTIONS] <COMMAND>

    Commands:
      demo           Watch four devices of three people found a circle and talk, with no server
      up             Run this device's node in the foreground, until Ctrl-C
      down           Ask the running node to close its tunnels and its vault and to end
      found          Found a circle, with oneself as its first member
      invite         Invite somebody by a link, a QR code or a file that lets one person in, once
      join           Join a circle by an invitation, and wait until a member lets you in
      circles        List the circles this device belongs to [alias: circle]
      members        List the circle's members, remove one, give one another role
      leave          Leave the circle with this device; what it holds stays readable on it
      devices        List the circle's devices, or remove one
      verify         Compare safety words with another device, to be sure that nobody sits in between
      recovery       Print sheets that bring a lost founder back, and use them
      groups         List the groups, found one, change who is in it
      conversations  List the circle's conversations
      send           Send a message: it is stored on this device and goes out from there by itself
      read           Read a conversation, oldest first, and mark it as read
      reply          Answer a message, in its conversation
      edit           Give your own message another text; everybody sees that it was edited
      delete         Take your own message back: its text is erased on every device that hears of it
      react          Put a sign under a message
      pin            Put a message where all find it, take it away from there, or list those that are
                     there
      forward        Say a message's text again in another conversation, without saying whose it was
      search         Find words in all that this device holds; what came last is shown first
      files          Send files, list, accept, pause, cancel and save those that were offered
      stream         Offer data streams to members, and open those that others offer
      expire         Let what is written in a conversation from now on disappear everywhere after a
                     while
      keep           Mute, archive or block on this device; nobody else is told
      tail           Show messages as they come, until Ctrl-C; marks nothing as read
      chat           Talk on a full screen; F1 shows the keys
      open           Open the page of the running node in a browser, by a link that works once
      tokens         List, issue and revoke tokens: who may use the node over its loopback port
      status         Show how the node stands and who is connected how
      doctor         Show every way to every device, what was tried, and what would help
      lock           Lock the node: close its tunnels and its vault and drop the keys from memory
      unlock         Unlock the node; makes the vault if there is none yet
      guard          Show or set how the vault is guarded while you are away or under duress
      wipe           Destroy this device's vault with all that is in it, at once and for good
      export         Write out messages, readable by anybody: what this device has written, or all that
                     it holds
      selfcheck      Let the node check itself
      completions    Write the script that completes this program's commands in a shell
      help           Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR>
              The folder of vault and socket [default: HEXODE_HOME, or hexode in the XDG data folder]

          --json
              Answer in JSON, and say errors in JSON

          --circle <NAME|ID>
              Which circle, by name or id; needed only when this device belongs to several

      -v, --verbose...
              Log more to standard error; twice and thrice for still more

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit codes:
      0  it was done
      1  a fault of this program, or a check that does not hold
      2  the request cannot be right as it stands
      3  what the request names is not there
      4  the request contradicts what is already so
      5  the circle's charter gives this device no right to do that
      6  the node is locked
      7  this device's set-up stands in the way: no node running, files, ports, disk
      8  another device refused or could not be reached
    ");
    assert_says!(device.run(&["up", "--help"]), @r"
    exit 0
    --- out
    Run this device's node in the foreground, until Ctrl-C

    On first use it makes the vault and asks twice for a passphrase. Other commands speak to this node.

    Usage: hexode up [OPTIONS]

    Options:
          --home <DIR>
              The folder of vault and socket [default: HEXODE_HOME, or hexode in the XDG data folder]

          --passphrase-file <FILE>
              Read the passphrase from a file, or standard input: `-` [default: HEXODE_PASSPHRASE_FILE]

          --json
              Answer in JSON, and say errors in JSON

          --locked
              Start locked and ask for nothing; `hexode unlock` opens it

          --bind <ADDRESS>
              Where tunnels listen, as ADDRESS:PORT; may be repeated [default: everywhere, any port]

          --circle <NAME|ID>
              Which circle, by name or id; needed only when this device belongs to several

          --address <ADDRESS>
              Where others reach this device from outside, as ADDRESS:PORT, if its router is set up so

      -v, --verbose...
              Log more to standard error; twice and thrice for still more

          --no-lan
              Do not look for members on the local network, nor be found there

          --no-tcp
              Do not listen on TCP, nor dial there where UDP does not get through

          --no-port-mapping
              Do not ask the router to let this device's port in

          --no-forward
              Do not forward packets of two other members who cannot reach each other

          --dht
              Look for members on the Mainline DHT, too, and be found there; remembered until --no-dht

          --dht-bootstrap <ADDRESS>
              A node of the DHT to begin with, as ADDRESS:PORT; several times for more; implies --dht

          --web-port <PORT>
              The loopback port on which the page is served [default: any free one, the same every time]

          --no-web
              Serve no page, and listen on no loopback port

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
    assert_says!(device.run(&["invite", "-h"]), @r"
    exit 0
    --- out
    Invite somebody by a link, a QR code or a file that lets one person in, once

    Usage: hexode invite [OPTIONS]
           hexode invite <COMMAND>

    Commands:
      list    List the invitations
      revoke  Withdraw an invitation
      help    Print this message or the help of the given subcommand(s)

    Options:
          --home <DIR>        The folder of vault and socket [default: HEXODE_HOME, or hexode in the XDG
                              data folder]
          --json              Answer in JSON, and say errors in JSON
          --circle <NAME|ID>  Which circle, by name or id; needed only when this device belongs to
                              several
          --role <ROLE>       What the newcomer may do [default: member] [possible values: admin,
                              member, guest]
          --expires <TIME>    For how long it holds: 30m, 24h, 7d [default: 24h]
      -v, --verbose...        Log more to standard error; twice and thrice for still more
          --own-device        Add another device of one's own instead of a new member
          --file <FILE>       Write the link to a new file, too
      -h, --help              Print help (see more with '--help')
      -V, --version           Print version
    ");
}

#[test]
fn every_command_has_a_help_that_fits_on_a_screen() {
    let device = Device::new();
    let help = device.ok(&["help"]);
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on in a second line is set in further.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let help = device.ok(&[command, "--help"]);
        assert!(help.lines().count() <= 60 && help.contains("Usage: hexode"), "{command}:\n{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{command}:\n{help}");
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    let device = Device::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(device.ok(&["completions", shell]).contains("conversations"), "{shell}");
    }
}
