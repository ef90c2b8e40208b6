//! What a batch of codes reads before it is judged, and what it writes after: with every verdict its event, and what follows from
//! it in the channel that the code came in by (invariant 4).

use std::collections::{BTreeMap, HashSet};

use warifu_core::audit::{Action, Event};
use warifu_core::id::{AuditId, TokenId, UserId};
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::suspension::{Releasers, releasers};
use warifu_core::time::UnixMillis;
use warifu_core::token::TokenState;
use warifu_core::user::{Actor, User};
use warifu_core::verification::Verdict;
use warifu_store::{Ground, Tx, Wanted};

use super::batch::{Draft, Fold};
use super::bearer::Found;
use super::queue::{Answer, Channel, Job};
use super::{Verification, Verified};
use crate::app::Failure;
use crate::app::idempotency::new_answer;
use crate::app::notices::{Facts, enqueue_to_all};
use crate::app::session::{Session, step_up};
use crate::app::webhooks::enqueue_events;
use crate::clock::naming_rng;

/// Reads what the jobs are judged by.
pub(super) async fn read(
    tx: &mut Tx,
    jobs: &[Job],
    found: &[Result<Found, Failure>],
) -> Result<Ground, Failure> {
    let mut services = HashSet::new();
    let mut key_ids = HashSet::new();
    let mut answers = HashSet::new();
    for question in jobs.iter().map(|job| &job.question) {
        services.insert(&question.login.service_id);
        if let Channel::Client {
            caller,
            idempotency,
        } = &question.channel
        {
            key_ids.insert(caller.key_id.as_str());
            if let Some(asked) = idempotency {
                answers.insert((&caller.client_id, asked.key.as_str()));
            }
        }
    }
    let tokens: HashSet<_> = found
        .iter()
        .filter_map(|found| match found {
            Ok(Found::Bearer(bearer)) => Some((&bearer.token_id, &bearer.user_id)),
            _ => None,
        })
        .collect();
    let wanted = Wanted {
        services: services.into_iter().collect(),
        tokens: tokens.into_iter().collect(),
        key_ids: key_ids.into_iter().collect(),
        answers: answers.into_iter().collect(),
    };
    Ok(tx.ground(&wanted).await?)
}

/// Writes what follows from each verdict, turns its draft into the answer, and gives what was recorded and how much
/// of it is told to webhooks. `None` when another transaction kept an answer under one of the jobs' keys meanwhile: then nothing of this one may be committed.
pub(super) async fn write(
    ground: &Ground,
    tx: &mut Tx,
    jobs: &[Job],
    drafts: &mut [Draft],
    now: UnixMillis,
) -> Result<Option<(Vec<&'static str>, usize)>, Failure> {
    let mut events = Vec::with_capacity(jobs.len());
    let mut answers = Vec::new();
    for (job, draft) in jobs.iter().zip(drafts) {
        let question = &job.question;
        let Some(rules) = ground.rules.get(&question.login.service_id) else {
            continue;
        };
        let mut told = match draft {
            Draft::Done(_) | Draft::Again { .. } => continue,
            Draft::Judged(bearer, verdict) => {
                events.push(event(
                    job,
                    ("token", bearer.token_id.as_str()),
                    verdict.as_str(),
                    now,
                ));
                let releasers =
                    follow(tx, &bearer.user_id, &bearer.token_id, *verdict, now).await?;
                Told {
                    verdict: Some(*verdict),
                    releasers,
                    verification: Verification::judged(
                        verdict,
                        (&bearer.token_id, bearer.activated_at),
                        &rules.policy,
                        now,
                    ),
                }
            }
            Draft::Unjudged {
                user_id,
                reopens_at,
                word,
            } => {
                let verification = Verification::unjudged(*word, *reopens_at, &rules.policy);
                let outcome = verification.verdict.as_str();
                events.push(event(job, ("user", user_id.as_str()), outcome, now));
                Told {
                    verdict: None,
                    releasers: None,
                    verification,
                }
            }
        };
        told.verification.releasers = told.releasers.map(Into::into);
        let answer = match &question.channel {
            Channel::Page(session) => Ok(Answer::Page(on_page(tx, session, &told, now).await?)),
            Channel::Client {
                caller,
                idempotency,
            } => {
                if let Some(asked) = idempotency {
                    answers.push(new_answer(caller, asked, &told.verification)?);
                }
                Ok(Answer::Client(Box::new(told.verification)))
            }
        };
        *draft = Draft::Done(Box::new(answer));
    }
    tx.insert_events(&events).await?;
    let told = if ground.rules.values().any(|rules| rules.has_webhooks) {
        enqueue_events(tx, &events).await?
    } else {
        0
    };
    let kept = tx.insert_api_answers(&answers, now).await?;
    let outcomes = events.iter().map(|event| event.outcome).collect();
    Ok(kept.then_some((outcomes, told)))
}

/// What came of one code.
struct Told {
    verdict: Option<Verdict>,
    releasers: Option<Releasers>,
    verification: Verification,
}

/// Writes all counters that changed, and gives the tokens whose counters another node wrote meanwhile.
pub(super) async fn swap(
    tx: &mut Tx,
    folds: &BTreeMap<TokenId, Fold>,
) -> Result<HashSet<TokenId>, Failure> {
    let swaps: Vec<_> = folds
        .iter()
        .filter(|(_, fold)| fold.before.version != fold.after.version)
        .map(|(token_id, fold)| (token_id, fold.before.version, fold.after))
        .collect();
    let won = tx.swap_counters(&swaps).await?;
    let mut lost: HashSet<_> = swaps
        .iter()
        .map(|(token_id, ..)| (*token_id).clone())
        .collect();
    for token_id in &won {
        lost.remove(token_id);
    }
    Ok(lost)
}

/// What a verdict changes beside the counter; gives who can release a suspended one.
async fn follow(
    tx: &mut Tx,
    user_id: &UserId,
    token_id: &TokenId,
    verdict: Verdict,
    now: UnixMillis,
) -> Result<Option<Releasers>, Failure> {
    match verdict {
        Verdict::Accepted {
            confirmation: true, ..
        } => {
            let state = TokenState::Activated.after_right_code(now);
            tx.set_token_state(token_id, &state).await?;
            Ok(None)
        }
        Verdict::SuspendedNow => {
            // The time of the confirmation stays as it is.
            let state = TokenState::Activated.suspended(now);
            tx.set_token_state(token_id, &state).await?;
            let user = tx.user(user_id).await?.ok_or(Refusal::NotFound)?;
            tell_of_suspension(tx, &user, now).await.map(Some)
        }
        Verdict::Suspended => {
            let user = tx.user(user_id).await?.ok_or(Refusal::NotFound)?;
            let contract = tx.users_of_contract(&user.contract_id).await?;
            Ok(Some(releasers(&user, &contract)))
        }
        Verdict::Accepted { .. }
        | Verdict::AlreadyUsed { .. }
        | Verdict::Wrong { .. }
        | Verdict::Revoked => Ok(None),
    }
}

/// A suspension ends the user's sessions and is told to the user and to those who can release.
async fn tell_of_suspension(
    tx: &mut Tx,
    user: &User,
    now: UnixMillis,
) -> Result<Releasers, Failure> {
    let contract = tx.users_of_contract(&user.contract_id).await?;
    let releasers = releasers(user, &contract);
    let facts = Facts {
        at_ms: now.0,
        releasers: Some(releasers.as_str().to_owned()),
        ..Facts::default()
    };
    enqueue_to_all(tx, Notice::Suspended, user, &contract, &facts, now).await?;
    tx.remove_sessions_of(&user.id).await?;
    Ok(releasers)
}

/// What follows on the verification page: a right code makes the session a full one.
async fn on_page(
    tx: &mut Tx,
    session: &Session,
    told: &Told,
    now: UnixMillis,
) -> Result<Verified, Failure> {
    Ok(match (told.verdict, told.releasers) {
        (Some(Verdict::Accepted { .. }), _) => Verified::SignedIn(step_up(tx, session, now).await?),
        (Some(Verdict::AlreadyUsed { .. }), _) => Verified::Refused(Refusal::CodeAlreadyUsed),
        (Some(Verdict::Wrong { tries_left }), _) => {
            Verified::Refused(Refusal::CodeWrong { tries_left })
        }
        (Some(verdict), Some(releasers)) => Verified::Suspended {
            releasers,
            just_now: verdict == Verdict::SuspendedNow,
        },
        (Some(_) | None, _) => Verified::Refused(Refusal::NoToken),
    })
}

fn event(job: &Job, target: (&'static str, &str), outcome: &'static str, now: UnixMillis) -> Event {
    let question = &job.question;
    let (target_kind, target_id) = target;
    Event {
        id: AuditId::new(now, &mut naming_rng()),
        at: now,
        service_id: Some(question.login.service_id.clone()),
        actor: match &question.channel {
            Channel::Page(session) => Actor::user(&session.user),
            Channel::Client { caller, .. } => caller.actor(),
        },
        action: Action::Verify,
        target_kind,
        target_id: target_id.to_owned(),
        outcome,
        origin: question.origin.clone(),
    }
}
