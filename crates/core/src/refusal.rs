//! Every refusal of the product, with its stable code (PRODUCT.md §7). The sentences are in the server's catalogue under
//! `error-<code>`; `docs/errors.md` is generated from both.

use crate::time::UnixMillis;

macro_rules! refusals {
    ($($(#[$doc:meta])+ $name:ident $({ $($(#[$fact_doc:meta])+ $fact:ident: $kind:ty),+ $(,)? })? = $code:literal),+ $(,)?) => {
        /// Why something was not done. A value, not a fault of ours: what was refused changed nothing, and the person
        /// can be told the cause and the next step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$doc])+ $name $({ $($(#[$fact_doc])+ $fact: $kind),+ })?),+
        }

        impl Refusal {
            /// All stable codes, in the order of the public table.
            pub const CODES: &'static [&'static str] = &[$($code),+];

            /// The stable code: scripts and support may rely on it.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$name $({ $($fact: _),+ })? => $code),+
                }
            }
        }
    };
}

refusals! {
    /// Login id or password is wrong, or the user is disabled; which of them is not said (R25).
    SignInRefused = "sign_in_refused",
    /// Too many wrong passwords; the next try is open at the given time. Slows down, never locks out (PRODUCT.md §5).
    SignInSlowed {
        /// When the next try is judged again.
        open_at: UnixMillis,
    } = "sign_in_slowed",
    /// The user's one-time password is suspended.
    UserSuspended = "user_suspended",
    /// A token was revoked and the wait is not over (R58).
    ReissueNotYet {
        /// When sign-in and issuance open again.
        open_at: UnixMillis,
    } = "reissue_not_yet",
    /// The two mail addresses differ.
    MailMismatch = "mail_mismatch",
    /// The text is no mail address.
    MailInvalid = "mail_invalid",
    /// The two activation passwords differ.
    ActivationPasswordMismatch = "activation_password_mismatch",
    /// Too few or too many digits.
    ActivationPasswordLength {
        /// Least digits.
        min: u8,
        /// Most digits.
        max: u8,
    } = "activation_password_length",
    /// Something else than digits.
    ActivationPasswordNotDigits = "activation_password_not_digits",
    /// A value that is guessed first: repeats, sequences, dates, the user's own ids (R44).
    ActivationPasswordTrivial = "activation_password_trivial",
    /// The user has a live token; it must be revoked before another one is issued **[M]** (R57).
    TokenAlreadyInUse = "token_already_in_use",
    /// No issuance is waiting for its app.
    NoIssuance = "no_issuance",
    /// The issuance was not activated in time (R47).
    IssuanceExpired = "issuance_expired",
    /// Too many wrong starts (R50).
    IssuanceLocked = "issuance_locked",
    /// The issuance was replaced by a newer one, or withdrawn.
    IssuanceCancelled = "issuance_cancelled",
    /// Another device finished first (R54).
    AlreadyActivated = "already_activated",
    /// Ids or activation password do not fit, or the issuance is over; a caller who has proved nothing is not told
    /// which (R53).
    ActivationRefused = "activation_refused",
    /// A message of the app cannot be read: wrong length, wrong version, or not of this attempt (R52).
    ActivationMessage = "activation_message",
    /// The attempt is unknown or was begun too long ago; the app begins a new one.
    ActivationAttemptOver = "activation_attempt_over",
    /// The token was never confirmed in time and is gone; only a new issuance helps.
    ActivationGone = "activation_gone",
    /// A device message cannot be read: its media type, its form, its length or its proof (docs/protocol.md).
    DeviceMessage = "device_message",
    /// The token of a device message is unknown or its proof is wrong; which of them is not said.
    DeviceRefused = "device_refused",
    /// The token cannot be renewed now: it has no end, it is too early, or it is not activated or in use.
    RenewalNotOpen = "renewal_not_open",
    /// The app holds its ten tokens already (R60).
    AppFull = "app_full",
    /// The typed text is not so many digits; not judged, not counted (R28).
    CodeFormat {
        /// Digits of a code.
        digits: u8,
    } = "code_format",
    /// A wrong code.
    CodeWrong {
        /// Wrong codes that are left before suspension.
        tries_left: u32,
    } = "code_wrong",
    /// The code was accepted before; the next one works (R22).
    CodeAlreadyUsed = "code_already_used",
    /// The last allowed wrong code: suspended now.
    CodeSuspendedNow = "code_suspended_now",
    /// The token's life is over; its codes are not judged. A new token can be issued at once (R27).
    TokenExpired = "token_expired",
    /// The user has no live token.
    NoToken = "no_token",
    /// The confirmation password is wrong.
    ConfirmationPasswordWrong = "confirmation_password_wrong",
    /// No user was ticked.
    NobodySelected = "nobody_selected",
    /// The role does not allow it.
    NotPermitted = "not_permitted",
    /// Nobody releases oneself (R38).
    SelfRelease = "self_release",
    /// One operator alone may not; a second one must agree (R39).
    TwoOperatorsNeeded = "two_operators_needed",
    /// The token is not suspended.
    NotSuspended = "not_suspended",
    /// Too many wrong codes without a right one over all releases: only revocation helps (R34).
    ReleaseOnlyRevocation = "release_only_revocation",
    /// No such user, contract or page for this caller (R41).
    NotFound = "not_found",
    /// Somebody changed the same thing at the same moment; trying again is safe.
    Raced = "raced",
    /// As many requests of this kind wait already as may; nothing was judged or counted.
    Busy = "busy",
    /// The server's clock jumped, so no code can be judged until its operators have looked (R19); nothing was counted.
    ClockUnsure = "clock_unsure",
    /// The session is over.
    SessionExpired = "session_expired",
    /// The form is too old or of another session (R76).
    FormExpired = "form_expired",
    /// More requests than allowed; open again at the given time.
    TooManyRequests {
        /// When the next request is answered.
        open_at: UnixMillis,
    } = "too_many_requests",
    /// The key of the API is missing, unknown, withdrawn or over, or its client is disabled; which of them is not said.
    ApiKeyRefused = "api_key_refused",
    /// The client may not use this part of the API.
    ScopeMissing = "scope_missing",
    /// The client may not call from this network address.
    NetworkNotAllowed = "network_not_allowed",
    /// The user is disabled, so no token is issued.
    UserDisabled = "user_disabled",
    /// The idempotency key is not 1 to 255 visible ASCII characters.
    IdempotencyKeyFormat = "idempotency_key_format",
    /// The idempotency key was used for another request (R21).
    IdempotencyKeyReused = "idempotency_key_reused",
}

impl Refusal {
    /// Whether nothing is wrong with the request, and nothing was done: whoever asks comes again soon.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Raced | Self::Busy | Self::ClockUnsure)
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.code())
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once() {
        let once: std::collections::BTreeSet<_> = Refusal::CODES.iter().collect();
        assert_eq!(once.len(), Refusal::CODES.len());
    }
}
