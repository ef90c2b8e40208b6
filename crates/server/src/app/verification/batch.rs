//! A batch of codes, judged in one transaction (ARCHITECTURE.md, verification): read the counters, fold the codes over them in the
//! order they came, write all counters by one conditional statement, and for those that it wrote all that follows: events, sessions,
//! mails, kept answers. Who lost the conditional write to another node is judged again with the next batch.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;
use warifu_core::id::UserId;
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_core::token::Standing;
use warifu_core::verification::{Counter, Verdict, decide, expired, resynchronise};
use warifu_store::{CounterNo, Durable, Ground, Judged, Judgement, Settlement, Store, Wait};
use warifu_vault::VaultError;

use super::Word;
use super::bearer::{Bearer, Found, Known};
use super::ground;
use super::queue::{Answer, Channel, Codes, Job, Question, Recall};
use super::remembered::Remembered;
use super::traffic::Traffic;
use crate::app::Failure;
use crate::app::idempotency::read_answer;
use crate::app::keys::Keys;
use crate::clock::Clock;
use crate::metrics::Metrics;

/// How often a code is judged again when another node's write came between.
const LOSSES_MAX: u32 = 3;
/// Judges batches.
#[derive(Clone)]
pub(in crate::app) struct Verifier {
    pub(in crate::app) store: Store,
    pub(in crate::app) keys: Arc<Keys>,
    pub(in crate::app) clock: Clock,
    pub(in crate::app) mail_waits: Arc<Notify>,
    pub(in crate::app) webhook_waits: Arc<Notify>,
    pub(in crate::app) metrics: Arc<Metrics>,
    pub(in crate::app) remembered: Arc<Remembered>,
    pub(in crate::app) traffic: Arc<Traffic>,
}

/// What is to become of a job.
pub(super) enum Draft {
    /// Answered without a write.
    Done(Box<Result<Answer, Failure>>),
    /// To be judged again; `lost` when another node's write came between.
    Again { lost: bool },
    /// Written with the batch.
    Judged(Arc<Bearer>, Verdict),
    /// Not judged, but recorded: the user has no token, or is disabled.
    Unjudged {
        user_id: UserId,
        reopens_at: Option<UnixMillis>,
        word: Word,
    },
}

impl Draft {
    fn refused(failure: impl Into<Failure>) -> Self {
        Self::Done(Box::new(Err(failure.into())))
    }
}

/// In how many steps a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// In one with the commit, if nothing but events and answers follows; all of it or nothing.
    One,
    /// Counters first, then what follows for those that were written.
    Several,
}

/// A batch that was judged.
struct Batch {
    drafts: Vec<Draft>,
    folds: BTreeMap<CounterNo, Fold>,
    ground: Ground,
    /// What came of each code that is recorded with the commit; empty while that is still to be written.
    outcomes: Vec<&'static str>,
}

/// A batch that was committed, and may be on its way to the disk.
struct Settled {
    drafts: Vec<Draft>,
    /// What came of each code that was recorded.
    outcomes: Vec<&'static str>,
    /// How many webhooks are to be told.
    told: usize,
    durable: Durable,
}

/// A counter as it was read, and after the codes of this batch.
pub(super) struct Fold {
    pub(super) before: Counter,
    pub(super) after: Counter,
}

impl Verifier {
    /// Judges the jobs and answers them after the commit; gives back those that are to be judged again. By `wait`, the next may be judged before the commit is
    /// on the disk, where the database can do that.
    pub(super) async fn judge(self: &Arc<Self>, mut jobs: Vec<Job>, wait: Wait) -> Vec<Job> {
        jobs.retain(Job::is_awaited);
        if jobs.is_empty() {
            return jobs;
        }
        let Ok(now) = self.clock.steady() else {
            for _ in &jobs {
                self.metrics.verified("clock_unsure");
            }
            return answer_all(jobs, &Refusal::ClockUnsure.into());
        };
        let began = Instant::now();
        let alone = jobs.len() == 1 && wait != Wait::ForLock;
        self.traffic.begin();
        let questions: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.question)).collect();
        let known = self.known(&mut jobs, now);
        let settled = match self.settle(&questions, known, now, wait).await {
            Ok(settled) => settled,
            Err(Failure::Store(error)) if error.is_conflict() => Settled::all_again(jobs.len()),
            Err(failure) => return answer_all(jobs, &failure),
        };
        let Settled {
            drafts,
            outcomes,
            told,
            durable,
        } = settled;
        let size = jobs.len();
        let mut answered = Vec::with_capacity(size);
        let mut again = Vec::new();
        let mut without_keys = Vec::new();
        for (mut job, draft) in jobs.into_iter().zip(drafts) {
            match draft {
                Draft::Done(answer) => match *answer {
                    Err(Failure::Vault(VaultError::UnknownKey)) if !job.keys_were_read => {
                        job.keys_were_read = true;
                        without_keys.push(job);
                    }
                    answer => answered.push((job, answer)),
                },
                Draft::Again { lost } => {
                    job.losses += u32::from(lost);
                    if job.losses > LOSSES_MAX {
                        answered.push((job, Err(Refusal::Raced.into())));
                    } else {
                        again.push(job);
                    }
                }
                Draft::Judged(..) | Draft::Unjudged { .. } => {
                    answered.push((job, Err(Failure::fault("a verification was not written"))));
                }
            }
        }
        // The next batch is judged meanwhile.
        let verifier = Arc::clone(self);
        durable.then(move |arrived| {
            let failure = arrived.err().map(Failure::from);
            if failure.is_none() {
                let took = began.elapsed();
                verifier.metrics.committed(size, took);
                if alone {
                    verifier.traffic.was_alone(took);
                }
                verifier.tell(&outcomes, told);
            }
            for (job, answer) in answered {
                job.answer(failure.clone().map_or(answer, Err));
            }
        });
        if !without_keys.is_empty() {
            match self.keys.load_data_keys().await {
                Ok(()) => again.append(&mut without_keys),
                Err(failure) => drop(answer_all(without_keys, &failure)),
            }
        }
        again
    }

    /// Who is remembered of the askers: who was when each code came in; when it was judged before, who is now.
    fn known(&self, jobs: &mut [Job], now: UnixMillis) -> Vec<Option<Arc<Known>>> {
        jobs.iter_mut()
            .map(|job| match std::mem::replace(&mut job.known, Recall::Now) {
                Recall::AtArrival(known) => known.filter(|known| !known.bearer.is_over(now)),
                Recall::Now => self.recall(&job.question.login, now),
            })
            .collect()
    }

    /// Gives the fate of each question, in their order.
    async fn settle(
        self: &Arc<Self>,
        questions: &[Arc<Question>],
        known: Vec<Option<Arc<Known>>>,
        now: UnixMillis,
        wait: Wait,
    ) -> Result<Settled, Failure> {
        let settled = self
            .attempt(questions, known, now, wait, Steps::One)
            .await?;
        if let Some(settled) = settled {
            return Ok(settled);
        }
        // Another node came before us at one of them: that one is found out, and does not hold up the others.
        let look = |question: &Arc<Question>| self.recall(&question.login, now);
        let known = questions.iter().map(look).collect();
        let settled = self
            .attempt(questions, known, now, wait, Steps::Several)
            .await?;
        // Another node kept an answer under one of these keys meanwhile: the batch is judged again, and finds it.
        Ok(settled.unwrap_or_else(|| Settled::all_again(questions.len())))
    }

    /// Judges, writes and commits; `None` when nothing was written because another node was faster.
    async fn attempt(
        self: &Arc<Self>,
        questions: &[Arc<Question>],
        known: Vec<Option<Arc<Known>>>,
        now: UnixMillis,
        wait: Wait,
        steps: Steps,
    ) -> Result<Option<Settled>, Failure> {
        let wanted = ground::wanted(questions, &known);
        // Nothing but statements, and the judging itself, from here to the commit (invariant 3).
        let tx = self.store.begin_here(wait).await?;
        let judge = {
            let (verifier, known) = (Arc::clone(self), known.clone());
            let questions = questions.to_vec();
            move |ground| verifier.judge_by(ground, &questions, known, now, steps)
        };
        let (mut tx, batch) = match tx.judge(&wanted, now, judge).await? {
            Judged::Lost => return Ok(None),
            Judged::Settled(batch, durable) => {
                let batch = batch?;
                return Ok(Some(Settled {
                    drafts: batch.drafts,
                    outcomes: batch.outcomes,
                    told: 0,
                    durable,
                }));
            }
            Judged::Open(tx, batch) => (tx, batch?),
        };
        let Batch {
            mut drafts,
            folds,
            ground,
            ..
        } = batch;
        let lost = ground::swap(&mut tx, &folds).await?;
        for draft in &mut drafts {
            if let Draft::Judged(bearer, _) = draft
                && lost.contains(&bearer.counter_no)
            {
                *draft = Draft::Again { lost: true };
            }
        }
        let written = ground::write(&ground, &mut tx, questions, &mut drafts, &folds, now).await?;
        let Some((outcomes, told)) = written else {
            return Ok(None);
        };
        tx.commit().await?;
        Ok(Some(Settled {
            drafts,
            outcomes,
            told,
            durable: Durable::default(),
        }))
    }

    /// Judges the questions by what was read, and says whether everything can be written at once.
    fn judge_by(
        &self,
        mut ground: Ground,
        questions: &[Arc<Question>],
        known: Vec<Option<Arc<Known>>>,
        now: UnixMillis,
        steps: Steps,
    ) -> Judgement<Result<Batch, Failure>> {
        let found = self.found(questions, known, &mut ground, now);
        let (drafts, folds) = self.fold(questions, found, &ground, now);
        let mut batch = Batch {
            drafts,
            folds,
            ground,
            outcomes: Vec::new(),
        };
        if steps == Steps::Several
            || !ground::nothing_else_follows(&batch.ground, questions, &batch.drafts)
        {
            return Judgement::Stay(Ok(batch));
        }
        match ground::record(&batch.ground, questions, &mut batch.drafts, now) {
            Ok(record) => {
                batch.outcomes = record.outcomes();
                let settlement = Settlement {
                    swaps: ground::swaps(&batch.folds),
                    events: record.events,
                    answers: record.answers,
                };
                Judgement::Settle(settlement, Ok(batch))
            }
            Err(failure) => Judgement::Stay(Err(failure)),
        }
    }

    /// Who is behind each question: the bearers that this node remembers, and those that were read.
    fn found(
        &self,
        questions: &[Arc<Question>],
        known: Vec<Option<Arc<Known>>>,
        ground: &mut Ground,
        now: UnixMillis,
    ) -> Vec<Result<Found, Failure>> {
        // One for each question that `ground::wanted` asked for a bearer of, in their order. With one more or fewer, users would get the tokens of others: nothing is judged then.
        let mut stored = std::mem::take(&mut ground.bearers).into_iter();
        let unknown = known.iter().filter(|known| known.is_none()).count();
        assert_eq!(stored.len(), unknown, "a bearer for each login");
        questions
            .iter()
            .zip(known)
            .map(|(question, known)| match known {
                Some(known) => Ok(Found::Bearer(known)),
                None => match stored.next().flatten() {
                    Some(bearer) => self.open(&question.login, bearer, now),
                    None => Ok(Found::Nobody),
                },
            })
            .collect()
    }

    /// Tells those who wait for it what was committed.
    fn tell(&self, outcomes: &[&'static str], told: usize) {
        if outcomes.contains(&Verdict::SuspendedNow.as_str()) {
            self.mail_waits.notify_one();
        }
        if told > 0 {
            self.webhook_waits.notify_one();
        }
        for outcome in outcomes {
            self.metrics.verified(outcome);
        }
    }

    /// Lets the core judge the codes in the order they came, the same token's one after the other.
    fn fold(
        &self,
        questions: &[Arc<Question>],
        found: Vec<Result<Found, Failure>>,
        ground: &Ground,
        now: UnixMillis,
    ) -> (Vec<Draft>, BTreeMap<CounterNo, Fold>) {
        let mut folds = BTreeMap::new();
        let mut named = HashSet::new();
        let drafts = questions
            .iter()
            .zip(found)
            .map(|(question, found)| {
                let mut name = None;
                if let Channel::Client {
                    caller,
                    idempotency,
                } = &question.channel
                {
                    let standing = ground.standings.get(&caller.key_id);
                    if !standing.is_some_and(|standing| caller.stands(standing, now)) {
                        return Draft::Done(Box::new(Ok(Answer::OldCaller)));
                    }
                    if let Some(asked) = idempotency {
                        let asked_as = (caller.client_id.clone(), asked.key.clone());
                        if let Some(kept) = ground.answers.get(&asked_as) {
                            let answer = read_answer(kept, asked);
                            return Draft::Done(Box::new(answer.map(Answer::InWords)));
                        }
                        if named.contains(&asked_as) {
                            // The same request is in this batch already: its answer is there for the next one.
                            return Draft::Again { lost: false };
                        }
                        name = Some(asked_as);
                    }
                }
                let draft = match found {
                    Err(failure) => Draft::refused(failure),
                    Ok(found) => self.fold_one(question, found, ground, &mut folds, now),
                };
                // What keeps no answer makes nobody wait for one.
                if matches!(draft, Draft::Judged(..) | Draft::Unjudged { .. }) {
                    named.extend(name);
                }
                draft
            })
            .collect();
        (drafts, folds)
    }

    fn fold_one(
        &self,
        question: &Question,
        found: Found,
        ground: &Ground,
        folds: &mut BTreeMap<CounterNo, Fold>,
        now: UnixMillis,
    ) -> Draft {
        let Some(rules) = ground.rules.get(&question.login.service_id) else {
            return Draft::refused(Refusal::NotFound);
        };
        let seen = found.contract_id().is_some_and(|contract_id| {
            question
                .channel
                .sees(&question.login.service_id, contract_id)
        });
        let known = match found {
            _ if !seen => return Draft::refused(Refusal::NotFound),
            Found::Nobody => return Draft::refused(Refusal::NotFound),
            Found::NoToken {
                user_id,
                reopens_at,
                ..
            } => {
                let digits = rules.policy.parameters.digits;
                return match question.proof.codes(digits) {
                    Err(refusal) => Draft::refused(refusal),
                    Ok(_) => Draft::Unjudged {
                        user_id,
                        reopens_at: reopens_at.filter(|at| now < *at),
                        word: Word::NoToken,
                    },
                };
            }
            Found::Bearer(known) => known,
        };
        let (bearer, shown) = (&known.bearer, known.codes());
        let codes = match question.proof.codes(bearer.parameters.digits) {
            Ok(codes) => codes,
            Err(refusal) => return Draft::refused(refusal),
        };
        let hot = ground.counters.get(&bearer.counter_no);
        let Some(hot) = hot.filter(|hot| hot.counter.standing != Standing::Revoked) else {
            // What is remembered of this user is over; the next look finds the token that lives, if there is one.
            self.remembered.forget(&question.login, &bearer.token_id);
            return Draft::Again { lost: true };
        };
        if hot.user_disabled {
            return Draft::Unjudged {
                user_id: bearer.user_id.clone(),
                reopens_at: None,
                word: Word::Disabled,
            };
        }
        let fold = folds.entry(bearer.counter_no).or_insert(Fold {
            before: hot.counter,
            after: hot.counter,
        });
        let policy = &rules.policy;
        let counter = fold.after.behind(rules.fence, &bearer.parameters, policy);
        let (verdict, next) = match (expired(&counter, bearer.expires_at, now), &codes) {
            (Some(over), _) => (over, counter),
            (None, Codes::One(code)) => decide(&counter, &shown, code, policy, now),
            (None, Codes::Two(codes)) => resynchronise(&counter, &shown, codes, policy, now),
        };
        // A counter of the same version has nothing to write, and the fence is no part of it.
        if next.version != fold.after.version {
            fold.after = next;
        }
        Draft::Judged(Arc::clone(bearer), verdict)
    }
}

impl Settled {
    /// So many that were lost to another node.
    fn all_again(count: usize) -> Self {
        Self {
            drafts: std::iter::repeat_with(|| Draft::Again { lost: true })
                .take(count)
                .collect(),
            outcomes: Vec::new(),
            told: 0,
            durable: Durable::default(),
        }
    }
}

fn answer_all(jobs: Vec<Job>, failure: &Failure) -> Vec<Job> {
    for job in jobs {
        job.answer(Err(failure.clone()));
    }
    Vec::new()
}
