//! What a batch of codes reads before it is judged, and what it writes after: with every verdict its event, and what follows from
//! it in the channel that the code came in by (invariant 4).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use warifu_core::audit::{Action, Event};
use warifu_core::id::AuditId;
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::service::Policy;
use warifu_core::suspension::{Releasers, releasers};
use warifu_core::time::UnixMillis;
use warifu_core::token::TokenState;
use warifu_core::user::{Actor, User};
use warifu_core::verification::{Counter, Verdict};
use warifu_store::{CounterNo, Ground, NewAnswer, Tx, Wanted};

use super::Verified;
use super::batch::{Draft, Fold};
use super::bearer::{Bearer, Known};
use super::queue::{Answer, Channel, Question};
use super::told::Told;
use crate::app::Failure;
use crate::app::idempotency::new_answer;
use crate::app::notices::{Facts, enqueue_to_all};
use crate::app::session::{Session, step_up};
use crate::app::webhooks::enqueue_events;
use crate::clock::naming_rng;

/// What the questions are judged by, to be read; `known` are the bearers that are remembered.
pub(super) fn wanted<'a>(
    questions: &'a [Arc<Question>],
    known: &'a [Option<Arc<Known>>],
) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    let mut answers = HashSet::new();
    for (question, known) in questions.iter().zip(known) {
        let login = &question.login;
        // Almost always one service and one key.
        add(&mut wanted.services, &login.service_id);
        match known {
            // Who is asked for twice is read twice, which is cheaper than looking for it.
            Some(known) => {
                let bearer = &known.bearer;
                wanted.counters.push((bearer.counter_no, &bearer.user_id));
            }
            // Each of them: `Verifier::found` takes them in this order.
            None => wanted.logins.push(login),
        }
        if let Channel::Client {
            caller,
            idempotency,
        } = &question.channel
        {
            add(&mut wanted.key_ids, caller.key_id.as_str());
            if let Some(asked) = idempotency
                && answers.insert((&caller.client_id, asked.key.as_str()))
            {
                wanted.answers.push((&caller.client_id, asked.key.as_str()));
            }
        }
    }
    wanted
}

fn add<T: PartialEq>(several: &mut Vec<T>, one: T) {
    if !several.contains(&one) {
        several.push(one);
    }
}

/// What is recorded of a batch, and the answers that are kept.
#[derive(Default)]
pub(super) struct Record {
    pub(super) events: Vec<Event>,
    pub(super) answers: Vec<NewAnswer>,
}

/// Whether events and answers are all that follows from these drafts, so that they can be written and committed in one step.
pub(super) fn nothing_else_follows(
    ground: &Ground,
    questions: &[Arc<Question>],
    drafts: &[Draft],
) -> bool {
    let alone = |(question, draft): (&Arc<Question>, &Draft)| match draft {
        Draft::Done(_) | Draft::Again { .. } => true,
        Draft::Judged(_, verdict) => question.channel.is_client() && !has_sequel(*verdict),
        Draft::Unjudged { .. } => question.channel.is_client(),
    };
    questions.iter().zip(drafts).all(alone)
        && !ground.rules.values().any(|rules| rules.has_webhooks)
}

/// Turns drafts from which nothing else follows into answers, and gives what is to be written.
pub(super) fn record(
    ground: &Ground,
    questions: &[Arc<Question>],
    drafts: &mut [Draft],
    now: UnixMillis,
) -> Result<Record, Failure> {
    let mut record = Record::default();
    for (question, draft) in questions.iter().zip(drafts) {
        if let Some(told) = tell(ground, question, draft, None, now, &mut record.events) {
            let answer = record.answer(question, told)?;
            *draft = Draft::Done(Box::new(Ok(answer)));
        }
    }
    Ok(record)
}

impl Record {
    /// What came of each code that was recorded.
    pub(super) fn outcomes(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.outcome).collect()
    }

    /// The answer to a program; kept, if it asked for that.
    fn answer(&mut self, question: &Question, told: Told) -> Result<Answer, Failure> {
        if let Channel::Client {
            caller,
            idempotency: Some(asked),
        } = &question.channel
        {
            let verification = told.into_words();
            self.answers.push(new_answer(caller, asked, &verification)?);
            return Ok(Answer::InWords(Box::new(verification)));
        }
        Ok(Answer::Client(told))
    }
}

/// What came of one code, of a suspended token with who can release, and its event; `None` for what is not recorded.
fn tell(
    ground: &Ground,
    question: &Question,
    draft: &Draft,
    releasers: Option<Releasers>,
    now: UnixMillis,
    events: &mut Vec<Event>,
) -> Option<Told> {
    let rules = ground.rules.get(&question.login.service_id)?;
    match draft {
        Draft::Done(_) | Draft::Again { .. } => None,
        Draft::Judged(bearer, verdict) => {
            let target = ("token", bearer.token_id.as_str());
            events.push(event(question, target, verdict.as_str(), now));
            Some(Told::judged(
                bearer,
                *verdict,
                releasers,
                &rules.policy,
                now,
            ))
        }
        Draft::Unjudged {
            user_id,
            reopens_at,
            word,
        } => {
            let target = ("user", user_id.as_str());
            events.push(event(question, target, word.as_str(), now));
            Some(Told::unjudged(*word, *reopens_at, &rules.policy))
        }
    }
}

/// Writes what follows from each verdict, turns its draft into the answer, and gives what was recorded and how much
/// of it is told to webhooks. `None` when another transaction kept an answer under one of the questions' keys meanwhile: then nothing of this one may be committed.
pub(super) async fn write(
    ground: &Ground,
    tx: &mut Tx,
    questions: &[Arc<Question>],
    drafts: &mut [Draft],
    folds: &BTreeMap<CounterNo, Fold>,
    now: UnixMillis,
) -> Result<Option<(Vec<&'static str>, usize)>, Failure> {
    let mut record = Record::default();
    for (question, draft) in questions.iter().zip(drafts) {
        let releasers = match draft {
            Draft::Judged(bearer, verdict) => {
                let rules = ground.rules.get(&question.login.service_id);
                let fold = folds.get(&bearer.counter_no);
                let (rules, fold) = rules
                    .zip(fold)
                    .ok_or(Failure::fault("a verdict without rules or counter"))?;
                let judged = (bearer.as_ref(), *verdict);
                follow(tx, judged, &fold.after, &rules.policy, now).await?
            }
            Draft::Done(_) | Draft::Again { .. } | Draft::Unjudged { .. } => None,
        };
        let told = tell(ground, question, draft, releasers, now, &mut record.events);
        let Some(told) = told else {
            continue;
        };
        let answer = match &question.channel {
            Channel::Page(session) => Answer::Page(on_page(tx, session, &told, now).await?),
            Channel::Client { .. } => record.answer(question, told)?,
        };
        *draft = Draft::Done(Box::new(Ok(answer)));
    }
    let queued = if ground.rules.values().any(|rules| rules.has_webhooks) {
        enqueue_events(tx, &record.events).await?
    } else {
        0
    };
    let outcomes = record.outcomes();
    tx.insert_events(record.events).await?;
    let kept = tx.insert_api_answers(&record.answers, now).await?;
    Ok(kept.then_some((outcomes, queued)))
}

/// The counters that changed, in the order of their numbers.
pub(super) fn swaps(folds: &BTreeMap<CounterNo, Fold>) -> Vec<(CounterNo, i64, Counter)> {
    folds
        .iter()
        .filter(|(_, fold)| fold.before.version != fold.after.version)
        .map(|(number, fold)| (*number, fold.before.version, fold.after))
        .collect()
}

/// Writes all counters that changed, and gives those that another node wrote meanwhile.
pub(super) async fn swap(
    tx: &mut Tx,
    folds: &BTreeMap<CounterNo, Fold>,
) -> Result<HashSet<CounterNo>, Failure> {
    let swaps = swaps(folds);
    let won = tx.swap_counters(&swaps).await?;
    let mut lost: HashSet<_> = swaps.into_iter().map(|(number, ..)| number).collect();
    for number in &won {
        lost.remove(number);
    }
    Ok(lost)
}

/// Whether [`follow`] has anything to do.
const fn has_sequel(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Accepted { confirmation, .. } => confirmation,
        Verdict::SuspendedNow | Verdict::Suspended => true,
        Verdict::AlreadyUsed { .. }
        | Verdict::Wrong { .. }
        | Verdict::Revoked
        | Verdict::Expired => false,
    }
}

/// What a verdict changes beside the counter; gives who can release a suspended one.
async fn follow(
    tx: &mut Tx,
    (bearer, verdict): (&Bearer, Verdict),
    counter: &Counter,
    policy: &Policy,
    now: UnixMillis,
) -> Result<Option<Releasers>, Failure> {
    let Bearer {
        user_id, token_id, ..
    } = bearer;
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
            let contract = tx.users_of_contract(&user.contract_id).await?;
            let releasers = releasers(&user, &contract, counter, policy);
            tell_of_suspension(tx, &user, &contract, releasers, now).await?;
            Ok(Some(releasers))
        }
        Verdict::Suspended => {
            let user = tx.user(user_id).await?.ok_or(Refusal::NotFound)?;
            let contract = tx.users_of_contract(&user.contract_id).await?;
            Ok(Some(releasers(&user, &contract, counter, policy)))
        }
        Verdict::Accepted { .. }
        | Verdict::AlreadyUsed { .. }
        | Verdict::Wrong { .. }
        | Verdict::Revoked
        | Verdict::Expired => Ok(None),
    }
}

/// A suspension ends the user's sessions and is told to the user and to those who can release.
async fn tell_of_suspension(
    tx: &mut Tx,
    user: &User,
    contract: &[User],
    releasers: Releasers,
    now: UnixMillis,
) -> Result<(), Failure> {
    let facts = Facts {
        at_ms: now.0,
        releasers: Some(releasers.as_str().to_owned()),
        ..Facts::default()
    };
    enqueue_to_all(tx, Notice::Suspended, user, contract, &facts, now).await?;
    tx.remove_sessions_of(&user.id).await?;
    Ok(())
}

/// What follows on the verification page: a right code makes the session a full one.
async fn on_page(
    tx: &mut Tx,
    session: &Session,
    told: &Told,
    now: UnixMillis,
) -> Result<Verified, Failure> {
    Ok(match told.verdict() {
        (Some(Verdict::Accepted { .. }), _) => Verified::SignedIn(step_up(tx, session, now).await?),
        (Some(Verdict::AlreadyUsed { .. }), _) => Verified::Refused(Refusal::CodeAlreadyUsed),
        (Some(Verdict::Wrong { tries_left }), _) => {
            Verified::Refused(Refusal::CodeWrong { tries_left })
        }
        (Some(Verdict::Expired), _) => Verified::Refused(Refusal::TokenExpired),
        (Some(verdict), Some(releasers)) => Verified::Suspended {
            releasers,
            just_now: verdict == Verdict::SuspendedNow,
        },
        (Some(_) | None, _) => Verified::Refused(Refusal::NoToken),
    })
}

fn event(
    question: &Question,
    target: (&'static str, &str),
    outcome: &'static str,
    now: UnixMillis,
) -> Event {
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
