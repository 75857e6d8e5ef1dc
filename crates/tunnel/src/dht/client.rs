//! One operation: a socket, a place of our own, questions and answers.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crypto::{Entropy, OsEntropy};
use tokio::{
    net::UdpSocket,
    time::{sleep_until, timeout_at},
};

use super::{
    krpc::{self, Answer, Item, Place, Question, Transaction},
    record::Record,
    search::{self, Search, Step},
};

/// A client for one operation. Its port and its place are new each time, so that those who are asked cannot tell
/// by them that two operations are one device's.
pub(super) struct Client {
    socket: UdpSocket,
    own: Place,
    asked: BTreeMap<Transaction, SocketAddr>,
}

impl Client {
    pub(super) async fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0)).await?;
        Ok(Self { socket, own: OsEntropy.bytes(), asked: BTreeMap::new() })
    }

    /// Goes to the nodes nearest to a place and shows every item found; one that `suffices` shortens the rest.
    pub(super) async fn search(
        &mut self,
        target: Place,
        start: impl IntoIterator<Item = SocketAddr>,
        mut suffices: impl FnMut(&Item<'_>) -> bool,
    ) -> io::Result<Search> {
        let mut search = Search::new(target, start, Instant::now());
        let mut buffer = [0; krpc::LIMIT + 1];
        loop {
            let until = loop {
                match search.poll(Instant::now()) {
                    Step::Ask(address) => {
                        if !self.ask(&Question::Get { target }, address).await {
                            search.handle_refusal(address);
                        }
                    }
                    Step::Wait(until) => break until,
                    Step::Done => return Ok(search),
                }
            };
            let received = tokio::select! {
                () = sleep_until(until.into()) => continue,
                received = self.socket.recv_from(&mut buffer) => received,
            };
            match self.answer(&buffer, received)? {
                Some((from, Answer::Yes { id, token, nodes, item })) => {
                    let awaited = search.handle_answer(from, id, token, &nodes);
                    if awaited && item.is_some_and(|item| suffices(&item)) {
                        search.hurry(Instant::now());
                    }
                }
                Some((from, Answer::No)) => search.handle_refusal(from),
                None => {}
            }
        }
    }

    /// Asks the nodes to which a search went to keep a record; returns how many do.
    pub(super) async fn put(&mut self, search: &Search, record: &Record) -> io::Result<usize> {
        let (mut waiting, mut kept) = (0usize, 0);
        // A late answer to a question of the search says nothing about the record.
        self.asked.clear();
        for (address, token) in search.nearest() {
            waiting += usize::from(self.ask(&Question::Put { item: record.item(), token }, address).await);
        }
        let end = tokio::time::Instant::now() + search::PATIENCE + Duration::from_millis(500);
        let mut buffer = [0; krpc::LIMIT + 1];
        while waiting > 0 {
            let Ok(received) = timeout_at(end, self.socket.recv_from(&mut buffer)).await else { break };
            if let Some((_, answer)) = self.answer(&buffer, received)? {
                waiting -= 1;
                kept += usize::from(answer != Answer::No);
            }
        }
        Ok(kept)
    }

    /// Sends a question; `false` if there is no way there.
    async fn ask(&mut self, question: &Question<'_>, address: SocketAddr) -> bool {
        let transaction: Transaction = OsEntropy.bytes();
        self.asked.insert(transaction, address);
        self.socket.send_to(&question.encode(transaction, &self.own), address).await.is_ok()
    }

    /// Decodes what came if it answers a question of ours to him who sent it.
    fn answer<'a>(
        &mut self,
        buffer: &'a [u8],
        received: io::Result<(usize, SocketAddr)>,
    ) -> io::Result<Option<(SocketAddr, Answer<'a>)>> {
        let (length, from) = received?;
        let Some((transaction, answer)) = buffer.get(..length).and_then(Answer::decode) else {
            return Ok(None);
        };
        if self.asked.get(&transaction) != Some(&from) {
            return Ok(None);
        }
        self.asked.remove(&transaction);
        Ok(Some((from, answer)))
    }
}
