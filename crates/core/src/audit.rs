//! Audit events: who did what to whom, when, with what result (R84). Each is written in the transaction of the change it
//! tells of (invariant 4). Never a secret, never a code, never a mail address.

use crate::id::{AuditId, ServiceId};
use crate::time::UnixMillis;
use crate::user::Actor;

macro_rules! actions {
    ($($(#[$doc:meta])+ $name:ident = $text:literal),+ $(,)?) => {
        /// What was done or tried.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])+ $name),+
        }

        impl Action {
            /// All actions.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

actions! {
    /// A password sign-in, right or wrong.
    SignIn = "sign_in",
    /// A sign-out.
    SignOut = "sign_out",
    /// An issuance (J1).
    Issue = "issue",
    /// The token mail asked for again.
    ResendMail = "resend_mail",
    /// An issuance withdrawn or replaced.
    CancelIssuance = "cancel_issuance",
    /// The start of an activation by an app (J3).
    StartActivation = "start_activation",
    /// The finish of an activation.
    FinishActivation = "finish_activation",
    /// A code judged (J4).
    Verify = "verify",
    /// A suspension lifted (J5).
    Release = "release",
    /// A token revoked (J6); with the outcome `expired` by the product, because its life was over.
    Revoke = "revoke",
    /// A token whose life was prolonged by its app.
    Renew = "renew",
    /// A confirmation password that was wrong (J5, J6).
    ConfirmationPassword = "confirmation_password",
    /// A service, contract or user made.
    Provision = "provision",
    /// A fence put up before a service whose data was restored (R23).
    Fence = "fence",
    /// A key made or brought into use.
    Key = "key",
    /// A client of the API made (J10).
    CreateApiClient = "create_api_client",
    /// A key of a client made beside the old one.
    RotateApiKey = "rotate_api_key",
    /// A key of a client ended at once.
    WithdrawApiKey = "withdraw_api_key",
    /// A client disabled.
    DisableApiClient = "disable_api_client",
    /// A disabled client brought back.
    EnableApiClient = "enable_api_client",
    /// A webhook made, changed or disabled, or its deliveries queued again (J10).
    Webhook = "webhook",
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Names the event; ids made later sort later.
    pub id: AuditId,
    /// When, by the server's clock.
    pub at: UnixMillis,
    /// The service it belongs to; `None` for what concerns the whole installation.
    pub service_id: Option<ServiceId>,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The kind of thing acted on: `user`, `token`, `issuance` ..
    pub target_kind: &'static str,
    /// Its id.
    pub target_id: String,
    /// `done`, a verdict's name, or the code of a refusal.
    pub outcome: &'static str,
    /// Where the request came from and its id.
    pub origin: Origin,
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The request's id, as in the log and in what support is told.
    pub request_id: String,
    /// The caller's network address, where there is one.
    pub address: Option<String>,
}
