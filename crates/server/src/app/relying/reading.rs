//! What relying systems read. Nothing here changes anything.

use warifu_core::activation::STARTS_PERIOD_MS;
use warifu_core::audit::Action;
use warifu_core::id::{ContractId, ServiceId};
use warifu_core::refusal::Refusal;
use warifu_core::suspension::releasers;
use warifu_core::token::Standing;
use warifu_store::EventPlace;

use super::answers::{
    ContractAnswer, ContractsAnswer, EventsAnswer, IssuanceStatus, Issued, ServiceAnswer,
    ServicesAnswer, TokenAnswer, UserAnswer, UsersAnswer,
};
use super::{subject, visible_service};
use crate::app::api_clients::ApiCaller;
use crate::app::{App, Failure};

/// Things on a page, unless fewer are asked for.
pub const PAGE_DEFAULT: u32 = 100;
/// Things on a page at most.
pub const PAGE_MAX: u32 = 500;
/// How old an event is before it is told, in milliseconds. On PostgreSQL, of two events the one that comes first in their order may be committed later; a reader that
/// had gone past it would never see it. Nearly every transaction is over long before this; docs/api.md says what a reader does that must not miss the others.
pub const EVENTS_SETTLE_MS: i64 = 2_000;
/// An event that is so far ahead, in milliseconds, was recorded by a clock that was wrong: it is told at once, since all later ones would wait for it.
const EVENTS_AHEAD_MAX_MS: i64 = 60_000;

/// A part of a long list.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Begin after this one; empty for the beginning.
    pub after: &'a str,
    /// So many at most.
    pub limit: u32,
}

impl App {
    /// The services that the caller may act on.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn services_for(
        &self,
        caller: &ApiCaller,
        page: Page<'_>,
    ) -> Result<ServicesAnswer, Failure> {
        let mut tx = self.store.read().await?;
        let services = match &caller.service_id {
            Some(only) => {
                let found = tx.service(only).await?;
                let fits = |id: &ServiceId| id.as_str() > page.after;
                found.into_iter().filter(|it| fits(&it.id)).collect()
            }
            None => tx.services_after(page.after, page.limit).await?,
        };
        let services: Vec<_> = services.iter().map(ServiceAnswer::from).collect();
        let next = full(&services, page).map(|last| last.service_id.clone());
        Ok(ServicesAnswer { services, next })
    }

    /// One service.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn service_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
    ) -> Result<ServiceAnswer, Failure> {
        let mut tx = self.store.read().await?;
        let service = visible_service(&mut tx, caller, service_id).await?;
        Ok(ServiceAnswer::from(&service))
    }

    /// The contracts of a service; to a caller of one contract, that one.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn contracts_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        page: Page<'_>,
    ) -> Result<ContractsAnswer, Failure> {
        let mut tx = self.store.read().await?;
        let service = visible_service(&mut tx, caller, service_id).await?;
        let contracts = match &caller.contract_id {
            Some(only) => {
                let found = tx.contract(only).await?;
                let fits = |id: &ContractId| id.as_str() > page.after;
                found.into_iter().filter(|it| fits(&it.id)).collect()
            }
            None => {
                tx.contracts_after(&service.id, page.after, page.limit)
                    .await?
            }
        };
        let contracts: Vec<_> = contracts.iter().map(ContractAnswer::from).collect();
        let next = full(&contracts, page).map(|last| last.contract_id.clone());
        Ok(ContractsAnswer { contracts, next })
    }

    /// One contract.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn contract_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        contract_id: &ContractId,
    ) -> Result<ContractAnswer, Failure> {
        let mut tx = self.store.read().await?;
        let service = visible_service(&mut tx, caller, service_id).await?;
        let contract = tx
            .contract(contract_id)
            .await?
            .filter(|contract| contract.service_id == service.id)
            .filter(|contract| {
                let only = caller.contract_id.as_ref();
                only.is_none_or(|id| *id == contract.id)
            })
            .ok_or(Refusal::NotFound)?;
        Ok(ContractAnswer::from(&contract))
    }

    /// The users of a service, or of one of its contracts, each with its latest token.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn users_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        contract_id: Option<&ContractId>,
        page: Page<'_>,
    ) -> Result<UsersAnswer, Failure> {
        if let Some(contract_id) = contract_id {
            self.contract_for(caller, service_id, contract_id).await?;
        }
        let now = self.now();
        let mut tx = self.store.read().await?;
        let service = visible_service(&mut tx, caller, service_id).await?;
        let contract_id = contract_id.or(caller.contract_id.as_ref());
        let found = tx
            .users_of_service_after(&service.id, contract_id, page.after, page.limit)
            .await?;
        let users: Vec<_> = found
            .iter()
            .map(|(user, token)| {
                let token = token.as_ref().map(|(token, counter)| (token, counter));
                UserAnswer::of(user, token, &service.policy, now)
            })
            .collect();
        let next = full(&users, page).map(|last| last.login_id.clone());
        Ok(UsersAnswer { users, next })
    }

    /// One user with the latest token; of a suspended one, who can release.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn user_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        login_id: &str,
    ) -> Result<UserAnswer, Failure> {
        let now = self.now();
        let mut tx = self.store.read().await?;
        let (service, user) = subject(&mut tx, caller, service_id, login_id).await?;
        let stored = tx.latest_token(&user.id).await?;
        let token = stored.as_ref().map(|it| (&it.token, &it.counter));
        let mut answer = UserAnswer::of(&user, token, &service.policy, now);
        if let (Some(told), Some((token, counter))) = (&mut answer.token, token)
            && token.state.standing() == Standing::Suspended
        {
            let contract = tx.users_of_contract(&user.contract_id).await?;
            told.releasers = Some(releasers(&user, &contract, counter, &service.policy).into());
        }
        Ok(answer)
    }

    /// The token of one user: the one that lives, or else the one that was activated last.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41), [`Refusal::NoToken`] when there never was one.
    pub async fn token_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        login_id: &str,
    ) -> Result<TokenAnswer, Failure> {
        let user = self.user_for(caller, service_id, login_id).await?;
        Ok(user.token.ok_or(Refusal::NoToken)?)
    }

    /// The issuance that a user asked for last.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41), [`Refusal::NoIssuance`] when there never was one.
    pub async fn issuance_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        login_id: &str,
    ) -> Result<IssuanceStatus, Failure> {
        let now = self.now();
        let mut tx = self.store.read().await?;
        let (service, user) = subject(&mut tx, caller, service_id, login_id).await?;
        let latest = tx.latest_issuance(&user.id).await?;
        let (issuance, _) = latest.ok_or(Refusal::NoIssuance)?;
        let today = tx
            .counted_starts(&user.id, now.plus_ms(-STARTS_PERIOD_MS))
            .await?;
        let policy = &service.policy;
        let of_issuance = policy
            .starts_per_issuance_max
            .saturating_sub(issuance.starts);
        let of_day = policy.starts_per_user_day_max.saturating_sub(today);
        Ok(IssuanceStatus {
            issued: Issued::from(&issuance),
            state: issuance.phase(now).into(),
            starts_left: of_issuance.min(of_day),
        })
    }

    /// The audit events of a service, the oldest first, once they are [`EVENTS_SETTLE_MS`] old.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] (R41).
    pub async fn events_for(
        &self,
        caller: &ApiCaller,
        service_id: &ServiceId,
        action: Option<Action>,
        after: &EventPlace,
        limit: u32,
    ) -> Result<EventsAnswer, Failure> {
        let now = self.now();
        let told = (
            now.plus_ms(-EVENTS_SETTLE_MS),
            now.plus_ms(EVENTS_AHEAD_MAX_MS),
        );
        let mut tx = self.store.read().await?;
        let service = visible_service(&mut tx, caller, service_id).await?;
        let part = tx
            .events_of_service_after(&service.id, after, told, action, limit)
            .await?;
        Ok(EventsAnswer {
            more: part.more,
            next: (part.next != EventPlace::default()).then(|| part.next.to_string()),
            events: part.events.into_iter().map(Into::into).collect(),
        })
    }
}

/// The last thing of a page that is full: there may be more after it.
fn full<'a, T>(page: &'a [T], asked: Page<'_>) -> Option<&'a T> {
    let is_full = u32::try_from(page.len()).is_ok_and(|length| length >= asked.limit);
    page.last().filter(|_| is_full)
}
