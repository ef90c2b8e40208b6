//! The same code from several callers at the same moment: how many of them are told that it is accepted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use tempfile::TempDir;
use tokio::task::JoinSet;
use warifu_core::service::Policy;
use warifu_server::clock::Clock;
use warifu_store::DatabaseConfig;

use super::client::Client;
use super::{Peer, Tokens};
use crate::bank::Bank;
use crate::kill::client::{Connection, Reply};
use crate::kill::server::Server;
use crate::spec::Answer;

/// Nearer than this to the end of a step, some of the callers would come in the next one.
const BEFORE_NEXT_STEP: Duration = Duration::from_millis(500);

/// How often a code was accepted that several callers sent at once.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Same {
    /// Codes that were sent.
    pub codes: usize,
    /// Callers who sent each at the same moment.
    pub callers: usize,
    /// Codes that nobody had accepted.
    pub never: usize,
    /// Codes that were accepted once, as they should be.
    pub once: usize,
    /// Codes that were accepted more than once.
    pub more_than_once: usize,
    /// Answers that were neither yes nor no.
    pub no_verdict: usize,
    /// How many codes had how many acceptances.
    pub by_acceptances: BTreeMap<usize, usize>,
}

/// Sends each of so many fresh codes from so many callers at the same moment.
///
/// # Errors
/// When the peer does not answer.
pub async fn same(
    peer: Peer,
    address: SocketAddr,
    tokens: &mut Tokens,
    codes: usize,
    callers: usize,
) -> Result<Same> {
    let clock = Clock::system();
    let mut found = Same::new(codes, callers);
    let mut clients = Vec::new();
    for _ in 0..callers {
        clients.push(Client::new(peer, address));
    }
    let digits = tokens.digits;
    ensure!(
        codes <= tokens.tokens.len(),
        "there are fewer tokens than codes"
    );
    for at in 0..codes {
        // Near the end of a step some of the callers would be late.
        if tokens.until_next_step(&clock) < BEFORE_NEXT_STEP
            || tokens.tokens[at].used_step >= tokens.step(&clock)
        {
            tokio::time::sleep(tokens.until_next_step(&clock)).await;
        }
        let step = tokens.step(&clock);
        let token = &mut tokens.tokens[at];
        token.used_step = step;
        let code = token.code(step, digits)?;
        let mut asking = JoinSet::new();
        for mut client in clients.drain(..) {
            client.connect().await?;
            let (user, code) = (token.user.clone(), code.clone());
            asking.spawn(async move {
                let accepted = client.accepts(&user, &code).await?;
                Ok::<_, anyhow::Error>((client, accepted))
            });
        }
        let mut acceptances = 0;
        while let Some(done) = asking.join_next().await {
            let (client, accepted) = done??;
            acceptances += usize::from(accepted == Ok(true));
            found.no_verdict += usize::from(accepted.is_err());
            clients.push(client);
        }
        found.note(acceptances);
    }
    Ok(found)
}

/// The same for Warifu: a node of its own, on SQLite.
///
/// # Errors
/// When the node does not start, or gives no verdict.
pub async fn same_of_warifu(program: &Path, codes: usize, callers: usize) -> Result<Same> {
    let folder = TempDir::new()?;
    let database = DatabaseConfig::Sqlite {
        path: folder.path().join("same.db"),
    };
    let (policy, clock) = (Policy::manual(), Clock::system());
    let parameters = policy.parameters;
    let bank = Bank::open(database, folder.path(), policy, clock.clone()).await?;
    let holders = bank.holders("same", codes).await?;
    let server = Server::prepare(program, &bank, folder.path())?;
    let api_key = bank.api_key.expose().to_owned();
    // The node has the database for itself.
    drop(bank.close());
    let running = server.start()?;
    let alive = AtomicBool::new(false);
    let mut connections = Vec::new();
    for _ in 0..callers {
        let connection = Connection::open(server.address(), &api_key, &alive).await;
        connections.push(connection.with_context(|| running.said())?);
    }
    let mut found = Same::new(codes, callers);
    for holder in &holders {
        let step = parameters.time_step(clock.now().0.div_euclid(1_000));
        let code = holder.code(step);
        let mut asking = JoinSet::new();
        for mut connection in connections.drain(..) {
            let (login_id, code) = (holder.login_id.clone(), code.clone());
            asking.spawn(async move {
                let accepted = match connection.verify(&login_id, &code).await? {
                    Some(Reply::Judged(answer)) => answer == Answer::Accepted,
                    Some(Reply::TurnedAway) | None => bail!("a code was not judged"),
                };
                Ok::<_, anyhow::Error>((connection, accepted))
            });
        }
        let mut acceptances = 0;
        while let Some(done) = asking.join_next().await {
            let (connection, accepted) = done??;
            acceptances += usize::from(accepted);
            connections.push(connection);
        }
        found.note(acceptances);
    }
    Ok(found)
}

impl Same {
    fn new(codes: usize, callers: usize) -> Self {
        Self {
            codes,
            callers,
            ..Self::default()
        }
    }

    /// Counts one code.
    fn note(&mut self, acceptances: usize) {
        match acceptances {
            0 => self.never += 1,
            1 => self.once += 1,
            _ => self.more_than_once += 1,
        }
        *self.by_acceptances.entry(acceptances).or_default() += 1;
    }
}
