//! What relying systems are told of by webhook (J10): which events have a type there, and which of them an endpoint wants.
//! Never here: signatures, sending.

use crate::audit::Action;

macro_rules! event_types {
    ($($(#[$doc:meta])+ $name:ident = $text:literal),+ $(,)?) => {
        /// The type of an event as relying systems know it: names with full stops, after the Standard Webhooks specification.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[$doc])+ $name),+
        }

        impl EventType {
            /// All types that can be asked for.
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

event_types! {
    /// A token was asked for, and its ids were mailed (J1).
    IssuanceCreated = "issuance.created",
    /// An issuance was withdrawn or replaced before it was used (R49).
    IssuanceCancelled = "issuance.cancelled",
    /// An app has its token (J3). The bank may lower limits for a while.
    TokenActivated = "token.activated",
    /// Wrong codes suspended a token (R11).
    TokenSuspended = "token.suspended",
    /// A suspension was lifted (J5).
    TokenReleased = "token.released",
    /// A token is revoked for ever, by a person or by the product (J6).
    TokenRevoked = "token.revoked",
    /// The life of a token was prolonged by its app.
    TokenRenewed = "token.renewed",
    /// A code was not taken: wrong, used before, or of a token that is suspended or whose life is over.
    VerificationRefused = "verification.refused",
    /// A code was taken (J4). As many as there are sign-ins, so only told when asked for by name.
    VerificationAccepted = "verification.accepted",
}

impl EventType {
    /// The type of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.as_str() == name)
    }

    /// The type that an audit event has for relying systems; `None` for what concerns only us. An event has at most one: the
    /// wrong code that suspends a token is told as the suspension.
    #[must_use]
    pub fn of(action: Action, outcome: &str) -> Option<Self> {
        match (action, outcome) {
            (Action::Issue, "done") => Some(Self::IssuanceCreated),
            (Action::CancelIssuance, "done") => Some(Self::IssuanceCancelled),
            (Action::FinishActivation, "done") => Some(Self::TokenActivated),
            (Action::Verify, "accepted") => Some(Self::VerificationAccepted),
            (Action::Verify, "suspended_now") => Some(Self::TokenSuspended),
            (Action::Verify, "wrong" | "already_used" | "suspended" | "expired") => {
                Some(Self::VerificationRefused)
            }
            (Action::Release, "done") => Some(Self::TokenReleased),
            (Action::Revoke, "done" | "expired") => Some(Self::TokenRevoked),
            (Action::Renew, "done") => Some(Self::TokenRenewed),
            _ => None,
        }
    }

    /// Whether an endpoint that names no types is told of this one.
    #[must_use]
    pub const fn is_told_unasked(self) -> bool {
        !matches!(self, Self::VerificationAccepted)
    }
}

/// The types of events that an endpoint wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(Vec<EventType>);

impl Wanted {
    /// Reads names; each type counts once. No name at all means every type that is told unasked.
    ///
    /// # Errors
    /// The first name that is no type.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut types = Vec::new();
        for name in names {
            let one = EventType::from_name(name).ok_or(name)?;
            if !types.contains(&one) {
                types.push(one);
            }
        }
        Ok(Self(types))
    }

    /// Whether an event of this type is wanted.
    #[must_use]
    pub fn wants(&self, one: EventType) -> bool {
        if self.0.is_empty() {
            one.is_told_unasked()
        } else {
            self.0.contains(&one)
        }
    }

    /// The names as they are stored: separated by spaces.
    #[must_use]
    pub fn stored(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|one| one.as_str()).collect();
        names.join(" ")
    }

    /// The names of all types that are wanted.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        EventType::ALL
            .iter()
            .filter(|one| self.wants(**one))
            .map(|one| one.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j10_right_codes_are_told_only_when_asked_for_by_name() {
        let all = Wanted::default();
        for one in EventType::ALL {
            assert_eq!(all.wants(*one), *one != EventType::VerificationAccepted);
        }
        let asked = Wanted::parse(["verification.accepted"]).unwrap();
        assert_eq!(asked.names(), ["verification.accepted"]);
    }

    #[test]
    fn the_code_that_suspends_is_told_once_as_the_suspension() {
        assert_eq!(
            EventType::of(Action::Verify, "suspended_now"),
            Some(EventType::TokenSuspended)
        );
        assert_eq!(EventType::of(Action::SignIn, "done"), None);
        assert_eq!(EventType::of(Action::Revoke, "confirmation_wrong"), None);
    }

    #[test]
    fn r27_the_end_of_a_life_and_its_renewal_are_told() {
        let of = EventType::of;
        assert_eq!(of(Action::Renew, "done"), Some(EventType::TokenRenewed));
        let expired = (of(Action::Revoke, "expired"), of(Action::Verify, "expired"));
        let told = (EventType::TokenRevoked, EventType::VerificationRefused);
        assert_eq!(expired, (Some(told.0), Some(told.1)));
    }

    #[test]
    fn what_is_wanted_is_stored_by_name() {
        let wanted = Wanted::parse(["token.revoked", "token.revoked", "token.released"]).unwrap();
        assert_eq!(wanted.stored(), "token.revoked token.released");
        assert_eq!(
            Wanted::parse(wanted.stored().split_whitespace()),
            Ok(wanted)
        );
        assert_eq!(Wanted::parse(["token.eaten"]), Err("token.eaten"));
    }
}
