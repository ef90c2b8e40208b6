//! Pages that exist in `warifu demo` only: its accounts, and the mails that lie in its folder.

use std::fs;
use std::path::Path;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use mail_parser::{Address, Message, MessageParser};
use warifu_core::refusal::Refusal;

use super::Portal;
use super::pages::{DemoAccount, DemoAccountsPage, DemoMail, DemoMailListPage, DemoMailPage, path};
use super::visitor::{OrTrouble as _, Trouble, Visitor};
use crate::app::Failure;
use crate::demo::DemoSite;

/// Mails on the page at most, the newest ones.
const MAILS_MAX: usize = 200;
/// The longest mail that is read, in bytes; ours are a few thousand.
const MAIL_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route(path::DEMO, get(accounts))
        .route(path::DEMO_MAIL, get(mails))
        .route(&format!("{}/{{id}}", path::DEMO_MAIL), get(mail))
}

/// `GET /demo`.
async fn accounts(State(portal): State<Portal>, visitor: Visitor) -> Result<Response, Trouble> {
    let site = site(&portal).or_trouble(&visitor)?;
    let accounts = site.accounts.iter().map(|user| DemoAccount {
        login_id: user.login_id.clone(),
        role: user.role,
        password: user.password.clone(),
        confirmation_password: user.confirmation_password.clone(),
    });
    visitor.page(&DemoAccountsPage {
        frame: visitor.frame(),
        accounts: accounts.collect(),
    })
}

/// `GET /demo/mail`: the newest mail first.
async fn mails(State(portal): State<Portal>, visitor: Visitor) -> Result<Response, Trouble> {
    let site = site(&portal).or_trouble(&visitor)?.mail_dir.clone();
    let read = tokio::task::spawn_blocking(move || newest(&site)).await;
    let files = read
        .map_err(|_| Failure::fault("the mails were not read"))
        .or_trouble(&visitor)?;
    let mails = files
        .iter()
        .filter_map(|(id, bytes)| {
            MessageParser::default()
                .parse(bytes)
                .map(|message| head(&visitor, id, &message))
        })
        .collect::<Result<_, _>>()?;
    visitor.page(&DemoMailListPage {
        frame: visitor.frame(),
        mails,
    })
}

/// `GET /demo/mail/{id}`.
async fn mail(
    State(portal): State<Portal>,
    visitor: Visitor,
    UrlPath(id): UrlPath<String>,
) -> Result<Response, Trouble> {
    let dir = site(&portal).or_trouble(&visitor)?.mail_dir.clone();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(visitor.trouble(&Refusal::NotFound.into()));
    }
    let file = dir.join(format!("{id}.eml"));
    let read = tokio::task::spawn_blocking(move || read(&file))
        .await
        .ok()
        .flatten();
    let bytes = read.ok_or(Refusal::NotFound).or_trouble(&visitor)?;
    let message = MessageParser::default()
        .parse(&bytes)
        .ok_or(Refusal::NotFound)
        .or_trouble(&visitor)?;
    let body = message.body_text(0).unwrap_or_default().into_owned();
    visitor.page(&DemoMailPage {
        frame: visitor.frame(),
        mail: head(&visitor, &id, &message)?,
        body,
    })
}

fn site(portal: &Portal) -> Result<&DemoSite, Refusal> {
    portal.demo.as_deref().ok_or(Refusal::NotFound)
}

/// The newest mails with their ids. Ids are ordered by the time they were made.
fn newest(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut ids: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .into_string()
                .ok()?
                .strip_suffix(".eml")
                .map(str::to_owned)
        })
        .collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(MAILS_MAX);
    ids.into_iter()
        .filter_map(|id| read(&dir.join(format!("{id}.eml"))).map(|bytes| (id, bytes)))
        .collect()
}

fn read(file: &Path) -> Option<Vec<u8>> {
    (fs::metadata(file).ok()?.len() <= MAIL_BYTES_MAX)
        .then(|| fs::read(file).ok())
        .flatten()
}

fn head(visitor: &Visitor, id: &str, message: &Message<'_>) -> Result<DemoMail, Trouble> {
    let first = |address: Option<&Address<'_>>| {
        address
            .and_then(Address::first)
            .and_then(|one| one.address())
            .unwrap_or_default()
            .to_owned()
    };
    let at = message
        .date()
        .map_or(0, mail_parser::DateTime::to_timestamp);
    let at = Timestamp::from_second(at).map_or(0, Timestamp::as_millisecond);
    Ok(DemoMail {
        id: id.to_owned(),
        to: first(message.to()),
        from: first(message.from()),
        subject: message.subject().unwrap_or_default().to_owned(),
        at: visitor.moment(warifu_core::time::UnixMillis(at))?,
    })
}
