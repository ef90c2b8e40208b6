//! Users, roles, and who may act on whom: the permission matrix of J5 and J6.

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, ContractId, OperatorId, ServiceId, UserId};
use crate::refusal::Refusal;
use crate::time::UnixMillis;

/// What a user may do in a contract (マスターユーザ, 管理者ユーザ, 一般ユーザ).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The one master of a contract.
    Master,
    /// Helps the master.
    Administrator,
    /// Everybody else.
    General,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Master, Self::Administrator, Self::General];

    /// The name as it is stored and in `demo.json`: `master`, `administrator`, `general`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Administrator => "administrator",
            Self::General => "general",
        }
    }

    /// The role of a stored name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether the menu 管理 is for this role.
    #[must_use]
    pub const fn manages_users(self) -> bool {
        matches!(self, Self::Master | Self::Administrator)
    }
}

/// The language that a user reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Japanese, the default.
    #[default]
    Ja,
    /// English.
    En,
}

impl Language {
    /// The tag of BCP 47, as stored and as in `lang="…"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    /// The language of a stored tag; `None` for any other text.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        [Self::Ja, Self::En]
            .into_iter()
            .find(|language| language.as_str() == tag)
    }
}

/// One person of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Names the user.
    pub id: UserId,
    /// The service of the contract.
    pub service_id: ServiceId,
    /// The company.
    pub contract_id: ContractId,
    /// What the user types to sign in; unique within the service.
    pub login_id: String,
    /// The user's name as colleagues read it.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// The language of the user's mails.
    pub language: Language,
    /// Where the last token mail went; `None` before the first issuance.
    pub mail_address: Option<String>,
    /// A disabled user cannot sign in.
    pub disabled: bool,
    /// Sign-in and issuance are refused before this point, set by a revocation (R58).
    pub reopens_at: Option<UnixMillis>,
}

/// Two different operators who agree on one act (J5, J6, R39). Cannot be made of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoOperators {
    first: OperatorId,
    second: OperatorId,
}

impl TwoOperators {
    /// The pair, or `None` when both are the same person.
    #[must_use]
    pub fn new(first: OperatorId, second: OperatorId) -> Option<Self> {
        (first != second).then_some(Self { first, second })
    }

    /// The two ids, for the audit event.
    #[must_use]
    pub fn ids(&self) -> [&OperatorId; 2] {
        [&self.first, &self.second]
    }
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A user of a contract, fully signed in.
    User {
        /// Who.
        id: UserId,
        /// Of which company.
        contract_id: ContractId,
        /// With which role at this moment (R42).
        role: Role,
    },
    /// One operator alone.
    Operator(OperatorId),
    /// Two operators together.
    Operators(TwoOperators),
    /// A relying system, within its scopes (J10): the bank's own site, which answers for whom it acts.
    RelyingSystem {
        /// Which client.
        id: ClientId,
        /// The one service it may act on; `None` for all.
        service_id: Option<ServiceId>,
        /// The one contract it may act on; `None` for all.
        contract_id: Option<ContractId>,
    },
    /// The product itself, by the clock.
    System,
}

impl Actor {
    /// The user as an actor.
    #[must_use]
    pub fn user(user: &User) -> Self {
        Self::User {
            id: user.id.clone(),
            contract_id: user.contract_id.clone(),
            role: user.role,
        }
    }
}

/// Whether `actor` may lift the suspension of `target`: the table of J5 **[M]**, R38, R39.
///
/// # Errors
/// [`Refusal::NotFound`] for a user of another contract (R41), [`Refusal::SelfRelease`] for oneself,
/// [`Refusal::TwoOperatorsNeeded`] for one operator alone, [`Refusal::NotPermitted`] for everybody else.
pub fn may_release(actor: &Actor, target: &User) -> Result<(), Refusal> {
    match actor {
        Actor::User {
            id,
            contract_id,
            role,
        } => {
            in_same_contract(contract_id, target)?;
            if id == &target.id {
                return Err(if role.manages_users() {
                    Refusal::SelfRelease
                } else {
                    Refusal::NotPermitted
                });
            }
            match (role, target.role) {
                (Role::Master, Role::Administrator | Role::General) | (Role::Administrator, _) => {
                    Ok(())
                }
                (Role::Master, Role::Master) | (Role::General, _) => Err(Refusal::NotPermitted),
            }
        }
        Actor::Operators(_) => Ok(()),
        Actor::RelyingSystem {
            service_id,
            contract_id,
            ..
        } => within_limits(service_id.as_ref(), contract_id.as_ref(), target),
        Actor::Operator(_) => Err(Refusal::TwoOperatorsNeeded),
        Actor::System => Err(Refusal::NotPermitted),
    }
}

/// Whether `actor` may revoke the token of `target`: J6 **[M]**. Master and administrator anyone of the contract, themselves
/// too; general users nobody; operators anyone, two together; the system what was never confirmed.
///
/// # Errors
/// As [`may_release`], but never for oneself.
pub fn may_revoke(actor: &Actor, target: &User) -> Result<(), Refusal> {
    match actor {
        Actor::User {
            contract_id, role, ..
        } => {
            in_same_contract(contract_id, target)?;
            if role.manages_users() {
                Ok(())
            } else {
                Err(Refusal::NotPermitted)
            }
        }
        Actor::Operators(_) | Actor::System => Ok(()),
        Actor::RelyingSystem {
            service_id,
            contract_id,
            ..
        } => within_limits(service_id.as_ref(), contract_id.as_ref(), target),
        Actor::Operator(_) => Err(Refusal::TwoOperatorsNeeded),
    }
}

/// Whether a relying system with these limits may know of `target` at all (R41).
///
/// # Errors
/// [`Refusal::NotFound`].
pub fn within_limits(
    service_id: Option<&ServiceId>,
    contract_id: Option<&ContractId>,
    target: &User,
) -> Result<(), Refusal> {
    if service_id.is_none_or(|id| id == &target.service_id)
        && contract_id.is_none_or(|id| id == &target.contract_id)
    {
        Ok(())
    } else {
        Err(Refusal::NotFound)
    }
}

fn in_same_contract(contract_id: &ContractId, target: &User) -> Result<(), Refusal> {
    if contract_id == &target.contract_id {
        Ok(())
    } else {
        Err(Refusal::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, contract: &str, role: Role) -> User {
        User {
            id: UserId::from_stored(id),
            service_id: ServiceId::parse("bank").unwrap(),
            contract_id: ContractId::from_stored(contract),
            login_id: id.into(),
            name: id.into(),
            role,
            language: Language::Ja,
            mail_address: None,
            disabled: false,
            reopens_at: None,
        }
    }

    fn two_operators() -> Actor {
        Actor::Operators(
            TwoOperators::new(OperatorId::from_stored("a"), OperatorId::from_stored("b")).unwrap(),
        )
    }

    /// Every cell of the table of J5: actor down, target across (master, administrator, general), then oneself.
    #[test]
    fn r38_r39_every_cell_of_the_release_matrix() {
        use Refusal::{NotPermitted, SelfRelease, TwoOperatorsNeeded};
        let targets = Role::ALL.map(|role| user("target", "c", role));
        let one_operator = Actor::Operator(OperatorId::from_stored("a"));
        let rows: [(Actor, [Result<(), Refusal>; 3]); 6] = [
            (
                Actor::user(&user("me", "c", Role::Master)),
                [Err(NotPermitted), Ok(()), Ok(())],
            ),
            (
                Actor::user(&user("me", "c", Role::Administrator)),
                [Ok(()), Ok(()), Ok(())],
            ),
            (
                Actor::user(&user("me", "c", Role::General)),
                [Err(NotPermitted), Err(NotPermitted), Err(NotPermitted)],
            ),
            (two_operators(), [Ok(()), Ok(()), Ok(())]),
            (
                one_operator,
                [
                    Err(TwoOperatorsNeeded),
                    Err(TwoOperatorsNeeded),
                    Err(TwoOperatorsNeeded),
                ],
            ),
            (
                Actor::System,
                [Err(NotPermitted), Err(NotPermitted), Err(NotPermitted)],
            ),
        ];
        for (actor, expected) in rows {
            for (target, expected) in targets.iter().zip(expected) {
                assert_eq!(
                    may_release(&actor, target),
                    expected,
                    "{actor:?} on {:?}",
                    target.role
                );
            }
        }
        for (role, expected) in [
            (Role::Master, SelfRelease),
            (Role::Administrator, SelfRelease),
            (Role::General, NotPermitted),
        ] {
            let me = user("me", "c", role);
            assert_eq!(may_release(&Actor::user(&me), &me), Err(expected));
        }
    }

    #[test]
    fn every_cell_of_the_revocation_matrix() {
        use Refusal::{NotPermitted, TwoOperatorsNeeded};
        for target_role in Role::ALL {
            let target = user("target", "c", target_role);
            for (role, expected) in [
                (Role::Master, Ok(())),
                (Role::Administrator, Ok(())),
                (Role::General, Err(NotPermitted)),
            ] {
                assert_eq!(
                    may_revoke(&Actor::user(&user("me", "c", role)), &target),
                    expected
                );
                let me = user("me", "c", role);
                assert_eq!(may_revoke(&Actor::user(&me), &me), expected);
            }
            assert_eq!(may_revoke(&two_operators(), &target), Ok(()));
            assert_eq!(may_revoke(&Actor::System, &target), Ok(()));
            assert_eq!(
                may_revoke(&Actor::Operator(OperatorId::from_stored("a")), &target),
                Err(TwoOperatorsNeeded)
            );
        }
    }

    #[test]
    fn r41_another_companys_user_is_not_found() {
        for role in Role::ALL {
            let actor = Actor::user(&user("me", "c", role));
            for target_role in Role::ALL {
                let stranger = user("target", "another", target_role);
                assert_eq!(may_release(&actor, &stranger), Err(Refusal::NotFound));
                assert_eq!(may_revoke(&actor, &stranger), Err(Refusal::NotFound));
            }
        }
    }

    #[test]
    fn r41_a_relying_system_acts_within_its_limits() {
        let client = |service: Option<&str>, contract: Option<&str>| Actor::RelyingSystem {
            id: ClientId::from_stored("core-banking"),
            service_id: service.map(|id| ServiceId::parse(id).unwrap()),
            contract_id: contract.map(ContractId::from_stored),
        };
        for role in Role::ALL {
            let target = user("target", "c", role);
            for (actor, expected) in [
                (client(None, None), Ok(())),
                (client(Some("bank"), None), Ok(())),
                (client(Some("bank"), Some("c")), Ok(())),
                (client(None, Some("another")), Err(Refusal::NotFound)),
                (client(Some("other-bank"), None), Err(Refusal::NotFound)),
            ] {
                assert_eq!(may_release(&actor, &target), expected);
                assert_eq!(may_revoke(&actor, &target), expected);
            }
        }
    }

    #[test]
    fn r39_one_operator_twice_is_not_two() {
        assert_eq!(
            TwoOperators::new(OperatorId::from_stored("a"), OperatorId::from_stored("a")),
            None
        );
    }
}
