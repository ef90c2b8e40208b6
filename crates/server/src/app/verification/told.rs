//! What came of one code, before it is put into words. The thread that judges for all says only what was decided; whoever waits for the answer copies
//! it into words and writes times. An answer that is kept for a repeated request is put into words at once, since it is kept with the verdict.

use warifu_core::id::TokenId;
use warifu_core::service::Policy;
use warifu_core::suspension::Releasers;
use warifu_core::time::{SECOND_MS, UnixMillis};
use warifu_core::verification::Verdict;

use super::bearer::Bearer;
use super::{Verification, Word};
use crate::app::relying::moment;

/// What came of one code. Nothing of the seed is in it: an answer may wait for the disk for long.
pub(super) struct Told {
    came: Came,
    /// Wrong codes that the policy allows.
    wrong_codes_max: u32,
}

enum Came {
    Judged(Judged),
    Unjudged(Word, Option<UnixMillis>),
}

struct Judged {
    verdict: Verdict,
    at: UnixMillis,
    token_id: TokenId,
    activated_at: UnixMillis,
    /// Until when the policy advises to keep limits low.
    cool_off_until: Option<UnixMillis>,
    /// Of a suspended token: who can release.
    releasers: Option<Releasers>,
}

impl Told {
    /// What was judged at `at` for the token of this bearer; of a suspended one with who can release.
    pub(super) fn judged(
        bearer: &Bearer,
        verdict: Verdict,
        releasers: Option<Releasers>,
        policy: &Policy,
        at: UnixMillis,
    ) -> Self {
        Self {
            came: Came::Judged(Judged {
                verdict,
                at,
                token_id: bearer.token_id.clone(),
                activated_at: bearer.activated_at,
                cool_off_until: policy.cool_off_until(bearer.activated_at, at),
                releasers,
            }),
            wrong_codes_max: policy.wrong_codes_max,
        }
    }

    /// That nothing was judged; `reopens_at` is from when on a new token may be issued.
    pub(super) const fn unjudged(
        word: Word,
        reopens_at: Option<UnixMillis>,
        policy: &Policy,
    ) -> Self {
        Self {
            came: Came::Unjudged(word, reopens_at),
            wrong_codes_max: policy.wrong_codes_max,
        }
    }

    /// What was judged, if anything was, and who can release.
    pub(super) const fn verdict(&self) -> (Option<Verdict>, Option<Releasers>) {
        match &self.came {
            Came::Judged(judged) => (Some(judged.verdict), judged.releasers),
            Came::Unjudged(..) => (None, None),
        }
    }

    /// The same in words, for relying systems.
    pub(super) fn into_words(self) -> Verification {
        let nothing = Verification {
            verdict: Word::NoToken,
            tries_left: 0,
            just_suspended: false,
            token_id: None,
            activated_at: None,
            token_age: None,
            cool_off_until: None,
            releasers: None,
            reopens_at: None,
        };
        let judged = match self.came {
            Came::Judged(judged) => judged,
            Came::Unjudged(word, reopens_at) => {
                return Verification {
                    verdict: word,
                    reopens_at: reopens_at.map(moment),
                    ..nothing
                };
            }
        };
        let (word, tries_left) = match judged.verdict {
            Verdict::Accepted { .. } => (Word::Accepted, self.wrong_codes_max),
            Verdict::AlreadyUsed { tries_left } => (Word::AlreadyUsed, tries_left),
            Verdict::Wrong { tries_left } => (Word::Wrong, tries_left),
            Verdict::SuspendedNow | Verdict::Suspended => (Word::Suspended, 0),
            Verdict::Expired => (Word::Expired, 0),
            Verdict::Revoked => (Word::NoToken, 0),
        };
        let age_s = judged.at.since_ms(judged.activated_at).max(0) / SECOND_MS;
        Verification {
            verdict: word,
            tries_left,
            just_suspended: judged.verdict == Verdict::SuspendedNow,
            token_id: Some(judged.token_id.into()),
            activated_at: Some(moment(judged.activated_at)),
            token_age: u64::try_from(age_s).ok(),
            cool_off_until: judged.cool_off_until.map(moment),
            releasers: judged.releasers.map(Into::into),
            ..nothing
        }
    }
}
