//! Who may open what, and what ends when he may no more.

use hexode_node::api::{self, ErrorKind, StreamGrant, StreamPolicy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    house::run,
    scene::{Scene, echo, echoes, offer},
};

/// Tells that a client's connection is broken off, whatever was under way.
async fn is_broken(client: &mut TcpStream) {
    let mut rest = Vec::new();
    let seen = client.read_to_end(&mut rest).await;
    assert!(seen.is_err(), "an end in place of a reset");
}

#[test]
fn who_is_not_granted_a_stream_learns_no_more_than_that_of_one_that_is_not_there() {
    run(async {
        let scene = Scene::new().await;
        let nobodys = api::NewStreamOffer { members: Vec::new(), ..offer("beans", echo().await) };
        scene.ann.offer(nobodys).await.unwrap();
        let mut words = Vec::new();
        for called in ["Ann/beans", "Ann/peas"] {
            let listener = scene.ben.open(called).await.unwrap();
            is_broken(&mut TcpStream::connect(&listener.address).await.unwrap()).await;
            let streams = scene.ben.streams().await;
            let refused = streams.refused.last().unwrap();
            words.push((refused.reason.clone(), refused.words.clone()));
        }
        assert_eq!(words[0], words[1]);
        assert_eq!(words[0].0, "unknown");
    });
}

#[test]
fn grants_hold_from_the_moment_they_are_given_and_revoking_ends_what_is_open() {
    run(async {
        let scene = Scene::new().await;
        let (ann, ben) = (&scene.ann, &scene.ben);
        let nobodys = api::NewStreamOffer { members: Vec::new(), ..offer("beans", echo().await) };
        ann.offer(nobodys).await.unwrap();
        let address = ben.open("Ann/beans").await.unwrap().address;
        let bens = StreamGrant { members: vec!["Ben".into()], role: None };
        let members = StreamGrant { members: Vec::new(), role: Some(api::Role::Member) };
        let admins = StreamGrant { members: Vec::new(), role: Some(api::Role::Admin) };
        for (grant, admits) in [(&bens, true), (&members, true), (&admins, false)] {
            let shown = ann.node.grant_stream(ann.circle, "beans".into(), grant.clone()).await.unwrap();
            assert_eq!((shown.members.len(), shown.role), (grant.members.len(), grant.role));
            let mut client = TcpStream::connect(&address).await.unwrap();
            if admits {
                echoes(&mut client, b"beans").await;
                assert_eq!(ann.streams().await.open, 1);
            }
            ann.node.revoke_stream(ann.circle, "beans".into(), grant.clone()).await.unwrap();
            is_broken(&mut client).await;
            ann.until_open(0).await;
            ben.until_open(0).await;
        }
    });
}

#[test]
fn grants_survive_locking_and_a_withdrawn_stream_does_not() {
    run(async {
        let scene = Scene::new().await;
        let (ann, ben) = (&scene.ann, &scene.ben);
        scene.offer(echo().await).await;
        let address = scene.open().await;
        let mut client = TcpStream::connect(&address).await.unwrap();
        echoes(&mut client, b"before").await;
        ann.reopen().await;
        is_broken(&mut client).await;
        ben.until_up("Ann").await;
        ann.until_up("Ben").await;
        // The link that was may still be taken for one.
        let mut client = loop {
            let mut client = TcpStream::connect(&address).await.unwrap();
            let said = client.write_all(b"after").await;
            if said.is_ok() && client.read_exact(&mut [0; 5]).await.is_ok() {
                break client;
            }
        };
        ann.node.withdraw_stream(ann.circle, "beans".into()).await.unwrap();
        is_broken(&mut client).await;
        assert!(ann.streams().await.offers.is_empty());
        let again = ann.node.withdraw_stream(ann.circle, "beans".into()).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::NotFound);
        is_broken(&mut TcpStream::connect(&address).await.unwrap()).await;
        assert_eq!(ben.until_refused("unknown").await.offer, "beans");
    });
}

#[test]
fn a_removed_members_flows_end_at_once_and_so_do_ones_own_to_him() {
    run(async {
        let scene = Scene::new().await;
        let (ann, ben) = (&scene.ann, &scene.ben);
        scene.offer(echo().await).await;
        let anns = api::NewStreamOffer { members: vec!["Ann".into()], ..offer("peas", echo().await) };
        ben.offer(anns).await.unwrap();
        let mut bens_client = TcpStream::connect(scene.open().await).await.unwrap();
        echoes(&mut bens_client, b"beans").await;
        let mut anns_client = TcpStream::connect(ann.open("Ben/peas").await.unwrap().address).await.unwrap();
        echoes(&mut anns_client, b"peas").await;
        let members = ann.node.members(ann.circle).await.unwrap();
        let him = members.iter().find(|member| member.name == "Ben").unwrap().id;
        ann.node.remove_member(ann.circle, him).await.unwrap();
        is_broken(&mut bens_client).await;
        is_broken(&mut anns_client).await;
        ann.until_open(0).await;
    });
}

#[test]
fn the_rules_of_a_device_end_streams_and_keep_them_to_labels() {
    run(async {
        let scene = Scene::new().await;
        let (ann, ben) = (&scene.ann, &scene.ben);
        scene.offer(echo().await).await;
        let address = scene.open().await;
        let mut client = TcpStream::connect(&address).await.unwrap();
        echoes(&mut client, b"beans").await;
        let set = async |on, labels: &[&str]| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            ann.node.set_stream_policy(ann.circle, StreamPolicy { on, labels }).await.unwrap();
        };
        set(false, &[]).await;
        is_broken(&mut client).await;
        is_broken(&mut TcpStream::connect(&address).await.unwrap()).await;
        assert!(ben.until_refused("off").await.theirs);
        let own = ann.open("Ben/peas").await.unwrap_err();
        assert_eq!(own.kind, ErrorKind::NotAllowed);
        set(true, &["restricted"]).await;
        is_broken(&mut TcpStream::connect(&address).await.unwrap()).await;
        ben.until_refused("label").await;
        set(true, &[]).await;
        let mut client = TcpStream::connect(&address).await.unwrap();
        echoes(&mut client, b"beans").await;
        set(true, &["restricted"]).await;
        is_broken(&mut client).await;
    });
}
