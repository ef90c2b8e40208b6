//! A contract: one company at a service, with exactly one master and at most 99 other users (PRODUCT.md §2).

use crate::id::{ContractId, ServiceId};
use crate::user::{Role, User};

/// Users of a contract at most, the master included (J8).
pub const USERS_MAX: usize = 100;

/// One company at a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Names the contract.
    pub id: ContractId,
    /// The service it is with.
    pub service_id: ServiceId,
    /// The company's name, as its users read it.
    pub name: String,
}

/// Whether the master should be told to register an administrator: without one, nobody of the company can release the
/// master (J5 **[M]**).
#[must_use]
pub fn lacks_administrator(users: &[User]) -> bool {
    !users
        .iter()
        .any(|user| user.role == Role::Administrator && !user.disabled)
}
