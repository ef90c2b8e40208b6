//! From a refusal of the core to the sentence on a page: the codes, and the facts that a sentence needs beside the refusal.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use warifu_core::refusal::Refusal;
use warifu_core::suspension::Releasers;
use warifu_core::time::UnixMillis;

use super::Problem;
use crate::text::Text;

/// Codes that the server says by itself, beside those of [`Refusal::CODES`].
const SERVER_CODES: [&str; 9] = [
    "internal",
    "scripts_needed",
    "service_unavailable",
    "method_not_allowed",
    "media_type",
    "body_too_large",
    "request_body",
    "request_fields",
    "request_query",
];

/// Every stable code; each has a text `error-<code>` in both catalogues.
pub fn error_codes() -> impl Iterator<Item = &'static str> {
    Refusal::CODES.iter().copied().chain(SERVER_CODES)
}

/// What a sentence needs to know beside the refusal.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The reader's language.
    pub text: Text,
    /// Now.
    pub now: UnixMillis,
    /// The service's time zone.
    pub zone: TimeZone,
    /// Who can release the user that the refusal is about.
    pub releasers: Releasers,
    /// Wrong codes in a row after which only revocation helps, by policy.
    pub run_max: u32,
}

impl Problem {
    /// The problem to show for `refusal`, with every argument of its sentence.
    #[must_use]
    pub fn of(refusal: &Refusal, about: &Circumstances) -> Self {
        let problem = Self::new(refusal.code());
        match *refusal {
            Refusal::SignInSlowed { open_at } | Refusal::TooManyRequests { open_at } => {
                problem.with("seconds", open_at.wait_s(about.now))
            }
            Refusal::ReissueNotYet { open_at } => problem.with("opens", about.moment(open_at)),
            Refusal::UserSuspended | Refusal::CodeSuspendedNow => {
                problem.with("who", about.releasers.as_str())
            }
            Refusal::ActivationPasswordLength { min, max } => {
                problem.with("min", min).with("max", max)
            }
            Refusal::CodeFormat { digits } => problem.with("digits", digits),
            Refusal::CodeWrong { tries_left } => problem.with("tries_left", tries_left),
            Refusal::ReleaseOnlyRevocation => problem.with("run", about.run_max),
            _ => problem,
        }
    }
}

impl Circumstances {
    /// A point in time for people, in the service's time zone.
    #[must_use]
    pub fn moment(&self, at: UnixMillis) -> String {
        let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::MAX);
        self.text.moment(&at.to_zoned(self.zone.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::LANGUAGES;

    fn about(text: Text) -> Circumstances {
        Circumstances {
            text,
            now: UnixMillis(1_795_000_000_000),
            zone: TimeZone::get("Asia/Tokyo").expect("the bundled zones"),
            releasers: Releasers::MasterOrAdministrator,
            run_max: 30,
        }
    }

    #[test]
    fn every_refusal_with_facts_says_all_of_them() {
        let open_at = UnixMillis(1_795_000_061_001);
        let refusals = [
            (Refusal::SignInSlowed { open_at }, "62"),
            (Refusal::TooManyRequests { open_at }, "62"),
            (Refusal::ReissueNotYet { open_at }, "20:07"),
            (Refusal::ActivationPasswordLength { min: 4, max: 8 }, "8"),
            (Refusal::CodeFormat { digits: 6 }, "6"),
            (Refusal::CodeWrong { tries_left: 2 }, "2"),
            (Refusal::ReleaseOnlyRevocation, "30"),
            (Refusal::UserSuspended, ""),
            (Refusal::CodeSuspendedNow, ""),
        ];
        for language in LANGUAGES {
            let text = Text::new(language);
            for (refusal, said) in &refusals {
                let sentence = Problem::of(refusal, &about(text)).sentence(text);
                assert!(
                    sentence.contains(said) && !sentence.contains('{'),
                    "{sentence}"
                );
            }
        }
    }
}
