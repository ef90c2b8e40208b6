//! What one handshake is about: whose token, of which service, from which issuance, with which parameters. Both halves feed
//! it into OPAQUE as the identities of RFC 9807 §2.1, so a run with any other value fails.

use warifu_core::oath::Parameters;

use crate::{Id, SUITE_ID, codec::put_lp, parameters};

/// Everything that a handshake is bound to beside the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The protected site (サービスID).
    pub service_id: Id,
    /// The random id that the mail names (ユーザID), not the login id.
    pub token_user_id: Id,
    /// The issuance that the password was chosen for.
    pub issuance_id: Id,
    /// What the codes will look like.
    pub parameters: Parameters,
}

impl Binding {
    /// `client_identity` of RFC 9807: lp(service id) | lp(token user id) | lp(issuance id) | lp(parameters).
    pub(crate) fn client_identity(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_lp(&mut bytes, self.service_id.as_str().as_bytes());
        put_lp(&mut bytes, self.token_user_id.as_str().as_bytes());
        put_lp(&mut bytes, self.issuance_id.as_str().as_bytes());
        put_lp(&mut bytes, &parameters::encode(self.parameters));
        bytes
    }

    /// `server_identity` of RFC 9807: lp(service id) | lp(suite id).
    pub(crate) fn server_identity(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_lp(&mut bytes, self.service_id.as_str().as_bytes());
        put_lp(&mut bytes, SUITE_ID.as_bytes());
        bytes
    }
}

/// `credential_identifier` of RFC 9807, which selects the OPRF key: lp(service id) | lp(token user id), and for a decoy that
/// must tell nothing of the real key, | lp(label).
pub(crate) fn credential_identifier(
    service_id: &Id,
    token_user_id: &Id,
    label: Option<&[u8]>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_lp(&mut bytes, service_id.as_str().as_bytes());
    put_lp(&mut bytes, token_user_id.as_str().as_bytes());
    if let Some(label) = label {
        put_lp(&mut bytes, label);
    }
    bytes
}
