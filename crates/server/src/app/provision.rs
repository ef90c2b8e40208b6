//! Opens contracts: a service, a company and its users, from one description. Doing it again adds only what is missing, so a
//! script may run it at every start.

use serde::{Deserialize, Serialize};
use warifu_core::audit::{Action, Origin};
use warifu_core::contract::{Contract, USERS_MAX};
use warifu_core::id::{ContractId, ServiceId, UserId};
use warifu_core::service::{Policy, Service};
use warifu_core::time::UnixMillis;
use warifu_core::user::{Actor, Language, Role, User};
use warifu_store::PasswordHashes;

use super::passwords::Password;
use super::sign_in::LOGIN_ID_MAX;
use super::{App, Failure, Record, time_zone};
use crate::clock::system_rng;

/// What is to exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The protected site.
    pub service: ServicePlan,
    /// Its companies.
    #[serde(default)]
    pub contracts: Vec<ContractPlan>,
}

/// A service to exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServicePlan {
    /// What people type into the app.
    pub id: String,
    /// The name in Japanese.
    pub name_ja: String,
    /// The name in English.
    pub name_en: String,
    /// IANA name of the time zone.
    pub time_zone: String,
    /// How to reach the operators.
    pub help_desk: String,
    /// The rules; left out, those of the manual.
    #[serde(default)]
    pub policy: Policy,
}

/// A company to exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractPlan {
    /// The company's name; one contract of a name at a service.
    pub name: String,
    /// Its users.
    pub users: Vec<UserPlan>,
}

/// A user to exist. The passwords are asked of the caller for those users that are new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPlan {
    /// What the user types to sign in.
    pub login_id: String,
    /// The user's name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The language of the user's mails.
    #[serde(default)]
    pub language: Language,
}

/// The passwords of a new user.
pub struct NewPasswords {
    /// For the sign-in.
    pub password: Password,
    /// For sensitive acts (確認用パスワード).
    pub confirmation_password: Password,
}

/// What is wrong with a plan. Nothing was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The service id has the wrong form.
    #[error("service.id: 2 to 32 characters of a-z, 0-9 and '-', not at the ends")]
    ServiceId,
    /// No such time zone.
    #[error("service.time_zone: {0:?} is no IANA time zone such as Asia/Tokyo")]
    TimeZone(String),
    /// The policy is out of range.
    #[error("service.policy: {0}")]
    Policy(String),
    /// Not exactly one master.
    #[error("contract {0:?}: exactly one user has the role master")]
    Master(String),
    /// Too many users.
    #[error("contract {0:?}: at most {USERS_MAX} users")]
    TooMany(String),
    /// A login id that cannot be.
    #[error(
        "login_id {0:?}: 1 to {LOGIN_ID_MAX} letters, digits, '.', '-', '_' or '@', and only one user of each"
    )]
    LoginId(String),
    /// An empty name.
    #[error("a name is empty")]
    Name,
}

impl Plan {
    /// Looks for mistakes before anything is made.
    ///
    /// # Errors
    /// [`PlanError`], the first mistake found.
    pub fn check(&self) -> Result<(), PlanError> {
        ServiceId::parse(&self.service.id).map_err(|_| PlanError::ServiceId)?;
        jiff::tz::TimeZone::get(&self.service.time_zone)
            .map_err(|_| PlanError::TimeZone(self.service.time_zone.clone()))?;
        self.service
            .policy
            .check()
            .map_err(|error| PlanError::Policy(error.to_string()))?;
        let mut seen = std::collections::BTreeSet::new();
        for contract in &self.contracts {
            if contract
                .users
                .iter()
                .filter(|user| user.role == Role::Master)
                .count()
                != 1
            {
                return Err(PlanError::Master(contract.name.clone()));
            }
            if contract.users.len() > USERS_MAX {
                return Err(PlanError::TooMany(contract.name.clone()));
            }
            for user in &contract.users {
                let plain =
                    |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
                let fits = (1..=LOGIN_ID_MAX).contains(&user.login_id.len())
                    && user.login_id.chars().all(plain);
                if !fits || !seen.insert(&user.login_id) {
                    return Err(PlanError::LoginId(user.login_id.clone()));
                }
            }
        }
        let names = self.contracts.iter().flat_map(|contract| {
            core::iter::once(&contract.name).chain(contract.users.iter().map(|user| &user.name))
        });
        if names
            .chain([&self.service.name_ja, &self.service.name_en])
            .any(|name| name.trim().is_empty())
        {
            return Err(PlanError::Name);
        }
        Ok(())
    }

    fn service(&self) -> Result<Service, Failure> {
        let plan = &self.service;
        let service = Service {
            id: ServiceId::parse(&plan.id)
                .map_err(|_| Failure::fault("the plan was not checked"))?,
            name_ja: plan.name_ja.clone(),
            name_en: plan.name_en.clone(),
            time_zone: plan.time_zone.clone(),
            help_desk: plan.help_desk.clone(),
            policy: plan.policy.clone(),
        };
        time_zone(&service)?;
        Ok(service)
    }
}

impl App {
    /// Makes what is missing of a plan that was checked, and gives the login ids of the users that are new. `passwords` is
    /// asked once for each of them.
    ///
    /// # Errors
    /// [`Failure`]; users made until then stay.
    pub async fn provision(
        &self,
        plan: &Plan,
        mut passwords: impl FnMut(&UserPlan) -> NewPasswords,
    ) -> Result<Vec<String>, Failure> {
        let now = self.now();
        let service = plan.service()?;
        let mut tx = self.store.begin().await?;
        if tx.service(&service.id).await?.is_none() {
            tx.insert_service(&service, now).await?;
            self.recorded(&mut tx, &service.id, ("service", service.id.as_str()), now)
                .await?;
        }
        tx.commit().await?;
        self.keys.ready_for(&service.id, now).await?;
        let mut made = Vec::new();
        for contract_plan in &plan.contracts {
            let contract = self
                .contract_of(&service.id, &contract_plan.name, now)
                .await?;
            for user_plan in &contract_plan.users {
                if self
                    .store
                    .read()
                    .await?
                    .user_by_login(&service.id, &user_plan.login_id)
                    .await?
                    .is_some()
                {
                    continue;
                }
                let new = passwords(user_plan);
                let hashes = PasswordHashes {
                    password: self.passwords.hash(&new.password).await?,
                    confirmation_password: self.passwords.hash(&new.confirmation_password).await?,
                };
                let user = new_user(&service.id, &contract.id, user_plan, now);
                let mut tx = self.store.begin().await?;
                if tx.insert_user(&user, &hashes, now).await? {
                    self.recorded(&mut tx, &service.id, ("user", user.id.as_str()), now)
                        .await?;
                    tx.commit().await?;
                    made.push(user_plan.login_id.clone());
                }
            }
        }
        Ok(made)
    }

    async fn contract_of(
        &self,
        service_id: &ServiceId,
        name: &str,
        now: UnixMillis,
    ) -> Result<Contract, Failure> {
        let mut tx = self.store.begin().await?;
        if let Some(contract) = tx.contract_by_name(service_id, name).await? {
            return Ok(contract);
        }
        let contract = Contract {
            id: ContractId::new(now, &mut system_rng()),
            service_id: service_id.clone(),
            name: name.to_owned(),
        };
        tx.insert_contract(&contract, now).await?;
        self.recorded(&mut tx, service_id, ("contract", contract.id.as_str()), now)
            .await?;
        tx.commit().await?;
        Ok(contract)
    }

    async fn recorded(
        &self,
        tx: &mut warifu_store::Tx,
        service_id: &ServiceId,
        target: (&'static str, &str),
        now: UnixMillis,
    ) -> Result<(), Failure> {
        let origin = Origin::default();
        let record = Record {
            now,
            service_id: Some(service_id),
            actor: &Actor::System,
            origin: &origin,
        };
        record.write(tx, Action::Provision, target, "done").await
    }
}

fn new_user(
    service_id: &ServiceId,
    contract_id: &ContractId,
    plan: &UserPlan,
    now: UnixMillis,
) -> User {
    User {
        id: UserId::new(now, &mut system_rng()),
        service_id: service_id.clone(),
        contract_id: contract_id.clone(),
        login_id: plan.login_id.clone(),
        name: plan.name.clone(),
        role: plan.role,
        language: plan.language,
        mail_address: None,
        disabled: false,
        reopens_at: None,
    }
}
